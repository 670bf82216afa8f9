//! A folder of this host as object storage: what a server here serves, and the store that needs
//! nothing else.

use std::fs;
use std::path::{Component, Path, PathBuf};

use async_trait::async_trait;

use crate::adapters::{Error, Kind};
use crate::model::ids::Digest;

use super::{MOST, Object, Objects};

/// Added to the name of a file that is being written.
const PART: &str = ".backout-part";

/// A folder; keys are paths below it.
#[derive(Clone, Debug)]
pub struct Folder {
    dir: PathBuf,
}

impl Folder {
    /// The folder `dir`.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The file of a key, which may not lead out of the folder.
    fn file(&self, key: &str) -> Result<PathBuf, Error> {
        let path = Path::new(key);
        let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        if inside && !key.is_empty() {
            return Ok(self.dir.join(path));
        }
        let message = format!("could not use {key:?} below {}: it leads out", self.dir.display());
        Err(Error::new(Kind::Rejected, message))
    }

    /// File work beside the loop that everything else waits on.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let own = self.clone();
        tokio::task::spawn_blocking(move || work(&own)).await.unwrap_or_else(|e| {
            Err(Error::new(Kind::Local, format!("could not work in a folder: {e}")))
        })
    }

    fn walk(&self, at: &Path, prefix: &str, found: &mut Vec<Object>) -> Result<(), Error> {
        let failed = |e: &std::io::Error| Error::io("list", at.display(), e);
        let entries = match fs::read_dir(at) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && at == self.dir => return Ok(()),
            Err(e) => return Err(failed(&e)),
        };
        for entry in entries {
            let path = entry.map_err(|e| failed(&e))?.path();
            let Some(key) = path.strip_prefix(&self.dir).ok().and_then(Path::to_str) else {
                continue;
            };
            if path.is_dir() {
                // Only folders on the way to the prefix, or below it.
                let below = format!("{key}/");
                if below.starts_with(prefix) || prefix.starts_with(&below) {
                    self.walk(&path, prefix, found)?;
                }
            } else if key.starts_with(prefix) && !key.ends_with(PART) {
                let bytes = fs::read(&path).map_err(|e| Error::io("read", path.display(), &e))?;
                let size = bytes.len() as u64;
                found.push(Object { key: key.to_owned(), size, tag: Digest::of(&bytes).0 });
            }
        }
        Ok(())
    }

    /// Puts bytes under a key in one piece.
    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), Error> {
        self.put_by(key, |part| fs::write(part, bytes))
    }

    /// Puts what `fill` writes into the file that it is given under a key in one piece.
    fn put_by(
        &self,
        key: &str,
        fill: impl FnOnce(&Path) -> std::io::Result<()>,
    ) -> Result<(), Error> {
        let path = self.file(key)?;
        let part = self.file(&format!("{key}{PART}"))?;
        let parent = path.parent().map_or_else(|| self.dir.clone(), Path::to_owned);
        let put = || {
            fs::create_dir_all(&parent)?;
            fill(&part)?;
            fs::File::open(&part)?.sync_all()?;
            fs::rename(&part, &path)
        };
        put().map_err(|e| Error::io("write", path.display(), &e))
    }
}

#[async_trait]
impl Objects for Folder {
    fn place(&self) -> String {
        self.dir.display().to_string()
    }

    fn address(&self, key: &str) -> String {
        self.dir.join(key).display().to_string()
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Object>, Error> {
        let prefix = prefix.to_owned();
        self.beside(move |own| {
            let mut found = Vec::new();
            own.walk(&own.dir, &prefix, &mut found)?;
            found.sort();
            Ok(found)
        })
        .await
    }

    async fn folders(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let prefix = prefix.to_owned();
        self.beside(move |own| {
            let base = prefix.rsplit_once('/').map_or("", |(base, _)| base);
            let Ok(entries) = fs::read_dir(own.dir.join(base)) else { return Ok(Vec::new()) };
            let folders = entries.flatten().filter(|entry| entry.path().is_dir());
            let keys = folders.filter_map(|entry| {
                let name = entry.file_name().to_str()?.to_owned();
                let key = if base.is_empty() { name } else { format!("{base}/{name}") };
                Some(format!("{key}/"))
            });
            let mut keys: Vec<String> = keys.filter(|key| key.starts_with(&prefix)).collect();
            keys.sort();
            Ok(keys)
        })
        .await
    }

    async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.file(key)?;
        self.beside(move |_| match fs::metadata(&path).map(|about| about.len()) {
            Ok(size) if size > MOST as u64 => {
                let message = format!("could not read {}: it is too long", path.display());
                Err(Error::new(Kind::Rejected, message))
            }
            Ok(_) => match fs::read(&path) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(e) => Err(Error::io("read", path.display(), &e)),
            },
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("read", path.display(), &e)),
        })
        .await
    }

    async fn write(&self, key: &str, body: Vec<u8>) -> Result<(), Error> {
        let key = key.to_owned();
        self.beside(move |own| own.put(&key, &body)).await
    }

    async fn upload(&self, key: &str, file: &Path) -> Result<(), Error> {
        let (file, key) = (file.to_owned(), key.to_owned());
        self.beside(move |own| own.put_by(&key, |part| fs::copy(&file, part).map(drop))).await
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        let (from, to) = (self.file(from)?, to.to_owned());
        self.beside(move |own| {
            let bytes = fs::read(&from).map_err(|e| Error::io("read", from.display(), &e))?;
            own.put(&to, &bytes)
        })
        .await
    }

    async fn remove(&self, key: &str) -> Result<(), Error> {
        let path = self.file(key)?;
        self.beside(move |_| match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove", path.display(), &e))
            }
            Ok(()) | Err(_) => Ok(()),
        })
        .await
    }
}
