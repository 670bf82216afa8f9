//! Follows a run at the command line, and asks what it asks.

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal, Write};
use std::time::Duration;

use crate::failure::{Exit, Failure};
use crate::model::entry::{Command, Outcome};
use crate::model::ids::RunId;
use crate::model::incident::StepPhase;
use crate::model::loss::Choice;
use crate::report::{self, documents};

use super::session::{self, Session};
use super::{World, choose, say};

/// Follows a run to its end, a line per change.
pub(super) async fn follow(
    world: &World,
    mut session: Session,
    run: &RunId,
    confirmed: bool,
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
        if over && asked_and_chosen(&mut session, run, confirmed, out).await? {
            continue;
        }
        if over && choose::nobody_decides(&mut session, run, confirmed).await? {
            continue;
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

/// Where the run asks what becomes of the copy: asks the person, or says how to answer. Returns
/// whether it was answered.
async fn asked_and_chosen(
    session: &mut Session,
    run: &RunId,
    confirmed: bool,
    out: &mut dyn Write,
) -> Result<bool, Failure> {
    let open = session.situation.open_run().filter(|open| &open.id == run);
    let Some((open, step)) = open.and_then(|open| Some((open, open.asks()?.clone()))) else {
        return Ok(false);
    };
    let lost = open.loss.as_ref().map(|loss| loss.minutes(loss.until.unwrap_or(loss.from)));
    say(out, &choose::gate(open));
    if confirmed || !std::io::stdin().is_terminal() {
        let lost = lost.map_or_else(|| "N".to_owned(), |lost| lost.to_string());
        let message = format!("the loss is not accepted: it is {lost} minutes, and the run waits");
        return Err(Failure::new(Exit::NotConfirmed, message)
            .hint(format!("swap with backout choose swap --minutes {lost}"))
            .hint("keep both with backout choose beside")
            .hint("take everything back with backout choose new-time"));
    }
    say(out, "Type 'ROLLBACK' and the minutes to swap, BESIDE, or NEW TIME: ");
    let mut typed = String::new();
    let read = std::io::stdin().lock().read_line(&mut typed);
    read.map_err(|error| Failure::new(Exit::NotConfirmed, format!("nothing was typed: {error}")))?;
    let words: Vec<&str> = typed.split_whitespace().collect();
    let choice = match words.as_slice() {
        ["ROLLBACK", minutes] => minutes.parse().ok().map(|minutes| Choice::Swap { minutes }),
        ["BESIDE"] => Some(Choice::Beside),
        ["NEW", "TIME"] => Some(Choice::NewTime),
        _ => None,
    };
    let Some(choice) = choice else {
        return Err(Failure::new(Exit::NotConfirmed, "nothing was chosen: the run waits")
            .hint("choose with backout choose swap|beside|new-time"));
    };
    session.send(Command::Choose { run: run.clone(), step, choice }).await?;
    let run = run.clone();
    let chosen = move |session: &Session| {
        session.situation.run.as_ref().is_none_or(|open| open.id != run || open.choice.is_some())
    };
    session.wait_for(Duration::from_secs(10), chosen).await?;
    Ok(true)
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
