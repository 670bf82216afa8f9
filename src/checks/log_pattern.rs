//! `log_pattern`: how many lines of a log held a pattern in the last while.
//!
//! The file is followed from look to look, through rotation by renaming and by truncating. What
//! was written before the first look is placed in time by the times in its lines; where they have
//! none, nothing is claimed until the window has passed: neither good nor bad.

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use chrono::DateTime;
use regex::bytes::Regex;

use crate::model::ids::Time;
use crate::model::reading::{Finding, Reason, WhyClass};

use super::seen::Seen;
use super::threshold::Thresholds;
use super::{Memory, ProbeCx};

/// Settings of this kind.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The log, absolute.
    pub path: PathBuf,
    /// What counts.
    pub pattern: Regex,
    /// What does not count although the pattern is in it.
    pub ignore: Option<Regex>,
    /// How far back is counted.
    pub window: Duration,
    /// What a missing file means.
    pub missing: Missing,
    /// Thresholds on the lines in the window.
    pub thresholds: Thresholds,
}

/// What a missing file means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing is known.
    Unknown,
    /// It has to be there.
    Fail,
    /// Nothing was logged, which is fine.
    Good,
}

/// Bytes that one look reads at most; what grew faster is skipped, and said.
const LOOK: u64 = 16 * 1024 * 1024;
/// Bytes of a line that are looked at.
const LINE: usize = 64 * 1024;
/// Entries of the window; more are put together with the newest.
const HITS: usize = 4096;

/// How far a log was read, and what was found in its window.
#[derive(Debug)]
pub struct Place {
    file: File,
    id: (u64, u64),
    at: u64,
    /// The line that has no end yet.
    partial: Vec<u8>,
    /// In the middle of a line that is not looked at.
    skipping: bool,
    hits: VecDeque<(Time, u64)>,
    /// Lines that may be in the window or not, and whether there may be more of them.
    maybe: u64,
    open: bool,
    /// From when on everything is known.
    sure_since: Time,
}

impl Settings {
    /// What it looks at.
    pub fn target(&self) -> String {
        format!("{} /{}/", self.path.display(), self.pattern)
    }

    /// Looks once.
    pub async fn probe(&self, cx: &ProbeCx, memory: &mut Memory) -> Seen {
        let (settings, place, now) = (self.clone(), memory.log.take(), cx.clock.now());
        let work = move || {
            let mut place = place;
            let result = settings.read(&mut place, now);
            (place, result)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok((place, Ok(()))) => {
                memory.log = place;
                memory.log.as_ref().map_or_else(
                    || Seen::unknown(Reason::NeverRan, "nothing was read"),
                    |place| self.judge(place, now),
                )
            }
            Ok((place, Err(error))) => {
                memory.log = place;
                self.unreadable(&error)
            }
            Err(error) => Seen::unknown(Reason::NoTool, &error.to_string()),
        }
    }

