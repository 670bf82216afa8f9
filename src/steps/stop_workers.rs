//! Ends the workers and cron of a colour and keeps them: a failed version must not go on writing
//! behind the traffic that was taken from it.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, fault};
use crate::model::entry::Standing;
use crate::model::ids::Color;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::hold::{all_are, until_done, workers};
use super::{LookCx, Step, StepCx, ended_now};

/// No worker of `color` runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopWorkers {
    /// Whose.
    pub color: Color,
    /// How long one may take to end by itself before it is killed, in seconds.
    #[serde(default = "five")]
    pub grace_seconds: u64,
}

fn five() -> u64 {
    5
}

impl StopWorkers {
    /// What it leaves to know when there was nothing to stop.
    pub const NOTHING: &'static str = "no worker ran";
}

/// How many of the workers of `color` run: `2 of 2 run`.
pub(super) async fn count(cx: &LookCx, color: &Color) -> Result<(usize, usize), Error> {
    let found = workers(cx, [color]).await?;
    Ok((found.iter().filter(|(_, runs)| *runs).count(), found.len()))
}

#[async_trait]
impl Step for StopWorkers {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("stop workers of {}", self.color))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let lines = cx.workload.workers_by_hand(&self.color, false);
        lines.iter().map(|line| SafeText::new(line)).collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        match count(cx, &self.color).await {
            Ok((_, 0)) => SafeText::new(&format!("{} has no workers", self.color)),
            Ok((0, all)) => SafeText::new(&format!("0 of {all} run already")),
            Ok((running, all)) => SafeText::new(&format!("{running} of {all} run -> 0, kept")),
            Err(error) => SafeText::new(&error.message),
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match workers(cx, [&self.color]).await {
            Ok(found) => all_are(&found, false),
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let (running, _) = count(&cx.look, &self.color).await?;
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        cx.tell(&format!("{running} workers of {} are told to end", self.color), None);
        fault::at_step("B4", cx.step.as_str());
        // Begun, it is not dropped: each ends within the grace, by itself or killed.
        let grace = Duration::from_secs(self.grace_seconds);
        let note = cx.look.workload.stop_workers(&self.color, grace, &cx.look.effect).await?;
        fault::at_step("B6", cx.step.as_str());
        until_done(cx, || self.standing(&cx.look)).await?;
        fault::at_step("B7", cx.step.as_str());
        Ok(if running == 0 { Self::NOTHING.into() } else { note })
    }
}
