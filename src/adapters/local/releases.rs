//! The releases of a local stack: `releases/<name>/record.json` and its `files/`, which are laid
//! into a colour's folder beside a `release.json` that names them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::adapters::{DeployOrder, Error, Kind, Release, Released, Workload, fault};
use crate::model::ids::{Color, Digest, Time};
use crate::text::SafeText;

use super::{Local, SETTING_LIMIT, SETTINGS, read};

/// `releases/<name>/record.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    version: String,
    digest: Digest,
    #[serde(default)]
    schema: Option<i64>,
}

/// `<color>/release.json`: what lies there, and which of the folder's files belong to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Laid {
    version: String,
    color: String,
    #[serde(default)]
    files: Vec<String>,
}

/// A release's files by their names.
type Files = BTreeMap<String, Vec<u8>>;

/// Over the version and every file's name and bytes: what a release is.
pub fn digest_of(version: &str, files: &Files) -> Digest {
    let mut lines = vec![version.to_owned()];
    lines.extend(files.iter().map(|(name, bytes)| format!("{name} {}", Digest::of(bytes))));
    Digest::of(lines.join("\n").as_bytes())
}

impl Local {
    fn store(&self) -> PathBuf {
        self.dir.join("releases")
    }

    /// The kept releases with their folders, by name.
    fn kept(&self) -> Result<Vec<(PathBuf, Record)>, Error> {
        let store = self.store();
        let entries = match fs::read_dir(&store) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io("read", store.display(), &error)),
        };
        let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        folders.sort();
        let mut kept = Vec::new();
        for folder in folders {
            if let Some(record) = read::<Record>(&folder.join("record.json"))? {
                kept.push((folder, record));
            }
        }
        Ok(kept)
    }

    fn laid(&self, color: &Color) -> Result<Option<(Laid, Files)>, Error> {
        let path = self.of(color, "release.json")?;
        let Some(laid) = read::<Laid>(&path)? else { return Ok(None) };
        let mut files = Files::new();
        for name in &laid.files {
            let path = self.of(color, plain(name)?)?;
            let bytes = fs::read(&path).map_err(|e| Error::io("read", path.display(), &e))?;
            files.insert(name.clone(), bytes);
        }
        Ok(Some((laid, files)))
    }

    /// Keeps what lies on a colour, so that it can be laid there again.
    fn keep(&self, color: &Color) -> Result<(), Error> {
        let Some((laid, files)) = self.laid(color)? else { return Ok(()) };
        let digest = digest_of(&laid.version, &files);
        if self.kept()?.iter().any(|(_, record)| record.digest == digest) {
            return Ok(());
        }
        let name = format!("{}.{}", folder_name(&laid.version), digest.short());
        let folder = self.store().join(name);
        for (name, bytes) in &files {
            replace(&folder.join("files").join(name), bytes)?;
        }
        let record = Record { version: laid.version, digest, schema: None };
        replace(&folder.join("record.json"), &json(&record)?)
    }

    /// The files of a kept release, as they were recorded and not otherwise.
    fn recorded(&self, order: &DeployOrder) -> Result<Files, Error> {
        let no = |kind, why: &str| {
            let message = format!("could not start {} on {}: {why}", order.version, order.color);
            Err(Error::new(kind, message))
        };
        let kept = self.kept()?;
        let Some((folder, record)) = kept.iter().find(|(_, one)| one.digest == order.digest) else {
            return no(Kind::NotFound, &format!("no release {} is kept", order.digest.short()));
        };
        let files = files(folder)?;
        if digest_of(&record.version, &files) != record.digest {
            return no(Kind::Rejected, "its files are not those that were recorded");
        }
        Ok(files)
    }

    pub(super) fn all_releases(&self) -> Result<Vec<Release>, Error> {
        let release = |(folder, record): (PathBuf, Record)| {
            let broken = match files(&folder) {
                Ok(files) if digest_of(&record.version, &files) == record.digest => None,
                Ok(_) => Some(SafeText::new("its files are not those that were recorded")),
                Err(error) => Some(SafeText::new(&error.message)),
            };
            let version = SafeText::new(&record.version);
            Release { version, digest: record.digest, schema: record.schema, broken }
        };
        Ok(self.kept()?.into_iter().map(release).collect())
    }

    pub(super) fn release_on(&self, color: &Color) -> Result<Released, Error> {
        let Some((laid, files)) = self.laid(color)? else { return Ok(Released::default()) };
        let path = self.of(color, "release.json")?;
        let since = fs::metadata(&path).and_then(|found| found.modified()).ok().map(Time::from);
        Ok(Released {
            version: SafeText::new(&laid.version),
            digest: Some(digest_of(&laid.version, &files)),
            since,
        })
    }

    /// Ends what runs, lays the files, names them, starts. In this order a process that lives is
    /// of the release that is named, however often this is cut off.
    pub(super) async fn lay(&self, order: &DeployOrder) -> Result<SafeText, Error> {
        let files = self.recorded(order)?;
        let color = &order.color;
        let there = self.release_on(color)?.digest.as_ref() == Some(&order.digest);
        let runs = self.living(color)?.is_some();
        if there && runs == order.runs {
            return Ok(SafeText::new(&format!("{} lay on {color} already", order.version)));
        }
        if !there || !order.runs {
            self.keep(color)?;
            self.stop(color, order.grace, &order.effect).await?;
        }
        fault::at_step("B5", &order.effect);
        if !there {
            for (name, bytes) in &files {
                replace(&self.of(color, plain(name)?)?, bytes)?;
            }
            let laid = Laid {
                version: order.version.to_string(),
                color: color.to_string(),
                files: files.keys().cloned().collect(),
            };
            replace(&self.of(color, "release.json")?, &json(&laid)?)?;
        }
        if order.runs {
            self.start(color, &order.effect).await?;
        }
        Ok(SafeText::new(&format!("{} {}", color, order.version)))
    }
}

