//! What is wrong inside a database, as far as it can be asked: indexes, rules, keys that name
//! rows that are not there, and whether every table can be read to its end.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use crate::adapters::{Error, Kind};
use crate::text::SafeText;

use super::facts::{self, Table};
use super::{identifier, translate};

/// How many of one kind are named.
const NAMED: i64 = 20;

/// Every problem that is found, in words.
pub(super) async fn find(
    connection: &mut PgConnection,
    thing: &str,
) -> Result<Vec<SafeText>, Error> {
    let sql = |e: sqlx::Error| translate("check", thing, &e);
    let mut found: Vec<String> = sqlx::query_scalar(
        "SELECT format('index %s of %s is not valid', indexrelid::regclass, indrelid::regclass) \
         FROM pg_index WHERE NOT (indisvalid AND indisready) \
         UNION ALL SELECT format('%s of %s was never checked against its rows', conname, \
         conrelid::regclass) FROM pg_constraint WHERE NOT convalidated \
         UNION ALL SELECT format('%s pages did not match their checksum, the last on %s', \
         checksum_failures, checksum_last_failure) FROM pg_stat_database \
         WHERE datname = current_database() AND checksum_failures > 0 LIMIT $1",
    )
    .bind(NAMED)
    .fetch_all(&mut *connection)
    .await
    .map_err(sql)?;
    for table in facts::tables(connection).await.map_err(sql)? {
        let query = format!("SELECT count(*) FROM {}", table.rows());
        let read = sqlx::query_scalar::<_, i64>(AssertSqlSafe(query));
        let read = read.fetch_one(&mut *connection).await;
        found.extend(damage(read.map(drop), &table.shown(), thing)?);
    }
    found.extend(orphans(connection, thing).await?);
    found.extend(indexes(connection, thing).await?);
    Ok(found.iter().map(|line| SafeText::new(line)).collect())
}

/// What a damaged page says; an error of any other kind is no finding.
fn damage(read: Result<(), sqlx::Error>, what: &str, thing: &str) -> Result<Option<String>, Error> {
    let Err(error) = read else { return Ok(None) };
    let error = translate("check", thing, &error);
    if error.kind == Kind::Reset {
        Ok(Some(format!("{what}: {}", error.message)))
    } else {
        Err(error)
    }
}

type Key = (String, String, String, String, Vec<String>, Vec<String>);

/// Rows that name a row which is not there. The server keeps that from happening, unless its
/// triggers were switched off while rows were changed.
async fn orphans(connection: &mut PgConnection, thing: &str) -> Result<Vec<String>, Error> {
    let sql = |e: sqlx::Error| translate("check", thing, &e);
    let names = |relation: &str, numbers: &str| {
        format!(
            "(SELECT array_agg(a.attname::text ORDER BY k.at) FROM \
             unnest(c.{numbers}) WITH ORDINALITY k(num, at) JOIN pg_attribute a \
             ON a.attrelid = c.{relation} AND a.attnum = k.num)"
        )
    };
    let query = format!(
        "SELECT n.nspname::text, t.relname::text, m.nspname::text, u.relname::text, {}, {} \
         FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid \
         JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_class u ON u.oid = c.confrelid \
         JOIN pg_namespace m ON m.oid = u.relnamespace \
         WHERE c.contype = 'f' AND c.convalidated AND c.conparentid = 0 ORDER BY c.conname",
        names("conrelid", "conkey"),
        names("confrelid", "confkey")
    );
    let keys: Vec<Key> =
        sqlx::query_as(AssertSqlSafe(query)).fetch_all(&mut *connection).await.map_err(sql)?;
    let mut found = Vec::new();
    for (schema, name, of, parent, here, there) in keys {
        let child = Table { schema, name, partitioned: false };
        let parent = Table { schema: of, name: parent, partitioned: false };
        let pairs: Vec<String> = here
            .iter()
            .zip(&there)
            .map(|(here, there)| format!("p.{} = t.{}", identifier(there), identifier(here)))
            .collect();
        let given: Vec<String> =
            here.iter().map(|here| format!("t.{} IS NOT NULL", identifier(here))).collect();
        let query = format!(
            "SELECT count(*) FROM {} t WHERE {} AND NOT EXISTS (SELECT 1 FROM {} p WHERE {})",
            child.sql(),
            given.join(" AND "),
            parent.sql(),
            pairs.join(" AND ")
        );
        let lost: i64 = sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_one(&mut *connection)
            .await
            .map_err(sql)?;
        if lost > 0 {
            let (child, parent) = (child.shown(), parent.shown());
            found.push(format!("{lost} rows of {child} name rows that {parent} does not have"));
        }
    }
    Ok(found)
}

/// What `amcheck` says, where it is installed and we may ask it.
async fn indexes(connection: &mut PgConnection, thing: &str) -> Result<Vec<String>, Error> {
    let sql = |e: sqlx::Error| translate("check", thing, &e);
    let place: Option<String> = sqlx::query_scalar(
        "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n \
         ON n.oid = e.extnamespace JOIN pg_proc p ON p.pronamespace = n.oid \
         AND p.proname = 'bt_index_check' WHERE e.extname = 'amcheck' \
         AND has_function_privilege(p.oid, 'EXECUTE') LIMIT 1",
    )
    .fetch_optional(&mut *connection)
    .await
    .map_err(sql)?;
    let Some(place) = place else { return Ok(Vec::new()) };
    let indexes: Vec<String> = sqlx::query_scalar(
        "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c \
         ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam AND a.amname = 'btree' \
         WHERE i.indisvalid AND i.indisready AND c.relkind = 'i' AND c.relpersistence = 'p'",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(sql)?;
    let mut found = Vec::new();
    for index in indexes {
        let query = format!("SELECT {place}.bt_index_check($1::regclass)");
        let checked = sqlx::query(AssertSqlSafe(query)).bind(&index).execute(&mut *connection);
        found.extend(damage(checked.await.map(drop), &format!("index {index}"), thing)?);
    }
    Ok(found)
}
