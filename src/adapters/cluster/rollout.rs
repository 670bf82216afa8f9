//! Rollouts: what a workload runs, which revisions of it are kept, how far a change is, and going
//! back to a kept template. Only the template moves: replicas belong to whoever scales.

use std::time::Duration;

use serde_json::{Value, json};

use crate::adapters::kube::{Kind, Object, Patch, Write};
use crate::adapters::{Error, Kind as No};
use crate::clock::Clock;
use crate::model::ids::{Digest, Time};
use crate::text::SafeText;

use super::template::plain;
use super::{Cluster, WorkloadName, digest, images, items, text, there, versions};

/// Why a revision was made, as people and tools note it.
const CAUSE: &str = "kubernetes.io/change-cause";
/// The numbers that controllers give a revision: of a deployment, of an Argo rollout.
const NUMBERS: [&str; 2] = ["deployment.kubernetes.io/revision", "rollout.argoproj.io/revision"];
/// How often a change that came too late is made anew: controllers write the status all the time.
const TRIES: u32 = 20;

/// A workload and the templates that are kept of it.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// Which.
    pub name: WorkloadName,
    /// The object, as it was read.
    pub object: Object,
    /// The digest of its template.
    pub digest: Digest,
    /// What is kept, newest first.
    pub revisions: Vec<Revision>,
}

/// A kept template.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// Its number; a template that is used again gets a new one.
    pub number: i64,
    /// The replica set or controller revision that keeps it.
    pub name: String,
    /// When it was first made.
    pub made_at: Option<Time>,
    /// The template, without what its controller added.
    pub template: Value,
    /// The digest of the template.
    pub digest: Digest,
    /// How many pods of it are ready now; not told for a stateful set.
    pub ready: i64,
    /// Why it was made, where somebody noted it.
    pub cause: SafeText,
}

impl Revision {
    /// The version it stands for: its images' tags.
    pub fn version(&self) -> SafeText {
        versions(&self.template)
    }

    /// `revision 3, app:v2.4.9, 2 h old, 1 pod of it ready`.
    pub fn words(&self, now: Time) -> String {
        let images: Vec<String> = images(&self.template).iter().map(ToString::to_string).collect();
        let mut words = format!("revision {}, {}", self.number, images.join(" "));
        if let Some(made_at) = self.made_at {
            words = format!("{words}, {} old", age((now - made_at).to_std().unwrap_or_default()));
        }
        if self.ready > 0 {
            words = format!("{words}, {} ready now", self.ready);
        }
        words
    }
}

fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86400),
    }
}

/// How far a change of a template is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Every pod is of the new template and available, and none of an old one is left.
    Done(String),
    /// Not yet; what is missing.
    Going(String),
    /// Its controller has given it up.
    Failed(String),
}

impl Rollout {
    /// Looks at the workload and its revisions.
    pub async fn look(cluster: &dyn Cluster, name: &WorkloadName) -> Result<Self, Error> {
        let object = there(cluster, &name.object()).await?;
        let labels = object.selector("/spec/selector").unwrap_or_default();
        let kind = match name {
            WorkloadName::Deployment(_) | WorkloadName::Rollout(_) => Kind::ReplicaSet,
            WorkloadName::StatefulSet(_) => Kind::ControllerRevision,
        };
        let kept = cluster.list(kind, &labels).await?;
        let own = kept.iter().filter(|one| one.controller() == Some(object.uid()));
        let mut revisions: Vec<Revision> = own.map(revision).collect();
        revisions.sort_by_key(|one| std::cmp::Reverse(one.number));
        let digest = digest(object.at("/spec/template"));
        Ok(Self { name: name.clone(), object, digest, revisions })
    }

    /// The revision that it runs, where it has been made already.
    pub fn current(&self) -> Option<&Revision> {
        self.revisions.iter().find(|one| one.digest == self.digest)
    }

    /// The kept templates that it does not run, newest first.
    pub fn others(&self) -> impl Iterator<Item = &Revision> {
        self.revisions.iter().filter(|one| one.digest != self.digest)
    }

    /// The version that it runs.
    pub fn version(&self) -> SafeText {
        versions(self.object.at("/spec/template"))
    }

    /// Whether somebody paused it: then a new template changes no pod.
    pub fn is_paused(&self) -> bool {
        self.object.at("/spec/paused").as_bool().unwrap_or(false)
    }
}

