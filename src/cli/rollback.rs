//! `backout rollback`: plan, confirm, follow. Ctrl-C leaves; the run goes on.

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal, Write};
use std::time::Duration;

use clap::Args;

use crate::failure::{Exit, Failure};
use crate::model::entry::{Command, Outcome};
use crate::model::ids::{PointId, RunId};
use crate::model::incident::StepPhase;
use crate::model::plan::{Level, Preflight, PreflightAnswer};
use crate::model::situation::OpenPlan;
use crate::report::{self, documents};
use crate::text::SafeText;

use super::session::{self, Need, Session};
use super::{World, plan, say};

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
    /// List what can be gone back to, and stop
    #[arg(long)]
    list: bool,
    /// Why: it stands in the history
    #[arg(long)]
    reason: Option<String>,
    /// Do not ask for the word; never accepts a loss of data
    #[arg(long)]
    auto_confirm: bool,
    /// Show the plan and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave once it has started
    #[arg(long)]
    detach: bool,
}

pub(crate) async fn run(
    world: &World,
    asked: &Rollback,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    if asked.list {
        return plan::targets(world, out).await;
    }
    let level = if asked.quick { Level::Switch } else { plan::level(&asked.level)? };
    let confirmed = asked.auto_confirm || asked.quick;
    if !confirmed && !asked.dry_run && !std::io::stdin().is_terminal() {
        return Err(Failure::new(Exit::NotConfirmed, "nobody can type ROLLBACK: no terminal")
            .hint("add --auto-confirm, or run it in a terminal"));
    }
    let mut session = Session::open(world, Need::Change).await?;
    let open = planned(&mut session, level, asked.target.as_deref()).await?;
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
    if !confirmed {
        confirm(&open, out)?;
    }
    let run = approve(&mut session, &open, asked.reason.as_deref()).await?;
    if asked.detach {
        let text = format!("run {run} goes on by itself; backout attach shows it\n");
        say(out, &text);
        return Ok(Exit::Ok);
    }
    follow(world, session, &run, out).await
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
    // An engine that dies while it plans has forgotten that it did: it is asked again.
    for _ in 0..3 {
        let epoch = session.situation.epoch;
        session.send(Command::Plan { level, target: target.map(PointId::from) }).await?;
        let over = |session: &Session| planned_or_refused(session, level);
        session
            .wait_for(Duration::from_secs(20), |session| {
                over(session) || session.situation.epoch != epoch
            })
            .await?;
        if over(session) {
            break;
        }
    }
    if let Some(refused) = &session.situation.refused {
        let failure =
            Failure::new(Exit::Blocked, format!("could not plan level {level}: {}", refused.why));
        return Err(match refused.offer {
            Some(offer) => failure.hint(format!("consider level {offer}")),
            None => failure.hint("look at what can be gone back to: backout targets"),
        });
    }
    let open = session.situation.plan.clone().filter(|open| open.plan.core.level == level);
    open.ok_or_else(|| {
        Failure::new(Exit::Unknown, "could not plan: the engine did not answer in 20 s")
            .hint("look at engine.log in the state folder")
    })
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

async fn approve(
    session: &mut Session,
    open: &OpenPlan,
    reason: Option<&str>,
) -> Result<RunId, Failure> {
    let term = session.situation.lead.as_ref().map_or(0, |lead| lead.term);
    let because = || {
        let assessment = session.situation.assessment.as_ref();
        assessment.and_then(|known| known.because.first().cloned())
    };
    let reason = match reason {
        Some(reason) => SafeText::new(reason),
        None => because().unwrap_or_else(|| "asked for by hand".into()),
    };
    let plan = open.digest.clone();
    session.send(Command::Approve { plan, lead: term, reason }).await?;
    let digest = open.digest.clone();
    let started =
        |session: &Session| session.situation.run.as_ref().is_some_and(|run| run.digest == digest);
    session.wait_for(Duration::from_secs(10), started).await?;
    session
        .situation
        .run
        .as_ref()
        .map(|run| run.id.clone())
        .ok_or_else(|| Failure::new(Exit::Unknown, "the run did not start"))
}

/// Follows a run to its end, a line per change.
async fn follow(
    world: &World,
    mut session: Session,
    run: &RunId,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut shown = BTreeSet::new();
    loop {
        let over = tokio::select! {
            over = session.wait_for(Duration::from_millis(500), |session| over(session, run)) => over?,
            _ = tokio::signal::ctrl_c() => {
                say(out, &format!("\nrun {run} goes on by itself; backout attach shows it\n"));
                return Ok(Exit::Ok);
            }
        };
        if !world.json {
            say(out, &news(&session, &mut shown));
        }
        if over {
            break;
        }
    }
    let exit = exit(&session, run);
    if let Some(ended) = session.situation.run.as_ref() {
        if world.json {
            session::json(out, &documents::rollback(ended));
        } else {
            say(out, &report::text::ended(ended));
        }
    }
    session.close().await;
    Ok(exit)
}

fn over(session: &Session, run: &RunId) -> bool {
    match &session.situation.run {
        Some(open) if &open.id == run => open.ended.is_some() || open.waiting.is_some(),
        Some(_) | None => true,
    }
}

/// Lines for the steps that have changed since the last time.
fn news(session: &Session, shown: &mut BTreeSet<String>) -> String {
    let mut text = String::new();
    let Some(run) = &session.situation.run else { return text };
    for step in &run.steps {
        let title =
            run.plan.face_of(&step.id).map_or(step.id.0.clone(), |face| face.title.to_string());
        let word = match &step.phase {
            StepPhase::Waiting => continue,
            StepPhase::Running => format!("> {title}"),
            StepPhase::Done => {
                format!("+ {title}  {:.1} s  {}", step.took.as_secs_f64(), step.note)
            }
            StepPhase::Failed(why) => format!("x {title}  FAILED: {why}"),
            StepPhase::Skipped(why) => format!("- {title}  skipped: {why}"),
            StepPhase::Unknown(why) => format!("? {title}  UNKNOWN: {why}"),
        };
        let line = format!("{}  {word}\n", step.attempt);
        if shown.insert(line.clone()) {
            text.push_str(line.get(3..).unwrap_or_default());
        }
    }
    text
}

fn exit(session: &Session, run: &RunId) -> Exit {
    let Some(open) = session.situation.run.as_ref().filter(|open| &open.id == run) else {
        return Exit::Unknown;
    };
    match (&open.ended, &open.waiting) {
        (Some(ended), _) => match ended.outcome {
            Outcome::Done => Exit::Ok,
            Outcome::Failed => Exit::StepFailed,
            Outcome::Aborted | Outcome::Undone => Exit::Aborted,
            Outcome::Unknown => Exit::OutcomeUnknown,
        },
        (None, Some(_)) => {
            let unknown = |phase: &StepPhase| matches!(phase, StepPhase::Unknown(_));
            if open.steps.iter().any(|step| unknown(&step.phase)) {
                Exit::OutcomeUnknown
            } else {
                Exit::StepFailed
            }
        }
        (None, None) => Exit::Unknown,
    }
}
