//! `system_resource`: CPU, memory, swap, disk, inodes, load and file descriptors of this machine
//! (P-23), in per cent but for the load.
//!
//! Read from `/proc` and with statvfs: a handful of `name: number` lines, for which a crate that
//! lists processes, networks and sensors as well would be more to keep than to write. In a
//! container the numbers are those of the host, as `/proc` shows them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::reading::{Finding, Reason};

use super::seen::Seen;
use super::threshold::Thresholds;
use super::{Memory, ProbeCx};

/// Settings of this kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What to look at.
    pub resource: Resource,
    /// Thresholds on its use.
    pub thresholds: Thresholds,
}

/// A resource of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// All processors, in per cent of the time since the last look.
    Cpu,
    /// Memory that is not available, in per cent.
    Memory,
    /// Swap in use, in per cent; a machine without swap uses none.
    Swap,
    /// Bytes of the file system at this path, in per cent as `df` counts them.
    Disk(PathBuf),
    /// Inodes of the file system at this path, in per cent.
    Inodes(PathBuf),
    /// Load average of one minute: as it stands, or divided by the processors.
    Load {
        /// Divided.
        per_core: bool,
    },
    /// File descriptors of the whole system, in per cent of its limit.
    FileDescriptors,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Memory => f.write_str("memory"),
            Self::Swap => f.write_str("swap"),
            Self::Disk(path) => write!(f, "disk {}", path.display()),
            Self::Inodes(path) => write!(f, "inodes {}", path.display()),
            Self::Load { per_core: true } => f.write_str("load per core"),
            Self::Load { per_core: false } => f.write_str("load"),
            Self::FileDescriptors => f.write_str("file descriptors"),
        }
    }
}

/// Ticks that all processors have spent since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    busy: u64,
    total: u64,
}

/// The longest that a first look waits for a second one.
const BETWEEN: Duration = Duration::from_millis(500);

/// A value with its unit, or why there is none.
type Measured = Result<(f64, &'static str), (Reason, String)>;

impl Settings {
    /// Looks once, within `limit`. A first look at the processors waits half a second for a
    /// second one; later looks compare with the one before.
    pub async fn probe(&self, limit: Duration, cx: &ProbeCx, memory: &mut Memory) -> Seen {
        let measured = match &self.resource {
            Resource::Cpu => cpu(limit, cx, memory).await,
            Resource::Memory => {
                file("/proc/meminfo", |text| {
                    let (total, free) = (field(text, "MemTotal:")?, field(text, "MemAvailable:")?);
                    percent(total.saturating_sub(free), total)
                })
                .await
            }
            Resource::Swap => {
                file("/proc/meminfo", |text| {
                    let (total, free) = (field(text, "SwapTotal:")?, field(text, "SwapFree:")?);
                    Some(percent(total.saturating_sub(free), total).unwrap_or((0.0, "%")))
                })
                .await
            }
            Resource::Load { per_core } => {
                let cores = if *per_core { cores().await } else { 1.0 };
                file("/proc/loadavg", |text| {
                    let load: f64 = text.split_ascii_whitespace().next()?.parse().ok()?;
                    Some((hundredths(load / cores), ""))
                })
                .await
            }
            Resource::FileDescriptors => {
                file("/proc/sys/fs/file-nr", |text| {
                    let mut numbers = text.split_ascii_whitespace();
                    let used = numbers.next()?.parse().ok()?;
                    percent(used, numbers.nth(1)?.parse().ok()?)
                })
                .await
            }
            Resource::Disk(path) => file_system(path, false).await,
            Resource::Inodes(path) => file_system(path, true).await,
        };
        match measured {
            Ok((value, unit)) => self.judge(value, unit),
            Err((reason, why)) => Seen::unknown(reason, &why),
        }
    }

    fn judge(&self, value: f64, unit: &'static str) -> Seen {
        let finding =
            if self.thresholds.any() { self.thresholds.judge(value, unit) } else { Finding::Good };
        let space = if unit.is_empty() { "" } else { " " };
        Seen::new(finding, &format!("{value}{space}{unit}")).with_value(value, unit)
    }
}

async fn cpu(limit: Duration, cx: &ProbeCx, memory: &mut Memory) -> Measured {
    let first = if let Some(before) = memory.cpu.take() {
        before
    } else {
        let first = counters().await?;
        cx.clock.sleep(BETWEEN.min(limit / 2)).await;
        first
    };
    let now = counters().await?;
    memory.cpu = Some(now);
    let total = now.total.saturating_sub(first.total);
    percent(now.busy.saturating_sub(first.busy), total)
        .ok_or_else(|| (Reason::NoData, "no time passed on any processor since then".into()))
}

async fn counters() -> Result<Counters, (Reason, String)> {
    let text = text("/proc/stat").await?;
    read_counters(&text).ok_or_else(|| (Reason::Parse, "could not read /proc/stat".into()))
}

/// `cpu user nice system idle iowait irq softirq steal …`; guests are in user already.
fn read_counters(text: &str) -> Option<Counters> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Option<Vec<u64>> =
        line.split_ascii_whitespace().take(8).map(|tick| tick.parse().ok()).collect();
    let ticks = ticks?;
    let idle = ticks.get(3)? + ticks.get(4).copied().unwrap_or_default();
    let total: u64 = ticks.iter().sum();
    Some(Counters { busy: total.saturating_sub(idle), total })
}

