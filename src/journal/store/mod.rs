//! Where entries lie: a SQLite file, or a schema of `PostgreSQL`. Both keep the same bytes under the
//! same chain.

use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{ColumnIndex, Decode, Type};

use crate::model::entry::FORMAT;
use crate::model::ids::{Epoch, Seq};

use super::Error;
use super::chain::{Link, damaged};

pub(super) mod postgres;
pub(super) mod sqlite;

/// An entry as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Its place.
    pub(super) seq: Seq,
    /// The lease it was written under.
    pub(super) epoch: Epoch,
    /// The name of its event or command.
    pub(super) kind: String,
    /// SHA-256 of `bytes`.
    pub(super) hash: Vec<u8>,
    /// The exact JSON.
    pub(super) bytes: Vec<u8>,
}

/// What a row is read by.
const COLUMNS: &str = "seq, epoch, kind, hash, bytes";

/// Reads a row of [`COLUMNS`].
fn row<'r, R: sqlx::Row>(row: &'r R) -> Result<Row, sqlx::Error>
where
    usize: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    Ok(Row {
        seq: row.try_get::<i64, _>(0)?.cast_unsigned(),
        epoch: row.try_get::<i64, _>(1)?.cast_unsigned(),
        kind: row.try_get(2)?,
        hash: row.try_get(3)?,
        bytes: row.try_get(4)?,
    })
}

/// Whether what came is not of the form that was written.
fn is_malformed(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::RowNotFound
    )
}

/// Checks that this program knows the format that was `found` in the journal at `path`.
fn known_format(found: Option<i64>, path: &Path) -> Result<(), Error> {
    match found {
        Some(found) if found == i64::from(FORMAT) => Ok(()),
        Some(found) if found > i64::from(FORMAT) => {
            Err(Error::Newer { path: path.to_owned(), found, known: FORMAT })
        }
        Some(found) => Err(damaged(0, format!("its format {found} was never written"))),
        None => Err(damaged(0, "its format was never written")),
    }
}

/// What an insert came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    /// All rows are on disk.
    All,
    /// The journal does not end where the writer left it, or a later epoch has written.
    Fenced,
    /// There is no space; nothing was written.
    NoSpace,
}

/// A place for entries. None of it knows what an entry means.
#[async_trait]
pub(super) trait Store: Debug + Send + Sync {
    /// Whether nothing was ever written.
    async fn is_new(&mut self) -> Result<bool, Error>;

    /// Checks that this is a journal, and of a format that this program knows.
    async fn identify(&mut self) -> Result<(), Error>;

    /// Checks that there is nothing but our tables.
    async fn inspect_tables(&mut self) -> Result<(), Error>;

    /// Checks the store's own structures, all of them, where that is ours to do: slow.
    async fn inspect_pages(&mut self) -> Result<(), Error>;

    /// Adds `rows` after `head` in one transaction: all of them or none, and none when the journal
    /// does not end at `head` or a later epoch than `epoch` has begun. Returns after the sync.
    async fn insert(&mut self, head: &Link, epoch: Epoch, rows: &[Row]) -> Result<Inserted, Error>;

    /// Rows from `from` on, by number, at most `limit`; everything from the beginning for `None`,
    /// also what has no business there.
    async fn rows(&mut self, from: Option<Seq>, limit: u32) -> Result<Vec<Row>, Error>;

    /// The last row.
    async fn last(&mut self) -> Result<Option<Row>, Error>;

    /// The number of the last carried situation.
    async fn last_carried(&mut self) -> Result<Option<Seq>, Error>;

    /// The rows of one kind, in order.
    async fn of_kind(&mut self, kind: &'static str) -> Result<Vec<Row>, Error>;

    /// Says that the writer is still there; whether the lease is still its own.
    async fn renew(&mut self) -> Result<bool, Error>;

    /// Whether nobody else can have written under this writer's epoch, which only a server knows.
    async fn is_still_ours(&mut self) -> Result<bool, Error> {
        Ok(false)
    }

    /// How long a server that is away is waited for from now on, with every append and word.
    fn wait_for(&mut self, _patience: Duration) {}

    /// Leaves everything so that others can read what stays, and gives the lease back.
    async fn settle(self: Box<Self>) -> Result<(), Error>;

    /// Closes the connection.
    async fn close(self: Box<Self>) -> Result<(), Error>;

    /// Runs a pragma of a test.
    #[cfg(test)]
    async fn run_test(&mut self, sql: &'static str);
}
