//! Brings configuration and environment files of a restore point back; what is there now is kept
//! in the run's folder (S-22).

use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, Kind, fault};
use crate::model::entry::Standing;
use crate::model::ids::Digest;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::data::{blocking, hash, replace};
use super::{LookCx, Step, StepCx, ended_now};

/// Every file is byte for byte what the plan says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreConfig {
    /// The files.
    pub files: Vec<ConfigFile>,
    /// Whether this takes such a step back: then what that one kept is brought back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo: bool,
    /// The run that kept what is brought back, where that is not the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

/// One file of configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// Where it is in use.
    pub path: PathBuf,
    /// Where it lies in the restore point.
    pub from: PathBuf,
    /// What it must be.
    pub sha256: Digest,
}

/// Where a run keeps the files that it replaces: beside the steps' own folders, for the way back.
fn kept(cx: &LookCx, of: Option<&str>) -> PathBuf {
    let run = cx.slot.parent().unwrap_or(&cx.slot);
    of.map_or_else(|| run.to_owned(), |of| run.with_file_name(of)).join("config.before")
}

fn number(at: usize, path: &Path) -> String {
    format!("{at}-{}", path.file_name().unwrap_or_default().to_string_lossy())
}

impl RestoreConfig {
    /// What each file must be: by the plan, or as it was before.
    fn wanted(&self, cx: &LookCx) -> Vec<(PathBuf, PathBuf, Option<Digest>)> {
        let folder = kept(cx, self.of.as_deref());
        let files = self.files.iter().enumerate();
        files
            .map(|(at, file)| {
                if self.undo {
                    (file.path.clone(), folder.join(number(at, &file.path)), None)
                } else {
                    (file.path.clone(), file.from.clone(), Some(file.sha256.clone()))
                }
            })
            .collect()
    }

    fn look(&self, cx: &LookCx) -> Result<Standing, Error> {
        let mut different = Vec::new();
        let wanted = self.wanted(cx);
        for (path, from, digest) in &wanted {
            let digest = match digest {
                Some(digest) => digest.clone(),
                None if from.exists() => hash(from)?,
                // Nothing was kept, so nothing was replaced.
                None => continue,
            };
            if !path.exists() || hash(path)? != digest {
                different.push(path.display().to_string());
            }
        }
        Ok(match different.len() {
            0 => Standing::Done,
            some if some == wanted.len() => Standing::NotDone,
            _ => Standing::Partly(SafeText::new(&format!("not yet: {}", different.join(", ")))),
        })
    }

    fn restore(&self, cx: &LookCx) -> Result<usize, Error> {
        let folder = kept(cx, self.of.as_deref());
        if !self.undo {
            fs::create_dir_all(&folder).map_err(|e| Error::io("make", folder.display(), &e))?;
        }
        let mut changed = 0;
        for (at, (path, from, digest)) in self.wanted(cx).into_iter().enumerate() {
            if self.undo && !from.exists() {
                continue;
            }
            let text = fs::read(&from).map_err(|e| Error::io("read", from.display(), &e))?;
            if digest.is_some_and(|digest| Digest::of(&text) != digest) {
                let message = format!(
                    "could not restore {}: {} is not what it was when the plan was made",
                    path.display(),
                    from.display()
                );
                return Err(Error::new(Kind::Rejected, message));
            }
            let keep = folder.join(number(at, &path));
            if !self.undo && path.exists() && !keep.exists() {
                let now = fs::read(&path).map_err(|e| Error::io("read", path.display(), &e))?;
                replace(&keep, &now)?;
            }
            replace(&path, &text)?;
            changed += 1;
        }
        Ok(changed)
    }
}

#[async_trait]
impl Step for RestoreConfig {
    fn title(&self) -> SafeText {
        let files = self.files.len();
        let verb = if self.undo { "bring back" } else { "restore" };
        SafeText::new(&format!("{verb} the configuration ({files} files)"))
    }

    fn class(&self) -> Class {
        Class::Converge
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let line = |(path, from, _): &(PathBuf, PathBuf, _)| {
            SafeText::new(&format!("cp -p {} {}", from.display(), path.display()))
        };
        self.wanted(cx).iter().map(line).collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        let differ = |file: &&ConfigFile| hash(&file.path).ok().as_ref() != Some(&file.sha256);
        let names: Vec<String> =
            self.files.iter().filter(differ).map(|file| file.path.display().to_string()).collect();
        match self.standing(cx).await {
            Standing::Done => "as it was".into(),
            Standing::NotDone | Standing::Partly(_) => {
                SafeText::new(&format!("changes {}", names.join(", ")))
            }
            Standing::CannotTell(why) => why,
        }
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        let (step, cx) = (self.clone(), cx.clone());
        let looked = blocking(move || step.look(&cx)).await;
        looked.unwrap_or_else(|error| Standing::CannotTell(SafeText::new(&error.message)))
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        fault::at_step("B4", cx.step.as_str());
        let (step, look) = (self.clone(), cx.look.clone());
        let changed = blocking(move || step.restore(&look)).await?;
        fault::at_step("B5", cx.step.as_str());
        fault::at_step("B7", cx.step.as_str());
        Ok(SafeText::new(&format!(
            "{changed} files, those before are in {}",
            kept(&cx.look, self.of.as_deref()).display()
        )))
    }
}
