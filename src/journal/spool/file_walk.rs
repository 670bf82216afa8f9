//! Walks a plain log file in either direction, a block at a time, without an index.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::super::Error;
use super::walk::{Ahead, Head, Walk};
use super::{LogSeverity, Query, RAW_LINE_LIMIT, stamp};

/// Bytes read at once.
const BLOCK: u64 = 64 * 1024;
/// A line longer than this is cut into several.
const LONGEST: u64 = RAW_LINE_LIMIT as u64;

/// A plain file, as far as it is looked at.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) name: String,
    pub(super) file: File,
    /// As of the last look.
    pub(super) length: u64,
    /// For times that do not say theirs.
    pub(super) year: i32,
}

impl Plain {
    /// Reads up to `bytes.len()` bytes at `offset`; fewer where the file ends.
    pub(super) fn read(&self, path: &Path, offset: u64, size: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::file("read", path)(e)),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

#[derive(Debug)]
struct Hit {
    head: Head,
    start: usize,
    end: usize,
}

/// A walk over one plain file. Lines are numbered by the byte they begin at.
#[derive(Debug)]
pub(super) struct FileWalk<'a> {
    plain: &'a Plain,
    path: &'a Path,
    query: &'a Query,
    backward: bool,
    begun_at: u64,
    looked: u64,
    hits: VecDeque<Hit>,
    bytes: Vec<u8>,
    base: u64,
    left_out: u64,
    ended: bool,
    rested: bool,
}

impl<'a> FileWalk<'a> {
    /// A walk that begins at the line boundary `place`.
    pub(super) fn new(
        plain: &'a Plain,
        path: &'a Path,
        query: &'a Query,
        place: u64,
        backward: bool,
    ) -> Self {
        let place = place.min(plain.length);
        Self {
            plain,
            path,
            query,
            backward,
            begun_at: place,
            looked: place,
            hits: VecDeque::new(),
            bytes: Vec::new(),
            base: 0,
            left_out: 0,
            ended: false,
            rested: true,
        }
    }

    fn at_end(&self) -> bool {
        let end = if self.backward { 0 } else { self.plain.length };
        self.ended || self.looked == end
    }

    fn next(&self) -> Option<&Hit> {
        if self.backward { self.hits.back() } else { self.hits.front() }
    }

    /// Reads the next stretch of whole lines; what a line longer than a block needs is read too.
    fn load(&mut self, budget: &mut u64) -> Result<(), Error> {
        let mut size = BLOCK;
        loop {
            let (from, to) = if self.backward {
                (self.looked.saturating_sub(size), self.looked)
            } else {
                (self.looked, self.looked.saturating_add(size).min(self.plain.length))
            };
            let bytes = self.plain.read(self.path, from, to - from)?;
            *budget = budget.saturating_sub(bytes.len() as u64);
            if bytes.is_empty() {
                // The file is shorter than it was: nothing is here any more.
                self.ended = true;
                return Ok(());
            }
            let whole = if self.backward {
                whole_after(&bytes, from)
            } else {
                whole_before(&bytes, to >= self.plain.length)
            };
            if whole.is_none() && size < LONGEST {
                size *= 4;
                continue;
            }
            let (start, end) = whole.unwrap_or((0, bytes.len()));
            self.bytes = bytes;
            self.base = from;
            self.choose(start, end);
            if !self.ended {
                self.looked = from + if self.backward { start } else { end } as u64;
            }
            return Ok(());
        }
    }

    /// Finds what the query wants among the lines in `start..end` of the block.
    fn choose(&mut self, start: usize, end: usize) {
        let query = self.query;
        let since = query.since.map(|since| since.timestamp_millis());
        let part = self.bytes.get(start..end).unwrap_or_default();
        let nothing = query.find.as_ref().is_some_and(|find| find.plain && !find.is_in(part));
        if nothing && since.is_none() {
            return;
        }
        let mut ms = 0;
        let mut at = start;
        for line in part.split_inclusive(|byte| *byte == b'\n') {
            let begun = at;
            at += line.len();
            let text = super::files::bare(line);
            ms = stamp::moment(text, self.plain.year).unwrap_or(ms);
            if since.is_some_and(|since| ms > 0 && ms < since) {
                if self.backward {
                    // All that is wanted lies after this line.
                    self.hits.clear();
                    self.looked = self.base + at as u64;
                    self.ended = true;
                }
                continue;
            }
            let severity = LogSeverity::of(text);
            if query.wants(severity, text) {
                let number = self.base + begun as u64;
                let head = Head { number, ms, severity, gap: false };
                self.hits.push_back(Hit { head, start: begun, end: begun + text.len() });
            } else {
                self.left_out += 1;
            }
        }
    }
}

/// The whole lines of a block that ends at a line's end.
fn whole_after(bytes: &[u8], from: u64) -> Option<(usize, usize)> {
    if from == 0 {
        return Some((0, bytes.len()));
    }
    let start = memchr::memchr(b'\n', bytes)? + 1;
    (start < bytes.len()).then_some((start, bytes.len()))
}

/// The whole lines of a block that begins where a line does; the last one of a file counts also
/// without its end.
fn whole_before(bytes: &[u8], last: bool) -> Option<(usize, usize)> {
    if last {
        return Some((0, bytes.len()));
    }
    Some((0, memchr::memrchr(b'\n', bytes)? + 1))
}

impl Walk for FileWalk<'_> {
    fn name(&self) -> &str {
        &self.plain.name
    }

    fn look(&mut self, budget: &mut u64) -> Result<Ahead, Error> {
        loop {
            if !self.hits.is_empty() {
                return Ok(Ahead::Hit);
            }
            if self.at_end() {
                return Ok(Ahead::End);
            }
            if *budget == 0 && !self.rested {
                return Ok(Ahead::Tired);
            }
            self.rested = false;
            self.load(budget)?;
        }
    }

    fn head(&self) -> Option<(Head, &[u8])> {
        let hit = self.next()?;
        Some((hit.head, self.bytes.get(hit.start..hit.end).unwrap_or_default()))
    }

    fn take(&mut self) {
        if self.backward {
            self.hits.pop_back();
        } else {
            self.hits.pop_front();
        }
    }

    fn begun_at(&self) -> u64 {
        self.begun_at
    }

    fn reached(&self) -> u64 {
        match self.next() {
            // Right after it, with the newline that its text does not have.
            Some(hit) if self.backward => {
                let rest = self.bytes.get(hit.end..).unwrap_or_default();
                let newline = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
                self.base + (hit.end + newline) as u64
            }
            Some(hit) => hit.head.number,
            None => self.looked,
        }
    }

    fn hidden(&self) -> u64 {
        self.left_out
    }

    fn is_over(&self) -> bool {
        self.hits.is_empty() && self.at_end()
    }

    fn has_behind(&self) -> bool {
        if self.backward { self.begun_at < self.plain.length } else { self.begun_at > 0 }
    }
}
