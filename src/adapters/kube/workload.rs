//! Deployments of a namespace as the colours of a program. A stopped one stays, without pods; how
//! many it had is kept at it, and nobody's number is guessed afterwards (W-51).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::adapters::{
    DeployOrder, Error, Kind as No, Release, Released, Worker, Workload, WorkloadState, fault,
};
use crate::clock::Clock;
use crate::model::ids::{Color, Digest};
use crate::text::SafeText;

use super::{Delete, Kind, Kube, Object, Patch, Right, Write};

/// How many replicas a stopped deployment had.
pub const REPLICAS: &str = "backout.io/replicas";
/// The key of our last change of an object.
pub const EFFECT: &str = "backout.io/effect";
/// The label that names the version of a program.
const VERSION: &str = "app.kubernetes.io/version";
/// The annotation with the number of a deployment's revision (W-48).
pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// How often is looked meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long pods may take beyond their grace: a kubelet that missed the end of one looks again once
/// a minute (its `syncFrequency`).
const GONE_LIMIT: Duration = Duration::from_mins(1);
/// How often a change is tried anew when somebody else changed the object meanwhile: its
/// controller does so whenever a pod becomes ready.
const TRIES: u32 = 8;

/// Which deployments are what.
#[derive(Clone, Debug, Default)]
pub struct KubeParts {
    /// The deployment of each colour.
    pub deployments: BTreeMap<Color, String>,
    /// The deployments of each colour that work behind the traffic.
    pub workers: BTreeMap<Color, Vec<String>>,
    /// What we must be allowed, beside the deployments.
    pub rights: Vec<Right>,
    /// Whether the only colour is a stateful set.
    pub stateful: bool,
}

/// The deployments of a program.
#[derive(Clone, Debug)]
pub struct KubeWorkload {
    pub(super) kube: Kube,
    parts: KubeParts,
    clock: Clock,
}

/// The version that an object runs: by its label, else the tag of its first image.
pub fn version_of(object: &Object, template: &str) -> SafeText {
    let labels = [format!("{template}/metadata/labels"), "/metadata/labels".to_owned()];
    let named = labels.iter().find_map(|at| object.texts(at).get(VERSION).copied());
    let image = object.text(&format!("{template}/spec/containers/0/image"));
    let tag = image.rsplit_once('@').map_or(image, |(name, _)| name);
    let tag = tag.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/'));
    SafeText::new(named.or(tag).unwrap_or("unknown"))
}

impl KubeWorkload {
    /// The deployments of `parts` where `kube` works.
    pub fn new(kube: Kube, parts: KubeParts, clock: Clock) -> Self {
        Self { kube, parts, clock }
    }

    fn name(&self, color: &Color) -> Result<&str, Error> {
        self.parts.deployments.get(color).map(String::as_str).ok_or_else(|| {
            let color = SafeText::new(color.as_str());
            Error::new(No::NotFound, format!("could not find the deployment of {color}"))
        })
    }

    fn worker_names(&self, color: &Color) -> impl Iterator<Item = &String> {
        self.parts.workers.get(color).into_iter().flatten()
    }

    /// The pods of a deployment that are not on their way out, and those that are.
    async fn pods(&self, deployment: &Object) -> Result<Vec<Object>, Error> {
        let Some(selector) = deployment.selector("/spec/selector") else {
            let name = SafeText::new(deployment.name());
            let message = format!(
                "could not find the pods of deployment {name}: its selector has expressions, which \
                 are not spoken"
            );
            return Err(Error::new(No::Rejected, message));
        };
        let pods = self.kube.list(Kind::Pod, &selector).await?;
        // What has ended keeps its object and does nothing.
        let ended = |pod: &Object| matches!(pod.text("/status/phase"), "Succeeded" | "Failed");
        Ok(pods.into_iter().filter(|pod| !ended(pod)).collect())
    }

    async fn runs(&self, deployment: &Object) -> Result<bool, Error> {
        if deployment.number("/spec/replicas").unwrap_or(1) > 0 {
            return Ok(true);
        }
        Ok(!self.pods(deployment).await?.is_empty())
    }

    /// Brings a deployment to what `change` makes of it; nothing to change is fine.
    async fn bring(
        &self,
        name: &str,
        change: impl Fn(&Object) -> Result<Option<Value>, Error> + Send + Sync,
    ) -> Result<Object, Error> {
        let mut tried = 0;
        loop {
            let now = self.kube.must_get(Kind::Deployment, name).await?;
            let Some(fields) = change(&now)? else { return Ok(now) };
            let patch = Patch::Merge(fields);
            tried += 1;
            match self.kube.patch(Kind::Deployment, name, &patch, Write::unchanged(&now)).await {
                Err(error) if error.kind == No::Conflict && tried < TRIES => {}
                done => return done,
            }
        }
    }

