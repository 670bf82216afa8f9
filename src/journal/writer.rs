//! The only writer of a journal.

use std::time::Duration;

use crate::bug::Bug;
use crate::model::entry::{Entry, FORMAT};
use crate::model::ids::{Digest, Epoch, Seq};

use super::chain::{self, CARRIED, Face, Link, damaged};
use super::folder::{Anchor, Ballast, Folder, Lease};
use super::place::Place;
use super::store::{Inserted, Row, Store};
use super::{BATCH_LIMIT, CARRIED_LIMIT, Draft, ENTRY_LIMIT, Error};

mod opening;

use opening::{in_file, on_server, reserve_for};

/// No epoch is later.
const LAST_EPOCH: Epoch = i64::MAX.cast_unsigned();

/// The only writer: it holds the lease, and its epoch is one above every epoch in the journal.
#[derive(Debug)]
pub struct Writer {
    store: Box<dyn Store>,
    folder: Folder,
    head: Link,
    epoch: Epoch,
    anchor: Anchor,
    ballast: Ballast,
    /// Set while an append is under way: one that was dropped or failed may have happened.
    unsure: bool,
    /// Whether the whole chain was read.
    whole: bool,
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
    /// The boot that the engine takes this one for.
    pub boot: Option<String>,
    /// A file that is made when the process is about to kill itself: a later one does not again.
    pub struck: Option<std::path::PathBuf>,
}

impl Writer {
    /// Takes the lease and opens the journal at `place`, making it in the state folder where it is
    /// missing; on a server its tables must be there ([`Error::NoTables`]).
    ///
    /// The chain is read before the first write: all of it, or of a long journal what an engine
    /// goes on from ([`Writer::was_read_whole`]). A journal that is not what was written is copied
    /// aside, where it is a file, and refused ([`Error::Damaged`]); one of a newer format is refused
    /// untouched ([`Error::Newer`]); [`Error::Held`] or [`Error::HeldElsewhere`] while another
    /// engine lives.
    pub async fn open(place: impl Into<Place>) -> Result<Self, Error> {
        let place = place.into();
        let folder = Folder::prepare(&place.state)?;
        // On a server, too, one engine of this host is enough, and the kernel is asked sooner.
        let lease = Lease::take(&folder)?;
        let mut ballast = Ballast::load(&folder);
        let opened = match &place.server {
            Some(server) => on_server(server, &folder, &lease.name()).await?,
            None => in_file(&folder, &mut ballast).await?,
        };
        let anchor = Anchor::open(&folder)?;
        anchor.note(&opened.head);
        Ok(Self {
            epoch: opened.epoch,
            store: opened.store,
            folder,
            head: opened.head,
            anchor,
            ballast,
            unsure: false,
            whole: opened.whole,
            #[cfg(feature = "faults")]
            faults: Faults::default(),
            _lease: lease,
        })
    }

    /// As [`Writer::open`], with faults.
    #[cfg(feature = "faults")]
    pub async fn open_with(place: impl Into<Place>, faults: Faults) -> Result<Self, Error> {
        let mut writer = Self::open(place).await?;
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

    /// Whether the whole chain was read when this was opened. If not, [`super::Reader::verify`]
    /// should be run beside the work.
    pub fn was_read_whole(&self) -> bool {
        self.whole
    }

    /// How many bytes are still kept back for a full disk.
    pub fn ballast_left(&self) -> u64 {
        self.ballast.left()
    }

    /// Gives back what was kept back for a full disk, most of it to the journal itself; returns
    /// whether there was any.
    pub fn give_room(&mut self) -> bool {
        let given = self.ballast.release();
        if given {
            reserve_for(&self.folder);
        }
        given
    }

    /// Keeps the whole ballast back again once the disk has room; returns whether it is whole.
    pub fn mend_ballast(&mut self) -> bool {
        self.ballast.mend()
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
        let (entries, link) = self.put(&drafts).await?;
        self.anchor.note(&link);
        self.head = link;
        self.unsure = false;
        self.die_if_asked();
        Ok(entries)
    }

    /// Says that this engine is still there, so that its lease on a server does not run out;
    /// [`Error::Zombie`] when another one has it by now.
    pub async fn renew(&mut self) -> Result<(), Error> {
        if self.store.renew().await? { Ok(()) } else { Err(Error::Zombie { epoch: self.epoch }) }
    }

    /// How long a server that is away is waited for from now on; 30 s at the beginning. Nothing where
    /// the journal is a file.
    pub fn wait_for(&mut self, patience: Duration) {
        self.store.wait_for(patience);
    }

    /// Leaves everything so that others can read it, and gives the lease back.
    pub async fn close(self) -> Result<(), Error> {
        self.store.settle().await?;
        self.anchor.sync();
        Ok(())
    }

    /// Makes entries of the drafts and inserts them; again where an append of our own that nobody
    /// waited for came in between on a server.
    async fn put(&mut self, drafts: &[Draft]) -> Result<(Vec<Entry>, Link), Error> {
        for _ in 0..2 {
            self.find_head().await?;
            let mut link = self.head.clone();
            let mut entries = Vec::with_capacity(drafts.len());
            let mut rows = Vec::with_capacity(drafts.len());
            for draft in drafts {
                let (entry, row) = self.entry(&link, draft.clone())?;
                link = Link { seq: row.seq, epoch: row.epoch, hash: chain::hex(&row.hash) };
                entries.push(entry);
                rows.push(row);
            }
            self.unsure = true;
            match self.insert(&rows).await {
                Ok(()) => return Ok((entries, link)),
                Err(Error::Zombie { .. }) if self.store.is_still_ours().await? => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Zombie { epoch: self.epoch })
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
        if head.epoch > self.epoch && !Bug::NoEpochCheck.is_on() {
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
        loop {
            let inserted = if self.full_if_asked() {
                Inserted::NoSpace
            } else {
                let epoch = if Bug::NoEpochCheck.is_on() { LAST_EPOCH } else { self.epoch };
                self.store.insert(&self.head, epoch, rows).await?
            };
            match inserted {
                Inserted::All => return Ok(()),
                Inserted::Fenced => return Err(Error::Zombie { epoch: self.epoch }),
                Inserted::NoSpace => {
                    if !self.give_room() {
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
        self.store.run_test(pragma).await;
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
