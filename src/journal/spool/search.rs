//! Looks for something in a whole file: two threads read it piece by piece, nearest pieces first.
//! Kept is only how many lines of each piece match; a piece is read again when one of its lines
//! is asked for, so that memory does not grow with the file or with what is found.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use super::{Find, Page, Position};

/// A piece, in bytes; a line belongs to the piece it begins in.
const PIECE: u64 = 1 << 20;
/// What is read beyond a piece for the end of its last line; what a line has after that is not
/// looked at.
const BEYOND: u64 = 64 * 1024;
/// How many threads read.
const THREADS: usize = 2;
/// A piece that was not read yet.
const UNREAD: u32 = u32::MAX;
/// Said once for so many pieces.
const SAY_EVERY: usize = 64;

/// Called by a search when it has something to say; from its threads.
#[derive(Clone)]
pub struct Wake(Arc<dyn Fn() + Send + Sync>);

impl Wake {
    /// Calls this.
    pub fn new(call: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(call))
    }
}

impl std::fmt::Debug for Wake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wake")
    }
}

/// What became of looking for a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    /// Here, right before the line.
    Found(Position),
    /// Not up to here; go on from here.
    GoOn(Position),
    /// Not known yet: ask again when the search has said something.
    Wait,
    /// Nowhere in this direction.
    Nowhere,
}

impl Sought {
    /// What a page of one row says that was asked for lines with a match.
    pub fn of(page: Page, backward: bool) -> Self {
        let more = if backward { page.more_above } else { page.more_below };
        let reached = if backward { page.start } else { page.end };
        match page.lines.first() {
            Some(line) if !line.gap => {
                // Other sources are at their own next match, which is not this place.
                let lines = BTreeMap::from([(line.source.clone(), line.number)]);
                Self::Found(Position::of(lines, line.at))
            }
            Some(_) => Self::GoOn(reached),
            None if more => Self::GoOn(reached),
            None => Self::Nowhere,
        }
    }
}

/// How far a search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes looked at.
    pub done: u64,
    /// Bytes there are.
    pub total: u64,
    /// Lines that match, so far.
    pub lines: u64,
    /// Which of them the line asked about is, counted from 1; known once all before it is read.
    pub place: Option<u64>,
}

#[derive(Debug)]
struct Shared {
    file: File,
    length: u64,
    find: Find,
    counts: Vec<AtomicU32>,
    next: AtomicUsize,
    done: AtomicUsize,
    lines: AtomicUsize,
    cancelled: AtomicBool,
    first: usize,
    backward: bool,
    wake: Option<Wake>,
}

/// A search that runs until all is read or it is dropped.
#[derive(Debug)]
pub struct Search(Arc<Shared>);

impl Drop for Search {
    fn drop(&mut self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }
}

impl Search {
    /// Begins to look through the first `length` bytes of `file`: from the byte `at` on forward or
    /// backward, then the rest.
    pub fn start(
        file: File,
        length: u64,
        find: Find,
        (at, backward): (u64, bool),
        wake: Option<Wake>,
    ) -> std::io::Result<Self> {
        let pieces = usize::try_from(length.div_ceil(PIECE)).unwrap_or(0);
        let first = usize::try_from(at / PIECE).unwrap_or(0).min(pieces.saturating_sub(1));
        let shared = Arc::new(Shared {
            file,
            length,
            find,
            counts: (0..pieces).map(|_| AtomicU32::new(UNREAD)).collect(),
            next: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            lines: AtomicUsize::new(0),
            cancelled: AtomicBool::new(false),
            first,
            backward,
            wake,
        });
        for _ in 0..THREADS.min(pieces) {
            let theirs = Arc::clone(&shared);
            std::thread::Builder::new().name("search".to_owned()).spawn(move || theirs.work())?;
        }
        Ok(Self(shared))
    }

    /// How many bytes it looks through.
    pub fn length(&self) -> u64 {
        self.0.length
    }

    /// In how many pieces it is read.
    pub fn pieces(&self) -> usize {
        self.0.counts.len()
    }

    /// Where the lines of a piece begin that match; nothing when it was not read yet.
    pub fn lines(&self, piece: usize) -> std::io::Result<Option<Vec<u64>>> {
        match self.0.counts.get(piece).map(|count| count.load(Ordering::Acquire)) {
            Some(UNREAD) => Ok(None),
            Some(0) | None => Ok(Some(Vec::new())),
            Some(_) => self.0.lines_of(piece, &mut Vec::new()).map(Some),
        }
    }

