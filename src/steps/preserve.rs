//! Keeps logs and state before any step that destroys (design 16).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, Kind, fault};
use crate::evidence::{self, Index, LOG_LIMIT, Missing, Source};
use crate::model::entry::Standing;
use crate::model::ids::Color;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::{LookCx, Step, StepCx, ended_now};

/// Logs of all sources, and state and settings of these colours, lie in the run's bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preserve {
    /// Whose state is kept.
    pub colors: Vec<Color>,
}

impl Preserve {
    async fn keep(&self, cx: &StepCx, into: &Path) -> Result<Index, Error> {
        let mut missing = Vec::new();
        for color in &self.colors {
            if *cx.cancel.borrow() {
                return Err(ended_now());
            }
            cx.tell(&format!("keeping the state of {color}"), None);
            let dir = evidence::folder(into, color.as_str())?;
            if let Err(error) = cx.look.workload.preserve(color, &dir).await {
                if error.kind == Kind::NoSpace {
                    return Err(error);
                }
                missing.push(Missing {
                    name: SafeText::new(color.as_str()),
                    why: SafeText::new(&error.message),
                });
            }
        }
        fault::at_step("B5", cx.step.as_str());
        cx.tell(&format!("keeping {} logs", cx.look.logs.len()), None);
        let (dir, at) = (into.to_owned(), cx.look.clock.now());
        let folders: Vec<String> = self.colors.iter().map(|c| c.0.clone()).collect();
        let logs: Vec<Source> = cx
            .look
            .logs
            .iter()
            .map(|(name, path)| Source { name: name.clone(), path: path.clone() })
            .collect();
        let redactor = Arc::clone(&cx.look.redactor);
        blocking(move || {
            let bounds = (LOG_LIMIT, &*redactor);
            evidence::keep(&dir, &folders, &logs, missing, bounds, at)
        })
        .await
    }
}

impl Preserve {
    /// Keeps the bundle where there may be room, or says that there is none.
    async fn keep_elsewhere(&self, cx: &StepCx, full: Error) -> Result<SafeText, Error> {
        let Some(dir) = elsewhere(&cx.look) else {
            let message = format!("{}; evidence.remote names no other folder for it", full.message);
            return Err(Error::new(Kind::NoSpace, message));
        };
        cx.tell("no space in the state folder: keeping it elsewhere", None);
        match self.keep(cx, &dir).await {
            Ok(index) => {
                let text = format!(
                    "{} in {}: no space in the state folder",
                    summary(&index),
                    dir.display()
                );
                Ok(SafeText::new(&text))
            }
            Err(error) if error.kind == Kind::Rejected => Err(error),
            Err(error) => {
                forget(&dir).await;
                let message = format!("{}; and elsewhere: {}", full.message, error.message);
                Err(Error::new(Kind::NoSpace, message))
            }
        }
    }
}

/// Runs file work beside the loop that everything else waits on.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| {
        let message = format!("could not keep evidence: {e}");
        Err(Error::new(Kind::Local, message))
    })
}

/// Where the bundle goes when there is no room for it in the state folder.
fn elsewhere(cx: &LookCx) -> Option<PathBuf> {
    let name = cx.evidence.file_name()?;
    cx.evidence_remote.as_ref().map(|remote| remote.join(name))
}

/// The whole bundle of this run and its folder, wherever it is.
async fn found(cx: &LookCx) -> Result<Option<(Index, PathBuf)>, Error> {
    for dir in std::iter::once(cx.evidence.clone()).chain(elsewhere(cx)) {
        if let Some(index) = verified(dir.clone()).await? {
            return Ok(Some((index, dir)));
        }
    }
    Ok(None)
}

/// What must stay free beside a bundle: the journal lies on the same disk, and it goes first.
const SPARE: u64 = 4 * 1024 * 1024;

/// Why the bundle does not fit into the state folder, when it does not.
fn crowded(cx: &LookCx) -> Option<Error> {
    let folder = cx.evidence.ancestors().find(|folder| folder.is_dir())?;
    let disk = rustix::fs::statvfs(folder).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let needed = bytes(cx).saturating_add(SPARE);
    (free < needed).then(|| {
        let message = format!(
            "{} kB are free in {}, {} kB are needed",
            free / 1000,
            folder.display(),
            needed.div_ceil(1000)
        );
        Error::new(Kind::NoSpace, message)
    })
}

/// How much the logs come to, at most.
fn bytes(cx: &LookCx) -> u64 {
    let found = cx.logs.iter().filter_map(|(_, path)| std::fs::metadata(path).ok());
    found.map(|found| found.len().min(LOG_LIMIT)).sum()
}

/// A half bundle takes the space that others need.
async fn forget(dir: &Path) {
    let dir = dir.to_owned();
    blocking(move || {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            // The break-glass sheet lies there too and stays.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                std::fs::remove_dir_all(entry.path()).ok();
            }
        }
        Ok(())
    })
    .await
    .ok();
}

async fn verified(dir: PathBuf) -> Result<Option<Index>, Error> {
    blocking(move || evidence::verify(&dir)).await
}

fn summary(index: &Index) -> SafeText {
    let log = |path: &str| path.starts_with("logs/") || path.ends_with("/container.log");
    let logs = index.files.iter().filter(|file| log(&file.path)).count();
    let (files, bytes) = (index.files.len(), index.bytes().div_ceil(1000));
    let mut text = format!("{files} files, {bytes} kB kept, {logs} of them logs");
    if !index.missing.is_empty() {
        let names: Vec<&str> = index.missing.iter().map(|m| m.name.as_str()).collect();
        text = format!("{text}; not kept: {}", names.join(", "));
    }
    SafeText::new(&text)
}

#[async_trait]
impl Step for Preserve {
    fn title(&self) -> SafeText {
        "preserve logs and state".into()
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Looks
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let dir = cx.evidence.display();
        cx.logs
            .iter()
            .map(|(_, path)| SafeText::new(&format!("cp -p {} {dir}/", path.display())))
            .collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        let colors = self.colors.iter().map(Color::as_str).collect::<Vec<_>>().join(" and ");
        // How much containers wrote is known only when it is read.
        let (own, more) = if cx.workload.keeps_logs() {
            (self.colors.len(), " and what the containers wrote")
        } else {
            (0, "")
        };
        SafeText::new(&format!(
            "{} logs, {} kB{more}, state of {colors}",
            cx.logs.len() + own,
            bytes(cx).div_ceil(1000)
        ))
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match found(cx).await {
            Ok(Some(_)) => Standing::Done,
            Ok(None) => Standing::NotDone,
            Err(error) => Standing::Partly(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        // What an earlier attempt kept is nearer to the failure than what is there now.
        if let Ok(Some((index, _))) = found(&cx.look).await {
            return Ok(summary(&index));
        }
        fault::at_step("B4", cx.step.as_str());
        if let Some(full) = crowded(&cx.look) {
            return self.keep_elsewhere(cx, full).await;
        }
        let index = match self.keep(cx, &cx.look.evidence).await {
            Ok(index) => index,
            Err(full) if full.kind == Kind::NoSpace => {
                forget(&cx.look.evidence).await;
                return self.keep_elsewhere(cx, full).await;
            }
            Err(error) => return Err(error),
        };
        fault::at_step("B6", cx.step.as_str());
        fault::at_step("B7", cx.step.as_str());
        Ok(summary(&index))
    }
}
