//! The processes behind the console: keeper, engine, step shim.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::adapters::process::Program;
use crate::clock::Clock;
use crate::engine;
use crate::failure::{Exit, Failure};
use crate::link::{self, Pair};

use super::{World, session};

/// What a keeper passes on to its engine.
#[derive(Args, Debug, Clone)]
pub(crate) struct EngineArguments {
    #[arg(long)]
    config: PathBuf,
    #[arg(long)]
    state: PathBuf,
    #[arg(long)]
    socket: PathBuf,
    #[arg(long)]
    linger: Linger,
    #[arg(long)]
    keeper: Option<u32>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Linger {
    Console,
    Cli,
}

/// Keeps an engine alive; no logic of its own.
pub(crate) fn keep(arguments: &EngineArguments) -> ExitCode {
    let pair = Pair {
        program: Program::this(),
        config: arguments.config.clone(),
        state: arguments.state.clone(),
        socket: arguments.socket.clone(),
        linger: match arguments.linger {
            Linger::Console => link::Linger::Console,
            Linger::Cli => link::Linger::Cli,
        },
    };
    link::keep(&pair, &Clock::real())
}

/// Runs one external command under the shim.
pub(crate) fn step(slot: &std::path::Path) -> ExitCode {
    let environment = crate::config::Environment::read();
    let known = environment.get(crate::adapters::shim::KNOWN).unwrap_or_default();
    crate::adapters::shim::run_step(slot, known)
}

/// The engine itself. Nothing reaches the terminal: its output is the log file.
pub(crate) async fn engine(world: &World, arguments: &EngineArguments) -> Result<Exit, Failure> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let no_core = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(rustix::process::Resource::Core, no_core).ok();
    crate::logging::to_stderr();
    let config = session::load(world, &arguments.config)?;
    let linger = match arguments.linger {
        Linger::Console => Duration::from_mins(1),
        Linger::Cli => Duration::ZERO,
    };
    let start = engine::Start {
        program: world.program.clone(),
        state: arguments.state.clone(),
        socket: arguments.socket.clone(),
        linger,
        keeper: arguments.keeper,
        watches: matches!(arguments.linger, Linger::Console),
        reload: None,
        notify: None,
        #[cfg(feature = "faults")]
        faults: faults(world, &arguments.state),
    };
    let clock = world.clock.clone();
    #[cfg(feature = "faults")]
    let clock = jumping(world).unwrap_or(clock);
    // What it holds is large: it lives on the heap.
    Box::pin(engine::run::run(start, config, clock.steady(), std::future::pending())).await
}

/// `clock:-3600@4`: wall time that goes back an hour four seconds after the engine's start.
#[cfg(feature = "faults")]
fn jumping(world: &World) -> Option<crate::clock::Clock> {
    let (by, after) = world.environment.fault()?.strip_prefix("clock:")?.split_once('@')?;
    let after = Duration::from_secs(after.parse().ok()?);
    Some(crate::clock::Clock::jumping(chrono::Duration::seconds(by.parse().ok()?), after))
}

/// What a test asked this engine to die of, once: the engine that its keeper starts next lives.
#[cfg(feature = "faults")]
pub(super) fn faults(world: &World, state: &std::path::Path) -> crate::journal::Faults {
    let Some(fault) = world.environment.fault() else { return crate::journal::Faults::default() };
    let struck = state.join("fault-struck");
    if struck.exists() {
        return crate::journal::Faults::default();
    }
    crate::steps::fault::install(fault, Some(struck.clone()));
    let after = fault.strip_prefix("die-after-seq:").and_then(|seq| seq.parse().ok());
    let full = fault.strip_prefix("enospc:").and_then(|at| at.parse().ok());
    let boot = fault.strip_prefix("boot:").map(str::to_owned);
    crate::journal::Faults { die_after_seq: after, enospc_at: full, boot, struck: Some(struck) }
}
