//! Looks at a version of a site before it is put where users get it (W-32): all objects of its
//! manifest are there, they are those of the plan, and the registry of versions knows it (P-51).

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::objects::registered;
use crate::adapters::{Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::ids::Digest;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::{LookCx, Step, StepCx, ended_now, front, proof};

/// The version was seen whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyVersion {
    /// The version.
    pub version: SafeText,
    /// Where its objects are.
    pub prefix: String,
    /// Over their names, sizes and tags, as the plan saw them.
    pub digest: Digest,
    /// Where the registry says that there is such a version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_url: Option<String>,
}

impl VerifyVersion {
    async fn look(&self, cx: &LookCx) -> Result<SafeText, Error> {
        let (content, named) = front(cx)?.site.whole(self.version.as_str()).await?;
        if content.digest() != self.digest {
            let message = format!(
                "could not take version {}: what lies below {} is not what the plan saw; stop and \
                 make a new plan",
                self.version, self.prefix
            );
            return Err(Error::new(Kind::Conflict, message));
        }
        if let Some(url) = &self.registry_url {
            registered(url, &cx.clock).await?;
        }
        let (many, kb) = (content.objects.len(), content.size().div_ceil(1000));
        let text = format!("{many} objects, {kb} kB, {named} of them named by the manifest");
        Ok(SafeText::new(&text))
    }
}

#[async_trait]
impl Step for VerifyVersion {
    fn title(&self) -> SafeText {
        SafeText::new(&format!("verify that version {} is whole", self.version))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Looks
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let Ok(front) = front(cx) else { return Vec::new() };
        let list = format!("aws s3 ls --recursive {}", front.site.address(&self.prefix));
        let ask = self.registry_url.as_ref().map(|url| format!("curl -sS --fail {url}"));
        std::iter::once(list).chain(ask).map(|line| SafeText::new(&line)).collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        self.look(cx).await.unwrap_or_else(|error| SafeText::new(&error.message))
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        if proof::is_there(&cx.slot) { Standing::Done } else { Standing::NotDone }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        fault::at_step("B5", cx.step.as_str());
        let said = self.look(&cx.look).await?;
        fault::at_step("B6", cx.step.as_str());
        proof::leave(&cx.look.slot)?;
        Ok(said)
    }
}
