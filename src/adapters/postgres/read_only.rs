//! Turns writers away for a while: every new transaction of the database only reads, and sessions
//! that began before are ended. A program that asks for writing in so many words still writes.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::identifier;

/// What every new transaction takes it from.
pub(super) const SETTING: &str = "default_transaction_read_only";

/// Whether they are turned away.
pub(super) async fn held(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_db_role_setting s \
         JOIN pg_database d ON d.oid = s.setdatabase \
         WHERE d.datname = current_database() AND s.setrole = 0 \
         AND 'default_transaction_read_only=on' = ANY (s.setconfig))",
    )
    .fetch_one(connection)
    .await
}

/// The statement that turns them away, or lets them in again.
pub(super) fn statement(database: &str, held: bool) -> String {
    let database = identifier(database);
    if held {
        format!("ALTER DATABASE {database} SET {SETTING} = on")
    } else {
        format!("ALTER DATABASE {database} RESET {SETTING}")
    }
}

/// Turns writers away or lets them in; returns how many sessions were ended for that.
pub(super) async fn hold(
    connection: &mut PgConnection,
    database: &str,
    held: bool,
) -> Result<u64, sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(statement(database, held))).execute(&mut *connection).await?;
    // A session keeps what it began with, in either direction.
    let ended: i64 = sqlx::query_scalar(
        "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid() \
         AND backend_type = 'client backend' AND application_name <> 'backout' \
         AND application_name NOT LIKE 'backout %'",
    )
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(ended).unwrap_or_default())
}