    async fn stop_deployment(
        &self,
        name: &str,
        grace: Duration,
        effect: &str,
    ) -> Result<SafeText, Error> {
        let stop = |now: &Object| {
            let replicas = now.number("/spec/replicas").unwrap_or(1);
            Ok((replicas > 0).then(|| {
                let kept = json!({REPLICAS: replicas.to_string(), EFFECT: effect});
                json!({"metadata": {"annotations": kept}, "spec": {"replicas": 0}})
            }))
        };
        let stopped = self.bring(name, stop).await?;
        fault::at_step("B5", effect);
        let begun = self.pods(&stopped).await?.len();
        if self.gone(&stopped, grace).await? {
            return Ok(SafeText::new(&format!("{begun} pods ended by themselves, replicas kept")));
        }
        let left = self.pods(&stopped).await?;
        for pod in &left {
            // A second's grace, not none: with none only the record of the pod would be gone.
            let kill = Delete { uid: Some(pod.uid()), grace: Some(1), ..Delete::default() };
            match self.kube.delete(Kind::Pod, pod.name(), kill).await {
                Err(error) if error.kind != No::Conflict => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        let killed = left.len();
        if self.gone(&stopped, GONE_LIMIT).await? {
            let grace = grace.as_secs_f64();
            return Ok(SafeText::new(&format!(
                "{killed} of {begun} pods killed after {grace:.0} s"
            )));
        }
        let left = self.pods(&stopped).await?;
        let nodes: Vec<&str> = left.iter().map(|pod| pod.text("/spec/nodeName")).collect();
        let message = format!(
            "could not stop deployment {name}: {} pods are still there; ask their nodes ({})",
            left.len(),
            SafeText::new(&nodes.join(", "))
        );
        Err(Error::new(No::TimedOut, message))
    }

    /// Whether all pods of a deployment go within `limit`.
    async fn gone(&self, deployment: &Object, limit: Duration) -> Result<bool, Error> {
        let wait = async {
            while !self.pods(deployment).await?.is_empty() {
                self.clock.sleep(LOOK_EVERY).await;
            }
            Ok::<(), Error>(())
        };
        match self.clock.timeout(limit, wait).await {
            Ok(done) => done.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    async fn start_deployment(&self, name: &str, effect: &str) -> Result<(), Error> {
        let start = |now: &Object| {
            if now.number("/spec/replicas").unwrap_or(1) > 0 {
                return Ok(None);
            }
            let Some(replicas) = recorded(now) else {
                let message = format!(
                    "could not start deployment {name}: nothing says how many replicas it had; \
                     scale it by hand ({} scale deployment {name} --replicas=N)",
                    self.kube.kubectl()
                );
                return Err(Error::new(No::Rejected, message));
            };
            let kept = json!({REPLICAS: null, EFFECT: effect});
            Ok(Some(json!({"metadata": {"annotations": kept}, "spec": {"replicas": replicas}})))
        };
        self.bring(name, start).await?;
        fault::at_step("B5", effect);
        Ok(())
    }

    fn scale_by_hand(&self, name: &str, start: bool) -> String {
        let kubectl = self.kube.kubectl();
        if !start {
            return format!("{kubectl} scale deployment {name} --replicas=0");
        }
        let at = REPLICAS.replace('.', "\\.");
        let had =
            format!("{kubectl} get deployment {name} -o jsonpath='{{.metadata.annotations.{at}}}'");
        format!("{kubectl} scale deployment {name} --replicas=\"$({had})\"")
    }

    async fn deployment(&self, color: &Color) -> Result<Option<Object>, Error> {
        self.kube.get(Kind::Deployment, self.name(color)?).await
    }
}

/// How many replicas a stopped deployment had.
fn recorded(deployment: &Object) -> Option<i64> {
    deployment.annotation(REPLICAS)?.parse().ok().filter(|replicas| *replicas > 0)
}

/// What a deployment would run: its template, by which it is that release and no other.
fn digest_of(deployment: &Object) -> Digest {
    Digest::of(deployment.at("/spec/template").to_string().as_bytes())
}

#[async_trait]
impl Workload for KubeWorkload {
    async fn identity(&self) -> Result<String, Error> {
        let cluster = self.kube.identity().await?;
        let mut uids = Vec::new();
        for name in self.parts.deployments.values() {
            let found = self.kube.get(Kind::Deployment, name).await?;
            uids.push(found.map_or_else(|| "-".to_owned(), |found| found.uid().to_owned()));
        }
        let digest = Digest::of(uids.join(" ").as_bytes());
        let namespace = self.kube.namespace();
        Ok(format!("kubernetes:{}/{namespace}@{}", cluster.uid, digest.short()))
    }

    async fn look(&self, color: &Color) -> Result<WorkloadState, Error> {
        let Some(found) = self.deployment(color).await? else {
            let (version, identity) = (SafeText::default(), "-".to_owned());
            return Ok(WorkloadState { running: false, kept: false, version, identity });
        };
        let revision = found.annotation(REVISION).unwrap_or("0");
        Ok(WorkloadState {
            running: self.runs(&found).await?,
            kept: true,
            version: version_of(&found, "/spec/template"),
            identity: format!("{}:{revision}", found.uid()),
        })
    }

    async fn stop(&self, color: &Color, grace: Duration, effect: &str) -> Result<SafeText, Error> {
        self.stop_deployment(self.name(color)?, grace, effect).await
    }

    async fn start(&self, color: &Color, effect: &str) -> Result<(), Error> {
        self.start_deployment(self.name(color)?, effect).await
    }

    async fn preserve(&self, color: &Color, dir: &Path) -> Result<Vec<String>, Error> {
        let name = self.name(color)?;
        let kind = if self.parts.stateful { Kind::StatefulSet } else { Kind::Deployment };
        let found = self.kube.must_get(kind, name).await?;
        self.keep_traces(&found, dir).await
    }

    fn by_hand(&self, color: &Color, start: bool) -> String {
        match self.name(color) {
            Ok(name) => self.scale_by_hand(name, start),
            Err(error) => format!("# {error}"),
        }
    }

    async fn workers(&self, color: &Color) -> Result<Vec<Worker>, Error> {
        let mut workers = Vec::new();
        for name in self.worker_names(color) {
            let running = match self.kube.get(Kind::Deployment, name).await? {
                Some(found) => self.runs(&found).await?,
                None => false,
            };
            workers.push(Worker { name: name.clone(), running });
        }
        Ok(workers)
    }

    async fn stop_workers(
        &self,
        color: &Color,
        grace: Duration,
        effect: &str,
    ) -> Result<SafeText, Error> {
        let mut notes = Vec::new();
        for name in self.worker_names(color) {
            if self.kube.get(Kind::Deployment, name).await?.is_some() {
                let note = self.stop_deployment(name, grace, effect).await?;
                notes.push(format!("{name}: {note}"));
            }
        }
        Ok(SafeText::new(&notes.join(", ")))
    }

    async fn start_workers(&self, color: &Color, effect: &str) -> Result<(), Error> {
        for name in self.worker_names(color) {
            self.start_deployment(name, effect).await?;
        }
        Ok(())
    }

    fn workers_by_hand(&self, color: &Color, start: bool) -> Vec<String> {
        self.worker_names(color).map(|name| self.scale_by_hand(name, start)).collect()
    }

    async fn repositories(&self) -> Vec<String> {
        let mut all = Vec::new();
        for color in self.parts.deployments.keys() {
            let Ok(Some(found)) = self.deployment(color).await else { continue };
            let image = found.text("/spec/template/spec/containers/0/image");
            let image = image.rsplit_once('@').map_or(image, |(name, _)| name);
            let name = image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
            all.push(name.map_or(image, |(name, _)| name).to_owned());
        }
        all.sort();
        all.dedup();
        all
    }

    /// What lies on the colours: a stopped one with its replicas on record can be started again.
    async fn releases(&self) -> Result<Vec<Release>, Error> {
        let mut releases = Vec::new();
        for color in self.parts.deployments.keys() {
            let Some(found) = self.deployment(color).await? else { continue };
            let stopped = found.number("/spec/replicas") == Some(0);
            let broken = (stopped && recorded(&found).is_none()).then(|| {
                let name = found.name();
                SafeText::new(&format!("nothing says how many replicas deployment {name} had"))
            });
            let version = version_of(&found, "/spec/template");
            releases.push(Release { version, digest: digest_of(&found), schema: None, broken });
        }
        Ok(releases)
    }

    async fn released(&self, color: &Color) -> Result<Released, Error> {
        let Some(found) = self.deployment(color).await? else { return Ok(Released::default()) };
        Ok(Released {
            version: version_of(&found, "/spec/template"),
            digest: Some(digest_of(&found)),
            since: None,
        })
    }

    /// Starts what lies on a colour, if that is what was ordered; another template is not laid here.
    async fn deploy(&self, order: &DeployOrder) -> Result<SafeText, Error> {
        let name = self.name(&order.color)?;
        let found = self.kube.must_get(Kind::Deployment, name).await?;
        if digest_of(&found) != order.digest {
            let message = format!(
                "could not start {} on {}: deployment {name} holds {}; undo its rollout to a \
                 revision instead",
                order.version,
                order.color,
                version_of(&found, "/spec/template")
            );
            return Err(Error::new(No::Rejected, message));
        }
        if order.runs {
            self.start_deployment(name, &order.effect).await?;
            return Ok(SafeText::new(&format!("deployment {name} has its replicas again")));
        }
        self.stop_deployment(name, order.grace, &order.effect).await
    }

    async fn missing_rights(&self) -> Result<Vec<SafeText>, Error> {
        super::rights::missing(&self.kube, &self.parts.rights).await
    }
}
