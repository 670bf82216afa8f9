//! Ends a colour and keeps it: it can be started again (S-09: stopped, but present).

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::hold::HoldPart;
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
    /// Whether it may have the traffic while the maintenance page is held: then users see that and
    /// not a connection that nobody takes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub behind_page: bool,
    /// Whether one that somebody removed counts as stopped: what comes after makes it anew, or has
    /// no need of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone_is_fine: bool,
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
            Ok(state) if state.kept || self.gone_is_fine => Standing::Done,
            Ok(_) => Standing::Partly("stopped, but its release is not there".into()),
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let traffic = cx.look.traffic.look().await?;
        let page = traffic.held.is_some_and(|held| held.contains(&HoldPart::Page));
        // Where no page can be held the plan said that users get errors meanwhile.
        let page = page || !cx.look.traffic.can_hold(HoldPart::Page);
        if traffic.active == self.color && !(self.behind_page && page) {
            let message = format!("could not stop {}: traffic goes to it", self.color);
            return Err(Error::new(Kind::Rejected, message));
        }
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        if self.gone_is_fine {
            let state = cx.look.workload.look(&self.color).await?;
            if !state.running && !state.kept {
                let text = format!("{} is not there at all: somebody removed it", self.color);
                return Ok(SafeText::new(&text));
            }
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
