//! What changes the judgement for a while, always with a reason: `since`, `mute`, `unmute`,
//! `maintenance`, `check set`; and `compare`, which holds it against the past.

use std::io::Write;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use crate::checks::push::{self, Said};
use crate::failure::{Exit, Failure};
use crate::model::entry::Command;
use crate::model::ids::{CheckId, Time};
use crate::model::reading::Status;
use crate::model::times;
use crate::report;
use crate::text::SafeText;

use super::place::place;
use super::session::{self, Need, Session};
use super::{World, say};

#[derive(Args, Debug)]
pub(crate) struct Since {
    /// When it began: -14m, 23:54 (UTC), or RFC 3339
    #[arg(allow_hyphen_values = true)]
    at: String,
    /// How that is known
    #[arg(long)]
    reason: String,
}

#[derive(Args, Debug)]
pub(crate) struct MuteArguments {
    /// A check, a service, or all
    name: String,
    #[command(flatten)]
    end: End,
    /// Why
    #[arg(long)]
    reason: String,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct End {
    /// How long: 30m, 2h
    #[arg(long = "for", value_name = "SPAN")]
    span: Option<String>,
    /// Until when: RFC 3339
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Unmute {
    /// As it was muted
    name: String,
}

#[derive(Args, Debug)]
pub(crate) struct Maintenance {
    /// How long: 30m, 2h
    #[arg(long = "for", value_name = "SPAN", required_unless_present = "end")]
    span: Option<String>,
    /// Why
    #[arg(long, required_unless_present = "end")]
    reason: Option<String>,
    /// End it now
    #[arg(long, conflicts_with_all = ["span", "reason"])]
    end: bool,
}

#[derive(Subcommand, Debug)]
pub(crate) enum CheckCommand {
    /// Change values of a check for a while, such as timeout=30s or interval=1m
    Set {
        /// The check
        check: String,
        /// What to change
        #[arg(required = true, value_name = "KEY=VALUE")]
        values: Vec<String>,
        #[command(flatten)]
        end: EndOfChange,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Take back what was changed
    Unset {
        /// The check
        check: String,
    },
    /// Say how something is that no check can look at: a job of the night, a pipeline
    Post {
        /// The check, of kind push
        check: String,
        /// How it is
        #[arg(value_parser = PossibleValuesParser::new(["ok", "warn", "fail", "unknown"]))]
        status: String,
        /// A number for its thresholds
        #[arg(long, allow_hyphen_values = true)]
        value: Option<f64>,
        /// A few words for people
        #[arg(long, default_value = "")]
        note: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct EndOfChange {
    /// How long: 30m, 2h
    #[arg(long = "for", value_name = "SPAN")]
    span: String,
}

fn usage(why: String, hint: &str) -> Failure {
    Failure::new(Exit::Usage, why).hint(hint)
}

fn after(span: &str, now: Time) -> Result<Time, Failure> {
    let wrong = || usage(format!("{span:?} is not a span of time"), "write it as 30m or 2h");
    times::after(span, now).ok_or_else(wrong)
}

impl End {
    fn at(&self, now: Time) -> Result<Time, Failure> {
        match (&self.span, &self.until) {
            (Some(span), _) => after(span, now),
            (None, Some(until)) => {
                times::moment(until, now).filter(|at| *at > now).ok_or_else(|| {
                    usage(
                        format!("{until:?} is not a time to come"),
                        "write it as +30m or RFC 3339",
                    )
                })
            }
            (None, None) => Err(usage("an end is missing".to_owned(), "say how long: --for 30m")),
        }
    }
}

/// Sends one command and says what it came to.
async fn send(
    world: &World,
    command: Command,
    out: &mut dyn Write,
    said: impl Fn(&Session) -> String,
) -> Result<Exit, Failure> {
    let mut session = Session::open(world, Need::Change).await?;
    session.send(command).await?;
    session.refresh().await?;
    let text = said(&session);
    if world.json {
        let (situation, live) = (&session.situation, session.live.as_ref());
        let now = session.now();
        let document = report::documents::status(situation, live, &session.readings, now);
        session::json(out, &document);
    } else {
        say(out, &format!("{text}\n"));
    }
    session.close().await;
    Ok(Exit::Ok)
}

pub(crate) async fn since(
    world: &World,
    asked: &Since,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let at = times::moment(&asked.at, world.clock.now()).ok_or_else(|| {
        usage(
            format!("{:?} is not a moment", asked.at),
            "write it as -14m, 23:54 (UTC), or 2026-11-21T23:54:00Z",
        )
    })?;
    let command = Command::Since { at, reason: SafeText::new(&asked.reason) };
    send(world, command, out, |session| {
        let age = (session.now() - at).to_std().unwrap_or_default();
        let age = crate::model::verdict::clock(age);
        format!("began {} UTC, T+{age}", at.format("%Y-%m-%d %H:%M:%S"))
    })
    .await
}

pub(crate) async fn mute(
    world: &World,
    asked: &MuteArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let until = asked.end.at(world.clock.now())?;
    muted(world, &asked.name, until, &asked.reason, out).await
}

async fn muted(
    world: &World,
    name: &str,
    until: Time,
    reason: &str,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (name, reason) = (SafeText::new(name), SafeText::new(reason));
    let command = Command::Mute { name: name.clone(), until, reason };
    send(world, command, out, |session| {
        let mutes = &session.situation.judging.mutes;
        let mute = mutes.iter().find(|mute| mute.name == name);
        let words = mute.map_or_else(|| name.to_string(), crate::model::mute::Mute::words);
        format!("muted: {words}; {} checks count for nothing", session.situation.muted_count())
    })
    .await
}

pub(crate) async fn unmute(
    world: &World,
    asked: &Unmute,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let name = SafeText::new(&asked.name);
    let command = Command::Unmute { name: name.clone() };
    send(world, command, out, |_| format!("{name} is judged again")).await
}

pub(crate) async fn maintenance(
    world: &World,
    asked: &Maintenance,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match (&asked.span, &asked.reason) {
        (Some(span), Some(reason)) => {
            let until = after(span, world.clock.now())?;
            muted(world, "all", until, reason, out).await
        }
        (_, _) => unmute(world, &Unmute { name: "all".to_owned() }, out).await,
    }
}

pub(crate) async fn change(
    world: &World,
    asked: &CheckCommand,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match asked {
        CheckCommand::Set { check, values, end, reason } => {
            let set: Result<Vec<_>, Failure> = values
                .iter()
                .map(|value| match value.split_once('=') {
                    Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
                    None => Err(usage(format!("{value:?} sets nothing"), "write KEY=VALUE")),
                })
                .collect();
            let until = after(&end.span, world.clock.now())?;
            let check = CheckId::from(check.as_str());
            let reason = SafeText::new(reason);
            let command = Command::Override { check: check.clone(), set: set?, until, reason };
            send(world, command, out, |session| {
                let overrides = &session.situation.judging.overrides;
                let change = overrides.iter().find(|change| change.check == check);
                let words =
                    change.map_or_else(|| check.to_string(), crate::model::mute::Override::words);
                format!("changed for a while: {words}")
            })
            .await
        }
        CheckCommand::Unset { check } => {
            let check = CheckId::from(check.as_str());
            let command = Command::Unset { check: check.clone() };
            send(world, command, out, |_| format!("{check} is as configured again")).await
        }
        CheckCommand::Post { check, status, value, note } => {
            let status = match status.as_str() {
                "ok" => Status::Ok,
                "warn" => Status::Warn,
                "fail" => Status::Fail,
                _ => Status::Unknown,
            };
            let said = Said { status, value: *value, note: note.clone() };
            post(world, check, said, out).await
        }
    }
}

/// Keeps what is said for the next look: no engine has to run for that.
async fn post(
    world: &World,
    check: &str,
    said: Said,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let place = place(world)?;
    let known = push::of(&place.config.checks);
    let Some((id, settings)) = known.iter().find(|(id, _)| id.as_str() == check) else {
        let all: Vec<&str> = known.iter().map(|(id, _)| id.as_str()).collect();
        let hint = if all.is_empty() {
            "none is configured: add one with check_type: push".to_owned()
        } else {
            format!("those are {}", all.join(", "))
        };
        return Err(usage(format!("{check:?} is not a check of kind push"), &hint));
    };
    let failed = |e: crate::adapters::Error| Failure::new(Exit::Unknown, e.message);
    settings.keep(id, said, world.clock.now()).await.map_err(failed)?;
    say(out, &format!("{check}: kept for its next look\n"));
    Ok(Exit::Ok)
}

/// How long the comparison may take to be made.
const LIMIT: Duration = Duration::from_secs(10);

pub(crate) async fn compare(world: &World, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut session = Session::open(world, Need::Look).await?;
    let since = session.now();
    session.looked(LIMIT).await?;
    let made = |session: &Session| {
        let comparison = session.live.as_ref().and_then(|live| live.comparison.as_ref());
        comparison.is_some_and(|comparison| comparison.at >= since)
    };
    session.wait_for(LIMIT, made).await?;
    let comparison = session.live.as_ref().and_then(|live| live.comparison.clone());
    session.close().await;
    let Some(comparison) = comparison else {
        return Err(Failure::new(Exit::Unknown, "could not compare: the engine has not said yet")
            .hint("try again in a few seconds"));
    };
    if world.json {
        session::json(out, &comparison);
    } else {
        say(out, &report::compare::table(&comparison));
    }
    Ok(Exit::Ok)
}
