//! `backout lock`: the deployment lock for pipelines and people (P-57), and `backout stop
//! --emergency` (P-56, P-88).

use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::adapters::lock_file::LockFile;
use crate::failure::{Exit, Failure};
use crate::journal::{self, Reader};
use crate::model::entry::Command;
use crate::model::ids::Time;
use crate::model::lock::{Lock, LockKind};
use crate::model::situation::Situation;
use crate::model::times;
use crate::text::SafeText;

use super::session::{self, Need, Place, Session};
use super::{World, say};

/// How long what is stopped may take to end by itself, before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// How long is waited after the kill until every step was looked at.
const LOOKS: Duration = Duration::from_secs(30);

#[derive(Subcommand, Debug)]
pub(crate) enum LockCommand {
    /// Whether somebody keeps deployments from starting; exit 0 free, 12 held, 3 not known
    Check,
    /// Let nobody else deploy or roll back for a while; exit 12 when somebody else does already
    Acquire {
        /// How long: 30m, 2h; at most 24h
        #[arg(long = "for", value_name = "SPAN", default_value = "30m")]
        span: String,
        /// Why: whoever is kept out reads it
        #[arg(long)]
        reason: String,
        /// Take it from somebody whose time is not over
        #[arg(long)]
        force: bool,
    },
    /// Give it back; exit 12 when it is somebody else's
    Release {
        /// Why: it stands in the timeline
        #[arg(long)]
        reason: String,
        /// Release the emergency stop
        #[arg(long)]
        emergency: bool,
        /// Release it for somebody else
        #[arg(long)]
        force: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct StopArguments {
    /// Stop the open run at once and let nothing start until a person releases it
    #[arg(long, required = true)]
    emergency: bool,
    /// Kill at once, instead of after ten seconds of grace
    #[arg(long)]
    now: bool,
    /// Why: whoever is kept out reads it
    #[arg(long)]
    reason: String,
}

/// What `lock --json` says.
#[derive(Debug, Serialize)]
struct Said {
    /// Whether something keeps deployments from starting.
    locked: bool,
    /// What does, in words.
    why: Option<String>,
    /// The locks on record, those too whose time is over.
    locks: Vec<Lock>,
}

pub(crate) async fn run(
    world: &World,
    what: &LockCommand,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let command = match what {
        LockCommand::Check => {
            let place = session::place_to_attach(world)?;
            let situation = read(&place).await?;
            return tell(world, &place, &situation, out);
        }
        LockCommand::Acquire { span, reason, force } => {
            let wrong = || {
                Failure::new(Exit::Usage, format!("{span:?} is not a span of time"))
                    .hint("write it as 30m or 2h")
            };
            let until = times::after(span, world.clock.now()).ok_or_else(wrong)?;
            Command::Lock { until, reason: SafeText::new(reason), force: *force }
        }
        LockCommand::Release { reason, emergency, force } => {
            Command::Unlock { emergency: *emergency, reason: SafeText::new(reason), force: *force }
        }
    };
    let released = matches!(command, Command::Unlock { .. });
    let mut session = Session::open(world, Need::Change).await?;
    session.send(command).await.map_err(|failure| {
        let held = ["locked by", "emergency stop by"].iter().any(|is| failure.message.contains(is));
        if held { Failure { exit: Exit::Held, ..failure } } else { failure }
    })?;
    // A lock is no lock before others see it, and gone only when they do not.
    let file = session.place.config.deployment_lock.clone().map(LockFile::new);
    let shown = |session: &Session| {
        let wanted = session.situation.locks.standing(session.now()).is_some();
        file.as_ref().is_none_or(|file| file.path().exists() == wanted)
    };
    let shown = session.wait_for(Duration::from_secs(5), shown).await?;
    let told = tell(world, &session.place, &session.situation, out)?;
    session.close().await;
    match (shown, told) {
        (false, _) => Err(Failure::new(
            Exit::OutcomeUnknown,
            "the lock is on record, but pipelines do not see it as it is",
        )
        .hint("look why in the timeline: backout status")),
        (true, Exit::Held) if released => Ok(Exit::Held),
        (true, _) => Ok(Exit::Ok),
    }
}

/// Says what stands; exit 12 when something does.
fn tell(
    world: &World,
    place: &Place,
    situation: &Situation,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let now = world.clock.now();
    let locks = &situation.locks;
    let why = held_by(place, situation, now)?;
    let exit = if why.is_some() { Exit::Held } else { Exit::Ok };
    if world.json {
        let locks: Vec<Lock> = locks.all().cloned().collect();
        session::json(out, &Said { locked: why.is_some(), why, locks });
    } else {
        say(out, &text(why.as_deref(), situation, now));
    }
    Ok(exit)
}

/// What keeps deployments from starting: a lock on record, or a file that others made.
pub(super) fn held_by(
    place: &Place,
    situation: &Situation,
    now: Time,
) -> Result<Option<String>, Failure> {
    let why = situation.locks.standing(now).map(|lock| lock.refusal(now));
    let Some(file) = place.config.deployment_lock.as_ref().map(LockFile::new) else {
        return Ok(why);
    };
    let foreign = file.foreign(&situation.journal, now).map_err(|error| {
        Failure::new(Exit::Unknown, error.message)
            .hint("whether deployments are locked is not known: do not deploy")
    })?;
    Ok(why.or(foreign))
}

fn text(why: Option<&str>, situation: &Situation, now: Time) -> String {
    let locks = &situation.locks;
    let mut lines = vec![why.map_or("deployments are not locked".to_owned(), str::to_owned)];
    lines.extend(locks.standing(now).map(|lock| format!("  end it: {}", lock.kind.undo())));
    for lock in locks.all().filter(|lock| lock.expired(now)) {
        lines.push(format!("  left by {}; anybody may take it", lock.words(now)));
    }
    lines.join("\n") + "\n"
}

/// What the journal says; without one nothing was ever locked.
pub(super) async fn read(place: &Place) -> Result<Situation, Failure> {
    let opened = Reader::open(&place.journal).await;
    let mut reader = match opened {
        Ok(reader) => reader,
        Err(journal::Error::Missing { .. }) => return Ok(Situation::default()),
        Err(error) => return Err(session::journal(error)),
    };
    reader.situation().await.map_err(session::journal)
}

/// Stops the open run: first what runs is asked to end, then it is killed; both are on record.
pub(crate) async fn stop(
    world: &World,
    asked: &StopArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut session = Session::open(world, Need::Change).await?;
    let reason = SafeText::new(&asked.reason);
    let order = |hard| Command::EmergencyStop { hard, reason: reason.clone() };
    session.send(order(asked.now)).await?;
    let over = |session: &Session| session.situation.open_run().is_none();
    let mut stopped = session.wait_for(if asked.now { LOOKS } else { GRACE }, over).await?;
    if !stopped && !asked.now {
        say(out, "it did not end by itself: killing what still runs\n");
        session.send(order(true)).await?;
        stopped = session.wait_for(LOOKS, over).await?;
    }
    let lock = &session.situation.locks.emergency;
    if world.json {
        let run = session.situation.run.as_ref().map(|run| run.id.to_string());
        session::json(out, &serde_json::json!({"stopped": stopped, "run": run, "lock": lock}));
    } else {
        let held = lock.as_ref().map(|lock| lock.refusal(session.now())).unwrap_or_default();
        let run = session.situation.run.as_ref().filter(|run| run.abort.is_some());
        let ended = run.map(crate::report::text::ended).unwrap_or_default();
        let undo = LockKind::Emergency.undo();
        say(out, &format!("{ended}{held}\n  nothing starts until: {undo}\n"));
        if !stopped {
            say(out, "  a run is still open: what it left is not known; look: backout run\n");
        }
    }
    session.close().await;
    Ok(if stopped { Exit::Ok } else { Exit::OutcomeUnknown })
}
