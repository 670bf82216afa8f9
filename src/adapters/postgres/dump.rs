//! A database as compressed SQL of one moment: what is counted is what is in the dump.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::postgres::PgConnection;

use crate::adapters::database::{OURS, Told};
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::model::tables::TableFacts;
use crate::text::{SafeText, fit};

use super::tools::{Moved, PgTools, Tool, ToolCall, ToolEnded};
use super::{SCHEMA, facts, scan, translate};

/// How long moving all of a database may take.
pub(super) const LONG: Duration = Duration::from_hours(12);
/// How often it is said how far it is.
const TELL: Duration = Duration::from_millis(250);

/// Writes the database of `connection` into the fresh file `into`.
pub(super) async fn write(
    connection: &mut PgConnection,
    (tools, clock): (&dyn PgTools, &Clock),
    database: &str,
    into: &Path,
    told: Told<'_>,
) -> Result<Vec<TableFacts>, Error> {
    let sql = |e: sqlx::Error| translate("dump", database, &e);
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    sqlx::raw_sql(begin).execute(&mut *connection).await.map_err(sql)?;
    let snapshot: String = sqlx::query_scalar("SELECT pg_export_snapshot()")
        .fetch_one(&mut *connection)
        .await
        .map_err(sql)?;
    let tables = facts::read(connection).await.map_err(sql)?;
    let all: u64 = tables.iter().map(|table| table.rows).sum();
    told(0, all);
    let moved = Arc::new(Moved::default());
    let call = ToolCall {
        tool: Tool::Dump,
        args: vec![
            "--format=plain".to_owned(),
            "--encoding=UTF8".to_owned(),
            "--no-password".to_owned(),
            "--lock-wait-timeout=10000".to_owned(),
            format!("--snapshot={snapshot}"),
            format!("--exclude-schema={SCHEMA}"),
            format!("--exclude-table=*.{OURS}*"),
        ],
        database: database.to_owned(),
        stdin: None,
        folder: None,
        stdout: Some(into.to_owned()),
        limit: LONG,
        moved: Arc::clone(&moved),
    };
    // A file of somebody else's is not ours to remove.
    let ours = !into.exists();
    let rows = || told(moved.lines.load(Ordering::Relaxed).min(all), all);
    let ended = telling(clock, tools.run(call), rows).await;
    let ended = ended.and_then(|ended| {
        let whole = ended.code != Some(0) || scan::is_whole(&ended.last);
        let cut = || Error::new(Kind::Reset, format!("could not dump {database}: it is cut off"));
        if whole { fine("dump", database, &ended) } else { Err(cut()) }
    });
    if ended.is_err() && ours {
        std::fs::remove_file(into).ok();
    }
    ended?;
    sqlx::raw_sql("COMMIT").execute(connection).await.map_err(sql)?;
    told(all, all);
    Ok(tables)
}

/// Does `work`, and says again and again how far it is.
pub(super) async fn telling<T>(clock: &Clock, work: impl Future<Output = T>, tell: impl Fn()) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = clock.sleep(TELL) => tell(),
        }
    }
}

/// A tool that ended well, or what it said.
pub(super) fn fine(verb: &str, thing: &str, ended: &ToolEnded) -> Result<(), Error> {
    if ended.code == Some(0) {
        return Ok(());
    }
    let said = SafeText::from_bytes(&ended.said);
    // The first line that names an error says why; the rest follows from it.
    let lines = || said.as_str().lines().map(str::trim).filter(|line| !line.is_empty());
    let why =
        lines().find(|line| line.to_lowercase().contains("error")).or_else(|| lines().next_back());
    let why = why.map_or_else(|| "it said nothing".to_owned(), |line| fit(line, 400));
    let has = |words: &[&str]| words.iter().any(|word| why.contains(word));
    let kind = if has(&["authentication failed", "permission denied", "must be owner"]) {
        Kind::Denied
    } else if has(&["Connection refused", "No such file or directory"]) {
        Kind::Refused
    } else if has(&["lock timeout", "could not obtain lock"]) {
        Kind::TimedOut
    } else if has(&["server closed the connection", "terminating connection"]) {
        Kind::Reset
    } else {
        Kind::Rejected
    };
    let how = ended.code.map_or_else(|| "a signal".to_owned(), |code| format!("code {code}"));
    let todo = if has(&["No space left on device"]) {
        "; make room where the database lies, then retry"
    } else {
        ""
    };
    Err(Error::new(
        kind,
        format!("could not {verb} {thing}: the tool ended with {how}: {why}{todo}"),
    ))
}
