//! Keeps what a down script drops, in tables of ours, and fills it in again (W-12).

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use crate::adapters::database::Column;

use super::identifier;

/// What tells a row of `table` from the others.
async fn keys(connection: &mut SqliteConnection, table: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk")
        .bind(table)
        .fetch_all(connection)
        .await
}

/// Copies the key and a column, or a whole table, away.
pub(super) async fn save(
    connection: &mut SqliteConnection,
    what: &Column,
    to: &str,
) -> Result<(), sqlx::Error> {
    let there = super::facts::columns(connection, &what.table).await?;
    let wanted = |column: &String| there.iter().any(|name| name.eq_ignore_ascii_case(column));
    // What is not there has nothing to keep; the script itself says whether that is wrong.
    if there.is_empty() || !what.column.as_ref().is_none_or(wanted) {
        return Ok(());
    }
    let chosen = match &what.column {
        None => "*".to_owned(),
        Some(column) => {
            let keys = keys(connection, &what.table).await?;
            let key = if keys.is_empty() {
                "rowid AS backout_row".to_owned()
            } else {
                keys.iter().map(|key| identifier(key)).collect::<Vec<_>>().join(", ")
            };
            format!("{key}, {}", identifier(column))
        }
    };
    let query = format!(
        "CREATE TABLE {} AS SELECT {chosen} FROM {}",
        identifier(&what.rescued_in(to)),
        identifier(&what.table)
    );
    sqlx::query(AssertSqlSafe(query)).execute(connection).await.map(drop)
}

/// Fills what was copied away in again; nothing where nothing was.
pub(super) async fn refill(
    connection: &mut SqliteConnection,
    what: &Column,
    to: &str,
) -> Result<(), sqlx::Error> {
    let place = what.rescued_in(to);
    let there: Option<i64> = sqlx::query_scalar("SELECT 1 FROM sqlite_master WHERE name = ?")
        .bind(&place)
        .fetch_optional(&mut *connection)
        .await?;
    if there.is_none() {
        return Ok(());
    }
    let (table, saved) = (identifier(&what.table), identifier(&place));
    let query = match &what.column {
        // Rows that stayed, or came after, keep what they have.
        None => format!("INSERT OR IGNORE INTO {table} SELECT * FROM {saved}"),
        Some(column) => {
            let keys = keys(connection, &what.table).await?;
            let same = if keys.is_empty() {
                format!("s.backout_row = {table}.rowid")
            } else {
                let same = |key: &String| {
                    let key = identifier(key);
                    format!("s.{key} = {table}.{key}")
                };
                keys.iter().map(same).collect::<Vec<_>>().join(" AND ")
            };
            let column = identifier(column);
            // Rows that came after keep what they have.
            format!(
                "UPDATE {table} SET {column} = (SELECT s.{column} FROM {saved} s WHERE {same}) \
                 WHERE EXISTS (SELECT 1 FROM {saved} s WHERE {same})"
            )
        }
    };
    sqlx::query(AssertSqlSafe(query)).execute(&mut *connection).await?;
    let count = |name: &str| AssertSqlSafe(format!("SELECT count(*) FROM {name}"));
    let held: i64 = sqlx::query_scalar(count(&table)).fetch_one(&mut *connection).await?;
    let kept: i64 = sqlx::query_scalar(count(&saved)).fetch_one(&mut *connection).await?;
    if held < kept {
        return Ok(());
    }
    // It is where it belongs again, and the next attempt saves anew.
    let query = format!("DROP TABLE {saved}");
    sqlx::query(AssertSqlSafe(query)).execute(connection).await.map(drop)
}
