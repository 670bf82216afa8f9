//! What the tables of a database hold.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row};

use crate::adapters::database::OURS;
use crate::model::tables::TableFacts;

use super::{SCHEMA, identifier};

/// A table of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// Its schema.
    pub(super) schema: String,
    /// Its name.
    pub(super) name: String,
    /// Whether its rows lie in parts of their own.
    pub(super) partitioned: bool,
}

impl Table {
    /// As people and manifests name it: with its schema only where that is not `public`.
    pub(super) fn shown(&self) -> String {
        if self.schema == "public" {
            self.name.clone()
        } else {
            format!("{}.{}", self.schema, self.name)
        }
    }

    /// As SQL names it.
    pub(super) fn sql(&self) -> String {
        format!("{}.{}", identifier(&self.schema), identifier(&self.name))
    }

    /// What its own rows are selected from: not those of tables that inherit from it.
    pub(super) fn rows(&self) -> String {
        if self.partitioned { self.sql() } else { format!("ONLY {}", self.sql()) }
    }
}

/// A column that can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: String,
    /// Its type as SQL writes it.
    pub(super) kind: String,
    /// Its place in the primary key, from 1.
    pub(super) key: Option<i32>,
    /// Whether it is a whole number.
    pub(super) whole: bool,
}

/// Every table of the application, in order of their names: none of ours, none of an extension.
/// Parts of a table are counted with it.
pub(super) async fn tables(connection: &mut PgConnection) -> Result<Vec<Table>, sqlx::Error> {
    let found: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT n.nspname::text, c.relname::text, c.relkind = 'p' FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' \
         AND n.nspname NOT IN ('pg_catalog', 'information_schema', $1) \
         AND n.nspname NOT LIKE 'pg\\_%' AND NOT starts_with(c.relname, $2) \
         AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass \
         AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1, 2",
    )
    .bind(SCHEMA)
    .bind(OURS)
    .fetch_all(connection)
    .await?;
    let table = |(schema, name, partitioned)| Table { schema, name, partitioned };
    let mut tables: Vec<Table> = found.into_iter().map(table).collect();
    tables.sort_by_key(Table::shown);
    Ok(tables)
}

/// The table that is shown under this name.
pub(super) async fn find(
    connection: &mut PgConnection,
    shown: &str,
) -> Result<Option<Table>, sqlx::Error> {
    Ok(tables(connection).await?.into_iter().find(|table| table.shown() == shown))
}

/// The columns of a table in their order, without those that are computed.
pub(super) async fn columns(
    connection: &mut PgConnection,
    table: &Table,
) -> Result<Vec<Column>, sqlx::Error> {
    let found: Vec<(String, String, Option<i32>, bool)> = sqlx::query_as(
        "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), \
         array_position(i.indkey::int2[], a.attnum) + 1, \
         a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) \
         FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary \
         WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped \
         AND a.attgenerated = '' ORDER BY a.attnum",
    )
    .bind(table.sql())
    .fetch_all(connection)
    .await?;
    let column = |(name, kind, key, whole)| Column { name, kind, key, whole };
    Ok(found.into_iter().map(column).collect())
}

/// The same; none where there is no such table.
pub(super) async fn columns_if_there(
    connection: &mut PgConnection,
    table: &Table,
) -> Result<Vec<Column>, sqlx::Error> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(table.sql())
        .fetch_one(&mut *connection)
        .await?;
    if there { columns(connection, table).await } else { Ok(Vec::new()) }
}

/// The columns of the primary key in its order; none where there is no key.
pub(super) fn keys(columns: &[Column]) -> Vec<String> {
    let mut keys: Vec<&Column> = columns.iter().filter(|column| column.key.is_some()).collect();
    keys.sort_by_key(|column| column.key);
    keys.into_iter().map(|column| column.name.clone()).collect()
}

/// Every table of the application, as this transaction sees it.
pub(super) async fn read(connection: &mut PgConnection) -> Result<Vec<TableFacts>, sqlx::Error> {
    let mut all = Vec::new();
    for table in tables(connection).await? {
        all.push(facts(connection, &table).await?);
    }
    Ok(all)
}

async fn facts(connection: &mut PgConnection, table: &Table) -> Result<TableFacts, sqlx::Error> {
    let columns = columns(connection, table).await?;
    let counts: Vec<String> =
        columns.iter().map(|column| format!("count({})", identifier(&column.name))).collect();
    let keys: Vec<&Column> = columns.iter().filter(|column| column.key.is_some()).collect();
    let greatest = match keys.as_slice() {
        [key] if key.whole => format!("max({})::int8", identifier(&key.name)),
        _ => "NULL::int8".to_owned(),
    };
    let query = format!(
        "SELECT count(*), {greatest}, ARRAY[{}]::int8[] FROM {}",
        counts.join(", "),
        table.rows()
    );
    let row = sqlx::query(AssertSqlSafe(query)).fetch_one(connection).await?;
    let counted: Vec<i64> = row.try_get(2)?;
    let names = columns.into_iter().map(|column| column.name);
    let values: BTreeMap<String, u64> =
        names.zip(counted.into_iter().map(i64::unsigned_abs)).collect();
    let rows = row.try_get::<i64, _>(0)?.unsigned_abs();
    Ok(TableFacts { rows, max_id: row.try_get(1)?, values, name: table.shown() })
}
