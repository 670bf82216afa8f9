//! `backout drill`: makes a failure on purpose, rolls back, and says how long each part took (P-83).
//! Never on production. Its times are those of a run, so they feed the next estimates.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::adapters::http::{self, Call, Target};
use crate::adapters::process::Bounded;
use crate::config::{Config, Platform};
use crate::demo::{self, Fault};
use crate::engine::stack;
use crate::failure::{Exit, Failure};
use crate::model::severity::Severity;
use crate::model::situation::{DRILL, Situation};
use crate::model::verdict::clock as clock_words;
use crate::text::SafeText;

use super::rollback::{self, Rollback};
use super::session::{self, Need, Session};
use super::{World, say};

/// How long what makes or heals a failure may take.
const LIMIT: Duration = Duration::from_mins(2);
/// Requests that tell how users are served.
const REQUESTS: u32 = 10;
/// How long one of them may take.
const REQUEST: Duration = Duration::from_secs(5);

#[derive(Args, Debug)]
pub(crate) struct DrillArguments {
    /// What goes wrong on the embedded stack: crash, errors:P, latency:MS, hang, bad-config
    #[arg(long, default_value = "errors:0.3")]
    fault: Fault,
    /// 1 quick switch, 2 full rollback
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u8).range(1..=2))]
    level: u8,
}

/// How users are served at one moment.
struct Served {
    good: u32,
    slowest: Duration,
}

impl Served {
    fn words(&self) -> String {
        format!("{}/{REQUESTS} answered, slowest {} ms", self.good, self.slowest.as_millis())
    }
}

/// Runs `backout drill`; exit 0 when the rollback ended well, within its objective, and no row is gone.
pub(crate) async fn run(
    world: &World,
    asked: &DrillArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let place = session::place(world)?;
    let config = &place.config;
    allowed(config)?;
    let mut session = Session::open(world, Need::Change).await?;
    session.looked(Duration::from_secs(30)).await?;
    calm(&session.situation)?;
    let tables = tables(world, config).await;
    let before = served(world, config).await;
    let began = world.clock.ticks();
    let what = inject(world, config, asked.fault).await?;
    let failing = |session: &Session| {
        let known = session.situation.assessment.as_ref();
        known.is_some_and(|known| known.severity >= Severity::High)
    };
    let seen = session.wait_for(config.drill.detect_within, failing).await?;
    let detected = world.clock.ticks().saturating_sub(began);
    if !seen {
        heal(world, config).await?;
        let limit = clock_words(config.drill.detect_within);
        return Err(Failure::new(Exit::Unknown, format!("{what} was not seen within {limit}"))
            .hint("look whether a check would see it: backout check"));
    }
    let during = served(world, config).await;
    let reason = format!("{DRILL}{what}");
    let rolled = world.clock.ticks();
    let wanted = Rollback::of_level(asked.level, &reason);
    let mut told = Vec::new();
    let ended = Box::pin(rollback::run(world, &wanted, &mut told)).await;
    let took = world.clock.ticks().saturating_sub(rolled);
    session.refresh().await?;
    session.close().await;
    let after = served(world, config).await;
    let fewer = fewer(&tables, &self::tables(world, config).await);
    heal(world, config).await?;
    let exit = ended.inspect_err(|_| say(out, &String::from_utf8_lossy(&told)))?;
    let level = super::plan::level(&asked.level.to_string())?;
    let in_time = took <= level.rto();
    let well = exit == Exit::Ok && in_time && fewer.is_empty();
    if world.json {
        session::json(
            out,
            &json!({
                "environment": config.environment, "failure": what, "level": asked.level,
                "detected_seconds": detected.as_secs_f64(), "rollback_seconds": took.as_secs_f64(),
                "objective_seconds": level.rto().as_secs(), "fewer_rows": fewer,
                "answered": {"before": before.good, "during": during.good, "after": after.good},
                "ok": well,
            }),
        );
    } else {
        let mut text = String::from_utf8_lossy(&told).into_owned();
        writeln!(text, "\ndrill of {}: {what}", config.environment).ok();
        let over = if in_time { "" } else { "  OVER" };
        let objective = clock_words(level.rto());
        writeln!(text, "  seen after       {}", clock_words(detected)).ok();
        writeln!(text, "  rolled back in   {} of {objective}{over}", clock_words(took)).ok();
        let data = match tables.len() {
            0 => "no database is configured: not compared".to_owned(),
            count if fewer.is_empty() => format!("{count} tables, none has fewer rows"),
            _ => format!("FEWER ROWS: {}", fewer.join(", ")),
        };
        writeln!(text, "  data             {data}").ok();
        for (name, one) in [("before", &before), ("meanwhile", &during), ("afterwards", &after)] {
            writeln!(text, "  users {name:<10} {}", one.words()).ok();
        }
        let word = if well { "drill passed" } else { "drill FAILED" };
        writeln!(text, "{word}; forward again: backout rollback --undo last").ok();
        say(out, &text);
    }
    Ok(if well { Exit::Ok } else { Exit::StepFailed })
}

