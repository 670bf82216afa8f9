//! Lets requests that began on the old colour end, and cuts the rest at the deadline.

use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, Kind, TrafficState, fault};
use crate::model::entry::Standing;
use crate::model::ids::Color;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::{LookCx, Step, StepCx, cancelled, ended_now};

/// How often the count in flight is told.
const EVERY: Duration = Duration::from_millis(500);

/// Nothing is in flight on `color` any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// The old colour.
    pub color: Color,
    /// When the rest is cut, in seconds.
    pub deadline_seconds: u64,
}

impl Drain {
    fn in_flight(&self, state: &TrafficState) -> u32 {
        state.in_flight.get(&self.color).copied().unwrap_or(0)
    }

    fn refuse_active(&self, state: &TrafficState) -> Result<(), Error> {
        if state.active == self.color {
            let message = format!("could not drain {}: traffic goes to it", self.color);
            return Err(Error::new(Kind::Rejected, message));
        }
        Ok(())
    }
}

#[async_trait]
impl Step for Drain {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("drain {}", self.color))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        // What is cut stays cut, but no kept data goes with it.
        Hazard::Reversible
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        match cx.traffic.look().await {
            Ok(state) => SafeText::new(&format!(
                "in flight {} on {}, the rest is cut after {} s",
                self.in_flight(&state),
                self.color,
                self.deadline_seconds
            )),
            Err(error) => SafeText::new(&error.message),
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match cx.traffic.look().await {
            Ok(state) if state.active == self.color => Standing::NotDone,
            Ok(state) => match self.in_flight(&state) {
                0 => Standing::Done,
                left => Standing::Partly(SafeText::new(&format!("{left} in flight"))),
            },
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let state = cx.look.traffic.look().await?;
        self.refuse_active(&state)?;
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        let begun = self.in_flight(&state);
        fault::at_step("B4", cx.step.as_str());
        let deadline = Duration::from_secs(self.deadline_seconds);
        let mut drain = pin!(cx.look.traffic.drain(&self.color, deadline));
        let mut cancel = cx.cancel.clone();
        let cut = loop {
            tokio::select! {
                cut = &mut drain => break cut?,
                () = cx.look.clock.sleep(EVERY) => {
                    if let Ok(state) = cx.look.traffic.look().await {
                        let left = self.in_flight(&state);
                        let done = u64::from(begun.saturating_sub(left));
                        cx.tell(&format!("in flight {left}"), Some((done, u64::from(begun))));
                    }
                }
                // The proxy goes on draining by itself, which does no harm.
                () = cancelled(&mut cancel) => return Err(ended_now()),
            }
        };
        fault::at_step("B5", cx.step.as_str());
        fault::at_step("B6", cx.step.as_str());
        fault::at_step("B7", cx.step.as_str());
        Ok(match cx.look.traffic.residue(&self.color).await {
            Some(residue) => residue,
            None => SafeText::new(&format!("{cut} cut")),
        })
    }
}