    fn unreadable(&self, error: &std::io::Error) -> Seen {
        let name = self.path.display();
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => match self.missing {
                Missing::Unknown => Seen::unknown(Reason::NoData, &format!("{name} is not there")),
                Missing::Fail => {
                    Seen::bad(WhyClass::Content, "absent", &format!("{name} is not there"))
                }
                Missing::Good => Seen::good("absent").with_value(0.0, "lines"),
            },
            ErrorKind::PermissionDenied => {
                Seen::unknown(Reason::NoPermission, &format!("could not read {name}: {error}"))
            }
            ErrorKind::InvalidInput => {
                Seen::unknown(Reason::BadConfig, &format!("{name}: {error}"))
            }
            _ => Seen::unknown(Reason::NoData, &format!("could not read {name}: {error}")),
        }
    }

    /// Reads what is new, or for the first time what may be in the window.
    fn read(&self, place: &mut Option<Place>, now: Time) -> std::io::Result<()> {
        let from = now - self.window;
        let Some(known) = place else {
            *place = Some(self.begin(now, from)?);
            return Ok(());
        };
        // The rest of the file that was read so far, which may have another name by now.
        self.go_on(known, now)?;
        let found = std::fs::metadata(&self.path)?;
        if identity(&found) != known.id {
            let file = open(&self.path)?;
            let id = identity(&file.metadata()?);
            let line = std::mem::take(&mut known.partial);
            known.count(now, u64::from(self.counts(&line)));
            (known.file, known.id, known.at, known.skipping) = (file, id, 0, false);
            self.go_on(known, now)?;
        }
        known.hits.retain(|(at, _)| *at > from);
        Ok(())
    }

    fn begin(&self, now: Time, from: Time) -> std::io::Result<Place> {
        let file = open(&self.path)?;
        let found = file.metadata()?;
        let at = found.len().saturating_sub(LOOK);
        let mut place = Place {
            id: identity(&found),
            file,
            at,
            partial: Vec::new(),
            skipping: at > 0,
            hits: VecDeque::new(),
            maybe: 0,
            open: at > 0,
            sure_since: now,
        };
        let changed = found.modified().map(DateTime::<chrono::Utc>::from);
        let quiet = changed.is_ok_and(|changed| changed < from);
        let mut last: Option<Time> = None;
        place.advance(|place, line| {
            last = time_of(line).or(last);
            // A time before the window: everything behind it was read.
            place.open &= last.is_none_or(|last| last > from);
            if !self.counts(line) || quiet {
                return;
            }
            match last {
                Some(last) if last > from => place.count(last, 1),
                Some(_) => {}
                None => place.maybe += 1,
            }
        })?;
        if quiet {
            place.open = false;
        }
        Ok(place)
    }

    fn go_on(&self, place: &mut Place, now: Time) -> std::io::Result<()> {
        let length = place.file.metadata()?.len();
        if length < place.at {
            // Truncated in place: it begins anew.
            (place.at, place.skipping) = (0, false);
            place.partial.clear();
        }
        if length - place.at > LOOK {
            place.at = length - LOOK;
            place.partial.clear();
            place.skipping = true;
            (place.open, place.sure_since) = (true, now);
        }
        let mut hits = 0;
        place.advance(|_, line| hits += u64::from(self.counts(line)))?;
        place.count(now, hits);
        Ok(())
    }

    fn counts(&self, line: &[u8]) -> bool {
        self.pattern.is_match(line)
            && !self.ignore.as_ref().is_some_and(|ignore| ignore.is_match(line))
    }

    fn judge(&self, place: &Place, now: Time) -> Seen {
        let hits: u64 = place.hits.iter().map(|(_, count)| count).sum();
        #[expect(clippy::cast_precision_loss, reason = "a number of lines for a threshold")]
        let (least, maybe) = (hits as f64, place.maybe as f64);
        let unsure = now - self.window < place.sure_since;
        let most = match (unsure, place.open) {
            (true, true) => f64::INFINITY,
            (true, false) => least + maybe,
            (false, _) => least,
        };
        let span = self.window.as_secs();
        let note = format!("{hits} lines in {span} s");
        let (low, high) =
            (self.thresholds.judge(least, "lines"), self.thresholds.judge(most, "lines"));
        let same = matches!(
            (&low, &high),
            (Finding::Good, Finding::Good)
                | (Finding::Warn { .. }, Finding::Warn { .. })
                | (Finding::Bad { .. }, Finding::Bad { .. })
        );
        if same {
            return Seen::new(low, &note).with_value(least, "lines");
        }
        let text = format!("{hits} lines or more: {span} s have not been followed yet");
        Seen::unknown(Reason::TooFewSamples, &text).with_value(least, "lines")
    }
}

impl Place {
    fn count(&mut self, at: Time, lines: u64) {
        if lines == 0 {
            return;
        }
        let full = self.hits.len() >= HITS;
        match self.hits.back_mut() {
            Some((last, count)) if *last == at || full => {
                (*last, *count) = (at.max(*last), *count + lines);
            }
            _ => self.hits.push_back((at, lines)),
        }
    }

    /// Reads to the end, at most [`LOOK`] bytes, and gives each whole line to `line`.
    fn advance(&mut self, mut line: impl FnMut(&mut Self, &[u8])) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(self.at))?;
        let mut buffer = vec![0; 256 * 1024];
        let mut left = LOOK;
        while left > 0 {
            let read = self.file.read(&mut buffer)?;
            let Some(mut bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            self.at += read as u64;
            left = left.saturating_sub(read as u64);
            while let Some(end) = memchr::memchr(b'\n', bytes) {
                let (before, after) = bytes.split_at(end);
                bytes = after.get(1..).unwrap_or_default();
                let mut whole = std::mem::take(&mut self.partial);
                if !std::mem::take(&mut self.skipping) {
                    whole.extend_from_slice(before.get(..LINE).unwrap_or(before));
                    line(self, &whole);
                }
            }
            if self.skipping {
                continue;
            }
            self.partial.extend_from_slice(bytes);
            if self.partial.len() > LINE {
                // A line beyond all bounds: its beginning counts, its rest is passed over.
                let whole = std::mem::take(&mut self.partial);
                line(self, &whole);
                self.skipping = true;
            }
        }
        Ok(())
    }
}

/// Opens a log; anything that is no file would block, or is none.
fn open(path: &std::path::Path) -> std::io::Result<File> {
    if std::fs::metadata(path)?.is_file() {
        return File::open(path);
    }
    Err(std::io::Error::new(ErrorKind::InvalidInput, "is not a file"))
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// The first time in a line that says its zone (RFC 3339); others mean what nobody wrote down.
fn time_of(line: &[u8]) -> Option<Time> {
    static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)").ok()
    });
    let head = line.get(..256).unwrap_or(line);
    let found = TIME.as_ref()?.find(head)?;
    let text = std::str::from_utf8(found.as_bytes()).ok()?.replace(' ', "T");
    DateTime::parse_from_rfc3339(&text).ok().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests;
