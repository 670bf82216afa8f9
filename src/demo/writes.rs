//! What clients save: sessions and documents, and the words about it that last (`written.jsonl`).

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{Connection, SqliteConnection};

use crate::model::ids::Digest;

use super::database::changing;
use super::disk::stamp;

/// A table that clients write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    /// `sessions`.
    Sessions,
    /// `documents`.
    Documents,
}

impl Table {
    /// Which one is written to at this path, where one is.
    pub fn of_path(path: &str) -> Option<Self> {
        [Self::Sessions, Self::Documents].into_iter().find(|table| table.path() == path)
    }

    /// Where it is written to.
    pub fn path(self) -> &'static str {
        match self {
            Self::Sessions => "/api/v1/sessions",
            Self::Documents => "/api/v1/documents",
        }
    }

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Documents => "documents",
        }
    }
}

/// What a client wants saved: the body of a POST.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Whose it is.
    pub user: i64,
    /// Of a session: when it began; now by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// Of a document: what it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Of a document: its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

impl Order {
    /// What the clients write in their `turn`th request.
    pub fn of_turn(table: Table, turn: u64, at: DateTime<Utc>) -> Self {
        let user = i64::try_from(turn % 400).unwrap_or(0) + 1;
        let none = Self { user, started_at: None, title: None, body: None };
        match table {
            Table::Sessions => Self { started_at: Some(stamp(at)), ..none },
            Table::Documents => Self {
                title: Some(format!("Note {turn}")),
                body: Some(format!("Written at {}", stamp(at))),
                ..none
            },
        }
    }

    /// The digest of the row that this becomes under `id`: SHA-256 over the JSON array of its
    /// columns as the table has them.
    pub fn digest(&self, table: Table, id: i64) -> Digest {
        let row = match table {
            Table::Sessions => json!([id, self.user, self.started_at]),
            Table::Documents => json!([id, self.user, self.title, self.body]),
        };
        Digest::of(row.to_string().as_bytes())
    }
}

/// One line of `D/written.jsonl`: a row that a client was told is saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// When it was asked for, RFC 3339.
    pub at: String,
    /// Where it is.
    pub table: Table,
    /// Under which id.
    pub id: i64,
    /// See [`Order::digest`].
    pub digest: Digest,
}

/// Saves a row as the given version of the app does it, and returns its id. v2.5.0 also notes in
/// the user's preferences when they were last seen, in the same transaction.
pub async fn save(
    path: &Path,
    version: &str,
    table: Table,
    order: &Order,
    now: DateTime<Utc>,
) -> Result<i64, String> {
    let shown = |e: sqlx::Error| format!("could not save in {}: {e}", table.word());
    let mut connection = changing(path).await.map_err(shown)?;
    let saved = insert(&mut connection, version, table, order, now).await.map_err(shown);
    connection.close().await.ok();
    saved
}