    /// Whether all is read.
    pub fn is_done(&self) -> bool {
        self.0.done.load(Ordering::Acquire) >= self.0.counts.len()
    }

    /// How far it is; `at` is the line that is looked at.
    pub fn progress(&self, at: Option<u64>) -> Progress {
        let done = self.0.done.load(Ordering::Acquire) as u64;
        Progress {
            done: (done * PIECE).min(self.0.length),
            total: self.0.length,
            lines: self.0.lines.load(Ordering::Acquire) as u64,
            place: at.and_then(|at| self.place(at)),
        }
    }

    fn place(&self, at: u64) -> Option<u64> {
        let piece = usize::try_from(at / PIECE).ok()?;
        let mut before = 0;
        for count in self.0.counts.get(..piece)? {
            match count.load(Ordering::Acquire) {
                UNREAD => return None,
                lines => before += u64::from(lines),
            }
        }
        let here = self.0.lines_of(piece, &mut Vec::new()).ok()?;
        let place = here.iter().position(|line| *line == at)?;
        Some(before + place as u64 + 1)
    }

    /// The line with a match that begins after the byte `at` (or before it): nothing when that is
    /// not known yet, and nothing inside when there is none.
    pub fn next(&self, at: u64, backward: bool) -> std::io::Result<Option<Option<u64>>> {
        let pieces = self.0.counts.len();
        let mut piece = usize::try_from(at / PIECE).unwrap_or(0).min(pieces);
        loop {
            if let Some(count) = self.0.counts.get(piece) {
                match count.load(Ordering::Acquire) {
                    UNREAD => return Ok(None),
                    0 => {}
                    _ => {
                        let lines = self.0.lines_of(piece, &mut Vec::new())?;
                        let found = if backward {
                            lines.iter().rev().find(|line| **line < at)
                        } else {
                            lines.iter().find(|line| **line >= at)
                        };
                        if let Some(found) = found {
                            return Ok(Some(Some(*found)));
                        }
                    }
                }
            }
            let next = if backward { piece.checked_sub(1) } else { Some(piece + 1) };
            match next.filter(|next| *next < pieces) {
                Some(next) => piece = next,
                None => return Ok(Some(None)),
            }
        }
    }
}

impl Shared {
    fn work(&self) {
        let mut buffer = Vec::new();
        let pieces = self.counts.len();
        while !self.cancelled.load(Ordering::Relaxed) {
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            if turn >= pieces {
                return;
            }
            let piece = if self.backward {
                (self.first + pieces - turn % pieces) % pieces
            } else {
                (self.first + turn) % pieces
            };
            // What cannot be read has no lines; reading a page there will say why.
            let found = self.lines_of(piece, &mut buffer).map_or(0, |lines| lines.len());
            let before = self.lines.fetch_add(found, Ordering::AcqRel);
            if let Some(count) = self.counts.get(piece) {
                let found = u32::try_from(found).unwrap_or(UNREAD - 1);
                count.store(found, Ordering::Release);
            }
            let done = self.done.fetch_add(1, Ordering::AcqRel) + 1;
            let says =
                (found > 0 && before == 0) || done.is_multiple_of(SAY_EVERY) || done == pieces;
            if let Some(Wake(call)) = self.wake.as_ref().filter(|_| says) {
                call();
            }
        }
    }

    /// Where the lines of a piece begin that match.
    fn lines_of(&self, piece: usize, buffer: &mut Vec<u8>) -> std::io::Result<Vec<u64>> {
        let from = piece as u64 * PIECE;
        let to = (from + PIECE).min(self.length);
        // One byte before: a line that begins with the piece is told from one that began earlier.
        let begun = from.saturating_sub(1);
        let size = usize::try_from((to + BEYOND).min(self.length) - begun).unwrap_or(0);
        buffer.resize(size, 0);
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, begun + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        let bytes = buffer.get(..filled).unwrap_or_default();
        let start = if from == 0 { Some(0) } else { memchr::memchr(b'\n', bytes).map(|at| at + 1) };
        let Some(start) = start else { return Ok(Vec::new()) };
        let last = usize::try_from(to - begun).unwrap_or(0);
        let mut lines = Vec::new();
        let mut at = start;
        while at < last {
            let Some(rest) = bytes.get(at..) else { break };
            let Some(place) = self.find.first_in(rest) else { break };
            let hit = at + place;
            let before = bytes.get(at..hit).unwrap_or_default();
            let line = memchr::memrchr(b'\n', before).map_or(at, |newline| at + newline + 1);
            if line >= last {
                break;
            }
            let after = bytes.get(hit..).unwrap_or_default();
            let end = memchr::memchr(b'\n', after).map_or(bytes.len(), |newline| hit + newline);
            // A pattern may have matched over the end of a line: only what is in one counts.
            if self.find.literal.is_some()
                || self.find.is_in(bytes.get(line..end).unwrap_or_default())
            {
                lines.push(begun + line as u64);
            }
            at = end + 1;
        }
        Ok(lines)
    }
}

