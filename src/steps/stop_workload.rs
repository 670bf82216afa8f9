//! Ends a colour and keeps it: it can be started again (S-09: stopped, but present).

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::ids::Color;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::{LookCx, Step, StepCx, ended_now};

/// `color` does not run, and its release is still there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopWorkload {
    /// Which colour.
    pub color: Color,
    /// How long it may take to end by itself before it is killed, in seconds (S-20: 30 s).
    #[serde(default = "thirty")]
    pub grace_seconds: u64,
}

fn thirty() -> u64 {
    30
}

#[async_trait]
impl Step for StopWorkload {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("stop {}, kept", self.color))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        vec![SafeText::new(&cx.workload.by_hand(&self.color, false))]
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        match cx.workload.look(&self.color).await {
            Ok(state) if state.running => {
                SafeText::new(&format!("{} {} runs -> stopped, kept", self.color, state.version))
            }
            Ok(state) => {
                SafeText::new(&format!("{} {} is stopped already", self.color, state.version))
            }
            Err(error) => SafeText::new(&error.message),
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match cx.workload.look(&self.color).await {
            Ok(state) if state.running => Standing::NotDone,
            Ok(state) if state.kept => Standing::Done,
            Ok(_) => Standing::Partly("stopped, but its release is not there".into()),
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let active = cx.look.traffic.look().await?.active;
        if active == self.color {
            let message = format!("could not stop {}: traffic goes to it", self.color);
            return Err(Error::new(Kind::Rejected, message));
        }
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        cx.tell(&format!("{} is told to end", self.color), None);
        fault::at_step("B4", cx.step.as_str());
        // Begun, it is not dropped: it ends within the grace, by itself or killed.
        let grace = Duration::from_secs(self.grace_seconds);
        let note = cx.look.workload.stop(&self.color, grace, &cx.look.effect).await?;
        fault::at_step("B6", cx.step.as_str());
        fault::at_step("B7", cx.step.as_str());
        Ok(note)
    }
}
