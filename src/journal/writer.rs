//! The only writer of a journal.

use std::path::{Path, PathBuf};

use crate::model::entry::{Entry, FORMAT};
use crate::model::ids::{Digest, Epoch, Seq};

use super::chain::{self, CARRIED, Face, Link, damaged};
use super::folder::{Anchor, Ballast, Folder, Lease};
use super::reader::walk;
use super::store::Row;
use super::store::sqlite::{Inserted, SqliteStore};
use super::{BATCH_LIMIT, CARRIED_LIMIT, Draft, ENTRY_LIMIT, Error};

/// The only writer: it holds the lease, and its epoch is one above every epoch in the journal.
#[derive(Debug)]
pub struct Writer {
    store: SqliteStore,
    folder: Folder,
    head: Link,
    epoch: Epoch,
    anchor: Anchor,
    ballast: Ballast,
    /// Set while an append is under way: one that was dropped or failed may have happened.
    unsure: bool,
    #[cfg(feature = "faults")]
    faults: Faults,
    /// Last, so that the lease outlives everything that writes.
    _lease: Lease,
}

/// Faults that tests ask for.
#[cfg(feature = "faults")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The process kills itself after this entry, or a later one, is on disk and before anyone
    /// is told.
    pub die_after_seq: Option<Seq>,
    /// The insert with this number, counted from 1 in this process and with retries, finds the
    /// disk full.
    pub enospc_at: Option<u64>,
    /// A file that is made when the process is about to kill itself: a later one does not again.
    pub struck: Option<std::path::PathBuf>,
}

impl Writer {
    /// Takes the lease and opens the journal in `state`, making both where they are missing.
    ///
    /// The whole chain is read before the first write. A journal that is not what was written
    /// is copied aside and refused ([`Error::Damaged`]); one of a newer format is refused
    /// untouched ([`Error::Newer`]); [`Error::Held`] while another engine lives.
    pub async fn open(state: &Path) -> Result<Self, Error> {
        let folder = Folder::prepare(state)?;
        let lease = Lease::take(&folder)?;
        let ballast = Ballast::load(&folder);
        folder.own_file("journal.db")?;
        let path = folder.file("journal.db");
        let head = match proven_head(&folder, &path).await {
            Ok(head) => head,
            Err(Error::Damaged { seq, why }) => return Err(set_aside(&path, seq, &why)),
            Err(other) => return Err(other),
        };
        let store = SqliteStore::open_write(&path).await?;
        let anchor = Anchor::open(&folder)?;
        anchor.note(&head);
        Ok(Self {
            epoch: head.epoch + 1,
            store,
            folder,
            head,
            anchor,
            ballast,
            unsure: false,
            #[cfg(feature = "faults")]
            faults: Faults::default(),
            _lease: lease,
        })
    }

    /// As [`Writer::open`], with faults.
    #[cfg(feature = "faults")]
    pub async fn open_with(state: &Path, faults: Faults) -> Result<Self, Error> {
        let mut writer = Self::open(state).await?;
        writer.faults = faults;
        Ok(writer)
    }

    /// The epoch of this lease.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Number and hash of the last entry; 0 and empty in a new journal.
    pub fn head(&self) -> (Seq, Digest) {
        (self.head.seq, self.head.hash.clone())
    }

    /// Whether the space kept back for a full disk is used up: no new step should start.
    pub fn ballast_spent(&self) -> bool {
        self.ballast.is_spent()
    }

