//! The SQL that copies a table or a column back from a copy beside: a person reads and runs it.

use std::path::Path;

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::identifier;

/// What is wanted back.
pub(super) struct Wanted<'a> {
    /// The copy's file.
    pub(super) copy: &'a Path,
    /// The table.
    pub(super) table: &'a str,
    /// The column; nothing for every row of the table that is missing.
    pub(super) column: Option<&'a str>,
}

/// The statements, or why there is nothing to copy.
pub(super) async fn by_hand(
    live: &mut SqliteConnection,
    wanted: &Wanted<'_>,
) -> Result<Result<Vec<String>, String>, sqlx::Error> {
    let quoted = wanted.copy.display().to_string().replace('\'', "''");
    let attach = format!("ATTACH 'file:{quoted}?mode=ro' AS point");
    let plain = format!("ATTACH '{quoted}' AS point");
    // Where names of files are not read as addresses, the plain one works.
    if sqlx::raw_sql(AssertSqlSafe(attach)).execute(&mut *live).await.is_err() {
        sqlx::raw_sql(AssertSqlSafe(plain.clone())).execute(&mut *live).await?;
    }
    let there: Option<String> =
        sqlx::query_scalar("SELECT sql FROM point.sqlite_master WHERE type = 'table' AND name = ?")
            .bind(wanted.table)
            .fetch_optional(&mut *live)
            .await?;
    let Some(create) = there else {
        return Ok(Err(format!("the point has no table {}", wanted.table)));
    };
    let body = match wanted.column {
        Some(column) => column_back(live, wanted.table, column).await?,
        None => Ok(table_back(live, wanted.table, &create).await?),
    };
    Ok(body.map(|body| {
        let mut all = vec![format!("{plain};"), "BEGIN IMMEDIATE;".to_owned()];
        all.extend(body.into_iter().map(|statement| format!("{statement};")));
        all.extend(["COMMIT;".to_owned(), "DETACH point;".to_owned()]);
        all
    }))
}

/// The columns of a table of one of the two: without saying which, a table that one lacks is found
/// in the other.
async fn columns(
    live: &mut SqliteConnection,
    table: &str,
    of: &str,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT name FROM pragma_table_xinfo(?, ?) WHERE hidden = 0")
        .bind(table)
        .bind(of)
        .fetch_all(live)
        .await
}

async fn table_back(
    live: &mut SqliteConnection,
    table: &str,
    create: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let now = columns(live, table, "main").await?;
    let then = columns(live, table, "point").await?;
    let name = identifier(table);
    let list = |columns: &[String]| {
        columns.iter().map(|column| identifier(column)).collect::<Vec<_>>().join(", ")
    };
    if now.is_empty() {
        let indexes: Vec<String> = sqlx::query_scalar(
            "SELECT sql FROM point.sqlite_master WHERE tbl_name = ? AND type IN ('index', \
             'trigger') AND sql IS NOT NULL ORDER BY name",
        )
        .bind(table)
        .fetch_all(live)
        .await?;
        let columns = list(&then);
        let rows =
            format!("INSERT INTO main.{name} ({columns}) SELECT {columns} FROM point.{name}");
        return Ok([create.to_owned(), rows].into_iter().chain(indexes).collect());
    }
    let both: Vec<String> = then.into_iter().filter(|column| now.contains(column)).collect();
    let columns = list(&both);
    // Rows that are there keep what they have.
    Ok(vec![format!(
        "INSERT OR IGNORE INTO main.{name} ({columns}) SELECT {columns} FROM point.{name}"
    )])
}

async fn column_back(
    live: &mut SqliteConnection,
    table: &str,
    column: &str,
) -> Result<Result<Vec<String>, String>, sqlx::Error> {
    let then: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT name, type, pk FROM pragma_table_xinfo(?, 'point')")
            .bind(table)
            .fetch_all(&mut *live)
            .await?;
    let Some((_, kind, _)) = then.iter().find(|(name, _, _)| name == column) else {
        return Ok(Err(format!("the point has no column {table}.{column}")));
    };
    let now = columns(live, table, "main").await?;
    if now.is_empty() {
        return Ok(Err(format!("table {table} is missing whole: leave --column out")));
    }
    let (name, wanted) = (identifier(table), identifier(column));
    let mut all = Vec::new();
    if !now.iter().any(|there| there == column) {
        all.push(format!("ALTER TABLE main.{name} ADD COLUMN {wanted} {kind}"));
    }
    let keys: Vec<String> = then
        .iter()
        .filter(|(_, _, key)| *key > 0)
        .map(|(key, _, _)| identifier(key))
        .map(|key| format!("p.{key} = {name}.{key}"))
        .collect();
    let same = if keys.is_empty() { format!("p.rowid = {name}.rowid") } else { keys.join(" AND ") };
    // Values that were written since stay.
    all.push(format!(
        "UPDATE main.{name} SET {wanted} = (SELECT p.{wanted} FROM point.{name} p WHERE {same}) \
         WHERE {wanted} IS NULL AND EXISTS (SELECT 1 FROM point.{name} p WHERE {same})"
    ));
    Ok(Ok(all))
}
