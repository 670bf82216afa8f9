//! What lies beside the files of a server in a container: restored copies, and what was live before
//! a swap, each in a volume or folder of its own. `PostgreSQL` and Redis make, move and remove them
//! alike (design 17, W-01, W-15).

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::docker::{Container, DockerHost, PROJECT};
use super::{Error, Kind};

/// The label of what we make, with the name that it has beside the live one.
pub const BESIDE: &str = "backout.beside";
/// The label of a volume of ours: the volume that it lies beside.
pub const OF: &str = "backout.of";
/// The name under which the engine keeps what a volume holds.
const HELD: &str = "_data";

/// Where a live server's files lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The volume, where it is one and no plain folder.
    pub(super) volume: Option<String>,
    /// The folder on this host.
    pub(super) held: PathBuf,
    /// Where the container has it.
    pub(super) inside: PathBuf,
    /// The server's own folder below it.
    pub(super) below: PathBuf,
}

impl Place {
    /// Where the container of `service` has its folder `dir`.
    pub(super) fn of(container: &Container, service: &str, dir: &Path) -> Result<Self, Error> {
        let holding = container.mounts.iter().filter(|one| dir.starts_with(&one.destination));
        let mount = holding.max_by_key(|one| one.destination.components().count());
        let mount = mount.ok_or_else(|| {
            let dir = dir.display();
            let message =
                format!("could not find the files of service {service}: {dir} lies in no volume");
            Error::new(Kind::NotFound, message)
        })?;
        Ok(Self {
            volume: mount.volume.clone().filter(|_| mount.kind == "volume"),
            held: mount.source.clone(),
            inside: mount.destination.clone(),
            below: dir.strip_prefix(&mount.destination).unwrap_or(Path::new("")).to_owned(),
        })
    }

    /// The folder beside it under `name`.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        if self.volume.is_some() {
            let volume = self.held.parent().unwrap_or(&self.held);
            return with(volume, name).join(HELD);
        }
        with(&self.held, name)
    }

    /// What is mounted for the one beside: its volume, or its folder.
    pub(super) fn source(&self, name: &str) -> PathBuf {
        match &self.volume {
            Some(volume) => PathBuf::from(format!("{volume}.{name}")),
            None => self.beside(name),
        }
    }

    /// Whether its folder may be looked into: only then is anything begun. What lies in it may
    /// have been moved away by an attempt that was cut off.
    pub(super) fn open(&self) -> Result<(), Error> {
        let folder = self.held.parent().unwrap_or(&self.held);
        fs::read_dir(folder).map(drop).map_err(|e| {
            let mut error = Error::io("look into", self.held.display(), &e);
            if error.kind == Kind::Denied {
                error.message += "; the files of volumes are root's: run this as root";
            }
            error
        })
    }

    /// Moves the live folder to where it is kept as `keep`, and the one beside under `name` to
    /// where the live one was. What was moved already stays.
    pub(super) fn exchange(&self, name: &str, keep: &str) -> Result<(), Error> {
        let (new, kept) = (self.beside(name), self.beside(keep));
        match (self.held.exists(), kept.exists()) {
            (true, false) => moved(&self.held, &kept)?,
            (false, true) => {}
            (true, true) => {
                let message = format!("could not swap: {} is there already", kept.display());
                return Err(Error::new(Kind::Held, message));
            }
            // A live folder that was lost is no reason not to bring it back.
            (false, false) => {
                fs::create_dir_all(&kept).map_err(|e| Error::io("make", kept.display(), &e))?;
            }
        }
        moved(&new, &self.held)
    }
}

/// The path beside `path` under `name`.
pub(super) fn with(path: &Path, name: &str) -> PathBuf {
    let mut file = path.file_name().unwrap_or_default().to_owned();
    file.push(".");
    file.push(name);
    path.with_file_name(file)
}

/// Moves a folder, so that a power cut leaves it here or there.
pub(super) fn moved(from: &Path, to: &Path) -> Result<(), Error> {
    let what = |e: std::io::Error| Error::io("move", from.display(), &e);
    let exclusive = rustix::fs::RenameFlags::NOREPLACE;
    let at = rustix::fs::CWD;
    rustix::fs::renameat_with(at, from, at, to, exclusive).map_err(|e| what(e.into()))?;
    for path in [from, to] {
        let folder = path.parent().unwrap_or(path);
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(what)?;
    }
    Ok(())
}

