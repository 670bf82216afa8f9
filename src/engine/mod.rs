//! Schedules, executes, writes. Decides nothing that the model can decide.

pub mod answer;
mod attached;
pub mod books;
pub mod criteria;
pub mod executor;
pub mod observe;
mod open;
pub mod planner;
pub mod playbook;
pub mod preflight;
pub mod prober;
pub mod run;
pub mod stack;
pub mod tail;
mod turn;
mod watching;
mod world;

use std::path::PathBuf;
use std::time::Duration;

use crate::adapters::process::Program;

/// How an engine is started.
#[derive(Clone, Debug)]
pub struct Start {
    /// Our own program, for shims and workloads.
    pub program: Program,
    /// State folder.
    pub state: PathBuf,
    /// Socket.
    pub socket: PathBuf,
    /// How long it stays after the last client.
    pub linger: Duration,
    /// The keeper that starts it again.
    pub keeper: Option<u32>,
    /// What a test wants to go wrong.
    #[cfg(feature = "faults")]
    pub faults: crate::journal::Faults,
}
