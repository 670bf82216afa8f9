//! Unpacks the files of a point into a fresh folder beside the live one (S-33, W-01).

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::adapters::{Error, Kind, fault, rights};
use crate::evidence::archive::{Expected, Job, Limits, unpack};
use crate::evidence::manifest::Manifest;
use crate::evidence::pace::Pace;
use crate::evidence::points;
use crate::model::entry::Standing;
use crate::model::ids::Digest;
use crate::model::plan::{Class, Hazard};
use crate::text::SafeText;

use super::data::{blocking, hash, names, point_folder};
use super::place::{self, beside, unpacking};
use super::{LookCx, Step, StepCx, ended_now, proof};

/// A folder with the point's files is beside the live one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreFiles {
    /// The restore point.
    pub point: String,
    /// The archive's name in it.
    #[serde(default = "archive")]
    pub file: String,
    /// What the archive must be.
    pub sha256: Digest,
    /// The live folder.
    pub into: PathBuf,
    /// Leading folders of the archive that are left out.
    pub strip: usize,
    /// The run whose copy it is, where that is not the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

fn archive() -> String {
    "data.tar.gz".to_owned()
}

/// Removes what a cut-off attempt left.
fn clear(folder: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::io("remove", folder.display(), &e)),
    }
}

/// The one folder inside another.
fn only_folder(folder: &Path) -> Result<PathBuf, Error> {
    let io = |e: std::io::Error| Error::io("read", folder.display(), &e);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        found.push(entry.map_err(io)?.path());
    }
    match found.as_slice() {
        [one] if one.is_dir() => Ok(one.clone()),
        _ => {
            let message =
                format!("could not find the data in {}: not one folder", folder.display());
            Err(Error::new(Kind::Rejected, message))
        }
    }
}

impl RestoreFiles {
    fn copy(&self, cx: &LookCx) -> PathBuf {
        beside(&self.into, &names(&cx.effect, self.of.as_deref()).copy)
    }
}

#[async_trait]
impl Step for RestoreFiles {
    fn title(&self) -> SafeText {
        "restore the files beside the live ones".into()
    }

    fn class(&self) -> Class {
        Class::Probed
    }

    fn hazard(&self) -> Hazard {
        Hazard::Reversible
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let Ok(folder) = point_folder(cx, &self.point) else { return Vec::new() };
        let copy = self.copy(cx);
        let line = format!(
            "mkdir {} && tar -xzf {} --strip-components={} -C {}",
            copy.display(),
            folder.join(&self.file).display(),
            self.strip,
            copy.display()
        );
        vec![SafeText::new(&line)]
    }

    async fn preview(&self, _cx: &LookCx) -> SafeText {
        SafeText::new(&format!("{} of {} beside {}", self.file, self.point, self.into.display()))
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        // That it is whole is said in the step's own folder, for the copy is the application's.
        match (self.copy(cx).exists(), proof::is_there(&cx.slot)) {
            (true, true) => Standing::Done,
            (true, false) => Standing::Partly("a half-made copy is there; it is made anew".into()),
            (false, _) => Standing::NotDone,
        }
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        let archive = point_folder(&cx.look, &self.point)?.join(&self.file);
        let copy = self.copy(&cx.look);
        fault::at_step("B4", cx.step.as_str());
        let (progress, clock) = (cx.progress.clone(), cx.look.clock.clone());
        let (pace, wanted, strip) = (Pace::default(), self.sha256.clone(), self.strip);
        let (live, into) = (self.into.clone(), copy.clone());
        let whole = unpacking(&into);
        let (look, id) = (cx.look.clone(), self.point.clone());
        place::make(&cx.look, &live, &names(&cx.look.effect, self.of.as_deref()).copy).await?;
        let files = blocking(move || {
            for leftover in [&into, &whole] {
                clear(leftover)?;
            }
            if hash(&archive)? != wanted {
                let archive = archive.display();
                let message =
                    format!("could not restore {archive}: it is not what the manifest says");
                return Err(Error::new(Kind::Rejected, message));
            }
            let told = |done: u64, all: u64| {
                progress.measure(&pace, "restoring files", (done, all), clock.ticks());
            };
            let manifest =
                Manifest::read(&point_folder(&look, &id)?)?.map(|(manifest, _)| manifest);
            let file = std::fs::File::open(&archive)
                .map_err(|e| Error::io("open", archive.display(), &e))?;
            let job = Job {
                archive: &file,
                name: points::DATA,
                into: &whole,
                expected: manifest.as_ref().map(Expected::of),
                limits: Limits::default(),
                sync: true,
            };
            let found = unpack(&job, &told)?;
            // The data lies some folders deep in the archive, and becomes the copy itself.
            let mut inside = whole.clone();
            for _ in 0..strip {
                inside = only_folder(&inside)?;
            }
            if live.is_dir() {
                rights::like_folder(&live, &inside)?;
            }
            std::fs::rename(&inside, &into).map_err(|e| Error::io("place", into.display(), &e))?;
            clear(&whole)?;
            place::settle(&into)?;
            Ok(found.entries.len())
        })
        .await?;
        fault::at_step("B5", cx.step.as_str());
        proof::leave(&cx.look.slot)?;
        fault::at_step("B7", cx.step.as_str());
        Ok(SafeText::new(&format!("{files} files beside the live ones in {}", copy.display())))
    }
}
