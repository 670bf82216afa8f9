//! Ctrl-Z: the shell gets its terminal back. Raw mode makes it a key, so that we stop ourselves.

use rustix::process::{Signal, getpgrp, kill_process_group};

/// Stops this process and those started with it (SIGTSTP is dropped in an orphaned group).
pub fn stop_group() -> std::io::Result<()> {
    Ok(kill_process_group(getpgrp(), Signal::STOP)?)
}

/// The number of the signal that comes with `fg`.
pub fn continued() -> tokio::signal::unix::SignalKind {
    tokio::signal::unix::SignalKind::from_raw(Signal::CONT.as_raw())
}
