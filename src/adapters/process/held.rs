//! A helper of another program that lives as long as it is held.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::adapters::{Error, Kind};
use crate::text::SafeText;

use super::ONLY_OURS;

/// It is killed when this is dropped, and its input ends when this process does in whatever way.
#[derive(Debug)]
pub struct Held(Child);

impl Held {
    /// Starts `argv` with this user's environment (`ssh` finds its agent there); what it says goes
    /// into `log`.
    #[expect(clippy::disallowed_methods, reason = "adapters/process is where processes start")]
    pub fn start(argv: &[String], log: &Path) -> Result<Self, Error> {
        let Some((name, arguments)) = argv.split_first() else {
            return Err(Error::new(Kind::Local, "could not run a helper: its argv is empty"));
        };
        let errors = File::create(log).map_err(|e| Error::io("write", log.display(), &e))?;
        let mut command = Command::new(name);
        for name in ONLY_OURS {
            command.env_remove(name);
        }
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(errors);
        // An interrupt of the terminal is for us, and not for it.
        let child = command.process_group(0).spawn();
        child.map(Self).map_err(|e| Error::io("run", SafeText::new(name), &e))
    }

    /// Whether it still runs.
    pub fn lives(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
