//! The label of a base backup: where it begins, and when it was made.

use std::io::Read;
use std::path::Path;

use crate::adapters::Error;
use crate::model::ids::Time;
use crate::model::until::Lsn;

use super::{name, no, opened};

/// What `backup_label` says, or the record of a backup in an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// Where the backup begins in the log.
    pub start: Lsn,
    /// The checkpoint that it begins with.
    pub checkpoint: Lsn,
    /// The timeline.
    pub timeline: u32,
    /// Its name.
    pub name: String,
    /// When it was begun.
    pub begun: Option<Time>,
    /// When it was finished; only the archive's record has it.
    pub finished: Option<Time>,
    /// Where it ends in the log; only the archive's record has it.
    pub stop: Option<Lsn>,
}

impl Label {
    /// Reads it; nothing where it is no label.
    pub fn parse(text: &str) -> Option<Self> {
        let of = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            line.map(str::trim)
        };
        let lsn = |key: &str| of(key)?.split_whitespace().next()?.parse().ok();
        Some(Self {
            start: lsn("START WAL LOCATION")?,
            checkpoint: lsn("CHECKPOINT LOCATION")?,
            timeline: of("START TIMELINE").and_then(|line| line.parse().ok()).unwrap_or(1),
            name: of("LABEL").unwrap_or_default().to_owned(),
            begun: of("START TIME").and_then(utc),
            finished: of("STOP TIME").and_then(utc),
            stop: lsn("STOP WAL LOCATION"),
        })
    }

    /// Reads the label of a base backup: it is the first thing in it.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let io = |e: std::io::Error| Error::io("read", path.display(), &e);
        let mut archive = tar::Archive::new(opened(path)?);
        for entry in archive.entries().map_err(io)? {
            let mut entry = entry.map_err(io)?;
            if name(&entry).map_err(io)? == "backup_label" {
                let mut text = String::new();
                (&mut entry).take(64 * 1024).read_to_string(&mut text).map_err(io)?;
                return Self::parse(&text).ok_or_else(|| no(path, "its backup_label says nothing"));
            }
        }
        Err(no(path, "it has no backup_label: it is no base backup"))
    }
}

/// A time of a server's own files. They are in its log's zone, by that zone's short name: only UTC
/// tells the moment without doubt.
fn utc(text: &str) -> Option<Time> {
    let (time, zone) = text.rsplit_once(' ')?;
    let known = ["UTC", "GMT", "Etc/UTC"].contains(&zone);
    let time = chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%d %H:%M:%S%.f").ok()?;
    // The server drops what is below a second: a backup is finished no later than that.
    let late = chrono::Duration::milliseconds(999);
    known.then(|| time.and_utc().checked_add_signed(late))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_and_a_record_of_a_backup_are_read() {
        let label = "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n\
            CHECKPOINT LOCATION: 0/2000060\nBACKUP METHOD: streamed\nBACKUP FROM: primary\n\
            START TIME: 2026-11-22 11:44:35 UTC\nLABEL: 20261122-114417\nSTART TIMELINE: 1\n";
        let read = Label::parse(label).unwrap();
        assert_eq!((read.start, read.timeline), (Lsn(0x200_0028), 1));
        assert_eq!((read.name.as_str(), read.finished), ("20261122-114417", None));
        let record = format!(
            "{label}STOP WAL LOCATION: 0/2000100 (file 2)\nSTOP TIME: 2026-11-22 11:44:38 UTC\n"
        );
        let read = Label::parse(&record).unwrap();
        assert_eq!(read.stop, Some(Lsn(0x200_0100)));
        assert_eq!(read.finished, Some("2026-11-22T11:44:38.999Z".parse().unwrap()));
        assert_eq!(utc("2026-11-22 11:44:38 CET"), None, "a short name of a zone is no moment");
        assert_eq!(Label::parse("nothing"), None);
    }
}
