//! Faults of the data: what is made wrong with the rows themselves, and what is wrong with them.
//! No healing of the stack brings rows back: that is what levels 2 and 3 are for.

use std::collections::BTreeMap;
use std::fs;

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::adapters::Error;

use super::database::{changing, failed, reading, script};
use super::disk::write;
use super::layout::Layout;

/// What an app that finds its data damaged leaves behind, inside the folder.
pub const MARKER: &str = "data/corruption_detected";

/// The tables that the app cannot do without.
const TABLES: [&str; 4] = ["users", "sessions", "game_state", "documents"];

/// Broken as by a bad disk or a bad job: references into nothing, lost texts, lost rows.
const BREAK: &str = "
PRAGMA foreign_keys = OFF;
BEGIN;
UPDATE sessions SET user_id = user_id + 100000 WHERE id % 10 = 0 AND id <= 600;
UPDATE documents SET title = '', body = '' WHERE id <= 100;
DELETE FROM game_state WHERE id > 150;
COMMIT;
";

const REASON: &str =
    "60 sessions belong to no user, 100 documents are empty, 50 game states are gone";

/// Drops the table `sessions` by hand: no migration knows of it.
pub async fn drop_sessions(layout: &Layout) -> Result<(), Error> {
    change(layout, "the fault table-dropped", "DROP TABLE IF EXISTS sessions;").await
}

/// Breaks rows and leaves the marker that the app would leave.
pub async fn corrupt(layout: &Layout) -> Result<(), Error> {
    change(layout, "the fault corruption", BREAK).await?;
    write(&layout.at(MARKER), format!("{REASON}\n").as_bytes())
}

async fn change(layout: &Layout, name: &str, text: &str) -> Result<(), Error> {
    let path = layout.database();
    let mut database = changing(&path).await.map_err(|e| failed("open", &path, &e))?;
    script(&mut database, name, text.to_owned()).await?;
    database.close().await.ok();
    Ok(())
}

/// Why the app calls its data damaged, while the marker is there.
pub fn marked(layout: &Layout) -> Option<String> {
    let path = layout.at(MARKER);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return None,
        Err(e) => e.to_string(),
    };
    Some(format!("{MARKER}: {}", text.lines().next().unwrap_or("no reason is given")))
}

/// Rows per table, and what is wrong with them; nothing where the database cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// Rows per table.
    pub tables: BTreeMap<String, i64>,
    /// What is wrong, one line each.
    pub damage: Vec<String>,
}

/// Looks at the data. A database that cannot be read is one line of damage.
pub async fn data(layout: &Layout) -> Data {
    let mut data = match looked(layout).await {
        Ok(data) => data,
        Err(e) => {
            let why = format!("the database cannot be read: {e}");
            Data { damage: vec![why], ..Data::default() }
        }
    };
    data.damage.extend(marked(layout));
    data
}

async fn looked(layout: &Layout) -> Result<Data, sqlx::Error> {
    let mut database = reading(&layout.database()).await?;
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )
    .fetch_all(&mut database)
    .await?;
    let mut data = Data::default();
    for name in names {
        let query = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
        let rows = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut database).await?;
        data.tables.insert(name, rows);
    }
    let gone = TABLES.iter().filter(|name| !data.tables.contains_key(**name));
    data.damage.extend(gone.map(|name| format!("table {name} is gone")));
    if data.tables.contains_key("users") {
        data.damage.extend(phones(&mut database).await?);
    }
    let refusing: i64 = number(
        &mut database,
        "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%_need_locale'",
    )
    .await?;
    if refusing > 0 {
        data.damage.push("migration 105 refuses every write".to_owned());
    }
    let lost = number(&mut database, "SELECT count(*) FROM pragma_foreign_key_check").await?;
    if lost > 0 {
        data.damage.push(format!("{lost} rows point to users that are not there"));
    }
    database.close().await.ok();
    Ok(data)
}

async fn phones(database: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
    let column = "SELECT count(*) FROM pragma_table_info('users') WHERE name = 'phone'";
    if number(database, column).await? == 0 {
        return Ok(Some("column users.phone is gone".to_owned()));
    }
    let empty = number(database, "SELECT count(*) FROM users WHERE phone IS NULL").await?;
    Ok((empty > 0).then(|| format!("users.phone is empty in {empty} rows")))
}

async fn number(database: &mut SqliteConnection, query: &'static str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(query).fetch_one(database).await
}

#[cfg(test)]
mod tests {
    use super::super::database::writing;
    use super::super::fault::Fault;
    use super::super::migrations::deployed;
    use super::super::stage::Stage;
    use super::*;

    #[tokio::test]
    async fn whole_data_is_counted_and_nothing_is_said_against_it() {
        let stage = Stage::full().await;
        let data = data(&stage.layout).await;
        assert_eq!(data.damage, Vec::<String>::new());
        let rows = |table: &str| data.tables.get(table).copied();
        assert_eq!((rows("users"), rows("sessions")), (Some(400), Some(600)));
        assert_eq!((rows("game_state"), rows("documents")), (Some(200), Some(300)));
    }

    #[tokio::test]
    async fn broken_rows_and_the_marker_are_seen_with_their_numbers() {
        let stage = Stage::full().await;
        corrupt(&stage.layout).await.unwrap();
        let data = data(&stage.layout).await;
        let marked = format!("{MARKER}: {REASON}");
        assert_eq!(data.damage, ["60 rows point to users that are not there", marked.as_str()]);
        assert_eq!(data.tables.get("game_state"), Some(&150));
    }

    #[tokio::test]
    async fn a_dropped_table_is_named() {
        let stage = Stage::full().await;
        drop_sessions(&stage.layout).await.unwrap();
        assert_eq!(data(&stage.layout).await.damage, ["table sessions is gone"]);
    }

    #[tokio::test]
    async fn a_column_that_was_dropped_comes_back_empty_by_the_down_script() {
        let stage = Stage::full().await;
        let mut database = writing(&stage.layout.database()).await.unwrap();
        let wrong = deployed(Some(Fault::DestructiveUp));
        script(&mut database, "105", wrong.up()).await.unwrap();
        assert_eq!(data(&stage.layout).await.damage, ["column users.phone is gone"]);
        script(&mut database, "105", wrong.down()).await.unwrap();
        assert_eq!(data(&stage.layout).await.damage, ["users.phone is empty in 400 rows"]);
    }

    #[tokio::test]
    async fn a_database_that_is_away_is_damage_too() {
        let stage = Stage::full().await;
        fs::rename(stage.layout.database(), stage.layout.database_off()).unwrap();
        let data = data(&stage.layout).await;
        assert!(data.damage[0].starts_with("the database cannot be read: "), "{data:?}");
    }
}
