//! What this process uses of the machine, from `/proc`.

use std::time::Duration;

/// The kernel counts processor time for programs in hundredths of a second on every platform that
/// this runs on (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// Processor time and bytes of memory; nothing where `/proc` says nothing.
pub fn usage() -> (Duration, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    (processor(&stat).unwrap_or_default(), memory(&status).unwrap_or_default())
}

/// The fields 14 and 15 of `stat`; the name in brackets before them may hold anything.
fn processor(stat: &str) -> Option<Duration> {
    let (_, after) = stat.rsplit_once(") ")?;
    let mut fields = after.split(' ').skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    Some(TICK * next()?.checked_add(next()?)?)
}

fn memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_hides_nothing() {
        let stat = "1 (a) b) S 0 1 1 0 -1 4194560 1 2 3 4 250 31 0 0 20 0 1 0 5 6 7";
        assert_eq!(processor(stat), Some(Duration::from_millis(2810)));
        let (_, memory) = usage();
        assert!(memory > 1024 * 1024, "{memory}");
    }
}
