//! A Kubernetes cluster as the platform, and its service as what moves traffic.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::adapters::cluster::{Canary, WorkloadName};
use crate::adapters::kube::KubeSettings;
use crate::checks::kubernetes::{self, Which};
use crate::model::ids::Color;

use super::environment::Environment;
use super::kinds::thresholds_facing;
use super::site_target;
use super::take::{Item, Table};
use super::{ColorAddress, Platform, Traffic};

/// The name of the lock object unless the configuration says otherwise.
const LOCK: &str = "backout";
/// The label that tells colours apart unless the configuration says otherwise (M-08).
const SELECTOR: &str = "version";

/// A namespace of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeNamespace {
    /// Which cluster, as whom, and the namespace.
    pub settings: KubeSettings,
    /// The name of the Lease that keeps others away.
    pub lock: String,
    /// The one workload that it is about, where there are no colours: level 1 is then an undo of
    /// its rollout (M-06).
    pub workload: Option<KubeOne>,
}

/// One workload behind one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeOne {
    /// `deployment/web`.
    pub name: WorkloadName,
    /// Where users come in: a rollout is good when requests say so, not by its status alone.
    pub public_url: String,
    /// A second version that gets a part of the traffic now and then (M-09).
    pub canary: Option<KubeCanary>,
}

/// A second version beside the workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeCanary {
    /// Its own deployment; an Argo rollout has none.
    pub deployment: Option<String>,
    /// What gives it its part of the traffic.
    pub by: Canary,
}

/// A service whose selector says which colour users reach (M-08).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeService {
    /// Its name, such as `shop-active`.
    pub name: String,
    /// The label in its selector whose value is the colour.
    pub selector_key: String,
    /// Where users come in.
    pub public_url: String,
    /// Whether both colours serve for a moment while it moves, so that no request meets a gap.
    pub overlap: bool,
}

/// `platform: {kubernetes: {namespace: NAME, kubeconfig: …, context: …, lock: …}}`.
pub(super) fn platform(mut table: Table<'_>) -> Option<KubeNamespace> {
    let namespace = table.need("namespace").and_then(|item| label(&item));
    let kubeconfig = table.path("kubeconfig");
    let context = table.take("context").and_then(|item| item.text());
    let lock = table.take("lock").and_then(|item| label(&item));
    let workload = workload(&mut table);
    let kubeconfig = kubeconfig.or_else(|| known(table.desk.environment));
    table.finish();
    let settings = KubeSettings { kubeconfig, context, namespace: namespace? };
    Some(KubeNamespace { settings, lock: lock.unwrap_or_else(|| LOCK.to_owned()), workload })
}

/// `deployment: web`, `stateful_set: db` or `rollout: web`, with `public_url: …` and `canary: …`.
fn workload(table: &mut Table<'_>) -> Option<KubeOne> {
    let of = |key: &str, name: String| match key {
        "deployment" => WorkloadName::Deployment(name),
        "stateful_set" => WorkloadName::StatefulSet(name),
        _ => WorkloadName::Rollout(name),
    };
    let mut name = None;
    for key in ["deployment", "stateful_set", "rollout"] {
        let Some(item) = table.take(key) else { continue };
        if name.is_some() {
            item.wrong_with("stands beside another workload", "a rollback is about one of them");
        }
        name = name.or_else(|| label(&item).map(|name| of(key, name)));
    }
    let canary = table.table("canary").and_then(canary);
    let name = name?;
    let public_url = super::target::url(table, "public_url")?;
    let canary = canary.or_else(|| match &name {
        WorkloadName::Rollout(rollout) => {
            let by = Canary::Rollout { rollout: rollout.clone() };
            Some(KubeCanary { deployment: None, by })
        }
        WorkloadName::Deployment(_) | WorkloadName::StatefulSet(_) => None,
    });
    Some(KubeOne { name, public_url, canary })
}

/// `{deployment: web-canary}`, with `ingress: NAME` where ingress-nginx gives it its part, with
/// `route: NAME, service: NAME` where a Gateway does.
fn canary(mut table: Table<'_>) -> Option<KubeCanary> {
    let deployment = table.need("deployment").and_then(|item| label(&item));
    let ingress = table.take("ingress").and_then(|item| label(&item));
    let route = table.take("route").and_then(|item| label(&item));
    let service = table.take("service").and_then(|item| label(&item));
    let (desk, at, path) = (table.desk, table.at, table.path.clone());
    table.finish();
    let deployment = deployment?;
    let by = match (ingress, route, service) {
        (None, None, None) => Canary::Replicas { deployment: deployment.clone() },
        (Some(ingress), None, None) => Canary::Ingress { ingress },
        (None, Some(route), Some(service)) => Canary::Route { route, service },
        (_, _, _) => {
            let hint = "ingress: NAME alone, or route: NAME with service: NAME of the canary, or \
                        neither where its pods are behind the same service";
            desk.problem(at, &path, "does not say what gives it its part", Some(hint.to_owned()));
            return None;
        }
    };
    Some(KubeCanary { deployment: Some(deployment), by })
}

