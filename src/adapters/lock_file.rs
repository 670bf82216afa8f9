//! The deployment lock as others see it: a file that pipelines test for (P-57), the documents'
//! `/var/lock/deployment-emergency-stop`. That it is there is the lock; what is in it says whose.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::model::ids::{JournalId, Time};
use crate::model::lock::Lock;
use crate::text::SafeText;

use super::{Error, Kind};

/// More than a note of ours ever has; what is longer is somebody else's.
const LIMIT: u64 = 16 * 1024;

/// What stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockNote {
    /// The lock.
    #[serde(flatten)]
    pub lock: Lock,
    /// The journal that it is on record in.
    pub journal: JournalId,
    /// The environment.
    pub environment: SafeText,
    /// The host of its engine.
    pub host: SafeText,
    /// The command that ends it.
    pub release: SafeText,
}

/// What is found at the file's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockFound {
    /// No file: nothing is locked.
    Free,
    /// A note of this or another journal.
    Note(Box<LockNote>),
    /// A file that says nothing, as `touch` makes it: somebody's lock all the same.
    Somebodys,
}

/// The file.
#[derive(Clone, Debug)]
pub struct LockFile(PathBuf);

impl LockFile {
    /// The lock in `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What is there.
    pub fn read(&self) -> Result<LockFound, Error> {
        let opened = File::options()
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(&self.0);
        let file = match opened {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(LockFound::Free),
            Err(e) => return Err(Error::io("read lock", self.0.display(), &e)),
        };
        let mut bytes = Vec::new();
        if file.take(LIMIT).read_to_end(&mut bytes).is_err() {
            return Ok(LockFound::Somebodys);
        }
        Ok(serde_json::from_slice(&bytes)
            .map_or(LockFound::Somebodys, |note| LockFound::Note(Box::new(note))))
    }

    /// Who else holds it at `now`, in words; nothing when it is free, `journal`'s own, or expired.
    pub fn foreign(&self, journal: &JournalId, now: Time) -> Result<Option<String>, Error> {
        Ok(match self.read()? {
            LockFound::Free => None,
            LockFound::Note(note) if &note.journal == journal || note.lock.expired(now) => None,
            LockFound::Note(note) => Some(format!(
                "{} ({} on {}, {})",
                note.lock.refusal(now),
                note.environment,
                note.host,
                self.0.display()
            )),
            LockFound::Somebodys => Some(format!(
                "deployments are locked by somebody: {} is there and does not say whose",
                self.0.display()
            )),
        })
    }

    /// Puts `note` there. What another journal holds is not written over
    /// ([`Kind::Held`]), unless its time is over.
    pub fn write(&self, note: &LockNote, now: Time) -> Result<(), Error> {
        if let Some(other) = self.foreign(&note.journal, now)? {
            return Err(Error::new(Kind::Held, format!("could not write lock: {other}")));
        }
        let failed = |e: std::io::Error| Error::io("write lock", self.0.display(), &e);
        let mut name = self.0.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}", note.journal));
        let beside = self.0.with_file_name(name);
        remove(&beside).map_err(failed)?;
        let mut bytes = serde_json::to_vec_pretty(note).map_err(|e| failed(e.into()))?;
        bytes.push(b'\n');
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(&beside)
            .map_err(failed)?;
        let fresh = self.read()? == LockFound::Free;
        let written = file
            .set_permissions(Permissions::from_mode(0o644))
            .and_then(|()| file.write_all(&bytes))
            .and_then(|()| file.sync_all())
            // One that was made meanwhile is not written over.
            .and_then(|()| if fresh { fs::hard_link(&beside, &self.0) } else { Ok(()) })
            .and_then(|()| if fresh { Ok(()) } else { fs::rename(&beside, &self.0) });
        remove(&beside).map_err(failed)?;
        written.map_err(failed)
    }

    /// Takes away what `journal` put there; what is another's stays.
    pub fn remove(&self, journal: &JournalId) -> Result<(), Error> {
        match self.read()? {
            LockFound::Note(note) if &note.journal == journal => {
                remove(&self.0).map_err(|e| Error::io("remove lock", self.0.display(), &e))
            }
            LockFound::Free | LockFound::Note(_) | LockFound::Somebodys => Ok(()),
        }
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lock::LockKind;
    use crate::model::sample::at;

    fn note(journal: &str, until: Option<Time>) -> LockNote {
        LockNote {
            lock: Lock {
                kind: LockKind::Person,
                owner: "alice".into(),
                uid: 1000,
                reason: "by hand".into(),
                since: at(0),
                until,
                run: None,
            },
            journal: JournalId(journal.to_owned()),
            environment: "shop".into(),
            host: "bastion".into(),
            release: LockKind::Person.undo().into(),
        }
    }

    #[test]
    fn what_another_holds_is_neither_written_over_nor_removed_until_its_time_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let file = LockFile::new(dir.path().join("deployment-emergency-stop"));
        assert_eq!(file.read().unwrap(), LockFound::Free);
        file.write(&note("k7qd", Some(at(60))), at(0)).unwrap();
        file.write(&note("k7qd", Some(at(90))), at(0)).unwrap();
        assert_eq!(file.path().metadata().unwrap().permissions().mode() & 0o777, 0o644);
        let held = file.write(&note("zzzz", None), at(1)).unwrap_err();
        assert_eq!(held.kind, Kind::Held);
        assert!(
            held.message.contains("locked by alice: by hand")
                && held.message.contains("shop on bastion"),
            "{held:?}"
        );
        file.remove(&JournalId("zzzz".to_owned())).unwrap();
        assert_eq!(file.read().unwrap(), LockFound::Note(Box::new(note("k7qd", Some(at(90))))));
        file.write(&note("zzzz", None), at(90)).unwrap();
        file.remove(&JournalId("zzzz".to_owned())).unwrap();
        assert_eq!(file.read().unwrap(), LockFound::Free);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing lies beside it");
    }

    #[test]
    fn a_file_that_was_only_touched_is_somebodys_lock() {
        let dir = tempfile::tempdir().unwrap();
        let file = LockFile::new(dir.path().join("deployment-emergency-stop"));
        for content in ["", "closed for the audit", "{\"kind\":"] {
            fs::write(file.path(), content).unwrap();
            assert_eq!(file.read().unwrap(), LockFound::Somebodys);
            let journal = JournalId("k7qd".to_owned());
            assert!(file.foreign(&journal, at(0)).unwrap().unwrap().contains("somebody"));
            assert_eq!(file.write(&note("k7qd", None), at(0)).unwrap_err().kind, Kind::Held);
            file.remove(&journal).unwrap();
            assert!(file.path().exists());
        }
    }
}
