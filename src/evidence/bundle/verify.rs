//! Whether a bundle is whole, what it holds, and whether secrets are in it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::adapters::{Error, Kind};
use crate::model::ids::Digest;
use crate::redact::{Book, Pass, Redactor};

use super::manifest::{FileRecord, Manifest};
use super::read::Entries;

/// A bundle that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What it says about itself.
    pub manifest: Manifest,
    /// Its SHA-256.
    pub sha256: Digest,
    /// Whether the `.sha256` beside it was there to hold it against.
    pub beside: bool,
    /// Files in it.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Reads all of a bundle and holds every file against the manifest and the list of sums, and the
/// whole against the `.sha256` beside it. What differs is an error that names it.
pub fn verify(path: &Path) -> Result<Checked, Error> {
    let bad = |why: String| {
        Error::new(Kind::Rejected, format!("could not verify {}: {why}", path.display()))
    };
    let sha256 = sum(path)?;
    let beside = sum_beside(path)?;
    if let Some(expected) = beside.as_ref().filter(|expected| **expected != sha256) {
        return Err(bad(format!(
            "it has the SHA-256 {}, the file beside it says {}",
            sha256.short(),
            expected.short()
        )));
    }
    let mut entries = Entries::open(path)?;
    let mut found = BTreeMap::new();
    let (mut manifest, mut sums) = (None, None);
    let mut bytes = 0;
    while let Some(entry) = entries.next_file()? {
        bytes += entry.bytes.len() as u64;
        match entry.path.as_str() {
            "MANIFEST.json" => {
                let read = serde_json::from_slice::<Manifest>(&entry.bytes);
                manifest =
                    Some(read.map_err(|e| bad(format!("its manifest cannot be read: {e}")))?);
            }
            "SHA256SUMS" => sums = Some(String::from_utf8_lossy(&entry.bytes).into_owned()),
            _ => {
                let record = (entry.bytes.len() as u64, Digest::of(&entry.bytes));
                if found.insert(entry.path.clone(), record).is_some() {
                    return Err(bad(format!("{} is in it twice", entry.path)));
                }
            }
        }
    }
    let close =
        || format!("it was not finished; close it: backout bundle recover {}", path.display());
    let manifest = manifest.filter(|_| entries.closed()).ok_or_else(|| bad(close()))?;
    let listed = sums.unwrap_or_default();
    let listed: BTreeMap<&str, &str> = listed
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(sum, path)| (path, sum))
        .collect();
    for FileRecord { path: name, bytes, sha256 } in &manifest.files {
        match found.remove(name) {
            None => return Err(bad(format!("{name} is missing"))),
            Some((size, sum)) if size != *bytes || &sum != sha256 => {
                let what = format!("{name} has {size} bytes {}", sum.short());
                let said = format!("the manifest says {bytes} bytes {}", sha256.short());
                return Err(bad(format!("{what}, {said}")));
            }
            Some(_) if listed.get(name.as_str()) != Some(&sha256.0.as_str()) => {
                return Err(bad(format!("SHA256SUMS says something else of {name}")));
            }
            Some(_) => {}
        }
    }
    if let Some((name, _)) = found.pop_first() {
        return Err(bad(format!("{name} is not in the manifest")));
    }
    let files = manifest.files.len();
    Ok(Checked { manifest, sha256, beside: beside.is_some(), files, bytes })
}

/// The manifest of a bundle, or one of its files with all its parts, given to `out` as it is read.
/// Whether there was such a file.
pub fn show(path: &Path, file: &str, out: &mut dyn FnMut(&[u8])) -> Result<bool, Error> {
    let mut entries = Entries::open(path)?;
    let mut any = false;
    while let Some(entry) = entries.next_file()? {
        let part = entry.path.strip_prefix(file).is_some_and(|rest| {
            rest.is_empty()
                || rest.strip_prefix('.').is_some_and(|number| {
                    number.len() >= 3 && number.bytes().all(|b| b.is_ascii_digit())
                })
        });
        if part {
            any = true;
            out(&entry.bytes);
        }
    }
    Ok(any)
}

/// What a look for secrets found: where and by which rule, never what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Files that were read.
    pub files: usize,
    /// File, line, rule.
    pub found: Vec<(String, u64, &'static str)>,
}

/// Looks for secrets in a bundle, as the redactor does before it is written.
pub fn scan(path: &Path, redactor: &Redactor) -> Result<Scanned, Error> {
    let mut entries = Entries::open(path)?;
    let mut book = Book::new("");
    let mut scanned = Scanned::default();
    let mut out = Vec::new();
    while let Some(entry) = entries.next_file()? {
        scanned.files += 1;
        out.clear();
        redactor.lines(&entry.bytes, &mut Pass::default(), &mut book, &mut out);
        let found = book.take_found().into_iter();
        scanned.found.extend(found.map(|one| (entry.path.clone(), one.line, one.rule.name())));
    }
    Ok(scanned)
}

/// The SHA-256 of a file.
pub(super) fn sum(path: &Path) -> Result<Digest, Error> {
    let failed = |e: std::io::Error| Error::io("read bundle", path.display(), &e);
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut part = vec![0; 256 * 1024];
    loop {
        let got = file.read(&mut part).map_err(failed)?;
        let Some(read) = part.get(..got).filter(|read| !read.is_empty()) else { break };
        hash.update(read);
    }
    Ok(Digest::of_hash(&hash.finalize()))
}

/// Where the sum of a bundle is written down.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".sha256");
    path.with_file_name(name)
}

/// What the file beside a bundle says of it.
pub(super) fn sum_beside(path: &Path) -> Result<Option<Digest>, Error> {
    let beside = beside(path);
    match std::fs::read_to_string(&beside) {
        Ok(text) => {
            let sum = text.split_whitespace().next().unwrap_or_default().to_owned();
            Ok(Some(Digest(sum)))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("read", beside.display(), &e)),
    }
}
