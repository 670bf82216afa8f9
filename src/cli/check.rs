//! `backout check`: every check looks once (P-38, P-45).

use std::io::Write;
use std::time::Duration;

use clap::Args;

use crate::failure::{Exit, Failure};
use crate::model::ids::CheckId;
use crate::model::reading::Status;
use crate::report::{self, documents};

use super::session::{self, Need, Session};
use super::{World, say};

#[derive(Args, Debug)]
pub(crate) struct Check {
    /// The deployment the answer is about (P-45)
    #[arg(default_value = "current")]
    deployment: String,
    /// Accepted for the documents' sake: a check is always one look
    #[arg(long)]
    once: bool,
}

/// How long the slowest look may take before the answer is given without it.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) async fn run(
    world: &World,
    check: &Check,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut session = Session::open(world, Need::Look).await?;
    looked(&mut session, LIMIT).await?;
    let (situation, readings) = (&session.situation, &session.readings);
    let checks = session.place.config.checks.iter();
    let services = checks.map(|spec| (spec.id.clone(), spec.role.service.clone())).collect();
    let (deployment, now) = (check.deployment.as_str(), session.now());
    if world.json {
        let document = documents::check(situation, readings, &services, deployment, now);
        session::json(out, &document);
    } else {
        say(out, &report::text::checks(situation, readings, now));
    }
    let exit = exit(situation);
    session.close().await;
    Ok(exit)
}

/// Waits until every live check has looked once under this engine.
pub(crate) async fn looked(session: &mut Session, limit: Duration) -> Result<bool, Failure> {
    let live: Vec<CheckId> = session
        .place
        .config
        .checks
        .iter()
        .filter(|spec| spec.live)
        .map(|spec| spec.id.clone())
        .collect();
    let since = session.now() - chrono::Duration::seconds(60);
    session
        .wait_for(limit, |session| {
            live.iter().all(|id| {
                session.situation.checks.contains_key(id)
                    && session.readings.get(id).is_some_and(|reading| reading.at >= since)
            })
        })
        .await
}

/// 0 ok, 1 warning, 2 critical, 3 unknown: unknown never becomes good.
pub(crate) fn exit(situation: &crate::model::situation::Situation) -> Exit {
    let critical = |status: Status| {
        situation.checks.values().any(|card| card.critical && card.status == status)
    };
    let any = |status: Status| situation.checks.values().any(|card| card.status == status);
    if critical(Status::Fail) {
        Exit::Critical
    } else if situation.checks.is_empty() || critical(Status::Unknown) {
        Exit::Unknown
    } else if any(Status::Warn) || any(Status::Fail) {
        Exit::Warning
    } else {
        Exit::Ok
    }
}
