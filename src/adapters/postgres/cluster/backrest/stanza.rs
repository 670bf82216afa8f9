//! What `pgBackRest` says of a stanza, and which of its backups a restore point names.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::adapters::postgres::wal::Label;
use crate::adapters::{Error, Kind};
use crate::model::ids::Time;
use crate::model::until::{Lsn, Until};

/// What a restore point holds in place of a base backup: which one of the repository it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Reference {
    pub(super) stanza: String,
    pub(in super::super) backup: String,
}

impl Reference {
    pub(in super::super) fn read(path: &Path) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(|e| Error::io("read", path.display(), &e))?;
        serde_json::from_slice(&bytes).map_err(|e| {
            let message = format!("could not read {}: it names no backup: {e}", path.display());
            Error::new(Kind::Rejected, message)
        })
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), Error> {
        let io = |e: std::io::Error| Error::io("write", path.display(), &e);
        let file = fs::File::options().write(true).create_new(true).open(path).map_err(io)?;
        serde_json::to_writer(&file, self).map_err(|e| io(e.into()))?;
        file.sync_all().map_err(io)
    }
}

/// What `info` says of a stanza.
#[derive(Deserialize)]
pub(super) struct Stanza {
    pub(super) status: Status,
    #[serde(default)]
    pub(super) repo: Vec<Repo>,
    #[serde(default)]
    pub(super) db: Vec<Db>,
    #[serde(default)]
    pub(super) archive: Vec<ArchiveOf>,
    #[serde(default)]
    pub(super) backup: Vec<Backup>,
}

#[derive(Deserialize)]
pub(super) struct Status {
    pub(super) code: u32,
    pub(super) message: String,
}

#[derive(Deserialize)]
pub(super) struct Repo {
    pub(super) status: Status,
}

#[derive(Deserialize)]
pub(super) struct Db {
    #[serde(flatten)]
    pub(super) of: Of,
    #[serde(rename = "system-id")]
    pub(super) system: u64,
}

/// Which server of the stanza's, in which of its repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Of {
    pub(super) id: u32,
    #[serde(rename = "repo-key")]
    pub(super) repo: u32,
}

#[derive(Deserialize)]
pub(super) struct ArchiveOf {
    pub(super) id: String,
    pub(super) database: Of,
}

/// One base backup.
#[derive(Clone, Deserialize)]
pub(in super::super) struct Backup {
    pub(in super::super) label: String,
    pub(super) archive: Segments,
    pub(super) database: Of,
    #[serde(default)]
    pub(super) error: Option<bool>,
    pub(super) info: Sizes,
    #[serde(default)]
    pub(super) lsn: Option<Span<Lsn>>,
    pub(super) timestamp: Span<i64>,
}

#[derive(Clone, Deserialize)]
pub(super) struct Segments {
    pub(super) start: Option<String>,
}

#[derive(Clone, Deserialize)]
pub(super) struct Sizes {
    pub(super) size: u64,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Span<T> {
    pub(super) start: T,
    pub(super) stop: T,
}

impl Backup {
    /// When it was finished: the tool drops what is below a second.
    pub(in super::super) fn finished(&self) -> Option<Time> {
        let at = Time::from_timestamp(self.timestamp.stop, 0)?;
        at.checked_add_signed(chrono::Duration::milliseconds(999))
    }

    /// How large it is unpacked, in bytes.
    pub(in super::super) fn size(&self) -> u64 {
        self.info.size
    }

    /// Its label, as a base backup's own would say it.
    pub(super) fn begins(&self) -> Option<Label> {
        let (lsn, name) = (self.lsn?, self.archive.start.as_deref()?);
        let timeline = u32::from_str_radix(name.get(..8)?, 16).ok()?;
        let (start, stop, finished) = (lsn.start, Some(lsn.stop), self.finished());
        Some(Label { start, timeline, finished, stop, ..Label::default() })
    }

    pub(super) fn before(&self, until: &Until) -> bool {
        match until {
            Until::Time(at) => self.finished().is_some_and(|finished| finished <= *at),
            Until::Lsn(at) => self.lsn.is_some_and(|lsn| lsn.stop <= *at),
            // Only the server knows when that was.
            Until::Name(_) | Until::Xid(_) => false,
            Until::Latest => true,
        }
    }
}
