//! Proves a restore point whole: every byte is read through descriptors that stay open, so that
//! what was proved is what is used afterwards.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use crate::adapters::Error;
use crate::adapters::database::Told;
use crate::model::ids::Digest;

use self::by_hand::by_hand;
use self::held::{Held, Stamp, open_below, open_folder};
use self::look::Look;
use super::super::archive::{Damage, Scanned};
use super::super::manifest::{FileFacts, Key, MANIFEST, Manifest};
use super::{DATA, DATABASE, Point};

mod by_hand;
mod held;
mod look;

pub use by_hand::sums;

/// A point of which every byte was read and found as it should be. It holds the files open.
#[derive(Debug)]
pub struct Verified {
    /// The point.
    pub point: Point,
    /// What was proved; nothing for a point made by hand, of which only the form was looked at.
    pub manifest: Option<Manifest>,
    /// What `data.tar.gz` holds.
    pub data: Option<Scanned>,
    files: BTreeMap<String, Held>,
}

impl Verified {
    /// The open file of the point at `path`, from its beginning: `data.tar.gz`.
    pub fn open(&self, path: &str) -> Result<Option<File>, Error> {
        let Some(held) = self.files.get(path) else { return Ok(None) };
        let failed = |e: std::io::Error| Error::io("read", path, &e);
        let mut file = held.file.try_clone().map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        Ok(Some(file))
    }

    /// A path that opens the very file that was proved, whatever lies under its name by now. It
    /// lasts as long as this value.
    pub fn path(&self, path: &str) -> Option<PathBuf> {
        let held = self.files.get(path)?;
        Some(PathBuf::from(format!("/proc/self/fd/{}", held.file.as_raw_fd())))
    }

    /// The compressed dump of the database, as [`Verified::path`] gives it.
    pub fn dump(&self) -> Option<PathBuf> {
        self.path(DATABASE)
    }

