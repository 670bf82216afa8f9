//! One source into the archive: bounded, redacted, in parts.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use crate::model::ids::Time;
use crate::redact::{Book, Found, Pass, Redactor};

use super::archive::Archive;
use super::manifest::{SourceRecord, SourceState, Truncated};

/// A longer source is several files of about this size.
const PART: usize = 4 * 1024 * 1024;
/// What is read at a time. A line longer than this is cut.
const PIECE: usize = 256 * 1024;
/// The longest line; more of it is cut off.
const LINE: usize = 1024 * 1024;

/// Bounds, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of one source, before compression.
    pub source: u64,
    /// Of the whole archive.
    pub total: u64,
}

impl Default for Limits {
    /// 25 MiB a source, 512 MiB in all.
    fn default() -> Self {
        Self { source: 25 << 20, total: 512 << 20 }
    }
}

impl Limits {
    /// No bounds.
    pub fn none() -> Self {
        Self { source: u64::MAX, total: u64::MAX }
    }
}

/// Something to be kept.
pub struct Item {
    /// Its path in the bundle: `logs/green.log`.
    pub path: String,
    /// What kind of thing it is.
    pub kind: &'static str,
    /// Where it comes from.
    pub from: From,
}

/// Where a source comes from.
pub enum From {
    /// A text that is known.
    Text(String),
    /// A file.
    File(PathBuf),
    /// Files one after the other, as one.
    Files(Vec<PathBuf>),
    /// Lines as they come; an error ends them.
    Lines(Box<dyn Iterator<Item = Result<String, String>> + Send>),
    /// It could not be had, and why.
    Failed(String),
}

impl std::fmt::Debug for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.origin())
    }
}

impl From {
    fn origin(&self) -> String {
        match self {
            Self::Text(_) => "made here".to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::Files(paths) => match paths.first().and_then(|path| path.parent()) {
                Some(folder) => format!("{} ({} files)", folder.display(), paths.len()),
                None => "no files".to_owned(),
            },
            Self::Lines(_) => "the journal".to_owned(),
            Self::Failed(_) => String::new(),
        }
    }
}

/// What every source needs.
pub(super) struct Desk<'a> {
    pub(super) redactor: &'a Redactor,
    pub(super) book: &'a mut Book,
    pub(super) limits: Limits,
    pub(super) now: &'a dyn Fn() -> Time,
    /// Every place where something was taken out.
    pub(super) places: &'a mut Vec<(String, Found)>,
    /// Whether to stop now.
    pub(super) cancel: &'a dyn Fn() -> bool,
}

/// Takes `item` into the archive and says how it went.
pub(super) fn take(item: Item, archive: &mut Archive, desk: &mut Desk<'_>) -> SourceRecord {
    let begun = (desk.now)();
    let before = desk.book.counts().clone();
    let mut record = SourceRecord {
        path: item.path,
        kind: item.kind.to_owned(),
        origin: desk.redactor.text(&item.from.origin(), desk.book),
        ..SourceRecord::default()
    };
    if archive.reached(desk.limits.total) {
        record.state = SourceState::Skipped;
        record.error = Some("the bundle is as large as it may become".to_owned());
        return record;
    }
    let mut writer = Writer::new(archive, desk, record.path.clone());
    let done = match item.from {
        From::Text(text) => {
            writer.feed(text.as_bytes());
            Ok((text.len() as u64, None))
        }
        From::File(path) => writer.files(&[path]),
        From::Files(paths) => writer.files(&paths),
        From::Lines(lines) => writer.each(lines),
        From::Failed(why) => Err((SourceState::Error, why)),
    };
    (record.lines, record.bytes, record.parts) = writer.finish();
    match done {
        Ok((raw, truncated)) => (record.raw_bytes, record.truncated) = (raw, truncated),
        Err((state, why)) => {
            record.state = if record.parts > 0 { SourceState::Partial } else { state };
            record.error = Some(desk.redactor.text(&why, desk.book));
        }
    }
    for (rule, count) in desk.book.counts() {
        let new = count - before.get(rule).copied().unwrap_or_default();
        if new > 0 {
            record.redactions.insert(rule.name().to_owned(), new);
        }
    }
    let ms = ((desk.now)() - begun).num_milliseconds();
    record.ms = u64::try_from(ms).unwrap_or_default();
    record
}

/// What was read and left out, or how far it did not come.
type Took = Result<(u64, Option<Truncated>), (SourceState, String)>;

