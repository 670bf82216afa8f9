//! Logs of a server as they lie in an archive: which are there, whose they are, where one is
//! missing, and from when to when they can bring a base backup forward (S-35, W-02).
//!
//! What was committed when is for the server to find: here a segment has the moment at which it
//! was archived, and everything in it was written before that.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::adapters::Error;
use crate::model::ids::Time;
use crate::model::until::Lsn;
use crate::model::window::Window;

pub mod base;
mod lineage;

pub use base::{Base, Label};
pub use lineage::Lineage;

/// How large a segment is where no header says it, in bytes.
pub(in crate::adapters::postgres) const SEGMENT: u64 = 16 * 1024 * 1024;
/// The flag of a page whose header is a long one: the first of every segment.
const LONG_HEADER: u16 = 0x0002;

/// A file of an archive, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A whole segment: its timeline and number.
    Segment(u32, u64),
    /// The history of a timeline.
    History(u32),
    /// The record of a base backup.
    Backup,
    /// A segment that was cut off by a promotion; no recovery reads it.
    Partial,
    /// A segment that somebody packed: it can be used only by the command that unpacks it.
    Packed,
}

impl Name {
    /// What a file name says, where segments are `size` bytes; nothing of other files.
    pub fn parse(name: &str, size: u64) -> Option<Self> {
        let hex = |text: &str| {
            let good = text.chars().all(|c| c.is_ascii_digit() || ('A'..='F').contains(&c));
            good.then(|| u64::from_str_radix(text, 16).ok())?
        };
        let timeline = |text: &str| u32::try_from(hex(text)?).ok().filter(|line| *line > 0);
        if let Some(line) = name.strip_suffix(".history") {
            return (line.len() == 8).then(|| timeline(line).map(Self::History))?;
        }
        let (head, rest) = name.split_at_checked(24)?;
        let (line, place) = head.split_at_checked(8)?;
        let (high, low) = place.split_at_checked(8)?;
        let per_file = (1 << 32) / size.max(1);
        let (line, high, low) = (timeline(line)?, hex(high)?, hex(low)?);
        let number = (low < per_file).then(|| high * per_file + low)?;
        match rest {
            "" => Some(Self::Segment(line, number)),
            ".partial" => Some(Self::Partial),
            ".gz" | ".lz4" | ".zst" | ".bz2" | ".xz" => Some(Self::Packed),
            _ => rest.ends_with(".backup").then_some(Self::Backup),
        }
    }
}

/// The file name of a segment.
pub fn segment_name(timeline: u32, number: u64, size: u64) -> String {
    let per_file = (1 << 32) / size.max(1);
    format!("{timeline:08X}{:08X}{:08X}", number / per_file, number % per_file)
}

/// One segment as it lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// When it was archived.
    pub at: Time,
    /// The server that wrote it.
    pub system: u64,
    /// Why it cannot be used, where it cannot.
    pub wrong: Option<String>,
}

/// What the first bytes of a segment say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The server that wrote it.
    pub system: u64,
    /// How large each of its segments is, in bytes.
    pub size: u64,
    /// Where it begins in the log.
    pub start: Lsn,
}

impl Header {
    /// Reads it; nothing where this is no segment's beginning. Servers write in the byte order of
    /// their machine: only little-endian ones are read.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let at = |from: usize, count: usize| {
            let slice = bytes.get(from..from + count)?;
            Some(slice.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
        };
        let info = u16::try_from(at(2, 2)?).ok()?;
        let (start, system, size) = (at(8, 8)?, at(24, 8)?, at(32, 4)?);
        let good = info & LONG_HEADER != 0 && size.is_power_of_two() && size >= 1 << 20;
        good.then_some(Self { system, size, start: Lsn(start) })
    }
}

/// Logs, as one or more folders hold them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Archive {
    /// The segments, by timeline and number.
    pub segments: BTreeMap<(u32, u64), Segment>,
    /// What each timeline came from: older ones, and where in the log each was left.
    pub histories: BTreeMap<u32, Vec<(u32, Lsn)>>,
    /// When base backups were finished, by the place where they begin.
    pub finished: BTreeMap<Lsn, (Time, Lsn)>,
    /// How large each segment is, in bytes.
    pub size: u64,
    /// How many packed segments lie there, of which nothing is known.
    pub packed: usize,
}

impl Archive {
    /// Reads the names in `folders`, and the first bytes of each segment. What lies in an earlier
    /// folder goes before what lies in a later one.
    pub fn read(folders: &[&Path]) -> Result<Self, Error> {
        let mut archive = Self { size: size(folders), ..Self::default() };
        for folder in folders {
            let failed = |e: std::io::Error| Error::io("read the logs in", folder.display(), &e);
            for entry in fs::read_dir(folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                match Name::parse(&name, archive.size) {
                    Some(Name::Segment(line, number)) => {
                        let segment = segment(&entry.path(), number, archive.size);
                        // Removed between the two looks.
                        let Ok(segment) = segment else { continue };
                        let known = archive.segments.entry((line, number));
                        let known = known.or_insert_with(|| segment.clone());
                        if known.wrong.is_some() && segment.wrong.is_none() {
                            *known = segment;
                        }
                    }
                    Some(Name::History(line)) => {
                        let text = fs::read_to_string(entry.path()).map_err(failed)?;
                        archive.histories.insert(line, lineage::history(&text));
                    }
                    Some(Name::Backup) => {
                        let text = fs::read_to_string(entry.path()).map_err(failed)?;
                        let label = Label::parse(&text);
                        let known = label.and_then(|l| Some((l.start, (l.finished?, l.stop?))));
                        archive.finished.extend(known);
                    }
                    Some(Name::Packed) => archive.packed += 1,
                    Some(Name::Partial) | None => {}
                }
            }
        }
        Ok(archive)
    }

