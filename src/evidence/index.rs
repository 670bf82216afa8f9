//! The index of a bundle: every file with its size and digest. It is written last, so a bundle
//! that has one was finished.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::adapters::{Error, Kind};
use crate::model::ids::{Digest, Time};
use crate::text::SafeText;

/// The index's file name.
const NAME: &str = "index.json";

/// What a bundle holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// The format's version.
    pub format: u32,
    /// When it was kept.
    pub at: Time,
    /// The files, by their path below the bundle.
    pub files: Vec<Kept>,
    /// What should have been kept and could not be.
    pub missing: Vec<Missing>,
}

/// One kept file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Below the bundle: `logs/green.log`.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: Digest,
    /// How many bytes of the original were left out of its middle.
    pub left_out: u64,
}

/// Something that could not be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// What.
    pub name: SafeText,
    /// Why.
    pub why: SafeText,
}

impl Index {
    /// All bytes kept.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Reads the index of the bundle in `dir`, or nothing when the bundle was never finished.
    pub fn read(dir: &Path) -> Result<Option<Self>, Error> {
        let path = dir.join(NAME);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| {
                let message = format!("could not read index {}: {e}", path.display());
                Error::new(Kind::Rejected, message)
            }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("read index", path.display(), &e)),
        }
    }

    /// Writes the index into `dir`: whole or not at all.
    pub(super) fn write(&self, dir: &Path) -> Result<(), Error> {
        let path = dir.join(NAME);
        let bytes = serde_json::to_vec_pretty(self).map_err(|e| {
            let message = format!("could not write index {}: {e}", path.display());
            Error::new(Kind::Local, message)
        })?;
        write_whole(&path, |file| file.write_all(&bytes))?;
        sync_folder(dir)
    }
}

/// Whether every file of the bundle in `dir` is there as the index says: the index, or nothing when
/// the bundle was never finished. A changed file is an error that names it.
pub fn verify(dir: &Path) -> Result<Option<Index>, Error> {
    let Some(index) = Index::read(dir)? else {
        return Ok(None);
    };
    for kept in &index.files {
        let path = dir.join(&kept.path);
        let (bytes, sha256) = measure(&path)?;
        if bytes != kept.bytes || sha256 != kept.sha256 {
            return Err(Error::new(
                Kind::Rejected,
                format!(
                    "could not verify {}: {bytes} bytes {}, the index says {} bytes {}",
                    path.display(),
                    sha256.short(),
                    kept.bytes,
                    kept.sha256.short()
                ),
            ));
        }
    }
    Ok(Some(index))
}

/// Size and digest of a file.
pub(super) fn measure(path: &Path) -> Result<(u64, Digest), Error> {
    let failed = |e: std::io::Error| Error::io("read", path.display(), &e);
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut part = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        let got = file.read(&mut part).map_err(failed)?;
        let Some(read) = part.get(..got).filter(|read| !read.is_empty()) else {
            break;
        };
        hash.update(read);
        bytes += got as u64;
    }
    Ok((bytes, Digest::of_hash(&hash.finalize())))
}

/// Writes a file beside its place, syncs it, and puts it there: a reader sees all of it or none.
pub(super) fn write_whole(
    path: &Path,
    fill: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<(), Error> {
    let failed = |e: std::io::Error| Error::io("write", path.display(), &e);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o640)
        .open(&beside)
        .map_err(failed)?;
    fill(&mut file)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&beside, path))
        .map_err(failed)
}

/// Writes the path `to` into the file `pointer`: whole or not at all, on the disk when this
/// returns.
pub fn write_pointer(pointer: &Path, to: &Path) -> Result<(), Error> {
    write_whole(pointer, |file| writeln!(file, "{}", to.display()))?;
    pointer.parent().map_or(Ok(()), sync_folder)
}

/// Makes the names in `dir` survive a power cut.
pub(super) fn sync_folder(dir: &Path) -> Result<(), Error> {
    File::open(dir)
        .and_then(|folder| folder.sync_all())
        .map_err(|e| Error::io("sync", dir.display(), &e))
}
