//! Writes the lines of one source.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::model::ids::Time;

use super::super::Error;
use super::super::folder::private;
use super::index::SegmentIndex;
use super::{GAP, Limits, RAW_LINE_LIMIT, Segment, folder_of};

/// Bytes after which the buffer is written without being asked.
const BUFFER: usize = 64 * 1024;
/// Bytes that are held while the disk does not take them; beyond, lines are lost and counted.
const HELD: usize = 2 * 1024 * 1024;

mod room;

/// The only writer of one source's lines. Nothing is synced: the spool survives a kill, not a
/// power cut.
#[derive(Debug)]
pub struct SourceWriter {
    folder: PathBuf,
    limits: Limits,
    /// Oldest first; the last is the one written to while `file` is open.
    segments: VecDeque<(Segment, u64)>,
    file: Option<File>,
    /// Whether the file may end in a torn line after a failed write.
    torn: bool,
    buffer: Buffer,
    /// The number of the next line on disk, and the gaps before it.
    next: u64,
    gaps: u64,
    pinned: Option<i64>,
    lost: u64,
    partial: Partial,
    /// Whether a segment was begun since the room was looked at.
    begun: bool,
    mark: Option<File>,
}

/// How far a file was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Device and inode.
    pub id: (u64, u64),
    /// In bytes.
    pub at: u64,
}

#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    lines: u64,
    gaps: u64,
    /// The time of its first line.
    ms: i64,
    /// Lines lost right before its first line.
    lost: u64,
}

/// A line of which the end has not come yet.
#[derive(Debug, Default)]
struct Partial {
    bytes: Vec<u8>,
    cut: u64,
    at: Option<Time>,
}

impl SourceWriter {
    /// Opens the source's folder below `spool`, making both where they are missing, and goes on
    /// after the last whole line that is there.
    pub fn open(spool: &Path, source: &str, limits: Limits) -> Result<Self, Error> {
        let folder = folder_of(spool, source)?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(super::super::share::folder_mode(&folder))
            .create(&folder)
            .map_err(Error::file("create", &folder))?;
        let mut segments = VecDeque::new();
        for segment in Segment::list(&folder)? {
            let path = folder.join(segment.file_name());
            let found = path.metadata().map_err(Error::file("look at", &path))?;
            segments.push_back((segment, found.len()));
        }
        let pinned = fs::read_to_string(folder.join("pin")).ok();
        let mut writer = Self {
            folder,
            limits,
            segments,
            file: None,
            torn: false,
            buffer: Buffer::default(),
            next: 0,
            gaps: 0,
            pinned: pinned.and_then(|ms| ms.trim().parse().ok()),
            lost: 0,
            partial: Partial::default(),
            begun: true,
            mark: None,
        };
        writer.go_on()?;
        Ok(writer)
    }

    /// Takes a line (without its newline; one that holds some is as many lines). It is on disk
    /// after [`Self::flush`], which this calls itself when 64 KiB are waiting.
    ///
    /// An error says that the disk does not take it now; the line is held, and tried again with
    /// the next one, until 2 MiB wait: then they are given up, counted by [`Self::lost`], and
    /// a gap says so.
    pub fn append(&mut self, at: Time, line: &[u8]) -> Result<(), Error> {
        for part in line.split(|byte| *byte == b'\n') {
            self.take(at, part, 0);
        }
        self.flush_when_full()
    }