/// One workload is its own only side, so is a frontend, and nothing moves its traffic.
pub(super) fn only_side(
    root: &Table<'_>,
    platform: &Platform,
    (traffic, colors): (Option<Traffic>, BTreeMap<Color, ColorAddress>),
) -> (Option<Traffic>, BTreeMap<Color, ColorAddress>) {
    let (path, own) = match platform {
        Platform::Kubernetes(KubeNamespace { workload: Some(one), .. }) => {
            ("platform.kubernetes.deployment", only_workload(one))
        }
        Platform::Frontend(site) => ("platform.frontend", site_target::only_side(site)),
        Platform::None
        | Platform::Local { .. }
        | Platform::Compose(_)
        | Platform::Kubernetes(KubeNamespace { workload: None, .. }) => return (traffic, colors),
    };
    if traffic.is_some() || !colors.is_empty() {
        let hint = format!("leave out {path}, or colors and traffic");
        let message = "stands beside colors or traffic, which say the same in another way";
        root.desk.problem(root.at, path, message, Some(hint));
        return (traffic, colors);
    }
    (Some(own.0), own.1)
}

fn only_workload(one: &KubeOne) -> (Traffic, BTreeMap<Color, ColorAddress>) {
    let address = ColorAddress {
        url: one.public_url.clone(),
        service: None,
        deployment: Some(one.name.name().to_owned()),
        workers: Vec::new(),
    };
    let traffic = Traffic::Fixed { public_url: one.public_url.clone() };
    (traffic, [(Color(one.name.name().to_owned()), address)].into())
}

/// The file that `kubectl` would take: the first of `KUBECONFIG`, else the one at home. Without
/// one, what a pod is given by its cluster.
pub fn known(environment: &Environment) -> Option<PathBuf> {
    let named =
        environment.get("KUBECONFIG").and_then(|all| all.split(':').find(|one| !one.is_empty()));
    let home =
        || environment.home().map(|home| home.join(".kube/config")).filter(|at| at.is_file());
    named.map(PathBuf::from).or_else(home)
}

/// `traffic: {service: {name: …, selector_key: version, public_url: …, overlap: true}}`.
pub(super) fn service(mut table: Table<'_>) -> Option<KubeService> {
    let name = table.need("name").and_then(|item| label(&item));
    let selector_key = table.take("selector_key").and_then(|item| key(&item));
    let public_url = super::target::url(&mut table, "public_url");
    let overlap = table.truth("overlap").unwrap_or(true);
    table.finish();
    Some(KubeService {
        name: name?,
        selector_key: selector_key.unwrap_or_else(|| SELECTOR.to_owned()),
        public_url: public_url?,
        overlap,
    })
}

/// The settings of a check: `deployment`, `stateful_set` or `endpoints`, and where they are unless
/// that is the platform's namespace.
pub(super) fn check(
    table: &mut Table<'_>,
    platform: Option<&KubeNamespace>,
) -> Option<kubernetes::Settings> {
    let kubeconfig = table.path("kubeconfig");
    let context = table.take("context").and_then(|item| item.text());
    let namespace = table.take("namespace").and_then(|item| label(&item));
    let thresholds = thresholds_facing(table, true);
    let kinds = ["deployment", "stateful_set", "endpoints"];
    let Some(key) = kinds.into_iter().find(|key| table.has(key)) else {
        let hint = "add deployment:, stateful_set: or endpoints: with the name of one".to_owned();
        table.desk.problem(table.at, &table.path, "names nothing in the cluster", Some(hint));
        return None;
    };
    let name = table.take(key).and_then(|item| label(&item))?;
    let mut cluster = platform.map(|at| at.settings.clone()).unwrap_or_default();
    if let Some(file) = kubeconfig {
        (cluster.kubeconfig, cluster.context) = (Some(file), None);
    } else if platform.is_none() {
        cluster.kubeconfig = known(table.desk.environment);
    }
    cluster.context = context.or(cluster.context);
    let Some(namespace) = namespace.or_else(|| platform.map(|at| at.settings.namespace.clone()))
    else {
        let hint = "add namespace: NAME, or platform: {kubernetes: {namespace: NAME}}".to_owned();
        table.desk.problem(table.at, &table.path, "names no namespace", Some(hint));
        return None;
    };
    cluster.namespace = namespace;
    let which = match key {
        "deployment" => Which::Deployment(name),
        "stateful_set" => Which::StatefulSet(name),
        _ => Which::Endpoints(name),
    };
    Some(kubernetes::Settings { cluster, which, thresholds })
}

/// A name as clusters take it: of an object or a namespace.
pub(super) fn label(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let good = text.len() <= 253
        && text.starts_with(edge)
        && text.ends_with(edge)
        && text.chars().all(|c| edge(c) || c == '-' || c == '.');
    if !good {
        let hint = "use small letters, digits, - and ., as kubectl get shows it";
        item.wrong_with(&format!("{text:?} is not a name in a cluster"), hint);
    }
    good.then_some(text)
}

/// The key of a label, such as `version` or `shop.io/color`.
fn key(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    let good = text.len() <= 317
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.matches('/').count() <= 1
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    if !good {
        item.wrong_with(&format!("{text:?} is not the key of a label"), "such as version");
    }
    good.then_some(text)
}
