//! `backout analyze`: what failed most, and what changed between two states (S-61, S-62). Starts
//! nothing, changes nothing.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::adapters::process::{Bounded, Finished};
use crate::clock::Clock;
use crate::config::Config;
use crate::engine::config_diff::{Side, diff, diff_of_names};
use crate::evidence::points;
use crate::failure::{Exit, Failure};
use crate::journal::spool::{LogLine, LogSeverity, Place, Query, SpoolReader};
use crate::model::times;
use crate::report::causes::{Causes, Group};
use crate::text::SafeText;

use super::{World, backup, place, say, session};

/// How long git may take for one answer.
const GIT_LIMIT: Duration = Duration::from_secs(20);
/// The most of a file that is compared, in bytes.
const FILE_LIMIT: u64 = 4 << 20;
/// What most often breaks a deploy (S-62, 003:1089-1094), as git matches it in every folder.
const RISKY: [&str; 4] = ["*.sql", "*migrations/*", "*docker-compose.yml", "*.env*"];
/// Lines of the log that are asked for at a time.
const PAGE: usize = 1000;

#[derive(Args, Debug)]
pub(crate) struct AnalyzeArguments {
    /// How far back errors are counted: 30m, 2h
    #[arg(long, default_value = "1h", value_name = "SPAN")]
    since: String,
    /// What worked: a restore point, or with --risky a tag or commit
    #[arg(long, value_name = "ID")]
    from: Option<String>,
    /// What failed: another one; without it, what is there now
    #[arg(long, value_name = "ID", requires = "from")]
    to: Option<String>,
    /// Only what most often breaks a deploy, from git: SQL, migrations, compose files, .env
    #[arg(long, requires = "from")]
    risky: bool,
    /// Where the sources are
    #[arg(long, value_name = "DIR", default_value = ".", requires = "risky")]
    repository: PathBuf,
}

/// `analyze --json`.
#[derive(Serialize)]
struct Document<'a> {
    errors: u64,
    groups: Vec<&'a Group>,
    differences: Vec<SafeText>,
}

pub(crate) async fn run(
    world: &World,
    asked: &AnalyzeArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    if asked.risky {
        let lines = risky(asked, &world.clock).await?;
        return Ok(told(world, &Causes::default(), (lines, "no risky file differs"), out));
    }
    let config = place::place(world)?.config;
    let span = times::span(&asked.since).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("{:?} is not a span of time", asked.since))
            .hint("write it as 30m or 2h")
    })?;
    let span = chrono::Duration::from_std(span).unwrap_or_default();
    let causes = errors(&config, world.clock.now() - span)?;
    let lines = match &asked.from {
        Some(from) => between(&config, from, asked.to.as_deref())?,
        None => Vec::new(),
    };
    if !world.json {
        let total = causes.total();
        say(out, &format!("{total} errors in the logs of the last {}\n", asked.since));
    }
    let nothing = if asked.from.is_some() {
        "the configuration is the same"
    } else {
        "what changed: backout analyze --from POINT (backout backup list shows them)"
    };
    Ok(told(world, &causes, (lines, nothing), out))
}

fn told(
    world: &World,
    causes: &Causes,
    (differences, nothing): (Vec<SafeText>, &str),
    out: &mut dyn Write,
) -> Exit {
    if world.json {
        let groups = causes.groups();
        session::json(out, &Document { errors: causes.total(), groups, differences });
        return Exit::Ok;
    }
    say(out, &causes.table());
    for line in &differences {
        say(out, &format!("{line}\n"));
    }
    if differences.is_empty() {
        say(out, &format!("{nothing}\n"));
    }
    Exit::Ok
}

/// The errors of all log sources, from what an engine kept of them.
fn errors(config: &Config, since: crate::model::ids::Time) -> Result<Causes, Failure> {
    let failed = |error: crate::journal::Error| Failure::new(Exit::Unknown, error.to_string());
    let mut reader = SpoolReader::open(&config.state_dir.join("spool")).map_err(failed)?;
    let mut causes = Causes::default();
    let mut query = Query {
        min_severity: LogSeverity::Error,
        since: Some(since),
        rows: PAGE,
        ..Query::default()
    };
    loop {
        let page = reader.page(&query).map_err(failed)?;
        let lines = page.lines.iter().filter(|line: &&LogLine| !line.gap && line.at >= since);
        for line in lines {
            causes.take(&line.source, line.at, &line.text, u64::from(line.folded));
        }
        if !page.more_above {
            return Ok(causes);
        }
        query.place = Place::Before(page.start);
    }
}

