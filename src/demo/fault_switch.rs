//! How a running app learns what is wrong with it: by looking at its `fault.json`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;

use super::disk::read_json;
use super::fault::{Fault, FaultFile};

/// How often the file is looked at.
const EVERY: Duration = Duration::from_millis(50);

/// The file, and who is told when it changes.
#[derive(Debug)]
pub struct FaultSwitch {
    path: PathBuf,
    seen: Option<Signature>,
    told: watch::Sender<Option<Fault>>,
}

/// What is wrong by the file at `path`. A fault belongs to the release that lay beside it when it
/// was made: it does not come back with another one.
pub fn fault_of(path: &Path) -> Option<Fault> {
    let made = fs::metadata(path).and_then(|found| found.modified()).ok()?;
    let laid = fs::metadata(path.with_file_name("release.json")).and_then(|found| found.modified());
    if laid.is_ok_and(|laid| laid > made) {
        return None;
    }
    read_json::<FaultFile>(path).ok().map(|file| file.fault)
}

/// What differs between two versions of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Signature {
    inode: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl FaultSwitch {
    /// Looks at `path` for the first time.
    pub fn new(path: PathBuf) -> (Self, watch::Receiver<Option<Fault>>) {
        let (told, faults) = watch::channel(None);
        let mut switch = Self { path, seen: None, told };
        switch.look();
        (switch, faults)
    }

    /// Reads the file if it is another one than last time. An unreadable file counts as healthy.
    pub fn look(&mut self) {
        let seen = fs::metadata(&self.path).ok().map(|found| Signature {
            inode: found.ino(),
            seconds: found.mtime(),
            nanoseconds: found.mtime_nsec(),
        });
        if seen == self.seen {
            return;
        }
        self.seen = seen;
        self.told.send_replace(fault_of(&self.path));
    }

    /// Goes on looking until the app ends.
    pub async fn follow(mut self, clock: Clock) {
        while !self.told.is_closed() {
            clock.sleep(EVERY).await;
            self.look();
        }
    }
}
