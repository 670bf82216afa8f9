//! Plain processes of this machine: one folder per colour with `process.json` (who runs and how it
//! is started) and `release.json` (what runs). The workers and cron of a colour are the folders
//! `<color>-<name>` beside it, each with its `process.json`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::Signal;
use serde::Deserialize;

use crate::clock::Clock;
use crate::model::ids::{Color, Digest};
use crate::text::SafeText;

use super::process::{Identity, Program, quoted};
use super::{DeployOrder, Error, Kind, Release, Released, Worker, Workload, WorkloadState, fault};

pub mod releases;

/// How often a process that is starting or ending is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a started process may take until it says who it is.
const START_LIMIT: Duration = Duration::from_secs(10);
/// How long a killed process may take to be gone.
const KILL_LIMIT: Duration = Duration::from_secs(2);
/// The largest file that is copied as a setting, in bytes.
const SETTING_LIMIT: u64 = 1024 * 1024;
/// The most settings files that are copied.
const SETTINGS: usize = 100;

/// The two colours below one folder.
#[derive(Clone, Debug)]
pub struct Local {
    dir: PathBuf,
    program: Program,
    clock: Clock,
}

/// `process.json`: who runs, or ran last.
#[derive(Clone, Debug, Deserialize)]
struct ProcessFile {
    identity: Identity,
    command: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct ReleaseFile {
    version: String,
}

impl Local {
    /// The colours below `dir`; `program` starts them.
    pub fn new(dir: impl Into<PathBuf>, program: Program, clock: Clock) -> Self {
        Self { dir: dir.into(), program, clock }
    }

    fn of(&self, color: &Color, file: &str) -> Result<PathBuf, Error> {
        // A colour is a folder's name, never a way out of the folder.
        let plain = !color.as_str().is_empty()
            && color.as_str().chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if plain {
            Ok(self.dir.join(color.as_str()).join(file))
        } else {
            Err(Error::new(
                Kind::NotFound,
                format!(
                    "could not find colour {}: not a folder's name",
                    SafeText::new(color.as_str())
                ),
            ))
        }
    }

    fn process(&self, color: &Color) -> Result<Option<ProcessFile>, Error> {
        read(&self.of(color, "process.json")?)
    }

    fn release(&self, color: &Color) -> Result<Option<ReleaseFile>, Error> {
        read(&self.of(color, "release.json")?)
    }

    fn living(&self, color: &Color) -> Result<Option<Identity>, Error> {
        let file = self.process(color)?;
        Ok(file.map(|file| file.identity).filter(Identity::lives))
    }

    /// The workers' folders, by name.
    fn worker_names(&self, color: &Color) -> Result<Vec<Color>, Error> {
        // A colour that is no folder's name is refused before anything is listed.
        self.of(color, "")?;
        let start = format!("{color}-");
        let entries =
            fs::read_dir(&self.dir).map_err(|e| Error::io("read", self.dir.display(), &e))?;
        let names = entries.filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let ours = name.starts_with(&start) && entry.path().join("process.json").exists();
            ours.then_some(Color(name))
        });
        let mut names: Vec<Color> = names.collect();
        names.sort();
        Ok(names)
    }

    async fn gone(&self, identity: &Identity) {
        while identity.lives() {
            self.clock.sleep(LOOK_EVERY).await;
        }
    }
}

/// A JSON file, or nothing when it is not there.
fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            Error::new(Kind::Rejected, format!("could not read {}: {e}", path.display()))
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("read", path.display(), &e)),
    }
}

