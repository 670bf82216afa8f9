//! The journal in a SQLite file: one connection, one prepared insert, write-ahead log, and a
//! sync before each acknowledgement.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, QueryBuilder, Row as _, Sqlite, SqliteConnection};

use crate::bug::Bug;
use crate::model::ids::{Epoch, Seq};

use super::super::Error;
use super::super::chain::{Link, damaged};
use super::{Inserted, Row, Store, is_malformed, known_format, row};

/// `bkot`, so that the file is told from any other SQLite file.
const APPLICATION: i64 = 0x626B_6F74;
const MIGRATION: &str = include_str!("../migrations/0001.sql");
/// How long to wait for a lock that a checkpoint holds for a moment.
const BUSY: Duration = Duration::from_secs(2);

/// A connection to a journal file.
#[derive(Debug)]
pub(in super::super) struct SqliteStore {
    connection: SqliteConnection,
    path: PathBuf,
}

impl SqliteStore {
    /// Opens for reading. `settled` says that no write-ahead log is there and none may be made:
    /// what another user's reader needs after the writer has closed.
    pub(in super::super) async fn open_read(path: &Path, settled: bool) -> Result<Self, Error> {
        let options = options(path).read_only(true).immutable(settled);
        Self::connect(path, options).await
    }

    /// Opens for writing and makes the tables where the file is new. The caller holds the lease
    /// and has looked at the file with [`Self::open_read`] before.
    pub(in super::super) async fn open_write(path: &Path) -> Result<Self, Error> {
        let mut store = Self::connect(path, options(path)).await?;
        if store.is_new().await? {
            let begin = "BEGIN IMMEDIATE";
            for part in [begin, MIGRATION, "COMMIT"] {
                sqlx::raw_sql(part)
                    .execute(&mut store.connection)
                    .await
                    .map_err(refused("make the journal's tables"))?;
            }
        }
        let mode: String = store.scalar("PRAGMA journal_mode = WAL").await?;
        let synchronous: i64 = store.scalar("PRAGMA synchronous").await?;
        if mode != "wal" || (synchronous != 2 && !Bug::NoIntentSync.is_on()) {
            return Err(Error::Unfit {
                path: path.to_owned(),
                why: format!(
                    "SQLite stays in mode {mode}, synchronous {synchronous} there; \
                     use a local disk as state_dir"
                ),
            });
        }
        Ok(store)
    }

    async fn connect(path: &Path, options: SqliteConnectOptions) -> Result<Self, Error> {
        let connection = options.connect().await.map_err(refused("open the journal"))?;
        let path = path.to_owned();
        let mut store = Self { connection, path };
        let found: String = store.scalar("SELECT sqlite_version()").await?;
        if !new_enough(&found) {
            return Err(Error::SqliteTooOld { found });
        }
        Ok(store)
    }

