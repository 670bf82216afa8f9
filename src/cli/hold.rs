//! `backout hold` and `backout unhold`: stop the bleeding, and lift what is held.

use std::io::Write;
use std::time::Duration;

use clap::Args;

use crate::failure::{Exit, Failure};
use crate::model::entry::{Command, StepEnd};
use crate::model::hold::{HoldCard, HoldPart, sentence};
use crate::model::situation::Situation;
use crate::text::SafeText;

use super::session::{self, Need, Session};
use super::{World, say};

/// How long is waited for the proof. A worker may take its grace to end.
const LIMIT: Duration = Duration::from_secs(40);

#[derive(Args, Debug)]
pub(crate) struct HoldArguments {
    /// page (maintenance page), writers (503 to all but reading), consumers (workers and cron)
    #[arg(required = true, value_name = "PART")]
    parts: Vec<HoldPart>,
    /// Why: it stands in the timeline
    #[arg(long)]
    reason: String,
}

#[derive(Args, Debug)]
pub(crate) struct UnholdArguments {
    /// page, writers, consumers; without one, all that is held
    #[arg(value_name = "PART")]
    parts: Vec<HoldPart>,
    /// Why: it stands in the timeline
    #[arg(long)]
    reason: String,
}

pub(crate) async fn hold(
    world: &World,
    arguments: &HoldArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let session = Session::open(world, Need::Change).await?;
    Box::pin(carry_out(world, session, (true, &arguments.parts), &arguments.reason, out)).await
}

pub(crate) async fn unhold(
    world: &World,
    arguments: &UnholdArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let session = Session::open(world, Need::Change).await?;
    let mut parts = arguments.parts.clone();
    if parts.is_empty() {
        parts = session.situation.holds.keys().copied().collect();
    }
    if parts.is_empty() {
        say(out, "nothing is held, as far as the journal knows\n");
        session.close().await;
        return Ok(Exit::Ok);
    }
    Box::pin(carry_out(world, session, (false, &parts), &arguments.reason, out)).await
}

/// Sends it, waits for the proof of every part, and says what stands.
async fn carry_out(
    world: &World,
    mut session: Session,
    (held, parts): (bool, &[HoldPart]),
    reason: &str,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    parts.dedup();
    let began = session.now();
    let reason = SafeText::new(reason);
    let command = if held {
        Command::Hold { parts: parts.clone(), reason }
    } else {
        Command::Unhold { parts: parts.clone(), reason }
    };
    session.send(command).await?;
    // The answer comes with the command's entry, which this side may not have read yet.
    session.refresh().await?;
    let over = |session: &Session| {
        let pending = |part| session.situation.holds.get(part).is_some_and(HoldCard::pending);
        !parts.iter().any(pending)
    };
    let proved = session.wait_for(LIMIT, over).await?;
    let took = (session.now() - began).to_std().unwrap_or_default();
    let exits = parts.iter().map(|part| exit(&session.situation, *part, held));
    let exits: Vec<Exit> = exits.collect();
    let worst = if proved { worst(&exits) } else { Exit::OutcomeUnknown };
    if world.json {
        session::json(out, &document(&session.situation, &parts, took));
    } else {
        for part in &parts {
            say(out, &line(&session.situation, *part, (held, took), session.now()));
        }
    }
    session.close().await;
    Ok(worst)
}

/// Done, proved not done, or not known.
fn exit(situation: &Situation, part: HoldPart, held: bool) -> Exit {
    match situation.holds.get(&part).map(|card| (&card.ended, card.held)) {
        None if !held => Exit::Ok,
        Some((Some(StepEnd::Done), now)) if now == held => Exit::Ok,
        // A hold that could not be set leaves no card.
        None | Some((Some(StepEnd::Failed(_)), _)) => Exit::StepFailed,
        Some((Some(StepEnd::Done | StepEnd::Skipped(_) | StepEnd::Unknown(_)) | None, _)) => {
            Exit::OutcomeUnknown
        }
    }
}

fn worst(exits: &[Exit]) -> Exit {
    let any = |wanted: Exit| exits.contains(&wanted);
    if any(Exit::OutcomeUnknown) {
        Exit::OutcomeUnknown
    } else if any(Exit::StepFailed) {
        Exit::StepFailed
    } else {
        Exit::Ok
    }
}

fn line(
    situation: &Situation,
    part: HoldPart,
    (held, took): (bool, Duration),
    now: crate::model::ids::Time,
) -> String {
    let done = exit(situation, part, held) == Exit::Ok;
    let verb = if held { "held" } else { "lifted" };
    let took = took.as_secs_f64();
    match (done, sentence(situation, part, now)) {
        (true, _) if held => {
            format!("+ {} held, proved after {took:.1} s; undo: {}\n", part.words(), part.undo())
        }
        (true, _) => format!("+ {} lifted, proved after {took:.1} s\n", part.words()),
        (false, Some(said)) => format!("x {said}\n"),
        (false, None) => {
            let last = situation.timeline.iter().rev();
            let last = last.map(|moment| &moment.text).find(|text| text.as_str().contains("NOT"));
            let why = last.map_or_else(String::new, |text| format!(": {text}"));
            format!("x {} not {verb}{why}\n", part.words())
        }
    }
}

fn document(situation: &Situation, parts: &[HoldPart], took: Duration) -> serde_json::Value {
    let parts: Vec<serde_json::Value> = parts
        .iter()
        .map(|part| {
            let card = situation.holds.get(part);
            serde_json::json!({
                "part": part,
                "held": card.is_some_and(|card| card.since.is_some()),
                "since": card.and_then(|card| card.since),
                "end": card.and_then(|card| card.ended.as_ref()),
            })
        })
        .collect();
    serde_json::json!({"parts": parts, "took_ms": u64::try_from(took.as_millis()).unwrap_or(0)})
}
