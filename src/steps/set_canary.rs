//! Takes a canary out of the traffic, or gives it back the part it had (M-09, W-54). Nothing of it
//! is removed: its deployment, service and the setting that was there are the way back.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adapters::cluster::Canary;
use crate::adapters::{Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::in_cluster::in_cluster;
use super::{LookCx, Step, StepCx, ended_now};

/// `canary` has the setting `to` where it had `from`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetCanary {
    /// What gives the canary its part.
    pub canary: Canary,
    /// The setting when the plan was made: anything else there is another plan.
    pub from: Value,
    /// The setting to come to.
    pub to: Value,
    /// Whether that is nothing.
    pub off: bool,
}

impl SetCanary {
    async fn looked(&self, cx: &LookCx) -> Result<Standing, Error> {
        let now = self.canary.look(in_cluster(cx)?).await?;
        Ok(if now.setting == self.to || (self.off && !now.on) {
            Standing::Done
        } else if now.setting == self.from {
            Standing::NotDone
        } else {
            let text = format!("somebody else set {} to {}", self.canary, now.words);
            Standing::Partly(SafeText::new(&text))
        })
    }
}

#[async_trait]
impl Step for SetCanary {
    fn title(&self) -> SafeText {
        let canary = &self.canary;
        SafeText::new(&match (&self.canary, self.off) {
            (Canary::Rollout { .. }, true) => format!("abort {canary}"),
            (Canary::Rollout { .. }, false) => format!("let {canary} go on"),
            (_, true) => format!("take {canary} out of the traffic"),
            (_, false) => format!("give {canary} its part of the traffic again"),
        })
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let kubectl = cx.cluster.as_ref().map(|cluster| cluster.kubectl());
        kubectl.map(|kubectl| self.canary.by_hand(&kubectl, &self.to)).into_iter().collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        let now = match in_cluster(cx) {
            Ok(cluster) => self.canary.look(cluster).await,
            Err(error) => Err(error),
        };
        match now {
            Ok(now) if self.off => SafeText::new(&format!("{} -> nothing", now.words)),
            Ok(now) => SafeText::new(&format!("{} -> {}", now.words, self.to)),
            Err(error) => SafeText::new(&error.message),
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match self.looked(cx).await {
            Ok(standing) => standing,
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        match self.looked(&cx.look).await? {
            Standing::Done => return Ok(SafeText::new(&format!("{} had it already", self.canary))),
            Standing::Partly(what) | Standing::CannotTell(what) => {
                let message = format!("could not set {}: {what}; make a new plan", self.canary);
                return Err(Error::new(Kind::Rejected, message));
            }
            Standing::NotDone => {}
        }
        fault::at_step("B4", cx.step.as_str());
        self.canary.put(in_cluster(&cx.look)?, &self.to).await?;
        fault::at_step("B5", cx.step.as_str());
        let now = self.canary.look(in_cluster(&cx.look)?).await?;
        fault::at_step("B7", cx.step.as_str());
        Ok(SafeText::new(&format!("{}: {}", self.canary, now.words)))
    }
}
