//! A real stack in a fresh folder, and the real program run on it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The embedded stack, ended when dropped.
pub(crate) struct Stack {
    dir: tempfile::TempDir,
    runtime: tempfile::TempDir,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) took: Duration,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }
}

impl Stack {
    /// A stack with `fault` in its new version, and short times so that a run takes seconds.
    pub(crate) fn up(fault: Option<&str>) -> Self {
        let stack =
            Self { dir: tempfile::tempdir().unwrap(), runtime: tempfile::tempdir().unwrap() };
        let dir = stack.dir().to_str().unwrap().to_owned();
        let mut arguments = vec!["demo", "up", "--dir", &dir];
        if let Some(fault) = fault {
            arguments.extend(["--fault", fault]);
        }
        let said = stack.run(&arguments);
        assert_eq!(said.code, 0, "{said:?}");
        stack.set("keep_failed_up_seconds", "1");
        stack.set("watch_window_seconds", "3");
        stack.set("gate_every_seconds", "0.2");
        stack
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir().join("backout.yaml")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir().join("state")
    }

    /// Changes one time in the configuration.
    fn set(&self, key: &str, value: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        let at = text.find(key).unwrap_or_else(|| panic!("no {key} in {text}"));
        let end = at + text[at..].find([',', '}', '\n']).unwrap();
        let changed = format!("{}{key}: {value}{}", &text[..at], &text[end..]);
        std::fs::write(self.config(), changed).unwrap();
    }

    /// The program, in a closed environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_backout"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.runtime.path())
            .env("USER", "tester")
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .env("XDG_RUNTIME_DIR", self.runtime.path())
            .env("BACKOUT_CONFIG", self.config())
            .current_dir(self.dir())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        said(self.command(arguments))
    }

    /// Runs with a fault in the engine: see the feature `faults`.
    pub(crate) fn run_with(&self, fault: &str, arguments: &[&str]) -> Said {
        let mut command = self.command(arguments);
        command.env("BACKOUT_FAULT", fault);
        said(command)
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub(crate) fn status(&self) -> Value {
        let dir = self.dir().to_str().unwrap();
        let said = self.run(&["demo", "status", "--dir", dir, "--json"]);
        assert_eq!(said.code, 0, "{said:?}");
        said.json()
    }

    /// Effects that the stack's own processes wrote down, without their times.
    pub(crate) fn ledger(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.dir().join("ledger.log")).unwrap_or_default();
        let line = |line: &str| line.split_once(' ').map(|(_, rest)| rest.to_owned());
        text.lines().filter_map(line).collect()
    }

    /// The database's bytes.
    pub(crate) fn database(&self) -> Vec<u8> {
        std::fs::read(self.dir().join("data/app.db")).unwrap()
    }

    /// Lines of the traffic log: requests that failed or were slow, with their start.
    pub(crate) fn bad_requests(&self) -> Vec<(chrono::DateTime<chrono::Utc>, String)> {
        let text = std::fs::read_to_string(self.dir().join("traffic.log")).unwrap_or_default();
        text.lines()
            .filter_map(|line| {
                let (at, rest) = line.split_once(' ')?;
                Some((at.parse().ok()?, rest.to_owned()))
            })
            .collect()
    }

    /// Waits until `done` says so.
    pub(crate) fn wait(&self, what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
        let until = Instant::now() + limit;
        while !done() {
            assert!(Instant::now() < until, "waited {limit:?} in vain: {what}\n{}", self.log());
            std::thread::yield_now();
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// What the engine wrote about itself.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.state().join("engine.log")).unwrap_or_default()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let dir = self.dir().to_str().unwrap().to_owned();
        self.run(&["demo", "down", "--dir", &dir]);
    }
}

fn said(mut command: Command) -> Said {
    let began = Instant::now();
    let Output { status, stdout, stderr } = command.output().unwrap();
    Said {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
        took: began.elapsed(),
    }
}
