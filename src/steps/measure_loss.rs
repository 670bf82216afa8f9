//! Counts what a swap would lose, with the writers held: rows that only the live data has.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::database::Database;
use crate::adapters::{Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::ids::Time;
use crate::model::loss::{Loss, LostRows, StoreTime};
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::data::{blocking, database, names, replace};
use super::place::beside;
use super::{LookCx, Step, StepCx};

/// The loss is on record in this step's folder; the rows lie in the run's evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasureLoss {
    /// The moment that the point holds.
    pub taken_at: Time,
    /// Whether logs were replayed up to a later moment (S-35).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub logs: bool,
    /// Whether a database was restored whose rows can be counted.
    #[serde(default = "yes")]
    pub rows: bool,
    /// The moment of the keys that were restored beside the live Redis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Time>,
    /// The live folder whose files were restored beside it.
    #[serde(default)]
    pub files: Option<PathBuf>,
}

fn yes() -> bool {
    true
}

impl MeasureLoss {
    /// Where the loss lies in a step's folder.
    pub fn file(slot: &Path) -> PathBuf {
        slot.join("loss.json")
    }

    async fn measure(&self, cx: &StepCx) -> Result<Loss, Error> {
        let copy = names(&cx.look.effect, None).copy;
        // Where only the server knew which moment a target is, it knows it now.
        let reached = match (self.logs, database(&cx.look)) {
            (true, Ok(live)) => live.beside(&copy).reached().await?,
            (true | false, Ok(_) | Err(_)) => None,
        };
        let from = reached.unwrap_or(self.taken_at);
        let mut loss = Loss {
            from,
            logs: self.logs,
            until: Some(cx.look.since.unwrap_or_else(|| cx.look.clock.now())),
            ..Loss::default()
        };
        if self.rows {
            loss.stores.push(StoreTime { store: "database".into(), at: from });
            rows(cx, &copy, &mut loss).await?;
        } else {
            loss.not_counted = "no database is restored".into();
        }
        // Keys have no time of their own: a replay of the database's logs brings none forward.
        if let Some(at) = self.cache {
            loss.stores.push(StoreTime { store: "redis".into(), at });
        }
        if let Some(live) = &self.files {
            let copied = beside(live, &copy);
            let newest = blocking(move || Ok(newest(&copied))).await?;
            let at = newest.map_or(self.taken_at, |newest| newest.max(self.taken_at));
            loss.stores.push(StoreTime { store: "files".into(), at });
        }
        Ok(loss)
    }
}

/// Counts and keeps the rows that only the live database has.
async fn rows(cx: &StepCx, copy: &str, loss: &mut Loss) -> Result<(), Error> {
    let live = database(&cx.look)?;
    let then = live.beside(copy).tables().await?;
    // A database that is too damaged to be read still has a loss in minutes.
    let (now, only) = match live.tables().await {
        Ok(now) => (Some(now), kept(cx, live.as_ref(), copy, loss).await),
        Err(error) => {
            loss.not_counted = SafeText::new(&error.message);
            (None, None)
        }
    };
    let held = |table: &str| {
        let now = now.as_ref()?;
        now.iter().find(|one| one.name == table).map(|one| one.rows)
    };
    let lost = |table: &str| {
        let found = only.as_ref()?;
        Some(found.iter().find(|(name, _)| name == table).map_or(0, |(_, rows)| *rows))
    };
    for table in &then {
        loss.tables.push(LostRows {
            table: SafeText::new(&table.name),
            then: table.rows,
            now: held(&table.name),
            lost: lost(&table.name),
            by_hand: SafeText::new(&live.copy_command(copy, &table.name).await),
        });
    }
    for table in now.iter().flatten().filter(|one| then.iter().all(|old| old.name != one.name)) {
        loss.tables.push(LostRows {
            table: SafeText::new(&table.name),
            then: 0,
            now: Some(table.rows),
            lost: lost(&table.name),
            by_hand: SafeText::default(),
        });
    }
    Ok(())
}

/// Writes what a swap would lose into the run's evidence. What cannot be read or written is said
/// instead of counted: the person who swaps all the same knows it, and the old database is kept.
async fn kept(
    cx: &StepCx,
    live: &dyn Database,
    copy: &str,
    loss: &mut Loss,
) -> Option<Vec<(String, u64)>> {
    let folder = cx.look.evidence.join("lost-rows");
    let made =
        std::fs::create_dir_all(&folder).map_err(|e| Error::io("write", folder.display(), &e));
    let only = match made {
        Ok(()) => live.only_here(copy, Some(&folder)).await,
        Err(error) => Err(error),
    };
    match only {
        Ok(found) => {
            if found.iter().any(|(_, rows)| *rows > 0) {
                loss.kept_in = SafeText::new(&folder.display().to_string());
            }
            Some(found)
        }
        Err(error) => {
            loss.not_counted = SafeText::new(&error.message);
            None
        }
    }
}

/// When the newest file below `folder` was written; nothing where there is none.
fn newest(folder: &Path) -> Option<Time> {
    let mut found = None;
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        let Ok(facts) = entry.metadata() else { continue };
        let at = if facts.is_dir() {
            newest(&entry.path())
        } else {
            facts.modified().ok().map(Time::from)
        };
        found = found.max(at);
    }
    found
}

#[async_trait]
impl Step for MeasureLoss {
    fn title(&self) -> SafeText {
        "count what a swap would lose".into()
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Looks
    }

    async fn preview(&self, _cx: &LookCx) -> SafeText {
        let at = self.taken_at.format("%Y-%m-%d %H:%M:%SZ");
        SafeText::new(&format!("rows that were written after {at}"))
    }

    async fn standing(&self, _cx: &LookCx) -> Standing {
        Standing::NotDone
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        cx.tell("comparing the copy with the live data", None);
        let loss = self.measure(cx).await?;
        fault::at_step("B5", cx.step.as_str());
        let text = serde_json::to_vec_pretty(&loss)
            .map_err(|e| Error::new(Kind::Local, format!("could not write the loss: {e}")))?;
        replace(&Self::file(&cx.look.slot), &text)?;
        Ok(SafeText::new(&loss.words(cx.look.clock.now())))
    }
}