impl Find {
    /// Where the first match in a block of lines begins.
    fn first_in(&self, block: &[u8]) -> Option<usize> {
        match &self.literal {
            Some(literal) => memchr::memmem::find(block, literal),
            None => self.lines.find(block).map(|found| found.start()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn all(search: &Search) -> Vec<u64> {
        while !search.is_done() {
            std::thread::yield_now();
        }
        let (mut at, mut found) = (0, Vec::new());
        while let Some(line) = search.next(at, false).unwrap().unwrap() {
            found.push(line);
            at = line + 1;
        }
        found
    }

    /// Lines of changing length over several pieces, and where those with the needle begin.
    fn file(needle: &str) -> (File, u64, Vec<u64>) {
        let mut file = tempfile::tempfile().unwrap();
        let (mut text, mut places) = (Vec::new(), Vec::new());
        for number in 0..60_000_u64 {
            let begun = text.len() as u64;
            let with = number.is_multiple_of(977)
                || begun.is_multiple_of(PIECE)
                || begun % PIECE == PIECE - 1;
            let word = if with { needle } else { "nothing" };
            if with {
                places.push(begun);
            }
            let fill = usize::try_from(number % 83).unwrap();
            writeln!(text, "{number} {word} {}", "x".repeat(fill)).unwrap();
        }
        file.write_all(&text).unwrap();
        (file, text.len() as u64, places)
    }

    #[test]
    fn every_line_with_the_word_is_found_once_and_counted() {
        for (needle, typed) in
            [("NEEDLE", "NEEDLE"), ("Needle", "needle"), ("n33dle", "~n[0-9]+dle")]
        {
            let (file, length, places) = file(needle);
            assert!(length > 3 * PIECE);
            let find = Find::typed(typed).unwrap();
            let search = Search::start(file, length, find, (length, true), None).unwrap();
            assert_eq!(all(&search), places);
            let middle = places[places.len() / 2];
            let progress = search.progress(Some(middle));
            assert_eq!(progress.lines, places.len() as u64);
            assert_eq!(progress.place, Some(places.len() as u64 / 2 + 1));
            assert_eq!((progress.done, progress.total), (length, length));
        }
    }

    #[test]
    fn the_nearest_line_is_found_in_either_direction() {
        let (file, length, places) = file("NEEDLE");
        let find = Find::typed("NEEDLE").unwrap();
        let search = Search::start(file, length, find, (0, false), None).unwrap();
        all(&search);
        assert_eq!(search.next(length, true).unwrap(), Some(places.last().copied()));
        assert_eq!(search.next(places[3], true).unwrap(), Some(Some(places[2])));
        assert_eq!(search.next(places[3] + 1, false).unwrap(), Some(Some(places[4])));
        assert_eq!(search.next(places[0], true).unwrap(), Some(None));
        assert_eq!(search.next(length, false).unwrap(), Some(None));
    }

    #[test]
    fn a_pattern_does_not_match_over_the_end_of_a_line() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"one\ntwo\nend two\ntwo one\n").unwrap();
        let find = Find::typed("~^two").unwrap();
        let search = Search::start(file.try_clone().unwrap(), 24, find, (0, false), None).unwrap();
        assert_eq!(all(&search), [4, 16]);
        let find = Find::typed("~one\\s+two").unwrap();
        let search = Search::start(file, 24, find, (0, false), None).unwrap();
        assert_eq!(all(&search), [] as [u64; 0]);
    }

    #[test]
    fn an_empty_file_has_nothing() {
        let find = Find::typed("x").unwrap();
        let search =
            Search::start(tempfile::tempfile().unwrap(), 0, find, (0, true), None).unwrap();
        assert!(search.is_done());
        assert_eq!(search.next(0, true).unwrap(), Some(None));
    }
}
