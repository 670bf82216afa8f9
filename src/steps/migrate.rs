//! Takes one migration back with the failed release's own down script, in one transaction with the
//! copy of what it drops (S-27, W-12).

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::database::{Column, Limits, OURS, Script};
use crate::adapters::{Error, fault};
use crate::model::entry::Standing;
use crate::model::ids::{Digest, RunId};
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::data::{as_word, database, run_of};
use super::{LookCx, Step, StepCx, ended_now, migrate_trouble};

/// The ledger does not list `version` any more; what the script drops is kept in tables of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Migrate {
    /// The version that is taken back.
    pub version: i64,
    /// Its down script.
    pub script: PathBuf,
    /// What the script was when the plan was made; a changed one is refused.
    pub digest: Digest,
    /// What is copied away first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rescue: Vec<Column>,
    /// Whether it brings the version again, which is how such a step is taken back; what was saved
    /// is filled in again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub up: bool,
    /// The point that is offered instead when it fails, with what that loses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<String>,
    /// How long it may wait for a lock, in seconds.
    #[serde(default = "ten")]
    pub lock_seconds: u64,
    /// How long it may run, in seconds.
    #[serde(default = "three_minutes")]
    pub statement_seconds: u64,
}

impl Migrate {
    /// What begins the names of the tables that what it drops in `run` is copied to.
    fn rescue_to(&self, run: &str) -> String {
        format!("{OURS}rescue_{}_{}", as_word(run), self.version)
    }

    /// What was dropped in `run`, and the table of ours that holds it.
    pub fn rescued(&self, run: &RunId) -> Vec<(String, String)> {
        let to = self.rescue_to(run.as_str());
        self.rescue.iter().map(|what| (what.to_string(), what.rescued_in(&to))).collect()
    }
}

fn ten() -> u64 {
    10
}

fn three_minutes() -> u64 {
    180
}

#[async_trait]
impl Step for Migrate {
    fn title(&self) -> SafeText {
        let (before, after) = if self.up { ("bring", "again") } else { ("take", "back") };
        SafeText::new(&format!("{before} migration {} {after}", self.version))
    }

    fn class(&self) -> Class {
        Class::Atomic
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let line = cx.database.as_ref().map(|database| database.script_by_hand(&self.script));
        line.iter().map(|line| SafeText::new(line)).collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        let script = self.script.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let saved: Vec<String> = self.rescue.iter().map(ToString::to_string).collect();
        let saved = if saved.is_empty() {
            String::new()
        } else {
            format!(", {} is saved first", saved.join(", "))
        };
        match self.standing(cx).await {
            Standing::Done if self.up => SafeText::new(&format!("{} is applied", self.version)),
            Standing::Done => SafeText::new(&format!("{} is not applied", self.version)),
            Standing::NotDone => SafeText::new(&format!("{script}{saved}")),
            Standing::Partly(why) | Standing::CannotTell(why) => why,
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        let looked = async {
            let database = database(cx)?;
            if database.has_effect(&cx.effect).await? {
                return Ok(true);
            }
            let ledger = database.ledger().await?;
            // An empty ledger is no proof that a version was taken out of it.
            let there = ledger.iter().any(|applied| applied.version == self.version);
            Ok(!ledger.is_empty() && there == self.up)
        };
        match looked.await {
            Ok(true) => Standing::Done,
            Ok(false) => Standing::NotDone,
            Err(error) => {
                let error: Error = error;
                Standing::CannotTell(SafeText::new(&error.message))
            }
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        let script = Script {
            version: self.version,
            down: !self.up,
            path: self.script.clone(),
            digest: self.digest.clone(),
            rescue: self.rescue.clone(),
            rescue_to: self.rescue_to(&run_of(&cx.look.effect)),
        };
        let limits = Limits {
            lock: Duration::from_secs(self.lock_seconds),
            statement: Duration::from_secs(self.statement_seconds),
        };
        cx.tell(&format!("running {}", self.script.display()), None);
        fault::at_step("B4", cx.step.as_str());
        let done = database(&cx.look)?.run_script(&script, limits, &cx.look.effect).await;
        let note = match done {
            Ok(note) => note,
            Err(error) => {
                let point = self.point.as_deref();
                let mut error = migrate_trouble::explained(error, point, &cx.look).await;
                if !self.up {
                    // S-71's words.
                    let said = error.message;
                    error.message = format!("[DB-ROLLBACK] ERROR: Rollback script failed: {said}");
                }
                return Err(error);
            }
        };
        fault::at_step("B5", cx.step.as_str());
        fault::at_step("B7", cx.step.as_str());
        Ok(note)
    }
}
