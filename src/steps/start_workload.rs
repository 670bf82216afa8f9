//! Starts a stopped colour as it was: takes a stop back.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, fault};
use crate::model::entry::Standing;
use crate::model::ids::Color;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::seen::{Wanted, join};
use super::{LookCx, Step, StepCx, ended_now};

/// How long it may take to answer.
const LIMIT: Duration = Duration::from_secs(30);
/// Time between two looks.
const EVERY: Duration = Duration::from_millis(200);

/// `color` runs and answers at its own address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartWorkload {
    /// Which colour.
    pub color: Color,
    /// What is asked at its own address.
    #[serde(default = "health")]
    pub path: String,
}

fn health() -> String {
    "/health".to_owned()
}

impl StartWorkload {
    /// Whether it answers. A colour without an address of its own is taken at its process's word.
    async fn answers(&self, cx: &LookCx) -> Result<(), Error> {
        let Some(address) = cx.addresses.get(&self.color) else {
            return Ok(());
        };
        let wanted = Wanted { url: join(address, &self.path), color: &self.color, ready: false };
        wanted.see(&cx.clock).await.map(|_| ())
    }

    async fn until_it_answers(&self, cx: &StepCx) -> Result<(), Error> {
        let mut last = None;
        let looks = async {
            loop {
                match self.answers(&cx.look).await {
                    Ok(()) => return Ok(()),
                    Err(error) => {
                        cx.tell(&error.message, None);
                        last = Some(error);
                    }
                }
                cx.wait(EVERY).await?;
            }
        };
        match cx.look.clock.timeout(LIMIT, looks).await {
            Ok(done) => done,
            Err(_) => Err(last.unwrap_or_else(|| Error::timed_out("see it answer", LIMIT))),
        }
    }
}

#[async_trait]
impl Step for StartWorkload {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("start {}", self.color))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        vec![SafeText::new(&cx.workload.by_hand(&self.color, true))]
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        match cx.workload.look(&self.color).await {
            Ok(state) if state.running => {
                SafeText::new(&format!("{} {} runs already", self.color, state.version))
            }
            Ok(state) => {
                SafeText::new(&format!("{} {} is stopped -> runs", self.color, state.version))
            }
            Err(error) => SafeText::new(&error.message),
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match cx.workload.look(&self.color).await {
            Ok(state) if state.running => match self.answers(cx).await {
                Ok(()) => Standing::Done,
                Err(error) => Standing::Partly(SafeText::new(&format!("it runs; {error}"))),
            },
            Ok(_) => Standing::NotDone,
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        fault::at_step("B4", cx.step.as_str());
        cx.look.workload.start(&self.color, &cx.look.effect).await?;
        fault::at_step("B6", cx.step.as_str());
        self.until_it_answers(cx).await?;
        cx.look.traffic.refresh().await?;
        fault::at_step("B7", cx.step.as_str());
        let state = cx.look.workload.look(&self.color).await?;
        Ok(SafeText::new(&format!("{} {} runs", self.color, state.version)))
    }
}
