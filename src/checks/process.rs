//! `process`: how many processes of a name, a pid file or a command line run on this machine, and
//! how much memory they hold. By numbers and start, never by grepping `ps`: that finds itself
//! (W-41).

use std::fmt;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::adapters::process::Identity;
use crate::model::reading::{Finding, Reason, WhyClass};
use crate::text::SafeText;

use super::seen::Seen;
use super::threshold::Thresholds;

/// Settings of this kind.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which processes.
    pub which: Which,
    /// The least that have to run; with 0 none has to.
    pub least: u32,
    /// The most that may run.
    pub most: Option<u32>,
    /// What the thresholds judge.
    pub measure: Measure,
    /// Thresholds on the number of processes, or on their memory.
    pub thresholds: Thresholds,
}

/// Which processes are meant.
#[derive(Clone, Debug)]
pub enum Which {
    /// Those of this program name.
    Name(String),
    /// The one whose number is in this file.
    PidFile(PathBuf),
    /// Those whose command line holds this pattern.
    Command(Regex),
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::PidFile(path) => write!(f, "{}", path.display()),
            Self::Command(pattern) => write!(f, "/{pattern}/"),
        }
    }
}

/// What the thresholds judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// How many run.
    Count,
    /// The memory that all of them hold (resident set), in MiB.
    Memory,
}

/// The name of a process as the kernel keeps it is cut after so many bytes.
const COMM: usize = 15;
/// Bytes of a command line that a pattern is looked for in.
const COMMAND: usize = 64 * 1024;

/// One process that was found.
#[derive(Clone, Copy, Debug)]
struct Found {
    pid: u32,
    kib: u64,
}

/// Why nothing is known.
type Blind = (Reason, String);

impl Settings {
    /// Looks once.
    pub async fn probe(&self) -> Seen {
        let which = self.which.clone();
        let found = tokio::task::spawn_blocking(move || find(&which)).await;
        match found {
            Ok(Ok(Some(found))) => self.judge(&found),
            Ok(Ok(None)) => {
                let text = format!("there is no pid file {}", self.which);
                Seen::bad(WhyClass::Content, "no pid file", &text)
            }
            Ok(Err((reason, why))) => Seen::unknown(reason, &why),
            Err(error) => Seen::unknown(Reason::NoTool, &error.to_string()),
        }
    }

    fn judge(&self, found: &[Found]) -> Seen {
        let count = u32::try_from(found.len()).unwrap_or(u32::MAX);
        let mib = found.iter().map(|one| one.kib).sum::<u64>() / 1024;
        #[expect(clippy::cast_precision_loss, reason = "a size for a threshold")]
        let (value, unit) = match self.measure {
            Measure::Count => (f64::from(count), "processes"),
            Measure::Memory => (mib as f64, "MiB"),
        };
        let note = match (count, found) {
            (0, _) => "not running".to_owned(),
            (1, [one]) => format!("pid {}, {mib} MiB", one.pid),
            _ => format!("{count} run, {mib} MiB"),
        };
        let wrong = if count < self.least {
            Some(format!("at least {}", self.least))
        } else {
            let most = self.most.filter(|most| count > *most);
            most.map(|most| format!("at most {most}"))
        };
        let seen = match wrong {
            Some(wrong) => {
                let text = format!("{count} of {} run, {wrong} expected", self.which);
                Seen::bad(WhyClass::Content, &note, &text)
            }
            None if self.thresholds.any() => Seen::new(self.thresholds.judge(value, unit), &note),
            None => Seen::new(Finding::Good, &note),
        };
        let pids: Vec<String> = found.iter().take(32).map(|one| one.pid.to_string()).collect();
        seen.with_value(value, unit).with_fact(&format!("pids: {}", pids.join(" ")))
    }
}

/// The processes that are meant; nothing when there is no pid file.
fn find(which: &Which) -> Result<Option<Vec<Found>>, Blind> {
    match which {
        Which::PidFile(path) => of_file(path),
        Which::Name(name) => scan(|pid| named(pid, name)).map(Some),
        Which::Command(pattern) => {
            scan(|pid| command(pid).is_some_and(|line| pattern.is_match(&line))).map(Some)
        }
    }
}

fn of_file(path: &Path) -> Result<Option<Vec<Found>>, Blind> {
    use std::io::{ErrorKind, Read};
    let name = path.display();
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(64).read_to_string(&mut text));
    match read {
        Ok(_) => {}
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {
            return Err((Reason::NoPermission, format!("could not read {name}: {e}")));
        }
        Err(e) => return Err((Reason::Parse, format!("could not read {name}: {e}"))),
    }
    let first = text.split_ascii_whitespace().next().unwrap_or_default();
    let Ok(pid) = first.parse::<u32>() else {
        let held = SafeText::new(first);
        return Err((Reason::Parse, format!("{name} holds {:?}, not a pid", held.as_str())));
    };
    // A pid file that was left behind names nobody, or a process that began after it was written;
    // the latter cannot be told apart here, the name of the program can be checked beside it.
    Ok(Some(Identity::of(pid).map(|_| Found { pid, kib: memory(pid) }).into_iter().collect()))
}

