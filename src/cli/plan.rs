//! `backout plan` and `backout targets`: what would happen, and what can be gone back to.

use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::config::Config;
use crate::engine::planner::{self, Facts};
use crate::engine::stack::{self, Stack};
use crate::engine::{answer, deploys, procedure};
use crate::failure::{Exit, Failure};
use crate::model::entry::Command;
use crate::model::ids::PointId;
use crate::model::plan::Level;
use crate::model::situation::{OpenPlan, Situation};
use crate::model::strategy::{Asked, Strategy};
use crate::model::until::Until;
use crate::report::{self, documents};
use crate::text::SafeText;

use super::session::{self, Need, Session};
use super::{World, say};

#[derive(Args, Debug)]
pub(crate) struct PlanArguments {
    /// 1 quick switch, 2 full rollback, 3 point-in-time recovery
    #[arg(long, default_value = "1")]
    pub(crate) level: String,
    /// A restore point or version; without one, the last good
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// Level 3: replay the database's logs up to a moment with its zone, name:X, lsn:X, xid:N, latest
    #[arg(long, value_name = "MOMENT")]
    pub(crate) to: Option<String>,
    /// A rollback of the configuration's own making: application, database, infrastructure (M-29)
    #[arg(long = "type", value_name = "NAME", conflicts_with_all = ["target", "to"])]
    pub(crate) kind: Option<String>,
    /// blue-green, rolling, immediate, canary, database-migration, frontend
    #[arg(long, value_name = "NAME", value_parser = strategy, conflicts_with_all = ["to", "kind"])]
    strategy: Option<Strategy>,
    /// A service whose instances go back (services:); again for another one
    #[arg(long, value_name = "NAME", conflicts_with_all = ["to", "kind"])]
    service: Vec<String>,
    /// Only say whether it could start; exit 0 or 10
    #[arg(long)]
    check: bool,
    /// Print the exact commands for doing it by hand
    #[arg(long)]
    commands: bool,
    /// Print the whole sheet for doing it by hand, when this program is of no help
    #[arg(long)]
    break_glass: bool,
}

impl PlanArguments {
    /// The whole plan with its commands, of that level to that target.
    pub(super) fn whole(level: &str, target: Option<&str>) -> Self {
        Self {
            level: level.to_owned(),
            target: target.map(str::to_owned),
            to: None,
            kind: None,
            strategy: None,
            service: Vec::new(),
            check: false,
            commands: true,
            break_glass: false,
        }
    }
}

/// The level with that number, or a usage error.
pub(crate) fn level(text: &str) -> Result<Level, Failure> {
    let number = text.parse().ok();
    number.and_then(Level::from_number).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("there is no level {text}")).hint("say 1, 2 or 3")
    })
}

/// The strategy of that name.
pub(crate) fn strategy(word: &str) -> Result<Strategy, String> {
    let names = Strategy::ALL.map(Strategy::name);
    Strategy::named(word).ok_or_else(|| format!("say one of {}", names.join(", ")))
}

/// What is asked for where a strategy is named, or services of the configuration: its level and the
/// target that says so.
pub(crate) fn by_strategy(
    config: &Config,
    strategy: Option<Strategy>,
    names: &[String],
    target: Option<&str>,
) -> Option<(Level, String)> {
    let known = names.iter().any(|name| config.services.contains_key(name));
    if strategy.is_none() && !known {
        return None;
    }
    let to = target.unwrap_or_default().to_owned();
    let asked = Asked { names: names.to_vec(), strategy, to };
    let level = match strategy {
        Some(Strategy::DatabaseMigration) => Level::Full,
        Some(
            Strategy::BlueGreen
            | Strategy::Rolling
            | Strategy::Immediate
            | Strategy::Canary
            | Strategy::Frontend,
        )
        | None => Level::Switch,
    };
    Some((level, asked.target()))
}

/// The level of a procedure is the configuration's to say; without one, what was typed.
pub(crate) fn level_of(config: &Config, kind: Option<&str>, typed: &str) -> Result<Level, Failure> {
    let known = kind.and_then(|kind| config.procedures.get(kind));
    known.map_or_else(|| level(typed), |procedure| Ok(procedure.level))
}

/// A point and a moment after it, as one target: `20261122-114417@2026-11-22 12:00:00Z`.
pub(crate) fn goal(
    level: Level,
    target: Option<&str>,
    to: Option<&str>,
) -> Result<Option<String>, Failure> {
    let Some(to) = to else { return Ok(target.map(str::to_owned)) };
    if level != Level::PointInTime {
        return Err(Failure::new(Exit::Usage, "only level 3 goes back to a moment")
            .hint("add --level 3, or leave --to out"));
    }
    let until = Until::parse(to).map_err(|why| {
        Failure::new(Exit::Usage, format!("could not read --to: {}", SafeText::new(&why)))
    })?;
    Ok(Some(format!("{}@{}", target.unwrap_or_default(), until.argument())))
}

