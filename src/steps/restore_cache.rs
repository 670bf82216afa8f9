//! Restores the keys of a point into a Redis beside the live one (M-13, W-52, design 17).

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::cache::{Cache, CacheCopy, LiesBeside};
use crate::adapters::{Error, Kind, fault};
use crate::evidence::pace::Pace;
use crate::evidence::points;
use crate::model::entry::Standing;
use crate::model::ids::Digest;
use crate::model::keys::{self, Keys};
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::data::{blocking, hash, names, point_folder};
use super::{LookCx, Step, StepCx, ended_now};

/// A Redis with the point's keys in it is beside the live one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreCache {
    /// The restore point.
    pub point: String,
    /// The dump's file name in it.
    #[serde(default = "dump")]
    pub file: String,
    /// What the dump must be.
    pub sha256: Digest,
    /// What was counted when it was taken; nothing for a point made by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Keys>,
    /// The run whose copy it is, where that is not the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

fn dump() -> String {
    points::KEYS.to_owned()
}

/// The application's store of keys.
pub(super) fn cache(cx: &LookCx) -> Result<Arc<dyn Cache>, Error> {
    cx.cache
        .clone()
        .ok_or_else(|| Error::new(Kind::NotFound, "could not use Redis: none is configured"))
}

#[async_trait]
impl Step for RestoreCache {
    fn title(&self) -> SafeText {
        "restore Redis beside the live one".into()
    }

    fn class(&self) -> Class {
        Class::Probed
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let names = names(&cx.effect, self.of.as_deref());
        let (Ok(cache), Ok(folder)) = (cache(cx), point_folder(cx, &self.point)) else {
            return Vec::new();
        };
        let (lines, _) = cache.restore_by_hand(&folder.join(&self.file), &names.copy, &names.kept);
        lines.iter().map(|line| SafeText::new(line)).collect()
    }

    async fn preview(&self, _cx: &LookCx) -> SafeText {
        let held = self.keys.as_ref().map(|keys| format!(", {}", keys::words(&keys.after)));
        let held = held.unwrap_or_default();
        let text = format!("{} of {}{held}, the live one stays up", self.file, self.point);
        SafeText::new(&text)
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        let name = names(&cx.effect, self.of.as_deref()).copy;
        let looked = async { cache(cx)?.beside(&name).await };
        match looked.await {
            Ok(None) => Standing::NotDone,
            Ok(Some(LiesBeside { made_by: Some(effect) })) if effect == cx.effect => Standing::Done,
            Ok(Some(_)) => Standing::Partly("a half-made copy is there; it is made anew".into()),
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        let dump = point_folder(&cx.look, &self.point)?.join(&self.file);
        let path = dump.clone();
        let found = blocking(move || hash(&path)).await?;
        if found != self.sha256 {
            let message = format!(
                "could not restore {}: its sha256 is {}, the manifest says {}",
                dump.display(),
                found.short(),
                self.sha256.short()
            );
            return Err(Error::new(Kind::Rejected, message));
        }
        fault::at_step("B4", cx.step.as_str());
        let (progress, clock, pace) = (cx.progress.clone(), cx.look.clock.clone(), Pace::default());
        let told = move |done: u64, all: u64| {
            progress.measure(&pace, "loading the keys", (done, all), clock.ticks());
        };
        let cache = cache(&cx.look)?;
        let name = names(&cx.look.effect, self.of.as_deref()).copy;
        let order = CacheCopy { dump: &dump, name: &name, effect: &cx.look.effect };
        let held = cache.restore_beside(&order, &told).await?;
        fault::at_step("B5", cx.step.as_str());
        let wrong = self.keys.as_ref().map(|keys| keys.wrong(&held)).unwrap_or_default();
        if !wrong.is_empty() {
            let message = format!("could not restore Redis whole: {}", wrong.join("; "));
            return Err(Error::new(Kind::Rejected, message));
        }
        fault::at_step("B7", cx.step.as_str());
        let live = match cache.keys().await {
            Ok(live) => format!("the live one holds {}", keys::words(&live)),
            Err(error) => format!("the live one cannot be counted: {}", error.message),
        };
        let proof =
            if self.keys.is_some() { "as the manifest says" } else { "nothing says how many" };
        Ok(SafeText::new(&format!("{} beside ({proof}); {live}", keys::words(&held))))
    }
}
