//! `backout rollback`: plan, confirm, follow. Ctrl-C leaves; the run goes on.

use std::io::{BufRead, IsTerminal, Write};
use std::time::Duration;

use clap::Args;

use crate::engine::procedure;
use crate::failure::{Exit, Failure};
use crate::model::approval::LASTS;
use crate::model::entry::Command;
use crate::model::ids::{PointId, RunId};
use crate::model::plan::{Level, Preflight, PreflightAnswer};
use crate::model::situation::OpenPlan;
use crate::model::strategy::Strategy;
use crate::report::{self, documents};
use crate::text::SafeText;

use super::dry_run::{self, About};
use super::follow::follow;
use super::session::{self, Need, Session};
use super::{World, plan, say};

/// How long a plan is waited for before it is said that it takes long.
const ANSWER: Duration = Duration::from_secs(20);
/// How often it is waited for that long while the engine is there.
const PATIENCE: u32 = 9;

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Rollback {
    /// 1 quick switch, 2 full rollback, 3 point-in-time recovery
    #[arg(long, default_value = "1")]
    level: String,
    /// The same as --level 1 --auto-confirm
    #[arg(long)]
    quick: bool,
    /// A restore point or version; without one, the last good
    #[arg(long)]
    target: Option<String>,
    /// Level 3: replay the database's logs up to a moment with its zone, name:X, lsn:X, xid:N, latest
    #[arg(long, value_name = "MOMENT")]
    to: Option<String>,
    /// A rollback of the configuration's own making: application, database, infrastructure (M-29)
    #[arg(long = "type", value_name = "NAME", conflicts_with_all = ["target", "to", "undo"])]
    kind: Option<String>,
    /// blue-green, rolling, immediate, canary, database-migration, frontend
    #[arg(long, value_name = "NAME", value_parser = plan::strategy,
          conflicts_with_all = ["to", "kind", "undo"])]
    strategy: Option<Strategy>,
    /// List what can be gone back to, and stop
    #[arg(long)]
    list: bool,
    /// Take a finished run back: its name, or `last`
    #[arg(long, value_name = "RUN", conflicts_with_all = ["level", "quick", "target", "list"])]
    undo: Option<String>,
    /// Why: it stands in the history
    #[arg(long)]
    reason: Option<String>,
    /// Do not ask for the word; never accepts a loss of data
    #[arg(long)]
    auto_confirm: bool,
    /// Accept the loss of at most so many minutes of data: level 3 then swaps by itself
    #[arg(long, value_name = "MINUTES")]
    accept_loss: Option<u64>,
    /// Show the plan and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave once it has started
    #[arg(long)]
    detach: bool,
    /// The deploy to take back, by its job or its version: refused when it is not the last one
    #[arg(long, value_name = "NAME")]
    deployment_id: Option<String>,
    /// A service whose instances go back (services:); else one that it is about: a level moves the
    /// whole environment all the same
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
}

impl Rollback {
    /// A level, now, for a reason: what a drill asks for.
    pub(crate) fn of_level(level: u8, reason: &str) -> Self {
        Self { level: level.to_string(), quick: false, ..Self::manual(reason, None) }
    }

    /// Level 1, now, for a reason: what `monitor --manual-rollback` asks for.
    pub(crate) fn manual(reason: &str, deployment_id: Option<String>) -> Self {
        Self {
            level: "1".to_owned(),
            kind: None,
            strategy: None,
            quick: true,
            target: None,
            to: None,
            list: false,
            undo: None,
            reason: Some(reason.to_owned()),
            auto_confirm: true,
            accept_loss: None,
            dry_run: false,
            detach: false,
            deployment_id,
            service: Vec::new(),
        }
    }
}

