//! The room that all sources have together.

use std::fs;
use std::path::Path;

use super::super::Error;
use super::{Limits, Segment, SourceWriter};

/// Gives up old segments while all sources together have more than the ring: first of folders that
/// nobody writes any more, then the oldest of those sources that have more than an equal share, so
/// that one that floods does not cost the others theirs. What an incident pinned counts against
/// the larger, pinned room, and goes last.
pub fn keep_within(
    spool: &Path,
    writers: &mut [&mut SourceWriter],
    limits: &Limits,
) -> Result<(), Error> {
    let mut own: u64 = writers.iter().map(|writer| writer.bytes()).sum();
    // Every one is asked: each forgets that it has begun.
    let begun = writers.iter_mut().filter_map(|writer| writer.has_begun().then_some(())).count();
    if own <= limits.ring && begun == 0 {
        return Ok(());
    }
    own += forsaken(spool, writers, limits.ring.saturating_sub(own))?;
    let count = u64::try_from(writers.len()).unwrap_or(1).max(1);
    loop {
        let pinned = writers.iter().any(|writer| writer.is_pinned());
        let room = if pinned { limits.pinned.max(limits.ring) } else { limits.ring };
        let free: u64 = writers.iter().map(|writer| writer.unpinned_bytes()).sum();
        if own <= limits.ring || (pinned && own <= room && free <= limits.ring) {
            return Ok(());
        }
        let share = limits.ring / count;
        let oldest = |pinned: bool| {
            let candidates = writers.iter().enumerate();
            candidates
                .filter(|(_, writer)| pinned || writer.bytes() > share)
                .filter_map(|(at, writer)| Some((writer.oldest(pinned)?, at)))
                .min()
        };
        // Pinned ones go only when even the larger room is full.
        let Some((_, at)) = oldest(false).or_else(|| oldest(true).filter(|_| own > room)) else {
            return Ok(());
        };
        let Some(writer) = writers.get_mut(at) else { return Ok(()) };
        let before = writer.bytes();
        writer.give_up_oldest()?;
        own = own.saturating_sub(before.saturating_sub(writer.bytes()));
    }
}

/// Removes old segments of folders that none of the writers writes, until what is left of them
/// fits into `room`; how many bytes are left.
fn forsaken(spool: &Path, writers: &[&mut SourceWriter], room: u64) -> Result<u64, Error> {
    let mut found = Vec::new();
    for folder in fs::read_dir(spool).map_err(Error::file("list", spool))?.flatten() {
        let folder = folder.path();
        if !folder.is_dir() || writers.iter().any(|writer| writer.folder() == folder) {
            continue;
        }
        for segment in Segment::list(&folder)? {
            let path = folder.join(segment.file_name());
            let length = path.metadata().map_or(0, |meta| meta.len());
            found.push((segment.ms, path, length));
        }
    }
    found.sort();
    let mut left: u64 = found.iter().map(|(_, _, length)| length).sum();
    for (_, path, length) in found {
        if left <= room {
            break;
        }
        fs::remove_file(&path).map_err(Error::file("remove", &path))?;
        left -= length;
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{TimeZone as _, Utc};

    use super::*;

    fn limits() -> Limits {
        Limits { segment: 4096, ring: 64 * 1024, pinned: 128 * 1024, age: Duration::from_hours(1) }
    }

    fn at(ms: i64) -> crate::model::ids::Time {
        Utc.timestamp_millis_opt(1_763_769_600_000 + ms).unwrap()
    }

    fn fill(writer: &mut SourceWriter, from: i64, bytes: usize) {
        for number in 0..bytes / 100 {
            let ms = from + i64::try_from(number).unwrap();
            writer.append(at(ms), "x".repeat(85).as_bytes()).unwrap();
            if number.is_multiple_of(40) {
                writer.flush().unwrap();
            }
        }
        writer.flush().unwrap();
    }

    #[test]
    fn a_flood_of_one_source_does_not_cost_another_its_share() {
        let dir = tempfile::tempdir().unwrap();
        let mut quiet = SourceWriter::open(dir.path(), "quiet", limits()).unwrap();
        let mut loud = SourceWriter::open(dir.path(), "loud", limits()).unwrap();
        fill(&mut quiet, 0, 20_000);
        let kept = quiet.bytes();
        fill(&mut loud, 1_000, 200_000);
        keep_within(dir.path(), &mut [&mut quiet, &mut loud], &limits()).unwrap();
        assert_eq!(quiet.bytes(), kept);
        assert!(quiet.bytes() + loud.bytes() <= limits().ring);
        assert!(loud.bytes() > limits().ring / 2);
    }

    #[test]
    fn all_sources_together_stay_within_the_ring() {
        let dir = tempfile::tempdir().unwrap();
        let mut writers: Vec<SourceWriter> = (0..5)
            .map(|number| SourceWriter::open(dir.path(), &number.to_string(), limits()).unwrap())
            .collect();
        for (number, writer) in writers.iter_mut().enumerate() {
            fill(writer, i64::try_from(number).unwrap() * 100, 50_000);
        }
        let mut all: Vec<&mut SourceWriter> = writers.iter_mut().collect();
        keep_within(dir.path(), &mut all, &limits()).unwrap();
        let bytes: u64 = all.iter().map(|writer| writer.bytes()).sum();
        assert!(bytes <= limits().ring, "{bytes}");
    }

    #[test]
    fn what_an_incident_pinned_goes_last() {
        let dir = tempfile::tempdir().unwrap();
        let mut pinned = SourceWriter::open(dir.path(), "pinned", limits()).unwrap();
        let mut other = SourceWriter::open(dir.path(), "other", limits()).unwrap();
        fill(&mut pinned, 0, 40_000);
        pinned.pin(at(0)).unwrap();
        let kept = pinned.bytes();
        fill(&mut other, 1_000, 120_000);
        keep_within(dir.path(), &mut [&mut pinned, &mut other], &limits()).unwrap();
        assert_eq!(pinned.bytes(), kept);
        assert!(other.bytes() <= limits().ring, "{}", other.bytes());
    }

    #[test]
    fn a_source_that_is_no_longer_written_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let mut old = SourceWriter::open(dir.path(), "old", limits()).unwrap();
        fill(&mut old, 0, 60_000);
        drop(old);
        let mut now = SourceWriter::open(dir.path(), "now", limits()).unwrap();
        fill(&mut now, 1_000, 60_000);
        let kept = now.bytes();
        keep_within(dir.path(), &mut [&mut now], &limits()).unwrap();
        assert_eq!(now.bytes(), kept);
        let left = forsaken(dir.path(), &[&mut now], u64::MAX).unwrap();
        assert!(left + kept <= limits().ring, "{left} {kept}");
    }
}
