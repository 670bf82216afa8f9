//! External tools run under a shim, a process of our own program that outlives the engine: it
//! holds a lock for as long as the tool or anything it started lives, and leaves a file that says
//! how it ended. A new engine adopts what still runs instead of starting a second tool.
//!
//! | lock | `outcome.json` | `started.json` | so |
//! | --- | --- | --- | --- |
//! | held | – | – | it runs: wait |
//! | free | there | – | it ended like that |
//! | free | none | there | it was cut off: nobody knows, look |
//! | free | none | none | the tool never began |

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use rustix::process::Signal;

use crate::bug;
use crate::clock::Clock;
use crate::redact::Redactor;
use crate::text::SafeText;

use super::process::Program;
use super::{Error, Kind};

mod kin;
mod output;
mod slot;
mod tool;

pub use slot::{Found, Started, ToolCommand, ToolEnd, ToolOutcome, ToolOutput};
use slot::{read_json, write_json};
pub use tool::run_step;

/// The variable in which a shim gets the values that it keeps out of the output.
pub const KNOWN: &str = "BACKOUT_KNOWN";
/// How often an adopted tool is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long what was killed may take to be gone.
const KILL_LIMIT: Duration = Duration::from_secs(2);
/// What the shim may need beyond budget and grace to write its outcome.
const MARGIN: Duration = Duration::from_secs(10);

/// A step's slot, `runs/<run>/<step>.<attempt>`, as the engine sees it.
#[derive(Clone, Debug)]
pub struct Shim {
    slot: PathBuf,
}

impl Shim {
    /// The slot in that folder.
    pub fn at(slot: impl Into<PathBuf>) -> Self {
        Self { slot: slot.into() }
    }

    /// Starts `command` under a shim of `program`. A slot is used once: one that was begun before
    /// is refused. Returns when the shim was started, which is before the tool is.
    pub fn start(&self, program: &Program, command: &ToolCommand) -> Result<(), Error> {
        self.start_knowing(program, command, &Redactor::default())
    }

