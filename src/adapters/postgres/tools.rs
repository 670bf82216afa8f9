//! The client's own tools, `pg_dump`, `pg_restore` and `psql`: what one call of them is, and how
//! it is made on this machine. A platform that has them elsewhere makes the same calls there.

use std::fs::File;
use std::io::{BufReader, BufWriter, PipeReader, PipeWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::adapters::process::{self, Piped};
use crate::adapters::{Error, Kind};
use crate::clock::Clock;

use super::place::PostgresPlace;

/// How much is kept of the end of what a tool said, in bytes.
pub const LAST: usize = 4096;

/// One of the tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `pg_dump`.
    Dump,
    /// `pg_restore`.
    Restore,
    /// `psql`.
    Psql,
}

impl Tool {
    /// Its program's name.
    pub const fn program(self) -> &'static str {
        match self {
            Self::Dump => "pg_dump",
            Self::Restore => "pg_restore",
            Self::Psql => "psql",
        }
    }
}

/// One call of a tool. How it comes to the server (host, user, password) is not among the
/// arguments: whoever runs it sets that in the environment, together with the database.
#[derive(Clone, Debug)]
pub struct ToolCall {
    /// Which.
    pub tool: Tool,
    /// Its arguments.
    pub args: Vec<String>,
    /// The database that it works on (`PGDATABASE`).
    pub database: String,
    /// A file of this machine on its standard input; what is compressed with gzip is unpacked.
    pub stdin: Option<PathBuf>,
    /// A path of this machine that is its last argument: a dump that is a folder, or one file that
    /// several sessions read at once.
    pub folder: Option<PathBuf>,
    /// A fresh file of this machine for its standard output, compressed with gzip; without one
    /// the output is thrown away.
    pub stdout: Option<PathBuf>,
    /// How long it may take.
    pub limit: Duration,
    /// How far it is, counted while it runs.
    pub moved: Arc<Moved>,
}

/// How far a call is.
#[derive(Debug, Default)]
pub struct Moved {
    /// Bytes that were read from the file of the input, as it lies on the disk.
    pub read: AtomicU64,
    /// Lines that came out.
    pub lines: AtomicU64,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolEnded {
    /// Its exit code; nothing when a signal ended it.
    pub code: Option<i32>,
    /// The last [`LAST`] bytes that it said on its standard error.
    pub said: Vec<u8>,
    /// The last [`LAST`] bytes of its output, not compressed.
    pub last: Vec<u8>,
}

/// Runs the tools.
#[async_trait]
pub trait PgTools: Send + Sync {
    /// The same tools with sessions that are called after `effect`.
    fn called(&self, effect: &str) -> Arc<dyn PgTools>;
    /// Runs one to its end. One that takes longer than its limit is ended and fails with
    /// `TimedOut`; one that is not there fails with `NotFound`. A tool that says no is no error
    /// here. When the work is dropped, the tool is ended.
    async fn run(&self, call: ToolCall) -> Result<ToolEnded, Error>;

    /// Whether they open paths of this machine by themselves.
    fn opens_paths(&self) -> bool {
        false
    }
}

/// The tools of this machine.
#[derive(Clone, Debug)]
pub struct HostTools {
    place: PostgresPlace,
    /// The folder of the programs; the usual ones where there is none.
    folder: Option<PathBuf>,
    clock: Clock,
}

impl HostTools {
    /// The tools that are found in the usual folders, for the server of `place`.
    pub fn new(place: PostgresPlace, clock: Clock) -> Self {
        Self { place, folder: None, clock }
    }

    /// The tools in `folder`: `/usr/lib/postgresql/15/bin`.
    pub fn in_folder(place: PostgresPlace, folder: impl Into<PathBuf>, clock: Clock) -> Self {
        Self { place, folder: Some(folder.into()), clock }
    }

    fn argv(&self, call: &ToolCall) -> Vec<String> {
        let program = call.tool.program();
        let program = self.folder.as_ref().map_or_else(
            || program.to_owned(),
            |folder| folder.join(program).display().to_string(),
        );
        let folder = call.folder.iter().map(|folder| folder.display().to_string());
        [program].into_iter().chain(call.args.iter().cloned()).chain(folder).collect()
    }
}

#[async_trait]
impl PgTools for HostTools {
    fn called(&self, effect: &str) -> Arc<dyn PgTools> {
        Arc::new(Self { place: self.place.called(effect), ..self.clone() })
    }

    fn opens_paths(&self) -> bool {
        true
    }

