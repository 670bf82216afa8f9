//! Commands inside a running container, with their input and output on our side.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use futures_util::StreamExt;
use rustix::process::Signal;
use tokio::fs::File;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::adapters::process::Identity;
use crate::adapters::{Error, Kind};
use crate::text::SafeText;

use super::{DockerHost, LOOK_LIMIT};

/// How much of standard error is kept, in bytes.
const STDERR_TAIL: usize = 8 * 1024;

/// A command to run inside a container.
#[derive(Clone, Debug)]
pub struct Exec<'a> {
    /// Program and arguments; no shell.
    pub argv: &'a [String],
    /// Variables beside the container's own. The engine's API takes them, no argv shows them.
    pub env: &'a [(String, String)],
    /// The user; without one, the container's.
    pub user: Option<&'a str>,
    /// Where its standard input comes from.
    pub input: ExecInput,
    /// Where its standard output goes.
    pub output: ExecOutput,
    /// How long it may take.
    pub limit: Duration,
}

/// Where a command's standard input comes from.
#[derive(Clone, Debug)]
pub enum ExecInput {
    /// It has none.
    Nothing,
    /// These bytes.
    Bytes(Vec<u8>),
    /// This file of ours.
    File(PathBuf),
    /// This open pipe, until it ends.
    Pipe(Arc<std::fs::File>),
}

/// Where a command's standard output goes.
#[derive(Clone, Debug)]
pub enum ExecOutput {
    /// It is kept up to so many bytes; what is beyond is counted and left out.
    Kept(u64),
    /// Into this file of ours, which is made anew and on the disk at the end; more than so many
    /// bytes are refused.
    File(PathBuf, u64),
    /// Into this open pipe, as it comes; standard error into the other.
    Pipes(Arc<std::fs::File>, Arc<std::fs::File>),
}

/// An open file that is waited for beside the work.
fn waited(pipe: &std::fs::File) -> Result<File, Error> {
    let own = pipe.try_clone().map_err(|e| Error::io("use", "a pipe", &e))?;
    Ok(File::from_std(own))
}

/// How a command inside a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Executed {
    /// Its exit code.
    pub code: i64,
    /// What it wrote, where that was kept.
    pub stdout: Vec<u8>,
    /// How much it wrote, in bytes.
    pub wrote: u64,
    /// The last of what it wrote to standard error.
    pub stderr: SafeText,
}

/// What has come so far.
struct Taken {
    file: Option<File>,
    /// Where standard error goes as it comes.
    said: Option<File>,
    /// Whether the file is on a disk.
    on_disk: bool,
    most: u64,
    kept: Vec<u8>,
    wrote: u64,
    stderr: Vec<u8>,
}

impl Taken {
    async fn new(output: &ExecOutput) -> Result<Self, Error> {
        let mut said = None;
        let (file, most) = match output {
            ExecOutput::Kept(most) => (None, *most),
            ExecOutput::Pipes(out, err) => {
                said = Some(waited(err)?);
                (Some(waited(out)?), u64::MAX)
            }
            ExecOutput::File(path, most) => {
                let mut options = File::options();
                options.write(true).create(true).truncate(true).mode(0o600);
                let file = options.open(path).await;
                (Some(file.map_err(|e| Error::io("write", path.display(), &e))?), *most)
            }
        };
        let on_disk = matches!(output, ExecOutput::File(..));
        Ok(Self { file, said, on_disk, most, kept: Vec::new(), wrote: 0, stderr: Vec::new() })
    }

    async fn take(&mut self, output: LogOutput) -> Result<(), Error> {
        let message = match output {
            LogOutput::StdErr { message } => {
                if let Some(said) = &mut self.said {
                    said.write_all(&message).await.ok();
                }
                self.stderr.extend_from_slice(&message);
                let over = self.stderr.len().saturating_sub(STDERR_TAIL);
                self.stderr.drain(..over);
                return Ok(());
            }
            LogOutput::StdOut { message }
            | LogOutput::StdIn { message }
            | LogOutput::Console { message } => message,
        };
        let room = usize::try_from(self.most.saturating_sub(self.wrote)).unwrap_or(usize::MAX);
        self.wrote += message.len() as u64;
        let Some(file) = &mut self.file else {
            self.kept.extend_from_slice(message.get(..room).unwrap_or(&message));
            return Ok(());
        };
        if message.len() > room {
            let message = format!("it wrote more than {} bytes", self.most);
            return Err(Error::new(Kind::Rejected, message));
        }
        let failed = |e: std::io::Error| Error::io("keep", "its output", &e);
        file.write_all(&message).await.map_err(failed)
    }

    async fn end(&mut self) -> Result<(), Error> {
        let failed = |e: std::io::Error| Error::io("keep", "its output", &e);
        if let Some(file) = &mut self.file {
            file.flush().await.map_err(failed)?;
            if self.on_disk {
                file.sync_all().await.map_err(failed)?;
            }
        }
        if let Some(said) = &mut self.said {
            said.flush().await.ok();
        }
        // A pipe ends with its last writer.
        (self.file, self.said) = (None, None);
        Ok(())
    }
}

