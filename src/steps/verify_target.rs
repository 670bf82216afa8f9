//! Looks at the version to go to at its own address, before anything is changed (S-11, W-21).

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, Kind};
use crate::model::entry::Standing;
use crate::model::ids::Color;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::seen::{Row, Wanted, join};
use super::{LookCx, Step, StepCx, proof};

/// Time between two looks.
const EVERY: Duration = Duration::from_millis(200);

/// The target answers 2xx at its own address, says that it is ready and that it is itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyTarget {
    /// Which colour.
    pub color: Color,
    /// How many good looks in a row.
    #[serde(default = "three")]
    pub probes: u32,
    /// What is asked.
    #[serde(default = "status")]
    pub path: String,
    /// Whether `overall_ready` must be true.
    #[serde(default = "yes")]
    pub expect_ready: bool,
    /// When to give up, in seconds (S-11 gives the whole of it 60 s).
    #[serde(default = "twenty")]
    pub within_seconds: u64,
}

fn three() -> u32 {
    3
}

fn status() -> String {
    "/status".to_owned()
}

fn yes() -> bool {
    true
}

fn twenty() -> u64 {
    20
}

impl VerifyTarget {
    fn wanted(&self, cx: &LookCx) -> Result<Wanted<'_>, Error> {
        let address = cx.addresses.get(&self.color).ok_or_else(|| {
            Error::new(
                Kind::NotFound,
                format!(
                    "could not look at {}: it has no address of its own in the configuration",
                    self.color
                ),
            )
        })?;
        Ok(Wanted { url: join(address, &self.path), color: &self.color, ready: self.expect_ready })
    }
}

#[async_trait]
impl Step for VerifyTarget {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("verify {} at its own address", self.color))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Looks
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let wanted = self.wanted(cx).ok();
        wanted
            .map(|wanted| SafeText::new(&format!("curl -sS --fail {}", wanted.url)))
            .into_iter()
            .collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        let seen = match self.wanted(cx) {
            Ok(wanted) => wanted.see(&cx.clock).await,
            Err(error) => Err(error),
        };
        match seen {
            Ok(version) => SafeText::new(&format!("{} {version} answers", self.color)),
            Err(error) => SafeText::new(&error.message),
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        if !proof::is_there(&cx.slot) {
            return Standing::NotDone;
        }
        let seen = match self.wanted(cx) {
            Ok(wanted) => wanted.see(&cx.clock).await,
            Err(error) => Err(error),
        };
        match seen {
            Ok(_) => Standing::Done,
            Err(_) => Standing::NotDone,
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let row = Row {
            probes: self.probes,
            every: EVERY,
            within: Duration::from_secs(self.within_seconds),
        };
        self.wanted(&cx.look)?.see_in_a_row(cx, &row).await
    }
}
