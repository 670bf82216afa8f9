//! `backout db`: how far the application's database is, and a copy of it as it is now (P-40).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use serde::Serialize;

use crate::adapters::database::{Applied, Database};
use crate::adapters::{Error, Kind};
use crate::engine::stack;
use crate::failure::{Exit, Failure};
use crate::model::tables::{TableFacts, grouped};
use crate::text::SafeText;

use super::backup::Teller;
use super::session::{self, Place};
use super::{World, say};

#[derive(Subcommand, Debug)]
pub(crate) enum DbCommand {
    /// Show the applied migrations, the head of each ledger, and whether it is sound; exit 0 or 2
    State,
    /// Show what goes on: connections, who blocks whom, replicas, statements; exit 0, 2 when blocked
    Activity,
    /// Copy all of it, of one moment, into the state folder, and print the copy's id
    Snapshot {
        /// How its name begins: letters, digits, _ . and -
        #[arg(default_value = "snapshot", value_parser = name)]
        name: String,
    },
}

/// The name becomes a part of the name of a file.
fn name(text: &str) -> Result<String, String> {
    let good = text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    let wrong = "use letters, digits, _ . and -, beginning with a letter or digit";
    good.then(|| text.to_owned()).ok_or_else(|| wrong.to_owned())
}

fn failed(error: Error) -> Failure {
    let exit = match error.kind {
        Kind::NotFound => Exit::Blocked,
        _ => Exit::Unknown,
    };
    Failure::new(exit, error.message)
}

pub(crate) async fn run(
    world: &World,
    what: &DbCommand,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let place = session::place(world)?;
    let database = stack::database(&place.config, &world.clock).ok_or_else(|| {
        Failure::new(Exit::Config, "the configuration names no database")
            .hint("add database: {sqlite: {path: FILE}} or {postgres: {url: …}} to it")
    })?;
    match what {
        DbCommand::State => state(world, &database, out).await,
        DbCommand::Activity => activity(world, (&place, &database), out).await,
        DbCommand::Snapshot { name } => snapshot(world, (&place, &database), name, out).await,
    }
}

/// What goes on in a server; a file has nobody in it.
async fn activity(
    world: &World,
    (place, database): (&Place, &Arc<dyn Database>),
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let Some(mut found) = database.activity().await.map_err(failed)? else {
        say(out, &format!("{}: no server, nobody else is in it\n", database.name()));
        return Ok(Exit::Ok);
    };
    let redactor = place.config.redactor();
    for statement in found.statements.iter_mut().flatten() {
        let clean = redactor.text(statement.text.as_str(), &mut crate::redact::Book::new(""));
        statement.text = SafeText::new(&clean);
    }
    if world.json {
        session::json(out, &found);
    } else {
        say(out, &crate::report::activity::text(&found));
    }
    Ok(if found.waits.is_empty() { Exit::Ok } else { Exit::Critical })
}

/// `db state --json`.
#[derive(Serialize)]
struct State {
    database: String,
    /// The newest revision of each ledger: `alembic`, `django.shop`, `sql`.
    heads: BTreeMap<String, String>,
    /// Oldest first.
    applied: Vec<Applied>,
    tables: Vec<TableFacts>,
    /// What is wrong inside.
    problems: Vec<SafeText>,
}

async fn state(
    world: &World,
    database: &Arc<dyn Database>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let state = State {
        database: database.name(),
        heads: database.revisions().await.map_err(failed)?,
        applied: database.ledger().await.map_err(failed)?,
        tables: database.tables().await.map_err(failed)?,
        problems: database.problems().await.map_err(failed)?,
    };
    let exit = if state.problems.is_empty() { Exit::Ok } else { Exit::Critical };
    if world.json {
        session::json(out, &state);
        return Ok(exit);
    }
    let mut text = format!("{}\n", state.database);
    for applied in &state.applied {
        let at = applied.at.map_or_else(String::new, |at| at.format("  %F %T UTC").to_string());
        let _: std::fmt::Result = writeln!(text, "  [X] {}{at}", applied.version);
    }
    if state.heads.is_empty() {
        text.push_str("head: no ledger of migrations is known in it\n");
    }
    for (ledger, head) in &state.heads {
        let _: std::fmt::Result =
            writeln!(text, "{}", SafeText::new(&format!("head: {ledger} {head}")));
    }
    let rows = state.tables.iter().map(|table| table.rows).sum();
    let tables = state.tables.len();
    let _: std::fmt::Result = writeln!(text, "{} rows in {tables} tables", grouped(rows));
    for problem in &state.problems {
        let _: std::fmt::Result = writeln!(text, "x {problem}");
    }
    if state.problems.is_empty() {
        text.push_str("+ pages, indexes and foreign keys are sound\n");
    }
    say(out, &text);
    Ok(exit)
}

/// `db snapshot --json`.
#[derive(Serialize)]
struct Snapshot {
    id: String,
    path: PathBuf,
    bytes: u64,
    rows: u64,
    tables: usize,
}

async fn snapshot(
    world: &World,
    (place, database): (&Place, &Arc<dyn Database>),
    name: &str,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let folder = place.config.state_dir.join("snapshots");
    let mut builder = std::fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(&folder);
    made.map_err(|e| failed(Error::io("make", folder.display(), &e)))?;
    let id = format!("{name}_{}", world.clock.now().format("%Y%m%d_%H%M%S"));
    let path = folder.join(format!("{id}.sql.gz"));
    if path.exists() {
        return Err(Failure::new(Exit::Blocked, format!("there is a snapshot {id} already"))
            .hint("wait a second, or give it another name"));
    }
    let teller = Teller::of(world);
    let told = |done, all| teller.say("rows", done, all);
    let tables = match database.dump(&path, &told).await {
        Ok(tables) => tables,
        Err(error) => {
            std::fs::remove_file(&path).ok();
            return Err(failed(error));
        }
    };
    let bytes = std::fs::metadata(&path).map(|facts| facts.len());
    let bytes = bytes.map_err(|e| failed(Error::io("look at", path.display(), &e)))?;
    let rows = tables.iter().map(|table| table.rows).sum();
    let made = Snapshot { id, path, bytes, rows, tables: tables.len() };
    if world.json {
        session::json(out, &made);
        return Ok(Exit::Ok);
    }
    let kilobytes = grouped(bytes.div_ceil(1000));
    let text = format!(
        "{}\n  {} rows in {} tables, {kilobytes} kB, {}\n",
        made.id,
        grouped(rows),
        made.tables,
        made.path.display()
    );
    say(out, &text);
    Ok(Exit::Ok)
}