    /// The names of the files that were proved.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Whether every file is still what was proved; to be asked after the use as well as before.
    pub fn unchanged(&self) -> Result<(), Vec<Damage>> {
        let mut wrong = Vec::new();
        for (path, held) in &self.files {
            let inside = held.file.metadata().map(|found| Stamp::of(&found));
            let named = fs::symlink_metadata(self.point.path.join(path));
            let named = named.map(|found| Stamp::of(&found));
            let same = |now: std::io::Result<Stamp>| now.is_ok_and(|now| now == held.was);
            if !same(inside) || !same(named) {
                wrong.push(Damage::new(path, "was changed after it was checked"));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

/// Reads every byte of `point` and holds it against its manifest: sizes, digests, the compressed
/// streams, every entry of the archive, the end and the rows of the dump. With `key`, only a point
/// that it signed is good. `told` gets bytes read of all bytes.
///
/// Nothing is changed. Everything that is wrong is returned, each with its file.
pub fn verify(point: &Point, key: Option<&Key>, told: Told<'_>) -> Result<Verified, Vec<Damage>> {
    let mut wrong = Vec::new();
    let folder = match open_folder(&point.path) {
        Ok(folder) => folder,
        Err(why) => return Err(vec![Damage::new("", &why)]),
    };
    let mut files = BTreeMap::new();
    let manifest = manifest(point, &folder, key, &mut files, &mut wrong);
    if wrong.is_empty() && manifest.is_none() && key.is_some() {
        let why = "is missing, so nothing is signed: a point of unknown origin";
        wrong.push(Damage::new(MANIFEST, why));
    }
    let wanted: Vec<(String, Option<FileFacts>)> = match &manifest {
        Some(manifest) => {
            let files = manifest.files.iter();
            files.map(|(path, facts)| (path.clone(), Some(facts.clone()))).collect()
        }
        None => by_hand(&point.path).into_iter().map(|path| (path, None)).collect(),
    };
    if !wanted.iter().any(|(path, _)| path == "images.txt") {
        wrong.push(Damage::new("images.txt", "is missing"));
    }
    let all = size_of(&point.path, wanted.iter().map(|(path, _)| path.as_str()));
    let mut done = 0;
    told(done, all);
    let mut data = None;
    let sums = if manifest.is_none() { sums(&point.path) } else { BTreeMap::new() };
    for (path, facts) in &wanted {
        let sum = sums.get(path);
        let mut look = Look { told, done: &mut done, all, path, sum, wrong: &mut wrong };
        if let Some((held, scanned)) = look.file(&folder, facts.as_ref(), manifest.as_ref()) {
            files.insert(path.clone(), held);
            data = scanned.or(data);
        }
    }
    if let (Some(manifest), Some(scanned)) = (&manifest, &data) {
        entries(manifest, scanned, &mut wrong);
    }
    if let Some(why) = point.broken.as_ref().filter(|_| wrong.is_empty()) {
        wrong.push(Damage::new("", why.as_str()));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let verified = Verified { point: point.clone(), manifest, data, files };
    verified.unchanged().map(|()| verified)
}

/// The manifest through a descriptor that stays open, when there is one and it is in order.
fn manifest(
    point: &Point,
    folder: &File,
    key: Option<&Key>,
    files: &mut BTreeMap<String, Held>,
    wrong: &mut Vec<Damage>,
) -> Option<Manifest> {
    let mut held = match open_below(folder, MANIFEST) {
        Ok(held) => held,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && point.manifest.is_none() => {
            return None;
        }
        Err(e) => {
            wrong.push(Damage::new(MANIFEST, &format!("could not be read: {e}")));
            return None;
        }
    };
    let mut bytes = Vec::new();
    if let Err(e) = held.file.read_to_end(&mut bytes) {
        wrong.push(Damage::new(MANIFEST, &format!("could not be read: {e}")));
        return None;
    }
    files.insert(MANIFEST.to_owned(), held);
    let mut bad = |why: &str| wrong.push(Damage::new(MANIFEST, why));
    let manifest = match Manifest::of(&bytes) {
        Ok(manifest) => manifest,
        Err(why) => {
            bad(&why);
            return None;
        }
    };
    if manifest.id != point.id {
        bad(&format!("is that of {}", manifest.id));
    }
    if point.digest.as_ref().is_some_and(|digest| *digest != Digest::of(&bytes)) {
        bad("was changed after the point was chosen");
    }
    match (key, &manifest.signature) {
        (None, _) => {}
        (Some(_), None) => bad("is not signed"),
        (Some(key), Some(_)) if manifest.is_signed_by(key) => {}
        (Some(_), Some(_)) => bad("has a signature that is not of our key"),
    }
    Some(manifest)
}

fn size_of<'a>(folder: &Path, paths: impl Iterator<Item = &'a str>) -> u64 {
    paths.filter_map(|path| fs::symlink_metadata(folder.join(path)).ok()).map(|f| f.len()).sum()
}

/// What the archive holds against what the manifest says.
fn entries(manifest: &Manifest, found: &Scanned, wrong: &mut Vec<Damage>) {
    let name = |path: &str| format!("{DATA}:{path}");
    for (path, facts) in &manifest.entries {
        match found.entries.get(path) {
            None => wrong.push(Damage::new(&name(path), "is missing")),
            Some(found) if found == facts => {}
            Some(_) => wrong.push(Damage::new(&name(path), "is not what the manifest says")),
        }
    }
    for path in found.entries.keys().filter(|path| !manifest.entries.contains_key(*path)) {
        wrong.push(Damage::new(&name(path), "is not in the manifest"));
    }
}

/// The newest point older than `than` that verifies, with what keeps those between from it.
pub fn next_older_good(
    points: &[Point],
    than: &Point,
    key: Option<&Key>,
    told: Told<'_>,
) -> Option<Verified> {
    let older = points.iter().filter(|point| {
        point.id != than.id && (point.taken_at, &point.id) < (than.taken_at, &than.id)
    });
    let mut older: Vec<&Point> = older.collect();
    older.sort_by_key(|point| std::cmp::Reverse((point.taken_at, &point.id)));
    older.into_iter().find_map(|point| verify(point, key, told).ok())
}
