//! Log lines on disk, per source, in a bounded ring of segments; and pages of them for a screen.
//!
//! A source's folder below `spool/` holds segments named
//! `<number of the first line>-<gaps before>-<ms of the first line>.log`, so that counts stay
//! exact when old segments are given up. A line is `<unix ms> <raw line>\n`, control bytes kept;
//! a gap is `<unix ms> \0gap <why>`; a raw line that begins with NUL is stored with one more, so
//! that no log can write a gap.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::DateTime;

use crate::model::ids::Time;
use crate::text::SafeText;

use super::Error;

mod cursor;
mod file_walk;
mod files;
mod find;
mod index;
mod reader;
mod sampler;
mod search;
mod severity;
pub mod share;
pub mod stamp;
#[cfg(test)]
mod tests;
mod walk;
mod writer;

pub use files::FileReader;
pub use find::Find;
pub use reader::SpoolReader;
pub use sampler::Fresh;
pub use search::{Progress, Search, Sought, Wake};
pub use severity::LogSeverity;
pub use writer::{Mark, SourceWriter};

/// The longest line kept on disk, in bytes; what is cut is counted in a note at its end.
pub const RAW_LINE_LIMIT: usize = 1024 * 1024;

const GAP: &[u8] = b"\0gap ";

/// How much may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes after which a new segment begins.
    pub segment: u64,
    /// Bytes of all segments of all sources.
    pub ring: u64,
    /// The same while some are pinned.
    pub pinned: u64,
    /// Age beyond which segments go, also when there is room.
    pub age: Duration,
}

impl Default for Limits {
    /// 8 MiB, 512 MiB, 2 GiB, 24 h.
    fn default() -> Self {
        Self { segment: 8 << 20, ring: 512 << 20, pinned: 2 << 30, age: Duration::from_hours(24) }
    }
}

/// A line as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was read; of folded lines, the newest.
    pub at: Time,
    /// Where it came from.
    pub source: String,
    /// How bad it says it is.
    pub severity: LogSeverity,
    /// The line, safe for a terminal; of a gap, why there is one.
    pub text: SafeText,
    /// How many equal lines in a row this stands for; 1 for a single one.
    pub folded: u32,
    /// Whether this says that lines are missing here.
    pub gap: bool,
    /// Its number in its source; in a plain file, where it begins, in bytes.
    pub number: u64,
}

/// How many lines came in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Lines of all sources since each began, given-up ones too.
    pub in_total: u64,
    /// Per source.
    pub sources: BTreeMap<String, SourceCounters>,
}

/// How many lines of one source came in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceCounters {
    /// Lines since it began, given-up ones too, gaps not.
    pub in_total: u64,
    /// Gaps since it began.
    pub gaps: u64,
    /// Lines and gaps that the ring has given up.
    pub given_up: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

/// What to show.
#[derive(Clone, Debug)]
pub struct Query {
    /// Only these sources; `None` for all.
    pub sources: Option<BTreeSet<String>>,
    /// Nothing below this.
    pub min_severity: LogSeverity,
    /// Nothing older than this.
    pub since: Option<Time>,
    /// Only lines that match.
    pub find: Option<Find>,
    /// Only lines that these let through.
    pub rules: Vec<Rule>,
    /// Where the page lies.
    pub place: Place,
    /// How many rows it has at most.
    pub rows: usize,
    /// How many bytes are read at most before a page with fewer rows is given; it then has
    /// `more_above` (or `more_below`), and its `start` (or `end`) is where to go on.
    pub budget: u64,
}

impl Default for Query {
    /// The newest 100 rows of everything, reading 32 MiB at most.
    fn default() -> Self {
        Self {
            sources: None,
            min_severity: LogSeverity::Debug,
            since: None,
            find: None,
            rules: Vec::new(),
            place: Place::Follow,
            rows: 100,
            budget: 32 << 20,
        }
    }
}

impl Query {
    /// Whether a line is wanted, apart from its age and its source.
    fn wants(&self, severity: LogSeverity, text: &[u8]) -> bool {
        if severity < self.min_severity || self.find.as_ref().is_some_and(|f| !f.is_in(text)) {
            return false;
        }
        let mut needed = false;
        let mut kept = false;
        for rule in &self.rules {
            if rule.keep {
                needed = true;
                kept = kept || rule.find.is_in(text);
            } else if rule.find.is_in(text) {
                return false;
            }
        }
        kept || !needed
    }

    /// Whether it leaves nothing out.
    fn is_open(&self) -> bool {
        self.min_severity == LogSeverity::Debug
            && self.since.is_none()
            && self.sources.is_none()
            && self.rules.is_empty()
    }
}

