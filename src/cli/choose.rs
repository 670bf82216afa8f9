//! `backout choose`: what becomes of a copy that is up beside the live data.

use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::failure::{Exit, Failure};
use crate::model::entry::{Abort, Command};
use crate::model::ids::{RunId, StepId};
use crate::model::incident::{Run, StepPhase, StepState};
use crate::model::loss::Choice;
use crate::model::tables::grouped;

use super::session::{Need, Session};
use super::{World, say};

#[derive(Args, Debug)]
pub(crate) struct Choose {
    /// swap: the copy takes the place; beside: both stay; new-time: another point
    #[arg(value_enum)]
    what: What,
    /// With swap: the minutes of data that are lost, as the run says them
    #[arg(long)]
    minutes: Option<u64>,
    /// With new-time: the moment to plan for next, such as 23:54 (UTC), -14m, 2026-11-22 12:00:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    Swap,
    Beside,
    NewTime,
}

pub(crate) async fn run(
    world: &World,
    asked: &Choose,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut session = Session::open(world, Need::Running).await?;
    let situation = &session.situation;
    let open = situation.open_run().and_then(|run| Some((run, run.asks()?.clone())));
    let Some((run, step)) = open else {
        return Err(Failure::new(Exit::Blocked, "no run asks what becomes of a copy")
            .hint("look at it: backout status"));
    };
    let choice = match (asked.what, asked.minutes) {
        (What::Beside, _) => Choice::Beside,
        (What::NewTime, _) => match &asked.to {
            None => Choice::NewTime,
            Some(to) => another(run, to, world)?,
        },
        (What::Swap, Some(minutes)) => Choice::Swap { minutes },
        (What::Swap, None) => {
            say(out, &gate(run));
            return Err(Failure::new(Exit::NotConfirmed, "the loss is not accepted")
                .hint("say the minutes: backout choose swap --minutes N"));
        }
    };
    let words = choice.words();
    let copies = run.loss.as_ref().filter(|_| choice == Choice::Beside);
    let copies = copies.map(|loss| loss.by_hand()).unwrap_or_default();
    let command = Command::Choose { run: run.id.clone(), step, choice };
    session.send(command).await?;
    say(out, &format!("{words} is chosen\n"));
    for command in copies {
        say(out, &format!("  {command}\n"));
    }
    session.close().await;
    Ok(Exit::Ok)
}

/// Another moment, where it can be reached.
fn another(run: &Run, to: &str, world: &World) -> Result<Choice, Failure> {
    let until = run.another_moment(to, world.clock.now()).map_err(|why| {
        Failure::new(Exit::Blocked, format!("could not choose {to}: {why}")).hint(
            "without --to the copy is removed and nothing is planned: backout choose new-time",
        )
    })?;
    Ok(Choice::NewMoment { to: until.argument() })
}

/// What is to be known before the choice: rows at the point, now, and only in the live data.
pub(crate) fn gate(run: &Run) -> String {
    let Some(loss) = &run.loss else { return String::new() };
    let mut text = String::new();
    let minutes = loss.minutes(loss.until.unwrap_or(loss.from));
    let (then, live, lost) = ("at the point", "live now", "lost by SWAP");
    let _: std::fmt::Result = writeln!(text, "\n{:<24}{then:>14}{live:>14}{lost:>14}", "rows");
    let number = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), grouped);
    for table in &loss.tables {
        let (then, now, lost) = (grouped(table.then), number(table.now), number(table.lost));
        let _: std::fmt::Result =
            writeln!(text, "{:<24}{then:>14}{now:>14}{lost:>14}", table.table.as_str());
    }
    for line in loss.store_lines() {
        let _: std::fmt::Result = writeln!(text, "{line}");
    }
    let _: std::fmt::Result = writeln!(text, "Lost by SWAP: {}", loss.result());
    let _: std::fmt::Result = writeln!(
        text,
        "SWAP loses {minutes} minutes of data; BESIDE keeps both; NEW TIME takes another point."
    );
    text
}

/// Whether the run waits because what it went to did not become healthy in its time (S-24): that is
/// an answer, and time brings no other.
fn never_healthy(session: &Session, run: &RunId) -> bool {
    let Some(open) = session.situation.open_run().filter(|open| &open.id == run) else {
        return false;
    };
    let step = open.waiting.as_ref().and_then(|waiting| waiting.step.as_ref());
    let waits = |step: &StepId| {
        let failed = |state: &StepState| matches!(state.phase, StepPhase::Failed(_));
        open.step(step).is_some_and(failed)
            && open.plan.step(step).is_some_and(|spec| spec.action.get("wait_healthy").is_some())
    };
    step.is_some_and(waits)
}

/// A verdict that is not good waits for a person, who may choose the next level (S-15). Where
/// nobody is there the run ends with it, and history says so, as it does where the wait for health
/// ran out. Returns whether that was asked for.
pub(super) async fn nobody_decides(
    session: &mut Session,
    run: &RunId,
    confirmed: bool,
) -> Result<bool, Failure> {
    let against = |session: &Session| {
        let open = session.situation.open_run().filter(|open| &open.id == run);
        let judged = open.filter(|open| {
            open.watch.as_ref().is_some_and(|watch| watch.verdict.is_some() && !watch.accepted)
        });
        let waiting = judged.and_then(|open| open.waiting.as_ref());
        waiting.is_some_and(|waiting| waiting.step.is_none())
    };
    if !confirmed {
        return Ok(false);
    }
    if never_healthy(session, run) {
        session.send(Command::Abort { verb: Abort::Stop }).await?;
        session.wait_for(Duration::from_secs(10), |session| !never_healthy(session, run)).await?;
        return Ok(!never_healthy(session, run));
    }
    if !against(session) {
        return Ok(false);
    }
    session.send(Command::EndWatch { run: run.clone() }).await?;
    session.wait_for(Duration::from_secs(10), |session| !against(session)).await?;
    Ok(!against(session))
}
