//! What migration tools have written down in a database.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use crate::adapters::database::Applied;
use crate::adapters::migration_tool::ALL;
use crate::adapters::{Error, Kind};
use crate::model::ids::Time;
use crate::text::SafeText;

use super::facts::{self, Table};
use super::translate;

/// A ledger of numbered migrations, and how its columns are read as text.
struct Numbered {
    table: &'static str,
    checksum: &'static [&'static str],
    at: &'static [&'static str],
}

/// Plain files and what most tools call theirs; then the one of sqlx.
const NUMBERED: [Numbered; 2] = [
    Numbered {
        table: "schema_migrations",
        checksum: &["checksum"],
        at: &["applied_at", "inserted_at", "executed_at"],
    },
    Numbered { table: "_sqlx_migrations", checksum: &["checksum"], at: &["installed_on"] },
];

/// The table of numbered migrations, where there is one.
pub(super) async fn numbered(connection: &mut PgConnection) -> Result<Option<Table>, sqlx::Error> {
    for ledger in &NUMBERED {
        if let Some(table) = named(connection, ledger.table).await? {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

/// The table that this session means by a name; none where there is none.
async fn named(connection: &mut PgConnection, name: &str) -> Result<Option<Table>, sqlx::Error> {
    let found: Option<(String, String)> = sqlx::query_as(
        "SELECT n.nspname::text, c.relname::text FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)",
    )
    .bind(super::identifier(name))
    .fetch_optional(connection)
    .await?;
    Ok(found.map(|(schema, name)| Table { schema, name, partitioned: false }))
}

/// The applied migrations, oldest first.
pub(super) async fn applied(
    connection: &mut PgConnection,
    thing: &str,
) -> Result<Vec<Applied>, Error> {
    let sql = |e: sqlx::Error| translate("read", thing, &e);
    let Some(table) = numbered(connection).await.map_err(sql)? else { return Ok(Vec::new()) };
    let columns = facts::columns(connection, &table).await.map_err(sql)?;
    let ledger = NUMBERED.iter().find(|ledger| ledger.table == table.name);
    let (checksum, at) = ledger.map_or((&[][..], &[][..]), |one| (one.checksum, one.at));
    let text = |names: &[&str]| {
        let there = names.iter().find_map(|name| columns.iter().find(|one| one.name == *name));
        there.map_or_else(
            || "NULL::text".to_owned(),
            |column| {
                let name = super::identifier(&column.name);
                if column.kind == "bytea" {
                    format!("encode({name}, 'hex')")
                } else {
                    format!("{name}::text")
                }
            },
        )
    };
    let query = format!(
        "SELECT version::text, {}, {} FROM {} ORDER BY version::text::numeric",
        text(checksum),
        text(at),
        table.sql()
    );
    let rows: Vec<(String, Option<String>, Option<String>)> =
        sqlx::query_as(AssertSqlSafe(query)).fetch_all(connection).await.map_err(sql)?;
    let applied = |(version, checksum, at): (String, Option<String>, Option<String>)| {
        let number = version.parse().map_err(|_| {
            let why = format!("could not read {thing}: version {version:?} is no whole number");
            Error::new(Kind::Rejected, why)
        });
        Ok(Applied {
            version: number?,
            checksum: checksum.map(|text| SafeText::new(&text)),
            at: at.and_then(|text| time(&text)),
        })
    };
    rows.into_iter().map(applied).collect()
}

/// A time as the server writes it: `2026-11-22 02:50:58.1+00`, or without a zone, which means UTC.
fn time(text: &str) -> Option<Time> {
    let text = text.trim().replacen(' ', "T", 1);
    let zoned = |zone: &str| format!("{text}{zone}").parse().ok();
    zoned("").or_else(|| zoned(":00")).or_else(|| zoned("Z"))
}

/// The newest revision of each tool that keeps its ledger here.
pub(super) async fn revisions(
    connection: &mut PgConnection,
) -> Result<BTreeMap<String, String>, sqlx::Error> {
    let mut all = BTreeMap::new();
    for ledger in ALL {
        if named(connection, ledger.table()).await?.is_none() {
            continue;
        }
        let heads: Vec<(String, Option<String>)> =
            sqlx::query_as(AssertSqlSafe(ledger.heads_on_a_server().to_owned()))
                .fetch_all(&mut *connection)
                .await?;
        all.extend(heads.into_iter().filter_map(|(of, revision)| Some((of, revision?))));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_read_as_the_server_writes_them() {
        let read = |text: &str| super::time(text).map(|at| at.format("%H:%M:%S").to_string());
        for text in ["2026-11-22 02:50:58.12+00", "2026-11-22 02:50:58", "2026-11-22T02:50:58Z"] {
            assert_eq!(read(text).as_deref(), Some("02:50:58"), "{text}");
        }
        assert_eq!(read("yesterday"), None);
    }
}