/// One layer of a filter stack: a line must match some of those that keep, where there are any,
/// and none of the others.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Whether lines that match are kept, or left out.
    pub keep: bool,
    /// What they match.
    pub find: Find,
}

/// Where a page lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It ends with the newest line.
    Follow,
    /// It ends right before this.
    Before(Position),
    /// It begins right after this.
    After(Position),
}

/// A place between lines, in each source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The number of the line right after it, per source.
    pub(super) lines: BTreeMap<String, u64>,
    /// Its time, in Unix ms: for sources that are not named.
    pub(super) ms: i64,
}

impl Position {
    /// The place right before these lines; in other sources, right after everything up to `time`.
    pub fn of(lines: BTreeMap<String, u64>, time: Time) -> Self {
        Self { lines, ms: time.timestamp_millis() }
    }

    /// Goes past the line that begins here.
    pub fn pass(&mut self) {
        for number in self.lines.values_mut() {
            *number += 1;
        }
    }

    /// The place right after everything up to `time`.
    pub fn at(time: Time) -> Self {
        Self { lines: BTreeMap::new(), ms: time.timestamp_millis() }
    }
}

/// A screenful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Oldest first.
    pub lines: Vec<LogLine>,
    /// Lines between `start` and `end` that the query left out: all lines there are `hidden` and
    /// the sum of `folded`.
    pub hidden: u64,
    /// Whether there may be more before `start`.
    pub more_above: bool,
    /// Whether there may be more after `end`.
    pub more_below: bool,
    /// Where it begins.
    pub start: Position,
    /// Where it ends.
    pub end: Position,
}

/// A segment, as its file's name says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Segment {
    /// The number of its first line; numbers count lines and gaps from 0.
    first: u64,
    /// Gaps in the segments before it.
    gaps: u64,
    /// The time of its first line, in Unix ms.
    ms: i64,
}

impl Segment {
    fn file_name(&self) -> String {
        format!("{:016}-{:010}-{:015}.log", self.first, self.gaps, self.ms.max(0))
    }

    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(".log")?.split('-');
        let segment = Self {
            first: parts.next()?.parse().ok()?,
            gaps: parts.next()?.parse().ok()?,
            ms: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(segment)
    }

    /// The segments in a source's folder, oldest first.
    fn list(folder: &Path) -> Result<Vec<Self>, Error> {
        let read = || -> std::io::Result<Vec<Self>> {
            let mut segments = Vec::new();
            for file in std::fs::read_dir(folder)? {
                segments.extend(file?.file_name().to_str().and_then(Self::parse));
            }
            segments.sort();
            Ok(segments)
        };
        read().map_err(Error::file("list", folder))
    }
}

/// The folder of a source: its name with what is not a plain letter spelled `%xx`.
fn folder_of(spool: &Path, source: &str) -> Result<PathBuf, Error> {
    let mut name = String::with_capacity(source.len());
    for byte in source.bytes() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if plain && !(byte == b'.' && name.is_empty()) {
            name.push(char::from(byte));
        } else {
            name.push('%');
            for nibble in [byte >> 4, byte & 15] {
                name.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        }
    }
    if name.is_empty() || name.len() > 200 {
        return Err(Error::Unfit {
            path: spool.to_owned(),
            why: format!("a log source needs a name of 1 to 200 letters, not {source:?}"),
        });
    }
    Ok(spool.join(name))
}

/// The source whose folder has this name.
fn source_of(folder: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(folder.len());
    let mut rest = folder.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// A stored line, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record<'a> {
    ms: i64,
    gap: bool,
    text: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads a stored line without its newline. What was not written by us shows as it is.
    fn parse(stored: &'a [u8]) -> Self {
        let Some((time, rest)) = memchr::memchr(b' ', stored)
            .filter(|at| *at <= 20)
            .and_then(|at| Some((stored.get(..at)?, stored.get(at + 1..)?)))
        else {
            return Self::strange(stored);
        };
        let Some(ms) = std::str::from_utf8(time).ok().and_then(|ms| ms.parse().ok()) else {
            return Self::strange(stored);
        };
        if let Some(why) = rest.strip_prefix(GAP) {
            return Self { ms, gap: true, text: why };
        }
        let text = match rest {
            [0, tail @ ..] => tail,
            whole => whole,
        };
        Self { ms, gap: false, text }
    }

    fn strange(stored: &'a [u8]) -> Self {
        Self { ms: 0, gap: false, text: stored }
    }
}

fn time_of(ms: i64) -> Time {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}
