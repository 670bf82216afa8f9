//! The engine as the keeper's child: started, told to end, described when it has ended.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::clock::Clock;

use super::Error;
use super::pair::Pair;

/// How long an engine that was told to end may take; it needs 5 s at most.
const END_LIMIT: Duration = Duration::from_secs(10);
/// How long the system may take to bury one that was killed.
const KILL_LIMIT: Duration = Duration::from_secs(1);

/// Starts the pair's engine with the same arguments and the keeper's process id.
#[expect(
    clippy::disallowed_methods,
    reason = "the keeper is the engine's parent and must wait for it"
)]
pub(super) fn start(pair: &Pair) -> Result<Child, Error> {
    let mut args = pair.args("__engine")?;
    args.extend(["--keeper".to_owned(), std::process::id().to_string()]);
    Command::new(pair.program.path())
        .arg0("backout")
        .args(args)
        .current_dir(&pair.state)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|e| Error::io("start", pair.program.path(), e))
}

/// Passes SIGTERM on and waits; an engine that does not end in time is killed, which its journal
/// survives.
pub(super) async fn end(mut engine: Child, clock: &Clock) -> u8 {
    let pid = engine.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        kill_process(pid, Signal::TERM).ok();
    }
    match clock.timeout(END_LIMIT, engine.wait()).await {
        Ok(Ok(status)) => status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(0),
        Ok(Err(_)) => 1,
        Err(_) => {
            note("the engine did not end in 10 s; killing it");
            engine.start_kill().ok();
            clock.timeout(KILL_LIMIT, engine.wait()).await.ok();
            1
        }
    }
}

/// How a process ended, for people.
pub(super) fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// A line in the engine's log, which is our standard error.
pub(super) fn note(line: &str) {
    writeln!(std::io::stderr().lock(), "keeper {}: {line}", std::process::id()).ok();
}
