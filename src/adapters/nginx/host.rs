//! nginx's processes on this host, as the kernel tells them. Those of a container are seen from here
//! too, and are another nginx's.

use std::fs;

use crate::adapters::Error;
use crate::adapters::process::Identity;

/// Ticks of a second in `/proc`: the same on every machine that Linux is used on today.
const TICKS: u64 = 100;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    /// Its pid.
    pub(super) pid: u32,
    /// Its parent's.
    pub(super) parent: u32,
    /// For how long it has run, in seconds.
    age: u64,
    /// What it says that it is.
    title: String,
}

impl Process {
    /// The words that `ps -o pid,ppid,etimes,args` would say of it.
    pub(super) fn line(&self) -> Vec<String> {
        let numbers = [u64::from(self.pid), u64::from(self.parent), self.age];
        let words = self.title.split_whitespace().map(str::to_owned);
        numbers.iter().map(u64::to_string).chain(words).collect()
    }

    fn of(pid: u32, uptime: u64) -> Option<Self> {
        let title = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let title = String::from_utf8_lossy(&title).trim_matches('\0').to_owned();
        if !title.starts_with("nginx: ") || !is_here(pid) {
            return None;
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let parent = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()?;
        let started = Identity::of(pid)?.started / TICKS;
        Some(Self { pid, parent, age: uptime.saturating_sub(started), title })
    }
}

/// Whether a process is in no container. What may not be looked at is taken for one of ours.
fn is_here(pid: u32) -> bool {
    let space = |of: &str| fs::read_link(format!("/proc/{of}/ns/pid")).ok();
    match (space(&pid.to_string()), space("self")) {
        (Some(its), Some(ours)) => its == ours,
        (Some(_) | None, Some(_) | None) => true,
    }
}

/// All of this host's.
pub(super) fn processes() -> Result<Vec<Process>, Error> {
    let failed = |e: std::io::Error| Error::io("read", "/proc", &e);
    let uptime = fs::read_to_string("/proc/uptime").map_err(failed)?;
    let uptime = uptime.split('.').next().and_then(|text| text.parse().ok()).unwrap_or_default();
    let names = fs::read_dir("/proc").map_err(failed)?.flatten();
    let pids = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(|pid| Process::of(pid, uptime)).collect())
}

/// The pids of those that lead others.
pub(super) fn masters(all: &[Process]) -> Vec<u32> {
    let leads = all.iter().filter(|one| one.title.starts_with("nginx: master process"));
    leads.map(|one| one.pid).collect()
}
