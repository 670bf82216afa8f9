//! Checks of databases: a query of one's own, the version of the schema, or how far a standby is
//! behind.

use crate::adapters::postgres::PostgresPlace;
use crate::checks::database_connection::{Database, Settings};

use super::kinds::thresholds;
use super::take::Table;

/// Seconds that a standby is behind, or that the slowest of a server's standbys is. One that has
/// replayed all it receives is not behind, however long nothing was written. It is not known where
/// nobody follows, where the role may not see it (`pg_monitor` may), or nothing was replayed yet.
const LAG: &str = "SELECT (CASE \
    WHEN NOT pg_is_in_recovery() AND (NOT EXISTS (SELECT FROM pg_stat_replication) \
        OR EXISTS (SELECT FROM pg_stat_replication WHERE state IS NULL)) THEN 'NaN' \
    WHEN NOT pg_is_in_recovery() THEN \
        (SELECT coalesce(max(extract(epoch FROM replay_lag)), 0) FROM pg_stat_replication) \
    WHEN EXISTS (SELECT FROM pg_stat_wal_receiver) \
        AND pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn() THEN 0 \
    ELSE coalesce(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 'NaN') \
    END)::float8";

/// The version where the scripts keep it, as those of the documents do.
const VERSION: &str = "SELECT max(version) FROM schema_migrations";

/// `expect`: the version that the schema has to be at.
pub(super) fn migration(table: &mut Table<'_>) -> Option<Settings> {
    let expect = table.need("expect").and_then(|item| item.text());
    let settings = database(table, VERSION)?;
    if settings.thresholds.any() {
        let message = "is judged by expect, so its thresholds would never count";
        let hint = "remove them, or use check_type: database_connection".to_owned();
        table.desk.problem(table.at, &table.path, message, Some(hint));
    }
    Some(Settings { expect: Some(expect?), ..settings })
}

pub(super) fn lag(table: &mut Table<'_>) -> Option<Settings> {
    let (at, path) = (table.at, table.path.clone());
    let settings = database(table, LAG)?;
    if let Database::Sqlite(_) = settings.database {
        table.desk.problem(at, &path, "SQLite has no standby to be behind", None);
        return None;
    }
    Some(settings)
}

/// `endpoint_url` and what is asked there: `query`, else `usual`.
pub(super) fn database(table: &mut Table<'_>, usual: &str) -> Option<Settings> {
    let item = table.need("endpoint_url");
    let query = table.take("query").and_then(|item| item.raw());
    let thresholds = thresholds(table);
    let item = item?;
    let url = item.secret()?;
    item.note_open_password(&url);
    let database = if let Some(path) = url.reveal().strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        if path.is_empty() || path == ":memory:" {
            item.wrong("names no file");
            return None;
        }
        Database::Sqlite(item.desk.resolve(path))
    } else if ["postgresql://", "postgres://"].iter().any(|scheme| url.reveal().starts_with(scheme))
    {
        if let Err(why) = PostgresPlace::parse(url.reveal()) {
            item.wrong_with(&why, "write postgresql://user@host:5432/name");
            return None;
        }
        Database::Postgres(url)
    } else {
        item.wrong_with(
            &format!("{:?} is not a database that is known", url.shown()),
            "write sqlite:path or postgresql://host/name",
        );
        return None;
    };
    let query = query.unwrap_or_else(|| usual.to_owned());
    Some(Settings { database, query, expect: None, thresholds })
}
