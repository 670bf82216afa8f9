//! A script, its rescue copies and the record of its effect: all of it or nothing.

use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use crate::adapters::database::{Limits, Script};
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::model::ids::Digest;
use crate::text::{SafeText, fit};

use super::split::{Piece, pieces, words};
use super::{PostgresPlace, SCHEMA, connect, identifier, ledgers, rescue, translate};

/// How often it is looked who holds what a statement waits for.
const LOOK: Duration = Duration::from_millis(200);

/// Runs `script` in one transaction with what it rescues and the record of `effect`.
pub(super) async fn run(
    (place, clock): (&PostgresPlace, &Clock),
    script: &Script,
    limits: Limits,
    effect: &str,
) -> Result<SafeText, Error> {
    let file = script.path.display().to_string();
    let body = read(script)?;
    let mut connection = connect(place, clock).await?;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut connection)
        .await
        .map_err(|e| translate("run", &file, &e))?;
    let holders = Mutex::new(Vec::new());
    let work = transaction(&mut connection, script, &body, limits, effect);
    // Each statement has its limit on the server; this one holds where the server is gone.
    let all = limits.statement + limits.lock + Duration::from_secs(5);
    let ended = tokio::select! {
        biased;
        ended = clock.timeout(all, work) => ended,
        () = watch(place, clock, pid, &holders) => Err(crate::clock::Elapsed),
    };
    let Ok(ended) = ended else {
        // Without a COMMIT of ours the server takes all of it back.
        return Err(Error::timed_out(format!("run {file}"), all));
    };
    let holders = holders.into_inner().unwrap_or_else(PoisonError::into_inner);
    match ended {
        Err(error) if error.kind == Kind::TimedOut && !holders.is_empty() => {
            let message = format!(
                "{}: it waited for {}; what ends one: SELECT pg_terminate_backend(PID)",
                error.message,
                holders.join(" and ")
            );
            Err(Error { message, ..error })
        }
        ended => ended,
    }
}

/// The statements of the script between BEGIN and COMMIT, of the file that was planned with.
fn read(script: &Script) -> Result<Vec<String>, Error> {
    let file = script.path.display().to_string();
    let rejected = |why: &str| Error::new(Kind::Rejected, format!("could not run {file}: {why}"));
    let bytes = fs::read(&script.path).map_err(|e| Error::io("read", &file, &e))?;
    if Digest::of(&bytes) != script.digest {
        return Err(rejected("it is not the script that was planned with"));
    }
    let text = String::from_utf8(bytes).map_err(|_| rejected("it is not UTF-8"))?;
    let all = pieces(&text).map_err(|why| rejected(&why))?;
    one_transaction(&all).map_err(|why| rejected(&why))
}

async fn transaction(
    connection: &mut PgConnection,
    script: &Script,
    body: &[String],
    limits: Limits,
    effect: &str,
) -> Result<SafeText, Error> {
    let file = script.path.display().to_string();
    let sql = |e: sqlx::Error| translate("run", &file, &e);
    let begin = format!(
        "BEGIN; SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {}; \
         SET LOCAL idle_in_transaction_session_timeout = '60s'",
        limits.lock.as_millis().max(1),
        limits.statement.as_millis().max(1)
    );
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut *connection).await.map_err(sql)?;
    let mut saved = 0;
    if script.down {
        for column in &script.rescue {
            let kept = rescue::save(connection, column, &script.rescue_to).await.map_err(sql)?;
            saved += usize::from(kept);
        }
    }
    for statement in body {
        sqlx::raw_sql(AssertSqlSafe(statement.clone()))
            .execute(&mut *connection)
            .await
            .map_err(sql)?;
    }
    let mut notes = Vec::new();
    if !script.down {
        for column in &script.rescue {
            let lies = rescue::refill(connection, column, &script.rescue_to).await.map_err(sql)?;
            notes.extend(lies);
        }
    }
    check_ledger(connection, script).await?;
    record(connection, effect).await.map_err(sql)?;
    sqlx::raw_sql("COMMIT").execute(connection).await.map_err(sql)?;
    if saved > 0 {
        notes.push(format!("{saved} saved first"));
    }
    let notes: String = notes.iter().flat_map(|note| ["; ", note]).collect();
    Ok(SafeText::new(&format!("{} statements in one transaction{notes}", body.len())))
}

/// The ledger says what the script was to do, or it is taken back.
async fn check_ledger(connection: &mut PgConnection, script: &Script) -> Result<(), Error> {
    let file = script.path.display().to_string();
    let sql = |e: sqlx::Error| translate("run", &file, &e);
    let Some(table) = ledgers::numbered(connection).await.map_err(sql)? else {
        let why = format!("could not run {file}: there is no table schema_migrations");
        return Err(Error::new(Kind::NotFound, why));
    };
    let query = format!("SELECT count(*) FROM {} WHERE version::text = $1", table.sql());
    let listed: i64 = sqlx::query_scalar(AssertSqlSafe(query))
        .bind(script.version.to_string())
        .fetch_one(connection)
        .await
        .map_err(sql)?;
    if (listed == 0) == script.down {
        return Ok(());
    }
    let there = if script.down { "still lists" } else { "does not list" };
    let why = format!("after it {} {there} {}", table.name, script.version);
    Err(Error::new(Kind::Rejected, format!("could not run {file}: {why}: taken back whole")))
}

