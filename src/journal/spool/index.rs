//! Where the lines of a segment are, without holding them: one mark each 64 KiB.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::super::Error;
use super::super::folder::private_read;
use super::{LogSeverity, RAW_LINE_LIMIT, Record, Segment};

/// Bytes between marks.
const STRIDE: u64 = 64 * 1024;
/// More than this without a newline is no line of ours.
const LONGEST: usize = RAW_LINE_LIMIT + 1024;

/// A stretch of whole lines, at most a stride and one line long.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Where it begins.
    pub(super) offset: u64,
    /// Where it ends.
    pub(super) end: u64,
    /// The number of its first line.
    pub(super) first: u64,
    /// How many lines it has, gaps included.
    pub(super) lines: u64,
    /// The time of its first line.
    pub(super) ms: i64,
    /// How many lines of each severity it has.
    pub(super) severities: [u32; 4],
    /// How many gaps it has.
    pub(super) gaps: u32,
}

impl Block {
    /// Whether some line in it is shown when only `min` and above are.
    pub(super) fn has(&self, min: LogSeverity) -> bool {
        let counts = self.severities.iter().skip(min.place());
        self.gaps > 0 || counts.sum::<u32>() > 0
    }

    /// The number after its last line.
    pub(super) fn after(&self) -> u64 {
        self.first + self.lines
    }
}

/// A segment and what is known of it so far.
#[derive(Clone, Debug)]
pub(super) struct SegmentIndex {
    /// Its name.
    pub(super) segment: Segment,
    path: PathBuf,
    /// Its blocks.
    pub(super) blocks: Vec<Block>,
    /// Gaps in it so far.
    pub(super) gaps: u64,
}

impl SegmentIndex {
    /// Nothing is known yet.
    pub(super) fn new(folder: &Path, segment: Segment) -> Self {
        Self { path: folder.join(segment.file_name()), segment, blocks: Vec::new(), gaps: 0 }
    }

    /// Up to where whole lines are known, in bytes.
    pub(super) fn known(&self) -> u64 {
        self.blocks.last().map_or(0, |block| block.end)
    }

    /// The number after the last known line.
    pub(super) fn after(&self) -> u64 {
        self.blocks.last().map_or(self.segment.first, Block::after)
    }

    /// Its length on disk; 0 when the ring has given it up.
    pub(super) fn length(&self) -> u64 {
        self.path.metadata().map_or(0, |found| found.len())
    }

    /// Learns what was written since; returns how many bytes were read.
    pub(super) fn extend(&mut self) -> Result<u64, Error> {
        let known = self.known();
        if self.length() <= known {
            return Ok(0);
        }
        let Some(mut file) = self.open()? else {
            return Ok(0);
        };
        let learned = self.read_on(&mut file, known);
        learned.map_err(Error::file("read", &self.path))
    }

    fn read_on(&mut self, file: &mut File, known: u64) -> std::io::Result<u64> {
        file.seek(SeekFrom::Start(known))?;
        let mut kept: Vec<u8> = Vec::new();
        let mut chunk = vec![0; 64 * 1024];
        let mut total = 0;
        loop {
            let read = file.read(&mut chunk)?;
            total += read as u64;
            kept.extend_from_slice(chunk.get(..read).unwrap_or_default());
            let whole = memchr::memrchr(b'\n', &kept).map_or(0, |at| at + 1);
            let mut lines = kept.get(..whole).unwrap_or_default();
            while let Some(at) = memchr::memchr(b'\n', lines) {
                self.learn(lines.get(..at).unwrap_or_default());
                lines = lines.get(at + 1..).unwrap_or_default();
            }
            kept.drain(..whole);
            if read == 0 || kept.len() > LONGEST {
                return Ok(total);
            }
        }
    }

    /// The bytes of a block; nothing when the ring has given the segment up.
    pub(super) fn load(&self, block: &Block) -> Result<Vec<u8>, Error> {
        let Some(mut file) = self.open()? else {
            return Ok(Vec::new());
        };
        let length = usize::try_from(block.end - block.offset).unwrap_or(0);
        let mut bytes = vec![0; length];
        file.seek(SeekFrom::Start(block.offset))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(Error::file("read", &self.path))?;
        Ok(bytes)
    }

    fn open(&self) -> Result<Option<File>, Error> {
        match private_read(&self.path) {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::file("open", &self.path)(e)),
        }
    }

    fn learn(&mut self, stored: &[u8]) {
        let record = Record::parse(stored);
        let full = self.blocks.last().is_none_or(|block| block.end - block.offset >= STRIDE);
        if full {
            self.blocks.push(Block {
                offset: self.known(),
                end: self.known(),
                first: self.after(),
                lines: 0,
                ms: record.ms,
                severities: [0; 4],
                gaps: 0,
            });
        }
        let Some(block) = self.blocks.last_mut() else {
            return;
        };
        block.end += stored.len() as u64 + 1;
        block.lines += 1;
        if record.gap {
            block.gaps += 1;
            self.gaps += 1;
        } else {
            let place = LogSeverity::of(record.text).place();
            if let Some(count) = block.severities.get_mut(place) {
                *count += 1;
            }
        }
    }
}