pub(crate) async fn run(
    world: &World,
    arguments: &PlanArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let place = session::place(world)?;
    let level = level_of(&place.config, arguments.kind.as_deref(), &arguments.level)?;
    let target = match &arguments.kind {
        Some(kind) => Some(format!("{}{kind}", procedure::TYPE)),
        None => goal(level, arguments.target.as_deref(), arguments.to.as_deref())?,
    };
    let by_strategy = by_strategy(
        &place.config,
        arguments.strategy,
        &arguments.service,
        arguments.target.as_deref(),
    );
    let (level, target) = match by_strategy {
        Some((level, target)) => (level, Some(target)),
        None => (level, target),
    };
    let stack = Stack::of(&place.config, &world.program, &world.clock);
    let target = target.map(PointId);
    let known = past(&place.journal).await;
    let facts = facts_of(world, (&place.config, stack.as_ref()), known.as_ref(), (level, target));
    let facts = facts.await;
    let made = planner::plan(&place.config, stack.as_ref(), &facts, &world.clock).await;
    let (plan, preflight) = made.map_err(|no| {
        let failure =
            Failure::new(Exit::Blocked, format!("could not plan level {level}: {}", no.why));
        match no.offer {
            Some(offer) => {
                failure.hint(format!("consider level {offer}: backout plan --level {offer}"))
            }
            None => failure.hint("look at what can be gone back to: backout targets"),
        }
    })?;
    if arguments.break_glass {
        let scene =
            stack::scene(&place.config, stack.as_ref(), &plan, known.as_ref(), &world.clock);
        say(out, &crate::evidence::sheet(&plan, &scene));
        return Ok(Exit::Ok);
    }
    let open = OpenPlan { digest: plan.digest(), plan, by: "you".into(), preflight };
    if world.json {
        session::json(out, &documents::plan(&open));
    } else {
        say(out, &report::text::plan(&open, arguments.commands));
    }
    match answer::blocked(&open) {
        Err(no) if arguments.check => Err(Failure::new(Exit::Blocked, no.why).hint(no.hint)),
        Ok(()) | Err(_) => Ok(Exit::Ok),
    }
}

/// What a plan of a level to a target rests on.
pub(super) async fn facts(
    world: &World,
    config: &Config,
    stack: Option<&Stack>,
    asked: (Level, Option<PointId>),
) -> Facts {
    let known = past(&session::journal_of(world, config)).await;
    facts_of(world, (config, stack), known.as_ref(), asked).await
}

async fn facts_of(
    world: &World,
    (config, stack): (&Config, Option<&Stack>),
    known: Option<&Situation>,
    (level, target): (Level, Option<PointId>),
) -> Facts {
    let deploys = known.map(deploys::Known::of).unwrap_or_default().with_file(config);
    Facts {
        level,
        target,
        points: deploys::targets(config, stack, &deploys, &world.clock).await,
        known: deploys,
        thorough: true,
        undo: None,
        journal: known.map(|known| known.journal.clone()).unwrap_or_default(),
        history: known.map(|known| known.history.clone()).unwrap_or_default(),
    }
}

/// Pins and unpins.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TargetsCommand {
    /// Never trim a restore point
    Pin {
        /// Its name
        id: String,
        /// Why it must be kept
        #[arg(long)]
        reason: String,
    },
    /// Let a pinned restore point be trimmed again
    Unpin {
        /// Its name
        id: String,
    },
}

/// Lists, pins or unpins.
pub(crate) async fn targets_or_pin(
    world: &World,
    what: Option<TargetsCommand>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (command, said) = match what {
        None => return targets(world, true, out).await,
        Some(TargetsCommand::Pin { id, reason }) => {
            let said = format!("{id} is pinned: {reason}");
            let reason = SafeText::new(&reason);
            (Command::Pin { point: PointId(id), reason }, said)
        }
        Some(TargetsCommand::Unpin { id }) => {
            let said = format!("{id} is not pinned any more");
            (Command::Unpin { point: PointId(id) }, said)
        }
    };
    let mut session = Session::open(world, Need::Look).await?;
    session.wait_for(Duration::from_secs(10), looked).await?;
    session.send(command).await?;
    session.close().await;
    say(out, &format!("{said}\n"));
    Ok(Exit::Ok)
}

/// What the journal knows, when there is one.
pub(super) async fn past(at: &crate::journal::Place) -> Option<crate::model::situation::Situation> {
    let mut reader = crate::journal::Reader::open(at).await.ok()?;
    reader.situation().await.ok()
}

/// Whether an engine has looked lately: what an older one left is no news.
fn looked(session: &Session) -> bool {
    let at = session.live.as_ref().and_then(|live| live.looked_at);
    at.is_some_and(|at| session.now() - at < chrono::Duration::seconds(15))
}

/// The list; with `shown`, what there is to show for each.
pub(crate) async fn targets(
    world: &World,
    shown: bool,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut session = Session::open(world, Need::Look).await?;
    session.wait_for(Duration::from_secs(10), looked).await?;
    let points = &session.situation.points;
    if world.json {
        session::json(out, &documents::targets(points));
    } else if shown {
        say(out, &report::text::targets_shown(points, world.clock.now()));
    } else {
        say(out, &report::text::targets(points));
    }
    session.close().await;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_part_of_the_target_and_needs_level_3_and_a_zone() {
        let deep = |target, to| goal(Level::PointInTime, target, Some(to));
        let at = Some("20261122-114417");
        let found = deep(at, "2026-11-22 14:00:00+01:00").unwrap();
        assert_eq!(found.as_deref(), Some("20261122-114417@2026-11-22 13:00:00Z"));
        assert_eq!(deep(None, "name:x").unwrap().as_deref(), Some("@name:x"));
        assert_eq!(goal(Level::Full, at, None).unwrap().as_deref(), at);
        assert_eq!(goal(Level::Full, at, Some("latest")).unwrap_err().exit, Exit::Usage);
        let why = deep(at, "2026-11-22 14:00:00").unwrap_err();
        assert!(why.message.contains("names no zone"), "{}", why.message);
    }
}
