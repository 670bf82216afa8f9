//! The log file of an app: lines with a level and a request id, some with a stack trace below.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use crate::adapters::Error;

use super::disk::stamp;

/// The size at which a log is set aside as `app.log.1`, in bytes.
const LIMIT: u64 = 16 * 1024 * 1024;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// All is well.
    Info,
    /// Something to know.
    Warn,
    /// A request or the app failed.
    Error,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// An open log file.
#[derive(Debug)]
pub struct AppLog {
    path: PathBuf,
    limit: u64,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    size: u64,
}

impl AppLog {
    /// Opens a log for appending.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::with_limit(path, LIMIT)
    }

    fn with_limit(path: &Path, limit: u64) -> Result<Self, Error> {
        Ok(Self {
            open: Mutex::new(open(path).map_err(|e| Error::io("open", path.display(), &e))?),
            path: path.to_owned(),
            limit,
        })
    }

    /// Writes one entry. A log that cannot be written does not stop the app.
    pub fn write(&self, at: DateTime<Utc>, level: Level, request_id: &str, message: &str) {
        let word = level.word();
        let text = format!("{} {word} request_id={request_id} {message}\n", stamp(at));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.size >= self.limit {
            self.rotate(&mut open);
        }
        if open.file.write_all(text.as_bytes()).is_ok() {
            open.size += text.len() as u64;
        }
    }

    fn rotate(&self, current: &mut Open) {
        let mut old = self.path.clone().into_os_string();
        old.push(".1");
        if fs::rename(&self.path, old).is_ok()
            && let Ok(fresh) = open(&self.path)
        {
            *current = fresh;
        }
    }
}

fn open(path: &Path) -> std::io::Result<Open> {
    let file = File::options().create(true).append(true).open(path)?;
    let size = file.metadata()?.len();
    Ok(Open { file, size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_is_set_aside_and_no_line_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.log");
        let log = AppLog::with_limit(&path, 100).unwrap();
        let at = "2026-11-22T01:02:03.456Z".parse().unwrap();
        log.write(at, Level::Error, "8f2c", &format!("broke\n    at {}", "x".repeat(90)));
        log.write(at, Level::Info, "8f2d", "GET /health 200");
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "2026-11-22T01:02:03.456Z INFO request_id=8f2d GET /health 200\n"
        );
        let old = fs::read_to_string(dir.path().join("app.log.1")).unwrap();
        assert!(old.starts_with("2026-11-22T01:02:03.456Z ERROR request_id=8f2c broke\n    at x"));
    }
}
