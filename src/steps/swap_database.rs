//! Puts the restored database in the place of the live one, which is kept (design 17).

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, fault};
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::data::{Names, database, names};
use super::place::beside;
use super::{LookCx, Step, StepCx, ended_now};

/// The live database is the restored one; the one before is kept as `_failed_<run>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwapDatabase {
    /// A file by which the application says that this data is damaged: it goes where the data
    /// goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<PathBuf>,
    /// Whether this takes the swap back: the one before is the live one again, and the other is
    /// kept as `_left_<run>`, for it may hold what was written meanwhile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo: bool,
    /// The run whose copy it is, where that is not the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

impl SwapDatabase {
    fn names(&self, cx: &LookCx) -> Names {
        names(&cx.effect, self.of.as_deref())
    }

    /// What takes the place, and what the live one becomes.
    async fn sides(&self, cx: &LookCx) -> Result<(String, String), Error> {
        let names = self.names(cx);
        if self.undo {
            return Ok((names.kept, names.left));
        }
        let copied = database(cx)?.beside(&names.copy).exists().await?;
        Ok((if copied { names.copy } else { names.left }, names.kept))
    }

    /// Takes the marker along, before the data goes.
    fn move_marker(&self, cx: &LookCx) -> Result<(), Error> {
        let Some(live) = &self.marker else { return Ok(()) };
        let kept = beside(live, &self.names(cx).kept);
        let (from, to) = if self.undo { (&kept, live) } else { (live, &kept) };
        move_file(from, to).map_err(|e| Error::io("put away", from.display(), &e))
    }
}

/// Moves a file that may not be there; one that was moved already stays.
fn move_file(from: &Path, to: &Path) -> std::io::Result<()> {
    match std::fs::rename(from, to) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        moved => moved,
    }
}

#[async_trait]
impl Step for SwapDatabase {
    fn title(&self) -> SafeText {
        if self.undo { "swap the databases back".into() } else { "swap the databases".into() }
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
        let lines = database(cx)
            .map(|database| database.restore_by_hand(Path::new(""), &new, &keep).last().cloned());
        lines.ok().flatten().iter().map(|line| SafeText::new(line)).collect()
    }

    async fn preview(&self, _cx: &LookCx) -> SafeText {
        if self.undo {
            "the one before is the live one again".into()
        } else {
            "what was written after the point is only in the kept one".into()
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        let looked = async {
            let live = database(cx)?;
            let names = self.names(cx);
            let there = async |name: &str| live.beside(name).exists().await;
            let new = there(&names.copy).await? || there(&names.left).await?;
            let kept = there(&names.kept).await?;
            Ok::<_, Error>(stands(self.undo, new, kept))
        };
        looked.await.unwrap_or_else(|error| Standing::CannotTell(SafeText::new(&error.message)))
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        fault::at_step("B4", cx.step.as_str());
        self.move_marker(&cx.look)?;
        let database = database(&cx.look)?;
        let note = if self.undo && self.standing(&cx.look).await == Standing::Done {
            // Only what was put away for it comes back.
            let names = self.names(&cx.look);
            database.swap(&names.kept, &names.copy).await.ok();
            "it was not swapped".into()
        } else {
            let (new, keep) = self.sides(&cx.look).await?;
            database.swap(&new, &keep).await?
        };
        fault::at_step("B5", cx.step.as_str());
        fault::at_step("B7", cx.step.as_str());
        Ok(note)
    }
}

/// Where a swap stands, by what lies beside the live data: the new one, and the one before.
pub(super) fn stands(undo: bool, new: bool, kept: bool) -> Standing {
    match (new, kept) {
        (true, false) if undo => Standing::Done,
        (false, true) if undo => Standing::NotDone,
        (false, true) => Standing::Done,
        (true, false) => Standing::NotDone,
        (true, true) => Standing::Partly("both lie beside the live data: it is half-way".into()),
        (false, false) => {
            Standing::Partly("neither the new one nor the one before is there".into())
        }
    }
}
