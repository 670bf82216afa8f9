//! Waits until every pod of a workload is of its template, and users get answers (M-06). Its
//! own status is only half of it: requests through the service are the other half.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::cluster::{self, Cluster, Progress, Rollout, WorkloadName};
use crate::adapters::kube::Object;
use crate::adapters::{Error, Kind, control, fault};
use crate::model::entry::Standing;
use crate::model::ids::Digest;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::in_cluster::in_cluster;
use super::seen::join;
use super::{LookCx, Step, StepCx, ended_now, proof};

/// Time between two looks, where no change of the object is told before.
const EVERY: Duration = Duration::from_millis(500);
/// Rest before answers that were not good are asked for again.
const AGAIN: Duration = Duration::from_millis(50);
/// How long one request may take.
const ANSWER: Duration = Duration::from_secs(5);
/// A controller that gave the last change up may not have seen this one yet.
const GIVEN_UP: u32 = 12;
/// How many looks pass until pods that stand in the way are looked for again.
const STUCK_EVERY: u32 = 4;

/// Every pod of `workload` is of its template, which is `to`, and the public address answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitRollout {
    /// `deployment/web`.
    pub workload: WorkloadName,
    /// The digest of the template; without one, whatever template it has (M-14).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Digest>,
    /// When to give up, in seconds (M-06: 600).
    #[serde(default = "ten_minutes")]
    pub within_seconds: u64,
    /// What is asked through the service.
    #[serde(default = "health")]
    pub path: String,
    /// Good answers in a row; 0 asks nothing.
    #[serde(default = "three")]
    pub answers: u32,
}

fn ten_minutes() -> u64 {
    600
}

fn health() -> String {
    "/health".to_owned()
}

fn three() -> u32 {
    3
}

/// What is wrong with a workload whose template is not the wanted one.
pub(super) fn reverted(workload: &WorkloadName, object: &Object) -> Error {
    let by = Rollout::writer_words(object);
    let version = cluster::versions(object.at("/spec/template"));
    let message = format!(
        "{workload} was reverted by {by}: it has the template of {version} again; freeze who does \
         that, then make a new plan"
    );
    Error::new(Kind::Rejected, message)
}

/// Waits until the object is told to have changed, or for the next look.
async fn until_changed(
    cx: &StepCx,
    cluster: &dyn Cluster,
    (workload, object): (&WorkloadName, &Object),
) -> Result<(), Error> {
    let name = workload.object();
    tokio::select! {
        rested = cx.wait(EVERY) => rested,
        () = cluster.changed(&name, object) => Ok(()),
    }
}

impl WaitRollout {
    /// One look: done, or what is missing. An error is final.
    async fn look(&self, cluster: &dyn Cluster) -> Result<Result<Object, Error>, Error> {
        let object = match cluster.get(&self.workload.object()).await {
            Ok(Some(object)) => object,
            Ok(None) => {
                let message = format!("could not find {}: it is gone", self.workload);
                return Err(Error::new(Kind::NotFound, message));
            }
            Err(error) => return Ok(Err(error)),
        };
        let digest = cluster::digest(object.at("/spec/template"));
        if self.to.as_ref().is_some_and(|to| *to != digest) {
            return Err(reverted(&self.workload, &object));
        }
        Ok(Ok(object))
    }

    async fn answers(&self, cx: &LookCx) -> Result<String, Error> {
        let url = join(&cx.public_url, &self.path);
        let mut said = String::new();
        for _ in 0..self.answers {
            let reply = control::get(&url, ANSWER, &cx.clock).await?;
            if !reply.is_success() {
                let message = format!("could not see it serve: {url} answers {}", reply.status);
                return Err(Error::new(Kind::Rejected, message));
            }
            let version =
                reply.json().and_then(|body| Some(body.get("version")?.as_str()?.to_owned()));
            said = version.map(|version| format!(", says {version}")).unwrap_or_default();
        }
        Ok(if self.answers == 0 {
            "not asked through the service".to_owned()
        } else {
            format!("{} of {} requests answered{said}", self.answers, self.answers)
        })
    }

