//! Hidden commands that do one thing many times, for measuring from outside. They go through the
//! same code as the engine: a configuration, a check, a probe.

use std::io::Write;
use std::time::{Duration, Instant};

use clap::Subcommand;
use tokio::task::JoinSet;

use crate::checks::{self, CheckSpec, ProbeCx};
use crate::failure::{Exit, Failure};
use crate::model::reading::Finding;

use super::{World, say, session};

/// Requests of one look that share a connection, where connections are kept.
const BURST: u32 = 100;

mod bundle;
mod restore;

#[derive(Subcommand, Debug)]
pub(crate) enum BenchCommand {
    /// Look at a URL once and print how long it took, in milliseconds
    Probe {
        /// What to ask
        url: String,
    },
    /// Look at a URL again and again
    Rate {
        /// What to ask
        url: String,
        /// For so long
        seconds: f64,
        /// So many looks side by side
        side_by_side: usize,
        /// A new connection for each request, as scheduled checks do
        #[arg(long)]
        fresh: bool,
    },
    /// Keep every file of a folder in a bundle
    Bundle {
        /// Of what
        folder: std::path::PathBuf,
        /// The bundle to make; it must not be there
        file: std::path::PathBuf,
    },
    /// Pack and restore files
    Restore {
        #[command(subcommand)]
        what: restore::RestoreBench,
    },
}

pub(crate) async fn run(
    world: &World,
    command: &BenchCommand,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match command {
        BenchCommand::Restore { what } => restore::run(what, out),
        BenchCommand::Bundle { folder, file } => bundle::run(world, (folder, file), out),
        BenchCommand::Probe { url } => {
            let (spec, cx) = check(world, url, 1)?;
            let reading = checks::probe(&spec, &cx).await;
            let took = reading.latencies.first().copied().unwrap_or(reading.took);
            say(out, &format!("{:.3}\n", took.as_secs_f64() * 1000.0));
            Ok(if reading.finding == Finding::Good { Exit::Ok } else { Exit::Critical })
        }
        BenchCommand::Rate { url, seconds, side_by_side, fresh } => {
            let requests = if *fresh { 1 } else { BURST };
            let (spec, cx) = check(world, url, requests)?;
            let end = Instant::now() + Duration::from_secs_f64(seconds.clamp(0.0, 600.0));
            let mut looks = JoinSet::new();
            for _ in 0..*side_by_side {
                let (spec, cx) = (spec.clone(), cx.clone());
                looks.spawn(async move { again_and_again(&spec, &cx, end).await });
            }
            let (good, bad) = looks
                .join_all()
                .await
                .into_iter()
                .fold((0_u64, 0_u64), |(good, bad), (more, worse)| (good + more, bad + worse));
            say(out, &format!("good {good} bad {bad}\n"));
            Ok(Exit::Ok)
        }
    }
}

async fn again_and_again(spec: &CheckSpec, cx: &ProbeCx, end: Instant) -> (u64, u64) {
    let (mut good, mut bad) = (0, 0);
    while Instant::now() < end {
        let (failed, asked) = checks::probe(spec, cx).await.failed_of;
        good += u64::from(asked.saturating_sub(failed));
        bad += u64::from(failed);
    }
    (good, bad)
}

/// The check that a configuration with nothing but this URL has.
fn check(world: &World, url: &str, requests: u32) -> Result<(CheckSpec, ProbeCx), Failure> {
    let file = std::env::temp_dir().join(format!("backout-bench-{}.yaml", std::process::id()));
    let text = format!(
        "environment: bench\nhealth_checks: [{{check_id: url, check_type: http_response, \
         endpoint_url: {}, samples_per_run: {requests}, interval: 10s, timeout: 5s}}]\n",
        serde_json::Value::from(url)
    );
    std::fs::write(&file, text).map_err(|error| {
        Failure::new(Exit::Unknown, format!("could not write {}: {error}", file.display()))
    })?;
    let config = session::load(world, &file);
    std::fs::remove_file(&file).ok();
    let spec = config?.checks.into_iter().next();
    let spec = spec.ok_or_else(|| Failure::new(Exit::Config, "the URL made no check"))?;
    Ok((spec, ProbeCx { clock: world.clock.clone(), dir: std::env::temp_dir() }))
}