/// Makes lines of bytes and files of lines.
struct Writer<'a, 'd> {
    archive: &'a mut Archive,
    desk: &'a mut Desk<'d>,
    path: String,
    pass: Pass,
    /// A line of which the end has not come yet, and how much more of it was cut off.
    carry: Vec<u8>,
    cut: u64,
    parts: u32,
    bytes: u64,
    open: bool,
}

impl<'a, 'd> Writer<'a, 'd> {
    fn new(archive: &'a mut Archive, desk: &'a mut Desk<'d>, path: String) -> Self {
        let (pass, carry) = (Pass::default(), Vec::new());
        Self { archive, desk, path, pass, carry, cut: 0, parts: 0, bytes: 0, open: false }
    }

    /// Takes bytes as they come.
    fn feed(&mut self, mut bytes: &[u8]) {
        if !self.carry.is_empty() || self.cut > 0 {
            let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |newline| newline + 1);
            let (first, rest) = bytes.split_at(end);
            self.hold(first);
            if !first.ends_with(b"\n") {
                return;
            }
            self.end_line();
            bytes = rest;
        }
        let whole = memchr::memrchr(b'\n', bytes).map_or(0, |newline| newline + 1);
        let (lines, rest) = bytes.split_at(whole);
        if !lines.is_empty() {
            self.put(lines);
        }
        self.hold(rest);
    }

    /// Keeps a part of a line until its end comes, as much as may be kept of it.
    fn hold(&mut self, bytes: &[u8]) {
        let room = LINE.saturating_sub(self.carry.len());
        let kept = bytes.get(..room).unwrap_or(bytes);
        self.carry.extend_from_slice(kept);
        let more = bytes.len() - kept.len();
        // Its newline is no part of what is missing.
        self.cut += (more - usize::from(more > 0 && bytes.ends_with(b"\n"))) as u64;
    }

    fn end_line(&mut self) {
        let mut line = std::mem::take(&mut self.carry);
        if self.cut > 0 {
            // The last word may be half a secret.
            let near = line.len().saturating_sub(4096);
            let word = line.iter().rposition(u8::is_ascii_whitespace);
            let end = word.filter(|at| *at >= near).unwrap_or(near);
            let cut = self.cut + (line.len() - end) as u64;
            line.truncate(end);
            line.extend_from_slice(format!(" [cut by backout: {cut} more bytes]\n").as_bytes());
        }
        self.cut = 0;
        if !line.is_empty() {
            self.put(&line);
        }
        line.clear();
        line.shrink_to(PIECE);
        self.carry = line;
    }

    /// Writes whole lines.
    fn put(&mut self, lines: &[u8]) {
        if !self.open {
            let path = match self.parts {
                0 => self.path.clone(),
                number => format!("{}.{number:03}", self.path),
            };
            self.archive.begin(&path);
            self.open = true;
            self.parts += 1;
        }
        let (redactor, book, pass) = (self.desk.redactor, &mut *self.desk.book, &mut self.pass);
        self.archive.fill(|buffer| redactor.lines(lines, pass, book, buffer));
        for found in self.desk.book.take_found() {
            if self.desk.places.len() < PLACES {
                self.desk.places.push((self.path.clone(), found));
            }
        }
        if self.archive.length() >= PART - PIECE {
            self.bytes += self.archive.end();
            self.open = false;
        }
    }

    /// Lines, bytes and files that were written.
    fn finish(mut self) -> (u64, u64, u32) {
        self.end_line();
        if self.open {
            self.bytes += self.archive.end();
        }
        (self.pass.lines(), self.bytes, self.parts)
    }

    fn each(&mut self, lines: Box<dyn Iterator<Item = Result<String, String>> + Send>) -> Took {
        let mut raw = 0;
        for line in lines {
            let line = line.map_err(|why| (SourceState::Error, why))?;
            raw += line.len() as u64 + 1;
            self.feed(line.as_bytes());
            self.feed(b"\n");
            self.may_go_on()?;
        }
        Ok((raw, None))
    }

    fn may_go_on(&self) -> Result<(), (SourceState, String)> {
        if (self.desk.cancel)() {
            return Err((SourceState::Error, "the time for the bundle was up".to_owned()));
        }
        if self.archive.reached(self.desk.limits.total) {
            let why = "the bundle is as large as it may become".to_owned();
            return Err((SourceState::Skipped, why));
        }
        Ok(())
    }

    /// Files one after the other as one, with its middle left out where it is too long.
    fn files(&mut self, paths: &[PathBuf]) -> Took {
        let mut chain = Chain::open(paths)?;
        let length = chain.length;
        let limit = self.desk.limits.source;
        if length <= limit {
            self.range(&mut chain, 0, length)?;
            return Ok((length, None));
        }
        self.range(&mut chain, 0, limit / 10)?;
        // Half a line may be half a secret.
        let head = limit / 10 - self.carry.len() as u64 - self.cut;
        self.carry.clear();
        self.cut = 0;
        let from = chain.line_after(length - (limit - limit / 10));
        let lines = chain.count(head, from).map_err(unreadable)?;
        let dropped = from - head;
        let marker = format!("… {lines} lines / {dropped} bytes dropped by backout …\n");
        self.pass.cut();
        self.feed(marker.as_bytes());
        self.pass.begin_within(&chain.read(from, PIECE).map_err(unreadable)?);
        self.range(&mut chain, from, length)?;
        let (tail, dropped_lines) = (length - from, lines);
        Ok((length, Some(Truncated { head, tail, dropped_bytes: dropped, dropped_lines })))
    }

    fn range(
        &mut self,
        chain: &mut Chain,
        mut at: u64,
        to: u64,
    ) -> Result<(), (SourceState, String)> {
        let mut piece = vec![0; PIECE];
        while at < to {
            let want = usize::try_from(to - at).unwrap_or(PIECE).min(PIECE);
            let got = chain.read_at(piece.get_mut(..want).unwrap_or_default(), at);
            let got = got.map_err(unreadable)?;
            // It was cut short meanwhile.
            let Some(bytes) = piece.get(..got).filter(|bytes| !bytes.is_empty()) else { break };
            self.feed(bytes);
            at += got as u64;
            self.may_go_on()?;
        }
        Ok(())
    }
}

