//! One file per check kind. A check looks; it never changes anything.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::ids::CheckId;
use crate::model::reading::{Policy, Reason};
use crate::model::signal::Role;

pub mod container;
pub mod custom;
pub mod database_connection;
pub mod dns;
pub mod expect;
pub mod file;
#[cfg(test)]
pub(crate) mod fixture;
pub mod http_response;
pub mod kubernetes;
pub mod log_pattern;
pub mod look;
pub mod place;
pub mod process;
pub mod prometheus;
pub mod push;
pub mod redis;
pub mod s3_object;
pub mod seen;
pub mod system_resource;
pub mod systemd_unit;
pub mod tcp;
pub mod threshold;
pub mod tls_cert;

pub use look::{Memory, look, probe};
use seen::Seen;
use threshold::{Clear, Thresholds};

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
    /// Switched on; a check that is off (`enabled: false`) is never asked, and shown as off.
    pub enabled: bool,
    /// Looks within one timeout at most, while they are bad (`attempts`).
    pub attempts: u32,
    /// The value that ends an alarm of the thresholds (`clear_below`, `clear_above`).
    pub clear: Option<Clear>,
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
    /// CPU, memory, disk and the like of this machine.
    SystemResource(system_resource::Settings),
    /// Processes of this machine.
    Process(process::Settings),
    /// The state of a unit of systemd.
    SystemdUnit(systemd_unit::Settings),
    /// How often a pattern is written to a log.
    LogPattern(log_pattern::Settings),
    /// A query to Prometheus.
    Prometheus(prometheus::Settings),
    /// A name that has to resolve.
    Dns(dns::Settings),
    /// A certificate: days left, name, chain.
    TlsCert(tls_cert::Settings),
    /// A server that speaks the protocol of Redis.
    Redis(redis::Settings),
    /// What another program said last of itself.
    Push(push::Settings),
    /// An object of a bucket.
    S3Object(s3_object::Settings),
    /// A container, as its engine sees it.
    Container(container::Settings),
    /// A workload or a service of a cluster, as its API server sees it.
    Kubernetes(kubernetes::Settings),
    /// One from a file of others that does not say where to ask: reads unknown.
    Unaddressed {
        /// What kind it would be.
        kind: &'static str,
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
            Self::SystemResource(_) => "system_resource",
            Self::Process(_) => "process",
            Self::SystemdUnit(_) => "systemd_unit",
            Self::LogPattern(_) => "log_pattern",
            Self::Prometheus(_) => "prometheus",
            Self::Dns(_) => "dns",
            Self::TlsCert(_) => "tls_cert",
            Self::Redis(_) => "redis",
            Self::Push(_) => "push",
            Self::S3Object(_) => "s3_object",
            Self::Container(_) => "container",
            Self::Kubernetes(_) => "kubernetes",
            Self::Unaddressed { kind } => kind,
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
            Self::SystemResource(settings) => settings.resource.to_string(),
            Self::Process(settings) => settings.which.to_string(),
            Self::SystemdUnit(settings) => settings.unit.clone(),
            Self::LogPattern(settings) => settings.target(),
            Self::Prometheus(settings) => settings.target(),
            Self::Dns(settings) => settings.target(),
            Self::TlsCert(settings) => settings.target(),
            Self::Redis(settings) => settings.target(),
            Self::Push(_) => "what it says of itself".to_owned(),
            Self::S3Object(settings) => settings.target(),
            Self::Container(settings) => settings.target(),
            Self::Kubernetes(settings) => settings.target(),
            Self::Unaddressed { .. } => String::new(),
        }
    }

    /// The thresholds on the value of its readings; those of HTTP are on the status.
    pub fn thresholds(&self) -> Option<&Thresholds> {
        match self {
            Self::File(settings) => Some(&settings.limits.thresholds),
            Self::Custom(settings) => Some(&settings.thresholds),
            Self::DatabaseConnection(settings) => Some(&settings.thresholds),
            Self::SystemResource(settings) => Some(&settings.thresholds),
            Self::Process(settings) => Some(&settings.thresholds),
            Self::SystemdUnit(settings) => Some(&settings.thresholds),
            Self::LogPattern(settings) => Some(&settings.thresholds),
            Self::Prometheus(settings) => Some(&settings.thresholds),
            Self::Dns(settings) => Some(&settings.thresholds),
            Self::TlsCert(settings) => Some(&settings.thresholds),
            Self::Redis(settings) => Some(&settings.thresholds),
            Self::Push(settings) => Some(&settings.thresholds),
            Self::S3Object(settings) => Some(&settings.limits.thresholds),
            Self::Container(settings) => Some(&settings.thresholds),
            Self::Kubernetes(settings) => Some(&settings.thresholds),
            Self::HttpResponse(_) | Self::Tcp(_) | Self::Unaddressed { .. } => None,
        }
    }

    /// All thresholds that it has, those of HTTP too, to be changed for a while.
    pub fn thresholds_mut(&mut self) -> Option<&mut Thresholds> {
        match self {
            Self::File(settings) => Some(&mut settings.limits.thresholds),
            Self::Custom(settings) => Some(&mut settings.thresholds),
            Self::DatabaseConnection(settings) => Some(&mut settings.thresholds),
            Self::SystemResource(settings) => Some(&mut settings.thresholds),
            Self::Process(settings) => Some(&mut settings.thresholds),
            Self::SystemdUnit(settings) => Some(&mut settings.thresholds),
            Self::LogPattern(settings) => Some(&mut settings.thresholds),
            Self::Prometheus(settings) => Some(&mut settings.thresholds),
            Self::Dns(settings) => Some(&mut settings.thresholds),
            Self::TlsCert(settings) => Some(&mut settings.thresholds),
            Self::Redis(settings) => Some(&mut settings.thresholds),
            Self::Push(settings) => Some(&mut settings.thresholds),
            Self::S3Object(settings) => Some(&mut settings.limits.thresholds),
            Self::Container(settings) => Some(&mut settings.thresholds),
            Self::Kubernetes(settings) => Some(&mut settings.thresholds),
            Self::HttpResponse(settings) => Some(&mut settings.thresholds),
            Self::Tcp(_) | Self::Unaddressed { .. } => None,
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
