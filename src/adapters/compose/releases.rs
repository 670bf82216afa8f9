//! The releases that can be started again: images of the services' repositories on this host, and
//! those that restore points name (`images.txt`, S-80), whether they are still there or not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::adapters::{Error, Kind, Release};
use crate::model::ids::Digest;
use crate::text::SafeText;

use super::Compose;
use super::reference::{Reference, hex};

/// The largest list of images that is read, in bytes.
const LIST_LIMIT: u64 = 64 * 1024;
/// The most restore points that are looked into, newest first.
const POINTS: usize = 200;

/// What a restore point says of the application.
struct Named {
    point: String,
    name: Reference,
    text: String,
    schema: Option<i64>,
}

impl Compose {
    /// The repositories of the coloured services' images.
    pub(super) async fn own_repositories(&self) -> Result<BTreeSet<String>, Error> {
        let mut found = BTreeSet::new();
        for service in self.settings.services.values() {
            let container = self.found(service).await?;
            let name = container.and_then(|one| Reference::parse(&one.image));
            found.extend(name.map(|name| name.repository));
        }
        Ok(found)
    }

    pub(super) async fn all_releases(&self) -> Result<Vec<Release>, Error> {
        let repositories = self.own_repositories().await?;
        let mut releases = BTreeMap::new();
        for repository in &repositories {
            for image in self.docker.images(repository).await? {
                let Some(digest) = hex(&image.id).map(Digest) else { continue };
                for name in image.tags.iter().filter_map(|tag| Reference::parse(tag)) {
                    let Some(tag) = name.tag.filter(|_| name.repository == *repository) else {
                        continue;
                    };
                    let version = SafeText::new(&tag);
                    let key = (version.clone(), digest.clone());
                    let digest = digest.clone();
                    releases.insert(key, Release { version, digest, schema: None, broken: None });
                }
            }
        }
        for named in self.named(&repositories)? {
            let release = self.release_of(&named).await?;
            let key = (release.version.clone(), release.digest.clone());
            // The newest point comes first: its schema stays.
            let kept = releases.entry(key).or_insert_with(|| release.clone());
            kept.schema = kept.schema.or(release.schema);
        }
        Ok(releases.into_values().collect())
    }

    async fn release_of(&self, named: &Named) -> Result<Release, Error> {
        let tag = named.name.tag.clone().unwrap_or_else(|| "latest".to_owned());
        let image = match self.docker.image(&named.text).await {
            Ok(image) => Some(image),
            Err(error) if error.kind == Kind::NotFound => None,
            Err(error) => return Err(error),
        };
        let id = image.and_then(|image| hex(&image.id));
        let broken = id.is_none().then(|| {
            SafeText::new(&format!(
                "image {} of restore point {} is not on this host",
                named.text, named.point
            ))
        });
        let unknown =
            || named.name.digest.clone().unwrap_or_else(|| Digest::of(named.text.as_bytes()).0);
        Ok(Release {
            version: SafeText::new(&tag),
            digest: Digest(id.unwrap_or_else(unknown)),
            schema: named.schema,
            broken,
        })
    }

    /// What the restore points name of these repositories, newest point first.
    fn named(&self, repositories: &BTreeSet<String>) -> Result<Vec<Named>, Error> {
        let Some(points) = &self.settings.points else { return Ok(Vec::new()) };
        let points = self.in_dir(points);
        let entries = match fs::read_dir(&points) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::io("read", points.display(), &e)),
        };
        let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        folders.sort();
        let mut all = Vec::new();
        for folder in folders.iter().rev().take(POINTS) {
            let point = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(text) = small(&folder.join("images.txt")) else { continue };
            let schema = small(&folder.join("schema_version.txt"));
            let schema = schema.and_then(|text| text.trim().parse().ok());
            for line in text.lines() {
                let Some(name) = Reference::parse(line) else { continue };
                if repositories.contains(&name.repository) {
                    let (point, text) = (point.clone(), line.trim().to_owned());
                    all.push(Named { point, name, text, schema });
                }
            }
        }
        Ok(all)
    }
}

fn small(path: &Path) -> Option<String> {
    fs::metadata(path).ok().filter(|file| file.is_file() && file.len() <= LIST_LIMIT)?;
    fs::read_to_string(path).ok()
}
