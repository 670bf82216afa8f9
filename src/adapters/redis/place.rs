//! Where the files of a Redis in a container lie, and what we note in those beside them.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::adapters::beside::Place;
use crate::adapters::cache::LiesBeside;
use crate::adapters::docker::Container;
use crate::adapters::{Error, rights};
use crate::model::keys::KeyFacts;
use crate::text::{SafeText, fit};

use super::RedisStore;

/// The name of a dump unless the server is told another.
pub(super) const FILE: &str = "dump.rdb";
/// Our note in the folder of a restored one: the server leaves what it does not know.
const NOTE: &str = "backout_restored.json";
/// What a restored folder is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// What made it.
    pub(super) effect: String,
    /// What was counted in it.
    pub(super) keys: Vec<KeyFacts>,
}

impl Place {
    /// Lays the dump into the folder beside under `name`, which has the live one's owner.
    pub(super) fn lay(&self, dump: &Path, (name, file): (&str, &str)) -> Result<(), Error> {
        let folder = self.beside(name);
        let io = |e: std::io::Error| Error::io("write", folder.display(), &e);
        let own = folder.join(&self.below);
        fs::create_dir_all(&own).map_err(io)?;
        let laid = own.join(file);
        fs::copy(dump, &laid).map_err(io)?;
        File::open(&laid).and_then(|file| file.sync_all()).map_err(io)?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&laid, mode).map_err(io)?;
        rights::like_folder(&self.held, &folder)
    }
}

impl Note {
    /// Reads that of a folder; nothing where it has none.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(NOTE)).ok()?).ok()
    }

    /// Takes it away: what was noted is proved, and what is live changes.
    pub(super) fn remove(folder: &Path) {
        fs::remove_file(folder.join(NOTE)).ok();
    }

    /// Writes it: the last word on a copy that is whole.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(NOTE);
        let io = |e: std::io::Error| Error::io("write", path.display(), &e);
        let text = serde_json::to_vec(self).map_err(|e| io(e.into()))?;
        let part = path.with_extension("backout-new");
        fs::write(&part, text).map_err(io)?;
        let owner = fs::metadata(folder).map_err(io)?;
        chown(&part, Some(owner.uid()), Some(owner.gid())).map_err(io)?;
        File::open(&part).and_then(|file| file.sync_all()).map_err(io)?;
        fs::rename(&part, &path).map_err(io)?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
    }
}

impl RedisStore {
    /// The live container, and where its files lie. A server that answers says where; one that is
    /// down has them where its image keeps them.
    pub(super) async fn live(&self) -> Result<(Container, Place), Error> {
        let at = self.service()?;
        let container = at.docker.of_service(&at.project, &at.service).await?;
        let dir = match self.setting("dir").await {
            Ok(dir) if dir.starts_with('/') => PathBuf::from(dir),
            Ok(_) | Err(_) => PathBuf::from("/data"),
        };
        let place = Place::of(&container, &at.service, &dir)?;
        self.place.get_or_init(|| place.clone());
        Ok((container, place))
    }

    /// A setting of the live server.
    pub(super) async fn setting(&self, name: &str) -> Result<String, Error> {
        let mut line = self.line(&self.server).await?;
        let limit = std::time::Duration::from_secs(5);
        let asked = self.clock.timeout(limit, line.list(&["CONFIG", "GET", name])).await;
        let pairs = asked.unwrap_or_else(|_| Err(Error::timed_out("ask redis", limit)))?;
        Ok(pairs.into_iter().nth(1).unwrap_or_default())
    }

    /// The name of the container beside the live one.
    pub(super) fn container_name(&self, name: &str) -> String {
        let at = self.at.as_ref();
        let of = at.map(|at| format!("{}.{}.", at.project, at.service)).unwrap_or_default();
        format!("{of}{name}")
    }

    /// What lies beside under `name`.
    pub(super) async fn lies_beside(&self, name: &str) -> Result<Option<LiesBeside>, Error> {
        if self.at.is_none() {
            return Ok(None);
        }
        let (_, place) = self.live().await?;
        let folder = place.beside(name);
        let made_by = || Note::read(&folder).map(|note| note.effect);
        Ok(folder.exists().then(|| LiesBeside { made_by: made_by() }))
    }

    /// Removes a copy: its container, then its files.
    pub(super) async fn removed(&self, name: &str) -> Result<(), Error> {
        let (_, place) = self.live().await?;
        let container = self.container_name(name);
        self.service()?.docker.remove_beside(&container, &place, name).await
    }

    /// What a container that ended said last.
    pub(super) async fn last_words(&self, container: &str) -> String {
        use futures_util::StreamExt as _;
        let Ok(service) = self.service() else { return String::new() };
        let Ok(mut lines) = service.docker.logs(container, None, Some(5), false).await else {
            return "its log cannot be read".to_owned();
        };
        let mut last = "it said nothing".to_owned();
        let limit = std::time::Duration::from_secs(5);
        while let Ok(Some(Ok(line))) = self.clock.timeout(limit, lines.next()).await {
            last = SafeText::from_bytes(&line.text).to_string();
        }
        fit(&last, 300)
    }
}
