//! Reading and changing the stack's database.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::adapters::{Error, Kind};

/// How long a locked database is waited for.
const BUSY_LIMIT: Duration = Duration::from_secs(1);

/// Opens the database to read it.
pub async fn reading(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY_LIMIT)
        .connect()
        .await
}

/// Opens the database to change it; where there is none, none is made.
pub async fn changing(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Delete)
        // A killed process loses nothing by it, and a row costs no sync: on a busy machine the
        // stack would else fail by its own disk and not by its fault.
        .synchronous(SqliteSynchronous::Off)
        .busy_timeout(BUSY_LIMIT)
        .connect()
        .await
}

/// Opens the database to change it, in the journal mode that keeps it one file.
pub async fn writing(path: &Path) -> Result<SqliteConnection, Error> {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Delete)
        .busy_timeout(BUSY_LIMIT)
        .connect()
        .await
        .map_err(|e| failed("open", path, &e))
}

/// Runs a script of our own.
pub async fn script(
    connection: &mut SqliteConnection,
    name: &str,
    text: String,
) -> Result<(), Error> {
    sqlx::raw_sql(AssertSqlSafe(text))
        .execute(connection)
        .await
        .map(drop)
        .map_err(|e| failed("run", Path::new(name), &e))
}

/// The newest schema version that was applied.
pub async fn schema(path: &Path) -> Result<i64, String> {
    let shown = |e: sqlx::Error| format!("could not read the schema version: {e}");
    let mut connection = reading(path).await.map_err(shown)?;
    let version = sqlx::query_scalar("SELECT max(version) FROM schema_migrations")
        .fetch_one(&mut connection)
        .await
        .map_err(shown)?;
    connection.close().await.ok();
    Ok(version)
}

/// The newest rows of `users`, `documents` or `sessions`, each as a JSON object, as the given
/// version of the app reads them.
pub async fn rows(path: &Path, table: &str, version: &str) -> Result<Vec<String>, String> {
    let shown = |e: sqlx::Error| format!("could not read {table}: {e}");
    let before_preferences = version.starts_with("v2.4.");
    let query = match table {
        "users" if before_preferences => {
            "SELECT json_object('id', id, 'name', name, 'email', email, 'phone', phone) \
             FROM users ORDER BY id DESC LIMIT 20"
        }
        "users" => {
            "SELECT json_object('id', id, 'name', name, 'email', email, 'phone', phone, \
             'preferences', json(preferences)) FROM users ORDER BY id DESC LIMIT 20"
        }
        "documents" => {
            "SELECT json_object('id', id, 'owner', user_id, 'title', title) FROM documents \
             ORDER BY id DESC LIMIT 20"
        }
        _ => {
            "SELECT json_object('id', id, 'user', user_id, 'started_at', started_at) FROM sessions \
             ORDER BY id DESC LIMIT 20"
        }
    };
    let mut connection = reading(path).await.map_err(shown)?;
    let rows = sqlx::query_scalar(query).fetch_all(&mut connection).await.map_err(shown)?;
    connection.close().await.ok();
    Ok(rows)
}

/// A database error as one of ours.
pub fn failed(verb: &str, thing: &Path, error: &sqlx::Error) -> Error {
    Error::new(Kind::Rejected, format!("could not {verb} {}: {error}", thing.display()))
}