    /// Takes in the history of a timeline.
    pub(in crate::adapters::postgres) fn history(&mut self, line: u32, text: &str) {
        self.histories.insert(line, lineage::history(text));
    }

    /// Takes in what another place has and this one lacks.
    pub(in crate::adapters::postgres) fn and(&mut self, other: Self) {
        for (key, segment) in other.segments {
            self.segments.entry(key).or_insert(segment);
        }
        self.histories.extend(other.histories);
    }

    /// From when to when the base backup of `label` can be brought forward along `lineage`, with
    /// the logs of the server `system` alone. `finished` is when the backup was finished, where
    /// the archive does not say it.
    pub fn window(
        &self,
        label: &Label,
        lineage: &Lineage,
        system: Option<u64>,
        finished: Option<Time>,
    ) -> Result<Window, String> {
        let known = self.finished.get(&label.start).copied();
        let from = known.map(|(at, _)| at).or(label.finished).or(finished);
        let from = from.ok_or("when the base backup was finished is not known")?;
        let first = label.start.0 / self.size.max(1);
        let stop = known.map_or(label.start, |(_, stop)| stop);
        let usable = |number: u64| {
            let names = lineage.names(number, self.size);
            let mut held = names.filter_map(|key| Some((key, self.segments.get(&key)?)));
            held.find(|(_, held)| wrong(held, system).is_none())
        };
        let last = self.segments.keys().filter(|(line, _)| lineage.holds(*line));
        let last = last.map(|(_, number)| *number).max().unwrap_or(first).max(first);
        let mut end = None;
        let mut missing = BTreeSet::new();
        for number in first..=last {
            match usable(number) {
                Some((_, held)) if missing.is_empty() => end = Some((number, held.at)),
                Some(_) => {}
                None => {
                    missing.insert(number);
                }
            }
        }
        let why = |number: u64| {
            let name = segment_name(lineage.line_of(number, self.size), number, self.size);
            let key = (lineage.line_of(number, self.size), number);
            let why = self.segments.get(&key).and_then(|held| wrong(held, system));
            why.map_or_else(|| name.clone(), |wrong| format!("{name} ({wrong})"))
        };
        // What only comes after the last usable one is no gap but the end.
        let usable_after = |number: u64| (number..=last).any(|later| usable(later).is_some());
        let gaps: Vec<String> =
            missing.iter().filter(|number| usable_after(**number)).map(|n| why(*n)).collect();
        let (number, until) = end.ok_or_else(|| {
            let packed = if self.packed > 0 { "; packed logs are not read" } else { "" };
            format!("the log {} is missing, with which the base backup begins{packed}", why(first))
        })?;
        Ok(Window {
            from,
            until,
            stop,
            end: Lsn((number + 1) * self.size),
            gaps,
            timeline: lineage.timeline(),
            system: system.unwrap_or_default(),
            grows: false,
        })
    }

    /// The server whose logs these are: that of the newest segment.
    pub fn system(&self) -> Option<u64> {
        let whole = self.segments.values().filter(|held| held.wrong.is_none());
        whole.max_by_key(|held| held.at).map(|held| held.system)
    }
}

/// Why a segment cannot be used for the server `system`.
fn wrong(held: &Segment, system: Option<u64>) -> Option<String> {
    let other = system.is_some_and(|system| system != held.system);
    held.wrong
        .clone()
        .or_else(|| other.then(|| format!("it is of another database system, {}", held.system)))
}

/// How large segments are: the first header that can be read says it.
fn size(folders: &[&Path]) -> u64 {
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    // The smallest size lets every name pass.
    let is_segment = |entry: &fs::DirEntry| {
        let name = Name::parse(&entry.file_name().to_string_lossy(), 1 << 20);
        matches!(name, Some(Name::Segment(_, _)))
    };
    let segments = entries.filter(is_segment);
    let mut sizes = segments.filter_map(|entry| Some(header(&entry.path()).ok()??.size));
    sizes.next().unwrap_or(SEGMENT)
}

fn header(path: &Path) -> std::io::Result<Option<Header>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(40).read_to_end(&mut bytes)?;
    Ok(Header::parse(&bytes))
}

fn segment(path: &Path, number: u64, size: u64) -> std::io::Result<Segment> {
    let facts = fs::metadata(path)?;
    let at = Time::from(facts.modified()?);
    let Some(header) = header(path)? else {
        let wrong = Some("it does not begin as a log does".to_owned());
        return Ok(Segment { at, system: 0, wrong });
    };
    let wrong = if facts.len() != size || header.size != size {
        Some(format!("it holds {} bytes, not {size}", facts.len()))
    } else if header.start.0 != number * size {
        Some(format!("it begins at {}, as another one", header.start))
    } else {
        None
    };
    Ok(Segment { at, system: header.system, wrong })
}

#[cfg(test)]
mod tests;