fn revision(kept: &Object) -> Revision {
    let (template, number) = if let Some(number) = kept.number("/revision") {
        (kept.at("/data/spec/template"), number)
    } else {
        let number = NUMBERS.iter().find_map(|note| kept.annotation(note)?.parse().ok());
        (kept.at("/spec/template"), number.unwrap_or_default())
    };
    Revision {
        number,
        name: kept.name().to_owned(),
        made_at: kept.made_at(),
        digest: digest(template),
        template: plain(template),
        ready: kept.number("/status/readyReplicas").unwrap_or_default(),
        cause: SafeText::new(kept.annotation(CAUSE).unwrap_or_default()),
    }
}

impl Progress {
    /// How far the workload is, by its own status.
    pub fn of(object: &Object) -> Self {
        let count = |name: &str| object.number(&format!("/status/{name}")).unwrap_or_default();
        let wanted = object.number("/spec/replicas").unwrap_or(1);
        if object.value().pointer("/spec/strategy/canary").is_some()
            || object.value().pointer("/spec/strategy/blueGreen").is_some()
        {
            return of_argo(object);
        }
        if count("observedGeneration") < object.generation() {
            return Self::Going("its controller has not seen the change yet".to_owned());
        }
        if object.value().pointer("/spec/serviceName").is_some() {
            return of_stateful_set(object, wanted);
        }
        let condition = object.condition("Progressing");
        if let Some((_, "ProgressDeadlineExceeded", why)) = condition {
            return Self::Failed(format!("its time to progress is over: {}", SafeText::new(why)));
        }
        let (updated, total) = (count("updatedReplicas"), count("replicas"));
        let available = count("availableReplicas");
        if updated < wanted {
            return Self::Going(format!("{updated} of {wanted} pods are new"));
        }
        if total > updated {
            return Self::Going(format!("{} old pods still end", total - updated));
        }
        if available < updated {
            return Self::Going(format!("{available} of {updated} new pods are available"));
        }
        Self::Done(format!("{available} of {wanted} pods are new and available"))
    }
}

/// How far an Argo rollout is, in its controller's words.
fn of_argo(object: &Object) -> Progress {
    // This controller writes the number as text.
    let seen = object.text("/status/observedGeneration").parse().unwrap_or(0);
    if seen < object.generation() {
        return Progress::Going("its controller has not seen the change yet".to_owned());
    }
    let message = SafeText::new(object.text("/status/message"));
    let available = object.number("/status/availableReplicas").unwrap_or_default();
    match object.text("/status/phase") {
        "Healthy" => Progress::Done(format!("{available} pods are available, it is healthy")),
        "Degraded" => Progress::Failed(format!("its controller calls it degraded: {message}")),
        phase => Progress::Going(format!("{} {message}", SafeText::new(phase))),
    }
}