/// Every living process but our own for which `meant` holds.
fn scan(meant: impl Fn(u32) -> bool) -> Result<Vec<Found>, Blind> {
    let entries =
        std::fs::read_dir("/proc").map_err(|e| (Reason::NoTool, format!("/proc: {e}")))?;
    let own = std::process::id();
    let found: Vec<Found> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != own && meant(*pid) && Identity::of(*pid).is_some())
        .map(|pid| Found { pid, kib: memory(pid) })
        .collect();
    if found.is_empty() && std::fs::metadata("/proc/1").is_err() {
        let why = "/proc hides the processes of other users (hidepid), so none proves nothing";
        return Err((Reason::NoPermission, why.into()));
    }
    Ok(found)
}

/// Whether the kernel's name of it, or the file it says it was started from, is `name`.
fn named(pid: u32, name: &str) -> bool {
    let comm = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    let cut = name.as_bytes().get(..COMM).unwrap_or(name.as_bytes());
    if comm.trim_ascii_end() == cut && name.len() <= COMM {
        return true;
    }
    let line = bytes_of_command(pid);
    let program = line.split(|byte| *byte == 0).next().unwrap_or_default();
    program.rsplit(|byte| *byte == b'/').next() == Some(name.as_bytes())
}

fn command(pid: u32) -> Option<String> {
    let bytes = bytes_of_command(pid);
    let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
    Some(text.trim_end().to_owned()).filter(|text| !text.is_empty())
}

fn bytes_of_command(pid: u32) -> Vec<u8> {
    use std::io::Read;
    let mut bytes = Vec::new();
    if let Ok(file) = std::fs::File::open(format!("/proc/{pid}/cmdline")) {
        file.take(COMMAND as u64).read_to_end(&mut bytes).ok();
    }
    bytes
}

/// Its resident set in KiB; a process that is gone by now holds none.
fn memory(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use super::*;
    use crate::checks::threshold::Range;
    use crate::checks::{CheckKind, fixture, probe};
    use crate::model::reading::Reading;

    /// A process that sleeps with `mark` on its command line, ended when dropped.
    struct Sleeper(Child);

    impl Sleeper {
        #[expect(clippy::disallowed_methods, reason = "a process to be found")]
        fn start(mark: &str) -> Self {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", "read line", mark]).stdin(Stdio::piped());
            let child = command.spawn().unwrap();
            // It has its command line a moment after it has been started.
            while super::command(child.id()).is_none_or(|line| !line.contains(mark)) {
                std::thread::yield_now();
            }
            Self(child)
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            self.0.kill().ok();
            self.0.wait().ok();
        }
    }

    fn settings(which: Which) -> Settings {
        let thresholds = Thresholds::default();
        Settings { which, least: 1, most: None, measure: Measure::Count, thresholds }
    }

    async fn see(settings: Settings) -> Reading {
        let spec = fixture::spec(CheckKind::Process(settings), Duration::from_secs(5));
        probe(&spec, &fixture::cx()).await
    }

    fn marked(mark: &str) -> Which {
        Which::Command(Regex::new(mark).unwrap())
    }

    #[tokio::test]
    async fn processes_are_counted_by_their_command_line() {
        let mark = format!("backout-sleeper-{}", std::process::id());
        let none = see(settings(marked(&mark))).await;
        assert!(matches!(&none.finding, Finding::Bad { why } if why.class == WhyClass::Content));
        assert_eq!(none.note.as_str(), "not running");
        let first = Sleeper::start(&mark);
        let one = see(settings(marked(&mark))).await;
        assert_eq!((one.finding, one.value), (Finding::Good, Some(1.0)));
        assert!(one.note.as_str().starts_with(&format!("pid {}", first.0.id())), "{}", one.note);
        let _second = Sleeper::start(&mark);
        let two = see(Settings { most: Some(1), ..settings(marked(&mark)) }).await;
        assert!(
            matches!(&two.finding, Finding::Bad { why } if why.text.as_str().ends_with("at most 1 expected")),
            "{:?}",
            two.finding
        );
    }

    #[tokio::test]
    async fn a_name_is_found_and_memory_is_judged() {
        let _sleeper = Sleeper::start("x");
        let by_name = see(settings(Which::Name("sh".into()))).await;
        assert_eq!(by_name.finding, Finding::Good, "{}", by_name.note);
        let critical = Some(Range::From(0.0));
        let thresholds = Thresholds { warning: None, critical };
        let measure = Measure::Memory;
        let all = Settings { measure, thresholds, ..settings(Which::Name("sh".into())) };
        let memory = see(all).await;
        assert_eq!(memory.unit, "MiB");
        assert!(
            matches!(&memory.finding, Finding::Bad { why } if why.class == WhyClass::Threshold)
        );
        let none = see(settings(Which::Name("no-such-program-here".into()))).await;
        assert!(matches!(none.finding, Finding::Bad { .. }));
    }

    #[tokio::test]
    async fn a_pid_file_names_a_living_process_or_fails() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.pid");
        let which = || Which::PidFile(path.clone());
        assert_eq!(see(settings(which())).await.note.as_str(), "no pid file");
        std::fs::write(&path, format!("{}\n", std::process::id())).unwrap();
        assert_eq!(see(settings(which())).await.finding, Finding::Good);
        let mut dead = Sleeper::start("x");
        dead.0.kill().unwrap();
        dead.0.wait().unwrap();
        std::fs::write(&path, dead.0.id().to_string()).unwrap();
        assert_eq!(see(settings(which())).await.note.as_str(), "not running");
        std::fs::write(&path, "\x1b[2Jrubbish").unwrap();
        let rubbish = see(settings(which())).await;
        assert_eq!(rubbish.finding, Finding::Unknown { reason: Reason::Parse });
        assert!(!rubbish.note.as_str().contains('\x1b'));
    }
}