    /// Appends in one transaction, all or none, and returns after it is on disk.
    ///
    /// [`Error::Zombie`] when another engine has written since; [`Error::TooLarge`] and
    /// [`Error::TooMany`] before anything is written; [`Error::Full`] when the disk is full and
    /// giving back the ballast did not help.
    pub async fn append(&mut self, drafts: Vec<Draft>) -> Result<Vec<Entry>, Error> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        if drafts.len() > BATCH_LIMIT {
            return Err(Error::TooMany { count: drafts.len() });
        }
        self.find_head().await?;
        let mut link = self.head.clone();
        let mut entries = Vec::with_capacity(drafts.len());
        let mut rows = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let (entry, row) = self.entry(&link, draft)?;
            link = Link { seq: row.seq, epoch: row.epoch, hash: chain::hex(&row.hash) };
            entries.push(entry);
            rows.push(row);
        }
        self.unsure = true;
        self.insert(&rows).await?;
        self.anchor.note(&link);
        self.head = link;
        self.unsure = false;
        self.die_if_asked();
        Ok(entries)
    }

    /// Writes everything into one file that other users can read, and gives the lease back.
    pub async fn close(self) -> Result<(), Error> {
        self.store.settle().await?;
        self.anchor.sync();
        Ok(())
    }

    fn entry(&self, before: &Link, draft: Draft) -> Result<(Entry, Row), Error> {
        let entry = Entry {
            seq: before.seq + 1,
            v: FORMAT,
            incident: draft.incident,
            at: draft.at,
            author: draft.author,
            epoch: self.epoch,
            prev: before.hash.clone(),
            body: draft.body,
        };
        let refused = |source| Error::Encode { what: format!("entry {}", entry.seq), source };
        let bytes = serde_json::to_vec(&entry).map_err(refused)?;
        let kind = Face::read(&bytes).map_err(refused)?.kind().to_owned();
        let limit = if kind == CARRIED { CARRIED_LIMIT } else { ENTRY_LIMIT };
        if bytes.len() > limit {
            return Err(Error::TooLarge { kind, bytes: bytes.len(), limit });
        }
        let row = Row {
            seq: entry.seq,
            epoch: entry.epoch,
            kind,
            hash: chain::sum(&bytes).to_vec(),
            bytes,
        };
        Ok((entry, row))
    }

    /// After an append of which the end is not known: looks where the journal ends.
    async fn find_head(&mut self) -> Result<(), Error> {
        if !self.unsure {
            return Ok(());
        }
        let last = self.store.last().await?;
        let head = last.as_ref().map(Link::start).transpose()?;
        let head = head.unwrap_or_default();
        if head.epoch > self.epoch {
            return Err(Error::Zombie { epoch: self.epoch });
        }
        if head.seq < self.head.seq {
            return Err(damaged(self.head.seq, "it was acknowledged and is gone"));
        }
        self.head = head;
        self.unsure = false;
        Ok(())
    }

    async fn insert(&mut self, rows: &[Row]) -> Result<(), Error> {
        for _ in 0..2 {
            let inserted = if self.full_if_asked() {
                Inserted::NoSpace
            } else {
                self.store.insert(&self.head, self.epoch, rows).await?
            };
            match inserted {
                Inserted::All => return Ok(()),
                Inserted::Fenced => return Err(Error::Zombie { epoch: self.epoch }),
                Inserted::NoSpace => {
                    if !self.ballast.release() {
                        break;
                    }
                }
            }
        }
        self.unsure = false;
        Err(Error::Full { path: self.folder.path().to_owned() })
    }

    #[cfg(test)]
    pub(super) async fn limit_pages(&mut self, pragma: &'static str) {
        self.store.run(pragma).await;
    }

    #[cfg(feature = "faults")]
    fn full_if_asked(&mut self) -> bool {
        match &mut self.faults.enospc_at {
            Some(left) if *left > 0 => {
                *left -= 1;
                *left == 0
            }
            Some(_) | None => false,
        }
    }

    #[cfg(not(feature = "faults"))]
    #[expect(clippy::unused_self, reason = "the other form has faults to look at")]
    fn full_if_asked(&self) -> bool {
        false
    }

    #[cfg(feature = "faults")]
    fn die_if_asked(&self) {
        if self.faults.die_after_seq.is_some_and(|seq| self.head.seq >= seq) {
            if let Some(struck) = &self.faults.struck
                && std::fs::File::options().write(true).create_new(true).open(struck).is_err()
            {
                return;
            }
            let own = rustix::process::getpid();
            let _sent = rustix::process::kill_process(own, rustix::process::Signal::KILL);
            std::process::abort();
        }
    }

    #[cfg(not(feature = "faults"))]
    #[expect(clippy::unused_self, reason = "the other form has faults to look at")]
    fn die_if_asked(&self) {}
}

/// Reads the whole journal without writing to it and returns where it ends.
async fn proven_head(folder: &Folder, path: &Path) -> Result<Link, Error> {
    let unfinished = folder.file("journal.db-journal");
    if unfinished.metadata().is_ok_and(|found| found.len() > 0) {
        // A kill while the tables were made or the file was closed: SQLite undoes the half.
        SqliteStore::open_write(path).await?.close().await?;
    }
    let mut store = SqliteStore::open_read(path, false).await?;
    let head = if store.is_new().await? {
        match Anchor::read(folder.path()) {
            Some(anchor) => Err(damaged(anchor.seq, "it was acknowledged and is gone")),
            None => Ok(Link::default()),
        }
    } else {
        store.identify().await?;
        walk(&mut store, folder.path()).await
    };
    store.close().await?;
    head
}

/// Copies what is damaged beside itself, once, and says what to do.
fn set_aside(path: &Path, seq: Seq, why: &str) -> Error {
    let kept = match copy(path) {
        Ok(copy) => format!("a copy was kept as {}", copy.display()),
        Err(e) => format!("it could not be copied aside: {e}"),
    };
    let folder = path.parent().unwrap_or(path).display();
    damaged(
        seq,
        format!(
            "{why}; {kept}; to go on, put a good copy of journal.db and journal.head in place, \
             or move both away from {folder}: a new journal begins, and the engine looks at \
             everything anew"
        ),
    )
}

/// The copy's name comes from its bytes, so that an engine that is started again and again does
/// not fill the disk with copies.
fn copy(path: &Path) -> std::io::Result<PathBuf> {
    let beside = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let log = beside("-wal");
    let mut bytes = std::fs::read(path)?;
    if log.exists() {
        bytes.extend(std::fs::read(&log)?);
    }
    let name = chain::hex(&chain::sum(&bytes)).0;
    let short: String = name.chars().take(12).collect();
    let copy = beside(&format!(".damaged-{short}"));
    if !copy.exists() {
        std::fs::copy(path, &copy)?;
        if log.exists() {
            std::fs::copy(log, beside(&format!(".damaged-{short}-wal")))?;
        }
    }
    Ok(copy)
}
