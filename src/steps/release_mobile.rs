//! Asks the service behind the apps to give a platform an earlier version back (P-15, P-51). When
//! users have it is the store's matter: nobody but a person can see that, so a call whose answer
//! was lost is a person's to judge.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::objects::Mobile;
use crate::adapters::{Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::{LookCx, Step, StepCx, ended_now, front, proof};

/// The service took the order for this platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseMobile {
    /// `android` or `ios`.
    pub platform: String,
    /// The version.
    pub version: SafeText,
}

fn mobile(cx: &LookCx) -> Result<&Mobile, Error> {
    front(cx)?.mobile.as_ref().ok_or_else(|| {
        let message = "could not ask for a release: none is configured (platform.frontend.mobile)";
        Error::new(Kind::Local, message)
    })
}

#[async_trait]
impl Step for ReleaseMobile {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("give {} version {} back", self.platform, self.version))
    }

    fn class(&self) -> Class {
        Class::Opaque
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let line = mobile(cx).map(|one| one.by_hand(&self.platform, self.version.as_str()));
        line.iter().map(|line| SafeText::new(line)).collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        SafeText::new(&match mobile(cx) {
            Ok(one) => format!("POST at {}; the store decides when users have it", one.url.place()),
            Err(error) => error.message,
        })
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        if proof::is_there(&cx.slot) {
            return Standing::Done;
        }
        Standing::CannotTell("nothing tells whether the store was told: look there".into())
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        let mobile = mobile(&cx.look)?;
        fault::at_step("B4", cx.step.as_str());
        mobile.release(&self.platform, self.version.as_str(), &cx.look.clock).await?;
        fault::at_step("B5", cx.step.as_str());
        fault::at_step("B6", cx.step.as_str());
        proof::leave(&cx.look.slot)?;
        fault::at_step("B7", cx.step.as_str());
        Ok(SafeText::new(&format!("{} took the order", mobile.url.place())))
    }
}
