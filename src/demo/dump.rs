//! The database as a script of INSERT lines, for restore points (S-80).

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection};

use crate::adapters::Error;

use super::database::{failed, reading};

/// The whole database as SQL that makes it anew, read at one moment.
pub async fn dump(path: &Path) -> Result<String, Error> {
    let shown = |e: sqlx::Error| failed("dump", path, &e);
    let mut connection = reading(path).await.map_err(shown)?;
    let mut moment = connection.begin().await.map_err(shown)?;
    let things: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT type, name, sql FROM sqlite_master \
         WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid",
    )
    .fetch_all(&mut *moment)
    .await
    .map_err(shown)?;

    let mut text = String::from("PRAGMA foreign_keys = OFF;\nBEGIN;\n");
    let tables = || things.iter().filter(|(kind, ..)| kind == "table");
    for (_, name, sql) in tables() {
        text.push_str(sql);
        text.push_str(";\n");
        let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?)")
            .bind(name)
            .fetch_all(&mut *moment)
            .await
            .map_err(shown)?;
        let quoted: Vec<String> =
            columns.iter().map(|column| format!("quote({})", identifier(column))).collect();
        let table = identifier(name);
        let query = format!("SELECT {} FROM {table}", quoted.join(" || ', ' || "));
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_all(&mut *moment)
            .await
            .map_err(shown)?;
        for row in rows {
            text.extend(["INSERT INTO ", &table, " VALUES (", &row, ");\n"]);
        }
    }
    for (_, _, sql) in things.iter().filter(|(kind, ..)| kind != "table") {
        text.push_str(sql);
        text.push_str(";\n");
    }
    text.push_str("COMMIT;\n");
    drop(moment);
    connection.close().await.ok();
    Ok(text)
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
