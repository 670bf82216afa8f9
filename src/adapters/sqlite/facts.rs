//! What the tables of a database hold.

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row};

use crate::model::tables::TableFacts;

use super::identifier;

/// The columns of a table in their order; generated ones are left out: they cannot be written.
pub(super) async fn columns(
    connection: &mut SqliteConnection,
    table: &str,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0")
        .bind(table)
        .fetch_all(connection)
        .await
}

/// Every table of the application.
pub(super) async fn read(
    connection: &mut SqliteConnection,
) -> Result<Vec<TableFacts>, sqlx::Error> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'table' \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE 'backout\\_%' ESCAPE '\\' \
         ORDER BY name",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut tables = Vec::new();
    for name in names {
        tables.push(table(connection, name).await?);
    }
    Ok(tables)
}

async fn table(connection: &mut SqliteConnection, name: String) -> Result<TableFacts, sqlx::Error> {
    let columns = columns(connection, &name).await?;
    let keys: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM pragma_table_xinfo(?) WHERE pk > 0 AND upper(type) LIKE '%INT%'",
    )
    .bind(&name)
    .fetch_all(&mut *connection)
    .await?;
    let counts: Vec<String> =
        columns.iter().map(|column| format!("count({})", identifier(column))).collect();
    let greatest = match keys.as_slice() {
        [key] => format!("max({})", identifier(key)),
        _ => "NULL".to_owned(),
    };
    let query = format!(
        "SELECT count(*), {greatest}{}{} FROM {}",
        if counts.is_empty() { "" } else { ", " },
        counts.join(", "),
        identifier(&name)
    );
    let row = sqlx::query(AssertSqlSafe(query)).fetch_one(connection).await?;
    let count = |at: usize| row.try_get_unchecked::<i64, _>(at).map(i64::unsigned_abs);
    let mut values = std::collections::BTreeMap::new();
    for (at, column) in columns.into_iter().enumerate() {
        values.insert(column, count(at + 2)?);
    }
    let max_id = row.try_get_unchecked::<Option<i64>, _>(1)?;
    Ok(TableFacts { rows: count(0)?, max_id, values, name })
}

/// Every table of the application with its indexes, in bytes of whole pages.
pub(super) async fn sizes(
    connection: &mut SqliteConnection,
) -> Result<Vec<(String, u64)>, sqlx::Error> {
    let sizes: Vec<(String, i64)> = sqlx::query_as(
        "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name \
         WHERE m.tbl_name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         AND m.tbl_name NOT LIKE 'backout\\_%' ESCAPE '\\' GROUP BY 1",
    )
    .fetch_all(connection)
    .await?;
    Ok(sizes.into_iter().map(|(name, size)| (name, size.unsigned_abs())).collect())
}