fn of_stateful_set(object: &Object, wanted: i64) -> Progress {
    let count = |name: &str| object.number(&format!("/status/{name}")).unwrap_or_default();
    if object.text("/spec/updateStrategy/type") == "OnDelete" {
        return Progress::Failed(
            "its pods change only when somebody deletes them (OnDelete)".into(),
        );
    }
    let partition = object.number("/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    let (updated, ready) = (count("updatedReplicas"), count("readyReplicas"));
    if ready < wanted {
        return Progress::Going(format!("{ready} of {wanted} pods are ready"));
    }
    let same = object.text("/status/updateRevision") == object.text("/status/currentRevision");
    if !same && (partition == 0 || updated < wanted - partition) {
        return Progress::Going(format!("{updated} of {} pods are new", wanted - partition));
    }
    Progress::Done(format!("{ready} of {wanted} pods are ready"))
}

/// Who wrote the template last, and when: the field manager by the server's own record.
pub(super) fn writer(object: &Object) -> Option<(SafeText, Option<Time>)> {
    let wrote = items(object.value(), "/metadata/managedFields")
        .filter(|one| one.pointer("/fieldsV1/f:spec/f:template").is_some())
        .map(|one| (super::moment(text(one, "/time")), SafeText::new(text(one, "/manager"))));
    wrote.max_by_key(|(at, _)| *at).map(|(at, manager)| (manager, at))
}

impl Rollout {
    /// Who wrote the template last: `kubectl-client-side-apply at 12:03:11Z`.
    pub fn writer_words(object: &Object) -> String {
        match writer(object) {
            None => "somebody".to_owned(),
            Some((manager, None)) => manager.to_string(),
            Some((manager, Some(at))) => format!("{manager} at {}", at.format("%H:%M:%SZ")),
        }
    }
}

/// Puts the kept template `to` in the place of `from`. Whatever else is there is refused: somebody
/// changed it after the plan was made. Each try is bound to the version that was looked at.
pub async fn put_template(
    cluster: &dyn Cluster,
    name: &WorkloadName,
    (from, to): (&Digest, &Digest),
    clock: &Clock,
) -> Result<SafeText, Error> {
    let no = |why: String| {
        let place = cluster.namespace();
        Error::new(No::Rejected, format!("could not undo {name} in {place}: {why}"))
    };
    for _ in 0..TRIES {
        let seen = Rollout::look(cluster, name).await?;
        if &seen.digest == to {
            return Ok(SafeText::new(&format!("{name} had that template already")));
        }
        if &seen.digest != from {
            return Err(no(format!(
                "its template is neither the one to leave nor the one to go to: {} put {} there; \
                 make a new plan",
                Rollout::writer_words(&seen.object),
                seen.version()
            )));
        }
        if seen.is_paused() {
            return Err(no(paused(cluster, name)));
        }
        let Some(revision) = seen.revisions.iter().find(|one| &one.digest == to) else {
            return Err(no("the revision to go to is not kept any more; make a new plan".into()));
        };
        let patch = Patch::Json(operations(&seen.object, revision));
        match cluster.patch(&name.object(), &patch, Write::unchanged(&seen.object)).await {
            Ok(after) if digest(after.at("/spec/template")) != *to => {
                return Err(no(
                    "the server made another template of it; look at its webhooks".into()
                ));
            }
            Ok(_) => {
                let words =
                    format!("{name} goes to revision {} ({})", revision.number, revision.version());
                return Ok(SafeText::new(&words));
            }
            // Most often its own controller wrote the status: look again, and try again.
            Err(error) if error.kind == No::Conflict => {
                clock.sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(error),
        }
    }
    Err(no(format!("it was changed by others {TRIES} times in a row")))
}

/// What to say of a paused workload.
pub(super) fn paused(cluster: &dyn Cluster, name: &WorkloadName) -> String {
    let kubectl = cluster.kubectl();
    let line = name.rollout_by_hand(&kubectl, "resume");
    format!("it is paused, no pod would change; resume it first ({line})")
}

fn operations(object: &Object, revision: &Revision) -> Vec<Value> {
    let mut all =
        vec![json!({"op": "replace", "path": "/spec/template", "value": revision.template})];
    // The note of why must not go on naming the change that is left.
    let cause = if revision.cause.is_empty() {
        format!("back to revision {} by backout", revision.number)
    } else {
        revision.cause.to_string()
    };
    let noted = object.annotation(CAUSE).is_some();
    if noted || !revision.cause.is_empty() {
        all.push(json!({
            "op": if noted { "replace" } else { "add" },
            "path": "/metadata/annotations/kubernetes.io~1change-cause",
            "value": cause,
        }));
    }
    if object.value().pointer("/metadata/annotations").is_none() {
        all.retain(|one| one.get("path") == Some(&json!("/spec/template")));
    }
    all
}

/// Deletes the pods of a stateful set that stand in the way of its template: of another revision,
/// not ready, not on their way out (its controller waits for them for ever). Their names.
pub async fn release_stuck(
    cluster: &dyn Cluster,
    name: &WorkloadName,
) -> Result<Vec<String>, Error> {
    let WorkloadName::StatefulSet(_) = name else { return Ok(Vec::new()) };
    let mut deleted = Vec::new();
    for pod in stuck(cluster, name).await? {
        let object = super::ObjectName::new(Kind::Pod, pod.name());
        if cluster.delete(&object, Some(pod.uid())).await? {
            deleted.push(pod.name().to_owned());
        }
    }
    Ok(deleted)
}

/// See [`release_stuck`].
pub(super) async fn stuck(
    cluster: &dyn Cluster,
    name: &WorkloadName,
) -> Result<Vec<Object>, Error> {
    let object = there(cluster, &name.object()).await?;
    let seen = object.number("/status/observedGeneration").unwrap_or_default();
    if seen < object.generation() {
        let message = format!(
            "could not look at the pods of {name}: its controller has not seen the change yet"
        );
        return Err(Error::new(No::TimedOut, message));
    }
    let revision = object.text("/status/updateRevision").to_owned();
    let pods = super::pods_of(cluster, &object).await?;
    let stands = |pod: &Object| {
        let other = pod.labels().get("controller-revision-hash").copied() != Some(&*revision);
        let ready = pod.condition("Ready").is_some_and(|(status, ..)| status == "True");
        other && !ready && !pod.is_going()
    };
    Ok(pods.into_iter().filter(stands).collect())
}
