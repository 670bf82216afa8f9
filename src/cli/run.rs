//! `backout run`: what is done, failed and pending of the open run, and a person's word on it.

use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::failure::{Exit, Failure};
use crate::journal::Reader;
use crate::model::entry::{Abort, Command};
use crate::model::ids::StepId;
use crate::model::incident::{Run, StepPhase, StepState};
use crate::model::phases;
use crate::model::situation::Situation;
use crate::report::documents;
use crate::text::SafeText;

use super::session::{self, Need, Session, journal};
use super::{World, say, status};

/// How long is waited for what follows from a decision.
const LIMIT: Duration = Duration::from_secs(5);

#[derive(Subcommand, Debug)]
pub(crate) enum RunCommand {
    /// List what is done, what failed, and what is pending
    Show,
    /// The run as assessment, coordination, execution, validation, with what stands for each task
    Phases,
    /// Try a failed or unknown step again
    Retry(Decision),
    /// Leave a failed or unknown step out
    Skip(Decision),
    /// Say that a failed or unknown step was done by hand
    Done(Decision),
    /// Go on with a paused run, or with one that the machine was restarted under
    Resume {
        /// Why: it stands in the timeline
        #[arg(long)]
        reason: String,
    },
    /// Stop the run: STOP after the running step, NOW at once, UNDO to take back what was done
    Abort {
        /// STOP, NOW or UNDO
        #[arg(value_enum, ignore_case = true)]
        how: How,
        /// Why: it stands in the timeline
        #[arg(long)]
        reason: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Decision {
    /// The step; without one, the step that the run waits for
    #[arg(long)]
    step: Option<String>,
    /// Why: it stands in the timeline
    #[arg(long)]
    reason: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "UPPER")]
pub(crate) enum How {
    Stop,
    Now,
    Undo,
}

impl How {
    fn verb(self) -> Abort {
        match self {
            Self::Stop => Abort::Stop,
            Self::Now => Abort::Now,
            Self::Undo => Abort::Undo,
        }
    }
}

/// Shows the open run, or gives a person's word on it.
pub(crate) async fn run(
    world: &World,
    what: Option<RunCommand>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let place = session::place_to_attach(world)?;
    let mut reader = Reader::open(&place.journal).await.map_err(journal)?;
    let situation = reader.situation().await.map_err(journal)?;
    // The phases of a run can be read when it has ended, too.
    if matches!(what, Some(RunCommand::Phases)) && situation.run.is_some() {
        phased(world, &situation, out);
        return Ok(Exit::Ok);
    }
    let Some(open) = situation.open_run() else {
        let ended = situation.run.as_ref().map_or_else(
            || "there was none".to_owned(),
            |run| format!("the last one was {} and has ended", run.id),
        );
        return Err(Failure::new(Exit::Unknown, format!("no run is open: {ended}"))
            .hint("nothing needs to be decided; look at the past ones: backout history"));
    };
    let (command, reason) = match what {
        None | Some(RunCommand::Show | RunCommand::Phases) => {
            show(world, &situation, open, out);
            return Ok(Exit::Ok);
        }
        Some(RunCommand::Abort { how, reason }) => {
            worded(&reason)?;
            return status::stop(world, how.verb(), &reason, out).await;
        }
        Some(RunCommand::Resume { reason }) => (Command::Resume { run: open.id.clone() }, reason),
        Some(RunCommand::Retry(said)) => {
            let ((run, step, attempt), reason) = (about(open, &said)?, SafeText::new(&said.reason));
            (Command::Retry { run, step, attempt, reason }, said.reason)
        }
        Some(RunCommand::Skip(said)) => {
            let ((run, step, attempt), reason) = (about(open, &said)?, SafeText::new(&said.reason));
            (Command::Skip { run, step, attempt, reason }, said.reason)
        }
        Some(RunCommand::Done(said)) => {
            let ((run, step, attempt), reason) = (about(open, &said)?, SafeText::new(&said.reason));
            (Command::MarkDone { run, step, attempt, reason }, said.reason)
        }
    };
    worded(&reason)?;
    let mut session = Session::open(world, Need::Change).await?;
    let resumes = matches!(command, Command::Resume { .. });
    session.send(command).await?;
    if resumes {
        // The order itself has no room for a reason.
        let text = SafeText::new(&format!("goes on: {}", reason.trim()));
        session.send(Command::Note { text }).await?;
    }
    session.refresh().await?;
    let moved = |session: &Session| {
        session.situation.open_run().is_none_or(|run| {
            run.waiting.is_some() || run.running().next().is_some() || run.watch.is_some()
        })
    };
    session.wait_for(LIMIT, moved).await?;
    if let Some(run) = &session.situation.run {
        show(world, &session.situation, run, out);
    }
    session.close().await;
    Ok(Exit::Ok)
}

fn worded(reason: &str) -> Result<(), Failure> {
    if reason.trim().is_empty() {
        return Err(Failure::new(Exit::Usage, "could not take this: the reason is empty")
            .hint("say why with --reason: it stands in the timeline"));
    }
    Ok(())
}

/// The step that is decided about, as it stands on this side.
fn about(run: &Run, said: &Decision) -> Result<(crate::model::ids::RunId, StepId, u32), Failure> {
    let waits = run.waiting.as_ref().and_then(|waiting| waiting.step.clone());
    let Some(step) = said.step.as_deref().map(StepId::from).or(waits) else {
        return Err(Failure::new(Exit::Unknown, "could not decide: the run waits for no step")
            .hint("name one with --step; list them: backout run show"));
    };
    let Some(state) = run.step(&step) else {
        let known: Vec<&str> = run.steps.iter().map(|state| state.id.as_str()).collect();
        return Err(Failure::new(
            Exit::Usage,
            format!("there is no step {step} in run {}", run.id),
        )
        .hint(format!("name one of {}", known.join(", "))));
    };
    Ok((run.id.clone(), step, state.attempt))
}

/// The run in four phases (P-80).
fn phased(world: &World, situation: &Situation, out: &mut dyn Write) {
    let all = phases::phases(situation);
    if world.json {
        session::json(out, &all);
        return;
    }
    let mut text = String::new();
    for phase in &all {
        let _: std::fmt::Result = writeln!(text, "{}", phase.name);
        for task in &phase.tasks {
            let (word, name, why) = (task.state.word(), task.name, &task.why);
            let _: std::fmt::Result = writeln!(text, "  {word:<8} {name}: {why}");
        }
    }
    say(out, &text);
}

fn show(world: &World, situation: &Situation, run: &Run, out: &mut dyn Write) {
    if world.json {
        session::json(out, &documents::rollback(run));
    } else {
        say(out, &lines(situation, run));
    }
}

/// Where P-68 lists a step.
fn group(phase: &StepPhase) -> &'static str {
    match phase {
        StepPhase::Done => "done",
        StepPhase::Skipped(_) => "left out",
        StepPhase::Running => "running",
        StepPhase::Failed(_) | StepPhase::Unknown(_) => "failed",
        StepPhase::Waiting => "pending",
    }
}

