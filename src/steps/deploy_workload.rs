//! Lays a recorded release on a colour and starts it: level 1 where the version to go back to does
//! not run any more (design 15, form c). Its artefacts are verified before anything is touched.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{DeployOrder, Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::ids::{Color, Digest};
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::seen::{Wanted, join};
use super::{LookCx, Step, StepCx, ended_now};

/// How long it may take to answer after it was started.
const LIMIT: Duration = Duration::from_secs(30);
/// Time between two looks.
const EVERY: Duration = Duration::from_millis(100);

/// `color` runs exactly this release and answers as it, or only holds it where `runs` is false.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployWorkload {
    /// Which colour.
    pub color: Color,
    /// The version.
    pub version: SafeText,
    /// The digest that the release was recorded under.
    pub digest: Digest,
    /// Whether it runs afterwards.
    #[serde(default = "yes")]
    pub runs: bool,
    /// Whether the colour may have the traffic: users get no answer while it is replaced.
    #[serde(default)]
    pub in_place: bool,
    /// How long what runs there may take to end by itself, in seconds.
    #[serde(default = "thirty")]
    pub grace_seconds: u64,
}

fn yes() -> bool {
    true
}

fn thirty() -> u64 {
    30
}

impl DeployWorkload {
    /// Whether it answers at its own address as the version that was laid there.
    async fn answers(&self, cx: &LookCx) -> Result<(), Error> {
        let Some(address) = cx.addresses.get(&self.color) else {
            return Ok(());
        };
        let wanted = Wanted { url: join(address, "/health"), color: &self.color, ready: false };
        let said = wanted.see(&cx.clock).await?;
        if said == self.version {
            return Ok(());
        }
        let message =
            format!("could not see {} on {}: it says it is {said}", self.version, self.color);
        Err(Error::new(Kind::Rejected, message))
    }

    /// Whether it answers at its own address, and in place where users come in, too.
    async fn reached(&self, cx: &LookCx) -> Result<(), Error> {
        self.answers(cx).await?;
        if self.in_place {
            let url = join(&cx.public_url, "/health");
            Wanted { url, color: &self.color, ready: false }.see(&cx.clock).await?;
        }
        Ok(())
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
impl Step for DeployWorkload {
    fn title(&self) -> SafeText {
        let verb = if self.runs { "start" } else { "lay" };
        let gap = if self.in_place { ", in place" } else { "" };
        SafeText::new(&format!("{verb} {} on {}{gap}", self.version, self.color))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let mut lines = vec![
            SafeText::new(&cx.workload.by_hand(&self.color, false)),
            SafeText::new(&format!(
                "# lay the files of release {} ({}) on {}",
                self.version,
                self.digest.short(),
                self.color
            )),
        ];
        if self.runs {
            lines.push(SafeText::new(&cx.workload.by_hand(&self.color, true)));
        }
        lines
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        let looked = tokio::join!(cx.workload.look(&self.color), cx.workload.released(&self.color));
        match looked {
            (Ok(state), Ok(there)) if there.digest.as_ref() == Some(&self.digest) => {
                let now = if state.running { "runs" } else { "lies" };
                SafeText::new(&format!("{} {now} on {} already", self.version, self.color))
            }
            (Ok(state), Ok(there)) => {
                let now = if state.running { "runs" } else { "is stopped" };
                SafeText::new(&format!(
                    "{} {} {now} -> {} {}",
                    self.color,
                    there.version,
                    self.version,
                    self.digest.short()
                ))
            }
            (Err(error), _) | (_, Err(error)) => SafeText::new(&error.message),
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        let looked = tokio::join!(cx.workload.look(&self.color), cx.workload.released(&self.color));
        let (state, there) = match looked {
            (Ok(state), Ok(there)) => (state, there),
            (Err(error), _) | (_, Err(error)) => {
                return Standing::CannotTell(SafeText::new(&error.message));
            }
        };
        if there.digest.as_ref() != Some(&self.digest) {
            return Standing::NotDone;
        }
        match (self.runs, state.running) {
            (false, false) => Standing::Done,
            (true, true) => match self.reached(cx).await {
                Ok(()) => Standing::Done,
                Err(error) => Standing::Partly(SafeText::new(&format!("it runs; {error}"))),
            },
            (true, false) => Standing::Partly("it lies there and does not run".into()),
            (false, true) => Standing::Partly("it lies there and runs".into()),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let active = cx.look.traffic.look().await?.active;
        if active == self.color && !self.in_place {
            let message = format!(
                "could not replace what runs on {}: traffic goes to it; make a new plan",
                self.color
            );
            return Err(Error::new(Kind::Rejected, message));
        }
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        cx.tell(&format!("{} goes to {}", self.version, self.color), None);
        fault::at_step("B4", cx.step.as_str());
        let note = cx
            .look
            .workload
            .deploy(&DeployOrder {
                color: self.color.clone(),
                version: self.version.clone(),
                digest: self.digest.clone(),
                runs: self.runs,
                grace: Duration::from_secs(self.grace_seconds),
                effect: cx.look.effect.clone(),
            })
            .await?;
        fault::at_step("B6", cx.step.as_str());
        if self.runs {
            self.until_it_answers(cx).await?;
            if self.in_place {
                cx.look.traffic.refresh().await?;
            }
        }
        fault::at_step("B7", cx.step.as_str());
        Ok(note)
    }
}
