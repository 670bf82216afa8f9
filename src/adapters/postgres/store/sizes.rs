//! How large a database is, and each of its tables with indexes and what lies outside its rows.

use sqlx::{Connection as _, query_scalar};

use crate::adapters::Error;

use super::super::{facts, translate};
use super::PostgresDatabase;

impl PostgresDatabase {
    /// The whole of it, in bytes.
    pub(super) async fn measured(&self) -> Result<u64, Error> {
        let sql = |e: sqlx::Error| translate("measure", &self.thing(), &e);
        let mut connection = self.reading().await?;
        let size: i64 = query_scalar("SELECT pg_database_size(current_database())")
            .fetch_one(&mut connection)
            .await
            .map_err(sql)?;
        connection.close().await.ok();
        Ok(size.unsigned_abs())
    }

    /// Every table of the application (S-38), those in parts with all of them, in bytes.
    pub(super) async fn measured_tables(&self) -> Result<Vec<(String, u64)>, Error> {
        let sql = |e: sqlx::Error| translate("measure", &self.thing(), &e);
        let mut connection = self.reading().await?;
        let mut sizes = Vec::new();
        for table in facts::tables(&mut connection).await.map_err(sql)? {
            let size: i64 = query_scalar(
                "SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::int8 \
                 FROM (SELECT $1::regclass AS relid UNION SELECT relid \
                 FROM pg_partition_tree($1::regclass)) parts",
            )
            .bind(table.sql())
            .fetch_one(&mut connection)
            .await
            .map_err(sql)?;
            sizes.push((table.shown(), size.unsigned_abs()));
        }
        connection.close().await.ok();
        Ok(sizes)
    }
}