#[async_trait]
impl Workload for Local {
    async fn identity(&self) -> Result<String, Error> {
        let folder =
            fs::canonicalize(&self.dir).map_err(|e| Error::io("find", self.dir.display(), &e))?;
        let entries = fs::read_dir(&folder).map_err(|e| Error::io("read", folder.display(), &e))?;
        let mut releases: Vec<(String, Vec<u8>)> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let release = fs::read(entry.path().join("release.json")).ok()?;
                Some((entry.file_name().to_string_lossy().into_owned(), release))
            })
            .collect();
        if releases.is_empty() {
            return Err(Error::new(
                Kind::NotFound,
                format!("could not find a release below {}", folder.display()),
            ));
        }
        releases.sort();
        let mut all = Vec::new();
        for (color, release) in releases {
            all.extend_from_slice(color.as_bytes());
            all.extend_from_slice(Digest::of(&release).0.as_bytes());
        }
        let digest: String = Digest::of(&all).0.chars().take(12).collect();
        Ok(format!("local:{}@{digest}", folder.display()))
    }

    async fn look(&self, color: &Color) -> Result<WorkloadState, Error> {
        let folder = self.of(color, "")?;
        if !folder.is_dir() {
            return Err(Error::new(
                Kind::NotFound,
                format!("could not find {color}: no folder {}", folder.display()),
            ));
        }
        let process = self.process(color)?;
        let release = self.release(color)?;
        Ok(WorkloadState {
            running: process.as_ref().is_some_and(|file| file.identity.lives()),
            kept: release.is_some() && process.is_some(),
            version: release.map(|release| release.version.into()).unwrap_or_default(),
            identity: process.map_or_else(
                || "-".to_owned(),
                |file| format!("{}.{}", file.identity.pid, file.identity.started),
            ),
        })
    }

    async fn stop(&self, color: &Color, grace: Duration, effect: &str) -> Result<SafeText, Error> {
        let Some(identity) = self.living(color)? else {
            return Ok("was not running".into());
        };
        identity.signal(Signal::TERM)?;
        fault::at_step("B5", effect);
        if self.clock.timeout(grace, self.gone(&identity)).await.is_ok() {
            return Ok("ended by itself".into());
        }
        identity.signal(Signal::KILL)?;
        match self.clock.timeout(KILL_LIMIT, self.gone(&identity)).await {
            Ok(()) => Ok(SafeText::new(&format!("killed after {:.0} s", grace.as_secs_f64()))),
            Err(_) => Err(Error::timed_out(
                format!("stop {color}: process {} does not end", identity.pid),
                grace + KILL_LIMIT,
            )),
        }
    }

    async fn start(&self, color: &Color, effect: &str) -> Result<(), Error> {
        let path = self.of(color, "process.json")?;
        let file = self.process(color)?.ok_or_else(|| {
            Error::new(
                Kind::NotFound,
                format!("could not start {color}: no {} that says how", path.display()),
            )
        })?;
        if file.identity.lives() {
            return Ok(());
        }
        let command: Vec<&str> = file.command.iter().map(String::as_str).collect();
        let log = self.of(color, "output.log")?;
        let pid = self.program.detached(&command, &self.dir, &log)?;
        fault::at_step("B5", effect);
        let ready = async {
            loop {
                if self.living(color)?.is_some() {
                    return Ok(());
                }
                if Identity::of(pid).is_none() {
                    return Err(Error::new(
                        Kind::Local,
                        format!("could not start {color}: it ended at once, see {}", log.display()),
                    ));
                }
                self.clock.sleep(LOOK_EVERY).await;
            }
        };
        match self.clock.timeout(START_LIMIT, ready).await {
            Ok(done) => done,
            Err(_) => Err(Error::timed_out(format!("start {color}"), START_LIMIT)),
        }
    }

    async fn preserve(&self, color: &Color, dir: &Path) -> Result<Vec<String>, Error> {
        let mut kept = Vec::new();
        for name in ["release.json", "process.json", "fault.json", "output.log"] {
            copy(&self.of(color, name)?, dir, name, &mut kept)?;
        }
        if let Some(identity) = self.living(color)? {
            for name in ["status", "limits", "io", "smaps_rollup"] {
                // What the system does not let us read is left out; the process may end meanwhile.
                if let Ok(text) = fs::read(format!("/proc/{}/{name}", identity.pid)) {
                    save(dir, &format!("proc-{name}"), &text, &mut kept)?;
                }
            }
        }
        if let Ok(text) = fs::read_to_string(self.dir.join(".env")) {
            save(dir, "env-names", without_values(&text).as_bytes(), &mut kept)?;
        }
        for entry in
            fs::read_dir(self.dir.join("config")).into_iter().flatten().flatten().take(SETTINGS)
        {
            let name = format!("config-{}", entry.file_name().to_string_lossy());
            copy(&entry.path(), dir, &name, &mut kept)?;
        }
        Ok(kept)
    }

    fn by_hand(&self, color: &Color, start: bool) -> String {
        let process = self.process(color).ok().flatten();
        let file = self.dir.join(color.as_str()).join("process.json");
        match (process, start) {
            (Some(process), true) => {
                let words: Vec<String> = process.command.iter().map(|word| quoted(word)).collect();
                let dir = quoted(&self.dir.display().to_string());
                format!("cd {dir} && setsid backout {} </dev/null &", words.join(" "))
            }
            (Some(process), false) => format!("kill -TERM {}", process.identity.pid),
            (None, true) => format!("# start {color} with the command in {}", file.display()),
            (None, false) => format!("# kill -TERM the pid in {}", file.display()),
        }
    }

    async fn workers(&self, color: &Color) -> Result<Vec<Worker>, Error> {
        let names = self.worker_names(color)?.into_iter();
        names
            .map(|name| {
                let running = self.living(&name)?.is_some();
                Ok(Worker { name: name.0, running })
            })
            .collect()
    }

    async fn stop_workers(
        &self,
        color: &Color,
        grace: Duration,
        effect: &str,
    ) -> Result<SafeText, Error> {
        let mut notes = Vec::new();
        for name in self.worker_names(color)? {
            let note = self.stop(&name, grace, effect).await?;
            notes.push(format!("{name} {note}"));
        }
        Ok(SafeText::new(&notes.join(", ")))
    }

    async fn start_workers(&self, color: &Color, effect: &str) -> Result<(), Error> {
        for name in self.worker_names(color)? {
            self.start(&name, effect).await?;
        }
        Ok(())
    }

    fn workers_by_hand(&self, color: &Color, start: bool) -> Vec<String> {
        let names = self.worker_names(color).unwrap_or_default();
        names.iter().map(|name| self.by_hand(name, start)).collect()
    }

    async fn releases(&self) -> Result<Vec<Release>, Error> {
        self.all_releases()
    }

    async fn released(&self, color: &Color) -> Result<Released, Error> {
        self.release_on(color)
    }

    async fn deploy(&self, order: &DeployOrder) -> Result<SafeText, Error> {
        self.lay(order).await
    }
}