    /// The same; what `redactor` takes out never reaches the file of the output.
    #[expect(clippy::disallowed_methods, reason = "adapters/shim is where tools are started")]
    pub fn start_knowing(
        &self,
        program: &Program,
        command: &ToolCommand,
        redactor: &Redactor,
    ) -> Result<(), Error> {
        // In the shim's environment, where our own values stand as well: no file, no argument.
        let known: Vec<&str> = redactor.values().collect();
        let known = serde_json::to_string(&known).unwrap_or_default();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.slot)
            .map_err(|e| Error::io("make folder", self.slot.display(), &e))?;
        let lock = self.lock()?;
        if self.slot.join("started.json").exists() {
            return Err(Error::new(
                Kind::Held,
                format!(
                    "could not start {}: {} was begun before",
                    shown(command),
                    self.slot.display()
                ),
            ));
        }
        write_json(&self.slot.join("command.json"), command)?;
        let log = File::options()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(self.slot.join("shim.log"))
            .map_err(|e| Error::io("open", self.slot.join("shim.log").display(), &e))?;
        let errors = log
            .try_clone()
            .map_err(|e| Error::io("open", self.slot.join("shim.log").display(), &e))?;
        // The runtime reaps it when it ends before us; dropping the handle ends nothing.
        tokio::process::Command::new(program.path())
            .arg0("backout")
            .arg("__step")
            .arg(&self.slot)
            .current_dir(&self.slot)
            .env_clear()
            .envs(bug::passed_on())
            .env(KNOWN, known)
            .stdin(Stdio::from(lock))
            .stdout(log)
            .stderr(errors)
            .kill_on_drop(false)
            .spawn()
            .map(drop)
            .map_err(|e| Error::io("start the shim of", shown(command), &e))
    }

    /// Opens the lock and takes it; it is held by whoever has this file open or a copy of it.
    fn lock(&self) -> Result<File, Error> {
        let path = self.slot.join("lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| Error::io("open", path.display(), &e))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(file),
            Err(Errno::WOULDBLOCK) => Err(Error::new(
                Kind::Held,
                format!("could not lock {}: a tool still runs there", path.display()),
            )),
            Err(errno) => Err(Error::io("lock", path.display(), &errno.into())),
        }
    }

    /// Looks where the tool stands; changes nothing.
    pub fn found(&self) -> Result<Found, Error> {
        if self.is_held()? {
            return Ok(Found::Running);
        }
        if let Some(outcome) = read_json(&self.slot.join("outcome.json"))? {
            return Ok(Found::Ended(outcome));
        }
        if self.slot.join("started.json").exists() {
            return Ok(Found::CutOff);
        }
        Ok(Found::NeverBegan)
    }

    /// Whether the tool, its shim or any that they started lives.
    pub fn is_held(&self) -> Result<bool, Error> {
        let path = self.slot.join("lock");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(Error::io("open", path.display(), &e)),
        };
        // Shared, so that two who look do not see each other.
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(false),
            Err(Errno::WOULDBLOCK) => Ok(true),
            Err(errno) => Err(Error::io("lock", path.display(), &errno.into())),
        }
    }

    /// Whether the tool was about to begin, or further.
    pub fn has_begun(&self) -> bool {
        self.slot.join("started.json").exists()
    }

    /// How long it can take at most until its end is known.
    pub fn limit(&self) -> Result<Duration, Error> {
        let command: Option<ToolCommand> = read_json(&self.slot.join("command.json"))?;
        Ok(command.map_or(MARGIN, |command| command.budget + command.grace + MARGIN))
    }

    /// Waits until the tool does not run any more, for at most its limit; then it is still
    /// [`Found::Running`]. `told` is called at each look.
    pub async fn adopt(&self, clock: &Clock, mut told: impl FnMut()) -> Result<Found, Error> {
        let wait = async {
            loop {
                match self.found()? {
                    Found::Running => told(),
                    found @ (Found::NeverBegan | Found::Ended(_) | Found::CutOff) => {
                        return Ok(found);
                    }
                }
                clock.sleep(LOOK_EVERY).await;
            }
        };
        clock.timeout(self.limit()?, wait).await.unwrap_or(Ok(Found::Running))
    }

    /// Ends the tool: asks its shim, which gives it the grace; where the shim itself is gone, all
    /// that hold the lock. Returns what is found afterwards.
    pub async fn end(&self, clock: &Clock) -> Result<Found, Error> {
        let command: Option<ToolCommand> = read_json(&self.slot.join("command.json"))?;
        let grace = command.map_or(Duration::ZERO, |command| command.grace);
        if let Some(started) = read_json::<Started>(&self.slot.join("started.json"))?
            && started.boot == boot_id()
            && started.shim.lives()
        {
            started.shim.signal(Signal::TERM)?;
            let patience = grace + KILL_LIMIT + MARGIN;
            if clock.timeout(patience, self.free(clock)).await.is_ok() {
                return self.found();
            }
        }
        let lock = self.slot.join("lock");
        kin::signal_all(&kin::holders(&lock), Signal::TERM);
        if clock.timeout(grace, self.free(clock)).await.is_err() {
            let kill = async {
                while self.is_held().unwrap_or(false) {
                    kin::signal_all(&kin::holders(&lock), Signal::KILL);
                    clock.sleep(LOOK_EVERY).await;
                }
            };
            clock.timeout(KILL_LIMIT, kill).await.ok();
        }
        self.found()
    }

    /// Kills the tool and all it started, at once: what is on record as its shim's, then whoever
    /// still holds the lock. The shim itself is left where it can, to write how the tool ended.
    /// Returns what is found afterwards.
    pub async fn kill(&self, clock: &Clock) -> Result<Found, Error> {
        if let Some(started) = read_json::<Started>(&self.slot.join("started.json"))?
            && started.boot == boot_id()
            && started.shim.lives()
        {
            kin::signal_all(&kin::descendants(started.shim.pid), Signal::KILL);
            if clock.timeout(KILL_LIMIT, self.free(clock)).await.is_ok() {
                return self.found();
            }
        }
        let lock = self.slot.join("lock");
        let kill = async {
            while self.is_held().unwrap_or(false) {
                kin::signal_all(&kin::holders(&lock), Signal::KILL);
                clock.sleep(LOOK_EVERY).await;
            }
        };
        clock.timeout(KILL_LIMIT, kill).await.ok();
        self.found()
    }

    async fn free(&self, clock: &Clock) {
        while self.is_held().unwrap_or(false) {
            clock.sleep(LOOK_EVERY).await;
        }
    }

    /// The last `bytes` of what the tool wrote.
    pub fn tail(&self, bytes: u64) -> SafeText {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(self.slot.join("output"))?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
            let mut kept = Vec::new();
            file.take(bytes).read_to_end(&mut kept)?;
            Ok(kept)
        };
        SafeText::from_bytes(read().unwrap_or_default().trim_ascii_end())
    }

    /// The last line of what the tool wrote.
    pub fn last_line(&self) -> SafeText {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(self.slot.join("output"))?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(1024)))?;
            let mut kept = Vec::new();
            file.take(1024).read_to_end(&mut kept)?;
            Ok(kept)
        };
        let kept = read().unwrap_or_default();
        let last = kept.trim_ascii_end().rsplit(|byte| *byte == b'\n').next();
        SafeText::from_bytes(last.unwrap_or_default())
    }
}

fn shown(command: &ToolCommand) -> SafeText {
    SafeText::new(&crate::text::fit(&command.argv.join(" "), 120))
}

/// The kernel's name for this boot.
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}
