//! What every process of a stack does: lead a session, say who it is, and end when it is told to
//! or when its folder is gone.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::adapters::process::{Identity, Program};
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::text::SafeText;

use super::disk::{read_json, replace, write_json};
use super::layout::{Layout, ProcessFile};
use super::role::start;

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Leaves the starter's terminal and session.
pub fn lead_session() {
    // Only a process that leads its group already may not, and then it has left.
    rustix::process::setsid().ok();
}

/// Writes who runs, where it answers and how it is started again.
pub fn announce(
    layout: &Layout,
    name: &str,
    address: Option<SocketAddr>,
    command: Vec<String>,
) -> Result<(), Error> {
    let identity = Identity::of(std::process::id()).ok_or_else(|| {
        Error::new(Kind::Local, "could not find this process: /proc has no entry of it")
    })?;
    let pid = layout.at(name).join("pid");
    replace(&pid, format!("{}\n", identity.pid).as_bytes())?;
    let file = ProcessFile { identity, address, command };
    write_json(&layout.process(name), &file)
}

/// Ends with SIGTERM or SIGINT, or within two seconds when the folder is gone or another one.
pub fn told_to_end(layout: &Layout, clock: &Clock) -> Result<impl Future<Output = ()>, Error> {
    let failed = |e: std::io::Error| Error::io("listen for", "signals", &e);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let (layout, clock) = (layout.clone(), clock.clone());
    let same = folder(layout.dir());
    Ok(async move {
        let gone = async {
            while layout.exists() && folder(layout.dir()) == same {
                clock.sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = gone => {}
        }
    })
}

/// Which folder this is, beyond its name.
fn folder(dir: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(dir).ok()?;
    Some((found.dev(), found.ino()))
}

/// How long a started process may take until it answers.
const READY_LIMIT: Duration = Duration::from_secs(10);
/// How often a waiting starter looks.
const READY_EVERY: Duration = Duration::from_millis(20);

/// Starts a process of the stack by its name and waits until it has said who it is.
pub async fn start_ready(
    layout: &Layout,
    name: &str,
    program: &Program,
    clock: &Clock,
) -> Result<Identity, Error> {
    let pid = start(layout, name, program)?;
    let ready = async {
        loop {
            if let Ok(file) = read_json::<ProcessFile>(&layout.process(name))
                && file.identity.pid == pid
                && file.identity.lives()
            {
                return Ok(file.identity);
            }
            if Identity::of(pid).is_none() {
                return Err(ended(layout, name));
            }
            clock.sleep(READY_EVERY).await;
        }
    };
    match clock.timeout(READY_LIMIT, ready).await {
        Ok(done) => done,
        Err(_) => Err(Error::timed_out(format!("start {name}"), READY_LIMIT)),
    }
}

/// Why a process ended before it was ready, in its own last words.
fn ended(layout: &Layout, name: &str) -> Error {
    let output = fs::read(layout.at(name).join("output.log")).unwrap_or_default();
    let output = String::from_utf8_lossy(&output);
    let last = output.lines().rev().find(|line| !line.trim().is_empty());
    let last = SafeText::new(last.unwrap_or("it ended without a word"));
    let taken = last.as_str().contains("in use");
    let kind = if taken { Kind::Held } else { Kind::Local };
    Error::new(kind, format!("could not start {name}: {last}"))
}

/// The process that ran last as `name`, if it still lives.
pub fn living(layout: &Layout, name: &str) -> Option<Identity> {
    let file: ProcessFile = read_json(&layout.process(name)).ok()?;
    Some(file.identity).filter(Identity::lives)
}
