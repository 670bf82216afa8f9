//! `backout monitor`: the engine in the foreground, for systemd. It watches and acts by rules; the
//! console attaches to it.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;

use crate::adapters::notify::Notify;
use crate::config::Config;
use crate::engine::{self, Reload};
use crate::failure::{Exit, Failure};
use crate::journal::Reader;
use crate::model::ids::Time;
use crate::model::severity::Severity;
use crate::text::SafeText;

use super::{World, rollback, say, session, status};

#[derive(Args, Debug)]
pub(crate) struct MonitorArguments {
    /// The deployment that it is about, for the status and for a manual rollback
    #[arg(long, value_name = "NAME")]
    deployment_id: Option<String>,
    /// The services that are watched; each has to be one of the configuration
    #[arg(long, value_name = "NAME", num_args = 1..)]
    services: Vec<String>,
    /// Only say where things stand
    #[arg(long, conflicts_with_all = ["manual_rollback", "duration"])]
    status: bool,
    /// Plan and start a rollback of level 1 now, with this reason
    #[arg(long, value_name = "REASON", conflicts_with = "duration")]
    manual_rollback: Option<String>,
    /// End after so long: 300 (seconds), 5m; exit 0 without an alert, 2 with one, 3 not known
    #[arg(long, value_name = "SPAN")]
    duration: Option<String>,
    /// The host that is watched; only localhost, another one is watched from a console there
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
}

pub(crate) async fn run(
    world: &World,
    asked: &MonitorArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    if let Some(host) = asked.host.as_deref().filter(|host| !is_here(host)) {
        return Err(Failure::new(Exit::Usage, format!("{host} is not this host"))
            .hint("run the monitor there: ssh HOST backout monitor"));
    }
    let place = session::place_to_attach(world)?;
    services(&asked.services, &place.config)?;
    if asked.status {
        return status::run(world, asked.deployment_id.as_deref(), out).await;
    }
    if let Some(reason) = &asked.manual_rollback {
        let asked = rollback::Rollback::manual(reason, asked.deployment_id.clone());
        return Box::pin(rollback::run(world, &asked, out)).await;
    }
    let span = asked.duration.as_deref().map(span).transpose()?;
    watch(world, &session::place(world)?, (&asked.services, span), out).await
}

fn is_here(host: &str) -> bool {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    matches!(host, "localhost" | "127.0.0.1" | "::1") || host == name.trim()
}

/// `300` is seconds, as the documents write it.
fn span(text: &str) -> Result<Duration, Failure> {
    let seconds = text.parse::<u64>().ok().map(Duration::from_secs);
    seconds.or_else(|| crate::model::times::span(text)).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("{text:?} is not a span of time"))
            .hint("write it as 300 or 5m")
    })
}

/// Every service that is named has to be watched by some check.
fn services(asked: &[String], config: &Config) -> Result<(), Failure> {
    let known = || config.checks.iter().map(|spec| spec.role.service.as_str());
    for name in asked {
        if known().any(|service| service == name) {
            continue;
        }
        let hint = match crate::config::did_you_mean(name, known()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => "add a check with that service to the configuration".to_owned(),
        };
        let why = format!("no check watches the service {name}");
        return Err(Failure::new(Exit::Config, why).hint(hint));
    }
    Ok(())
}

/// The services that were asked for, or every one that a check watches.
fn watched(asked: &[String], config: &Config) -> String {
    if !asked.is_empty() {
        return asked.join(", ");
    }
    let live = config.checks.iter().filter(|spec| spec.live);
    let all: std::collections::BTreeSet<&str> =
        live.map(|spec| spec.role.service.as_str()).collect();
    let shown: Vec<&str> = all.iter().take(20).copied().collect();
    let more = all.len() - shown.len();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}

async fn watch(
    world: &World,
    place: &session::Place,
    (asked, span): (&[String], Option<Duration>),
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let no_core = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(rustix::process::Resource::Core, no_core).ok();
    crate::logging::to_stderr();
    let notify = world
        .environment
        .get("NOTIFY_SOCKET")
        .map(|socket| Notify::new(socket, world.environment.get("WATCHDOG_USEC")));
    let until =
        span.map(|span| world.clock.now() + chrono::Duration::from_std(span).unwrap_or_default());
    let began = world.clock.now();
    let mut config = place.config.clone();
    let rules = config.rules.list.len();
    let (checks, environment) = (config.checks.len(), &config.environment);
    say(
        out,
        &format!(
            "monitoring {environment}: {checks} checks, {rules} rules; services: {}; attach: backout \
             attach\n",
            watched(asked, &config)
        ),
    );
    loop {
        let asked = Arc::new(AtomicBool::new(false));
        let file = config.file.clone();
        let reload = Reload { read: reader(world, &file), asked: Arc::clone(&asked) };
        let start = engine::Start {
            program: world.program.clone(),
            state: config.state_dir.clone(),
            socket: place.socket.clone(),
            linger: Duration::MAX,
            watches: true,
            reload: Some(reload),
            notify: notify.clone(),
            keeper: None,
            #[cfg(feature = "faults")]
            faults: super::hidden::faults(world, &config.state_dir),
        };
        let clock = world.clock.clone();
        let stop = async {
            match until {
                Some(until) => {
                    let left = (until - clock.now()).to_std().unwrap_or_default();
                    clock.sleep(left).await;
                }
                None => std::future::pending().await,
            }
        };
        let steady = world.clock.clone().steady();
        let exit = Box::pin(engine::run::run(start, config.clone(), steady, stop)).await?;
        if !asked.load(Ordering::SeqCst) {
            if let Some(notify) = &notify {
                notify.say("STOPPING=1");
            }
            return Ok(if until.is_some() { found(place, began).await } else { exit });
        }
        // It was read without a mistake a moment ago; if it has one now, the old one goes on.
        match session::load(world, &file) {
            Ok(new) if new.state_dir == config.state_dir => config = new,
            Ok(_) => tracing::error!("state_dir cannot change while it runs: start it again"),
            Err(failure) => tracing::error!("the new configuration is not taken: {failure}"),
        }
    }
}

/// What a watch of a fixed length found: well only without an alert since it `began` (S-39).
async fn found(place: &session::Place, began: Time) -> Exit {
    let Ok(mut reader) = Reader::open(&place.journal).await else { return Exit::Unknown };
    let Ok(situation) = reader.situation().await else { return Exit::Unknown };
    let alert = |text: &str| text.starts_with("severity ") && !text.ends_with("NONE");
    let mut since = situation.timeline.iter().filter(|moment| moment.at >= began);
    let worst = situation.assessment.as_ref().map_or(Severity::None, |known| known.severity);
    if worst > Severity::None || since.any(|moment| alert(moment.text.as_str())) {
        return Exit::Critical;
    }
    if situation.assessment.is_some() { Exit::Ok } else { Exit::Unknown }
}

/// Reads the configuration again, with the environment of the start.
fn reader(world: &World, file: &Path) -> Arc<engine::Read> {
    let (world, file) = (world.again(), file.to_owned());
    Arc::new(move || {
        session::load(&world, &file)
            .map_err(|failure| SafeText::new(&failure.to_string().replace('\n', "; ")).to_string())
    })
}
