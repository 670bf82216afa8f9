//! Removes a copy that was restored beside the live data and is not used: only ever one of this
//! run's own, by its name.

use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, fault};
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::data::{blocking, database, names};
use super::place::{self, beside};
use super::restore_cache::cache;
use super::{LookCx, Step, StepCx};

/// Neither the database's copy nor that of Redis nor the files' copy of this run is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveCopy {
    /// Whether it is the database's.
    #[serde(default)]
    pub database: bool,
    /// The live folder of files whose copy it is.
    #[serde(default)]
    pub files: Option<PathBuf>,
    /// Whether it is that of Redis.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cache: bool,
    /// The run whose copy it is, where that is not the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

impl RemoveCopy {
    async fn is_there(&self, cx: &LookCx) -> Result<bool, Error> {
        let name = names(&cx.effect, self.of.as_deref()).copy;
        let in_database = self.database && database(cx)?.beside(&name).exists().await?;
        let in_cache = self.cache && cache(cx)?.beside(&name).await?.is_some();
        Ok(in_database
            || in_cache
            || self.files.as_ref().is_some_and(|live| beside(live, &name).exists()))
    }
}

#[async_trait]
impl Step for RemoveCopy {
    fn title(&self) -> SafeText {
        "remove the copy that is not used".into()
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    async fn preview(&self, _cx: &LookCx) -> SafeText {
        "the live data stays".into()
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match self.is_there(cx).await {
            Ok(false) => Standing::Done,
            Ok(true) => Standing::NotDone,
            Err(error) => Standing::CannotTell(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        let name = names(&cx.look.effect, self.of.as_deref()).copy;
        fault::at_step("B4", cx.step.as_str());
        if self.database {
            database(&cx.look)?.remove_beside(&name).await?;
        }
        if self.cache {
            cache(&cx.look)?.remove_beside(&name).await?;
        }
        if let Some(live) = &self.files {
            let copy = beside(live, &name);
            blocking(move || match std::fs::remove_dir_all(&copy) {
                Ok(()) => Ok(()),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
                Err(e) => Err(Error::io("remove", copy.display(), &e)),
            })
            .await?;
            place::forget(&cx.look, live, &name).await;
        }
        fault::at_step("B5", cx.step.as_str());
        fault::at_step("B7", cx.step.as_str());
        Ok(SafeText::new("removed"))
    }
}
