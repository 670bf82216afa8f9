//! One file per check kind. A check looks; it never changes anything.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::model::ids::CheckId;
use crate::model::reading::{Policy, Reading, Reason};
use crate::model::signal::Role;

pub mod custom;
pub mod database_connection;
pub mod expect;
pub mod file;
#[cfg(test)]
mod fixture;
pub mod http_response;
pub mod seen;
pub mod tcp;
pub mod threshold;

use seen::Seen;

/// A check as configured: when to look, how to judge, what it counts for.
#[derive(Clone, Debug)]
pub struct CheckSpec {
    /// Its name.
    pub id: CheckId,
    /// What people call it.
    pub name: String,
    /// Time between looks while all is well.
    pub interval: Duration,
    /// Time between looks while something changes, in a rollback and in the watch window.
    pub fast_interval: Duration,
    /// Hard limit of one look, names and handshakes included.
    pub timeout: Duration,
    /// How its state follows its readings.
    pub policy: Policy,
    /// What it counts for.
    pub role: Role,
    /// When it is asked: live on a schedule, or by name in a phase.
    pub live: bool,
    /// The phases that ask it by name, as written: `preflight`, `watch` …
    pub phases: Vec<String>,
    /// What it looks at.
    pub kind: CheckKind,
}

/// The kinds of checks.
#[derive(Clone, Debug)]
pub enum CheckKind {
    /// One or several GET requests.
    HttpResponse(http_response::Settings),
    /// A connection.
    Tcp(tcp::Settings),
    /// A file that is there, or is not.
    File(file::Settings),
    /// A command of `sh -c`.
    Custom(custom::Settings),
    /// A query.
    DatabaseConnection(database_connection::Settings),
    /// A kind that is known but not built yet: loads, reads unknown.
    Later {
        /// Its name in the file.
        kind: String,
    },
}

impl CheckKind {
    /// Its name in the file (`check_type`).
    pub fn name(&self) -> &str {
        match self {
            Self::HttpResponse(_) => "http_response",
            Self::Tcp(_) => "tcp",
            Self::File(_) => "file",
            Self::Custom(_) => "custom",
            Self::DatabaseConnection(_) => "database_connection",
            Self::Later { kind } => kind,
        }
    }

    /// What it looks at, for people; secrets are `***`.
    pub fn target(&self) -> String {
        match self {
            Self::HttpResponse(settings) => settings.url.to_string(),
            Self::Tcp(settings) => settings.place(),
            Self::File(settings) => settings.path.display().to_string(),
            Self::Custom(settings) => settings.command.clone(),
            Self::DatabaseConnection(settings) => settings.target(),
            Self::Later { .. } => String::new(),
        }
    }
}

/// What a probe may use.
#[derive(Clone, Debug)]
pub struct ProbeCx {
    /// Time.
    pub clock: crate::clock::Clock,
    /// Working directory of commands, base of relative paths.
    pub dir: PathBuf,
}

/// Looks once. Never fails: what goes wrong is the finding.
pub async fn probe(spec: &CheckSpec, cx: &ProbeCx) -> Reading {
    let at = cx.clock.now();
    let begun = Instant::now();
    let limit = spec.timeout;
    let look = async {
        match &spec.kind {
            CheckKind::HttpResponse(settings) => settings.probe(limit, &cx.clock).await,
            CheckKind::Tcp(settings) => settings.probe(limit, &cx.clock).await,
            CheckKind::File(settings) => settings.probe(cx).await,
            CheckKind::Custom(settings) => settings.probe(limit, cx).await,
            CheckKind::DatabaseConnection(settings) => settings.probe(limit).await,
            CheckKind::Later { kind } => {
                Seen::unknown(Reason::Skipped, &format!("{kind} comes later"))
            }
        }
    };
    // Each kind keeps the limit itself and says what it was doing; this one is for a file system
    // or a library that does not come back.
    let seen = cx.clock.timeout(limit + SLACK, look).await;
    let seen = seen.unwrap_or_else(|_| Seen::timed_out(limit));
    seen.reading(spec.id.clone(), at, begun.elapsed())
}

/// How much later than its own limit a look is given up.
const SLACK: Duration = Duration::from_millis(500);
