//! A real stack in a fresh folder, and the real program run on it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Whether the tests run at their whole numbers.
pub(crate) fn long() -> bool {
    std::env::var_os("BACKOUT_TEST_LONG").is_some_and(|value| value != "0")
}

/// How long a wait may last whose end comes after `usual` on a machine that does nothing else: one
/// that is many times slower is no failure.
pub(crate) fn patience(usual: Duration) -> Duration {
    usual + (usual * 5).min(Duration::from_mins(2))
}

/// What is asserted of a time that is promised: the promise itself in the long run, which has the
/// machine to itself; beside other tests only that it is not out of all bounds.
pub(crate) fn promised(time: Duration) -> Duration {
    if long() { time } else { patience(time) }
}

/// How many stacks live at once: about what two cores carry. One more than tests run at a time, so
/// that one which holds a stack while it starts others is never waited for in vain.
const STACKS: usize = 5;
static LIVING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// A place for a living stack, given back when dropped.
struct Turn;

impl Turn {
    /// Waits until there is one.
    fn take() -> Self {
        let (living, ended) = &LIVING;
        let living = living.lock().unwrap_or_else(PoisonError::into_inner);
        let living = ended.wait_while(living, |living| *living >= STACKS);
        *living.unwrap_or_else(PoisonError::into_inner) += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let (living, ended) = &LIVING;
        *living.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ended.notify_one();
    }
}

/// The embedded stack, ended when dropped.
pub(crate) struct Stack {
    dir: tempfile::TempDir,
    runtime: tempfile::TempDir,
    _turn: Turn,
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
    /// A stack with `fault` in its new version, and short times so that a run takes seconds. No
    /// response is too slow for it: the machine does much else.
    pub(crate) fn up(fault: Option<&str>) -> Self {
        let stack = Self {
            _turn: Turn::take(),
            dir: tempfile::tempdir().unwrap(),
            runtime: tempfile::tempdir().unwrap(),
        };
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
        let text = std::fs::read_to_string(stack.config()).unwrap();
        let changed = text.replacen("rollback: {", "rollback: {good_response: 1m, ", 1);
        assert_ne!(changed, text);
        let changed = changed.replace("timeout_seconds: 2", "timeout_seconds: 20");
        std::fs::write(stack.config(), changed).unwrap();
        stack
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where the sockets of its engines are.
    pub(crate) fn runtime(&self) -> &Path {
        self.runtime.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir().join("backout.yaml")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir().join("state")
    }

    /// Changes one time in the configuration.
    pub(crate) fn set(&self, key: &str, value: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        let at = text.find(key).unwrap_or_else(|| panic!("no {key} in {text}"));
        let end = at + text[at..].find([',', '}', '\n']).unwrap();
        let changed = format!("{}{key}: {value}{}", &text[..at], &text[end..]);
        std::fs::write(self.config(), changed).unwrap();
    }

    /// Ends the clients: nothing is written any more by itself.
    pub(crate) fn end_traffic(&self) {
        let text = std::fs::read(self.dir().join("traffic/process.json")).unwrap();
        let process: Value = serde_json::from_slice(&text).unwrap();
        let pid = process["identity"]["pid"].as_i64().unwrap();
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.wait("the clients end", Duration::from_secs(10), || {
            rustix::process::test_kill_process(pid).is_err()
        });
    }

    /// Ends the engine as a crash would; its keeper starts the next one.
    pub(crate) fn kill_engine(&self) {
        let pid = self.situation().engine.unwrap().pid;
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    /// Everything that the journal knows.
    pub(crate) fn situation(&self) -> backout::model::situation::Situation {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // A journal that is being made is not there yet, or not whole.
            let until = Instant::now() + patience(Duration::from_secs(10));
            loop {
                match backout::journal::Reader::open(&self.state()).await {
                    Ok(mut reader) => break reader.situation().await.unwrap(),
                    Err(error) => assert!(Instant::now() < until, "{error}"),
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
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
            // A bug that this test is to catch.
            .envs(std::env::var("BACKOUT_BUG").map(|bug| ("BACKOUT_BUG", bug)))
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

    /// What one query of the stack's database gives, as text.
    pub(crate) fn ask(&self, query: &'static str) -> Vec<String> {
        let path = self.dir().join("data/app.db");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut database = backout::demo::database::reading(&path).await.unwrap();
            sqlx::query_scalar(query).fetch_all(&mut database).await.unwrap()
        })
    }

    /// The lines of `written.jsonl`: rows that clients were told are saved.
    pub(crate) fn written(&self) -> Vec<backout::demo::writes::Written> {
        let text = std::fs::read_to_string(self.dir().join("written.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Those of them that are not in the database to the byte.
    pub(crate) fn lost(&self) -> Vec<backout::demo::writes::Written> {
        let written = self.written();
        let rows = self.ask(
            "SELECT json_array(id, user_id, started_at) FROM sessions \
             UNION ALL SELECT json_array(id, user_id, title, body) FROM documents",
        );
        let there: std::collections::HashSet<_> = rows
            .iter()
            .map(|row| backout::model::ids::Digest::of(row.as_bytes()).to_string())
            .collect();
        written.into_iter().filter(|line| !there.contains(&line.digest.to_string())).collect()
    }

    /// Asserts that a change of versions alone has left the data as it was: the schema and every
    /// row, beside what clients go on to write.
    pub(crate) fn assert_data_kept(&self) {
        assert_eq!(self.lost(), []);
        let status = self.status();
        assert_eq!(status["damage"], serde_json::json!([]), "{status}");
        let rows = |table: &str| status["tables"][table].as_i64().unwrap();
        assert_eq!((rows("users"), rows("game_state"), rows("schema_migrations")), (400, 200, 5));
        assert!(rows("sessions") >= 600 && rows("documents") >= 300, "{status}");
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

    /// Waits until `done` says so: for `limit` on a machine that does nothing else.
    pub(crate) fn wait(&self, what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
        let limit = patience(limit);
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

/// Runs to the end.
pub(crate) fn said(mut command: Command) -> Said {
    let began = Instant::now();
    let Output { status, stdout, stderr } = command.output().unwrap();
    Said {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
        took: began.elapsed(),
    }
}
