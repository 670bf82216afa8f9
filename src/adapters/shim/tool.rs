//! The shim's own side: `backout __step <slot>`. Runs one tool, outlives the engine that asked
//! for it, and leaves word of how it ended.

use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Signal, WaitOptions};
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::adapters::process::Identity;
use crate::adapters::{Error, Kind, fault};
use crate::bug::Bug;
use crate::clock::Clock;
use crate::model::ids::Time;
use crate::redact::{Book, Clean, Redactor};
use crate::text::SafeText;

use super::output::{HEAD, Output, TAIL};
use super::{
    KILL_LIMIT, LOOK_EVERY, Started, ToolCommand, ToolEnd, ToolOutcome, ToolOutput, boot_id, kin,
    read_json, write_json,
};

/// How long the last of the output may take to arrive when nobody is left to write.
const OUTPUT_LIMIT: Duration = Duration::from_secs(5);

/// Runs the tool of `slot`, whose lock must be on standard input. Success means that an outcome
/// was left, whatever it says. `known` is the JSON list of the secrets that its output must not
/// hold.
pub fn run_step(slot: &Path, known: &str) -> ExitCode {
    let known: Vec<String> = serde_json::from_str(known).unwrap_or_default();
    let redactor = Redactor::new(known.iter().map(String::as_str));
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::io("start", "the shim", &e))
        .and_then(|runtime| runtime.block_on(step(slot, redactor, &Clock::real())));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Into shim.log; when even that fails there is nobody left to tell.
            writeln!(std::io::stderr().lock(), "{error}").ok();
            ExitCode::FAILURE
        }
    }
}

async fn step(slot: &Path, redactor: Redactor, clock: &Clock) -> Result<(), Error> {
    let no = |why: &str| {
        let message = format!("could not run {}: {why}", slot.display());
        Error::new(Kind::Rejected, message)
    };
    if !lock_is_on_stdin(slot) {
        return Err(no("its lock is not on standard input; only the engine starts this"));
    }
    let command: ToolCommand =
        read_json(&slot.join("command.json"))?.ok_or_else(|| no("no command.json"))?;
    if slot.join("started.json").exists() {
        return Err(no("it was begun before"));
    }
    // Our own session: no terminal's hang-up or interrupt reaches us.
    rustix::process::setsid().ok();
    if Bug::DeathSignal.is_on() {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).ok();
    }
    // Whoever forks away from the tool becomes our child, so that none is lost from sight.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|e| Error::io("become the reaper of", slot.display(), &e.into()))?;
    // A copy without close-on-exec: the tool and all it starts hold the lock with us.
    let _lock = rustix::io::dup(std::io::stdin())
        .map_err(|e| Error::io("copy the lock of", slot.display(), &e.into()))?;
    #[cfg(feature = "faults")]
    if let Ok(point) = std::fs::read_to_string(slot.join("fault")) {
        fault::install(point.trim(), None);
    }
    let shim = Identity::of(std::process::id()).ok_or_else(|| no("/proc has no entry of it"))?;
    let boot = boot_id();
    let mut told =
        signal(SignalKind::terminate()).map_err(|e| Error::io("listen for", "signals", &e))?;
    write_json(&slot.join("started.json"), &Started { shim, boot })?;

    let begun = clock.now();
    let outcome = match start(slot, &command, redactor) {
        Ok((child, output)) => {
            fault::at("S4");
            let asked = async {
                told.recv().await;
            };
            follow(child, output, &command, asked, clock, begun).await
        }
        Err(error) => ToolOutcome {
            end: ToolEnd::NotStarted(SafeText::new(&error.message)),
            took: Duration::ZERO,
            output: None,
            left: 0,
        },
    };
    fault::at("S6");
    write_json(&slot.join("outcome.json"), &outcome)?;
    fault::at("S7");
    Ok(())
}

/// Whether standard input is the slot's own lock file.
fn lock_is_on_stdin(slot: &Path) -> bool {
    match (rustix::fs::fstat(std::io::stdin()), std::fs::metadata(slot.join("lock"))) {
        (Ok(stdin), Ok(lock)) => stdin.st_dev == lock.dev() && stdin.st_ino == lock.ino(),
        (Ok(_) | Err(_), _) => false,
    }
}

type Written = oneshot::Receiver<Result<ToolOutput, std::io::Error>>;

