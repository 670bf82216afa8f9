//! The kinds of objects that are spoken of, with where the API server keeps them.

/// A kind of object. Only versions that both old clusters and those of today serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Keeps replicas of one template, revision by revision.
    Deployment,
    /// One revision of a deployment.
    ReplicaSet,
    /// Keeps named replicas with volumes of their own.
    StatefulSet,
    /// Keeps one pod per node.
    DaemonSet,
    /// One revision of a stateful or daemon set.
    ControllerRevision,
    /// Containers that run together.
    Pod,
    /// A stable address in front of pods.
    Service,
    /// The addresses behind a service.
    Endpoints,
    /// Something that happened.
    Event,
    /// Settings.
    ConfigMap,
    /// Secret settings: only their names and keys are ever shown.
    Secret,
    /// A part of the cluster.
    Namespace,
    /// A machine of the cluster.
    Node,
    /// A claim to a volume.
    PersistentVolumeClaim,
    /// Whom pods act as.
    ServiceAccount,
    /// Pods that run to an end.
    Job,
    /// Jobs by the clock; served from Kubernetes 1.21.
    CronJob,
    /// A lock.
    Lease,
    /// What routes HTTP from outside to services.
    Ingress,
    /// What decides on the number of replicas.
    HorizontalPodAutoscaler,
    /// The question whether we may do something.
    SelfSubjectAccessReview,
    /// A set of rights within a namespace.
    Role,
    /// Who has the rights of a role.
    RoleBinding,
    /// A set of rights in the whole cluster.
    ClusterRole,
    /// Who has the rights of a cluster role.
    ClusterRoleBinding,
    /// Gateway API: routes HTTP by weights.
    HttpRoute,
    /// Argo Rollouts' deployment in steps (M-07).
    ArgoRollout,
    /// What Argo CD keeps in step with a repository.
    ArgoApplication,
    /// What Flux keeps in step with a repository.
    FluxKustomization,
    /// What Flux keeps in step with a chart.
    FluxHelmRelease,
}

