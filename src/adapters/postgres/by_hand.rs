//! What a person would type instead of us: never with a password, which `psql` asks for.

use std::path::Path;

use crate::adapters::process::quoted;

use super::facts::{self, Column, Table};
use super::{PostgresPlace, identifier, literal};

fn address(place: &PostgresPlace) -> String {
    quoted(&place.open_url())
}

/// `psql` on a database, as far as its commands.
pub(super) fn psql(place: &PostgresPlace) -> String {
    format!("psql -X -v ON_ERROR_STOP=1 -d {}", address(place))
}

/// The SQL of a database on the standard output.
pub(super) fn dump(place: &PostgresPlace) -> String {
    format!("pg_dump -d {}", address(place))
}

/// Restores `dump` as `new` and swaps; the last line is the swap.
pub(super) fn restore(
    place: &PostgresPlace,
    other: &str,
    dump: &Path,
    (new, kept): (&str, &str),
) -> Vec<String> {
    let server = psql(&place.at(other));
    let into = psql(&place.at(new));
    let dump = quoted(&dump.display().to_string());
    let live = identifier(&place.database);
    let (new_name, kept) = (identifier(new), identifier(kept));
    let on = |sql: String| format!(" -c {}", quoted(&sql));
    vec![
        format!("{server}{}", on(format!("CREATE DATABASE {new_name} TEMPLATE template0"))),
        format!("gunzip -c {dump} | {into} --single-transaction"),
        [
            server,
            on(format!("ALTER DATABASE {live} ALLOW_CONNECTIONS false")),
            on(format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid IS NOT NULL \
                 AND datname = {}",
                literal(&place.database)
            )),
            on(format!("ALTER DATABASE {live} RENAME TO {kept}")),
            on(format!("ALTER DATABASE {new_name} RENAME TO {live}")),
            on(format!("ALTER DATABASE {kept} ALLOW_CONNECTIONS true")),
        ]
        .concat(),
    ]
}

/// A table in the live one and in the copy.
pub(super) struct Sides<'a> {
    /// The live database.
    pub(super) live: &'a PostgresPlace,
    /// The one beside it.
    pub(super) copy: &'a PostgresPlace,
    /// The table.
    pub(super) table: &'a Table,
    /// Its columns in the live one; none where it is not there.
    pub(super) here: &'a [Column],
    /// Its columns in the copy.
    pub(super) there: &'a [Column],
}

/// One command that brings `columns` of the copy into the session of the live one as the table
/// `backout_point`, and runs `then` there, in one transaction.
fn carried(sides: &Sides<'_>, columns: &[String], before: &[String], then: &str) -> String {
    let list = columns.iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", ");
    let table = sides.table.sql();
    let out = quoted(&format!("COPY (SELECT {list} FROM {table}) TO STDOUT"));
    let on = |sql: &str| format!(" -c {}", quoted(sql));
    let before: String = before.iter().map(|sql| on(sql)).collect();
    let make =
        format!("CREATE TEMP TABLE backout_point AS SELECT {list} FROM {table} WITH NO DATA");
    format!(
        "{} -c {out} | {} --single-transaction{before}{}{}{}",
        psql(sides.copy),
        psql(sides.live),
        on(&make),
        on("COPY backout_point FROM STDIN"),
        on(then)
    )
}

/// Copies the rows that the live one lacks, or the whole table where it has none.
pub(super) fn rows(sides: &Sides<'_>) -> String {
    let table = sides.table.sql();
    let both: Vec<String> = sides
        .there
        .iter()
        .map(|column| column.name.clone())
        .filter(|name| sides.here.iter().any(|column| column.name == *name))
        .collect();
    if both.is_empty() {
        return format!(
            "pg_dump -t {} -d {} | {} --single-transaction",
            quoted(&table),
            address(sides.copy),
            psql(sides.live)
        );
    }
    let list = both.iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", ");
    let insert = format!("INSERT INTO {table} ({list}) OVERRIDING SYSTEM VALUE SELECT {list}");
    // Rows that are there keep what they have.
    let then = if facts::keys(sides.here).is_empty() {
        let missing =
            format!("SELECT {list} FROM backout_point EXCEPT ALL SELECT {list} FROM {table}");
        format!("{insert} FROM ({missing}) missing")
    } else {
        format!("{insert} FROM backout_point ON CONFLICT DO NOTHING")
    };
    carried(sides, &both, &[], &then)
}

/// Copies one column's missing values; or why that cannot be done.
pub(super) fn column(sides: &Sides<'_>, column: &str) -> Result<String, String> {
    let shown = sides.table.shown();
    let Some(wanted) = sides.there.iter().find(|one| one.name == column) else {
        return Err(format!("the point has no column {shown}.{column}"));
    };
    if sides.here.is_empty() {
        return Err(format!("table {shown} is missing whole: leave --column out"));
    }
    let keys = facts::keys(sides.there);
    if keys.is_empty() || !keys.iter().all(|key| sides.here.iter().any(|one| one.name == *key)) {
        return Err(format!("{shown} has no key by which its rows could be told apart"));
    }
    let (table, name) = (sides.table.sql(), identifier(column));
    let mut before = Vec::new();
    if !sides.here.iter().any(|one| one.name == column) {
        before.push(format!("ALTER TABLE {table} ADD COLUMN {name} {}", wanted.kind));
    }
    let same: Vec<String> =
        keys.iter().map(|key| identifier(key)).map(|key| format!("p.{key} = t.{key}")).collect();
    // Values that were written since stay.
    let then = format!(
        "UPDATE {table} t SET {name} = p.{name} FROM backout_point p WHERE t.{name} IS NULL AND {}",
        same.join(" AND ")
    );
    let columns: Vec<String> =
        keys.into_iter().filter(|key| key != column).chain([column.to_owned()]).collect();
    Ok(carried(sides, &columns, &before, &then))
}