/// The processors that are online.
async fn cores() -> f64 {
    let text = text("/proc/stat").await.unwrap_or_default();
    let lines = text.lines().filter(|line| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    #[expect(clippy::cast_precision_loss, reason = "a number of processors")]
    let cores = lines.count().max(1) as f64;
    cores
}

async fn text(path: &str) -> Result<String, (Reason, String)> {
    tokio::fs::read_to_string(path).await.map_err(|e| (blind(&e), format!("{path}: {e}")))
}

async fn file(path: &str, read: impl FnOnce(&str) -> Option<(f64, &'static str)>) -> Measured {
    let text = text(path).await?;
    read(&text).ok_or_else(|| (Reason::Parse, format!("could not read {path}")))
}

/// Why a file of the system cannot be read: we may not, or it is not there.
fn blind(error: &std::io::Error) -> Reason {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => Reason::NoPermission,
        _ => Reason::NoData,
    }
}

/// The number behind `name` in lines such as `MemTotal:  16 kB`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Use in per cent as `df` counts it: of what ordinary users can have.
async fn file_system(path: &Path, inodes: bool) -> Measured {
    let (at, name) = (path.to_owned(), path.display());
    // A network file system that hangs blocks a thread of its own, not the others' looks.
    let found = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&at)).await;
    let found = match found {
        Ok(Ok(found)) => found,
        Ok(Err(errno)) => {
            let error = std::io::Error::from(errno);
            return Err((blind(&error), format!("{name}: {error}")));
        }
        Err(error) => return Err((Reason::NoData, format!("{name}: {error}"))),
    };
    let (all, free, available) = if inodes {
        (found.f_files, found.f_ffree, found.f_favail)
    } else {
        (found.f_blocks, found.f_bfree, found.f_bavail)
    };
    let used = all.saturating_sub(free);
    percent(used, used + available)
        .ok_or_else(|| (Reason::NoData, format!("{name} is on a file system that counts none")))
}

/// Part of a whole, to the tenth; nothing of nothing is not known.
fn percent(part: u64, whole: u64) -> Option<(f64, &'static str)> {
    if whole == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a share for a threshold")]
    let share = part as f64 * 100.0 / whole as f64;
    Some(((share * 10.0).round() / 10.0, "%"))
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::checks::threshold::Range;
    use crate::checks::{CheckKind, fixture, look, probe};
    use crate::model::reading::Reading;

    fn spec(resource: Resource, thresholds: Thresholds) -> crate::checks::CheckSpec {
        let kind = CheckKind::SystemResource(Settings { resource, thresholds });
        fixture::spec(kind, Duration::from_secs(5))
    }

    async fn see(resource: Resource) -> Reading {
        probe(&spec(resource, Thresholds::default()), &fixture::cx()).await
    }

    #[test]
    fn waiting_for_a_disk_is_not_work() {
        let text = "cpu  10 0 20 60 5 1 2 2 7 0\ncpu0 1 1 1 1\nintr 5\n";
        assert_eq!(read_counters(text), Some(Counters { busy: 35, total: 100 }));
        assert_eq!(read_counters("cpu  1 2 x 4\n"), None);
        assert_eq!(read_counters(""), None);
    }

    #[tokio::test]
    async fn every_resource_of_this_machine_has_a_value() {
        let here = PathBuf::from("/");
        for resource in [
            Resource::Cpu,
            Resource::Memory,
            Resource::Swap,
            Resource::Disk(here.clone()),
            Resource::FileDescriptors,
        ] {
            let reading = see(resource.clone()).await;
            assert_eq!(reading.finding, Finding::Good, "{resource}: {}", reading.note);
            assert!((0.0..=100.0).contains(&reading.value.unwrap()), "{resource}: {reading:?}");
            assert_eq!(reading.unit, "%");
        }
        let load = see(Resource::Load { per_core: false }).await;
        let each = see(Resource::Load { per_core: true }).await;
        assert!(load.value.is_some() && each.value.is_some(), "{load:?} {each:?}");
    }

    #[tokio::test]
    async fn the_disk_is_as_full_as_df_says() {
        let dir = tempfile::tempdir().unwrap();
        let ours = see(Resource::Disk(dir.path().to_owned())).await.value.unwrap();
        let cx = fixture::cx();
        let line = format!("df -P {} | awk 'NR == 2 {{print $5}}'", dir.path().display());
        let limit = Duration::from_secs(5);
        let df = crate::adapters::process::shell(&line, &cx.dir, limit, 100, &cx.clock).await;
        let df = String::from_utf8(df.unwrap().stdout).unwrap();
        let df: f64 = df.trim().trim_end_matches('%').parse().unwrap();
        assert!((df - ours.ceil()).abs() <= 1.0, "df says {df}, we say {ours}");
    }

    #[tokio::test]
    async fn what_is_not_there_is_unknown_and_never_good() {
        let reading = see(Resource::Disk("/no/such/folder".into())).await;
        assert_eq!(reading.finding, Finding::Unknown { reason: Reason::NoData });
        assert!(reading.note.as_str().contains("/no/such/folder"));
    }

    /// P-23: a busy loop on all cores turns the row red. The threshold is what two loops must
    /// reach on any machine that runs them at all, not the documents' 95.
    #[tokio::test]
    async fn a_busy_machine_reads_busier_than_an_idle_one_can() {
        let stop = Arc::new(AtomicBool::new(false));
        let count = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let threads: Vec<_> = (0..count)
            .map(|_| {
                let stop = Arc::clone(&stop);
                std::thread::spawn(move || while !stop.load(Ordering::Relaxed) {})
            })
            .collect();
        let critical = Some(Range::From(50.0));
        let spec = spec(Resource::Cpu, Thresholds { warning: None, critical });
        let (cx, mut memory) = (fixture::cx(), Memory::default());
        let first = look(&spec, &cx, &mut memory).await;
        assert!(matches!(first.finding, Finding::Bad { .. }), "{}", first.note);
        assert!(memory.cpu.is_some(), "the counters are kept for the next look");
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().unwrap();
        }
    }
}