/// All files of a kept release.
fn files(folder: &Path) -> Result<Files, Error> {
    let folder = folder.join("files");
    let entries = fs::read_dir(&folder).map_err(|e| Error::io("read", folder.display(), &e))?;
    let mut files = Files::new();
    for entry in entries.flatten().take(SETTINGS) {
        let path = entry.path();
        let small = fs::metadata(&path).is_ok_and(|f| f.is_file() && f.len() <= SETTING_LIMIT);
        if !small {
            let message = format!("could not read {}: not a small file", path.display());
            return Err(Error::new(Kind::Rejected, message));
        }
        let bytes = fs::read(&path).map_err(|e| Error::io("read", path.display(), &e))?;
        files.insert(entry.file_name().to_string_lossy().into_owned(), bytes);
    }
    Ok(files)
}

/// A release's file is a name in a colour's folder, never a way out of it, and none of the files
/// that say what runs there.
fn plain(name: &str) -> Result<&str, Error> {
    let taken = ["", ".", "..", "release.json", "process.json"];
    if taken.contains(&name) || name.contains('/') {
        let message = format!("could not use file {}: not a plain name", SafeText::new(name));
        return Err(Error::new(Kind::Rejected, message));
    }
    Ok(name)
}

fn folder_name(version: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    version.chars().map(plain).collect()
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| {
        Error::new(Kind::Local, format!("could not write a release's record: {error}"))
    })
}

/// Replaces a file as a whole, on disk before it has its name.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::io("write", path.display(), &error);
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(failed)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    let mut file = File::create(&fresh).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&fresh, path).and_then(|()| File::open(folder)?.sync_all()).map_err(failed)
}

/// Keeps `files` as the release `version`, for whoever prepares a stack: its digest.
pub fn record(
    dir: &Path,
    version: &str,
    schema: Option<i64>,
    files: &[(&str, &[u8])],
) -> Result<Digest, Error> {
    let folder = dir.join("releases").join(folder_name(version));
    let all: Files =
        files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
    for (name, bytes) in &all {
        replace(&folder.join("files").join(plain(name)?), bytes)?;
    }
    let digest = digest_of(version, &all);
    let record = Record { version: version.to_owned(), digest: digest.clone(), schema };
    replace(&folder.join("record.json"), &json(&record)?)?;
    Ok(digest)
}

