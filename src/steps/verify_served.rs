//! Looks at a site as users get it, through its caches: the manifest names the version, and every
//! address of health answers well (P-15, W-32).

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::objects::served;
use crate::adapters::{Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::{LookCx, Step, StepCx, ended_now, proof};

/// Time between two looks.
const EVERY: Duration = Duration::from_millis(500);

/// Users were seen to get the version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyServed {
    /// The version.
    pub version: SafeText,
    /// Where users get the manifest.
    pub manifest_url: String,
    /// Addresses that must answer well.
    #[serde(default)]
    pub urls: Vec<String>,
    /// How long that may take to become so.
    pub within_seconds: u64,
}

impl VerifyServed {
    async fn look(&self, cx: &LookCx) -> Result<SafeText, Error> {
        let found = served(&self.manifest_url, &cx.clock).await?;
        if found.as_deref() != Some(self.version.as_str()) {
            let found = SafeText::new(found.as_deref().unwrap_or("no version"));
            let message = format!(
                "could not see {} served: {} names {found}",
                self.version, self.manifest_url
            );
            return Err(Error::new(Kind::Rejected, message));
        }
        for url in &self.urls {
            served(url, &cx.clock).await?;
        }
        let text = format!("{} is served, {} addresses are well", self.version, self.urls.len());
        Ok(SafeText::new(&text))
    }
}

#[async_trait]
impl Step for VerifyServed {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("verify that users get {}", self.version))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Looks
    }

    fn by_hand(&self, _cx: &LookCx) -> Vec<SafeText> {
        let urls = std::iter::once(&self.manifest_url).chain(&self.urls);
        urls.map(|url| SafeText::new(&format!("curl -sS --fail {url}"))).collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        match self.look(cx).await {
            Ok(said) => said,
            Err(error) => SafeText::new(&format!("not yet: {}", error.message)),
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        if proof::is_there(&cx.slot) { Standing::Done } else { Standing::NotDone }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        let within = Duration::from_secs(self.within_seconds);
        fault::at_step("B5", cx.step.as_str());
        let mut last = String::new();
        let waiting = async {
            loop {
                match self.look(&cx.look).await {
                    Ok(said) => return Ok::<_, Error>(said),
                    Err(error) => last = error.message,
                }
                cx.tell(&last, None);
                cx.wait(EVERY).await?;
            }
        };
        let ended = cx.look.clock.timeout(within, waiting).await;
        let Ok(said) = ended else {
            let message = format!("{last}; not within {} s", within.as_secs());
            return Err(Error::new(Kind::TimedOut, message));
        };
        fault::at_step("B6", cx.step.as_str());
        proof::leave(&cx.look.slot)?;
        said
    }
}
