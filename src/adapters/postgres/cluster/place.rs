//! Where the files of a server and of those beside it lie, and what we note in them.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::adapters::beside::Place;
use crate::adapters::{Error, Kind};
use crate::model::ids::Time;
use crate::model::until::{Lsn, Until};

/// Our note in the folder of a recovered server: servers leave what they do not know.
const NOTE: &str = "backout_recovery.json";
/// What begins the names that data has beside the live one, before the run's own part.
const BEGINNINGS: [&str; 3] = ["restored_", "_failed_", "_left_"];

/// What a recovered server's folder is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// What made it.
    pub(super) effect: String,
    /// How far it was to be brought.
    pub(super) until: Until,
    /// How far it came; nothing before it did.
    pub(super) reached: Option<Reached>,
}

/// How far a replay came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reached {
    /// In the log.
    pub(super) lsn: Lsn,
    /// When the last transaction in it was committed; nothing where there was none.
    pub(super) at: Option<Time>,
}

impl Place {
    /// The server's own folder.
    pub(super) fn data(&self) -> PathBuf {
        self.held.join(&self.below)
    }

    /// The server's own folder beside it.
    pub(super) fn data_beside(&self, name: &str) -> PathBuf {
        self.beside(name).join(&self.below)
    }

    /// Whether a server's files are there whole.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.data_beside(name).join("PG_VERSION").exists()
    }

    /// Whether any of the run to which `name` belongs lies beside it.
    pub(super) fn holds_of_run(&self, name: &str) -> bool {
        let Some(run) = BEGINNINGS.iter().find_map(|word| name.strip_prefix(word)) else {
            return false;
        };
        BEGINNINGS.iter().any(|word| self.holds(&format!("{word}{run}")))
    }
}

/// Writes a file into a server's folder as one of its own.
pub(super) fn put(path: &Path, text: &[u8], like: &Path) -> Result<(), Error> {
    let io = |e: std::io::Error| Error::io("write", path.display(), &e);
    let part = path.with_extension("backout-new");
    fs::write(&part, text).map_err(io)?;
    let owner = fs::metadata(like).map_err(io)?;
    chown(&part, Some(owner.uid()), Some(owner.gid())).map_err(io)?;
    File::open(&part).and_then(|file| file.sync_all()).map_err(io)?;
    fs::rename(&part, path).map_err(io)?;
    let folder = path.parent().unwrap_or(path);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
}

impl Note {
    /// Reads that of a server's folder; nothing where it has none.
    pub(super) fn read(data: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(data.join(NOTE)).ok()?).ok()
    }

    /// Writes it.
    pub(super) fn write(&self, data: &Path) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::new(Kind::Local, format!("could not write {NOTE}: {e}")))?;
        put(&data.join(NOTE), &text, &data.join("PG_VERSION"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_s_copies_lie_in_volumes_of_their_own_or_in_folders_beside_it() {
        let mut store = Place {
            volume: Some("p_pg".into()),
            held: "/d/volumes/p_pg/_data".into(),
            inside: "/var/lib/postgresql".into(),
            below: "18/docker".into(),
        };
        let shown = |path: PathBuf| path.display().to_string();
        assert_eq!(shown(store.data_beside("c")), "/d/volumes/p_pg.c/_data/18/docker");
        store.volume = None;
        store.held = "/srv/pg".into();
        assert_eq!(shown(store.data_beside("c")), "/srv/pg.c/18/docker");
    }
}
