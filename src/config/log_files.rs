//! `log_files:`: log files for people and tools that know the documents' (P-41, P-61). Without the
//! section none is written: the journal holds everything.

use std::path::PathBuf;
use std::time::Duration;

use super::take::Table;

/// Where log files are written; what is not named is not written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogFiles {
    /// Checks and rules.
    pub health_monitor: Option<PathBuf>,
    /// Runs and their steps.
    pub rollback_execution: Option<PathBuf>,
    /// The engine itself.
    pub system: Option<PathBuf>,
    /// Incidents and rollbacks from beginning to end.
    pub integration: Option<PathBuf>,
    /// The folder below which what is kept of each deployment is laid out as files (P-41).
    pub preserved: Option<PathBuf>,
    /// CPU, memory and disk of this machine.
    pub performance: Option<Performance>,
}

/// The performance log (000:821-849).
#[derive(Clone, Debug, PartialEq)]
pub struct Performance {
    /// The file.
    pub file: PathBuf,
    /// Between two lines.
    pub every: Duration,
    /// Percent above which an alert goes to the system's log.
    pub alert: f64,
    /// The socket of the system's log.
    pub syslog: PathBuf,
    /// Under which tag.
    pub tag: String,
}

const DIRECTORY: &str = "/var/log/pratiko-rollback";

/// `log_files: documents`, or a map; `directory:` names three of them at once.
pub(super) fn log_files(root: &mut Table<'_>) -> LogFiles {
    let Some(item) = root.take("log_files") else { return LogFiles::default() };
    if item.scalar_is("documents") {
        let file = |name: &str| Some(PathBuf::from(format!("{DIRECTORY}/{name}.log")));
        return LogFiles {
            health_monitor: file("health_monitor"),
            rollback_execution: file("rollback_execution"),
            system: file("system"),
            integration: Some("/var/log/pratiko-integration.log".into()),
            preserved: Some("/var/log/pratiko-rollback-logs".into()),
            performance: Some(Performance {
                file: "/var/log/pratiko-performance.log".into(),
                every: Duration::from_mins(1),
                alert: 90.0,
                syslog: "/dev/log".into(),
                tag: "pratiko-monitor".to_owned(),
            }),
        };
    }
    let Some(mut table) = item.table() else { return LogFiles::default() };
    let directory = table.path("directory");
    let mut named = |name: &str| {
        let own = table.path(name);
        own.or_else(|| Some(directory.as_ref()?.join(format!("{name}.log"))))
    };
    let files = LogFiles {
        health_monitor: named("health_monitor"),
        rollback_execution: named("rollback_execution"),
        system: named("system"),
        integration: table.path("integration"),
        preserved: table.path("preserved"),
        performance: None,
    };
    let performance = performance(&mut table);
    table.finish();
    LogFiles { performance, ..files }
}

fn performance(table: &mut Table<'_>) -> Option<Performance> {
    let second = Duration::from_secs(1);
    let every = table.span("performance_interval", second, Duration::from_hours(1));
    let alert = table.take("performance_alert").and_then(|item| item.number());
    let syslog = table.path("syslog");
    let tag = table.text("syslog_tag");
    Some(Performance {
        file: table.path("performance")?,
        every: every.unwrap_or(second * 60),
        alert: alert.unwrap_or(90.0),
        syslog: syslog.unwrap_or_else(|| "/dev/log".into()),
        tag: tag.unwrap_or_else(|| "pratiko-monitor".to_owned()),
    })
}
