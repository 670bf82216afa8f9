//! Archives read defensively: every entry is looked at before it counts, every violation is
//! listed, and an archive with one is refused as a whole. Nothing is ever skipped in silence.
//!
//! The `tar` crate only decodes headers here: its own unpacking says Ok to a part of an archive.

use std::collections::BTreeMap;

use crate::adapters::Error;
use crate::text::SafeText;

use super::manifest::FileFacts;

mod name;
mod pack;
mod pax;
mod scan;
mod stream;
mod unpack;
mod walk;
mod write;

pub(super) use pack::size_of;
pub use pack::{Packed, pack};
pub use scan::Scanned;
pub(super) use scan::scan;
pub use unpack::{Expected, Job, Refusal, unpack};

use walk::walk;

/// The size of a block, in bytes.
const BLOCK: usize = 512;
/// The most violations that are listed; the rest is counted.
const LISTED: usize = 100;
/// The longest name, in bytes.
const NAME: u64 = 4096;

/// What an archive may hold at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Entries.
    pub entries: u64,
    /// Bytes that one packed byte may become. Deflate itself ends at about 1030.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 1 << 40, entries: 1_000_000, ratio: 400 }
    }
}

/// Below this many bytes the ratio is nobody's business: a small file of zeros packs well.
const RATIO_FROM: u64 = 256 * 1024 * 1024;

/// Something wrong with a restore point: which file of it, and what.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Damage {
    /// The file, below the point's folder; of an archive, its entry behind a colon.
    pub file: SafeText,
    /// What is wrong.
    pub why: SafeText,
}

impl Damage {
    /// `why` is wrong with `file`.
    pub fn new(file: &str, why: &str) -> Self {
        Self { file: SafeText::new(file), why: SafeText::new(why) }
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.file, self.why)
    }
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    /// A symbolic link and what it names: always inside the archive.
    Link(String),
}

/// One entry that may be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its path: no `..`, not absolute, no control characters.
    pub path: String,
    pub kind: Kind,
    pub bytes: u64,
    /// Of the permissions, the nine of reading, writing and running.
    pub mode: u32,
    pub mtime: u64,
}

/// What takes the entries of a walk.
pub(super) trait Sink {
    /// An entry begins; for a file its bytes follow.
    fn begin(&mut self, entry: &Entry) -> Result<(), No>;
    /// Bytes of the file that was begun last.
    fn data(&mut self, bytes: &[u8]) -> Result<(), No>;
    /// The file that was begun last is whole.
    fn end(&mut self) -> Result<(), No>;
}

/// Why a sink does not take something.
pub(super) enum No {
    /// It is not what it should be.
    Wrong(String),
    /// Our own side failed: no use in going on.
    Failed(Error),
}

/// What is wrong, as it is found.
#[derive(Debug, Default)]
pub(super) struct Wrong {
    found: Vec<(String, String)>,
    more: u64,
}

impl Wrong {
    pub(super) fn add(&mut self, entry: &str, why: impl Into<String>) {
        if self.found.len() < LISTED {
            self.found.push((entry.to_owned(), why.into()));
        } else {
            self.more += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.more += other.more;
        for (entry, why) in other.found {
            self.add(&entry, why);
        }
    }

    pub(super) fn damage(self, archive: &str) -> Vec<Damage> {
        let more = (self.more > 0).then(|| (String::new(), format!("and {} more", self.more)));
        let all = self.found.into_iter().chain(more);
        all.map(|(entry, why)| match entry.as_str() {
            "" => Damage::new(archive, &why),
            entry => Damage::new(&format!("{archive}:{entry}"), &why),
        })
        .collect()
    }
}

/// What is known of the paths that were seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Each path and whether it is a folder.
    paths: BTreeMap<String, bool>,
    entries: u64,
    bytes: u64,
}

impl Seen {
    /// Takes `entry` in, or says why it does not belong beside what was there before.
    pub(super) fn take(&mut self, entry: &Entry, limits: Limits) -> Result<(), String> {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(entry.bytes);
        if self.entries > limits.entries {
            return Err(format!("more than {} entries", limits.entries));
        }
        if self.bytes > limits.bytes {
            return Err(format!("more than {} bytes", limits.bytes));
        }
        let folder = entry.kind == Kind::Folder;
        for (at, _) in entry.path.match_indices('/') {
            let parent = entry.path.get(..at).unwrap_or_default();
            match self.paths.get(parent) {
                Some(true) => {}
                Some(false) => return Err(format!("lies below {parent:?}, which is no folder")),
                None => {
                    self.paths.insert(parent.to_owned(), true);
                }
            }
        }
        match self.paths.insert(entry.path.clone(), folder) {
            None => Ok(()),
            Some(true) if folder => Ok(()),
            Some(_) => Err("is there twice".to_owned()),
        }
    }
}

/// How many zeros follow so many bytes.
fn padding(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    if over == 0 { 0 } else { BLOCK - over }
}

/// What an entry's content comes to.
pub(super) fn facts(bytes: u64, hash: &[u8]) -> FileFacts {
    FileFacts { bytes, sha256: crate::model::ids::Digest::of_hash(hash) }
}

#[cfg(test)]
mod tests;
