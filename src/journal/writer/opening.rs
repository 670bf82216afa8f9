//! Opens a journal for writing: nothing is written before what is there was read and holds.

use std::path::{Path, PathBuf};

use crate::model::ids::{Epoch, Seq};

use super::super::Error;
use super::super::chain::{self, Link, damaged};
use super::super::folder::{Anchor, Ballast, Folder, length, presize, reserve};
use super::super::place::Server;
use super::super::reader::{walk, walk_tail};
use super::super::store::Store;
use super::super::store::postgres::PostgresStore;
use super::super::store::sqlite::SqliteStore;

/// Entries up to which the whole chain is read before the first write: some 30 ms. Of a longer
/// journal only what the engine goes on from is, or an outage would wait for its history.
const LONG: Seq = 2048;
/// The write-ahead log's size when SQLite begins it anew, with some to spare, in bytes.
const LOG_RESERVE: u64 = 9 * 512 * 1024;
/// The write-ahead log's size at the beginning: that of the entries of some incidents, in bytes.
const LOG_BEGIN: u64 = 1024 * 1024;
/// What the journal may grow by while the disk is full, in bytes.
const FILE_RESERVE: u64 = 2 * 1024 * 1024;

/// A store that is ready to be written to.
pub(super) struct Opened {
    pub(super) store: Box<dyn Store>,
    pub(super) head: Link,
    pub(super) epoch: Epoch,
    pub(super) whole: bool,
}

/// The journal of the state folder.
pub(super) async fn in_file(folder: &Folder, ballast: &mut Ballast) -> Result<Opened, Error> {
    folder.own_file("journal.db")?;
    let path = folder.file("journal.db");
    let (head, whole) = match proven_head(folder, &path).await {
        Ok(proven) => proven,
        Err(Error::Damaged { seq, why }) => return Err(set_aside(&path, seq, &why)),
        Err(other) => return Err(other),
    };
    let full = ballast.is_needed();
    if full {
        // The journal's log and its index need room before a word can be written.
        ballast.release();
    }
    let store = Box::new(SqliteStore::open_write(&path).await?);
    if full {
        reserve_for(folder);
    } else {
        // SQLite stops reading its log at the first frame that it did not write.
        presize(&folder.file("journal.db-wal"), LOG_BEGIN);
    }
    let epoch = head.epoch + 1;
    Ok(Opened { store, head, epoch, whole })
}

/// The lease comes first: whoever reads what another still writes reads no end.
pub(super) async fn on_server(server: &Server, folder: &Folder, id: &str) -> Result<Opened, Error> {
    let mut store = Box::new(PostgresStore::open_write(server, id).await?);
    let proven = read_head(store.as_mut(), folder.path()).await;
    let (head, whole) = match proven {
        Ok(proven) => proven,
        Err(error) => {
            store.settle().await.ok();
            let Error::Damaged { seq, why } = error else { return Err(error) };
            let server = server.shown();
            let why = format!(
                "{why}; nothing was written to {server}; to go on, bring that database back from a \
                 backup, or make a new one and move journal.head away from {}: a new journal \
                 begins, and the engine looks at everything anew",
                folder.path().display()
            );
            return Err(damaged(seq, why));
        }
    };
    let epoch = store.epoch().unwrap_or(head.epoch + 1);
    Ok(Opened { store, head, epoch, whole })
}

/// Reserves what the journal needs until there is space again: the whole of its log, which is
/// written over from the beginning after 1,000 pages, and what that adds to the file.
pub(super) fn reserve_for(folder: &Folder) {
    reserve(&folder.file("journal.db-wal"), LOG_RESERVE);
    let path = folder.file("journal.db");
    reserve(&path, length(&path) + FILE_RESERVE);
}

/// Reads the journal without writing to it and returns where it ends, and whether all of it was
/// read.
async fn proven_head(folder: &Folder, path: &Path) -> Result<(Link, bool), Error> {
    let unfinished = folder.file("journal.db-journal");
    if unfinished.metadata().is_ok_and(|found| found.len() > 0) {
        // A kill while the tables were made or the file was closed: SQLite undoes the half.
        Box::new(SqliteStore::open_write(path).await?).close().await?;
    }
    let mut store = Box::new(SqliteStore::open_read(path, false).await?);
    let head = read_head(store.as_mut(), folder.path()).await;
    store.close().await?;
    head
}

async fn read_head(store: &mut dyn Store, state: &Path) -> Result<(Link, bool), Error> {
    if store.is_new().await? {
        return match Anchor::read(state) {
            Some(anchor) => Err(damaged(anchor.seq, "it was acknowledged and is gone")),
            None => Ok((Link::default(), true)),
        };
    }
    store.identify().await?;
    match walk_tail(store, state, LONG).await? {
        Some(head) => Ok((head, false)),
        None => Ok((walk(store, state).await?, true)),
    }
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
