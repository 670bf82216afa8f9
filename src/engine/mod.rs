//! Schedules, executes, writes. Decides nothing that the model can decide.

mod activity;
pub mod answer;
mod answer_breach;
mod answer_guide;
mod answer_hold;
mod answer_lock;
mod answer_notice;
mod answer_rule;
mod answer_tick;
mod attached;
pub mod books;
pub mod bound;
pub mod bundling;
mod canary;
mod clock_jump;
pub mod config_diff;
mod credentials;
pub mod criteria;
mod daemon;
mod deep;
pub mod deploys;
pub mod executor;
mod far;
pub mod forms;
mod gone;
mod guides;
mod hold_around;
mod hold_fence;
mod holds;
mod hooks;
mod judging;
pub mod keepsake;
mod leading;
mod lease;
mod leaving;
mod leaving_data;
mod live;
mod locking;
mod log_files;
mod loss;
mod migration_tool;
mod mutes;
pub mod notify;
pub mod observe;
mod open;
pub mod planner;
pub mod playbook;
pub mod preflight;
pub mod prober;
pub mod procedure;
mod recorded;
pub mod rollout;
mod rules;
pub mod run;
mod scrub;
mod second;
mod services;
mod site;
mod space;
pub mod stack;
pub mod tail;
pub mod triggers;
mod turn;
pub mod undo;
mod watching;
mod witness;
mod world;

use std::path::PathBuf;
use std::time::Duration;

use crate::adapters::process::Program;
use crate::journal::Place;

/// Who besides its own user a configuration lets in.
pub fn share_of(config: &crate::config::Config) -> crate::link::Share {
    use crate::link::Share;
    config.share.as_ref().map_or(Share::Alone, |group| Share::Group(group.gid))
}

/// Where the journal of a configuration is.
pub fn journal_of(config: &crate::config::Config, clock: &crate::clock::Clock) -> Place {
    let server = config.journal.as_ref().map(|place| {
        let url = place.url();
        crate::journal::Server::new(url.reveal(), place.shown(), clock.clone())
    });
    // An address that was read once is one that the driver takes.
    Place::new(config.state_dir.clone(), server.and_then(Result::ok))
}

/// What reads a configuration again.
pub type Read = dyn Fn() -> Result<crate::config::Config, String> + Send + Sync;

/// How a configuration is read again: the engine ends for it, and is started with the new one.
#[derive(Clone)]
pub struct Reload {
    /// Reads it, or says what is wrong with it.
    pub read: std::sync::Arc<Read>,
    /// Set when the engine ends for a new configuration.
    pub asked: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl std::fmt::Debug for Reload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reload")
    }
}

/// How an engine is started.
#[derive(Clone, Debug)]
pub struct Start {
    /// Our own program, for shims and workloads.
    pub program: Program,
    /// State folder.
    pub state: PathBuf,
    /// Socket.
    pub socket: PathBuf,
    /// How long it stays after the last client; `Duration::MAX` for ever.
    pub linger: Duration,
    /// Whether it acts by rules: one that only lives for a command does not.
    pub watches: bool,
    /// What reads the configuration again on SIGHUP; without it SIGHUP does nothing.
    pub reload: Option<Reload>,
    /// Where a service manager hears that it is up and alive.
    pub notify: Option<crate::adapters::notify::Notify>,
    /// The keeper that starts it again.
    pub keeper: Option<u32>,
    /// What a test wants to go wrong.
    #[cfg(feature = "faults")]
    pub faults: crate::journal::Faults,
}
