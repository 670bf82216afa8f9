//! Processes of this machine: our own program, detached children, bounded commands.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{PipeReader, PipeWriter};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::AsyncReadExt;

use crate::bug::Bug;
use crate::clock::Clock;
use crate::text::SafeText;

use super::{Error, Kind};

mod held;

pub use held::Held;

/// What a service manager gives to the service alone: a child that has it speaks in its place, as
/// `systemctl` does of its own failure.
const ONLY_OURS: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// The running program, found once in `main` and passed down, so that a run goes on with the
/// image it began with even when the file on disk is replaced meanwhile.
#[derive(Clone, Debug)]
pub struct Program(PathBuf);

impl Program {
    /// This process's own image.
    pub fn this() -> Self {
        Self(PathBuf::from("/proc/self/exe"))
    }

    /// Another image, for tests that drive the built program.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// What to give to the system to run it.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Starts the program with `args` in the background, its working directory `dir`, its output
    /// appended to `log`, nothing on its input. The child calls setsid itself, so it must not lead
    /// a group before. Dropping the handle does not end the child.
    #[expect(clippy::disallowed_methods, reason = "adapters/process is where processes start")]
    pub fn detached(&self, args: &[&str], dir: &Path, log: &Path) -> Result<u32, Error> {
        let shown = format!("start {} {}", self.0.display(), args.join(" "));
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .map_err(|e| Error::io("open", log.display(), &e))?;
        let errors = output.try_clone().map_err(|e| Error::io("open", log.display(), &e))?;
        let tells_all = Bug::LogToTerminal.is_on() && args.first() == Some(&"__keep");
        let errors = if tells_all { Stdio::inherit() } else { Stdio::from(errors) };
        let mut command = std::process::Command::new(&self.0);
        for name in ONLY_OURS {
            command.env_remove(name);
        }
        let child = command
            .arg0("backout")
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|e| Error::io(&shown, "", &e))?;
        Ok(child.id())
    }
}

/// A process known by more than its number: numbers are used again, start times are not.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub started: u64,
}

impl Identity {
    /// The identity of a living process, or nothing when it is gone or a zombie.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
        if matches!(fields.next()?, "Z" | "X") {
            return None;
        }
        Some(Self { pid, started: fields.nth(18)?.parse().ok()? })
    }

    /// Whether this very process still lives.
    pub fn lives(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    /// Sends `signal` if this very process still lives; a process that is gone is no error.
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        if !self.lives() {
            return Ok(());
        }
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(());
        };
        match rustix::process::kill_process(pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(errno) => Err(Error::io("signal process", self.pid, &errno.into())),
        }
    }
}

/// What a bounded command left.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Exit code, or nothing when a signal ended it.
    pub code: Option<i32>,
    /// Standard output, cut at the limit.
    pub stdout: Vec<u8>,
    /// Standard error, cut at the limit.
    pub stderr: Vec<u8>,
}

/// Runs `sh -c line` for at most `limit`, keeping at most `bytes` of each stream. When the time is
/// up its whole process group is killed.
pub async fn shell(
    line: &str,
    dir: &Path,
    limit: Duration,
    bytes: u64,
    clock: &Clock,
) -> Result<Finished, Error> {
    let argv = ["/bin/sh".to_owned(), "-c".to_owned(), line.to_owned()];
    let bounded = Bounded { argv: &argv, env: None, dir, limit, bytes };
    bounded.run(clock).await
}

/// Opens `file` in an editor on our own terminal, and waits until it has ended well. One with
/// arguments is a line for the shell, as `$EDITOR` is everywhere.
#[expect(clippy::disallowed_methods, reason = "adapters/process is where processes start")]
pub fn edit(editor: &str, file: &Path) -> Result<(), Error> {
    let line = format!("{editor} \"$1\"");
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", &line, "sh"]).arg(file);
    let ended = command.status().map_err(|e| Error::io("start", editor, &e))?;
    if ended.success() {
        return Ok(());
    }
    Err(Error::new(Kind::Rejected, format!("could not edit {}: {editor}: {ended}", file.display())))
}

/// As [`shell`], with `extra` variables on top of our own environment.
#[expect(clippy::disallowed_methods, reason = "adapters/process is where processes start")]
pub async fn shell_with(
    line: &str,
    extra: &BTreeMap<&str, String>,
    dir: &Path,
    (limit, bytes): (Duration, u64),
    clock: &Clock,
) -> Result<Finished, Error> {
    let shown = SafeText::new(line);
    let mut command = tokio::process::Command::new("/bin/sh");
    for name in ONLY_OURS {
        command.env_remove(name);
    }
    let child = command
        .args(["-c", line])
        .envs(extra)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| Error::io("run", &shown, &e))?;
    finish(child, &shown, limit, bytes, clock).await
}

