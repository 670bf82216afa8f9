//! Keeps what a down script drops, in tables of ours, and fills it in again (W-12).

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use crate::adapters::database::Column;

use super::facts::{self, Table};
use super::{SCHEMA, fitting, identifier, literal};

/// The table of ours that keeps it.
fn place(what: &Column, to: &str) -> Table {
    let table = what.table.replace('.', "_");
    let name = match &what.column {
        Some(column) => fitting(&format!("{to}_{table}_{column}")),
        None => fitting(&format!("{to}_{table}")),
    };
    Table { schema: SCHEMA.to_owned(), name, partitioned: false }
}

/// The table that a script means: as it would find it, with or without its schema.
async fn meant(connection: &mut PgConnection, name: &str) -> Result<Option<Table>, sqlx::Error> {
    let parts: Vec<String> = name.split('.').map(identifier).collect();
    let found: Option<(String, String, bool)> = sqlx::query_as(
        "SELECT n.nspname::text, c.relname::text, c.relkind = 'p' FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid = to_regclass($1) AND c.relkind IN ('r', 'p')",
    )
    .bind(parts.join("."))
    .fetch_optional(connection)
    .await?;
    Ok(found.map(|(schema, name, partitioned)| Table { schema, name, partitioned }))
}

async fn run(connection: &mut PgConnection, query: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(query)).execute(connection).await.map(drop)
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", ")
}

/// Copies the key and a column, or a whole table, away. Where there is no key all of the table is
/// kept beside the column.
pub(super) async fn save(
    connection: &mut PgConnection,
    what: &Column,
    to: &str,
) -> Result<bool, sqlx::Error> {
    // What is not there has nothing to keep; the script itself says whether that is wrong.
    let Some(table) = meant(connection, &what.table).await? else { return Ok(false) };
    let columns = facts::columns(connection, &table).await?;
    let wanted = |name: &String| {
        columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)).map(|one| &one.name)
    };
    let keys = facts::keys(&columns);
    let chosen: Vec<String> = match &what.column {
        Some(column) => {
            let Some(column) = wanted(column) else { return Ok(false) };
            if keys.is_empty() || keys.contains(column) {
                columns.iter().map(|column| column.name.clone()).collect()
            } else {
                keys.iter().chain([column]).cloned().collect()
            }
        }
        None => columns.iter().map(|column| column.name.clone()).collect(),
    };
    run(connection, format!("CREATE SCHEMA IF NOT EXISTS {}", identifier(SCHEMA))).await?;
    let query = format!(
        "CREATE TABLE {} AS SELECT {} FROM {}",
        place(what, to).sql(),
        list(&chosen),
        table.rows()
    );
    run(connection, query).await?;
    Ok(true)
}

/// Fills what was copied away in again; nothing where nothing was. Says where it still lies when
/// it could not be filled in.
pub(super) async fn refill(
    connection: &mut PgConnection,
    what: &Column,
    to: &str,
) -> Result<Option<String>, sqlx::Error> {
    let place = place(what, to);
    let saved = facts::columns_if_there(connection, &place).await?;
    let table = meant(connection, &what.table).await?;
    let (Some(table), false) = (table, saved.is_empty()) else { return Ok(None) };
    let now = facts::columns(connection, &table).await?;
    let both: Vec<String> = saved
        .iter()
        .map(|column| column.name.clone())
        .filter(|name| now.iter().any(|column| column.name == *name))
        .collect();
    let keys = facts::keys(&now);
    let triggers = triggers(connection, &table).await?;
    switch(connection, &table, &triggers, "DISABLE").await?;
    let lies = format!("{} is kept in {}", what.table, place.shown());
    let filled = match &what.column {
        None => {
            // Rows that stayed, or came after, keep what they have.
            let columns = list(&both);
            let query = format!(
                "INSERT INTO {} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {} \
                 ON CONFLICT DO NOTHING",
                table.sql(),
                place.sql()
            );
            run(connection, query).await?;
            count_on(connection, &table, &both).await?;
            true
        }
        Some(column) => {
            let column = both.iter().find(|name| name.eq_ignore_ascii_case(column));
            let known = !keys.is_empty() && keys.iter().all(|key| both.contains(key));
            let same: Vec<String> = keys
                .iter()
                .map(|key| identifier(key))
                .map(|key| format!("s.{key} = t.{key}"))
                .collect();
            // Rows that came after keep what they have.
            let update = |column: &String| {
                format!(
                    "UPDATE {} t SET {column} = s.{column} FROM {} s WHERE {}",
                    table.sql(),
                    place.sql(),
                    same.join(" AND "),
                    column = identifier(column)
                )
            };
            match column.filter(|_| known) {
                Some(column) => run(connection, update(column)).await.map(|()| true)?,
                None => false,
            }
        }
    };
    switch(connection, &table, &triggers, "ENABLE").await?;
    if !filled {
        return Ok(Some(lies));
    }
    let count = |rows: String| AssertSqlSafe(format!("SELECT count(*) FROM {rows}"));
    let held: i64 = sqlx::query_scalar(count(table.rows())).fetch_one(&mut *connection).await?;
    let kept: i64 = sqlx::query_scalar(count(place.sql())).fetch_one(&mut *connection).await?;
    if held < kept {
        return Ok(Some(lies));
    }
    // It is where it belongs again, and the next attempt saves anew.
    run(connection, format!("DROP TABLE {}", place.sql())).await?;
    Ok(None)
}

/// The triggers of somebody that fire as usual: what comes back was seen by them when it was new.
async fn triggers(
    connection: &mut PgConnection,
    table: &Table,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT tgname::text FROM pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal \
         AND tgenabled = 'O'",
    )
    .bind(table.sql())
    .fetch_all(connection)
    .await
}

async fn switch(
    connection: &mut PgConnection,
    table: &Table,
    triggers: &[String],
    verb: &str,
) -> Result<(), sqlx::Error> {
    if triggers.is_empty() {
        return Ok(());
    }
    let each = triggers
        .iter()
        .map(|name| format!("ALTER TABLE {} {verb} TRIGGER {}", table.sql(), identifier(name)));
    // What is still to be checked at the end is checked now: else the table is not to be changed.
    let all: Vec<String> =
        ["SET CONSTRAINTS ALL IMMEDIATE".to_owned()].into_iter().chain(each).collect();
    run(connection, all.join("; ")).await
}

/// Lets the counters of a table go on after the rows that came back: a new row must not take the
/// number of one of them.
async fn count_on(
    connection: &mut PgConnection,
    table: &Table,
    columns: &[String],
) -> Result<(), sqlx::Error> {
    for column in columns {
        let counter: Option<String> = sqlx::query_scalar("SELECT pg_get_serial_sequence($1, $2)")
            .bind(table.sql())
            .bind(column)
            .fetch_one(&mut *connection)
            .await?;
        let Some(counter) = counter else { continue };
        let query = format!(
            "SELECT setval({}, max({name})) FROM {} HAVING max({name}) > \
             coalesce(pg_sequence_last_value({}), 0)",
            literal(&counter),
            table.sql(),
            literal(&counter),
            name = identifier(column),
        );
        run(connection, query).await?;
    }
    Ok(())
}
