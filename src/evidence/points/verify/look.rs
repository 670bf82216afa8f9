//! One file of a point read through: its size, its digest, and what its own form says.

use std::fs::File;
use std::io::Read;

use sha2::{Digest as _, Sha256};

use crate::adapters::database::Told;
use crate::model::ids::Digest;

use super::super::{DATA, DATABASE};
use super::by_hand::SUMS;
use super::held::{Held, open_below};
use crate::evidence::archive::{Damage, Limits, Scanned, scan};
use crate::evidence::manifest::{FileFacts, Manifest};
use crate::evidence::script;

/// A look at one file.
pub(super) struct Look<'a> {
    pub(super) told: Told<'a>,
    pub(super) done: &'a mut u64,
    pub(super) all: u64,
    pub(super) path: &'a str,
    /// Its digest by `checksums.sha256`, where a point made by hand has one.
    pub(super) sum: Option<&'a Digest>,
    pub(super) wrong: &'a mut Vec<Damage>,
}

impl Look<'_> {
    pub(super) fn file(
        &mut self,
        folder: &File,
        facts: Option<&FileFacts>,
        manifest: Option<&Manifest>,
    ) -> Option<(Held, Option<Scanned>)> {
        let held = match open_below(folder, self.path) {
            Ok(held) => held,
            Err(e) => {
                let why = match e.kind() {
                    std::io::ErrorKind::NotFound => "is missing".to_owned(),
                    _ => format!("could not be opened: {e}"),
                };
                self.wrong.push(Damage::new(self.path, &why));
                return None;
            }
        };
        let (path, packed) = (self.path, held.was.bytes);
        let mut wrong = Vec::new();
        let mut reader = Reader {
            file: &held.file,
            hash: Sha256::new(),
            bytes: 0,
            told: self.told,
            before: *self.done,
            all: self.all,
        };
        let mut scanned = None;
        match path {
            DATA => match scan(&mut reader, packed, Limits::default()) {
                Ok(found) => scanned = Some(found),
                Err(found) => wrong.extend(found.damage(path)),
            },
            DATABASE => match script::look(&mut reader, packed) {
                Ok(found) => {
                    let tables = manifest.map_or(&[][..], |manifest| &manifest.tables);
                    let differ = found.against(tables);
                    wrong.extend(differ.iter().map(|why| Damage::new(path, why)));
                }
                Err(why) => wrong.push(Damage::new(path, &why)),
            },
            _ => {}
        }
        match reader.finish() {
            Err(e) => wrong.push(Damage::new(path, &format!("could not be read: {e}"))),
            Ok((bytes, digest)) => {
                *self.done += bytes;
                if let Some(why) = facts.and_then(|facts| differs(facts, bytes, &digest)) {
                    // What the manifest says comes first: the rest follows from it.
                    wrong.insert(0, Damage::new(path, &why));
                }
                if let Some(said) = self.sum.filter(|said| **said != digest) {
                    let why = format!("has sha256 {digest}, {SUMS} says {said}");
                    wrong.insert(0, Damage::new(path, &why));
                }
            }
        }
        self.wrong.extend(wrong);
        Some((held, scanned))
    }
}

fn differs(facts: &FileFacts, bytes: u64, digest: &Digest) -> Option<String> {
    if facts.bytes != bytes {
        return Some(format!("has {bytes} bytes, the manifest says {}", facts.bytes));
    }
    (facts.sha256 != *digest)
        .then(|| format!("has sha256 {digest}, the manifest says {}", facts.sha256))
}

/// Reads a file, counts and hashes what is read, and says how far it is.
struct Reader<'a> {
    file: &'a File,
    hash: Sha256,
    bytes: u64,
    told: Told<'a>,
    before: u64,
    all: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        (self.told)(self.before + self.bytes, self.all);
        Ok(count)
    }
}

impl Reader<'_> {
    /// Reads what nobody wanted, and gives size and digest of all of it.
    fn finish(mut self) -> std::io::Result<(u64, Digest)> {
        let mut buffer = vec![0; 256 * 1024];
        while self.read(&mut buffer)? > 0 {}
        Ok((self.bytes, Digest::of_hash(&self.hash.finalize())))
    }
}
