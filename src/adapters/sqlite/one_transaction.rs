//! A script, its rescue copies and the record of its effect: all of it or nothing.

use std::fs;
use std::time::Instant;

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::adapters::database::{Limits, Script};
use crate::adapters::{Error, Kind};
use crate::model::ids::Digest;
use crate::text::SafeText;

use super::split::statements;
use super::{rescue, translate};

/// What was done, by its effect key; in the same transaction as the effect.
const EFFECTS: &str =
    "CREATE TABLE IF NOT EXISTS backout_effects (effect TEXT PRIMARY KEY, at TEXT NOT NULL)";

/// Runs `script` in one transaction with what it rescues and the record of `effect`.
pub(super) async fn run(
    connection: &mut SqliteConnection,
    script: &Script,
    limits: Limits,
    effect: &str,
) -> Result<SafeText, Error> {
    let file = script.path.display().to_string();
    let bytes = fs::read(&script.path).map_err(|e| Error::io("read", &file, &e))?;
    let rejected = |why: &str| Error::new(Kind::Rejected, format!("could not run {file}: {why}"));
    if Digest::of(&bytes) != script.digest {
        return Err(rejected("it is not the script that was planned with"));
    }
    let text = String::from_utf8(bytes).map_err(|_| rejected("it is not UTF-8"))?;
    let all = statements(&text).map_err(|why| rejected(&why))?;
    let body = one_transaction(&all).map_err(|why| rejected(&why))?;
    let sql = |e: sqlx::Error| translate("run", &file, &e);
    let until = Instant::now() + limits.statement;
    connection
        .lock_handle()
        .await
        .map_err(sql)?
        .set_progress_handler(1000, move || Instant::now() < until);
    let mut moment = connection.begin_with("BEGIN IMMEDIATE").await.map_err(sql)?;
    if script.down {
        for column in &script.rescue {
            rescue::save(&mut moment, column, &script.rescue_to).await.map_err(sql)?;
        }
    }
    for statement in body {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *moment).await.map_err(sql)?;
    }
    if !script.down {
        for column in &script.rescue {
            rescue::refill(&mut moment, column, &script.rescue_to).await.map_err(sql)?;
        }
    }
    let ledger: i64 =
        sqlx::query_scalar("SELECT count(*) FROM schema_migrations WHERE version = ?")
            .bind(script.version)
            .fetch_one(&mut *moment)
            .await
            .map_err(sql)?;
    if (ledger == 0) != script.down {
        let there = if script.down { "still lists" } else { "does not list" };
        return Err(rejected(&format!(
            "after it schema_migrations {there} {}: taken back whole",
            script.version
        )));
    }
    record(&mut moment, effect).await.map_err(sql)?;
    moment.commit().await.map_err(sql)?;
    let saved = script.rescue.len();
    let saved = if saved == 0 { String::new() } else { format!("; {saved} saved first") };
    Ok(SafeText::new(&format!("{} statements in one transaction{saved}", all.len())))
}

/// Puts `effect` on record.
pub(super) async fn record(
    connection: &mut SqliteConnection,
    effect: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(EFFECTS).execute(&mut *connection).await?;
    sqlx::query(
        "INSERT INTO backout_effects (effect, at) VALUES (?, strftime('%Y-%m-%dT%H:%M:%fZ'))",
    )
    .bind(effect)
    .execute(connection)
    .await
    .map(drop)
}

/// The statements between BEGIN and COMMIT, or all where there are neither. A script that commits
/// in the middle cannot be one transaction.
fn one_transaction(all: &[String]) -> Result<Vec<String>, String> {
    let is = |statement: &str, words: &[&str]| {
        let first = statement.split_whitespace().next().unwrap_or_default();
        words.iter().any(|word| first.eq_ignore_ascii_case(word))
    };
    let mut body: Vec<&String> = all.iter().collect();
    if body.first().is_some_and(|first| is(first, &["BEGIN"])) {
        body.remove(0);
    }
    if body.last().is_some_and(|last| is(last, &["COMMIT", "END"])) {
        body.pop();
    }
    let control =
        ["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "VACUUM", "ATTACH"];
    if let Some(statement) = body.iter().find(|statement| is(statement, &control)) {
        let shown = crate::text::fit(statement, 40);
        return Err(format!("{shown:?} cannot be inside one transaction"));
    }
    Ok(body.into_iter().cloned().collect())
}