/// Lays a release into a colour's folder without starting it, for whoever prepares a stack.
pub fn put(dir: &Path, color: &str, version: &str, files: &[(&str, &[u8])]) -> Result<(), Error> {
    let folder = dir.join(color);
    for (name, bytes) in files {
        replace(&folder.join(plain(name)?), bytes)?;
    }
    let laid = Laid {
        version: version.to_owned(),
        color: color.to_owned(),
        files: files.iter().map(|(name, _)| (*name).to_owned()).collect(),
    };
    replace(&folder.join("release.json"), &json(&laid)?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::adapters::process::Program;
    use crate::clock::Clock;

    const FILES: [(&str, &[u8]); 1] = [("app.yaml", b"old")];

    /// Green holds v2 and does not run; v1 is kept.
    fn stage() -> (tempfile::TempDir, Local, DeployOrder) {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "green", "v2", &[("app.yaml", b"new")]).unwrap();
        let digest = record(dir.path(), "v1", Some(7), &FILES).unwrap();
        let local = Local::new(dir.path(), Program::at("/bin/false"), Clock::real());
        let order = DeployOrder {
            color: "green".into(),
            version: "v1".into(),
            digest,
            runs: false,
            grace: Duration::from_secs(1),
            effect: "k".to_owned(),
        };
        (dir, local, order)
    }

    #[tokio::test]
    async fn a_kept_release_is_laid_and_what_lay_there_is_kept_in_its_place() {
        let (dir, local, order) = stage();
        let before = local.released(&order.color).await.unwrap();
        local.deploy(&order).await.unwrap();
        assert_eq!(fs::read(dir.path().join("green/app.yaml")).unwrap(), b"old");
        let there = local.released(&order.color).await.unwrap();
        assert_eq!((there.version.as_str(), there.digest), ("v1", Some(order.digest.clone())));
        // The way back: what lay there unrecorded can be laid there again.
        let releases = local.releases().await.unwrap();
        let kept = releases.iter().find(|one| one.version.as_str() == "v2").unwrap();
        assert_eq!((Some(&kept.digest), &kept.broken), (before.digest.as_ref(), &None));
        let back =
            DeployOrder { version: "v2".into(), digest: kept.digest.clone(), ..order.clone() };
        local.deploy(&back).await.unwrap();
        assert_eq!(local.released(&order.color).await.unwrap().digest, before.digest);
        assert_eq!(local.releases().await.unwrap().len(), 2, "nothing is kept twice");
    }

    #[tokio::test]
    async fn a_release_with_other_files_than_recorded_is_refused_before_anything_is_touched() {
        let (dir, local, order) = stage();
        fs::write(dir.path().join("releases/v1/files/app.yaml"), "tampered").unwrap();
        let error = local.deploy(&order).await.unwrap_err();
        assert!(error.message.contains("not those that were recorded"), "{error}");
        assert_eq!(fs::read(dir.path().join("green/app.yaml")).unwrap(), b"new");
        assert!(local.releases().await.unwrap()[0].broken.is_some());
        let other = DeployOrder { digest: Digest::of(b"x"), ..order };
        assert_eq!(local.deploy(&other).await.unwrap_err().kind, Kind::NotFound);
    }

    #[tokio::test]
    async fn a_file_name_never_leads_out_of_the_colours_folder() {
        let (dir, local, order) = stage();
        for name in ["../out", "release.json", "process.json", ""] {
            assert!(plain(name).is_err(), "{name}");
        }
        let laid = r#"{"version":"v2","color":"green","files":["../../etc/passwd"]}"#;
        fs::write(dir.path().join("green/release.json"), laid).unwrap();
        assert!(local.released(&order.color).await.is_err());
    }
}
