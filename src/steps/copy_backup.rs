//! Copies the safety backup off this host before anything of the data is changed (P-14, P-19). What
//! is there already is not copied again.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::objects::Vault;
use crate::adapters::{Error, Kind, fault};
use crate::evidence::pace::Pace;
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::{LookCx, Step, StepCx, cancelled, ended_now, safety_backup};

/// The files of this run's safety backup lie at the configured place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyBackup {}

fn vault(cx: &LookCx) -> Result<&Vault, Error> {
    cx.vault.as_deref().ok_or_else(|| {
        let message = "could not copy the backup: the configuration names no place for it \
                       (backup.location)";
        Error::new(Kind::NotFound, message)
    })
}

#[async_trait]
impl Step for CopyBackup {
    fn title(&self) -> SafeText {
        "copy the safety backup off this host".into()
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Looks
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let Ok(vault) = vault(cx) else { return Vec::new() };
        let folder = cx.points.as_deref().unwrap_or_else(|| std::path::Path::new("."));
        let line = format!("aws s3 sync {}/NAME {}", folder.display(), vault.address("NAME"));
        vec![SafeText::new(&line)]
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        match vault(cx) {
            Ok(vault) => SafeText::new(&format!("to {}", vault.address("NAME"))),
            Err(error) => SafeText::new(&error.message),
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        let looked = async {
            let Some(point) = safety_backup::of_run(cx)? else { return Ok(None) };
            vault(cx)?.lacks(&point.path).await.map(|(_, lacking)| Some(lacking.len()))
        };
        match looked.await {
            Ok(Some(0)) => Standing::Done,
            Ok(None | Some(_)) => Standing::NotDone,
            Err(error) => Standing::Partly(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        let vault = vault(&cx.look)?;
        let point = safety_backup::of_run(&cx.look)?.ok_or_else(|| {
            let message = "could not copy the backup: this run has taken none";
            Error::new(Kind::NotFound, message)
        })?;
        fault::at_step("B4", cx.step.as_str());
        let pace = Pace::default();
        let says = |done: u64, all: u64| {
            cx.progress.measure(&pace, "copied", (done, all), cx.look.clock.ticks());
        };
        let mut cancel = cx.cancel.clone();
        fault::at_step("B5", cx.step.as_str());
        let bytes = tokio::select! {
            kept = vault.keep(&point.path, &says) => kept?,
            () = cancelled(&mut cancel) => return Err(ended_now()),
        };
        fault::at_step("B6", cx.step.as_str());
        fault::at_step("B7", cx.step.as_str());
        let address = vault.address(point.id.as_str());
        Ok(SafeText::new(&format!("{address}, {} kB", bytes.div_ceil(1000))))
    }
}
