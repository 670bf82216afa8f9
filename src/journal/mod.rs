//! Storage: the journal of entries, the samples, the spool of log lines. Knows the model's
//! types, not what entries mean.
//!
//! The state folder of one environment holds `journal.db` (entries, only ever inserted),
//! `journal.head` (the last acknowledged entry, so that a lost tail is noticed), `engine.lock`
//! (the lease), `ballast` (space given back when the disk is full), `samples.db` (readings,
//! disposable) and `spool/` (log lines).

use std::path::PathBuf;

use crate::model::entry::{Author, Body};
use crate::model::ids::{IncidentId, Seq, Time};

mod chain;
mod desk;
mod ear;
mod folder;
mod place;
mod reader;
mod samples;
mod share;
pub mod spool;
mod store;
mod writer;

#[cfg(test)]
mod tests;

pub use desk::{Asked, CommandDesk, Present, number_of};
pub use ear::{Channel, Ear};
pub use folder::BALLAST;
pub use place::{Place, Server};
pub use reader::Reader;
pub use samples::{News, Samples};
pub use share::share;
#[cfg(feature = "faults")]
pub use writer::Faults;
pub use writer::Writer;

/// Who holds the lease of the journal at `place` ([`Error::HeldElsewhere`]), when that is not an
/// engine of its own state folder; nothing where the journal is a file.
pub async fn held_elsewhere(place: &Place) -> Result<Option<Error>, Error> {
    store::postgres::held_elsewhere(place).await
}

/// The largest entry, in bytes of JSON; only a carried situation may be larger.
pub const ENTRY_LIMIT: usize = 64 * 1024;
/// The largest carried situation, in bytes of JSON.
pub const CARRIED_LIMIT: usize = 4 * 1024 * 1024;
/// How many entries at most lie between two carried situations; the engine writes them.
pub const CARRIED_EVERY: u64 = 5_000;
/// The most drafts that one append takes.
pub const BATCH_LIMIT: usize = 256;

/// An entry that has no place, epoch or hash yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The incident it belongs to.
    pub incident: Option<IncidentId>,
    /// Wall time in UTC, for people.
    pub at: Time,
    /// Who.
    pub author: Author,
    /// What.
    pub body: Body,
}

/// Why something could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another engine holds the lease.
    #[error(
        "could not take the lease {}: the engine with pid {} holds it; attach to it instead",
        path.display(), pid.as_deref().unwrap_or("unknown")
    )]
    Held {
        /// The lock file.
        path: PathBuf,
        /// What the holder wrote into it.
        pid: Option<String>,
    },
    /// An engine on another host, or of another user, holds the lease of a shared journal.
    #[error(
        "could not take the lease of {server}: the engine with pid {pid} on {host} holds it since \
         {since} (epoch {epoch}); attach to it instead"
    )]
    HeldElsewhere {
        /// Its host.
        host: String,
        /// Its pid there.
        pid: i64,
        /// When it took it.
        since: String,
        /// Its epoch.
        epoch: u64,
        /// The journal.
        server: String,
    },
    /// The database holds no journal.
    #[error(
        "could not use {server} as a journal: its tables are not there, or this role may not see \
         them; its owner runs config/journal-postgres.sql there once"
    )]
    NoTables {
        /// The journal.
        server: String,
    },
    /// The server said no, or did not answer.
    #[error("could not {what} on {server}: {source}")]
    Server {
        /// What was tried.
        what: &'static str,
        /// On which journal.
        server: String,
        /// Why not.
        source: sqlx::Error,
    },
    /// A newer program wrote here.
    #[error(
        "could not open {}: its format is {found}, this program knows {known}; \
         use the newer backout that wrote it",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// Ours.
        known: u32,
    },
    /// The file is not what was written.
    #[error("could not trust the journal at entry {seq}: {why}")]
    Damaged {
        /// The first entry that is wrong; 0 when it is the file as a whole.
        seq: Seq,
        /// What is wrong, where the copy is, what to do.
        why: String,
    },
    /// The SQLite that was built in has the WAL-reset bug.
    #[error("could not use SQLite {found}: at least 3.51.3 is needed; build with the bundled one")]
    SqliteTooOld {
        /// Its version.
        found: String,
    },
    /// There is none yet.
    #[error("could not open {}: there is none yet; start an engine first", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Another engine has written since: this one must not act any more.
    #[error(
        "could not append under epoch {epoch}: another engine has written since; \
         end this engine, it is no longer the one"
    )]
    Zombie {
        /// The epoch that is over.
        epoch: u64,
    },
    /// An entry is too large.
    #[error("could not append {kind}: it has {bytes} bytes, at most {limit} are allowed")]
    TooLarge {
        /// The kind of entry.
        kind: String,
        /// Its size.
        bytes: usize,
        /// The most it may have.
        limit: usize,
    },
    /// Too many drafts at once.
    #[error("could not append {count} entries at once: at most {BATCH_LIMIT} are allowed")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// The disk is full, and the ballast is spent.
    #[error(
        "could not write to {}: the disk is full and the ballast is spent; \
         free some space there, never by deleting restore points",
        path.display()
    )]
    Full {
        /// The state folder.
        path: PathBuf,
    },
    /// The folder or a file in it cannot be used as it is.
    #[error("could not use {}: {why}", path.display())]
    Unfit {
        /// The folder or file.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// A file could not be read or written.
    #[error("could not {what} {}: {source}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// SQLite said no.
    #[error("could not {what}: {source}")]
    Store {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: sqlx::Error,
    },
    /// An entry could not be made into JSON.
    #[error("could not encode {what}: {source}")]
    Encode {
        /// What.
        what: String,
        /// Why not.
        source: serde_json::Error,
    },
}

impl Error {
    /// Whether the journal is on a server that does not answer: what was asked may be asked again.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Server { source, .. } if store::postgres::is_lost(source))
    }

    fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}
