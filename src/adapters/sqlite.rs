//! Files of `SQLite`: a question to one, and one as an application's database.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, TypeInfo, ValueRef};

use super::{Error, Kind};

mod copy_back;
mod dump;
mod facts;
mod ledgers;
mod one_transaction;
mod only;
pub mod rehearse;
mod rescue;
pub mod split;
mod store;
mod swap;

pub use store::SqliteDatabase;

/// A name as SQL writes it, whatever is in it.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Rows that are counted at most.
pub const ROWS: usize = 1000;

/// What a query gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// How many, at most [`ROWS`].
    pub count: usize,
    /// The number in the first column of the only row, where there is one row and it is one.
    pub number: Option<f64>,
    /// The first column of the first row as text.
    pub first: Option<String>,
}

/// Runs `query` on the file at `path`, which is opened read-only and never created; a query that
/// takes longer than `limit` is interrupted.
///
/// Fails with `NotFound` (no such file), `Denied`, `TimedOut` (locked or too slow), `Reset` (the
/// file is damaged), `Local` (the query is not SQL) or `Rejected` (the database said no).
pub async fn ask(path: &Path, query: &str, limit: Duration) -> Result<Rows, Error> {
    let thing = path.display().to_string();
    // Opening a pipe would wait for a writer; the file is opened to learn whether we may.
    let found = tokio::fs::metadata(path).await.map_err(|e| Error::io("open", &thing, &e))?;
    if !found.is_file() {
        return Err(Error::new(Kind::Rejected, format!("could not open {thing}: not a file")));
    }
    tokio::fs::File::open(path).await.map_err(|e| Error::io("open", &thing, &e))?;
    let until = Instant::now() + limit;
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .create_if_missing(false)
        .busy_timeout(limit.mul_f64(0.8))
        .disable_statement_logging()
        .connect()
        .await
        .map_err(|e| translate("open", &thing, &e))?;
    let rows = rows(&mut connection, query, until).await;
    connection.close().await.ok();
    rows.map_err(|e| translate("query", &thing, &e))
}

async fn rows(
    connection: &mut SqliteConnection,
    query: &str,
    until: Instant,
) -> Result<Rows, sqlx::Error> {
    // A query without an end would hold sqlx's thread for ever: it looks at the time itself.
    connection.lock_handle().await?.set_progress_handler(1000, move || Instant::now() < until);
    let all = sqlx::query(AssertSqlSafe(bounded(query))).fetch_all(connection).await?;
    let first = all.first().map(first_column);
    let number = match (&first, all.len()) {
        (Some(text), 1) => text.as_deref().and_then(|text| text.parse().ok()),
        _ => None,
    };
    Ok(Rows { count: all.len(), number, first: first.flatten() })
}

/// One plain SELECT gives [`ROWS`] rows at most; anything else runs as written.
fn bounded(query: &str) -> String {
    let inner = query.trim().trim_end_matches(';');
    let select = inner.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select"));
    if select && !inner.contains(';') {
        format!("SELECT * FROM ({inner}\n) LIMIT {ROWS}")
    } else {
        query.to_owned()
    }
}

/// The first column as text; nothing when it is NULL.
fn first_column(row: &SqliteRow) -> Option<String> {
    let kind = row.try_get_raw(0).ok()?.type_info().name().to_owned();
    match kind.as_str() {
        "INTEGER" | "BOOLEAN" => row.try_get_unchecked::<i64, _>(0).ok().map(|n| n.to_string()),
        "REAL" => row.try_get_unchecked::<f64, _>(0).ok().map(|n| n.to_string()),
        "NULL" => None,
        _ => row.try_get_unchecked::<String, _>(0).ok(),
    }
}

/// `SQLITE_READONLY_ROLLBACK`, <https://sqlite.org/rescode.html>: a transaction whose process was
/// killed has to be taken back first, and a reader may not.
const ROLLBACK_FIRST: u32 = 776;

fn code(error: &sqlx::Error) -> u32 {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse().ok()).unwrap_or(1)
}

/// Whether a process was killed there while it wrote, and nobody has opened it to write since.
fn left_half_done(error: &sqlx::Error) -> bool {
    code(error) == ROLLBACK_FIRST
}

fn translate(verb: &str, thing: &str, error: &sqlx::Error) -> Error {
    let code = code(error);
    let why = match error {
        _ if left_half_done(error) => {
            "a process that was killed left a change half done there, and \
             nobody has opened it to write since; the next one who does takes it back"
                .to_owned()
        }
        sqlx::Error::Database(db) => db.message().to_owned(),
        other => other.to_string(),
    };
    // The primary result code is the low byte of the extended one.
    let kind = match code & 0xff {
        5 | 6 | 9 => Kind::TimedOut,
        3 | 23 => Kind::Denied,
        10 | 11 | 26 => Kind::Reset,
        14 => Kind::NotFound,
        1 if why.contains("syntax error") || why.contains("incomplete input") => Kind::Local,
        _ => Kind::Rejected,
    };
    Error::new(kind, format!("could not {verb} {thing}: {why}"))
}