    async fn run(&self, call: ToolCall) -> Result<ToolEnded, Error> {
        let argv = self.argv(&call);
        let env = self.place.environment(&call.database);
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let wants = (call.stdin.is_some(), true);
        let Piped { mut child, stdin, stdout, stderr } = process::piped(&argv, &env, wants)?;
        let pumps = Pumps::start(&call, stdin, stdout, stderr)?;
        let shown = format!("run {} on {}", call.tool.program(), call.database);
        let work = async {
            let status = child.wait().await.map_err(|e| Error::io("wait for", &shown, &e))?;
            pumps.ended(status.code()).await
        };
        if let Ok(ended) = self.clock.timeout(call.limit, work).await {
            return ended;
        }
        child.start_kill().ok();
        self.clock.timeout(Duration::from_secs(5), child.wait()).await.ok();
        Err(Error::timed_out(shown, call.limit))
    }
}

type Pump<T> = tokio::task::JoinHandle<Result<T, Error>>;

/// The three streams of a tool at work, for whoever runs one.
#[derive(Debug)]
pub struct Pumps {
    input: Option<Pump<()>>,
    output: Option<Pump<Vec<u8>>>,
    said: Pump<Vec<u8>>,
}

impl Pumps {
    /// Moves the files of `call` through the pipes.
    pub fn start(
        call: &ToolCall,
        stdin: Option<PipeWriter>,
        stdout: Option<PipeReader>,
        stderr: PipeReader,
    ) -> Result<Self, Error> {
        // Opened here: a file that cannot be made is said before anything runs.
        let into = call.stdout.as_deref().map(fresh).transpose()?;
        let input = match (stdin, call.stdin.clone()) {
            (Some(pipe), Some(path)) => {
                let moved = Arc::clone(&call.moved);
                Some(tokio::task::spawn_blocking(move || feed(&path, pipe, &moved)))
            }
            (Some(_) | None, Some(_) | None) => None,
        };
        let output = stdout.map(|pipe| {
            let moved = Arc::clone(&call.moved);
            tokio::task::spawn_blocking(move || keep(pipe, into, &moved))
        });
        let said = tokio::task::spawn_blocking(move || keep(stderr, None, &Moved::default()));
        Ok(Self { input, output, said })
    }

    /// What they moved, once the tool has ended with `code`.
    pub async fn ended(self, code: Option<i32>) -> Result<ToolEnded, Error> {
        let said = joined(self.said).await?;
        let last = match self.output {
            Some(output) => joined(output).await?,
            None => Vec::new(),
        };
        if let Some(input) = self.input {
            let fed = joined(input).await;
            // One that said no does not read to the end.
            if code == Some(0) {
                fed?;
            }
        }
        Ok(ToolEnded { code, said, last })
    }
}

async fn joined<T>(pump: Pump<T>) -> Result<T, Error> {
    pump.await.unwrap_or_else(|e| {
        Err(Error::new(Kind::Local, format!("could not move the data of a tool: {e}")))
    })
}

fn fresh(path: &Path) -> Result<(PathBuf, File), Error> {
    let file = File::options().write(true).create_new(true).open(path);
    Ok((path.to_owned(), file.map_err(|e| Error::io("write", path.display(), &e))?))
}

/// A file as text, unpacked where it is compressed. `read` counts what is read of the file itself.
pub(super) fn unpacked<'a>(
    path: &Path,
    read: &'a AtomicU64,
) -> std::io::Result<Box<dyn Read + 'a>> {
    let mut file = File::open(path)?;
    let mut magic = [0; 2];
    let packed = file.read(&mut magic)? == 2 && magic == [0x1f, 0x8b];
    std::io::Seek::rewind(&mut file)?;
    let counted = BufReader::with_capacity(256 * 1024, Counted { file, read });
    Ok(if packed { Box::new(MultiGzDecoder::new(counted)) } else { Box::new(counted) })
}

struct Counted<'a> {
    file: File,
    read: &'a AtomicU64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

fn feed(path: &Path, mut pipe: PipeWriter, moved: &Moved) -> Result<(), Error> {
    let io = |e: std::io::Error| Error::io("read", path.display(), &e);
    let mut from = unpacked(path, &moved.read).map_err(io)?;
    std::io::copy(&mut from, &mut pipe).map(drop).map_err(io)
}

/// Reads to the end; the last of it is kept, all of it goes to the file.
fn keep(
    mut pipe: PipeReader,
    into: Option<(PathBuf, File)>,
    moved: &Moved,
) -> Result<Vec<u8>, Error> {
    let path = into.as_ref().map(|(path, _)| path.clone()).unwrap_or_default();
    let io = |e: std::io::Error| Error::io("write", path.display(), &e);
    let mut out = into.map(|(_, file)| BufWriter::new(GzEncoder::new(file, Compression::fast())));
    let mut buffer = vec![0; 64 * 1024];
    let mut last = Vec::new();
    loop {
        let count = match pipe.read(&mut buffer) {
            Ok(count) => count,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Error::io("read", "the output of a tool", &e)),
        };
        let part = buffer.get(..count).unwrap_or_default();
        if part.is_empty() {
            break;
        }
        let lines = memchr::memchr_iter(b'\n', part).count() as u64;
        moved.lines.fetch_add(lines, Ordering::Relaxed);
        last.extend_from_slice(part.get(part.len().saturating_sub(LAST)..).unwrap_or_default());
        last.drain(..last.len().saturating_sub(LAST));
        if let Some(out) = &mut out {
            out.write_all(part).map_err(io)?;
        }
    }
    if let Some(out) = out {
        let encoder = out.into_inner().map_err(|e| io(e.into_error()))?;
        encoder.finish().and_then(|file| file.sync_all()).map_err(io)?;
    }
    Ok(last)
}
