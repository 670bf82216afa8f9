//! Makes what users get of a site be another version: its objects are copied over, assets first and
//! the manifest last, and what is not of it is removed (W-32); or one object that names the version
//! is written, where the site is served by such a pointer. A repeat does the rest.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::objects::{Content, Front};
use crate::adapters::{Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::ids::Digest;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::{LookCx, Step, StepCx, ended_now, front};

/// What lies below `from` lies below `to`, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishVersion {
    /// The version.
    pub version: SafeText,
    /// The prefix of its objects.
    pub from: String,
    /// The prefix that they go to; none where the pointer is what says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Over names, sizes and tags below `from`, as the plan saw them; none for a copy that is made
    /// by the plan itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

impl PublishVersion {
    async fn content(&self, front: &Front) -> Result<Content, Error> {
        let content = front.site.content(&self.from).await?;
        let no = |why: &str| {
            let message = format!("could not publish {}: {why}; make a new plan", self.version);
            Err(Error::new(Kind::Conflict, message))
        };
        if content.objects.is_empty() {
            return no("nothing lies below its prefix");
        }
        match &self.digest {
            Some(digest) if *digest != content.digest() => no("its objects have changed"),
            Some(_) | None => Ok(content),
        }
    }

    async fn looked(&self, cx: &LookCx) -> Result<Standing, Error> {
        let front = front(cx)?;
        let there = match &self.to {
            None => front.site.live().await?.as_ref() == Some(&self.version),
            Some(to) => {
                // One listing says it where names, sizes and tags are those that the plan saw.
                let there = front.site.content(to).await?;
                if self.digest.as_ref().is_some_and(|digest| *digest == there.digest()) {
                    return Ok(Standing::Done);
                }
                let content = front.site.content(&self.from).await?;
                if self.digest.as_ref().is_some_and(|digest| *digest != content.digest()) {
                    let text = format!("what lies below {} has changed meanwhile", self.from);
                    return Ok(Standing::Partly(SafeText::new(&text)));
                }
                !content.objects.is_empty() && front.site.is_at(&content, to).await?
            }
        };
        Ok(if there { Standing::Done } else { Standing::NotDone })
    }
}

#[async_trait]
impl Step for PublishVersion {
    fn title(&self) -> SafeText {
        SafeText::new(&match &self.to {
            Some(to) => format!("put version {} below {to}", self.version),
            None => format!("let the pointer name version {}", self.version),
        })
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let Ok(front) = front(cx) else { return Vec::new() };
        let (site, settings) = (&front.site, front.site.settings());
        let from = site.address(&self.from);
        let lines = if let Some(to) = &self.to {
            let (to, manifest) = (site.address(to), &settings.manifest);
            vec![
                format!("aws s3 sync --exclude {manifest} {from} {to}"),
                format!("aws s3 cp {from}{manifest} {to}{manifest}"),
                format!("aws s3 sync --delete {from} {to}"),
            ]
        } else {
            let to = site.address(settings.pointer.as_deref().unwrap_or_default());
            let says = format!("{{\"version\":\"{}\",\"path\":\"{}\"}}", self.version, self.from);
            vec![format!("echo '{says}' | aws s3 cp - {to}")]
        };
        lines.iter().map(|line| SafeText::new(line)).collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        let look = async {
            let front = front(cx)?;
            let now = front.site.live().await?.unwrap_or_else(|| "nothing".into());
            let many = match &self.to {
                Some(_) => {
                    format!("{} objects", front.site.content(&self.from).await?.objects.len())
                }
                None => "one object".to_owned(),
            };
            Ok::<_, Error>(format!("{now} -> {}, {many}", self.version))
        };
        SafeText::new(&look.await.unwrap_or_else(|error| error.message))
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match self.looked(cx).await {
            Ok(standing) => standing,
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        let front = front(&cx.look)?;
        let content = self.content(front).await?;
        // It took its time.
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        let going = |done: u64, all: u64| {
            cx.tell(&format!("{done} of {all} objects"), Some((done, all)));
            if done == all.div_ceil(2) {
                fault::at_step("B5", cx.step.as_str());
            }
            if *cx.cancel.borrow() { Err(ended_now()) } else { Ok(()) }
        };
        fault::at_step("B4", cx.step.as_str());
        let said = if let Some(to) = &self.to {
            let (copied, removed) = front.site.put(&content, to, &going).await?;
            format!("{copied} objects copied, {removed} removed")
        } else {
            front.site.point(self.version.as_str()).await?;
            format!("the pointer names {}", self.version)
        };
        fault::at_step("B6", cx.step.as_str());
        fault::at_step("B7", cx.step.as_str());
        Ok(SafeText::new(&said))
    }
}