    async fn until_there(&self, cx: &StepCx, last: &mut String) -> Result<SafeText, Error> {
        let cluster = in_cluster(&cx.look)?;
        let mut given_up = 0;
        let mut looks = 0_u32;
        loop {
            if *cx.cancel.borrow() {
                return Err(ended_now());
            }
            looks += 1;
            let (object, progress) = match self.look(cluster).await? {
                Ok(object) => (Some(object.clone()), Progress::of(&object)),
                Err(error) => (None, Progress::Going(error.message)),
            };
            let there = matches!(progress, Progress::Done(_));
            fault::at_step("B5", cx.step.as_str());
            match progress {
                Progress::Done(pods) => match self.answers(&cx.look).await {
                    Ok(said) => return Ok(SafeText::new(&format!("{pods}; {said}"))),
                    Err(error) => *last = format!("{pods}; {}", error.message),
                },
                Progress::Failed(why) => {
                    given_up += 1;
                    *last = why;
                    if given_up >= GIVEN_UP {
                        return Err(Error::new(Kind::Rejected, self.no(cluster, last).await));
                    }
                }
                Progress::Going(why) => {
                    given_up = 0;
                    *last = why;
                }
            }
            cx.tell(last, None);
            if looks.is_multiple_of(STUCK_EVERY) {
                self.release(cx, cluster).await;
            }
            match object.filter(|_| !there) {
                Some(object) => until_changed(cx, cluster, (&self.workload, &object)).await?,
                None => cx.wait(if there { AGAIN } else { EVERY }).await?,
            }
        }
    }

    /// The controller of a stateful set waits for ever for a pod of the template that is left.
    async fn release(&self, cx: &StepCx, cluster: &dyn Cluster) {
        if let Ok(deleted) = cluster::release_stuck(cluster, &self.workload).await
            && !deleted.is_empty()
        {
            cx.tell(&format!("deleted {}, which stood in the way", deleted.join(", ")), None);
        }
    }

    async fn no(&self, cluster: &dyn Cluster, why: &str) -> String {
        let mut message = format!("could not see {} through: {why}", self.workload);
        let Ok(seen) = Rollout::look(cluster, &self.workload).await else { return message };
        let troubles = cluster::troubles(cluster, &seen).await.unwrap_or_default();
        if let Some(trouble) = troubles.first() {
            message = format!("{message}; {}", trouble.words());
        }
        message
    }
}

#[async_trait]
impl Step for WaitRollout {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("wait until all pods of {} are new and answer", self.workload))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        match self.workload {
            WorkloadName::Deployment(_) | WorkloadName::Rollout(_) => Hazard::Looks,
            // Pods that stand in the way are deleted; their controller makes them anew.
            WorkloadName::StatefulSet(_) => Hazard::Reversible,
        }
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let Some(cluster) = &cx.cluster else { return Vec::new() };
        let (kubectl, within) = (cluster.kubectl(), self.within_seconds);
        let wait = self.workload.rollout_by_hand(&kubectl, "status");
        let wait = format!("{wait} --timeout={within}s");
        let ask = format!("curl -sS --fail {}", join(&cx.public_url, &self.path));
        vec![SafeText::new(&wait), SafeText::new(&ask)]
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        let object = match in_cluster(cx) {
            Ok(cluster) => cluster::there(cluster, &self.workload.object()).await,
            Err(error) => Err(error),
        };
        match object.map(|object| Progress::of(&object)) {
            Ok(Progress::Done(why) | Progress::Going(why) | Progress::Failed(why)) => {
                SafeText::new(&format!("now: {why}; at most {} s", self.within_seconds))
            }
            Err(error) => SafeText::new(&error.message),
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        if !proof::is_there(&cx.slot) {
            return Standing::NotDone;
        }
        let cluster = match in_cluster(cx) {
            Ok(cluster) => cluster,
            Err(error) => return Standing::CannotTell(SafeText::new(&error.message)),
        };
        match self.look(cluster).await {
            Ok(Ok(object)) => match Progress::of(&object) {
                Progress::Done(_) => Standing::Done,
                Progress::Going(why) | Progress::Failed(why) => {
                    Standing::Partly(SafeText::new(&why))
                }
            },
            Ok(Err(error)) => Standing::CannotTell(SafeText::new(&error.message)),
            Err(error) => Standing::Partly(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let within = Duration::from_secs(self.within_seconds);
        let mut last = String::new();
        let waited = cx.look.clock.timeout(within, self.until_there(cx, &mut last)).await;
        let Ok(seen) = waited else {
            let cluster = in_cluster(&cx.look)?;
            let why = format!("not within {} s: {last}", within.as_secs());
            return Err(Error::new(Kind::TimedOut, self.no(cluster, &why).await));
        };
        let said = seen?;
        proof::leave(&cx.look.slot)?;
        Ok(said)
    }
}