/// Removes a folder and all that lies in it; one that is not there is no error.
pub(super) fn gone(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::io("remove", folder.display(), &e)),
    }
}

/// Runs file work beside the loop that everything else waits on.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| {
        Err(Error::new(Kind::Local, format!("could not finish work on files: {e}")))
    })
}

impl DockerHost {
    /// Makes the volume of `project` that holds what lies beside under `name`; a plain folder needs
    /// none.
    pub(super) async fn make_beside(
        &self,
        project: &str,
        place: &Place,
        name: &str,
    ) -> Result<(), Error> {
        let Some(volume) = &place.volume else { return Ok(()) };
        let labels = [
            (PROJECT.to_owned(), project.to_owned()),
            (BESIDE.to_owned(), name.to_owned()),
            (OF.to_owned(), volume.clone()),
        ];
        let made = self.create_volume(&format!("{volume}.{name}"), &labels.into()).await?;
        if made.labels.get(BESIDE).map(String::as_str) != Some(name) {
            let message = format!("could not use volume {}: it is not ours", made.name);
            return Err(Error::new(Kind::Held, message));
        }
        // An empty one is no data: a look must not take it for some.
        fs::remove_dir(place.beside(name)).ok();
        Ok(())
    }

    /// Removes the copy's container `container`. A live one is never removed: it lacks our label.
    pub(super) async fn end_beside(&self, container: &str, name: &str) -> Result<(), Error> {
        match self.container(container).await {
            Ok(found) if found.labels.get(BESIDE).map(String::as_str) == Some(name) => {
                self.remove_container(&found.id).await
            }
            Ok(_) => {
                let message = format!("could not remove container {container}: it is not ours");
                Err(Error::new(Kind::Held, message))
            }
            Err(error) if error.kind == Kind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes a copy: its container, then its files.
    pub(super) async fn remove_beside(
        &self,
        container: &str,
        place: &Place,
        name: &str,
    ) -> Result<(), Error> {
        self.end_beside(container, name).await?;
        let Some(volume) = &place.volume else {
            let folder = place.beside(name);
            return blocking(move || gone(&folder)).await;
        };
        let volume = format!("{volume}.{name}");
        match self.volume(&volume).await {
            Ok(found) if found.labels.contains_key(BESIDE) => self.remove_volume(&volume).await,
            Ok(_) => {
                let message = format!("could not remove volume {volume}: it is not ours");
                Err(Error::new(Kind::Held, message))
            }
            Err(error) if error.kind == Kind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_lie_in_volumes_of_their_own_or_in_folders_beside() {
        let mut place = Place {
            volume: Some("p_pg".into()),
            held: "/d/volumes/p_pg/_data".into(),
            inside: "/var/lib/postgresql".into(),
            below: "18/docker".into(),
        };
        let shown = |path: PathBuf| path.display().to_string();
        assert_eq!(shown(place.beside("c")), "/d/volumes/p_pg.c/_data");
        assert_eq!(shown(place.source("c")), "p_pg.c");
        place.volume = None;
        place.held = "/srv/pg".into();
        assert_eq!(shown(place.beside("c")), "/srv/pg.c");
        assert_eq!(shown(place.source("c")), "/srv/pg.c");
    }

    #[test]
    fn an_exchange_that_was_cut_off_is_finished_by_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let held = dir.path().join("data");
        let place =
            Place { volume: None, held: held.clone(), inside: "/d".into(), below: "".into() };
        let write = |folder: &Path, text: &str| {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("f"), text).unwrap();
        };
        write(&held, "old");
        write(&place.beside("new"), "new");
        moved(&held, &place.beside("kept")).unwrap();
        place.exchange("new", "kept").unwrap();
        let said = |folder: PathBuf| fs::read_to_string(folder.join("f")).unwrap();
        assert_eq!((said(held.clone()), said(place.beside("kept"))), ("new".into(), "old".into()));
        write(&place.beside("new"), "newer");
        let refused = place.exchange("new", "kept").unwrap_err();
        assert_eq!(refused.kind, Kind::Held);
        assert_eq!(said(held), "new");
    }
}
