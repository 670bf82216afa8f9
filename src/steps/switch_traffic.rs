//! Sends users to the other colour (S-09, S-12: under 10 s). Destroys nothing.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, Kind, TrafficState, fault};
use crate::model::entry::Standing;
use crate::model::ids::Color;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::{LookCx, Step, StepCx, ended_now};

/// How long it may take until a look shows the new colour (S-14: switch < 10 s).
const LIMIT: Duration = Duration::from_secs(10);
/// Time between two looks.
const EVERY: Duration = Duration::from_millis(100);

/// New requests go to `to`; those in flight end where they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchTraffic {
    /// Where to.
    pub to: Color,
    /// Where from; traffic that is at neither is not touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Color>,
}

impl SwitchTraffic {
    fn check(&self, state: &TrafficState) -> Result<(), Error> {
        match &self.from {
            Some(from) if state.active != *from && state.active != self.to => Err(Error::new(
                Kind::Rejected,
                format!(
                    "could not switch traffic to {}: it goes to {}, not to {from} as planned; make a new plan",
                    self.to,
                    SafeText::new(state.active.as_str())
                ),
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// Gives the order; whether it got no answer. It may have been carried out all the same: only a
    /// look can tell.
    async fn order(&self, cx: &StepCx) -> Result<bool, Error> {
        match cx.look.traffic.switch(&self.to, &cx.look.effect).await {
            Ok(()) => Ok(false),
            Err(error) if matches!(error.kind, Kind::TimedOut | Kind::Reset) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Looks until traffic is there. An order without an answer that a look shows not carried out
    /// is given once more: the first one may only have met a target that stood still.
    async fn until_there(&self, cx: &StepCx, mut unanswered: bool) -> Result<(), Error> {
        let mut last = None;
        let looks = async {
            loop {
                match cx.look.traffic.look().await {
                    Ok(state) if state.active == self.to => return Ok(()),
                    Ok(state) => {
                        self.check(&state)?;
                        let active = SafeText::new(state.active.as_str());
                        let between = cx.look.traffic.in_between().await;
                        let between = between.map(|what| format!(", {what}")).unwrap_or_default();
                        last = Some(format!("it still goes to {active}{between}"));
                        if std::mem::take(&mut unanswered) {
                            self.order(cx).await?;
                        }
                    }
                    Err(error) => last = Some(error.message),
                }
                cx.wait(EVERY).await?;
            }
        };
        match cx.look.clock.timeout(LIMIT, looks).await {
            Ok(done) => done,
            Err(_) => Err(Error::new(
                Kind::TimedOut,
                format!(
                    "could not see traffic at {} within {} s: {}",
                    self.to,
                    LIMIT.as_secs(),
                    last.unwrap_or_default()
                ),
            )),
        }
    }
}

#[async_trait]
impl Step for SwitchTraffic {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("switch traffic to {}", self.to))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let remembered = cx.workload.remember_by_hand(&self.to);
        let all = [cx.traffic.by_hand(&self.to)].into_iter().chain(remembered);
        all.map(|line| SafeText::new(&line)).collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        match cx.traffic.look().await {
            Ok(state) => match self.check(&state) {
                Ok(()) if state.active == self.to => {
                    SafeText::new(&format!("active {} already", self.to))
                }
                Ok(()) => SafeText::new(&format!(
                    "active {} -> {}, in flight {}",
                    SafeText::new(state.active.as_str()),
                    self.to,
                    state.in_flight.get(&state.active).copied().unwrap_or(0)
                )),
                Err(error) => SafeText::new(&error.message),
            },
            Err(error) => SafeText::new(&error.message),
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match cx.traffic.look().await {
            Ok(state) if state.active == self.to => match cx.workload.remembers(&self.to).await {
                Ok(true) => Standing::Done,
                Ok(false) => Standing::Partly(
                    "traffic is there; the next start would bring the other version".into(),
                ),
                Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
            },
            Ok(_) => Standing::NotDone,
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let before = cx.look.traffic.look().await?;
        self.check(&before)?;
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        cx.tell(&format!("telling the proxy to use {}", self.to), None);
        fault::at_step("B4", cx.step.as_str());
        let unanswered = self.order(cx).await?;
        fault::at_step("B6", cx.step.as_str());
        self.until_there(cx, unanswered).await?;
        cx.look.workload.remember(&self.to).await?;
        fault::at_step("B7", cx.step.as_str());
        Ok(if before.active == self.to {
            SafeText::new(&format!("traffic was at {} already", self.to))
        } else {
            let from = SafeText::new(before.active.as_str());
            SafeText::new(&format!("active {from} -> {}", self.to))
        })
    }
}
