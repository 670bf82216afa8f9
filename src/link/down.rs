//! What is left to read when an engine did not stay up: the file `engine-down.json` and the end
//! of the engine's log.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::ids::Time;
use crate::text::SafeText;

use super::Error;

/// The most that is read of the end of a log, in bytes.
const TAIL_BYTES: u64 = 4 * 1024;
/// The most lines that are kept of it.
const TAIL_LINES: usize = 20;

/// Why a keeper gave its engine up; every console shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Down {
    /// When.
    pub at: Time,
    /// How the engine ended the last time: `exit code 101`, `signal 9`.
    pub last_exit: SafeText,
    /// The end of the engine's log.
    pub log_tail: Vec<SafeText>,
    /// What to type.
    pub command: SafeText,
}

impl Down {
    /// What a state folder says, or nothing when its engine was not given up.
    pub fn read(state: &Path) -> Option<Self> {
        let mut text = String::new();
        let file = File::open(Self::path(state)).ok()?;
        file.take(64 * 1024).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Writes it whole or not at all.
    pub(super) fn write(&self, state: &Path) -> Result<(), Error> {
        let path = Self::path(state);
        let beside = path.with_extension("new");
        let failed = |e| Error::io("write", &path, e);
        let text = serde_json::to_vec(self).map_err(|e| failed(e.into()))?;
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o640)
            .open(&beside)
            .map_err(failed)?;
        file.write_all(&text).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        std::fs::rename(&beside, &path).map_err(failed)
    }

    /// Forgets it: a new pair begins.
    pub(super) fn clear(state: &Path) {
        std::fs::remove_file(Self::path(state)).ok();
    }

    fn path(state: &Path) -> PathBuf {
        state.join("engine-down.json")
    }
}

/// Where the pair's output goes.
pub(super) fn log_file(state: &Path) -> PathBuf {
    state.join("engine.log")
}

/// The last lines of `log`, none of them from before byte `from`.
pub(super) fn log_tail(log: &Path, from: u64) -> Vec<SafeText> {
    let mut bytes = Vec::new();
    let read = File::open(log).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(from.max(length.saturating_sub(TAIL_BYTES))))?;
        file.take(TAIL_BYTES).read_to_end(&mut bytes)
    });
    if read.is_err() {
        return Vec::new();
    }
    let mut lines: Vec<SafeText> = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .map(SafeText::from_bytes)
        .collect();
    let surplus = lines.len().saturating_sub(TAIL_LINES);
    lines.drain(..surplus);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_keeper_writes_a_console_reads() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Down::read(dir.path()), None);
        let down = Down {
            at: chrono::DateTime::UNIX_EPOCH,
            last_exit: "signal 9".into(),
            log_tail: vec!["one".into(), "two".into()],
            command: "backout attach".into(),
        };
        down.write(dir.path()).unwrap();
        assert_eq!(Down::read(dir.path()), Some(down));
        Down::clear(dir.path());
        assert_eq!(Down::read(dir.path()), None);
    }

    #[test]
    fn the_tail_is_safe_short_and_from_this_start_only() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("engine.log");
        std::fs::write(&log, "old\nnew \x1b[2J\n\n").unwrap();
        assert_eq!(log_tail(&log, 4), [SafeText::from("new ␛[2J")]);
        std::fs::write(&log, "line\n".repeat(100_000)).unwrap();
        assert_eq!(log_tail(&log, 0).len(), TAIL_LINES);
        assert!(log_tail(&dir.path().join("none"), 0).is_empty());
    }
}