    /// Takes bytes as they come from a file or a pipe and makes lines of them. However long a
    /// line is, at most [`RAW_LINE_LIMIT`] of it are held.
    pub fn feed(&mut self, at: Time, bytes: &[u8]) -> Result<(), Error> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            if ended && self.partial.at.is_none() {
                // A whole line needs no copy.
                self.take(at, text, 0);
                self.flush_when_full()?;
                continue;
            }
            let partial = &mut self.partial;
            partial.at.get_or_insert(at);
            let room = RAW_LINE_LIMIT.saturating_sub(partial.bytes.len());
            let kept = text.get(..room).unwrap_or(text);
            partial.bytes.extend_from_slice(kept);
            partial.cut += (text.len() - kept.len()) as u64;
            if ended {
                self.end_line()?;
            }
        }
        Ok(())
    }

    /// Ends a line of which the newline will not come any more: the file was rotated, or the
    /// pipe closed.
    pub fn end_line(&mut self) -> Result<(), Error> {
        let partial = std::mem::take(&mut self.partial);
        let Some(begun) = partial.at else {
            return Ok(());
        };
        self.take(begun, &partial.bytes, partial.cut);
        self.flush_when_full()
    }

    /// Writes that lines are missing here, and why.
    pub fn gap(&mut self, at: Time, why: &str) -> Result<(), Error> {
        let why = why.replace('\n', " ");
        let ms = at.timestamp_millis();
        self.buffer.begin(ms);
        self.buffer.bytes.extend_from_slice(&gap_line(ms, &why));
        self.buffer.lines += 1;
        self.buffer.gaps += 1;
        self.flush_when_full()
    }

    /// Writes what is buffered; to be called each 100 ms.
    pub fn flush(&mut self) -> Result<(), Error> {
        if self.buffer.bytes.is_empty() && self.buffer.lost == 0 {
            return Ok(());
        }
        if let Err(refused) = self.write() {
            if self.buffer.bytes.len() > HELD {
                let held = std::mem::take(&mut self.buffer);
                let lines = held.lines - held.gaps;
                self.lost += lines;
                self.buffer.lost = held.lost + lines;
                self.buffer.ms = held.ms;
            }
            return Err(refused);
        }
        self.give_up()
    }

    /// Lines lost before disk since this writer was opened.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Keeps everything from `from` on, also beyond the ring's size, up to the pinned size. An
    /// earlier pin stays.
    pub fn pin(&mut self, from: Time) -> Result<(), Error> {
        let ms = from.timestamp_millis();
        let ms = self.pinned.map_or(ms, |before| before.min(ms));
        let path = self.folder.join("pin");
        private(&path)
            .create(true)
            .truncate(true)
            .open(&path)
            .and_then(|mut file| writeln!(file, "{ms}"))
            .map_err(Error::file("write", &path))?;
        self.pinned = Some(ms);
        Ok(())
    }

    /// Keeps no more than the ring again.
    pub fn unpin(&mut self) -> Result<(), Error> {
        self.pinned = None;
        let path = self.folder.join("pin");
        match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::file("remove", &path)(e));
            }
            Ok(()) | Err(_) => {}
        }
        self.give_up()
    }

    /// Cuts a torn last line and finds the number of the next one.
    fn go_on(&mut self) -> Result<(), Error> {
        let Some((segment, length)) = self.segments.back_mut() else {
            return Ok(());
        };
        let mut index = SegmentIndex::new(&self.folder, segment.clone());
        index.extend()?;
        let torn = *length - index.known();
        *length = index.known();
        self.next = index.after();
        self.gaps = segment.gaps + index.gaps;
        let path = self.folder.join(segment.file_name());
        let file = private(&path)
            .append(true)
            .open(&path)
            .and_then(|file| file.set_len(*length).map(|()| file))
            .map_err(Error::file("open", &path))?;
        self.file = Some(file);
        if torn > 0 {
            let last = index.blocks.last().map_or(segment.ms, |block| block.ms);
            self.buffer.begin(last);
            let why = format!("{torn} bytes of a line were lost when the writer was killed");
            self.buffer.bytes.extend_from_slice(&gap_line(last, &why));
            self.buffer.lines += 1;
            self.buffer.gaps += 1;
        }
        Ok(())
    }

    fn take(&mut self, at: Time, line: &[u8], cut_before: u64) {
        let ms = at.timestamp_millis();
        let kept = line.get(..RAW_LINE_LIMIT).unwrap_or(line);
        let cut = (line.len() - kept.len()) as u64 + cut_before;
        self.buffer.begin(ms);
        let bytes = &mut self.buffer.bytes;
        // A vector takes everything, so this cannot fail.
        write!(bytes, "{ms} ").ok();
        if kept.first() == Some(&0) {
            bytes.push(0);
        }
        bytes.extend_from_slice(kept);
        if cut > 0 {
            bytes.extend_from_slice(format!(" [cut by backout: {cut} more bytes]").as_bytes());
        }
        bytes.push(b'\n');
        self.buffer.lines += 1;
    }

    fn flush_when_full(&mut self) -> Result<(), Error> {
        if self.buffer.bytes.len() >= BUFFER {
            return self.flush();
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Error> {
        if self.file.is_some() && self.length() >= self.limits.segment {
            self.file = None;
        }
        if self.file.is_none() {
            self.begin_segment()?;
        }
        let mut lost = Vec::new();
        if self.buffer.lost > 0 {
            let why = format!("{} lines were lost: the disk did not take them", self.buffer.lost);
            lost = gap_line(self.buffer.ms, &why);
        }
        let length = self.length();
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let write = |file: &mut File| -> std::io::Result<()> {
            if self.torn {
                file.set_len(length)?;
            }
            file.write_all(&lost)?;
            file.write_all(&self.buffer.bytes)
        };
        if let Err(e) = write(file) {
            self.torn = file.set_len(length).is_err();
            return Err(Error::file("write lines to", &self.folder)(e));
        }
        self.torn = false;
        let noted = u64::from(!lost.is_empty());
        self.next += self.buffer.lines + noted;
        self.gaps += self.buffer.gaps + noted;
        if let Some((_, length)) = self.segments.back_mut() {
            *length += (self.buffer.bytes.len() + lost.len()) as u64;
        }
        self.buffer.clear();
        Ok(())
    }

    fn length(&self) -> u64 {
        self.segments.back().map_or(0, |(_, length)| *length)
    }

    fn begin_segment(&mut self) -> Result<(), Error> {
        let segment = Segment { first: self.next, gaps: self.gaps, ms: self.buffer.ms.max(0) };
        let path = self.folder.join(segment.file_name());
        let file = private(&path)
            .append(true)
            .create_new(true)
            .open(&path)
            .map_err(Error::file("create", &path))?;
        self.file = Some(file);
        self.torn = false;
        self.begun = true;
        self.segments.push_back((segment, 0));
        Ok(())
    }

    /// Removes the oldest segments while there is more than may be kept, never the one that is
    /// written to.
    fn give_up(&mut self) -> Result<(), Error> {
        let now = self.segments.back().map_or(0, |(segment, _)| segment.ms);
        let age = i64::try_from(self.limits.age.as_millis()).unwrap_or(i64::MAX);
        while let Some((second, _)) = self.segments.get(1) {
            // Its last line is not younger than the first of the one after it.
            let pinned = self.pinned.is_some_and(|from| second.ms >= from);
            let total: u64 = self.segments.iter().map(|(_, length)| *length).sum();
            let allowed =
                if pinned { self.limits.pinned.max(self.limits.ring) } else { self.limits.ring };
            let too_old = !pinned && now.saturating_sub(second.ms) > age;
            if total <= allowed && !too_old {
                break;
            }
            self.give_up_oldest()?;
        }
        Ok(())
    }
}

impl Drop for SourceWriter {
    fn drop(&mut self) {
        // Nobody is left to be told; what the disk does not take now is lost with the process.
        let _flushed = self.flush();
    }
}

impl Buffer {
    fn begin(&mut self, ms: i64) {
        if self.bytes.is_empty() {
            self.ms = ms;
        }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        // A hostile line must not keep its room for ever.
        self.bytes.shrink_to(2 * BUFFER);
        (self.lines, self.gaps, self.lost) = (0, 0, 0);
    }
}

fn gap_line(ms: i64, why: &str) -> Vec<u8> {
    let mut line = format!("{ms} ").into_bytes();
    line.extend_from_slice(GAP);
    line.extend_from_slice(why.as_bytes());
    line.push(b'\n');
    line
}
