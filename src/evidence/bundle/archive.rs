//! Files into a tar stream, whose size is known only when they end.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::model::ids::{Digest, Time};

use super::frames::{FRAME, Frames};
use super::manifest::FileRecord;

/// The block of the format, in bytes.
const BLOCK: usize = 512;

/// The open end of an archive.
pub(super) struct Archive {
    /// Nothing where it is only counted.
    frames: Option<Frames>,
    /// What the next frame will hold.
    buffer: Vec<u8>,
    /// The name of the folder that everything is in.
    root: String,
    at: Time,
    open: Option<Open>,
    /// Every file and the frame it is in.
    files: Vec<(FileRecord, u64)>,
}

/// A file and the number of its frame.
pub(super) type Placed = (FileRecord, u64);

struct Open {
    path: String,
    begun: usize,
    hashed: usize,
    hash: Sha256,
}

impl Archive {
    pub(super) fn new(frames: Option<Frames>, root: &str, at: Time) -> Self {
        Self {
            frames,
            buffer: Vec::with_capacity(FRAME + FRAME / 4),
            root: root.to_owned(),
            at,
            open: None,
            files: Vec::new(),
        }
    }

    /// Begins the file at `path` below the bundle's folder.
    pub(super) fn begin(&mut self, path: &str) {
        self.end();
        let begun = self.buffer.len() + BLOCK;
        self.buffer.resize(begun, 0);
        let open = Open { path: path.to_owned(), begun, hashed: begun, hash: Sha256::new() };
        self.open = Some(open);
    }

    /// Gives the buffer to which the open file's bytes are appended.
    pub(super) fn fill<T>(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let filled = fill(&mut self.buffer);
        if let Some(open) = &mut self.open {
            // Hashed while it is still in the processor's cache.
            open.hash.update(self.buffer.get(open.hashed..).unwrap_or_default());
            open.hashed = self.buffer.len();
        }
        filled
    }

    /// How long the open file is.
    pub(super) fn length(&self) -> usize {
        self.open.as_ref().map_or(0, |open| self.buffer.len() - open.begun)
    }

    /// Ends the open file; its size.
    pub(super) fn end(&mut self) -> u64 {
        let Some(open) = self.open.take() else { return 0 };
        let bytes = (self.buffer.len() - open.begun) as u64;
        let header = header(&format!("{}/{}", self.root, open.path), bytes, self.at);
        if let Some(place) = self.buffer.get_mut(open.begun - BLOCK..open.begun) {
            place.copy_from_slice(header.as_bytes());
        }
        let padded = self.buffer.len().next_multiple_of(BLOCK);
        self.buffer.resize(padded, 0);
        let sha256 = Digest::of_hash(&open.hash.finalize());
        let record = FileRecord { path: open.path, bytes, sha256 };
        self.files.push((record, self.frames.as_ref().map_or(0, Frames::next)));
        if self.buffer.len() >= FRAME {
            self.send();
        }
        bytes
    }

    /// One whole file.
    pub(super) fn put(&mut self, path: &str, bytes: &[u8]) {
        self.begin(path);
        self.fill(|buffer| buffer.extend_from_slice(bytes));
        self.end();
    }

    /// Whether the file holds `total` bytes or more.
    pub(super) fn reached(&self, total: u64) -> bool {
        self.frames.as_ref().is_some_and(|frames| frames.reached(total))
    }

    fn send(&mut self) {
        match &mut self.frames {
            Some(frames) => {
                frames.send(&mut self.buffer);
            }
            None => self.buffer.clear(),
        }
    }

    /// Writes what is left; every file and its frame, and what became of the archive's file.
    pub(super) fn close(mut self) -> std::io::Result<(Vec<Placed>, Option<super::frames::Ended>)> {
        self.end();
        if !self.buffer.is_empty() {
            self.send();
        }
        Ok((self.files, self.frames.map(Frames::end).transpose()?))
    }
}

/// Small files in one frame of their own, then the end of the archive.
pub(super) fn last(root: &str, files: &[(&str, &[u8])], at: Time) -> std::io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    for (path, bytes) in files {
        raw.extend_from_slice(header(&format!("{root}/{path}"), bytes.len() as u64, at).as_bytes());
        raw.extend_from_slice(bytes);
        raw.resize(raw.len().next_multiple_of(BLOCK), 0);
    }
    raw.resize(raw.len() + 2 * BLOCK, 0);
    super::frames::frame(&raw)
}

fn header(path: &str, bytes: u64, at: Time) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    if header.set_path(Path::new(path)).is_err() {
        // Longer than the format takes: a name that is unique and short.
        let (root, inside) = path.split_once('/').unwrap_or(("incident", path));
        let folder = inside.split('/').next().unwrap_or("files");
        let short = format!("{root}/{folder}/{}", Digest::of(path.as_bytes()).short());
        header.set_path(Path::new(&short)).ok();
    }
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(u64::try_from(at.timestamp()).unwrap_or_default());
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    header
}
