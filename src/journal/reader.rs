//! Reads a journal, while its writer lives and after.

use std::path::{Path, PathBuf};

use crate::model::entry::Entry;
use crate::model::ids::Seq;
use crate::model::situation::Situation;

use super::Error;
use super::chain::{Link, damaged};
use super::folder::Anchor;
use super::place::Place;
use super::store::postgres::PostgresStore;
use super::store::sqlite::{SqliteStore, needs_settled};
use super::store::{Row, Store};

mod incidents;

/// Rows read at once; between two pages no lock is held.
const PAGE: u32 = 128;

/// A reader of a journal. It never writes, and takes no lock that the writer waits for.
#[derive(Debug)]
pub struct Reader {
    state: PathBuf,
    store: Box<dyn Store>,
    /// Opened as a file that nobody changes: to be opened anew when a writer appears.
    settled: bool,
    /// The last entry given out, so that the next need not read it again.
    last: Link,
}

impl Reader {
    /// Opens the journal at `place`; [`Error::Missing`] when there is none yet.
    pub async fn open(place: impl Into<Place>) -> Result<Self, Error> {
        let place = place.into();
        let (store, settled): (Box<dyn Store>, bool) = match &place.server {
            Some(server) => {
                let mut store = PostgresStore::open_read(server).await?;
                store.identify().await?;
                if !store.was_begun().await? {
                    return Err(Error::Missing { path: server.shown().into() });
                }
                (Box::new(store), false)
            }
            None => connect(&place.state).await?,
        };
        Ok(Self { state: place.state, store, settled, last: Link::default() })
    }

    /// The state of the environment: the fold from the last carried situation to the end.
    ///
    /// The entries that are read are checked against their hashes, each other, and the note of
    /// the last acknowledged one ([`Error::Damaged`]). What a newer program wrote is folded as
    /// such; nothing is refused for being unknown.
    pub async fn situation(&mut self) -> Result<Situation, Error> {
        self.follow_writer().await?;
        let anchor = Anchor::read(&self.state);
        let mut situation = Situation::default();
        let mut link = match self.store.last_carried().await? {
            Some(seq) => {
                let row = self.row(seq).await?;
                let row = row.ok_or_else(|| damaged(seq, "it is missing"))?;
                let link = Link::start(&row)?;
                situation.apply(&entry(&row)?);
                link
            }
            None => Link::default(),
        };
        check(anchor.as_ref(), &link)?;
        loop {
            let rows = self.store.rows(Some(link.seq + 1), PAGE).await?;
            for row in &rows {
                link = link.follow(row)?;
                check(anchor.as_ref(), &link)?;
                situation.apply(&entry(row)?);
            }
            if rows.len() < PAGE as usize {
                break;
            }
        }
        check_end(anchor.as_ref(), &link)?;
        self.last = link;
        Ok(situation)
    }

    /// The entries after `seq`, at most `limit`, checked as in [`Reader::situation`].
    pub async fn after(&mut self, seq: Seq, limit: u32) -> Result<Vec<Entry>, Error> {
        self.follow_writer().await?;
        let mut link = if seq == 0 {
            Link::default()
        } else if self.last.seq == seq {
            self.last.clone()
        } else {
            match self.row(seq).await? {
                Some(row) => Link::start(&row)?,
                None => return Ok(Vec::new()),
            }
        };
        let mut entries = Vec::new();
        let mut left = limit;
        while left > 0 {
            let rows = self.store.rows(Some(link.seq + 1), left.min(PAGE)).await?;
            for row in &rows {
                link = link.follow(row)?;
                entries.push(entry(row)?);
            }
            let read = u32::try_from(rows.len()).unwrap_or(u32::MAX);
            if read < left.min(PAGE) {
                break;
            }
            left -= read;
        }
        self.last = link;
        Ok(entries)
    }

    /// Reads the whole chain and returns the number of its last entry; [`Error::Damaged`] names
    /// the first entry that is wrong.
    pub async fn verify(&mut self) -> Result<Seq, Error> {
        self.follow_writer().await?;
        let link = walk(self.store.as_mut(), &self.state).await?;
        Ok(link.seq)
    }

