//! Restore points in the layout of S-80: found, shown, proved whole, taken.
//!
//! `<folder>/<id>/` holds `images.txt`, `docker-compose.yml`, `.env` and other configuration,
//! `data.tar.gz`, `database.sql.gz`, `dump.rdb`, `timestamp.txt` and, when this program took it,
//! `schema.txt` and `manifest.json`.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use crate::adapters::{Error, Kind};
use crate::model::ids::{Digest, PointId, Time};
use crate::model::restore_point::{Known, PointHealth, RestorePoint};
use crate::model::tables::TableFacts;
use crate::text::SafeText;

use super::archive::Damage;
use super::manifest::{Manifest, PointKind};

mod prune;
mod take;
mod tested;
mod trial;
mod verify;

pub use prune::{Fate, Keep, fates, remove};
pub use take::{Order, Says, forget, inside, size_of, take};
pub use tested::record_test;
pub use trial::{Trial, try_restore};
pub use verify::{Verified, next_older_good, sums, verify};

/// The data of a point.
pub const DATA: &str = "data.tar.gz";
/// The database of a point.
pub const DATABASE: &str = "database.sql.gz";
/// The keys of a point: a dump of Redis.
pub const KEYS: &str = "dump.rdb";
/// What a folder holds that is a point, made by hand or not, even where its name says no time.
const PARTS: [&str; 6] =
    ["images.txt", "timestamp.txt", "manifest.json", "docker-compose.yml", DATA, DATABASE];
/// What begins the name of a safety backup (S-44).
pub const SAFETY: &str = "rollback-safety-";

/// What a restore point holds beside the database, and what signs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// The folder that names inside a point are relative to.
    pub base: PathBuf,
    /// Files of the configuration and the environment.
    pub files: Vec<PathBuf>,
    /// The folder that becomes `data.tar.gz`.
    pub data: Option<PathBuf>,
    /// The file of the key that signs points.
    pub key: Option<PathBuf>,
    /// The state folder, which keeps the pointer to the last safety backup.
    pub state: PathBuf,
}

/// A restore point as it lies there; nothing of it has been read but its small files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// Its name, which is its folder's.
    pub id: PointId,
    /// Its folder.
    pub path: PathBuf,
    /// What it says of itself; nothing for one made by hand.
    pub manifest: Option<Manifest>,
    /// The digest of the manifest's bytes.
    pub digest: Option<Digest>,
    /// What kind of point it is.
    pub kind: PointKind,
    /// When it was taken.
    pub taken_at: Option<Time>,
    /// The version that it holds.
    pub version: SafeText,
    /// One image per service.
    pub images: Vec<SafeText>,
    /// Its schema.
    pub schema: Option<i64>,
    /// Why it cannot be used, as far as a glance tells.
    pub broken: Option<SafeText>,
    /// When it was last restored for a test and found whole.
    pub tested: Option<Time>,
}

impl Point {
    /// As the list of targets shows it: nothing says that it is good but what is on record.
    pub fn restore_point(&self) -> RestorePoint {
        RestorePoint {
            id: self.id.clone(),
            taken_at: self.taken_at,
            version: self.version.clone(),
            color: None,
            images: self.images.clone(),
            schema: self.schema,
            health: PointHealth::NotProven,
            manifest: self.digest.clone(),
            refused: self.broken.clone(),
            known: Known::default(),
        }
    }

    /// The version that it holds of an application with one of these `repositories`, where it says
    /// no version itself.
    pub fn version_among(&self, repositories: &[String]) -> Option<SafeText> {
        let mine = |image: &&SafeText| {
            repositories.iter().any(|repository| repository_of(image.as_str()) == repository)
        };
        let of_manifest = self.manifest.as_ref().filter(|manifest| !manifest.version.is_empty());
        if of_manifest.is_some() {
            return None;
        }
        let mut found = self.images.iter().filter(mine).map(|image| version_of(image.as_str()));
        let first = found.next()?;
        // Two versions of one application are none.
        found.all(|other| other == first).then_some(first)
    }

    /// How long ago it was proved by a restore, in words: `never test-restored`, `12 days ago`.
    pub fn proof(&self, now: Time) -> String {
        let Some(at) = self.tested else { return "never test-restored".to_owned() };
        let hours = (now - at).num_hours().max(0);
        match hours {
            0 => "test-restored just now".to_owned(),
            1..48 => format!("test-restored {hours} h ago"),
            _ => format!("test-restored {} days ago", hours / 24),
        }
    }
}

/// The points in `folder`, newest first by when they were taken. A folder that cannot be read is
/// an error; one that is not there has none.
pub fn list(folder: &Path) -> Result<Vec<Point>, Error> {
    let failed = |e: std::io::Error| Error::io("read", folder.display(), &e);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(e)),
    };
    let mut points = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        // Not a link: what it names may be anywhere. What is half made begins with a dot.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let (path, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str().filter(|name| is_folder && is_name(name)) else { continue };
        // Beside the points lie other folders, such as the archive of a server's logs.
        if time_of(name).is_some() || PARTS.iter().any(|part| path.join(part).exists()) {
            points.push(glance(name, &path));
        }
    }
    points.sort_by_key(|point| Reverse((point.taken_at, point.id.clone())));
    Ok(points)
}

/// The point that `asked` names, or the words of S-68 with what was searched and what is there.
pub fn find(folder: &Path, asked: &str) -> Result<Point, Error> {
    let points = list(folder)?;
    let message = not_found(asked, Some(folder), points.iter().map(|point| &point.id)).join("\n");
    let found = points.into_iter().find(|point| point.id.as_str() == asked);
    found.ok_or_else(|| Error::new(Kind::NotFound, message))
}

