//! What lies in a slot: the command, that it began, how it ended.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::bug::Bug;
use crate::model::ids::Digest;
use crate::text::SafeText;

use super::super::process::Identity;
use super::super::{Error, Kind};

/// `command.json`: what to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCommand {
    /// Program and arguments; no shell.
    pub argv: Vec<String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// The whole of its environment.
    pub env: BTreeMap<String, String>,
    /// How long it and all it starts may take.
    pub budget: Duration,
    /// From the request to end until the kill.
    pub grace: Duration,
}

/// `started.json`: who runs it. Written before the tool begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The shim.
    pub shim: Identity,
    /// The boot under which it runs: under another one its pid means nothing.
    pub boot: String,
}

/// `outcome.json`: how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolOutcome {
    /// How.
    pub end: ToolEnd,
    /// How long it took, what it started included.
    pub took: Duration,
    /// What it wrote; nothing when the output never ended.
    pub output: Option<ToolOutput>,
    /// Processes that even a kill did not end in time.
    pub left: u32,
}

/// How a tool ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolEnd {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal that did not come from the shim.
    Signalled(i32),
    /// Its time was up, and it was ended.
    TimedOut,
    /// It was ended on request.
    Ended,
    /// It could not be started.
    NotStarted(SafeText),
}

/// What a tool wrote, kept in the slot's file `output`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolOutput {
    /// All bytes it wrote.
    pub bytes: u64,
    /// How many of them were left out of the middle.
    pub left_out: u64,
    /// The digest of the kept file.
    pub sha256: Digest,
}

/// What a look at a slot finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The tool was never started.
    NeverBegan,
    /// It, or something it started, runs.
    Running,
    /// It ended.
    Ended(ToolOutcome),
    /// It began, and nobody knows how it ended.
    CutOff,
}

/// A JSON file, or nothing when it is not there.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            let message = format!("could not read {}: {e}", path.display());
            Error::new(Kind::Rejected, message)
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("read", path.display(), &e)),
    }
}

/// Writes a JSON file whole or not at all, on the disk when this returns.
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
    let failed = |e: std::io::Error| Error::io("write", path.display(), &e);
    let bytes = serde_json::to_vec(value).map_err(|e| failed(e.into()))?;
    let beside = path.with_extension("new");
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .map_err(failed)?;
    file.write_all(&bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&beside, path))
        .and_then(|()| {
            if Bug::NoFolderSync.is_on() {
                return Ok(());
            }
            File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
        })
        .map_err(failed)
}
