//! Leaves the failed version up for a while: it is the way back.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, fault};
use crate::model::entry::Standing;
use crate::model::ids::Color;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::{LookCx, Step, StepCx, Told, proof};

/// How often the time left is told.
const EVERY: Duration = Duration::from_secs(1);

/// `color` stays up until so many seconds after the switch was proved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepWarm {
    /// The failed colour.
    pub color: Color,
    /// How long after the switch.
    pub seconds: u64,
}

impl KeepWarm {
    fn all(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// Time left since the switch was proved. A wall clock that was set back makes the wait no
    /// longer than the whole of it.
    fn left(&self, cx: &LookCx) -> Duration {
        let Some(since) = cx.since else {
            return self.all();
        };
        let passed = (cx.clock.now() - since).to_std().unwrap_or_default();
        self.all().saturating_sub(passed)
    }
}

#[async_trait]
impl Step for KeepWarm {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("keep {} up for {} s", self.color, self.seconds))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Looks
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        let up = match cx.workload.look(&self.color).await {
            Ok(state) if state.running => "up".to_owned(),
            Ok(_) => "already down".to_owned(),
            Err(error) => error.message,
        };
        SafeText::new(&format!("{} is {up}, the way back for {} s", self.color, self.seconds))
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        let over = cx.since.is_some() && self.left(cx).is_zero();
        if over || proof::is_there(&cx.slot) { Standing::Done } else { Standing::NotDone }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        // Read once: from here on the wait is monotonic.
        let begun = self.left(&cx.look);
        let mut left = begun;
        while !left.is_zero() {
            cx.progress.0.send_replace(Told {
                text: SafeText::new(&format!("{} stays up, it is the way back", self.color)),
                part: None,
                left: Some(left),
            });
            let part = left.min(EVERY);
            cx.wait(part).await?;
            left -= part;
            if left <= begun / 2 {
                fault::at_step("B5", cx.step.as_str());
            }
        }
        proof::leave(&cx.look.slot)?;
        Ok(SafeText::new(&format!("{} was up for {} s after the switch", self.color, self.seconds)))
    }
}