/// The words of S-68: the line, where was searched, and what there is.
pub fn not_found<'a>(
    asked: &str,
    folder: Option<&Path>,
    available: impl Iterator<Item = &'a PointId>,
) -> Vec<String> {
    let mut ids: Vec<&str> = available.map(PointId::as_str).collect();
    ids.dedup();
    let there = if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
    let mut words = vec![format!("[ERROR] Backup not found: {}", SafeText::new(asked))];
    words.extend(folder.map(|folder| format!("searched {}", folder.display())));
    words.push(format!("available: {there}"));
    words
}

/// The tables that the dump of a point brings, with their rows; none where it has no dump, or one
/// whose rows cannot be counted. Reads all of it.
pub fn dumped(folder: &Path) -> Result<Vec<TableFacts>, Error> {
    let path = folder.join(DATABASE);
    let failed = |e: std::io::Error| Error::io("read", path.display(), &e);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let file = fs::File::open(&path).map_err(failed)?;
    let packed = file.metadata().map_err(failed)?.len();
    let found = super::script::look(file, packed).map_err(|why| {
        Error::new(Kind::Rejected, format!("could not use {}: {why}", path.display()))
    })?;
    let rows = found.rows.into_iter().filter(|_| found.counted);
    Ok(rows.map(|(name, rows)| TableFacts { name, rows, ..TableFacts::default() }).collect())
}

/// Whether `name` may be a point's: it becomes part of paths and commands.
pub fn is_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

/// What the small files of the folder `path` say.
fn glance(name: &str, path: &Path) -> Point {
    let read = |name: &str| small(&path.join(name));
    let (manifest, digest, unreadable) = match Manifest::read(path) {
        Ok(Some((manifest, digest))) => (Some(manifest), Some(digest), None),
        Ok(None) => (None, None, None),
        Err(error) => (None, None, Some(SafeText::new(&error.message))),
    };
    let images: Vec<SafeText> = match &manifest {
        Some(manifest) if !manifest.images.is_empty() => manifest.images.clone(),
        Some(_) | None => lines(&read("images.txt").unwrap_or_default()),
    };
    let written = read("timestamp.txt")
        .and_then(|text| text.trim().parse::<i64>().ok())
        .and_then(|seconds| Time::from_timestamp(seconds, 0));
    let taken_at = manifest.as_ref().map(|manifest| manifest.taken_at).or(written);
    let version = manifest.as_ref().map(|manifest| manifest.version.clone());
    let version = version.filter(|version| !version.is_empty());
    let schema = || {
        let text = read("schema.txt").or_else(|| read("schema_version.txt"));
        text.and_then(|text| text.trim().parse().ok())
    };
    let other = manifest.as_ref().filter(|manifest| manifest.id.as_str() != name);
    let broken = unreadable
        .or_else(|| other.map(|other| SafeText::new(&format!("its manifest is of {}", other.id))))
        .or_else(|| images.is_empty().then(|| SafeText::new("no images.txt")));
    let safety = name.starts_with(SAFETY);
    Point {
        id: PointId(name.to_owned()),
        path: path.to_owned(),
        kind: match &manifest {
            Some(manifest) => manifest.kind,
            None if safety => PointKind::Safety,
            None => PointKind::Backup,
        },
        taken_at: taken_at.or_else(|| time_of(name)),
        version: version.unwrap_or_else(|| {
            match images.as_slice() {
                [image] => version_of(image.as_str()),
                // Which of several is the application's, its platform knows.
                _ => "unknown".into(),
            }
        }),
        schema: manifest.as_ref().map_or_else(schema, |manifest| manifest.schema),
        images,
        manifest,
        digest,
        broken,
        tested: tested::tested(path),
    }
}

/// A small file of a point; a big one in its place is not read.
fn small(path: &Path) -> Option<String> {
    let found = fs::symlink_metadata(path).ok()?;
    (found.is_file() && found.len() <= 64 * 1024).then(|| fs::read_to_string(path).ok()).flatten()
}

fn lines(text: &str) -> Vec<SafeText> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(SafeText::new).collect()
}

/// The version of an image reference. The tag is what follows the last colon behind the last
/// slash: a registry has a port (W-10). A digest behind it is no part of the tag.
pub fn version_of(image: &str) -> SafeText {
    let name = image.split('@').next().unwrap_or(image);
    let last = name.rsplit('/').next().unwrap_or(name);
    last.rsplit_once(':').map_or_else(|| "unknown".into(), |(_, tag)| SafeText::new(tag))
}

/// The repository of an image reference, without tag and digest.
pub fn repository_of(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        Some(_) | None => name,
    }
}

/// When a point of that name was taken, as far as the name tells (W-71): `20261122-010203`,
/// `20261122_010203`, `deploy-prod-20240115`, `rollback-safety-20261122-010203`. As UTC: the name
/// has no zone.
pub fn time_of(name: &str) -> Option<Time> {
    let parts: Vec<&str> = name.split(['-', '_']).collect();
    let digits = |text: &str, count: usize| {
        text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let at = parts.iter().rposition(|part| digits(part, 8))?;
    let date = NaiveDate::parse_from_str(parts.get(at)?, "%Y%m%d").ok()?;
    let clock = parts.get(at + 1).filter(|part| digits(part, 6));
    let time = clock.and_then(|text| NaiveTime::parse_from_str(text, "%H%M%S").ok());
    Some(NaiveDateTime::new(date, time.unwrap_or_default()).and_utc())
}

/// What is wrong, in one line.
pub fn words(damage: &[Damage]) -> String {
    let mut lines: Vec<String> = damage.iter().take(3).map(ToString::to_string).collect();
    if damage.len() > 3 {
        lines.push(format!("and {} more", damage.len() - 3));
    }
    lines.join("; ")
}

#[cfg(test)]
mod tests;