impl DockerHost {
    /// Runs a command inside container `id` to its end. An exit code other than 0 is no error
    /// here. When its time is up it is ended where that can be done, and what it did is unknown.
    pub async fn exec(&self, id: &str, exec: &Exec<'_>) -> Result<Executed, Error> {
        let program = exec.argv.first().map_or("", String::as_str);
        let what = format!("run {} in container {}", SafeText::new(program), SafeText::new(id));
        let config = ExecConfig {
            attach_stdin: Some(!matches!(exec.input, ExecInput::Nothing)),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            env: Some(exec.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            cmd: Some(exec.argv.to_vec()),
            user: exec.user.map(str::to_owned),
            ..ExecConfig::default()
        };
        let mut taken = Taken::new(&exec.output).await?;
        let docker = self.docker(&what).await?;
        let made = self.ask(&what, LOOK_LIMIT, docker.create_exec(id, config)).await?.id;
        let options = StartExecOptions { output_capacity: Some(64 * 1024), ..Default::default() };
        let started = self.ask(&what, LOOK_LIMIT, docker.start_exec(&made, Some(options))).await;
        let StartExecResults::Attached { mut output, input } = started? else {
            return Err(Error::new(Kind::Reset, format!("could not {what}: it was detached")));
        };
        let work = async {
            let read = async {
                while let Some(next) = output.next().await {
                    taken.take(next.map_err(|error| self.no(&what, &error))?).await?;
                }
                taken.end().await
            };
            tokio::try_join!(read, feed(&exec.input, input)).map(|_| ())
        };
        match self.clock.timeout(exec.limit, work).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let ended = self.end_exec(id, &made).await;
                let message = format!("could not {what}: {}; {ended}", error.message);
                return Err(Error::new(error.kind, message));
            }
            Err(_) => {
                let ended = self.end_exec(id, &made).await;
                let mut error = Error::timed_out(&what, exec.limit);
                error.message = format!("{}; {ended}", error.message);
                return Err(error);
            }
        }
        let code = self.exit_code(&what, &made).await?;
        let Taken { kept: stdout, wrote, stderr, .. } = taken;
        Ok(Executed { code, stdout, wrote, stderr: SafeText::from_bytes(stderr.trim_ascii_end()) })
    }

    /// The exit code, once the engine knows it: it may close the streams a moment before.
    async fn exit_code(&self, what: &str, exec: &str) -> Result<i64, Error> {
        let docker = self.docker(what).await?;
        let wait = async {
            loop {
                let said = self.ask(what, LOOK_LIMIT, docker.inspect_exec(exec)).await?;
                if let (Some(false), Some(code)) = (said.running, said.exit_code) {
                    return Ok(code);
                }
                self.clock.sleep(Duration::from_millis(20)).await;
            }
        };
        let limit = LOOK_LIMIT;
        self.clock
            .timeout(limit, wait)
            .await
            .unwrap_or_else(|_| Err(Error::timed_out(format!("{what}: learn how it ended"), limit)))
    }

    /// Kills what still runs of a command; says what became of it. The engine has no call for
    /// this: the process is killed on this host, where it is certain that it is the container's.
    async fn end_exec(&self, id: &str, exec: &str) -> String {
        let may = "it may still run there".to_owned();
        let what = "look at the command";
        let Ok(docker) = self.docker(what).await else { return may };
        let Ok(said) = self.ask(what, LOOK_LIMIT, docker.inspect_exec(exec)).await else {
            return may;
        };
        if said.running == Some(false) {
            return "it had ended".to_owned();
        }
        let pid = said.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0);
        let Some(identity) = pid.and_then(Identity::of) else { return may };
        let owner = said.container_id.unwrap_or_else(|| id.to_owned());
        let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", identity.pid));
        let certain = owner.len() >= 12 && groups.is_ok_and(|groups| groups.contains(&owner));
        if certain && identity.signal(Signal::KILL).is_ok() {
            return "it was killed".to_owned();
        }
        may
    }
}

/// Writes the whole input and closes it. A command that does not read to the end is no error:
/// its exit code says what it thought of that.
async fn feed(input: &ExecInput, mut to: Pin<Box<dyn AsyncWrite + Send>>) -> Result<(), Error> {
    match input {
        ExecInput::Nothing => return Ok(()),
        ExecInput::Bytes(bytes) => {
            to.write_all(bytes).await.ok();
        }
        ExecInput::File(path) => {
            let failed = |e: std::io::Error| Error::io("read", path.display(), &e);
            copy(File::open(path).await.map_err(failed)?, &mut to).await.map_err(failed)?;
        }
        ExecInput::Pipe(pipe) => {
            let failed = |e: std::io::Error| Error::io("read", "a pipe", &e);
            copy(waited(pipe)?, &mut to).await.map_err(failed)?;
        }
    }
    to.shutdown().await.ok();
    Ok(())
}

/// Copies to the end, or until nobody reads any more.
async fn copy(mut from: File, to: &mut Pin<Box<dyn AsyncWrite + Send>>) -> std::io::Result<()> {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let read = tokio::io::AsyncReadExt::read(&mut from, &mut piece).await?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok(());
        };
        if to.write_all(bytes).await.is_err() {
            return Ok(());
        }
    }
}