/// Puts `effect` on record.
pub(super) async fn record(connection: &mut PgConnection, effect: &str) -> Result<(), sqlx::Error> {
    let schema = identifier(SCHEMA);
    let make = format!(
        "CREATE SCHEMA IF NOT EXISTS {schema}; CREATE TABLE IF NOT EXISTS {schema}.backout_effects \
         (effect text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())"
    );
    sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut *connection).await?;
    let insert = format!("INSERT INTO {schema}.backout_effects (effect) VALUES ($1)");
    sqlx::query(AssertSqlSafe(insert)).bind(effect).execute(connection).await.map(drop)
}

/// Whether `effect` is on record.
pub(super) async fn recorded(
    connection: &mut PgConnection,
    effect: &str,
) -> Result<bool, sqlx::Error> {
    let place = format!("{}.backout_effects", identifier(SCHEMA));
    let there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(&place)
        .fetch_one(&mut *connection)
        .await?;
    if !there {
        return Ok(false);
    }
    let query = format!("SELECT EXISTS (SELECT 1 FROM {place} WHERE effect = $1)");
    sqlx::query_scalar(AssertSqlSafe(query)).bind(effect).fetch_one(connection).await
}

/// Looks again and again for whom session `pid` waits, for as long as it is not dropped. Who was
/// seen last is named: when the wait has ended nobody knows any more.
async fn watch(place: &PostgresPlace, clock: &Clock, pid: i32, holders: &Mutex<Vec<String>>) {
    clock.sleep(LOOK / 2).await;
    let mut line = None;
    loop {
        if line.is_none() {
            line = connect(place, clock).await.ok();
        }
        if let Some(connection) = &mut line {
            match super::activity::holders(connection, pid).await {
                Ok(found) if !found.is_empty() => {
                    *holders.lock().unwrap_or_else(PoisonError::into_inner) = found;
                }
                Ok(_) => {}
                Err(_) => line = None,
            }
        }
        clock.sleep(LOOK).await;
    }
}

/// The statements between BEGIN and COMMIT, or all where there are neither. A script that commits
/// in the middle cannot be one transaction, and some statements cannot be in one at all.
fn one_transaction(all: &[Piece]) -> Result<Vec<String>, String> {
    let mut body = Vec::new();
    for piece in all {
        match piece {
            Piece::Statement(statement) => body.push(statement.clone()),
            Piece::Command(line) => {
                let line = fit(line, 40);
                return Err(format!("{line:?} is a command of psql: only SQL is run"));
            }
        }
    }
    let first = |statement: &String| words(statement).into_iter().next().unwrap_or_default();
    if body.first().map(first).is_some_and(|word| word == "BEGIN" || word == "START") {
        body.remove(0);
    }
    if body.last().map(first).is_some_and(|word| word == "COMMIT" || word == "END") {
        body.pop();
    }
    for statement in &body {
        let words = words(statement);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let shown = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        let shown = fit(&shown, 60);
        match words.as_slice() {
            [
                "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT"
                | "RELEASE",
                ..,
            ]
            | ["PREPARE", "TRANSACTION", ..] => {
                return Err(format!("{shown:?} cannot be inside one transaction"));
            }
            ["VACUUM", ..]
            | ["ALTER", "SYSTEM", ..]
            | ["CREATE" | "DROP", "DATABASE" | "TABLESPACE" | "SUBSCRIPTION", ..] => {
                return Err(format!("{shown:?} cannot run in a transaction: run it by hand"));
            }
            ["COPY", rest @ ..] if rest.contains(&"STDIN") || rest.contains(&"PROGRAM") => {
                return Err(format!("{shown:?} has rows or a program of its own: only SQL is run"));
            }
            ["CREATE" | "DROP", "INDEX", "CONCURRENTLY", ..]
            | ["CREATE", "UNIQUE", "INDEX", "CONCURRENTLY", ..]
            | ["REINDEX", _, "CONCURRENTLY", ..]
            | ["ALTER", .., "CONCURRENTLY"] => {
                return Err(format!(
                    "{shown:?} cannot run in a transaction: leave CONCURRENTLY out, or run it by hand"
                ));
            }
            _ => {}
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(script: &str) -> Result<Vec<String>, String> {
        one_transaction(&pieces(script).unwrap())
    }

    #[test]
    fn what_breaks_the_transaction_is_refused_with_words() {
        let body = judge("BEGIN;\nSELECT 1; DO $$ BEGIN NULL; END $$;\nCOMMIT;").unwrap();
        assert_eq!(body, ["SELECT 1", "DO $$ BEGIN NULL; END $$"]);
        judge("start transaction; SELECT 'COMMIT'; end").unwrap();
        for (script, why) in [
            ("SELECT 1; COMMIT; SELECT 2", "inside one transaction"),
            ("BEGIN; SAVEPOINT a; SELECT 1; COMMIT", "inside one transaction"),
            ("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", "leave CONCURRENTLY out"),
            ("drop /* x */ index concurrently i", "leave CONCURRENTLY out"),
            ("VACUUM FULL t", "by hand"),
            ("COPY t FROM stdin;\n1\n\\.\n", "only SQL"),
            ("\\i other.sql\n", "psql"),
        ] {
            let said = judge(script).unwrap_err();
            assert!(said.contains(why), "{script}: {said}");
        }
    }
}
