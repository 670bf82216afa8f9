//! Looks through a whole archive and writes nothing.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::{Entry, Kind, Limits, No, RATIO_FROM, Seen, Sink, Wrong, facts, walk};
use crate::evidence::manifest::FileFacts;

/// What a whole archive holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Every file and link, with its digest.
    pub entries: BTreeMap<String, FileFacts>,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Reads all of the compressed archive `from`, of `packed` bytes; either what it holds, or
/// everything that is wrong with it.
pub(in crate::evidence) fn scan(
    from: impl Read,
    packed: u64,
    limits: Limits,
) -> Result<Scanned, Wrong> {
    let mut scanned = Digests::default();
    let (mut seen, mut wrong) = (Seen::default(), Wrong::default());
    let plain = MultiGzDecoder::new(BufReader::with_capacity(256 * 1024, from));
    let mut plain = Bounded::new(plain, packed, limits);
    let walked = walk(&mut plain, limits, true, &mut scanned, (&mut seen, &mut wrong));
    if let Err(error) = walked {
        wrong.add("", error.message);
    }
    if wrong.is_empty() { Ok(scanned.done) } else { Err(wrong) }
}

/// A stream that may not become much more than it was packed.
pub(super) struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R> Bounded<R> {
    pub(super) fn new(inner: R, packed: u64, limits: Limits) -> Self {
        let ratio = packed.saturating_mul(limits.ratio).max(RATIO_FROM);
        // Each entry has blocks of its own beside its bytes.
        let blocks = limits.entries.saturating_mul(4096);
        let left = limits.bytes.saturating_add(blocks).min(ratio);
        Self { inner, left }
    }

    pub(super) fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            std::io::Error::other("it becomes more than its packed size allows: a bomb")
        })?;
        Ok(count)
    }
}

/// Takes digests of what passes by.
#[derive(Default)]
struct Digests {
    done: Scanned,
    open: Option<(String, u64, Sha256)>,
}

impl Sink for Digests {
    fn begin(&mut self, entry: &Entry) -> Result<(), No> {
        match &entry.kind {
            Kind::Folder => {}
            Kind::File => self.open = Some((entry.path.clone(), entry.bytes, Sha256::new())),
            Kind::Link(to) => {
                let hash = Sha256::digest(to.as_bytes());
                let facts = facts(to.len() as u64, &hash);
                self.done.entries.insert(entry.path.clone(), facts);
            }
        }
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), No> {
        if let Some((_, _, hash)) = &mut self.open {
            hash.update(bytes);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), No> {
        if let Some((path, bytes, hash)) = self.open.take() {
            self.done.bytes += bytes;
            self.done.entries.insert(path, facts(bytes, &hash.finalize()));
        }
        Ok(())
    }
}