/// Places that are listed in all.
const PLACES: usize = 10_000;

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn unreadable(error: std::io::Error) -> (SourceState, String) {
    (SourceState::Error, format!("could not read it: {error}"))
}

/// Files read as one. Their lengths are those at the beginning: what is written meanwhile is not
/// waited for.
struct Chain {
    files: Vec<(File, u64)>,
    length: u64,
}

impl Chain {
    fn open(paths: &[PathBuf]) -> Result<Self, (SourceState, String)> {
        let mut chain = Self { files: Vec::new(), length: 0 };
        for path in paths {
            // A pipe in the place of a log must not hold us up.
            let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
            let file = File::options().read(true).custom_flags(flags).open(path);
            let file = file.map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => (SourceState::Absent, "it is not there".to_owned()),
                _ => unreadable(error),
            })?;
            let found = file.metadata().map_err(unreadable)?;
            if !found.is_file() {
                return Err((SourceState::Error, "it is not a file".to_owned()));
            }
            chain.length += found.len();
            chain.files.push((file, found.len()));
        }
        Ok(chain)
    }

    /// Reads what one of the files has at `at` of the whole.
    fn read_at(&mut self, into: &mut [u8], mut at: u64) -> std::io::Result<usize> {
        for (file, length) in &self.files {
            if at < *length {
                let room = usize::try_from(*length - at).unwrap_or(usize::MAX).min(into.len());
                let into = into.get_mut(..room).unwrap_or_default();
                return std::os::unix::fs::FileExt::read_at(file, into, at);
            }
            at -= length;
        }
        Ok(0)
    }

    fn read(&mut self, at: u64, most: usize) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; most];
        let got = self.read_at(&mut bytes, at)?;
        bytes.truncate(got);
        Ok(bytes)
    }

    /// Where the first line begins at or after `at`; where none does near, a little further on.
    fn line_after(&mut self, at: u64) -> u64 {
        let bytes = self.read(at, LINE).unwrap_or_default();
        let newline = memchr::memchr(b'\n', &bytes);
        at + newline.map_or(4096.min(bytes.len()), |newline| newline + 1) as u64
    }

    /// How many lines end between the two.
    fn count(&mut self, mut at: u64, to: u64) -> std::io::Result<u64> {
        let mut piece = vec![0; PIECE];
        let mut lines = 0;
        while at < to {
            let want = usize::try_from(to - at).unwrap_or(PIECE).min(PIECE);
            let got = self.read_at(piece.get_mut(..want).unwrap_or_default(), at)?;
            if got == 0 {
                break;
            }
            lines += memchr::memchr_iter(b'\n', piece.get(..got).unwrap_or_default()).count();
            at += got as u64;
        }
        Ok(lines as u64)
    }
}
