//! The keeper: starts the engine, waits, and starts it again after an abnormal end. No logic, so
//! that nothing in it can fail: what it keeps alive does the thinking.

use std::collections::VecDeque;
use std::process::{ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{getpgid, getppid, setpgid, setsid};
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::Clock;

use super::child::{end, note, start, words};
use super::down::{Down, log_file, log_tail};
use super::pair::Pair;

/// The exit code of an engine that found the lease held.
pub(super) const HELD: u8 = 12;
/// Ends that are meant: clean, lease held, wrong command line, wrong configuration.
const MEANT: [u8; 4] = [0, HELD, 64, 78];
/// How often an engine is started again within [`RESTART_WINDOW`].
const RESTARTS: usize = 5;
/// What is longer ago is forgotten.
const RESTART_WINDOW: Duration = Duration::from_mins(10);
/// The pause after the system could not even start the program.
const START_PAUSE: Duration = Duration::from_secs(1);

/// Keeps the pair's engine running until it ends on purpose, is told to end by SIGTERM, or has
/// died too often: then `engine-down.json` says why, and the exit code is 1.
pub fn keep(pair: &Pair, clock: &Clock) -> ExitCode {
    lead_session();
    let kept =
        tokio::runtime::Builder::new_current_thread().enable_all().build().and_then(|runtime| {
            runtime.block_on(async {
                let mut terminate = signal(SignalKind::terminate())?;
                // A stream that nobody reads: the signal no longer ends us.
                let _hangup = signal(SignalKind::hangup())?;
                let _interrupt = signal(SignalKind::interrupt())?;
                let told = async move { terminate.recv().await.unwrap_or_default() };
                Ok(watch_over(pair, told, clock).await)
            })
        });
    match kept {
        Ok(code) => ExitCode::from(code),
        Err(e) => {
            note(&format!("could not keep the engine: {e}"));
            ExitCode::FAILURE
        }
    }
}

/// Leaves the starter's terminal and session. The leader of a process group may not, so it joins
/// its parent's group first.
fn lead_session() {
    if setsid().is_err()
        && let Some(group) = getppid().and_then(|parent| getpgid(Some(parent)).ok())
        && setpgid(None, Some(group)).is_ok()
    {
        setsid().ok();
    }
}

async fn watch_over(pair: &Pair, told_to_end: impl Future<Output = ()>, clock: &Clock) -> u8 {
    Down::clear(&pair.state);
    let mut told_to_end = std::pin::pin!(told_to_end);
    let mut restarts = VecDeque::with_capacity(RESTARTS);
    loop {
        let end = match start(pair) {
            Ok(mut engine) => tokio::select! {
                biased;
                ended = engine.wait() => ended.map_err(|e| e.to_string()),
                () = &mut told_to_end => return end(engine, clock).await,
            },
            Err(e) => {
                tokio::select! {
                    () = clock.sleep(START_PAUSE) => Err(e.to_string()),
                    () = &mut told_to_end => return 0,
                }
            }
        };
        let words = match end {
            Ok(status) => match meant(status) {
                Some(code) => return code,
                None => words(status),
            },
            Err(words) => words,
        };
        if !may_restart(&mut restarts, Instant::now()) {
            give_up(pair, &words, clock);
            return 1;
        }
        note(&format!("the engine ended with {words}; starting it again"));
    }
}

fn meant(status: ExitStatus) -> Option<u8> {
    let code = u8::try_from(status.code()?).ok()?;
    MEANT.contains(&code).then_some(code)
}

/// Counts a restart at `now`, unless there were too many lately.
fn may_restart(restarts: &mut VecDeque<Instant>, now: Instant) -> bool {
    restarts.retain(|at| now.duration_since(*at) < RESTART_WINDOW);
    let may = restarts.len() < RESTARTS;
    if may {
        restarts.push_back(now);
    }
    may
}

fn give_up(pair: &Pair, last_exit: &str, clock: &Clock) {
    note(&format!("the engine ended with {last_exit}, too often; giving it up"));
    let down = Down {
        at: clock.now(),
        last_exit: last_exit.into(),
        log_tail: log_tail(&log_file(&pair.state), 0),
        command: "backout attach".into(),
    };
    if let Err(e) = down.write(&pair.state) {
        note(&e.to_string());
    }
}

#[cfg(test)]
mod tests;
