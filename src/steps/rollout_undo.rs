//! Puts a kept template of a workload back in its place (M-06, W-48, W-49). Only the template
//! moves, bound to the version that was looked at; a repeat finds it there and does nothing.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::cluster::{self, Rollout, WorkloadName};
use crate::adapters::{Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::ids::Digest;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::in_cluster::in_cluster;
use super::{LookCx, Step, StepCx, ended_now, proof};

/// `workload` has the template `to` where it had `from`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolloutUndo {
    /// `deployment/web`.
    pub workload: WorkloadName,
    /// The number that the kept revision had when the plan was made.
    pub revision: i64,
    /// The version that it stands for.
    pub version: SafeText,
    /// The digest of the kept template.
    pub to: Digest,
    /// The digest of the template that is left: anything else there is another plan.
    pub from: Digest,
}

impl RolloutUndo {
    /// Why it cannot be done as things are now.
    async fn refused(&self, cx: &LookCx) -> Result<Option<String>, Error> {
        let cluster = in_cluster(cx)?;
        let seen = Rollout::look(cluster, &self.workload).await?;
        let kept = seen.revisions.iter().find(|one| one.digest == self.to);
        let Some(kept) = kept else { return Ok(None) };
        let (gone, _) = cluster::missing(cluster, &kept.template).await?;
        if gone.is_empty() {
            return Ok(None);
        }
        let gone: Vec<String> = gone.iter().map(ToString::to_string).collect();
        Ok(Some(format!(
            "its pods could not start, it needs what is not there any more: {}; make it again first",
            gone.join(", ")
        )))
    }

    async fn looked(&self, cx: &LookCx) -> Result<Standing, Error> {
        let cluster = in_cluster(cx)?;
        let seen = Rollout::look(cluster, &self.workload).await?;
        if seen.digest == self.to {
            return Ok(Standing::Done);
        }
        let by = Rollout::writer_words(&seen.object);
        if seen.digest != self.from {
            let text = format!("somebody else changed it: {by} put {} there", seen.version());
            return Ok(Standing::Partly(SafeText::new(&text)));
        }
        if proof::is_there(&cx.slot) {
            let text = format!("it went back, and was reverted by {by}");
            return Ok(Standing::Partly(SafeText::new(&text)));
        }
        Ok(Standing::NotDone)
    }
}

#[async_trait]
impl Step for RolloutUndo {
    fn title(&self) -> SafeText {
        let Self { workload, revision, version, .. } = self;
        SafeText::new(&format!("undo {workload} to revision {revision} ({version})"))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let Some(cluster) = &cx.cluster else { return Vec::new() };
        let line = self.workload.rollout_by_hand(&cluster.kubectl(), "undo");
        let line = format!("{line} --to-revision={}", self.revision);
        vec![SafeText::new(&line)]
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        let seen = match in_cluster(cx) {
            Ok(cluster) => Rollout::look(cluster, &self.workload).await,
            Err(error) => Err(error),
        };
        match seen {
            Err(error) => SafeText::new(&error.message),
            Ok(seen) if seen.digest == self.to => {
                SafeText::new(&format!("{} has it already", self.workload))
            }
            Ok(seen) => {
                let pods = seen.object.number("/spec/replicas").unwrap_or(1);
                let text = format!(
                    "{} {} -> {}, {pods} pods",
                    self.workload,
                    seen.version(),
                    self.version
                );
                SafeText::new(&text)
            }
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match self.looked(cx).await {
            Ok(standing) => standing,
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let cluster = in_cluster(&cx.look)?;
        cx.tell("looking at what the kept revision needs", None);
        if let Some(why) = self.refused(&cx.look).await? {
            let message = format!("could not undo {}: {why}", self.workload);
            return Err(Error::new(Kind::Rejected, message));
        }
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        cx.tell(&format!("{} goes to {}", self.workload, self.version), None);
        fault::at_step("B4", cx.step.as_str());
        let ends = (&self.from, &self.to);
        let said = cluster::put_template(cluster, &self.workload, ends, &cx.look.clock).await?;
        fault::at_step("B6", cx.step.as_str());
        proof::leave(&cx.look.slot)?;
        fault::at_step("B7", cx.step.as_str());
        Ok(said)
    }
}
