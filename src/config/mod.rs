//! People's files, read once: positions kept, every problem reported, secrets unprintable.
//! The only reader of the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

mod check;
mod environment;
mod file;
mod health_checks;
mod kinds;
mod load;
mod node;
mod problem;
mod raw;
mod render;
mod secrets;
mod sections;
mod spans;
mod unused;

pub use environment::Environment;
pub use file::find;
pub use load::load;
pub use node::Position;
pub use problem::{Problem, did_you_mean};
pub use render::render;

use crate::checks::CheckSpec;
use crate::model::ids::{Color, Digest};
use crate::model::signal::Windows;

/// A configuration, resolved: no option means "default", every path is absolute.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it came from.
    pub file: PathBuf,
    /// Digest of the file's bytes.
    pub digest: Digest,
    /// The environment's name.
    pub environment: String,
    /// Whether it is production.
    pub production: bool,
    /// Where journal, samples, spool and runs live.
    pub state_dir: PathBuf,
    /// The history file of S-74.
    pub history_log: PathBuf,
    /// Restore points in the layout of S-80.
    pub restore_points: Option<PathBuf>,
    /// Recorded deploys, one JSON object a line.
    pub deploys: Option<PathBuf>,
    /// Where the program runs.
    pub platform: Platform,
    /// What moves traffic.
    pub traffic: Option<Traffic>,
    /// The two sides, with their own addresses.
    pub colors: BTreeMap<Color, ColorAddress>,
    /// The burst that says whether a rollback would help.
    pub help_test: HelpSettings,
    /// What keeps two journals from working on one target.
    pub fence: Option<PathBuf>,
    /// The database, for the schema gate.
    pub database: Option<Database>,
    /// Logs to tail.
    pub log_sources: Vec<LogSource>,
    /// Times of a rollback.
    pub rollback: RollbackSettings,
    /// Checks, in the order of the file.
    pub checks: Vec<CheckSpec>,
    /// The windows that signals look back over.
    pub windows: Windows,
    /// How long samples are kept (`metrics_retention_minutes`).
    pub retention: Duration,
    /// What loaded but is not used yet, one line each.
    pub notes: Vec<String>,
}

/// Where the program runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Platform {
    /// Nothing is known: looking only.
    None,
    /// Plain processes of one folder.
    Local {
        /// The folder with one subfolder per colour.
        dir: PathBuf,
    },
}

/// What moves traffic.
#[derive(Clone, Debug, PartialEq)]
pub enum Traffic {
    /// A proxy with a control port.
    Proxy {
        /// Its control address.
        control_url: String,
        /// Where users come in.
        public_url: String,
    },
}

/// One side of a two-colour deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct ColorAddress {
    /// Its own address, past the proxy (W-21).
    pub url: String,
}

/// The burst of the help test.
#[derive(Clone, Debug, PartialEq)]
pub struct HelpSettings {
    /// Paths that only read.
    pub paths: Vec<String>,
    /// How many requests per side.
    pub requests: u32,
}

/// The database of the program.
#[derive(Clone, Debug, PartialEq)]
pub enum Database {
    /// One file of `SQLite`.
    Sqlite {
        /// It.
        path: PathBuf,
        /// Up scripts; down scripts are in `rollback/` below.
        migrations: Option<PathBuf>,
    },
}

/// A log to tail.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSource {
    /// The name shown before each line.
    pub source: String,
    /// The file.
    pub path: PathBuf,
}

/// Times of a rollback.
#[derive(Clone, Debug, PartialEq)]
pub struct RollbackSettings {
    /// How long the failed version stays up after the switch: it is the way back.
    pub keep_failed_up: Duration,
    /// How long old connections may take to end.
    pub drain: Duration,
    /// Probes of the gate after the switch.
    pub gate_probes: u32,
    /// Time between them.
    pub gate_every: Duration,
    /// The watch window (S-57: 900 s).
    pub watch_window: Duration,
    /// Time between looks in it.
    pub watch_every: Duration,
    /// Grace of a stop before it is killed (S-20: 30 s).
    pub stop_grace: Duration,
    /// Steps side by side (`ROLLBACK_MAX_WORKERS`).
    pub max_workers: usize,
}
