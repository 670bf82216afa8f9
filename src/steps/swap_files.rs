//! Puts the restored folder of files in the place of the live one, which is kept (design 17).

use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::data::{blocking, names};
use super::place::{self, beside, settle};
use super::swap_database::stands;
use super::{LookCx, Step, StepCx, ended_now};

/// The live folder is the restored one; the one before is kept as `_failed_<run>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwapFiles {
    /// The live folder.
    pub into: PathBuf,
    /// Whether this takes the swap back; what was live until then is kept as `_left_<run>`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo: bool,
    /// The run whose copy it is, where that is not the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

impl SwapFiles {
    /// What is beside the live folder: the copy, the one before, the one after.
    fn places(&self, effect: &str) -> [PathBuf; 3] {
        let names = names(effect, self.of.as_deref());
        [names.copy, names.kept, names.left].map(|name| beside(&self.into, &name))
    }

    /// The name of what the live folder becomes.
    fn keeps(&self, effect: &str) -> String {
        let names = names(effect, self.of.as_deref());
        if self.undo { names.left } else { names.kept }
    }

    /// What takes the place, and what the live folder becomes.
    fn sides(&self, effect: &str) -> (PathBuf, PathBuf) {
        let [copy, kept, left] = self.places(effect);
        match (self.undo, copy.exists()) {
            (true, _) => (kept, left),
            (false, true) => (copy, kept),
            (false, false) => (left, kept),
        }
    }
}

/// Puts the folder `new` in the place of `live` and keeps that as `keep`. For a moment there is
/// none under the name: nobody works on it then, and no state in between looks like another.
fn swap(live: &Path, new: &Path, keep: &Path, back: bool) -> Result<(), Error> {
    let io = |e: std::io::Error| Error::io("swap", live.display(), &e);
    if !new.exists() {
        if back || keep.exists() {
            return Ok(());
        }
        let message = format!("could not swap {}: {} is gone", live.display(), new.display());
        return Err(Error::new(Kind::NotFound, message));
    }
    if live.exists() {
        if !place::cleared(keep) {
            let message = format!("could not keep {}: {} is there", live.display(), keep.display());
            return Err(Error::new(Kind::Rejected, message));
        }
        fs::rename(live, keep).map_err(io)?;
    } else if !keep.exists() && !back {
        // The proof that the swap was made, and what taking it back needs.
        fs::create_dir(keep).map_err(io)?;
    }
    fs::rename(new, live).map_err(io)?;
    [keep, new, live].into_iter().try_for_each(settle)
}

#[async_trait]
impl Step for SwapFiles {
    fn title(&self) -> SafeText {
        let back = if self.undo { " back" } else { "" };
        SafeText::new(&format!("swap the files{back}"))
    }

    fn class(&self) -> Class {
        Class::Probed
    }

    fn hazard(&self) -> Hazard {
        if self.undo { Hazard::Reversible } else { Hazard::LosesData }
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let (new, keep) = self.sides(&cx.effect);
        let live = self.into.display();
        let line = format!("mv {live} {} && mv {} {live}", keep.display(), new.display());
        vec![SafeText::new(&line)]
    }

    async fn preview(&self, _cx: &LookCx) -> SafeText {
        SafeText::new(&self.into.display().to_string())
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        let [copy, kept, left] = self.places(&cx.effect);
        stands(self.undo, copy.exists() || left.exists(), kept.exists())
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        let (new, keep) = self.sides(&cx.look.effect);
        fault::at_step("B4", cx.step.as_str());
        let (live, kept, back) = (self.into.clone(), keep.clone(), self.undo);
        if !keep.exists() {
            place::make(&cx.look, &self.into, &self.keeps(&cx.look.effect)).await?;
        }
        blocking(move || swap(&live, &new, &kept, back)).await?;
        let names = names(&cx.look.effect, self.of.as_deref());
        for name in [names.copy, names.kept, names.left] {
            place::forget(&cx.look, &self.into, &name).await;
        }
        fault::at_step("B5", cx.step.as_str());
        fault::at_step("B7", cx.step.as_str());
        Ok(SafeText::new(&format!("those before are kept as {}", keep.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each folder of `at` holds.
    fn holds(at: &Path) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = fs::read_dir(at)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let text = fs::read_to_string(entry.path().join("a")).unwrap_or_default();
                (entry.file_name().into_string().unwrap(), text)
            })
            .collect();
        all.sort();
        all
    }

    #[test]
    fn a_swap_of_folders_twice_is_once_and_one_cut_off_goes_on_or_comes_back() {
        for cut in [false, true] {
            let stage = tempfile::tempdir().unwrap();
            let at = |name: &str| stage.path().join(name);
            for (name, text) in [("live", "old"), ("copy", "new")] {
                fs::create_dir(at(name)).unwrap();
                fs::write(at(name).join("a"), text).unwrap();
            }
            let before = holds(stage.path());
            let forward = || swap(&at("live"), &at("copy"), &at("kept"), false);
            let back = || swap(&at("live"), &at("kept"), &at("left"), true);
            let half = || fs::rename(at("live"), at("kept")).unwrap();
            if cut {
                half();
                back().unwrap();
                assert_eq!(holds(stage.path()), before, "what was begun is taken back");
                half();
            }
            let text = |all: &[(&str, &str)]| -> Vec<(String, String)> {
                all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
            };
            for _ in 0..2 {
                forward().unwrap();
                assert_eq!(holds(stage.path()), text(&[("kept", "old"), ("live", "new")]));
            }
            for _ in 0..2 {
                back().unwrap();
                assert_eq!(holds(stage.path()), text(&[("left", "new"), ("live", "old")]));
            }
        }
    }

    #[test]
    fn where_there_was_no_folder_an_empty_one_says_so_and_none_of_others_is_replaced() {
        let stage = tempfile::tempdir().unwrap();
        let at = |name: &str| stage.path().join(name);
        fs::create_dir(at("copy")).unwrap();
        swap(&at("live"), &at("copy"), &at("kept"), false).unwrap();
        assert_eq!((at("live").exists(), at("kept").exists()), (true, true));
        fs::create_dir(at("copy")).unwrap();
        let refused = swap(&at("live"), &at("copy"), &at("kept"), false).unwrap_err();
        assert!(refused.message.contains("is there"), "{refused}");
    }
}
