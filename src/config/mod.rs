//! People's files, read once: positions kept, every problem reported, secrets unprintable.
//! The only reader of the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

mod alerts;
mod backup;
mod choice;
mod console;
mod container_kind;
mod credentials;
mod database_kind;
mod drill;
mod environment;
mod environments;
mod file;
pub mod guides;
mod health_checks;
mod host_kinds;
mod hosts;
mod judging;
mod kinds;
mod kube_target;
mod load;
mod log_files;
mod logs;
mod migrations;
mod node;
mod notifications;
mod object_kinds;
mod objectives;
mod people;
mod postgres;
mod presets;
mod problem;
mod procedures;
mod project_file;
mod proofs;
mod raw;
mod redis;
mod remote_kinds;
mod render;
mod rollout_file;
mod rules;
mod secrets;
mod sections;
pub mod services;
mod shape;
mod site_target;
mod spans;
mod take;
mod target;
mod telling;
mod templates;
mod triggers;
mod unused;

pub use backup::Backup;
pub use console::{Announce, ConsoleSettings};
pub use credentials::{Credential, Origin, modified};
pub use drill::Drill;
pub use environment::Environment;
pub use environments::{Known, choose, environments};
pub use file::find;
pub use judging::{Judging, Witness};
pub use kube_target::{KubeCanary, KubeNamespace, KubeOne, KubeService, known as kubeconfig};
pub use load::{load, schema};
pub use log_files::{LogFiles, Performance};
pub use logs::{ContainerLogs, ContainerSource, LogSource, PodLogs, PodSource};
pub use migrations::MigrationTool;
pub use node::Position;
pub use notifications::{Notifications, PLACES, Receiver, Wants, places};
pub use people::{Hooks, ShareGroup};
pub use presets::PANES;
pub use problem::{Problem, did_you_mean};
pub use procedures::Procedure;
pub use project_file::variables;
pub use proofs::Proofs;
pub use redis::Redis;
pub use render::render;
pub use rules::Rules;
pub use site_target::{Bucket, FrontendSite, MobileAt, PurgeAt, Store};
pub use target::{ColorAddress, ComposeProject, Database, NginxFiles, Platform, Traffic};
pub use triggers::{Listen, Triggers};

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
    /// The server that the journal is on, where it is on one: other hosts see it too.
    pub journal: Option<crate::adapters::postgres::PostgresPlace>,
    /// The history file of S-74.
    pub history_log: PathBuf,
    /// Restore points in the layout of S-80.
    pub restore_points: Option<PathBuf>,
    /// The file of the key that restore points are signed with.
    pub restore_points_key: Option<PathBuf>,
    /// What a restore point holds beside the database, and how long it is kept.
    pub backup: Backup,
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
    /// The file in which pipelines see that deployments are locked.
    pub deployment_lock: Option<PathBuf>,
    /// The database, for the schema gate.
    pub database: Option<Database>,
    /// The Redis beside it, whose keys are in every restore point.
    pub redis: Option<Redis>,
    /// The tool that applies migrations, where it is not plain SQL.
    pub migration_tool: Option<MigrationTool>,
    /// What tells whether the application's data is whole.
    pub proofs: Proofs,
    /// Rollbacks of one's own making, by name.
    pub procedures: BTreeMap<String, Procedure>,
    /// Services of several instances, and how one of them is brought back.
    pub services: services::Services,
    /// How a failure is made on purpose.
    pub drill: Drill,
    /// The folder of guided procedures beside the built-in ones.
    pub guides: Option<PathBuf>,
    /// Log files to write.
    pub log_files: LogFiles,
    /// Log files to tail.
    pub log_sources: Vec<LogSource>,
    /// Containers whose output is followed.
    pub container_logs: Option<ContainerLogs>,
    /// Pods whose output is followed.
    pub pod_logs: Option<PodLogs>,
    /// Times of a rollback.
    pub rollback: RollbackSettings,
    /// Checks, in the order of the file.
    pub checks: Vec<CheckSpec>,
    /// The windows that signals look back over.
    pub windows: Windows,
    /// What the judgement rests on beside the checks.
    pub judging: Judging,
    /// What is watched for without a person.
    pub rules: Rules,
    /// How long samples are kept (`metrics_retention_minutes`).
    pub retention: Duration,
    /// What a person wants of the screen.
    pub console: ConsoleSettings,
    /// Templates of one's own for documents about an incident, by the document's name.
    pub templates: std::collections::BTreeMap<String, String>,
    /// Where people read, ask and tell: a name and a place, as the file orders them (S-76, S-78).
    pub links: Vec<(crate::text::SafeText, crate::text::SafeText)>,
    /// Configurations of other environments that are kept elsewhere.
    pub environments: Vec<PathBuf>,
    /// The group that may attach, too.
    pub share: Option<ShareGroup>,
    /// Commands that tell people.
    pub hooks: Hooks,
    /// Who is told what.
    pub notifications: Notifications,
    /// Where other systems may call for a rollback.
    pub triggers: Option<Triggers>,
    /// Where evidence goes when the state folder has no room.
    pub evidence_remote: Option<PathBuf>,
    /// Secrets in use: where from and until when, never what.
    pub credentials: Vec<Credential>,
    /// Values that are taken out of whatever is kept: those of `credentials`, passwords written
    /// in addresses, and variables whose names tell.
    pub secrets: Vec<crate::adapters::secret::Secret>,
    /// What hangs on the agent of the SSH session that this process was started in.
    pub forwarded_agent: Option<String>,
    /// What loaded but is not used yet, one line each.
    pub notes: Vec<String>,
}

