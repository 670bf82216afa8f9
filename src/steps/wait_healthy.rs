//! Waits until users reach the version that was gone to, and it says that it is ready (S-24).

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, fault};
use crate::model::entry::Standing;
use crate::model::ids::Color;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::seen::{Wanted, join};
use super::{LookCx, Step, StepCx, unhealthy};

/// `color` answers at the public address and says that it is ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitHealthy {
    /// Which colour users reach.
    pub color: Color,
    /// When to give up, in seconds.
    #[serde(default = "five_minutes")]
    pub max_seconds: u64,
    /// Time between two looks, in seconds.
    #[serde(default = "five")]
    pub every_seconds: f64,
}

fn five_minutes() -> u64 {
    300
}

fn five() -> f64 {
    5.0
}

#[async_trait]
impl Step for WaitHealthy {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("wait until users reach {} and it is ready", self.color))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Looks
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        vec![SafeText::new(&format!("curl -sS --fail {}", join(&cx.public_url, "/status")))]
    }

    async fn preview(&self, _cx: &LookCx) -> SafeText {
        let (max, every) = (self.max_seconds, self.every_seconds);
        SafeText::new(&format!("at most {max} s, a look every {every} s"))
    }

    async fn standing(&self, _cx: &LookCx) -> Standing {
        Standing::NotDone
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let every = Duration::try_from_secs_f64(self.every_seconds).unwrap_or_default();
        let limit = Duration::from_secs(self.max_seconds);
        let clock = &cx.look.clock;
        let began = clock.now();
        let wanted =
            Wanted { url: join(&cx.look.public_url, "/status"), color: &self.color, ready: true };
        let mut looks: u64 = 0;
        loop {
            looks += 1;
            let seen = match wanted.see(clock).await {
                Ok(version) => cx.look.workload.well(&self.color).await.map(|well| (version, well)),
                Err(error) => Err(error),
            };
            fault::at_step("B5", cx.step.as_str());
            let took = (clock.now() - began).to_std().unwrap_or_default();
            match seen {
                Ok((version, well)) => {
                    let took = took.as_secs_f64();
                    let text = format!("{version} is ready after {took:.1} s; {well}");
                    return Ok(SafeText::new(&text));
                }
                Err(error) if took >= limit => {
                    let looked = format!("{} s, {looks} looks", self.max_seconds);
                    return Err(unhealthy::explained(cx, &self.color, &looked, error).await);
                }
                Err(error) => {
                    let part = Some((took.as_secs(), limit.as_secs()));
                    cx.tell(&format!("look {looks}: {}", error.message), part);
                }
            }
            cx.wait(every).await?;
        }
    }
}
