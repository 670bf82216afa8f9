//! Puts the restored Redis in the place of the live one, which is kept (design 17, W-52).

use std::path::Path;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, fault};
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::data::{Names, names};
use super::restore_cache::cache;
use super::swap_database::stands;
use super::{LookCx, Step, StepCx, ended_now};

/// The live Redis is the restored one; the one before is kept as `_failed_<run>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwapCache {
    /// Whether this takes the swap back; what was live until then is kept as `_left_<run>`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo: bool,
    /// The run whose copy it is, where that is not the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

impl SwapCache {
    fn names(&self, cx: &LookCx) -> Names {
        names(&cx.effect, self.of.as_deref())
    }

    /// What takes the place, and what the live one becomes.
    async fn sides(&self, cx: &LookCx) -> Result<(String, String), Error> {
        let names = self.names(cx);
        if self.undo {
            return Ok((names.kept, names.left));
        }
        let copied = cache(cx)?.beside(&names.copy).await?.is_some();
        let left = !copied && cache(cx)?.beside(&names.left).await?.is_some();
        Ok((if left { names.left } else { names.copy }, names.kept))
    }
}

#[async_trait]
impl Step for SwapCache {
    fn title(&self) -> SafeText {
        if self.undo { "swap Redis back".into() } else { "swap Redis".into() }
    }

    fn class(&self) -> Class {
        Class::Probed
    }

    fn hazard(&self) -> Hazard {
        if self.undo { Hazard::Reversible } else { Hazard::LosesData }
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let names = self.names(cx);
        let (new, keep) =
            if self.undo { (names.kept, names.left) } else { (names.copy, names.kept) };
        let line = cache(cx).map(|cache| cache.restore_by_hand(Path::new(""), &new, &keep).1);
        line.iter().map(|line| SafeText::new(line)).collect()
    }

    async fn preview(&self, _cx: &LookCx) -> SafeText {
        if self.undo {
            "the one before is the live one again".into()
        } else {
            "keys that were set after the point are only in the kept one".into()
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        let looked = async {
            let cache = cache(cx)?;
            let names = self.names(cx);
            let there = async |name: &str| Ok::<_, Error>(cache.beside(name).await?.is_some());
            let new = there(&names.copy).await? || there(&names.left).await?;
            let kept = there(&names.kept).await?;
            let stands = stands(self.undo, new, kept);
            // Folders that lie right are no server that serves.
            if stands == Standing::Done && cache.keys().await.is_err() {
                return Ok(Standing::Partly("the files are swapped; Redis does not answer".into()));
            }
            Ok::<_, Error>(stands)
        };
        looked.await.unwrap_or_else(|error| Standing::CannotTell(SafeText::new(&error.message)))
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        fault::at_step("B4", cx.step.as_str());
        let cache = cache(&cx.look)?;
        let note = if self.undo && self.standing(&cx.look).await == Standing::Done {
            "it was not swapped".into()
        } else {
            let (new, keep) = self.sides(&cx.look).await?;
            cache.swap(&new, &keep).await?
        };
        fault::at_step("B5", cx.step.as_str());
        fault::at_step("B7", cx.step.as_str());
        Ok(note)
    }
}