impl Config {
    /// Steps side by side. Each has one session of ours in a database at most, so there are no more
    /// of them than sessions.
    pub fn side_by_side(&self) -> usize {
        let rollback = &self.rollback;
        match self.database {
            Some(_) => rollback.max_workers.min(rollback.connection_pool_size),
            None => rollback.max_workers,
        }
    }

    /// What takes the secrets of this configuration, and all that look like one, out of a text.
    pub fn redactor(&self) -> crate::redact::Redactor {
        crate::redact::Redactor::new(
            self.secrets.iter().map(crate::adapters::secret::Secret::reveal),
        )
    }
}

/// The burst of the help test.
#[derive(Clone, Debug, PartialEq)]
pub struct HelpSettings {
    /// Paths that only read.
    pub paths: Vec<String>,
    /// How many requests per side.
    pub requests: u32,
}

/// Times of a rollback.
#[derive(Clone, Debug, PartialEq)]
pub struct RollbackSettings {
    /// How long levels 2 and 3 wait until users are served again (S-24).
    pub health_wait: Duration,
    /// Time between two of those looks.
    pub health_every: Duration,
    /// How long the failed version stays up after the switch: it is the way back.
    pub keep_failed_up: Duration,
    /// How long old connections may take to end.
    pub drain: Duration,
    /// Probes of the gate after the switch.
    pub gate_probes: u32,
    /// Time between them.
    pub gate_every: Duration,
    /// How long level 1 puts up with bad looks after the switch (`LEVEL1_TIMEOUT`, S-70).
    pub gate_wait: Duration,
    /// The watch window (S-57: 900 s).
    pub watch_window: Duration,
    /// Time between looks in it.
    pub watch_every: Duration,
    /// Grace of a stop before it is killed (S-20: 30 s).
    pub stop_grace: Duration,
    /// The slowest 5 % of the responses after a rollback must be faster (S-14: 500 ms).
    pub good_response: Duration,
    /// Steps side by side (`ROLLBACK_MAX_WORKERS`).
    pub max_workers: usize,
    /// Services that go back side by side (`ROLLBACK_PARALLEL_OPERATIONS`).
    pub parallel_operations: usize,
    /// Sessions of ours in a database at once (`ROLLBACK_CONNECTION_POOL_SIZE`).
    pub connection_pool_size: usize,
    /// How long a connection to a database may take (`ROLLBACK_CONNECTION_TIMEOUT`, seconds).
    pub connection_timeout: Duration,
    /// Levels that two people must approve, each under an own user.
    pub two_person: Vec<u8>,
    /// Whether a service that no longer works with where others go goes back with them
    /// (`cross_repo_coordination`, P-81); otherwise such a plan is refused.
    pub together: bool,
}
