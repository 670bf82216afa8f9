//! Writes the log files that the configuration names: a line for each entry that belongs into one,
//! and once a minute what this machine is busy with. A file that cannot be written is said once
//! and stops nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::adapters::log_file::{append, syslog};
use crate::checks::system_resource::{Resource, Settings};
use crate::checks::threshold::Thresholds;
use crate::checks::{Memory, ProbeCx};
use crate::config::{LogFiles, Performance};
use crate::model::entry::Entry;
use crate::report::log_files::{self as report, LogFile};
use crate::text::SafeText;

use super::run::{Engine, Seen};

/// How long one look at the machine may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Whether each file could be written the last time.
pub(super) type Refused = BTreeMap<PathBuf, String>;

fn path(files: &LogFiles, file: LogFile) -> Option<&PathBuf> {
    match file {
        LogFile::HealthMonitor => files.health_monitor.as_ref(),
        LogFile::RollbackExecution => files.rollback_execution.as_ref(),
        LogFile::System => files.system.as_ref(),
        LogFile::Integration => files.integration.as_ref(),
    }
}

impl Engine {
    /// Adds what was written into the journal to the log files.
    pub(super) fn log(&mut self, entries: &[Entry]) {
        let files = &self.config.log_files;
        let mut texts: BTreeMap<&PathBuf, String> = BTreeMap::new();
        for (file, line) in entries.iter().flat_map(report::lines) {
            if let Some(path) = path(files, file) {
                texts.entry(path).or_default().push_str(&line);
            }
        }
        for (path, text) in texts {
            match append(path, &text) {
                Ok(()) => drop(self.log_refused.remove(path)),
                Err(why) => {
                    let known = self.log_refused.insert(path.clone(), why.message.clone());
                    if known.is_none_or(|known| known != why.message) {
                        // A full mailbox loses only the word about it.
                        self.seen.try_send(Seen::Trouble(SafeText::new(&why.message))).ok();
                    }
                }
            }
        }
    }
}

/// Writes the performance log until nobody listens any more.
pub(super) fn follow(settings: Option<Performance>, cx: ProbeCx, to: mpsc::Sender<Seen>) {
    let Some(settings) = settings else { return };
    tokio::spawn(async move {
        let mut memory = Memory::default();
        let mut said: Option<String> = None;
        while !to.is_closed() {
            let measured = measured(&cx, &mut memory).await;
            let line = report::performance(cx.clock.now(), measured);
            let mut wrong = append(&settings.file, &line).err();
            for alert in report::alerts(measured, settings.alert) {
                wrong = syslog(&settings.syslog, &settings.tag, &alert).err().or(wrong);
                let line = format!("{} {alert}\n", cx.clock.now().format("%Y-%m-%d %H:%M:%S UTC"));
                wrong = append(&settings.file, &line).err().or(wrong);
            }
            let why = wrong.map(|wrong| wrong.message);
            if let Some(why) = why.as_ref().filter(|why| said.as_ref() != Some(*why)) {
                to.send(Seen::Trouble(SafeText::new(why))).await.ok();
            }
            said = why;
            cx.clock.sleep(settings.every).await;
        }
    });
}

async fn measured(cx: &ProbeCx, memory: &mut Memory) -> [Option<f64>; 3] {
    let mut values = [None; 3];
    let resources = [Resource::Cpu, Resource::Memory, Resource::Disk("/".into())];
    for (value, resource) in values.iter_mut().zip(resources) {
        let settings = Settings { resource, thresholds: Thresholds::default() };
        let seen = cx.clock.timeout(LIMIT, settings.probe(LIMIT, cx, memory)).await;
        *value = seen.ok().and_then(|seen| seen.value);
    }
    values
}