pub(crate) async fn run(
    world: &World,
    asked: &Rollback,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    if asked.list {
        return plan::targets(world, false, out).await;
    }
    let (level, target, by_strategy) = wanted(world, asked)?;
    let services: &[String] = if by_strategy { &[] } else { &asked.service };
    let about = About {
        deployment: asked.deployment_id.as_deref(),
        services,
        reason: asked.reason.as_deref(),
    };
    if asked.dry_run && asked.undo.is_none() {
        let level = level.number().to_string();
        let what = (level.as_str(), target.as_deref());
        return dry_run::run(world, &about, what, out).await;
    }
    let confirmed = asked.auto_confirm || asked.quick;
    if !confirmed && !asked.dry_run && !std::io::stdin().is_terminal() {
        return Err(Failure::new(Exit::NotConfirmed, "nobody can type ROLLBACK: no terminal")
            .hint("add --auto-confirm, or run it in a terminal"));
    }
    let mut session = Session::open(world, Need::Change).await?;
    if let Some(doubt) = dry_run::doubts(&about, Some(&session.situation)).into_iter().next() {
        session.close().await;
        return Err(Failure::new(Exit::Blocked, format!("could not roll back: {doubt}"))
            .hint("look at what runs (backout targets), or leave the name out"));
    }
    let open = match &asked.undo {
        Some(run) => undo_planned(&mut session, run).await?,
        None => planned(&mut session, level, target.as_deref()).await?,
    };
    if !world.json {
        say(out, &report::text::plan(&open, false));
    }
    if asked.dry_run {
        if world.json {
            session::json(out, &documents::plan(&open));
        }
        return Ok(Exit::Ok);
    }
    if let Some(line) = held(&open.preflight) {
        return Err(Failure::new(Exit::Held, format!("{}: {}", line.name, line.text))
            .hint("wait for that run, or ask the one who started it"));
    }
    if confirmed {
        loss_accepted(&open, asked.accept_loss)?;
    } else {
        confirm(&open, out)?;
    }
    let run = approve(&mut session, &open, asked, out).await?;
    let called = open.plan.face.called.as_ref().filter(|_| asked.kind.is_some() && !world.json);
    for line in called.into_iter().flat_map(|called| &called.opening) {
        say(out, &format!("{line}\n"));
    }
    if asked.detach {
        let text = format!("run {run} goes on by itself; backout attach shows it\n");
        say(out, &text);
        return Ok(Exit::Ok);
    }
    let exit = Box::pin(follow(world, session, &run, confirmed, out)).await?;
    if let (Some(called), Exit::Ok) = (called, exit) {
        say(out, &format!("{} completed!\n", called.what));
    }
    Ok(exit)
}

/// The level and the target that are asked for, and whether a strategy or services say them.
fn wanted(world: &World, asked: &Rollback) -> Result<(Level, Option<String>, bool), Failure> {
    if asked.strategy.is_some() || !asked.service.is_empty() {
        let place = session::place(world)?;
        let to = asked.target.as_deref();
        let said = plan::by_strategy(&place.config, asked.strategy, &asked.service, to);
        if let Some((level, target)) = said {
            return Ok((level, Some(target), true));
        }
    }
    let level = match &asked.kind {
        _ if asked.quick => Level::Switch,
        Some(_) => {
            let place = session::place(world)?;
            plan::level_of(&place.config, asked.kind.as_deref(), &asked.level)?
        }
        None => plan::level(&asked.level)?,
    };
    let target = match &asked.kind {
        Some(kind) => Some(format!("{}{kind}", procedure::TYPE)),
        None => plan::goal(level, asked.target.as_deref(), asked.to.as_deref())?,
    };
    Ok((level, target, false))
}

/// The line that says somebody else works on the target.
fn held(preflight: &[Preflight]) -> Option<&Preflight> {
    preflight.iter().find(|line| {
        line.answer == PreflightAnswer::Block && line.name.as_str() == "nobody else works on it"
    })
}

async fn planned(
    session: &mut Session,
    level: Level,
    target: Option<&str>,
) -> Result<OpenPlan, Failure> {
    session.refresh().await?;
    let made = |session: &Session| session.situation.plan.as_ref().map(|open| open.plan.made_at);
    let before = made(session);
    let command = Command::Plan { level, target: target.map(PointId::from) };
    // A plan of an earlier time may still be there: what has changed since would not be in it.
    ask(session, &command, |session| planned_or_refused(session, level) && made(session) != before)
        .await?;
    if let Some(refused) = &session.situation.refused {
        let failure =
            Failure::new(Exit::Blocked, format!("could not plan level {level}: {}", refused.why));
        return Err(match refused.offer {
            Some(offer) => failure.hint(format!("consider level {offer}")),
            None => failure.hint("look at what can be gone back to: backout targets"),
        });
    }
    let open = session.situation.plan.clone().filter(|open| open.plan.core.level == level);
    let open = open.filter(|open| Some(open.plan.made_at) != before);
    open.ok_or_else(unanswered)
}

/// Asks for a plan until it is `made` or refused: an engine that dies while it plans has forgotten
/// that it did, and is asked again.
async fn ask(
    session: &mut Session,
    command: &Command,
    made: impl Fn(&Session) -> bool,
) -> Result<(), Failure> {
    let over = |session: &Session| made(session) || session.situation.refused.is_some();
    for _ in 0..3 {
        let epoch = session.situation.epoch;
        let ended = |session: &Session| over(session) || session.situation.epoch != epoch;
        session.send(command.clone()).await?;
        for waited in 1..=PATIENCE {
            if session.wait_for(ANSWER, ended).await? {
                break;
            }
            // Ten thousand objects, or a slow server: who waits is told so.
            let text = format!("the engine still plans, {} s", (ANSWER * waited).as_secs());
            writeln!(std::io::stderr().lock(), "{text}").ok();
        }
        if !ended(session) || over(session) {
            break;
        }
    }
    Ok(())
}

