//! `backout preflight`: the six safety checks before any rollback (S-43), each by itself.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write};
use std::path::Path;

use clap::Args;
use serde::Serialize;

use crate::config::Config;
use crate::engine::preflight;
use crate::engine::stack::{self, Stack};
use crate::failure::{Exit, Failure};
use crate::model::ids::PointId;
use crate::model::plan::{Level, PreflightAnswer};

use super::doctor::{Found, Line, looks};
use super::{World, lock, plan, say, session};

/// Which level, and who confirms.
#[derive(Args, Debug)]
pub(crate) struct PreflightArguments {
    /// For this level alone: 1 touches no data, so that a dump that runs does not disturb it
    #[arg(long)]
    level: Option<String>,
    /// The rollback would be confirmed by --auto-confirm, not by the typed word
    #[arg(long)]
    auto_confirm: bool,
}

/// One of the six.
#[derive(Debug, Serialize)]
struct Answer {
    name: &'static str,
    ok: bool,
    text: String,
}

impl Answer {
    fn of(name: &'static str, looked: Result<String, String>) -> Self {
        let ok = looked.is_ok();
        Self { name, ok, text: looked.unwrap_or_else(|why| why) }
    }
}

/// Runs `backout preflight`; exit 0 when all six hold, 10 when one does not.
pub(crate) async fn run(
    world: &World,
    asked: &PreflightArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let level = asked.level.as_deref().map(plan::level).transpose()?;
    let place = session::place(world)?;
    let config = &place.config;
    let stack = Stack::of(config, &world.program, &world.clock);
    let lines = looks::all(world, config).await;
    let answers = [
        Answer::of("appropriate user", user(&config.state_dir)),
        Answer::of("required tools", tools(stack.as_ref(), &lines, level).await),
        Answer::of("platform runs", found(&lines, &PLATFORM, "none is configured")),
        Answer::of("backup folder", backups(config)),
        Answer::of("no critical operation", operations(world, &place, stack.as_ref(), level).await),
        Answer::of("confirmation", confirmation(asked.auto_confirm)),
    ];
    let well = answers.iter().all(|answer| answer.ok);
    if world.json {
        session::json(out, &serde_json::json!({"ok": well, "checks": answers}));
    } else {
        let mut text = String::new();
        for Answer { name, ok, text: said } in &answers {
            let word = if *ok { "ok" } else { "BLOCKED" };
            writeln!(text, "{word:<8} {name}: {said}").ok();
        }
        say(out, &text);
    }
    Ok(if well { Exit::Ok } else { Exit::Blocked })
}

/// What doctor calls the looks at what runs the application.
const PLATFORM: [&str; 5] =
    ["container engine", "containers", "platform", "cluster", "object storage"];
/// And at the programs that the steps need.
const TOOLS: [&str; 3] = ["compose tool", "pg_dump", "psql"];

/// The journal is written by whoever runs the engine: without it nothing is begun.
fn user(state: &Path) -> Result<String, String> {
    let uid = rustix::process::geteuid().as_raw();
    let there = state.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    writable(there).map_err(|why| {
        format!("uid {uid} could not write {}: {why}; become the user who owns it", state.display())
    })?;
    Ok(format!("uid {uid} may write {}", state.display()))
}

fn writable(folder: &Path) -> Result<(), rustix::io::Errno> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    accessat(CWD, folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
}

async fn tools(
    stack: Option<&Stack>,
    lines: &[Line],
    level: Option<Level>,
) -> Result<String, String> {
    if let Some(stack) = stack
        && let Some(missing) = stack.workload.missing_tool().await
    {
        return Err(missing.to_string());
    }
    let needed: &[&str] =
        if level == Some(Level::Switch) { &["compose tool"] } else { TOOLS.as_slice() };
    found(lines, needed, "").or_else(|why| if why.is_empty() { Ok(OWN.into()) } else { Err(why) })
}

/// Where no other program is called.
const OWN: &str = "none but this program";

/// What doctor found under these names: all of it, or the first that is missing.
fn found(lines: &[Line], names: &[&str], none: &str) -> Result<String, String> {
    let all: Vec<&Line> = lines.iter().filter(|line| names.contains(&line.name.as_str())).collect();
    if let Some(missing) = all.iter().find(|line| line.found == Found::Missing) {
        let help = if missing.help.is_empty() { "" } else { "; " };
        return Err(format!("{}: {}{help}{}", missing.name, missing.text, missing.help));
    }
    let words: Vec<String> =
        all.iter().map(|line| format!("{} {}", line.name, line.text)).collect();
    if words.is_empty() { Err(none.to_owned()) } else { Ok(words.join(", ")) }
}

fn backups(config: &Config) -> Result<String, String> {
    let Some(folder) = &config.restore_points else {
        return Err("none is configured: add restore_points: with a folder".into());
    };
    let shown = folder.display();
    if !folder.is_dir() {
        return Err(format!("{shown} is no folder: make it, then backout backup now"));
    }
    writable(folder).map_err(|why| format!("{shown} cannot be written: {why}"))?;
    Ok(format!("{shown} is there and can be written"))
}

/// Nobody else works on it: no run, no deploy, no lock, and nothing in the database.
async fn operations(
    world: &World,
    place: &session::Place,
    stack: Option<&Stack>,
    level: Option<Level>,
) -> Result<String, String> {
    let known = lock::read(place).await.map_err(|failure| failure.message)?;
    let held =
        lock::held_by(place, &known, world.clock.now()).map_err(|failure| failure.message)?;
    if let Some(why) = held {
        return Err(format!("{why}; backout lock check says what ends it"));
    }
    if let Some(run) = known.open_run() {
        return Err(format!("run {} is open: backout attach, or backout abort", run.id));
    }
    let asked = (level.unwrap_or(Level::Full), None::<PointId>);
    let facts = plan::facts(world, &place.config, stack, asked).await;
    if let Some(deploy) = facts.known.running() {
        let (version, by) = (&deploy.version, &deploy.by);
        return Err(format!("deploy {version} by {by} runs: wait for it, or stop it"));
    }
    if level == Some(Level::Switch) {
        return Ok("no run, no deploy, no lock".into());
    }
    let database = stack::database(&place.config, &world.clock);
    let line = preflight::operations(database.as_deref(), &facts, &world.clock).await;
    match line.answer {
        PreflightAnswer::Ok => Ok("no run, no deploy, no lock, no dump, no rewrite".into()),
        PreflightAnswer::Warn | PreflightAnswer::Block | PreflightAnswer::Unknown => {
            Err(line.text.to_string())
        }
    }
}

fn confirmation(auto: bool) -> Result<String, String> {
    if auto {
        return Ok("--auto-confirm takes the plan as it is, with a reason".into());
    }
    if std::io::stdin().is_terminal() {
        return Ok("the word ROLLBACK is asked for".into());
    }
    Err("nobody can type ROLLBACK here: use a terminal, or --auto-confirm with --reason".into())
}