#[expect(clippy::disallowed_methods, reason = "adapters/shim is where tools are started")]
fn start(
    slot: &Path,
    command: &ToolCommand,
    redactor: Redactor,
) -> Result<(Child, Written), Error> {
    let (name, arguments) = command
        .argv
        .split_first()
        .ok_or_else(|| Error::new(Kind::Rejected, "could not start a tool: its argv is empty"))?;
    let failed = |e: std::io::Error| Error::io("start", SafeText::new(name), &e);
    let output = Output::create(slot, HEAD, TAIL).map_err(failed)?;
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    let errors = writer.try_clone().map_err(failed)?;
    let child = tokio::process::Command::new(name)
        .args(arguments)
        .current_dir(&command.cwd)
        .env_clear()
        .envs(&command.env)
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(errors)
        .process_group(0)
        .kill_on_drop(false)
        .spawn()
        .map_err(failed)?;
    let (send, written) = oneshot::channel();
    std::thread::Builder::new()
        .name("output".to_owned())
        .spawn(move || send.send(gather(reader, output, &redactor)).ok())
        .map_err(failed)?;
    Ok((child, written))
}

/// Reads to the end of the output. When the disk takes no more it is still read, so that the tool
/// is not held up by it.
fn gather(
    mut reader: std::io::PipeReader,
    mut output: Output,
    redactor: &Redactor,
) -> Result<ToolOutput, std::io::Error> {
    let mut part = vec![0; 64 * 1024];
    let mut book = Book::new("o");
    let mut clean = Clean::new(redactor, &mut book);
    let mut failed = None;
    loop {
        let got = match reader.read(&mut part) {
            Ok(got) => got,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let Some(read) = part.get(..got).filter(|read| !read.is_empty()) else {
            break;
        };
        if failed.is_none() {
            failed = clean.take(read, &mut output).err();
        }
    }
    if failed.is_none() {
        failed = clean.end(&mut output).err();
    }
    match failed {
        None => output.finish(),
        Some(e) => Err(e),
    }
}

/// Waits for the tool and all it started; ends them when the time is up or when asked.
async fn follow(
    mut child: Child,
    written: Written,
    command: &ToolCommand,
    asked: impl Future<Output = ()>,
    clock: &Clock,
    begun: Time,
) -> ToolOutcome {
    let all_gone = async {
        let status = child.wait().await;
        fault::at("S5");
        gone(clock).await;
        ended(status)
    };
    let end = tokio::select! {
        biased;
        end = all_gone => end,
        () = clock.sleep(command.budget) => ToolEnd::TimedOut,
        () = asked => ToolEnd::Ended,
    };
    if matches!(end, ToolEnd::TimedOut | ToolEnd::Ended) {
        end_all(command.grace, clock).await;
    }
    let output = match clock.timeout(OUTPUT_LIMIT, written).await {
        Ok(Ok(Ok(output))) => Some(output),
        Ok(Ok(Err(_)) | Err(_)) | Err(_) => None,
    };
    ToolOutcome {
        end,
        took: (clock.now() - begun).to_std().unwrap_or_default(),
        output,
        left: if has_children() {
            u32::try_from(kin::descendants(std::process::id()).len().max(1)).unwrap_or(u32::MAX)
        } else {
            0
        },
    }
}

fn ended(status: std::io::Result<ExitStatus>) -> ToolEnd {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => ToolEnd::Exited(code),
            (None, Some(signal)) => ToolEnd::Signalled(signal),
            (None, None) => ToolEnd::NotStarted("it ended without a status".into()),
        },
        Err(e) => ToolEnd::NotStarted(SafeText::new(&format!("could not wait for it: {e}"))),
    }
}

/// Waits until nothing that the tool started lives. The kernel says so exactly: whoever loses its
/// parent becomes our child, so without a child there is nobody. A walk through `/proc` could miss
/// one that is just changing its parent.
async fn gone(clock: &Clock) {
    while has_children() {
        clock.sleep(LOOK_EVERY).await;
    }
}

/// Reaps who ended, and says whether anybody is left. Called only when the tool's own status is
/// known, or does not count any more.
fn has_children() -> bool {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// Asks all to end, and kills them after the grace; again and again, for they may go on forking.
async fn end_all(grace: Duration, clock: &Clock) {
    let me = std::process::id();
    let ask = async {
        let mut asked: Vec<Identity> = Vec::new();
        while has_children() {
            let mut fresh = kin::descendants(me);
            fresh.retain(|process| !asked.contains(process));
            kin::signal_all(&fresh, Signal::TERM);
            asked.append(&mut fresh);
            clock.sleep(LOOK_EVERY).await;
        }
    };
    if clock.timeout(grace, ask).await.is_ok() {
        return;
    }
    let kill = async {
        while has_children() {
            kin::signal_all(&kin::descendants(me), Signal::KILL);
            clock.sleep(LOOK_EVERY).await;
        }
    };
    clock.timeout(KILL_LIMIT, kill).await.ok();
}
