//! Lifts a hold: takes the page away, lets writers through, starts the workers that were stopped.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, fault};
use crate::model::entry::Standing;
use crate::model::hold::HoldPart;
use crate::model::ids::Color;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::hold::{all_are, at_proxy, order, until_done, workers};
use super::{LookCx, Step, StepCx, ended_now};

/// `part` is held no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unhold {
    /// What.
    pub part: HoldPart,
    /// Whose workers are started; only the consumers have any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<Color>,
}

#[async_trait]
impl Step for Unhold {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("lift {}", self.part.words()))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        match self.part {
            HoldPart::Page | HoldPart::Writers => {
                vec![SafeText::new(&cx.traffic.hold_by_hand(self.part, false))]
            }
            HoldPart::Consumers => self
                .workers
                .iter()
                .flat_map(|color| cx.workload.workers_by_hand(color, true))
                .map(|line| SafeText::new(&line))
                .collect(),
        }
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        match self.standing(cx).await {
            Standing::Done => "not held".into(),
            Standing::NotDone => "held -> free".into(),
            Standing::Partly(what) | Standing::CannotTell(what) => what,
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match self.part {
            HoldPart::Page | HoldPart::Writers => at_proxy(cx, self.part, false).await,
            HoldPart::Consumers => match workers(cx, &self.workers).await {
                Ok(found) => all_are(&found, true),
                Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
            },
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        fault::at_step("B4", cx.step.as_str());
        match self.part {
            HoldPart::Page | HoldPart::Writers => order(cx, self.part, false).await?,
            HoldPart::Consumers => {
                for color in &self.workers {
                    cx.look.workload.start_workers(color, &cx.look.effect).await?;
                }
            }
        }
        fault::at_step("B6", cx.step.as_str());
        until_done(cx, || self.standing(&cx.look)).await?;
        fault::at_step("B7", cx.step.as_str());
        let started: Vec<String> =
            self.workers.iter().map(|color| format!("workers of {color} run")).collect();
        Ok(SafeText::new(&started.join("; ")))
    }
}