/// The run as P-68 lists it: what is done, what failed, what is pending, and the ways on.
fn lines(situation: &Situation, run: &Run) -> String {
    let core = &run.plan.core;
    let mut out = format!(
        "run {}, level {}, {} -> {}: {}\n",
        run.id,
        core.level,
        core.from,
        core.to,
        run.state().label()
    );
    let counts = |state: &&StepState| !state.undo || state.attempt > 0;
    for name in ["done", "left out", "running", "failed", "pending"] {
        let steps: Vec<&StepState> =
            run.steps.iter().filter(counts).filter(|state| group(&state.phase) == name).collect();
        if steps.is_empty() {
            continue;
        }
        let _: Result<(), std::fmt::Error> = writeln!(out, "{name} ({}):", steps.len());
        for state in steps {
            let title = run.plan.face_of(&state.id).map(|face| face.title.to_string());
            let why = match &state.phase {
                StepPhase::Failed(why) => format!("  it said no: {why}"),
                StepPhase::Unknown(why) => format!("  UNKNOWN: {why}"),
                StepPhase::Skipped(why) => format!("  {why}"),
                StepPhase::Waiting | StepPhase::Running | StepPhase::Done => String::new(),
            };
            let title = title.unwrap_or_default();
            let _: Result<(), std::fmt::Error> =
                writeln!(out, "  {:<14} {title}{why}", state.id.as_str());
        }
    }
    out.push_str(&ways(situation, run));
    out
}

fn ways(situation: &Situation, run: &Run) -> String {
    let stop = "stop: backout run abort STOP|NOW|UNDO --reason ...\n";
    if run.ended.is_some() {
        return String::new();
    }
    if situation.held_by_restart().is_some() || run.paused {
        let why = situation.held_by_restart().unwrap_or_else(|| "it is paused".into());
        return format!("{why}\ngo on: backout run resume --reason ...\n{stop}");
    }
    match run.waiting.as_ref() {
        Some(waiting) => {
            let about = waiting.step.as_ref().map_or_else(String::new, |step| {
                format!("decide: backout run retry|skip|done --step {step} --reason ...\n")
            });
            format!("waits for you: {}\n{about}{stop}", waiting.why)
        }
        None => stop.to_owned(),
    }
}
