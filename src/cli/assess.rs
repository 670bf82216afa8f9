//! `backout assess`: severity, tree, help test, suggested level.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::model::entry::Command;
use crate::model::reading::Status;
use crate::model::severity::Severity;
use crate::model::situation::CheckCard;
use crate::report::{self, documents};
use crate::text::SafeText;

use super::session::{self, Need, Session};
use super::{World, check, say};

mod ground;

#[derive(Args, Debug)]
pub(crate) struct AssessArguments {
    /// Puts on record that those whose data it is know what going back would lose: who, and what
    /// they were told
    #[arg(long, value_name = "WHO")]
    informed: Option<String>,
}

/// How long the windows may take to fill before the answer is given with what there is.
const LIMIT: Duration = Duration::from_secs(10);
/// How long checks that flicker are waited for.
const SURE: Duration = Duration::from_secs(5);

pub(crate) async fn run(
    world: &World,
    asked: &AssessArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut session = Session::open(world, Need::Look).await?;
    session.looked(LIMIT).await?;
    // A check that has just begun to fail needs a few looks more to be sure of.
    if !session.wait_for(SURE, |session| settled(session) && decided(session)).await? {
        session.wait_for(LIMIT.saturating_sub(SURE), settled).await?;
    }
    if let Some(who) = &asked.informed {
        let note = SafeText::new(who);
        session.send(Command::Inform { note: note.clone() }).await?;
        let told = |session: &Session| {
            let incident = session.situation.incident.as_ref();
            incident.and_then(|one| one.informed.as_ref()).is_some_and(|told| told.note == note)
        };
        session.wait_for(SURE, told).await?;
    }
    let ground = ground::look(world, &session).await;
    let (situation, live) = (&session.situation, session.live.as_ref());
    let now = session.now();
    let Some(document) = documents::assess(situation, live, &session.readings, now) else {
        return Err(Failure::new(Exit::Unknown, "could not assess: no check has answered in 10 s")
            .hint("look at each check: backout check"));
    };
    if world.json {
        session::json(out, &Whole { assessment: document, ground });
    } else {
        say(out, &report::text::assess(situation, live, &session.readings, now));
        say(out, &report::ground::text(&ground));
    }
    let exit = exit(situation);
    session.close().await;
    Ok(exit)
}

/// `assess --json`.
#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    assessment: documents::Assess,
    ground: report::ground::Ground,
}

/// Enough was seen to say something: rates are known, the levels are judged, and the help test
/// has answered if it was due.
fn settled(session: &Session) -> bool {
    let situation = &session.situation;
    let Some(assessment) = &situation.assessment else { return false };
    let known = |name: &str| {
        session
            .live
            .as_ref()
            .and_then(|live| live.signals.get(name))
            .is_some_and(|signal| signal.value.number().is_some())
    };
    let helped = assessment.severity < Severity::Medium
        || situation.help.is_some()
        || situation.levels.is_empty();
    known("error_rate") && helped && !situation.levels.is_empty()
}

/// No critical check is between good and failed.
fn decided(session: &Session) -> bool {
    let between = |card: &CheckCard| card.critical && card.status == Status::Warn;
    !session.situation.checks.values().any(between)
}

/// 0 none, 1 low or medium, 2 high or critical, 3 not known.
fn exit(situation: &crate::model::situation::Situation) -> Exit {
    match situation.assessment.as_ref().map(|assessment| assessment.severity) {
        None => Exit::Unknown,
        Some(Severity::None) => check::exit(situation),
        Some(Severity::Low | Severity::Medium) => Exit::Warning,
        Some(Severity::High | Severity::Critical) => Exit::Critical,
    }
}
