//! Looks through the public address after the switch: do users reach the new version? (S-12)

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::Error;
use crate::model::entry::Standing;
use crate::model::ids::Color;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::seen::{Row, Wanted, join};
use super::{LookCx, Step, StepCx, proof, unhealthy};

/// The public address answers 2xx as the new colour, so many times in a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The new colour.
    pub color: Color,
    /// How many good looks in a row.
    pub probes: u32,
    /// Time between two looks, in seconds.
    pub every_seconds: f64,
    /// What is asked.
    #[serde(default = "health")]
    pub path: String,
    /// How long bad looks are put up with beyond the good ones' own time, in seconds (S-12: 30 s).
    #[serde(default = "thirty")]
    pub within_seconds: u64,
}

fn health() -> String {
    "/health".to_owned()
}

fn thirty() -> u64 {
    30
}

impl Gate {
    fn wanted(&self, cx: &LookCx) -> Wanted<'_> {
        Wanted { url: join(&cx.public_url, &self.path), color: &self.color, ready: false }
    }
}

#[async_trait]
impl Step for Gate {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("gate: users reach {}", self.color))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Looks
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        vec![SafeText::new(&format!("curl -sS --fail {}", self.wanted(cx).url))]
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        SafeText::new(&format!(
            "{} of {} good in a row at {}",
            self.probes, self.probes, cx.public_url
        ))
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        if !proof::is_there(&cx.slot) {
            return Standing::NotDone;
        }
        match self.wanted(cx).see(&cx.clock).await {
            Ok(_) => Standing::Done,
            Err(_) => Standing::NotDone,
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let every = Duration::try_from_secs_f64(self.every_seconds).unwrap_or_default();
        let row = Row {
            probes: self.probes,
            every,
            within: every.saturating_mul(self.probes) + Duration::from_secs(self.within_seconds),
        };
        let began = cx.look.clock.now();
        match self.wanted(&cx.look).see_in_a_row(cx, &row).await {
            // Ended by a person, or with its time over.
            Err(error) if !*cx.cancel.borrow() => {
                let took = (cx.look.clock.now() - began).to_std().unwrap_or_default();
                let looked = format!("{:.0} s", took.as_secs_f64());
                Err(unhealthy::explained(cx, &self.color, &looked, error).await)
            }
            ended => ended,
        }
    }
}