    async fn row(&mut self, seq: Seq) -> Result<Option<Row>, Error> {
        let mut rows = self.store.rows(Some(seq), 1).await?;
        Ok(rows.pop().filter(|row| row.seq == seq))
    }

    /// A file opened as unchanging is opened anew once a writer's log is there.
    async fn follow_writer(&mut self) -> Result<(), Error> {
        if self.settled && has_log(&self.state) {
            (self.store, self.settled) = connect(&self.state).await?;
        }
        Ok(())
    }
}

async fn connect(state: &Path) -> Result<(Box<dyn Store>, bool), Error> {
    let path = state.join("journal.db");
    let missing = || Error::Missing { path: path.clone() };
    match path.metadata() {
        Ok(found) if found.len() > 0 => {}
        Ok(_) => return Err(missing()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(missing()),
        Err(e) => return Err(Error::file("open", &path)(e)),
    }
    let (mut store, settled) = match usable(&path, false).await {
        Err(e) if needs_settled(&e) && !has_log(state) => (usable(&path, true).await?, true),
        other => (other?, false),
    };
    if store.is_new().await? {
        return Err(missing());
    }
    store.identify().await?;
    Ok((Box::new(store), settled))
}

/// Opens and reads a first page: only then is it known whether the file can be read at all.
async fn usable(path: &Path, settled: bool) -> Result<SqliteStore, Error> {
    let mut store = SqliteStore::open_read(path, settled).await?;
    store.is_new().await?;
    Ok(store)
}

fn has_log(state: &Path) -> bool {
    let log = state.join("journal.db-wal").metadata();
    log.is_ok_and(|log| log.len() > 0)
}

/// Reads everything: SQLite's structures, each entry, and the note of the last one.
pub(super) async fn walk(store: &mut dyn Store, state: &Path) -> Result<Link, Error> {
    store.inspect_tables().await?;
    store.inspect_pages().await?;
    walk_from(store, state, Link::default(), None).await
}

/// Reads what an engine goes on from: the last carried situation of a journal that is longer
/// than `long`, and each entry after it. `None` for a shorter one: [`walk`] is quick there.
pub(super) async fn walk_tail(
    store: &mut dyn Store,
    state: &Path,
    long: Seq,
) -> Result<Option<Link>, Error> {
    let Some(seq) = store.last_carried().await?.filter(|seq| *seq > long) else {
        return Ok(None);
    };
    store.inspect_tables().await?;
    let mut rows = store.rows(Some(seq), 1).await?;
    let row = rows.pop().filter(|row| row.seq == seq);
    let link = Link::start(&row.ok_or_else(|| damaged(seq, "it is missing"))?)?;
    check(Anchor::read(state).as_ref(), &link)?;
    walk_from(store, state, link, Some(seq + 1)).await.map(Some)
}

async fn walk_from(
    store: &mut dyn Store,
    state: &Path,
    mut link: Link,
    mut from: Option<Seq>,
) -> Result<Link, Error> {
    let anchor = Anchor::read(state);
    loop {
        let rows = store.rows(from, PAGE).await?;
        for row in &rows {
            link = link.follow(row)?;
            check(anchor.as_ref(), &link)?;
        }
        if rows.len() < PAGE as usize {
            break;
        }
        from = Some(link.seq + 1);
    }
    check_end(anchor.as_ref(), &link)?;
    Ok(link)
}

fn check(anchor: Option<&Link>, link: &Link) -> Result<(), Error> {
    match anchor {
        Some(anchor) if anchor.seq == link.seq && anchor.hash != link.hash => {
            Err(damaged(link.seq, "journal.head remembers it otherwise"))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_end(anchor: Option<&Link>, link: &Link) -> Result<(), Error> {
    match anchor {
        Some(anchor) if anchor.seq > link.seq => {
            Err(damaged(link.seq + 1, format!("it is gone: entry {} was acknowledged", anchor.seq)))
        }
        Some(_) | None => Ok(()),
    }
}

fn entry(row: &Row) -> Result<Entry, Error> {
    serde_json::from_slice(&row.bytes)
        .map_err(|e| damaged(row.seq, format!("it cannot be read: {e}")))
}
