//! Starts the stopped workers and cron of a colour as they were: takes a stop back.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, fault};
use crate::model::entry::Standing;
use crate::model::ids::Color;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::hold::{all_are, until_done, workers};
use super::stop_workers::count;
use super::{LookCx, Step, StepCx, ended_now};

/// Every worker of `color` runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartWorkers {
    /// Whose.
    pub color: Color,
}

#[async_trait]
impl Step for StartWorkers {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("start workers of {}", self.color))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let lines = cx.workload.workers_by_hand(&self.color, true);
        lines.iter().map(|line| SafeText::new(line)).collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        match count(cx, &self.color).await {
            Ok((_, 0)) => SafeText::new(&format!("{} has no workers", self.color)),
            Ok((running, all)) if running == all => {
                SafeText::new(&format!("{all} of {all} run already"))
            }
            Ok((running, all)) => SafeText::new(&format!("{running} of {all} run -> {all}")),
            Err(error) => SafeText::new(&error.message),
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match workers(cx, [&self.color]).await {
            Ok(found) => all_are(&found, true),
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        fault::at_step("B4", cx.step.as_str());
        cx.look.workload.start_workers(&self.color, &cx.look.effect).await?;
        fault::at_step("B6", cx.step.as_str());
        until_done(cx, || self.standing(&cx.look)).await?;
        fault::at_step("B7", cx.step.as_str());
        let (running, _) = count(&cx.look, &self.color).await?;
        Ok(SafeText::new(&format!("{running} run")))
    }
}
