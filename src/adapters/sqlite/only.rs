//! Rows that one database has and another has not: what a swap would lose.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use crate::adapters::{Error, Kind};

use super::{facts, identifier, translate};

/// Counts, per table, the rows of `connection`'s database that the file `other` does not have just
/// so; with `into` they are written as JSON lines to `into/<table>.jsonl.gz`.
pub(super) async fn read(
    connection: &mut SqliteConnection,
    thing: &str,
    other: &Path,
    into: Option<&Path>,
) -> Result<Vec<(String, u64)>, Error> {
    let sql = |e: sqlx::Error| translate("compare", thing, &e);
    sqlx::query("ATTACH DATABASE ? AS copy")
        .bind(other.display().to_string())
        .execute(&mut *connection)
        .await
        .map_err(sql)?;
    let there: Vec<String> =
        sqlx::query_scalar("SELECT name FROM copy.sqlite_master WHERE type = 'table'")
            .fetch_all(&mut *connection)
            .await
            .map_err(sql)?;
    let mut found = Vec::new();
    for table in facts::read(connection).await.map_err(sql)? {
        let columns = facts::columns(connection, &table.name).await.map_err(sql)?;
        let of_copy: Vec<String> =
            sqlx::query_scalar("SELECT name FROM pragma_table_xinfo(?, 'copy') WHERE hidden = 0")
                .bind(&table.name)
                .fetch_all(&mut *connection)
                .await
                .map_err(sql)?;
        let common: Vec<String> =
            columns.iter().filter(|c| of_copy.contains(c)).map(|c| identifier(c)).collect();
        let name = identifier(&table.name);
        // A column that only one of them has makes no row another one.
        let rows = if there.contains(&table.name) && !common.is_empty() {
            let list = common.join(", ");
            format!("SELECT {list} FROM main.{name} EXCEPT SELECT {list} FROM copy.{name}")
        } else {
            format!("SELECT * FROM main.{name}")
        };
        let count: i64 =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM ({rows})")))
                .fetch_one(&mut *connection)
                .await
                .map_err(sql)?;
        if let Some(into) = into
            && count > 0
        {
            let shown = if common.is_empty() {
                columns.iter().map(|c| identifier(c)).collect()
            } else {
                common
            };
            let query = format!("SELECT {} FROM ({rows})", object(&shown));
            write(connection, query, &file(into, &table.name)?, thing).await?;
        }
        found.push((table.name, count.unsigned_abs()));
    }
    Ok(found)
}

/// A row as one JSON object: bytes as hexadecimal text.
fn object(columns: &[String]) -> String {
    let pair = |column: &String| {
        let key = column.trim_matches('"').replace('\'', "''");
        format!("'{key}', CASE typeof({column}) WHEN 'blob' THEN hex({column}) ELSE {column} END")
    };
    format!("json_object({})", columns.iter().map(pair).collect::<Vec<_>>().join(", "))
}

fn file(into: &Path, table: &str) -> Result<std::path::PathBuf, Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if table.is_empty() || !table.chars().all(plain) {
        let message = format!("could not export table {table:?}: its name is no plain file name");
        return Err(Error::new(Kind::Rejected, message));
    }
    Ok(into.join(format!("{table}.jsonl.gz")))
}

async fn write(
    connection: &mut SqliteConnection,
    query: String,
    path: &Path,
    thing: &str,
) -> Result<(), Error> {
    let io = |e: std::io::Error| Error::io("write", path.display(), &e);
    let file = File::create(path).map_err(io)?;
    let mut out = BufWriter::new(GzEncoder::new(file, Compression::fast()));
    let mut rows = sqlx::query_scalar::<_, String>(AssertSqlSafe(query)).fetch(connection);
    while let Some(row) = rows.try_next().await.map_err(|e| translate("export", thing, &e))? {
        writeln!(out, "{row}").map_err(io)?;
    }
    let encoder = out.into_inner().map_err(|e| io(e.into_error()))?;
    encoder.finish().and_then(|file| file.sync_all()).map_err(io)
}
