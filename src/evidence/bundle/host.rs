//! What can be said of the host: what escalating asks for first (P-73), without running anything.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::source::{From, Item};

/// Kernel, uptime, load, memory, disks of `paths`, processes.
pub fn host(paths: &[PathBuf]) -> Vec<Item> {
    let text = |path: &str, text: String| Item {
        path: format!("state/{path}"),
        kind: "state",
        from: From::Text(text),
    };
    vec![
        text("uname.txt", uname()),
        text("uptime.txt", proc(&["/proc/uptime", "/proc/loadavg"])),
        text("memory.txt", proc(&["/proc/meminfo", "/proc/pressure/memory", "/proc/pressure/io"])),
        text("disks.txt", disks(paths)),
        text("processes.txt", processes()),
    ]
}

fn uname() -> String {
    let name = rustix::system::uname();
    let words = [name.sysname(), name.nodename(), name.release(), name.version(), name.machine()];
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    words.join(" ") + "\n"
}

fn proc(files: &[&str]) -> String {
    let mut text = String::new();
    for file in files {
        let read = fs::read_to_string(file).unwrap_or_else(|e| format!("not readable: {e}\n"));
        write!(text, "# {file}\n{read}").ok();
    }
    text
}

/// Free space and free inodes.
fn disks(paths: &[PathBuf]) -> String {
    let mut text = "kB_size kB_used kB_free inodes inodes_free path\n".to_owned();
    for path in paths {
        let Some(there) = path.ancestors().find(|path| path.exists()) else { continue };
        match rustix::fs::statvfs(there) {
            Ok(disk) => {
                let kilo = |blocks: u64| blocks.saturating_mul(disk.f_frsize) / 1024;
                let (size, free) = (kilo(disk.f_blocks), kilo(disk.f_bavail));
                let used = kilo(disk.f_blocks.saturating_sub(disk.f_bfree));
                let (inodes, left) = (disk.f_files, disk.f_favail);
                writeln!(text, "{size} {used} {free} {inodes} {left} {}", path.display()).ok();
            }
            Err(e) => {
                writeln!(text, "not readable: {e} {}", path.display()).ok();
            }
        }
    }
    text
}

/// Every process with its parent, its state, its memory and its arguments.
fn processes() -> String {
    let mut rows: Vec<(u32, String)> = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        rows.extend(process(pid, &entry.path()).map(|row| (pid, row)));
    }
    rows.sort();
    let mut text = "pid ppid state threads kB_rss command\n".to_owned();
    for (_, row) in rows {
        text.push_str(&row);
    }
    text
}

fn process(pid: u32, folder: &Path) -> Option<String> {
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next().map(str::to_owned)
    };
    let command = fs::read(folder.join("cmdline")).unwrap_or_default();
    let words: Vec<_> = command
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(String::from_utf8_lossy)
        .collect();
    let command = if words.is_empty() {
        format!("[{}]", field("Name:")?)
    } else {
        words.join(" ").replace('\n', " ")
    };
    let or = |name: &str| field(name).unwrap_or_else(|| "-".to_owned());
    let (parent, state, threads) = (or("PPid:"), or("State:"), or("Threads:"));
    Some(format!("{pid} {parent} {state} {threads} {} {command}\n", or("VmRSS:")))
}