async fn insert(
    connection: &mut SqliteConnection,
    version: &str,
    table: Table,
    order: &Order,
    now: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    let now = stamp(now);
    let mut change = connection.begin_with("BEGIN IMMEDIATE").await?;
    let inserting = match table {
        Table::Sessions => sqlx::query_scalar(
            "INSERT INTO sessions (user_id, started_at) VALUES (?, ?) RETURNING id",
        )
        .bind(order.user)
        .bind(order.started_at.as_ref().unwrap_or(&now)),
        Table::Documents => sqlx::query_scalar(
            "INSERT INTO documents (user_id, title, body) VALUES (?, ?, ?) RETURNING id",
        )
        .bind(order.user)
        .bind(order.title.as_deref().unwrap_or("Untitled"))
        .bind(order.body.as_deref().unwrap_or_default()),
    };
    let id = inserting.fetch_one(&mut *change).await?;
    if !version.starts_with("v2.4.") {
        sqlx::query(
            "UPDATE users SET preferences = json_set(preferences, '$.last_seen', ?) WHERE id = ?",
        )
        .bind(&now)
        .bind(order.user)
        .execute(&mut *change)
        .await?;
    }
    change.commit().await?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::super::database::{reading, script, writing};
    use super::super::fault::{DownScript, Fault};
    use super::super::migrations::deployed;
    use super::super::stage::Stage;
    use super::*;

    const TABLES: [Table; 2] = [Table::Sessions, Table::Documents];

    async fn deploy(stage: &Stage, fault: Option<Fault>) {
        let mut database = writing(&stage.layout.database()).await.unwrap();
        script(&mut database, "105", deployed(fault).up()).await.unwrap();
    }

    async fn one(stage: &Stage, query: &'static str) -> String {
        let mut database = reading(&stage.layout.database()).await.unwrap();
        sqlx::query_scalar(query).fetch_one(&mut database).await.unwrap()
    }

    #[tokio::test]
    async fn a_saved_row_has_the_digest_that_the_client_computed() {
        let stage = Stage::full().await;
        let now = "2026-11-22T01:02:03Z".parse().unwrap();
        for (table, query) in TABLES.into_iter().zip([
            "SELECT json_array(id, user_id, started_at) FROM sessions ORDER BY id DESC",
            "SELECT json_array(id, user_id, title, body) FROM documents ORDER BY id DESC",
        ]) {
            let order = Order::of_turn(table, 7, now);
            let path = stage.layout.database();
            let id = save(&path, "v2.4.9", table, &order, now).await.unwrap();
            let row = one(&stage, query).await;
            assert_eq!(Digest::of(row.as_bytes()), order.digest(table, id), "{row}");
        }
    }

    #[tokio::test]
    async fn the_new_version_fills_the_column_that_its_migration_brought() {
        let stage = Stage::full().await;
        let now = "2026-11-22T01:02:03Z".parse().unwrap();
        let order = Order::of_turn(Table::Sessions, 0, now);
        let path = stage.layout.database();
        let early = save(&path, "v2.5.0", Table::Sessions, &order, now).await;
        assert!(early.unwrap_err().contains("no such column: preferences"));
        deploy(&stage, None).await;
        save(&path, "v2.5.0", Table::Sessions, &order, now).await.unwrap();
        let kept = one(&stage, "SELECT preferences FROM users WHERE id = 1").await;
        assert_eq!(kept, r#"{"last_seen":"2026-11-22T01:02:03.000Z"}"#);
    }

    #[tokio::test]
    async fn the_bad_migration_refuses_every_write_of_both_versions_until_it_is_taken_back() {
        let stage = Stage::full().await;
        let now = "2026-11-22T01:02:03Z".parse().unwrap();
        let fault = Some(Fault::BadMigration(DownScript::Whole));
        deploy(&stage, fault).await;
        let path = stage.layout.database();
        for (table, version) in TABLES.into_iter().flat_map(|t| [(t, "v2.4.9"), (t, "v2.5.0")]) {
            let order = Order::of_turn(table, 3, now);
            let refused = save(&path, version, table, &order, now).await.unwrap_err();
            assert!(refused.contains("the user has no locale"), "{refused}");
        }
        assert_eq!(one(&stage, "SELECT CAST(count(*) AS TEXT) FROM sessions").await, "600");
        let mut database = writing(&path).await.unwrap();
        script(&mut database, "105", deployed(fault).down()).await.unwrap();
        let order = Order::of_turn(Table::Documents, 3, now);
        save(&path, "v2.4.9", Table::Documents, &order, now).await.unwrap();
    }

    #[tokio::test]
    async fn the_broken_way_down_ends_in_its_middle_and_changes_nothing() {
        let stage = Stage::full().await;
        let fault = Some(Fault::BadMigration(DownScript::Broken));
        deploy(&stage, fault).await;
        let mut database = writing(&stage.layout.database()).await.unwrap();
        let failed = script(&mut database, "105", deployed(fault).down()).await.unwrap_err();
        assert!(failed.message.contains("syntax error"), "{failed}");
        drop(database);
        let triggers = "SELECT CAST(count(*) AS TEXT) FROM sqlite_master WHERE type = 'trigger'";
        assert_eq!(one(&stage, triggers).await, "2");
    }
}
