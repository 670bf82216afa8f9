//! What a restore point holds, to the byte: written last, so a point that has one was finished.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::adapters::{Error, Kind};
use crate::model::ids::{Digest, PointId, Time};
use crate::model::keys::Keys;
use crate::model::tables::TableFacts;
use crate::text::SafeText;

use super::index::{sync_folder, write_whole};

/// The manifest's file name in the point's folder.
pub const MANIFEST: &str = "manifest.json";
/// The format that is written, and the newest that is read.
pub const FORMAT: u32 = 1;
/// The most bytes of a manifest that are read: of a million files it is about half of this.
const LIMIT: u64 = 512 * 1024 * 1024;

/// What kind of restore point it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointKind {
    /// Taken of a state that ran.
    #[default]
    Backup,
    /// Taken before a rollback, of whatever was there (S-44): never deleted by retention.
    Safety,
}

/// Size and digest of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256; of a link, of what it names.
    pub sha256: Digest,
}

/// What a restore point holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format's version.
    pub format: u32,
    /// What wrote it: `backout 0.1.0`.
    pub tool: String,
    /// The point's name, which is its folder's.
    pub id: PointId,
    /// What kind of point it is.
    #[serde(default)]
    pub kind: PointKind,
    /// When it was taken.
    pub taken_at: Time,
    /// The version that ran.
    pub version: SafeText,
    /// One image or release per service.
    pub images: Vec<SafeText>,
    /// The schema's version.
    pub schema: Option<i64>,
    /// The newest revision of each migration tool, by what it is of: `alembic`, `django.shop`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub revisions: BTreeMap<String, String>,
    /// What identifies the database that was dumped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// What the database held at the moment of the dump.
    #[serde(default)]
    pub tables: Vec<TableFacts>,
    /// What its Redis held around the moment of its dump.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Keys>,
    /// Every file of the point but this one, by its path below the folder.
    pub files: BTreeMap<String, FileFacts>,
    /// Every file inside `data.tar.gz`, by its path there.
    #[serde(default)]
    pub entries: BTreeMap<String, FileFacts>,
    /// The lengths of the parts of `data.tar.gz`, in bytes: each is a gzip member of whole
    /// entries, so that several can be read at once.
    #[serde(default)]
    pub parts: Vec<u64>,
    /// What could not be kept, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<SafeText>,
    /// HMAC-SHA256 over this document without its signature, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Digest>,
}

impl Manifest {
    /// What writes manifests: this program and its version.
    pub fn tool() -> String {
        format!("backout {}", env!("CARGO_PKG_VERSION"))
    }

    /// Reads the manifest of the point in `dir` with the digest of its bytes, or nothing where
    /// there is none.
    pub fn read(dir: &Path) -> Result<Option<(Self, Digest)>, Error> {
        let path = dir.join(MANIFEST);
        let failed = |e: std::io::Error| Error::io("read", path.display(), &e);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() && found.len() <= LIMIT => {}
            Ok(_) => {
                let message = format!("could not read {}: not a file of ours", path.display());
                return Err(Error::new(Kind::Rejected, message));
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed(e)),
        }
        let bytes = fs::read(&path).map_err(failed)?;
        Self::of(&bytes).map(|manifest| Some((manifest, Digest::of(&bytes)))).map_err(|why| {
            let message = format!("could not read {}: {why}", path.display());
            Error::new(Kind::Rejected, message)
        })
    }

    /// The manifest in `bytes`, or why they are none.
    pub fn of(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if manifest.format == 0 || manifest.format > FORMAT {
            return Err(format!(
                "format {} is not known, {FORMAT} is the newest that is",
                manifest.format
            ));
        }
        Ok(manifest)
    }

    /// Signs it with `key`, or takes a signature away.
    pub fn sign(&mut self, key: Option<&Key>) {
        self.signature = None;
        self.signature = key.map(|key| key.of(&self.signed_bytes()));
    }

    /// Whether `key` signed it as it is.
    pub fn is_signed_by(&self, key: &Key) -> bool {
        let plain = Self { signature: None, ..self.clone() };
        let right = key.of(&plain.signed_bytes());
        self.signature.as_ref().is_some_and(|signature| same(&signature.0, &right.0))
    }

    fn signed_bytes(&self) -> Vec<u8> {
        // Maps with text keys, lists and numbers always become JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Writes it into `dir`, whole or not at all, and returns the digest of its bytes.
    pub fn write(&self, dir: &Path) -> Result<Digest, Error> {
        let path = dir.join(MANIFEST);
        let bytes = serde_json::to_vec_pretty(self).map_err(|e| {
            let message = format!("could not write {}: {e}", path.display());
            Error::new(Kind::Local, message)
        })?;
        write_whole(&path, |file| file.write_all(&bytes))?;
        sync_folder(dir)?;
        Ok(Digest::of(&bytes))
    }

    /// All bytes of its files.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }
}

