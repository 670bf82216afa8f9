//! Closes a bundle that was cut off: what is whole stays as it is, byte for byte.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::adapters::{Error, Kind};
use crate::model::ids::{Digest, Time};
use crate::redact::Redactor;

use super::make::{closing, settle};
use super::manifest::{FileRecord, Manifest, Trigger};
use super::place::{root_of, suffixed};
use super::read::Entries;

/// A bundle that was closed afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Where it is now.
    pub path: PathBuf,
    /// Its SHA-256.
    pub sha256: Digest,
    /// Files in it.
    pub files: usize,
    /// Bytes of the old file that are not in it.
    pub lost: u64,
}

/// Writes beside `path` a whole bundle of everything up to the last part that is whole. The old
/// file stays. One that is whole already is refused.
pub fn recover(path: &Path, redactor: &Redactor, now: Time) -> Result<Recovered, Error> {
    let failed = |e: std::io::Error| Error::io("recover bundle", path.display(), &e);
    let length = path.metadata().map_err(failed)?.len();
    let mut entries = Entries::open(path)?;
    let mut files: Vec<(FileRecord, u64)> = Vec::new();
    let mut finished = false;
    let why = loop {
        match entries.next_file() {
            Ok(Some(entry)) if entry.path == "MANIFEST.json" => finished = true,
            Ok(Some(entry)) if entry.path == "SHA256SUMS" => {}
            Ok(Some(entry)) => {
                let (bytes, sha256) = (entry.bytes.len() as u64, Digest::of(&entry.bytes));
                files.push((FileRecord { path: entry.path, bytes, sha256 }, entries.whole()));
            }
            Ok(None) => break "it was cut off".to_owned(),
            Err(error) => break error.message,
        }
    };
    let whole = entries.whole();
    let finished = finished && entries.closed();
    if finished && whole == length {
        let message = format!("could not recover {}: it is whole", path.display());
        return Err(Error::new(Kind::Rejected, message));
    }
    files.retain(|(_, end)| *end <= whole);
    if files.is_empty() {
        let message = format!("could not recover {}: no file in it is whole", path.display());
        return Err(Error::new(Kind::Rejected, message));
    }
    let target = target(path);
    let root = entries.root().map_or_else(|| root_of(&target), str::to_owned);
    let partial = suffixed(&target, ".recovering");
    std::fs::remove_file(&partial).ok();
    let mut file =
        File::options().write(true).create_new(true).mode(0o600).open(&partial).map_err(failed)?;
    let mut hash = Sha256::new();
    copy(path, whole, &mut file, &mut hash).map_err(failed)?;
    let count = files.len();
    if !finished {
        let mut manifest = Manifest::begun(Trigger::Recovered, now);
        manifest.incident = incident_of(&root);
        manifest.files = files.into_iter().map(|(record, _)| record).collect();
        manifest.partial = true;
        let lost = length - whole;
        manifest.why_partial =
            vec![format!("recovered: {lost} bytes behind the last whole part are lost: {why}")];
        let last = closing(&root, &manifest, redactor).map_err(failed)?;
        file.write_all(&last).map_err(failed)?;
        hash.update(&last);
    }
    file.sync_all().map_err(failed)?;
    let sha256 = Digest::of_hash(&hash.finalize());
    settle(&partial, &target, &sha256)?;
    Ok(Recovered { path: target, sha256, files: count, lost: length - whole })
}

/// The name it was to have, or that name with a word behind it where that is taken.
fn target(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let wanted = name.strip_suffix(".partial").map(|name| path.with_file_name(name));
    let stem = name.split(".tar").next().unwrap_or_default().to_owned();
    let named = |number: u32| {
        let count = if number == 1 { String::new() } else { format!("-{number}") };
        path.with_file_name(format!("{stem}-recovered{count}.tar.zst"))
    };
    let free = |path: &PathBuf| std::fs::symlink_metadata(path).is_err();
    let mut names = wanted.into_iter().chain((1..1000).map(named));
    names.find(free).unwrap_or_else(|| named(1000))
}

fn incident_of(root: &str) -> String {
    let id = root.strip_prefix("incident-").and_then(|rest| rest.split('-').next());
    match id {
        Some("none") | None => "none".to_owned(),
        Some(id) => format!("INC-{id}"),
    }
}

fn copy(from: &Path, bytes: u64, to: &mut File, hash: &mut Sha256) -> std::io::Result<()> {
    let mut from = File::open(from)?.take(bytes);
    let mut part = vec![0; 256 * 1024];
    loop {
        let got = from.read(&mut part)?;
        let Some(read) = part.get(..got).filter(|read| !read.is_empty()) else {
            return Ok(());
        };
        hash.update(read);
        to.write_all(read)?;
    }
}
