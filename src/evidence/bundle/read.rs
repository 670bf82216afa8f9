//! Reads a bundle back, frame by frame: bounded memory, and nothing of a frame counts that is not
//! there as a whole.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zstd::bulk::Decompressor;
use zstd::zstd_safe;

use crate::adapters::{Error, Kind};

use super::frames::LARGEST;

/// The most that a frame of ours takes in the file: what cannot be compressed, and a little.
const PACKED: usize = LARGEST + 64 * 1024;
/// More files than any bundle has.
const MOST: usize = 1_000_000;

/// One file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Below the bundle's own folder.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The files of a bundle, one after the other.
pub struct Entries {
    name: String,
    file: File,
    decompressor: Decompressor<'static>,
    /// Bytes of the file that were read and not used.
    packed: Vec<u8>,
    /// The frame that is read now, and how far.
    frame: Vec<u8>,
    at: usize,
    /// The bundle's own folder, as the first file says.
    root: Option<String>,
    seen: usize,
    /// The length of the file up to the last frame that was whole.
    whole: u64,
    /// The same before the frame that is read now.
    begun: u64,
    closed: bool,
}

impl std::fmt::Debug for Entries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entries({}, {} bytes read)", self.name, self.whole)
    }
}

impl Entries {
    /// Opens a bundle.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |e: std::io::Error| Error::io("read bundle", path.display(), &e);
        let file = File::open(path).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            let message = format!("could not read bundle {}: it is not a file", path.display());
            return Err(Error::new(Kind::Rejected, message));
        }
        Ok(Self {
            name: path.display().to_string(),
            file,
            decompressor: Decompressor::new().map_err(failed)?,
            packed: Vec::new(),
            frame: Vec::new(),
            at: 0,
            root: None,
            seen: 0,
            whole: 0,
            begun: 0,
            closed: false,
        })
    }

    /// The length of the file up to the last frame that was whole, in bytes.
    pub(super) fn whole(&self) -> u64 {
        self.whole
    }

    /// Whether the end of the archive was reached.
    pub(super) fn closed(&self) -> bool {
        self.closed
    }

    /// The bundle's own folder.
    pub(super) fn root(&self) -> Option<&str> {
        self.root.as_deref()
    }

    /// The next file; nothing at the end. An error says after how many files the rest is damaged.
    pub fn next_file(&mut self) -> Result<Option<Entry>, Error> {
        loop {
            if self.closed || (self.at >= self.frame.len() && !self.next_frame()?) {
                return Ok(None);
            }
            let rest = self.frame.get(self.at..).unwrap_or_default();
            if rest.iter().take(512).all(|byte| *byte == 0) {
                // Two empty blocks end an archive.
                self.closed = true;
                continue;
            }
            let read = self.file_of(rest);
            if read.is_err() {
                // A frame that does not hold what it should is none.
                self.whole = self.begun;
            }
            let (entry, used, root) = read?;
            self.at += used;
            self.seen += 1;
            self.root.get_or_insert(root);
            return Ok(Some(entry));
        }
    }

    fn damaged(&self, why: &str) -> Error {
        let message = format!(
            "could not read bundle {} beyond {} files ({} bytes): {why}; keep it and close what is \
             whole: backout bundle recover {}",
            self.name, self.seen, self.whole, self.name
        );
        Error::new(Kind::Rejected, message)
    }

    fn file_of(&self, rest: &[u8]) -> Result<(Entry, usize, String), Error> {
        let bad = |why: &str| self.damaged(why);
        if self.seen >= MOST {
            return Err(bad("it holds too many files"));
        }
        let block = rest.get(..512).ok_or_else(|| bad("a file's head is cut off"))?;
        let header = tar::Header::from_byte_slice(block);
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum::<u32>()
            - block.get(148..156).unwrap_or_default().iter().map(|b| u32::from(*b)).sum::<u32>()
            + 8 * 32;
        if header.cksum().ok() != Some(sum) {
            return Err(bad("the checksum of a file's head is wrong"));
        }
        if header.entry_type() != tar::EntryType::Regular {
            return Err(bad("it holds something that is not a file"));
        }
        let path = String::from_utf8(header.path_bytes().into_owned())
            .map_err(|_| bad("the name of a file is not text"))?;
        let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        let Some((root, inside)) = path.split_once('/').filter(|_| path.split('/').all(plain))
        else {
            return Err(bad("the name of a file leads out of it"));
        };
        if self.root.as_ref().is_some_and(|known| known != root) {
            return Err(bad("it holds files of another bundle"));
        }
        let size = header.entry_size().ok().and_then(|size| usize::try_from(size).ok());
        let size = size.filter(|size| *size <= LARGEST).ok_or_else(|| bad("a size is wrong"))?;
        let bytes = rest.get(512..512 + size).ok_or_else(|| bad("a file is cut off"))?;
        let entry = Entry { path: inside.to_owned(), bytes: bytes.to_vec() };
        Ok((entry, (512 + size).next_multiple_of(512), root.to_owned()))
    }

    /// Reads the next frame; false at the end of the file.
    fn next_frame(&mut self) -> Result<bool, Error> {
        let failed = |name: &str, e: std::io::Error| Error::io("read bundle", name, &e);
        let want = PACKED.saturating_sub(self.packed.len());
        Read::by_ref(&mut self.file)
            .take(want as u64)
            .read_to_end(&mut self.packed)
            .map_err(|e| failed(&self.name, e))?;
        if self.packed.is_empty() {
            return Ok(false);
        }
        let length = zstd_safe::find_frame_compressed_size(&self.packed)
            .map_err(|_| self.damaged("a part of it is cut off or changed"))?;
        let frame = self.packed.get(..length).unwrap_or_default();
        let size = zstd_safe::get_frame_content_size(frame).ok().flatten();
        let size = size.and_then(|size| usize::try_from(size).ok());
        let Some(size) = size.filter(|size| *size <= LARGEST) else {
            return Err(self.damaged("a part of it is none of ours"));
        };
        self.frame = self
            .decompressor
            .decompress(frame, size)
            .map_err(|_| self.damaged("a part of it was changed"))?;
        self.packed.drain(..length);
        self.at = 0;
        self.begun = self.whole;
        self.whole += length as u64;
        Ok(true)
    }
}