/// Where the API server keeps a kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The API group; empty for the core.
    pub group: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The name in paths and rights: `deployments`.
    pub plural: &'static str,
    /// The name in objects: `Deployment`.
    pub kind: &'static str,
    /// Whether such objects lie in a namespace.
    pub namespaced: bool,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 30] = [
        Self::Deployment,
        Self::ReplicaSet,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::ControllerRevision,
        Self::Pod,
        Self::Service,
        Self::Endpoints,
        Self::Event,
        Self::ConfigMap,
        Self::Secret,
        Self::Namespace,
        Self::Node,
        Self::PersistentVolumeClaim,
        Self::ServiceAccount,
        Self::Job,
        Self::CronJob,
        Self::Lease,
        Self::Ingress,
        Self::HorizontalPodAutoscaler,
        Self::SelfSubjectAccessReview,
        Self::Role,
        Self::RoleBinding,
        Self::ClusterRole,
        Self::ClusterRoleBinding,
        Self::HttpRoute,
        Self::ArgoRollout,
        Self::ArgoApplication,
        Self::FluxKustomization,
        Self::FluxHelmRelease,
    ];

    /// Where it is kept.
    pub const fn resource(self) -> Resource {
        match self {
            Self::Deployment => apps("deployments", "Deployment"),
            Self::ReplicaSet => apps("replicasets", "ReplicaSet"),
            Self::StatefulSet => apps("statefulsets", "StatefulSet"),
            Self::DaemonSet => apps("daemonsets", "DaemonSet"),
            Self::ControllerRevision => apps("controllerrevisions", "ControllerRevision"),
            Self::Pod => core("pods", "Pod"),
            Self::Service => core("services", "Service"),
            Self::Endpoints => core("endpoints", "Endpoints"),
            Self::Event => core("events", "Event"),
            Self::ConfigMap => core("configmaps", "ConfigMap"),
            Self::Secret => core("secrets", "Secret"),
            Self::Namespace => cluster("", "v1", "namespaces", "Namespace"),
            Self::Node => cluster("", "v1", "nodes", "Node"),
            Self::PersistentVolumeClaim => core("persistentvolumeclaims", "PersistentVolumeClaim"),
            Self::ServiceAccount => core("serviceaccounts", "ServiceAccount"),
            Self::Job => of("batch", "v1", "jobs", "Job"),
            Self::CronJob => of("batch", "v1", "cronjobs", "CronJob"),
            Self::Lease => of("coordination.k8s.io", "v1", "leases", "Lease"),
            Self::Ingress => of("networking.k8s.io", "v1", "ingresses", "Ingress"),
            Self::HorizontalPodAutoscaler => {
                of("autoscaling", "v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
            }
            Self::SelfSubjectAccessReview => cluster(
                "authorization.k8s.io",
                "v1",
                "selfsubjectaccessreviews",
                "SelfSubjectAccessReview",
            ),
            Self::Role => of(RIGHTS, "v1", "roles", "Role"),
            Self::RoleBinding => of(RIGHTS, "v1", "rolebindings", "RoleBinding"),
            Self::ClusterRole => cluster(RIGHTS, "v1", "clusterroles", "ClusterRole"),
            Self::ClusterRoleBinding => {
                cluster(RIGHTS, "v1", "clusterrolebindings", "ClusterRoleBinding")
            }
            Self::HttpRoute => of("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute"),
            Self::ArgoRollout => of("argoproj.io", "v1alpha1", "rollouts", "Rollout"),
            Self::ArgoApplication => of("argoproj.io", "v1alpha1", "applications", "Application"),
            Self::FluxKustomization => {
                of("kustomize.toolkit.fluxcd.io", "v1", "kustomizations", "Kustomization")
            }
            Self::FluxHelmRelease => {
                of("helm.toolkit.fluxcd.io", "v2", "helmreleases", "HelmRelease")
            }
        }
    }

    /// The kind that an object names in `apiVersion` and `kind`; the version may be another one of
    /// the same group. Nothing for a kind that is not spoken of.
    pub fn of_object(api_version: &str, kind: &str) -> Option<Self> {
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        Self::ALL.into_iter().find(|one| {
            let resource = one.resource();
            resource.group == group && resource.kind == kind
        })
    }

    /// The name for people: `deployment`, `replica set`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::ReplicaSet => "replica set",
            Self::StatefulSet => "stateful set",
            Self::DaemonSet => "daemon set",
            Self::ControllerRevision => "controller revision",
            Self::Pod => "pod",
            Self::Service => "service",
            Self::Endpoints => "endpoints",
            Self::Event => "event",
            Self::ConfigMap => "config map",
            Self::Secret => "secret",
            Self::Namespace => "namespace",
            Self::Node => "node",
            Self::PersistentVolumeClaim => "volume claim",
            Self::ServiceAccount => "service account",
            Self::Job => "job",
            Self::CronJob => "cron job",
            Self::Lease => "lease",
            Self::Ingress => "ingress",
            Self::HorizontalPodAutoscaler => "autoscaler",
            Self::SelfSubjectAccessReview => "access review",
            Self::Role => "role",
            Self::RoleBinding => "role binding",
            Self::ClusterRole => "cluster role",
            Self::ClusterRoleBinding => "cluster role binding",
            Self::HttpRoute => "HTTP route",
            Self::ArgoRollout => "Argo rollout",
            Self::ArgoApplication => "Argo application",
            Self::FluxKustomization => "Flux kustomization",
            Self::FluxHelmRelease => "Flux Helm release",
        }
    }

    /// Where objects of this kind lie in `namespace`, and the one called `name` if there is one.
    pub(super) fn path(self, namespace: &str, name: Option<&str>) -> String {
        let Resource { group, version, plural, namespaced, .. } = self.resource();
        let api = match group {
            "" => format!("/api/{version}"),
            group => format!("/apis/{group}/{version}"),
        };
        let place = if namespaced { format!("/namespaces/{namespace}") } else { String::new() };
        let name = name.map_or_else(String::new, |name| format!("/{name}"));
        format!("{api}{place}/{plural}{name}")
    }
}

impl Resource {
    /// The group and version as objects name it: `apps/v1`, `v1`.
    pub fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }
}

const RIGHTS: &str = "rbac.authorization.k8s.io";

const fn of(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    kind: &'static str,
) -> Resource {
    Resource { group, version, plural, kind, namespaced: true }
}

const fn cluster(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    kind: &'static str,
) -> Resource {
    Resource { group, version, plural, kind, namespaced: false }
}

const fn apps(plural: &'static str, kind: &'static str) -> Resource {
    of("apps", "v1", plural, kind)
}

const fn core(plural: &'static str, kind: &'static str) -> Resource {
    of("", "v1", plural, kind)
}
