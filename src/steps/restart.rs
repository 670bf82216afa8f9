//! Starts the pods of a workload anew, one after the other as its own rules say: what reads its
//! settings only at the start sees a changed flag then (M-03).

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::adapters::cluster::{self, Progress, WorkloadName};
use crate::adapters::kube::{Patch, Write};
use crate::adapters::{Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::in_cluster::in_cluster;
use super::{LookCx, Step, StepCx, ended_now};

/// The mark in the template: the effect's key, so that a look can tell whose restart it was.
const MARK: &str = "/spec/template/metadata/annotations/backout~1restart";
/// Time between two looks.
const EVERY: Duration = Duration::from_millis(250);

/// Every pod of `workload` was started after this step began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// `deployment/web`.
    pub workload: WorkloadName,
    /// When to give up, in seconds.
    #[serde(default = "ten_minutes")]
    pub within_seconds: u64,
}

fn ten_minutes() -> u64 {
    600
}

impl Restart {
    async fn looked(&self, cx: &LookCx) -> Result<Standing, Error> {
        let object = cluster::there(in_cluster(cx)?, &self.workload.object()).await?;
        if object.text(MARK) != cx.effect {
            return Ok(Standing::NotDone);
        }
        Ok(match Progress::of(&object) {
            Progress::Done(_) => Standing::Done,
            Progress::Going(why) | Progress::Failed(why) => Standing::Partly(SafeText::new(&why)),
        })
    }

    async fn until_there(&self, cx: &StepCx, last: &mut String) -> Result<(), Error> {
        loop {
            match self.looked(&cx.look).await {
                Ok(Standing::Done) => return Ok(()),
                Ok(Standing::Partly(why) | Standing::CannotTell(why)) => *last = why.to_string(),
                Ok(Standing::NotDone) => {
                    let message =
                        format!("could not restart {}: its template was replaced", self.workload);
                    return Err(Error::new(Kind::Rejected, message));
                }
                Err(error) => *last = error.message,
            }
            cx.tell(last, None);
            cx.wait(EVERY).await?;
        }
    }
}

#[async_trait]
impl Step for Restart {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("restart {}", self.workload))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let Some(cluster) = &cx.cluster else { return Vec::new() };
        vec![SafeText::new(&format!("{} rollout restart {}", cluster.kubectl(), self.workload))]
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        let object = match in_cluster(cx) {
            Ok(cluster) => cluster::there(cluster, &self.workload.object()).await,
            Err(error) => Err(error),
        };
        SafeText::new(&match object {
            Ok(object) => {
                let pods = object.number("/spec/replicas").unwrap_or(1);
                format!("{pods} pods of {} are started anew", self.workload)
            }
            Err(error) => error.message,
        })
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match self.looked(cx).await {
            Ok(standing) => standing,
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let cluster = in_cluster(&cx.look)?;
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        let object = cluster::there(cluster, &self.workload.object()).await?;
        if object.at("/spec/paused").as_bool().unwrap_or(false) {
            let message =
                format!("could not restart {}: it is paused; resume it first", self.workload);
            return Err(Error::new(Kind::Rejected, message));
        }
        fault::at_step("B4", cx.step.as_str());
        if object.text(MARK) != cx.look.effect {
            let notes = json!({"backout/restart": cx.look.effect});
            let patch = json!({"spec": {"template": {"metadata": {"annotations": notes}}}});
            let patch = Patch::Merge(patch);
            cluster.patch(&self.workload.object(), &patch, Write::default()).await?;
        }
        fault::at_step("B6", cx.step.as_str());
        let within = Duration::from_secs(self.within_seconds);
        let mut last = String::new();
        let waited = cx.look.clock.timeout(within, self.until_there(cx, &mut last)).await;
        let Ok(ended) = waited else {
            let seconds = within.as_secs();
            let message =
                format!("could not restart {}: not within {seconds} s: {last}", self.workload);
            return Err(Error::new(Kind::TimedOut, message));
        };
        ended?;
        fault::at_step("B7", cx.step.as_str());
        Ok(SafeText::new(&format!("all pods of {} are new", self.workload)))
    }
}
