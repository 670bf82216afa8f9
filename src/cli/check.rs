//! `backout check`: every check looks once (P-38, P-45).

use std::io::Write;
use std::time::Duration;

use clap::Args;

use crate::failure::{Exit, Failure};
use crate::report::{self, documents};

use super::session::{self, Need, Session};
use super::{World, judge, say};

mod samples;

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Check {
    #[command(subcommand)]
    change: Option<judge::CheckCommand>,
    /// The deployment the answer is about (P-45)
    #[arg(default_value = "current")]
    deployment: String,
    /// Accepted for the documents' sake: a check is always one look
    #[arg(long)]
    once: bool,
    /// Show what each look rests on: the query as sent, attempts, addresses, phases
    #[arg(long)]
    explain: bool,
    /// Look so many times, a second apart, and show what was seen beside the thresholds
    #[arg(long, value_name = "N", conflicts_with = "explain",
          value_parser = clap::value_parser!(u32).range(1..=3600))]
    samples: Option<u32>,
    /// With --samples: this check [default: those with thresholds]
    #[arg(long, value_name = "CHECK", requires = "samples")]
    of: Vec<String>,
}

/// How long the slowest look may take before the answer is given without it.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) async fn run(
    world: &World,
    check: &Check,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    if let Some(change) = &check.change {
        return Box::pin(judge::change(world, change, out)).await;
    }
    if let Some(count) = check.samples {
        return samples::run(world, (count, &check.of), out).await;
    }
    let mut session = Session::open(world, Need::Look).await?;
    session.looked(LIMIT).await?;
    let (situation, readings) = (&session.situation, &session.readings);
    let checks = session.place.config.checks.iter();
    let services = checks.map(|spec| (spec.id.clone(), spec.role.service.clone())).collect();
    let (deployment, now) = (check.deployment.as_str(), session.now());
    if world.json {
        let live = session.live.as_ref();
        let document = documents::check(situation, readings, &services, live, (deployment, now));
        session::json(out, &document);
    } else {
        say(out, &report::text::checks(situation, readings, session.live.as_ref(), now));
        if check.explain {
            say(out, &report::explain::checks(situation, readings, now));
        }
    }
    let exit = exit(situation);
    session.close().await;
    Ok(exit)
}

/// 0 ok, 1 warning, 2 critical, 3 unknown: unknown never becomes good. The same as the document
/// says, so that a script and a person never read different things.
pub(crate) fn exit(situation: &crate::model::situation::Situation) -> Exit {
    match documents::Health::of(situation) {
        documents::Health::Healthy => Exit::Ok,
        documents::Health::Warning => Exit::Warning,
        documents::Health::Critical => Exit::Critical,
        documents::Health::Unknown => Exit::Unknown,
    }
}