fn allowed(config: &Config) -> Result<(), Failure> {
    if config.production {
        let name = &config.environment;
        return Err(Failure::new(Exit::Blocked, format!("{name} is production: no drill here"))
            .hint("name another environment: backout drill --environment staging"));
    }
    if config.drill.inject.is_none() && demo_dir(config).is_none() {
        return Err(Failure::new(Exit::Blocked, "nothing is configured that makes a failure")
            .hint("add drill: {inject: COMMAND, heal: COMMAND}"));
    }
    Ok(())
}

/// A drill on top of a real trouble would hide it.
fn calm(situation: &Situation) -> Result<(), Failure> {
    let known = situation.assessment.as_ref().map(|known| known.severity);
    let busy = situation.open_run().is_some();
    if busy || known.is_some_and(|severity| severity >= Severity::Medium) {
        let why = if busy { "a run is open" } else { "something fails already" };
        return Err(Failure::new(Exit::Blocked, format!("could not begin a drill: {why}"))
            .hint("look at it: backout assess"));
    }
    Ok(())
}

/// The folder of the embedded stack, where this is one.
fn demo_dir(config: &Config) -> Option<&Path> {
    match &config.platform {
        Platform::Local { dir } if dir.join("proxy").is_dir() && dir.join("traffic").is_dir() => {
            Some(dir)
        }
        Platform::Local { .. }
        | Platform::None
        | Platform::Compose(_)
        | Platform::Kubernetes(_)
        | Platform::Frontend(_) => None,
    }
}

/// Makes the failure, and says what it is.
async fn inject(world: &World, config: &Config, fault: Fault) -> Result<String, Failure> {
    match (&config.drill.inject, demo_dir(config)) {
        (Some(line), _) => shell(world, config, line).await.map(|()| line.clone()),
        (None, Some(dir)) => {
            demo::break_(dir, fault, &world.clock).await?;
            Ok(fault.to_string())
        }
        (None, None) => Ok(String::new()),
    }
}

async fn heal(world: &World, config: &Config) -> Result<(), Failure> {
    match (&config.drill.heal, &config.drill.inject, demo_dir(config)) {
        (Some(line), _, _) => shell(world, config, line).await,
        (None, None, Some(dir)) => {
            demo::heal(dir, &world.program, &world.clock).await?;
            Ok(())
        }
        (None, _, _) => Ok(()),
    }
}

async fn shell(world: &World, config: &Config, line: &str) -> Result<(), Failure> {
    let argv = ["sh", "-c", line].map(str::to_owned);
    let dir = config.file.parent().unwrap_or(Path::new("/"));
    let bounded = Bounded { argv: &argv, env: None, dir, limit: LIMIT, bytes: 4096 };
    let failed = |why: String| {
        Failure::new(Exit::Unknown, format!("could not run {line}: {}", SafeText::new(&why)))
            .hint("run it by hand, and look whether it left something behind")
    };
    match bounded.run(&world.clock).await {
        Ok(done) if done.code == Some(0) => Ok(()),
        Ok(done) => Err(failed(String::from_utf8_lossy(&done.stderr).trim().to_owned())),
        Err(error) => Err(failed(error.message)),
    }
}

/// Rows of each table; nothing where no database is configured or it does not answer.
async fn tables(world: &World, config: &Config) -> Vec<(String, u64)> {
    let Some(database) = stack::database(config, &world.clock) else { return Vec::new() };
    let asked = world.clock.timeout(LIMIT, database.tables()).await;
    let found = asked.ok().and_then(Result::ok).unwrap_or_default();
    found.into_iter().map(|table| (table.name, table.rows)).collect()
}

fn fewer(before: &[(String, u64)], after: &[(String, u64)]) -> Vec<String> {
    let lost = |(name, rows): &(String, u64)| {
        let now = after.iter().find(|(other, _)| other == name).map(|(_, rows)| *rows);
        match now {
            Some(now) if now >= *rows => None,
            Some(now) => Some(format!("{name} {rows} -> {now}")),
            None => Some(format!("{name} is gone")),
        }
    };
    before.iter().filter_map(lost).collect()
}

async fn served(world: &World, config: &Config) -> Served {
    let mut served = Served { good: 0, slowest: Duration::ZERO };
    let url = config.traffic.as_ref().map(|traffic| traffic.public_url().to_owned());
    let target = url.and_then(|url| Target::parse(&url).ok());
    let Some(target) = target else { return served };
    let path = config.help_test.paths.first().map_or("/", String::as_str);
    for _ in 0..REQUESTS {
        let began = world.clock.ticks();
        let (answer, _) = http::once(&target.at(path), &Call::get(), REQUEST, &world.clock).await;
        served.slowest = served.slowest.max(world.clock.ticks().saturating_sub(began));
        served.good += u32::from(answer.is_ok_and(|answer| (200..300).contains(&answer.status)));
    }
    served
}