/// Compares without telling by its time where two texts differ.
fn same(one: &str, other: &str) -> bool {
    let differs = |bits, (a, b): (u8, u8)| bits | (a ^ b);
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, differs) == 0
}

/// The key that signs restore points. It belongs on the host that rolls back, not on the one that
/// holds the points.
#[derive(Clone)]
pub struct Key(Vec<u8>);

/// The block of SHA-256, in bytes.
const BLOCK: usize = 64;

impl Key {
    /// Reads the key in the file `path`: its bytes without the space around them, 16 at least.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let failed = |e: std::io::Error| Error::io("read the key", path.display(), &e);
        let bytes = fs::read(path).map_err(failed)?;
        let bytes = bytes.trim_ascii();
        if bytes.len() < 16 {
            let message = format!(
                "could not read the key {}: it has {} bytes, 16 are the least",
                path.display(),
                bytes.len()
            );
            return Err(Error::new(Kind::Rejected, message));
        }
        Ok(Self(bytes.to_vec()))
    }

    /// A key that was read already, of any length.
    pub fn holding(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// HMAC-SHA256 of `bytes` (RFC 2104).
    pub fn of(&self, bytes: &[u8]) -> Digest {
        let mut key =
            if self.0.len() > BLOCK { Sha256::digest(&self.0).to_vec() } else { self.0.clone() };
        key.resize(BLOCK, 0);
        let pad = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
        let inner = Sha256::new().chain_update(pad(0x36)).chain_update(bytes).finalize();
        let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
        Digest::of_hash(&outer)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_rfc_4231() {
        let cases: [(&[u8], &[u8], &str); 3] = [
            (
                &[0x0b; 20],
                b"Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ];
        for (key, text, wanted) in cases {
            assert_eq!(Key(key.to_vec()).of(text).0, wanted);
        }
    }

    #[test]
    fn any_change_after_signing_is_seen() {
        let key = Key(b"sixteen bytes of key".to_vec());
        let mut manifest =
            Manifest { format: 1, id: "20261122-010203".into(), ..Manifest::default() };
        assert!(!manifest.is_signed_by(&key));
        manifest.sign(Some(&key));
        assert!(manifest.is_signed_by(&key));
        assert!(!manifest.is_signed_by(&Key(b"another key of 20 b.".to_vec())));
        let changed = Manifest { schema: Some(3), ..manifest.clone() };
        assert!(!changed.is_signed_by(&key));
        let written = serde_json::to_vec_pretty(&manifest).unwrap();
        assert!(Manifest::of(&written).unwrap().is_signed_by(&key));
    }

    #[test]
    fn a_manifest_of_a_later_format_is_not_guessed_at() {
        let later = br#"{"format":2,"tool":"x","id":"a","taken_at":"2026-11-22T01:02:03Z",
            "version":"v1","images":[],"schema":null,"files":{}}"#;
        assert!(Manifest::of(later).unwrap_err().contains("format 2"));
    }
}
