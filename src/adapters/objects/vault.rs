//! A place off this host where copies of backups are kept: a bucket, or a folder that is mounted
//! from elsewhere (P-14, P-19).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::adapters::database::Told;
use crate::adapters::{Error, Kind};

use super::Objects;

/// The place.
pub struct Vault {
    objects: Arc<dyn Objects>,
    prefix: String,
}

/// A file that is to be kept: its key, where it lies, and its bytes.
type Part = (String, PathBuf, u64);

impl Vault {
    /// Copies go below `prefix`, which is empty or ends with a slash.
    pub fn new(objects: Arc<dyn Objects>, prefix: &str) -> Self {
        Self { objects, prefix: prefix.to_owned() }
    }

    /// How tools name where the folder `name` goes: `s3://bucket/rollback/name/`.
    pub fn address(&self, name: &str) -> String {
        self.objects.address(&format!("{}{name}/", self.prefix))
    }

    /// Bytes of the folder, and those that the place does not have yet with the size they have here.
    pub async fn lacks(&self, folder: &Path) -> Result<(u64, Vec<Part>), Error> {
        let parts = parts(folder, &self.prefix)?;
        let all = parts.iter().map(|(_, _, size)| size).sum();
        let below = format!("{}{}/", self.prefix, name(folder));
        let there = self.objects.list(&below).await?;
        let kept = |part: &Part| there.iter().any(|one| (&one.key, one.size) == (&part.0, part.2));
        Ok((all, parts.into_iter().filter(|part| !kept(part)).collect()))
    }

    /// Copies what is lacking, and looks that all of it is there. Fails when a copy does.
    pub async fn keep(&self, folder: &Path, told: Told<'_>) -> Result<u64, Error> {
        let (all, lacking) = self.lacks(folder).await?;
        let mut done = all - lacking.iter().map(|(_, _, size)| size).sum::<u64>();
        for (key, file, size) in lacking {
            told(done, all);
            self.objects.upload(&key, &file).await?;
            done += size;
        }
        told(done, all);
        match self.lacks(folder).await?.1.first() {
            None => Ok(all),
            Some((key, ..)) => {
                let address = self.objects.address(key);
                let message = format!("could not keep {address}: it is not there afterwards");
                Err(Error::new(Kind::Rejected, message))
            }
        }
    }

    /// Writes a small object, reads it and takes it away again (P-33).
    pub async fn tried(&self, mark: &str) -> Result<(), Error> {
        let key = format!("{}backout-write-test-{mark}.json", self.prefix);
        let body = format!("{{\"written_by\": \"backout doctor\", \"mark\": \"{mark}\"}}");
        self.objects.write(&key, body.clone().into_bytes()).await?;
        let read = self.objects.read(&key).await;
        self.objects.remove(&key).await?;
        if read?.as_deref() == Some(body.as_bytes()) {
            return Ok(());
        }
        let address = self.objects.address(&key);
        let message = format!("could not use {address}: what was written is not what is read");
        Err(Error::new(Kind::Rejected, message))
    }
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Every file of a folder and of those in it; the manifest last, so that a copy with one is whole.
fn parts(folder: &Path, prefix: &str) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    walk(folder, &format!("{prefix}{}", name(folder)), &mut parts)?;
    let last = |part: &Part| part.0.ends_with("/manifest.json");
    parts.sort_by_key(|part| (last(part), part.0.clone()));
    Ok(parts)
}

fn walk(folder: &Path, key: &str, parts: &mut Vec<Part>) -> Result<(), Error> {
    let io = |e: std::io::Error| Error::io("read", folder.display(), &e);
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let about = entry.metadata().map_err(io)?;
        let key = format!("{key}/{}", entry.file_name().to_string_lossy());
        if about.is_dir() {
            walk(&entry.path(), &key, parts)?;
        } else if about.is_file() {
            parts.push((key, entry.path(), about.len()));
        }
    }
    Ok(())
}
