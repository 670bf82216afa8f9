//! Which processes belong to a tool: what descends from its shim, and whoever holds its lock.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::Signal;

use crate::adapters::process::Identity;

/// The living processes that descend from `root`, without itself. While `root` is the reaper of
/// its orphans whoever forks away comes back to it; still one that just changes its parent can be
/// missed, so this says whom to signal and never that nobody is left.
pub(super) fn descendants(root: u32) -> Vec<Identity> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for pid in pids() {
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut seen = BTreeSet::new();
    let mut todo = vec![root];
    while let Some(pid) = todo.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            if seen.insert(*child) {
                todo.push(*child);
            }
        }
    }
    seen.into_iter().filter_map(Identity::of).collect()
}

/// All processes but ourselves that have the file `lock` open, as far as we may see.
pub(super) fn holders(lock: &Path) -> Vec<Identity> {
    let Ok(wanted) = fs::metadata(lock) else {
        return Vec::new();
    };
    let holds = |pid: u32| {
        fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|fd| fs::metadata(fd.path()).ok())
            .any(|found| found.dev() == wanted.dev() && found.ino() == wanted.ino())
    };
    pids()
        .filter(|pid| *pid != std::process::id() && holds(*pid))
        .filter_map(Identity::of)
        .collect()
}

/// Sends `signal` to each. One that is asked to end is also woken, should it be stopped: a stopped
/// process hears nothing but a kill.
pub(super) fn signal_all(processes: &[Identity], signal: Signal) {
    for process in processes {
        // It may be gone by now, or not be ours: what counts is whether the lock gets free.
        process.signal(signal).ok();
        if signal == Signal::TERM {
            process.signal(Signal::CONT).ok();
        }
    }
}

fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    fields.nth(1)?.parse().ok()
}
