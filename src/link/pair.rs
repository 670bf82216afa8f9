//! Starting the pair, keeper and engine, when none answers.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, WaitOptions, WaitStatus, waitpid};

use crate::adapters::process::Program;
use crate::clock::Clock;

use super::Error;
use super::address::living;
use super::down::{log_file, log_tail};
use super::keeper::HELD;
use super::socket::is_listened_on;

/// How long a new pair may take to answer.
const START_LIMIT: Duration = Duration::from_secs(5);
/// How often it is asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// A log longer than this many bytes is set aside when a pair starts.
const LOG_LIMIT: u64 = 1024 * 1024;

/// What a pair is started with.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Our own program.
    pub program: Program,
    /// The configuration file.
    pub config: PathBuf,
    /// The state folder.
    pub state: PathBuf,
    /// The socket.
    pub socket: PathBuf,
    /// How long the engine outlives its last client.
    pub linger: Linger,
}

/// How long an engine outlives its last client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linger {
    /// Started by a console: a minute, longer while something is open.
    Console,
    /// Started by a command that follows: not at all.
    Cli,
}

impl Linger {
    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Cli => "cli",
        }
    }
}

impl Pair {
    /// The command line that starts `verb` (`__keep` or `__engine`) of this pair; paths absolute,
    /// since its working directory is the state folder.
    pub(super) fn args(&self, verb: &str) -> Result<Vec<String>, Error> {
        let text = |path: &Path| {
            let whole = std::path::absolute(path).map_err(|e| Error::io("resolve", path, e))?;
            whole.into_os_string().into_string().map_err(|raw| {
                let why = std::io::Error::other("the path is not UTF-8");
                Error::io("pass on", Path::new(&raw), why)
            })
        };
        Ok(vec![
            verb.to_owned(),
            "--config".to_owned(),
            text(&self.config)?,
            "--state".to_owned(),
            text(&self.state)?,
            "--socket".to_owned(),
            text(&self.socket)?,
            "--linger".to_owned(),
            self.linger.word().to_owned(),
        ])
    }
}

/// Makes sure that an engine answers at the pair's socket: starts the pair when none does, and
/// waits at most 5 s. Two clients may do this at once: the engine that finds the lease held ends
/// silently, and both clients meet at the other's socket. The state folder is made 0700 when it
/// is missing.
pub async fn ensure(pair: &Pair, clock: &Clock) -> Result<(), Error> {
    if answering(pair)? {
        return Ok(());
    }
    may_start(&pair.state)?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&pair.state)
        .map_err(|e| Error::io("make the state folder", &pair.state, e))?;
    let log = log_file(&pair.state);
    let from = set_aside(&log);
    let failed = |why: String| Error::Start {
        why: match log_tail(&log, from).last() {
            Some(line) => format!("{why}; its last words: {line}"),
            None => why,
        },
        log: log.clone(),
    };
    let args = pair.args("__keep")?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let keeper =
        pair.program.detached(&args, &pair.state, &log).map_err(|e| failed(e.to_string()))?;
    match clock.timeout(START_LIMIT, answers(pair, keeper, clock)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(e)) => Err(match e {
            Ended::Early(status) => failed(format!("it ended early with {status}")),
            Ended::Unreachable(error) => error,
        }),
        Err(_) => Err(failed(format!(
            "nothing answers at {} after {} s, though it runs or another engine holds the state folder",
            pair.socket.display(),
            START_LIMIT.as_secs()
        ))),
    }
}

/// Whether an engine answers: where this pair would, or where one said that it does.
fn answering(pair: &Pair) -> Result<bool, Error> {
    // A socket that we may not even look behind is somebody else's.
    match is_listened_on(&pair.socket) {
        Ok(true) => Ok(true),
        Ok(false) => Ok(living(&pair.state).is_some()),
        Err(_) if living(&pair.state).is_some() => Ok(true),
        Err(e) => Err(e),
    }
}

/// A state folder of another user has its engine started by that user.
fn may_start(state: &Path) -> Result<(), Error> {
    let us = rustix::process::geteuid().as_raw();
    match state.metadata() {
        Ok(found) if found.uid() != us => Err(Error::Folder {
            path: state.to_owned(),
            why: format!(
                "no engine runs there, and it belongs to uid {}: only they can start one \
                 (sudo -u '#{}' backout attach)",
                found.uid(),
                found.uid()
            ),
        }),
        Ok(_) | Err(_) => Ok(()),
    }
}

enum Ended {
    Early(String),
    Unreachable(Error),
}

/// Waits until the socket answers or the keeper has ended for a reason of its own.
async fn answers(pair: &Pair, keeper: u32, clock: &Clock) -> Result<(), Ended> {
    let mut keeper = i32::try_from(keeper).ok().and_then(Pid::from_raw);
    loop {
        // Asked before the socket: a keeper that was seen dead may still have been answered for.
        let ended = keeper.and_then(reap);
        if answering(pair).map_err(Ended::Unreachable)? {
            return Ok(());
        }
        match ended.map(WaitStatus::exit_status) {
            // Another engine was first and will answer.
            Some(Some(code)) if code == i32::from(HELD) => keeper = None,
            Some(Some(code)) => return Err(Ended::Early(format!("exit code {code}"))),
            Some(None) => return Err(Ended::Early("a signal".to_owned())),
            None => {}
        }
        clock.sleep(ASK_EVERY).await;
    }
}

/// How a child has ended, or nothing while it runs.
fn reap(child: Pid) -> Option<WaitStatus> {
    let (_, status) = waitpid(Some(child), WaitOptions::NOHANG).ok()??;
    Some(status)
}

/// Begins a new log when the old one is long; where in it the new lines begin.
fn set_aside(log: &Path) -> u64 {
    let length = log.metadata().map_or(0, |meta| meta.len());
    if length > LOG_LIMIT && std::fs::rename(log, log.with_extension("log.old")).is_ok() {
        return 0;
    }
    length
}

#[cfg(test)]
mod tests;