    async fn scalar<T>(&mut self, query: &'static str) -> Result<T, Error>
    where
        T: for<'r> sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
    {
        let row = sqlx::query(query)
            .fetch_one(&mut self.connection)
            .await
            .map_err(refused("read the journal"))?;
        row.try_get(0).map_err(refused("read the journal"))
    }

    /// Runs an edit of a test with one number in it.
    #[cfg(test)]
    pub(in super::super) async fn edit(&mut self, sql: &'static str, seq: Option<i64>) {
        for part in sql.split(";; ") {
            let mut query = sqlx::query(sqlx::AssertSqlSafe(part));
            if let Some(seq) = seq {
                query = query.bind(seq);
            }
            query.execute(&mut self.connection).await.unwrap();
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn is_new(&mut self) -> Result<bool, Error> {
        let tables: i64 = self.scalar("SELECT count(*) FROM sqlite_schema").await?;
        let application: i64 = self.scalar("PRAGMA application_id").await?;
        let version: i64 = self.scalar("PRAGMA user_version").await?;
        Ok((tables, application, version) == (0, 0, 0))
    }

    async fn identify(&mut self) -> Result<(), Error> {
        let application: i64 = self.scalar("PRAGMA application_id").await?;
        if application != APPLICATION {
            return Err(damaged(0, format!("{} is not a journal", self.path.display())));
        }
        let version: i64 = self.scalar("PRAGMA user_version").await?;
        known_format(Some(version), &self.path)
    }

    async fn inspect_tables(&mut self) -> Result<(), Error> {
        let parts = sqlx::query("SELECT sql FROM sqlite_schema")
            .fetch_all(&mut self.connection)
            .await
            .map_err(refused("read the journal's tables"))?;
        for part in &parts {
            let sql: String = part.try_get(0).map_err(refused("read the journal's tables"))?;
            if !MIGRATION.contains(&sql) {
                return Err(damaged(0, "its tables are not those of a journal"));
            }
        }
        if parts.len() != 2 {
            return Err(damaged(0, "its tables are not those of a journal"));
        }
        Ok(())
    }

    async fn inspect_pages(&mut self) -> Result<(), Error> {
        let verdict: String = self.scalar("PRAGMA quick_check(1)").await?;
        if verdict != "ok" {
            return Err(damaged(0, format!("SQLite finds {verdict}")));
        }
        Ok(())
    }

    async fn insert(&mut self, head: &Link, epoch: Epoch, rows: &[Row]) -> Result<Inserted, Error> {
        let mut insert = QueryBuilder::<Sqlite>::new(
            "INSERT INTO entries (seq, epoch, kind, hash, bytes) SELECT * FROM (",
        );
        insert.push_values(rows, |mut values, row| {
            values
                .push_bind(row.seq.cast_signed())
                .push_bind(row.epoch.cast_signed())
                .push_bind(row.kind.as_str())
                .push_bind(row.hash.as_slice())
                .push_bind(row.bytes.as_slice());
        });
        let at = head.seq.cast_signed();
        insert.push(") WHERE NOT EXISTS (SELECT 1 FROM entries WHERE seq > ");
        insert.push_bind(at);
        insert.push(") AND (0 = ");
        insert.push_bind(at);
        insert.push(" OR EXISTS (SELECT 1 FROM entries WHERE seq = ");
        insert.push_bind(at);
        insert.push(" AND epoch <= ");
        insert.push_bind(epoch.cast_signed());
        insert.push(" AND lower(hex(hash)) = ");
        insert.push_bind(head.hash.0.as_str());
        insert.push("))");
        match insert.build().execute(&mut self.connection).await {
            Ok(done) if done.rows_affected() == rows.len() as u64 => Ok(Inserted::All),
            Ok(_) => Ok(Inserted::Fenced),
            Err(e) if is_full(&e) => Ok(Inserted::NoSpace),
            Err(e) => Err(refused("append to the journal")(e)),
        }
    }

    async fn rows(&mut self, from: Option<Seq>, limit: u32) -> Result<Vec<Row>, Error> {
        let from = from.map_or(i64::MIN, u64::cast_signed);
        let query = "SELECT seq, epoch, kind, hash, bytes FROM entries \
                     WHERE seq >= ? ORDER BY seq LIMIT ?";
        let rows = sqlx::query(query).bind(from).bind(limit).fetch_all(&mut self.connection).await;
        all(rows)
    }

    async fn last(&mut self) -> Result<Option<Row>, Error> {
        let query = "SELECT seq, epoch, kind, hash, bytes FROM entries \
                     ORDER BY seq DESC LIMIT 1";
        let last = sqlx::query(query).fetch_all(&mut self.connection).await;
        Ok(all(last)?.pop())
    }

    async fn last_carried(&mut self) -> Result<Option<Seq>, Error> {
        let query = "SELECT max(seq) FROM entries WHERE kind = 'carried'";
        let last: Option<i64> = self.scalar(query).await?;
        Ok(last.map(i64::cast_unsigned))
    }

    async fn of_kind(&mut self, kind: &'static str) -> Result<Vec<Row>, Error> {
        let query = "SELECT seq, epoch, kind, hash, bytes FROM entries WHERE kind = ? ORDER BY seq";
        all(sqlx::query(query).bind(kind).fetch_all(&mut self.connection).await)
    }

    async fn settle(mut self: Box<Self>) -> Result<(), Error> {
        let busy: i64 = self.scalar("PRAGMA wal_checkpoint(TRUNCATE)").await?;
        if busy == 0 {
            // Attached readers keep the log mode; they also keep its index, which is what
            // other users need to read.
            let _mode: Result<String, Error> = self.scalar("PRAGMA journal_mode = DELETE").await;
        }
        self.close().await
    }

    async fn close(self: Box<Self>) -> Result<(), Error> {
        self.connection.close().await.map_err(refused("close the journal"))
    }

    /// The lease is the lock of a file: the kernel says when its holder is gone.
    async fn renew(&mut self) -> Result<bool, Error> {
        Ok(true)
    }

    #[cfg(test)]
    async fn run_test(&mut self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&mut self.connection).await.unwrap();
    }
}

fn all(rows: Result<Vec<SqliteRow>, sqlx::Error>) -> Result<Vec<Row>, Error> {
    let read = rows.and_then(|rows| rows.iter().map(row).collect());
    read.map_err(refused("read entries"))
}

fn options(path: &Path) -> SqliteConnectOptions {
    let sync =
        if Bug::NoIntentSync.is_on() { SqliteSynchronous::Off } else { SqliteSynchronous::Full };
    SqliteConnectOptions::new()
        .filename(path)
        .synchronous(sync)
        .busy_timeout(BUSY)
        .row_buffer_size(256)
        .disable_statement_logging()
}

/// Whether a SQLite of this version is free of the bug that corrupts a write-ahead log when it
/// is reset while two connections write or checkpoint (fixed in 3.51.3).
pub(in super::super) fn new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(str::parse::<u32>);
    let mut next = || parts.next().and_then(Result::ok);
    match (next(), next(), next()) {
        (Some(major), Some(minor), patch) => (major, minor, patch.unwrap_or(0)) >= (3, 51, 3),
        _ => false,
    }
}

fn code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// Whether there was no space: for the file, or for the log's index.
fn is_full(error: &sqlx::Error) -> bool {
    const FULL: i32 = 13;
    const INDEX_SIZE: i32 = 4874;
    matches!(code(error), Some(FULL | INDEX_SIZE))
}

/// Whether a read-only connection could not be had because the log's index is not there and may
/// not be made.
pub(in super::super) fn needs_settled(error: &Error) -> bool {
    const READ_ONLY: i32 = 8;
    const CANNOT_OPEN: i32 = 14;
    match error {
        Error::Store { source, .. } => {
            matches!(code(source).map(|code| code & 0xFF), Some(READ_ONLY | CANNOT_OPEN))
        }
        Error::Held { .. }
        | Error::HeldElsewhere { .. }
        | Error::NoTables { .. }
        | Error::Server { .. }
        | Error::Newer { .. }
        | Error::Damaged { .. }
        | Error::SqliteTooOld { .. }
        | Error::Missing { .. }
        | Error::Zombie { .. }
        | Error::TooLarge { .. }
        | Error::TooMany { .. }
        | Error::Full { .. }
        | Error::Unfit { .. }
        | Error::File { .. }
        | Error::Encode { .. } => false,
    }
}

/// Translates SQLite's no: what means that the file is not what was written is damage.
fn refused(what: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    const CORRUPT: i32 = 11;
    const NOT_A_DATABASE: i32 = 26;
    const SHORT_READ: i32 = 522;
    const SCHEMA: i32 = 1;
    move |source| {
        let code = code(&source);
        let broken = matches!(code, Some(SHORT_READ | SCHEMA))
            || matches!(code.map(|code| code & 0xFF), Some(CORRUPT | NOT_A_DATABASE));
        if is_malformed(&source) || broken {
            return damaged(0, format!("SQLite could not {what}: {source}"));
        }
        Error::Store { what, source }
    }
}