/// A command that is awaited, with its bounds.
#[derive(Clone, Copy, Debug)]
pub struct Bounded<'a> {
    /// Program and arguments; no shell.
    pub argv: &'a [String],
    /// The whole of its environment; without one it has ours.
    pub env: Option<&'a BTreeMap<String, String>>,
    /// Where it runs.
    pub dir: &'a Path,
    /// How long it may take.
    pub limit: Duration,
    /// The most that is kept of each stream, in bytes.
    pub bytes: u64,
}

impl Bounded<'_> {
    /// Runs it. When the time is up its whole process group is killed.
    #[expect(clippy::disallowed_methods, reason = "adapters/process is where processes start")]
    pub async fn run(self, clock: &Clock) -> Result<Finished, Error> {
        let shown = SafeText::new(&self.argv.join(" "));
        let Some((name, arguments)) = self.argv.split_first() else {
            let message = "could not run a command: its argv is empty";
            return Err(Error::new(Kind::Local, message));
        };
        let mut command = tokio::process::Command::new(name);
        match self.env {
            Some(env) => {
                command.env_clear().envs(env);
            }
            None => {
                for name in ONLY_OURS {
                    command.env_remove(name);
                }
            }
        }
        let child = command
            .args(arguments)
            .current_dir(self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| Error::io("run", &shown, &e))?;
        finish(child, &shown, self.limit, self.bytes, clock).await
    }
}

async fn finish(
    mut child: tokio::process::Child,
    line: &SafeText,
    limit: Duration,
    bytes: u64,
    clock: &Clock,
) -> Result<Finished, Error> {
    let group = child.id();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let work = async {
        let read = |stream: Option<_>| async move { capture(stream, bytes).await };
        let errors = async move {
            let mut kept = Vec::new();
            if let Some(stream) = stderr {
                let mut limited = tokio::io::AsyncReadExt::take(stream, bytes);
                limited.read_to_end(&mut kept).await.ok();
            }
            kept
        };
        let (stdout, stderr) = tokio::join!(read(stdout), errors);
        (child.wait().await, stdout, stderr)
    };
    let ended = clock.timeout(limit, work).await;
    match ended {
        Ok((Ok(status), stdout, stderr)) => Ok(Finished { code: status.code(), stdout, stderr }),
        Ok((Err(e), ..)) => Err(Error::io("wait for", line, &e)),
        Err(_) => {
            kill_group(group);
            Err(Error::timed_out(format!("run {line}"), limit))
        }
    }
}

/// A tool whose streams somebody moves; it is killed when dropped.
#[derive(Debug)]
pub struct Piped {
    /// The tool.
    pub child: tokio::process::Child,
    /// What goes into it.
    pub stdin: Option<PipeWriter>,
    /// What comes out of it.
    pub stdout: Option<PipeReader>,
    /// What it says.
    pub stderr: PipeReader,
}

/// Starts `argv` in `/` with nothing in its environment but `env`, our path and our home. `wants`
/// says whether it gets an input, and whether its output is read.
#[expect(clippy::disallowed_methods, reason = "adapters/process is where processes start")]
pub fn piped(
    argv: &[String],
    env: &BTreeMap<String, String>,
    (input, output): (bool, bool),
) -> Result<Piped, Error> {
    let Some((name, arguments)) = argv.split_first() else {
        return Err(Error::new(Kind::Local, "could not run a command: its argv is empty"));
    };
    let failed = |e: std::io::Error| Error::io("run", SafeText::new(name), &e);
    let mut command = tokio::process::Command::new(name);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    // The user's own password file is looked for in it.
    if let Some(home) = std::env::home_dir() {
        command.env("HOME", home);
    }
    command.args(arguments).envs(env).current_dir("/").process_group(0).kill_on_drop(true);
    let stdin = if input {
        let (reader, writer) = std::io::pipe().map_err(failed)?;
        command.stdin(reader);
        Some(writer)
    } else {
        command.stdin(Stdio::null());
        None
    };
    let stdout = if output {
        let (reader, writer) = std::io::pipe().map_err(failed)?;
        command.stdout(writer);
        Some(reader)
    } else {
        command.stdout(Stdio::null());
        None
    };
    let (stderr, writer) = std::io::pipe().map_err(failed)?;
    command.stderr(writer);
    let child = command.spawn().map_err(failed)?;
    Ok(Piped { child, stdin, stdout, stderr })
}

/// A word as a shell takes it unchanged, for commands that people paste.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

async fn capture(stream: Option<tokio::process::ChildStdout>, bytes: u64) -> Vec<u8> {
    let mut kept = Vec::new();
    if let Some(stream) = stream {
        let mut limited = tokio::io::AsyncReadExt::take(stream, bytes);
        limited.read_to_end(&mut kept).await.ok();
    }
    kept
}

fn kill_group(leader: Option<u32>) {
    if let Some(pid) = leader.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        rustix::process::kill_process_group(pid, Signal::KILL).ok();
    }
}
