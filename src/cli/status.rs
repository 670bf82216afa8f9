//! `backout status` and `backout abort`.

use std::io::Write;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::failure::{Exit, Failure};
use crate::journal::{Reader, Samples};
use crate::model::entry::{Abort, Command};
use crate::report::{self, documents};
use crate::text::SafeText;

use super::session::{self, Need, Session, journal};
use super::{World, check, say};

#[derive(Args, Debug)]
pub(crate) struct StatusArguments {
    /// The document of this deployment, with exactly the keys that other tools expect
    #[arg(long, value_name = "NAME")]
    pub(crate) deployment_id: Option<String>,
}

/// What the journal says; starts nothing.
pub(crate) async fn run(
    world: &World,
    deployment: Option<&str>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let place = session::place_to_attach(world)?;
    let state = &place.config.state_dir;
    let mut reader = Reader::open(&place.journal).await.map_err(|error| {
        Failure::new(Exit::Unknown, error.to_string()).hint("look once: backout check")
    })?;
    let situation = reader.situation().await.map_err(journal)?;
    let mut samples = Samples::read(state).await.map_err(journal)?;
    let live = samples.live().await.map_err(journal)?;
    let now = world.clock.now();
    // What nobody has looked at lately is not known, whatever it was.
    let age = live.as_ref().and_then(|live| (now - live.at).to_std().ok());
    let fresh = age.is_some_and(|age| age < Duration::from_secs(10));
    let readings = samples.latest().await.map_err(journal)?;
    if let Some(deployment) = deployment {
        let rules = &place.config.rules;
        let automatic = rules.rollback_enabled && rules.automatic;
        let about = (deployment, Some(place.config.environment.as_str()));
        let document = documents::deployment(&situation, live.as_ref(), about, automatic);
        session::json(out, &document);
    } else if world.json {
        session::json(out, &documents::status(&situation, live.as_ref(), &readings, now));
    } else {
        let brief = report::brief::brief(&situation, live.as_ref(), &readings, now);
        say(out, &format!("{}\n", brief.join("\n")));
        if let Some(card) = situation.bundles.last() {
            let place = if card.made { format!(" ({})", card.path) } else { String::new() };
            say(out, &format!("Kept: {}{place}\n", card.words()));
        }
    }
    Ok(if fresh { check::exit(&situation) } else { Exit::Unknown })
}

#[derive(Args, Debug)]
pub(crate) struct AbortArguments {
    /// stop: after the running step; now: at once; undo: take back what was done
    #[arg(value_enum, default_value = "stop")]
    how: How,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum How {
    Stop,
    Now,
    Undo,
}

/// Stops the open run and says where it then stands.
pub(crate) async fn abort(
    world: &World,
    arguments: &AbortArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let verb = match arguments.how {
        How::Stop => Abort::Stop,
        How::Now => Abort::Now,
        How::Undo => Abort::Undo,
    };
    stop(world, verb, "", out).await
}

/// Stops the open run, with a reason for the timeline where there is one.
pub(crate) async fn stop(
    world: &World,
    verb: Abort,
    reason: &str,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut session = Session::open(world, Need::Watching).await?;
    session.send(Command::Abort { verb }).await?;
    if !reason.trim().is_empty() {
        let text = SafeText::new(&format!("stopped: {}", reason.trim()));
        session.send(Command::Note { text }).await?;
    }
    let ended = session
        .wait_for(Duration::from_mins(2), |session| {
            session
                .situation
                .run
                .as_ref()
                .is_none_or(|run| run.ended.is_some() || run.waiting.is_some())
        })
        .await?;
    if let Some(run) = &session.situation.run {
        if world.json {
            session::json(out, &documents::rollback(run));
        } else {
            say(out, &report::text::ended(run));
        }
    }
    Ok(if ended { Exit::Ok } else { Exit::OutcomeUnknown })
}