/// The configuration files of two restore points, or of one and what is there now.
fn between(config: &Config, from: &str, to: Option<&str>) -> Result<Vec<SafeText>, Failure> {
    let folder = config.restore_points.as_deref().ok_or_else(|| {
        Failure::new(Exit::Config, "could not compare: no folder for restore points is named")
            .hint("add restore_points: DIR to the configuration")
    })?;
    let find = |id: &str| points::find(folder, id).map(|found| found.path).map_err(backup::failed);
    let (old, new) = (find(from)?, to.map(find).transpose()?);
    let base = crate::engine::stack::saved(config).base;
    let mut all = Vec::new();
    for path in &config.backup.files {
        let name = points::inside(&base, path);
        let old = text(&old.join(&name))?;
        let new = text(&new.as_ref().map_or_else(|| path.clone(), |new| new.join(&name)))?;
        let called = [from, to.unwrap_or("now")];
        all.extend(differing(&name, [&old, &new], called, diff));
    }
    Ok(all)
}

/// How two states of a file are held beside each other.
type Compare = fn(&str, Side<'_>, Side<'_>) -> Vec<SafeText>;

/// The lines that differ; of bytes that are no text, only that they do.
fn differing(
    name: &str,
    [old, new]: [&Vec<u8>; 2],
    [from, to]: [&str; 2],
    compare: Compare,
) -> Vec<SafeText> {
    match (std::str::from_utf8(old), std::str::from_utf8(new)) {
        (Ok(old), Ok(new)) => {
            compare(name, Side { called: from, text: old }, Side { called: to, text: new })
        }
        _ if old == new => Vec::new(),
        _ => vec![SafeText::new(&format!("{name} differs and is no text"))],
    }
}

/// A file that is not there is empty: that it came or went shows as its lines.
fn text(path: &Path) -> Result<Vec<u8>, Failure> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => {
            Err(Failure::new(Exit::Unknown, format!("could not read {}: {error}", path.display())))
        }
    }
}

/// What git says of the risky files between two versions; of files like `.env` only names.
async fn risky(asked: &AnalyzeArguments, clock: &Clock) -> Result<Vec<SafeText>, Failure> {
    let from = asked.from.as_deref().unwrap_or_default();
    let to = asked.to.as_deref().unwrap_or("HEAD");
    let git = Git { folder: &asked.repository, clock };
    let top = git.line(&["rev-parse", "--show-toplevel"]).await?;
    let git = Git { folder: Path::new(&top), clock };
    let (old, new) = (git.commit(from).await?, git.commit(to).await?);
    let mut arguments = vec!["diff", "--name-only", "--no-renames", "-z", &old, &new, "--"];
    arguments.extend(RISKY);
    let names = git.say(&arguments).await?.stdout;
    let names: BTreeSet<String> = names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    let mut all = Vec::new();
    for name in &names {
        let (old, new) = (git.file(&old, name).await?, git.file(&new, name).await?);
        let base = name.rsplit('/').next().unwrap_or(name);
        let compare = if base.contains(".env") { diff_of_names } else { diff };
        all.extend(differing(name, [&old, &new], [from, to], compare));
    }
    Ok(all)
}

/// A repository, as `git` tells of it.
struct Git<'a> {
    folder: &'a Path,
    clock: &'a Clock,
}

impl Git<'_> {
    async fn ask(&self, arguments: &[&str]) -> Result<Finished, Failure> {
        let argv: Vec<String> =
            ["git"].iter().chain(arguments).map(|word| (*word).to_owned()).collect();
        let (limit, bytes) = (GIT_LIMIT, FILE_LIMIT);
        let asked = Bounded { argv: &argv, env: None, dir: self.folder, limit, bytes };
        asked.run(self.clock).await.map_err(|error| Failure::new(Exit::Unknown, error.message))
    }

    async fn say(&self, arguments: &[&str]) -> Result<Finished, Failure> {
        let done = self.ask(arguments).await?;
        if done.code == Some(0) {
            return Ok(done);
        }
        let why = String::from_utf8_lossy(&done.stderr);
        let why = SafeText::new(why.trim());
        let shown = format!("git {} in {}", arguments.join(" "), self.folder.display());
        Err(Failure::new(Exit::Unknown, format!("could not ask {shown}: {why}"))
            .hint("name the folder of the sources with --repository DIR"))
    }

    async fn line(&self, arguments: &[&str]) -> Result<String, Failure> {
        let done = self.say(arguments).await?;
        Ok(String::from_utf8_lossy(&done.stdout).trim_end().to_owned())
    }

    /// The commit of a tag, a branch or a short name.
    async fn commit(&self, name: &str) -> Result<String, Failure> {
        let peeled = format!("{name}^{{commit}}");
        let found =
            self.line(&["rev-parse", "--verify", "--quiet", "--end-of-options", &peeled]).await;
        found.map_err(|_| {
            let place = self.folder.display();
            Failure::new(Exit::Usage, format!("could not find {name:?} in {place}"))
                .hint("name a tag or a commit: git tag --list")
        })
    }

    /// A file of a commit; empty where it had none.
    async fn file(&self, commit: &str, name: &str) -> Result<Vec<u8>, Failure> {
        let done = self.ask(&["cat-file", "blob", &format!("{commit}:{name}")]).await?;
        Ok(if done.code == Some(0) { done.stdout } else { Vec::new() })
    }
}
