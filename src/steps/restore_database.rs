//! Restores the database of a point into a new one beside the live one (design 17, W-13, W-31).

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::database::{Database, Recovery};
use crate::adapters::{Error, Kind, fault};
use crate::evidence::pace::Pace;
use crate::model::entry::Standing;
use crate::model::ids::Digest;
use crate::model::plan::{Class, Hazard};
use crate::model::until::Until;
use crate::text::SafeText;

use super::data::{blocking, database, hash, names, point_folder};
use super::{LookCx, Step, StepCx, ended_now};

/// A database with the point's dump in it is beside the live one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreDatabase {
    /// The restore point.
    pub point: String,
    /// The dump's file name in it.
    #[serde(default = "dump")]
    pub file: String,
    /// What the dump must be.
    pub sha256: Digest,
    /// Up to where the server's logs are replayed, where `file` is a base backup (S-35).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// The run whose copy it is, where that is not the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

fn dump() -> String {
    "database.sql.gz".to_owned()
}

impl RestoreDatabase {
    fn name(&self, cx: &LookCx) -> String {
        names(&cx.effect, self.of.as_deref()).copy
    }

    fn beside(&self, cx: &LookCx) -> Result<Arc<dyn Database>, Error> {
        Ok(database(cx)?.beside(&self.name(cx)))
    }
}

#[async_trait]
impl Step for RestoreDatabase {
    fn title(&self) -> SafeText {
        match &self.until {
            None => "restore the database beside the live one".into(),
            Some(_) => "recover the server beside the live one".into(),
        }
    }

    fn class(&self) -> Class {
        Class::Probed
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let names = names(&cx.effect, self.of.as_deref());
        let (Ok(database), Ok(folder)) = (database(cx), point_folder(cx, &self.point)) else {
            return Vec::new();
        };
        let lines = database.restore_by_hand(&folder.join(&self.file), &names.copy, &names.kept);
        // The swap is another step's.
        lines.iter().take(lines.len().saturating_sub(1)).map(|line| SafeText::new(line)).collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        if let Some(until) = &self.until {
            let zone = match (database(cx), until.time()) {
                (Ok(database), Some(at)) => database.zone(at).await.ok().flatten(),
                (Ok(_) | Err(_), _) => None,
            };
            let text = format!(
                "{} of {}, logs replayed {}, the live one stays up",
                self.file,
                self.point,
                until.words(zone.as_ref())
            );
            return SafeText::new(&text);
        }
        SafeText::new(&format!("{} of {}, the live one stays up", self.file, self.point))
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        let looked = async {
            let beside = self.beside(cx)?;
            if !beside.exists().await? {
                return Ok(Standing::NotDone);
            }
            let whole = beside.has_effect(&cx.effect).await.unwrap_or(false);
            let half = Standing::Partly("a half-made copy is there; it is made anew".into());
            Ok::<_, Error>(if whole { Standing::Done } else { half })
        };
        looked.await.unwrap_or_else(|error| Standing::CannotTell(SafeText::new(&error.message)))
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        let dump = point_folder(&cx.look, &self.point)?.join(&self.file);
        cx.tell("reading the backup through", None);
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
        let (progress, clock) = (cx.progress.clone(), cx.look.clock.clone());
        let pace = Pace::default();
        let told = move |done: u64, all: u64| {
            progress.measure(&pace, "restoring the database", (done, all), clock.ticks());
        };
        let name = self.name(&cx.look);
        let live = database(&cx.look)?;
        let effect = cx.look.effect.as_str();
        let note = if let Some(until) = &self.until {
            let order = Recovery { base: &dump, until, name: &name, effect };
            Some(live.recover_beside(&order, &told).await?)
        } else {
            live.restore_beside(&dump, &name, effect, &told).await?;
            None
        };
        fault::at_step("B5", cx.step.as_str());
        fault::at_step("B7", cx.step.as_str());
        if let Some(note) = note {
            return Ok(note);
        }
        Ok(SafeText::new(&format!("beside the live one as {}", self.beside(&cx.look)?.name())))
    }
}
