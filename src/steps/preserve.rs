//! Keeps logs and state before any step that destroys (design 16).

use std::path::PathBuf;

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
    async fn keep(&self, cx: &StepCx) -> Result<Index, Error> {
        let mut missing = Vec::new();
        for color in &self.colors {
            if *cx.cancel.borrow() {
                return Err(ended_now());
            }
            cx.tell(&format!("keeping the state of {color}"), None);
            let dir = evidence::folder(&cx.look.evidence, color.as_str())?;
            if let Err(error) = cx.look.workload.preserve(color, &dir).await {
                missing.push(Missing {
                    name: SafeText::new(color.as_str()),
                    why: SafeText::new(&error.message),
                });
            }
        }
        fault::at_step("B5", cx.step.as_str());
        cx.tell(&format!("keeping {} logs", cx.look.logs.len()), None);
        let (dir, at) = (cx.look.evidence.clone(), cx.look.clock.now());
        let folders: Vec<String> = self.colors.iter().map(|c| c.0.clone()).collect();
        let logs: Vec<Source> = cx
            .look
            .logs
            .iter()
            .map(|(name, path)| Source { name: name.clone(), path: path.clone() })
            .collect();
        blocking(move || evidence::keep(&dir, &folders, &logs, missing, LOG_LIMIT, at)).await
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

async fn verified(dir: PathBuf) -> Result<Option<Index>, Error> {
    blocking(move || evidence::verify(&dir)).await
}

fn summary(index: &Index) -> SafeText {
    let mut text = format!("{} files, {} kB kept", index.files.len(), index.bytes().div_ceil(1000));
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
        let bytes: u64 = cx
            .logs
            .iter()
            .filter_map(|(_, path)| std::fs::metadata(path).ok())
            .map(|found| found.len().min(LOG_LIMIT))
            .sum();
        SafeText::new(&format!(
            "{} logs, {} kB, state of {}",
            cx.logs.len(),
            bytes.div_ceil(1000),
            self.colors.iter().map(Color::as_str).collect::<Vec<_>>().join(" and ")
        ))
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        match verified(cx.evidence.clone()).await {
            Ok(Some(_)) => Standing::Done,
            Ok(None) => Standing::NotDone,
            Err(error) => Standing::Partly(SafeText::new(&error.message)),
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        // What an earlier attempt kept is nearer to the failure than what is there now.
        if let Ok(Some(index)) = verified(cx.look.evidence.clone()).await {
            return Ok(summary(&index));
        }
        fault::at_step("B4", cx.step.as_str());
        let index = self.keep(cx).await?;
        fault::at_step("B6", cx.step.as_str());
        fault::at_step("B7", cx.step.as_str());
        Ok(summary(&index))
    }
}
