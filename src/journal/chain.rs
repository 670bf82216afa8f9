//! The hash chain over the exact bytes that are stored.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use sha2::{Digest as _, Sha256};

use crate::model::ids::{Digest, Epoch, Seq};

use super::Error;
use super::store::Row;

/// The kind by which a reader finds where to start.
pub(super) const CARRIED: &str = "carried";

/// SHA-256 of stored bytes.
pub(super) fn sum(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A hash as entries name the one before them.
pub(super) fn hex(hash: &[u8]) -> Digest {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    let digits = hash.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    Digest(digits.collect())
}

/// A place in the journal: the entry that was last written or read there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    /// Its place; 0 before the first.
    pub(super) seq: Seq,
    /// Its epoch.
    pub(super) epoch: Epoch,
    /// Its hash; empty before the first.
    pub(super) hash: Digest,
}

impl Link {
    /// The link after this one, when `row` is what must follow: next number, bytes as hashed,
    /// named predecessor, an epoch not before this one's, and columns that say what the bytes say.
    pub(super) fn follow(&self, row: &Row) -> Result<Self, Error> {
        let expected = self.seq + 1;
        if row.seq != expected {
            let why = format!("it is missing; the next one there is entry {}", row.seq);
            return Err(damaged(expected, why));
        }
        let (link, prev) = Self::of(row)?;
        if prev != self.hash {
            return Err(damaged(row.seq, "it does not follow the entry before it"));
        }
        if link.epoch < self.epoch {
            return Err(damaged(row.seq, "its epoch is before that of the entry before it"));
        }
        Ok(link)
    }

    /// The link that `row` is by itself, without what was before it: where a reader starts.
    pub(super) fn start(row: &Row) -> Result<Self, Error> {
        Self::of(row).map(|(link, _)| link)
    }

    fn of(row: &Row) -> Result<(Self, Digest), Error> {
        if sum(&row.bytes).as_slice() != row.hash.as_slice() {
            return Err(damaged(row.seq, "its hash does not match its bytes"));
        }
        let face = Face::read(&row.bytes)
            .map_err(|e| damaged(row.seq, format!("it cannot be read: {e}")))?;
        if face.seq != row.seq || face.epoch != row.epoch || face.kind() != row.kind {
            return Err(damaged(row.seq, "its columns do not match its bytes"));
        }
        let link = Self { seq: row.seq, epoch: row.epoch, hash: hex(&row.hash) };
        Ok((link, face.prev))
    }
}

/// An error about one entry.
pub(super) fn damaged(seq: Seq, why: impl Into<String>) -> Error {
    Error::Damaged { seq, why: why.into() }
}

/// The parts of an entry that the chain needs, read without reading the rest.
#[derive(Deserialize)]
pub(super) struct Face {
    seq: Seq,
    epoch: Epoch,
    prev: Digest,
    body: Names,
}

#[derive(Deserialize)]
struct Names {
    event: Option<Name>,
    command: Option<Name>,
}

impl Face {
    /// Reads the face of stored bytes.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The kind of the entry, for people and for the index.
    pub(super) fn kind(&self) -> &str {
        let name = self.body.event.as_ref().or(self.body.command.as_ref());
        name.map_or("unknown", |name| name.0.as_str())
    }
}

/// The name of an event or command: a string, or the first key of an object.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct First;
        impl<'de> Visitor<'de> for First {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an event or a command")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(Name(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Name, A::Error> {
                let mut first = None;
                while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
                    first.get_or_insert(key);
                }
                Ok(Name(first.unwrap_or_default()))
            }
        }
        deserializer.deserialize_any(First)
    }
}