fn unanswered() -> Failure {
    let message =
        format!("could not plan: the engine did not answer in {} s", (ANSWER * PATIENCE).as_secs());
    Failure::new(Exit::Unknown, message).hint("look at engine.log in the state folder")
}

/// The plan that takes a finished run back.
async fn undo_planned(session: &mut Session, run: &str) -> Result<OpenPlan, Failure> {
    let last = session.situation.history.first().map(|past| past.run.clone());
    let run = match (run, last) {
        ("last", Some(last)) => last,
        ("last", None) => {
            return Err(Failure::new(Exit::Blocked, "there is no run to take back")
                .hint("look at the past runs: backout history"));
        }
        (run, _) => RunId::from(run),
    };
    let made = |session: &Session| {
        let situation = &session.situation;
        let open = situation.plan.clone();
        open.filter(|open| open.plan.undoes().as_ref() == Some(&run))
    };
    let command = Command::PlanUndo { run: run.clone() };
    ask(session, &command, |session| made(session).is_some()).await?;
    if let Some(refused) = &session.situation.refused {
        return Err(Failure::new(Exit::Blocked, refused.why.to_string())
            .hint("look at what can be gone back to: backout targets"));
    }
    made(session).ok_or_else(unanswered)
}

/// The engine forgets the last plan when it is asked for a new one, so what stands is the answer.
fn planned_or_refused(session: &Session, level: Level) -> bool {
    let situation = &session.situation;
    let made = situation.plan.as_ref().is_some_and(|open| open.plan.core.level == level);
    made || situation.refused.is_some()
}

/// Asks for the typed word (S-46). Anything else does nothing.
fn confirm(open: &OpenPlan, out: &mut dyn Write) -> Result<(), Failure> {
    let core = &open.plan.core;
    let text = format!(
        "\nEnvironment {}   Level {} {}   {} -> {}   Data: {}\nType 'ROLLBACK' to confirm: ",
        core.environment,
        core.level,
        core.level.words(),
        core.from,
        core.to,
        open.plan.face.data,
    );
    say(out, &text);
    let mut typed = String::new();
    let read = std::io::stdin().lock().read_line(&mut typed);
    if read.is_ok() && typed.trim_end_matches(['\n', '\r']) == "ROLLBACK" {
        return Ok(());
    }
    Err(Failure::new(Exit::NotConfirmed, "not confirmed: nothing was changed"))
}

/// Nobody is there to type the minutes: they must have been accepted beforehand (design 18).
fn loss_accepted(open: &OpenPlan, accepted: Option<u64>) -> Result<(), Failure> {
    if !open.plan.loses_data() {
        return Ok(());
    }
    let now = crate::clock::Clock::real().now();
    let lost = open.plan.face.loss.as_ref().map(|loss| (loss.minutes(now), loss.sentences(now)));
    let Some((minutes, sentences)) = lost else {
        return Err(Failure::new(Exit::NotConfirmed, "what would be lost is not known")
            .hint("run it in a terminal, and read what it says before it swaps"));
    };
    match accepted {
        Some(accepted) if minutes <= accepted => Ok(()),
        _ => {
            let message = format!("the loss is not accepted: {}", sentences.join("; "));
            Err(Failure::new(Exit::NotConfirmed, message)
                .hint(format!("add --accept-loss {minutes} if that loss is right")))
        }
    }
}

async fn approve(
    session: &mut Session,
    open: &OpenPlan,
    asked: &Rollback,
    out: &mut dyn Write,
) -> Result<RunId, Failure> {
    let term = session.situation.lead.as_ref().map_or(0, |lead| lead.term);
    let because = || {
        let assessment = session.situation.assessment.as_ref();
        assessment.and_then(|known| known.because.first().cloned())
    };
    let reason = match asked.reason.as_deref() {
        Some(reason) => SafeText::new(reason),
        None => because().unwrap_or_else(|| "asked for by hand".into()),
    };
    let plan = open.digest.clone();
    session
        .send(Command::Approve { plan, lead: term, reason, accept_loss: asked.accept_loss })
        .await?;
    let digest = open.digest.clone();
    let started =
        |session: &Session| session.situation.run.as_ref().is_some_and(|run| run.digest == digest);
    let kept = |session: &Session| session.situation.approval.is_some();
    session.wait_for(Duration::from_secs(10), |now| started(now) || kept(now)).await?;
    if !started(session) && kept(session) {
        say(
            out,
            "approved; a second person is missing: another user types backout approve within \
             10 min\n",
        );
        let lasts = LASTS.to_std().unwrap_or_default();
        session.wait_for(lasts, started).await?;
        if !started(session) {
            return Err(Failure::new(Exit::NotConfirmed, "no second person approved it in time")
                .hint("ask them, and begin again"));
        }
    }
    let run = session.situation.run.as_ref().filter(|run| run.digest == open.digest);
    run.map(|run| run.id.clone())
        .ok_or_else(|| Failure::new(Exit::Unknown, "the run did not start"))
}