/// The names of an `.env` file with the digest of each value's bytes in place of the value: equal
/// values can be told from changed ones, and no secret is kept.
pub(super) fn without_values(text: &str) -> String {
    let line = |line: &str| match line.split_once('=') {
        Some((name, value)) if !line.trim_start().starts_with('#') => {
            format!("{name}=sha256:{}", Digest::of(value.as_bytes()).short())
        }
        Some(_) | None => String::new(),
    };
    let lines: Vec<String> = text.lines().map(line).filter(|l| !l.is_empty()).collect();
    lines.join("\n") + "\n"
}

fn copy(from: &Path, dir: &Path, name: &str, kept: &mut Vec<String>) -> Result<(), Error> {
    let small = fs::metadata(from).is_ok_and(|f| f.is_file() && f.len() <= SETTING_LIMIT);
    if !small {
        return Ok(());
    }
    match fs::read(from) {
        Ok(bytes) => save(dir, name, &bytes, kept),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::io("read", from.display(), &e)),
    }
}

fn save(dir: &Path, name: &str, bytes: &[u8], kept: &mut Vec<String>) -> Result<(), Error> {
    let path = dir.join(name);
    fs::write(&path, bytes).map_err(|e| Error::io("write", path.display(), &e))?;
    kept.push(name.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests;
