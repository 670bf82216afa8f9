//! What migration tools have written down in a database.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use crate::adapters::migration_tool::ALL;

use super::facts::columns;

/// The newest revision of each tool that keeps its ledger here.
pub(super) async fn revisions(
    connection: &mut SqliteConnection,
) -> Result<BTreeMap<String, String>, sqlx::Error> {
    let mut all = BTreeMap::new();
    for ledger in ALL {
        if columns(connection, ledger.table()).await?.is_empty() {
            continue;
        }
        let heads: Vec<(String, Option<String>)> =
            sqlx::query_as(AssertSqlSafe(ledger.heads().to_owned()))
                .fetch_all(&mut *connection)
                .await?;
        all.extend(heads.into_iter().filter_map(|(of, revision)| Some((of, revision?))));
    }
    Ok(all)
}
