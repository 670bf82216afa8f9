//! The file of one database in the place of another's: at every moment one of the two is whole
//! under the live name, and what was cut off can be gone on with or taken back.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::adapters::{Error, Kind, rights};

/// A file and what `SQLite` keeps beside it.
pub(super) fn with_sidecars(path: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-shm", "-journal"].map(|end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    })
}

pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Whether both names are there and mean one file.
fn same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    id(one).is_some() && id(one) == id(other)
}

/// Moves what lies beside `from` to the same places beside `to`.
fn move_sidecars(from: &Path, to: &Path) -> io::Result<()> {
    for (from, to) in with_sidecars(from).iter().zip(with_sidecars(to)).skip(1) {
        if from.exists() {
            fs::rename(from, to)?;
        }
    }
    Ok(())
}

/// Puts `new` in the place of `live` and keeps what was there as `kept`; says whether anything was
/// there. What a cut-off swap left half-way is gone on with. Taking back is the same with `new` and
/// `kept` the other way round: where nothing was swapped, what was put away comes back.
pub(super) fn swap(live: &Path, new: &Path, kept: &Path) -> Result<bool, Error> {
    let io = |e: io::Error| Error::io("swap", live.display(), &e);
    // The old one under its second name: it is live still.
    let second = same(live, new);
    if second {
        fs::remove_file(new).map_err(io)?;
    }
    if !new.exists() {
        let put_away = with_sidecars(new).iter().skip(1).any(|path| path.exists());
        if !second && !put_away && !kept.exists() {
            let message = format!("could not swap {}: {} is gone", live.display(), new.display());
            return Err(Error::new(Kind::NotFound, message));
        }
        move_sidecars(new, live).and_then(|()| sync_folder_of(live)).map_err(io)?;
        return Ok(true);
    }
    if live.exists() && kept.exists() && !same(live, kept) {
        let message = format!("could not keep {}: {} is there", live.display(), kept.display());
        return Err(Error::new(Kind::Rejected, message));
    }
    let there = live.exists() || kept.exists();
    if live.exists() {
        rights::like(live, new)?;
        // What the old one has beside it belongs to it, and would damage the new one.
        move_sidecars(live, kept).map_err(io)?;
        if !kept.exists() && fs::hard_link(live, kept).is_err() {
            // A file system without second names: for a moment there is no database.
            fs::rename(live, kept).map_err(io)?;
        }
    } else if !there {
        // The proof that the swap was made, and what taking it back needs.
        File::options().write(true).create_new(true).open(kept).map_err(io)?;
    }
    sync_folder_of(live).map_err(io)?;
    // What the new one has beside it comes first: it is never live without it.
    move_sidecars(new, live).map_err(io)?;
    fs::rename(new, live).and_then(|()| sync_folder_of(live)).map_err(io)?;
    Ok(there)
}

/// Copies a database that cannot be read as one, file by file, and names what was copied.
pub(super) fn copy_cold(live: &Path, into: &Path) -> Result<Vec<String>, Error> {
    let mut copied = Vec::new();
    for from in with_sidecars(live) {
        let Some(name) = from.file_name().filter(|_| from.is_file()) else { continue };
        let to = into.join(name);
        let io = |e: io::Error| Error::io("copy", from.display(), &e);
        fs::copy(&from, &to).map_err(io)?;
        File::open(&to).and_then(|file| file.sync_all()).map_err(io)?;
        copied.push(name.to_string_lossy().into_owned());
    }
    Ok(copied)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Leaves a swap at one of its points.
    type Cut = fn(&Stage);

    struct Stage {
        folder: tempfile::TempDir,
    }

    impl Stage {
        /// An old database with its log beside it, and a new one.
        fn new() -> Self {
            let stage = Self { folder: tempfile::tempdir().unwrap() };
            for (name, text) in [("app.db", "old"), ("app.db-wal", "log"), ("new", "new")] {
                fs::write(stage.at(name), text).unwrap();
            }
            fs::set_permissions(stage.at("app.db"), PermissionsExt::from_mode(0o640)).unwrap();
            fs::set_permissions(stage.at("new"), PermissionsExt::from_mode(0o600)).unwrap();
            stage
        }

        fn at(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn forward(&self) -> Result<bool, Error> {
            swap(&self.at("app.db"), &self.at("new"), &self.at("kept"))
        }

        fn back(&self) -> Result<bool, Error> {
            swap(&self.at("app.db"), &self.at("kept"), &self.at("new"))
        }

        fn holds(&self) -> Vec<(String, String)> {
            let mut all: Vec<_> = fs::read_dir(self.folder.path())
                .unwrap()
                .map(|entry| {
                    let entry = entry.unwrap();
                    let text = fs::read_to_string(entry.path()).unwrap();
                    (entry.file_name().into_string().unwrap(), text)
                })
                .collect();
            all.sort();
            all
        }
    }

    fn files(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn the_new_one_has_the_rights_of_the_old_and_the_way_back_brings_the_log_back() {
        let stage = Stage::new();
        let before = stage.holds();
        let swapped = files(&[("app.db", "new"), ("kept", "old"), ("kept-wal", "log")]);
        for _ in 0..2 {
            assert!(stage.forward().unwrap());
            assert_eq!(stage.holds(), swapped, "twice is once");
        }
        let mode = fs::metadata(stage.at("app.db")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        for _ in 0..2 {
            stage.back().unwrap();
            assert_eq!(stage.holds(), before, "twice is once");
        }
    }

    #[test]
    fn a_swap_that_was_cut_off_anywhere_goes_on_or_comes_back() {
        let cut: [(&str, Cut); 3] = [
            ("the log is put away", |stage| {
                fs::rename(stage.at("app.db-wal"), stage.at("kept-wal")).unwrap();
            }),
            ("the old one has its second name", |stage| {
                fs::rename(stage.at("app.db-wal"), stage.at("kept-wal")).unwrap();
                fs::hard_link(stage.at("app.db"), stage.at("kept")).unwrap();
            }),
            ("there is none for a moment", |stage| {
                fs::rename(stage.at("app.db-wal"), stage.at("kept-wal")).unwrap();
                fs::rename(stage.at("app.db"), stage.at("kept")).unwrap();
            }),
        ];
        for (place, cut) in cut {
            let stage = Stage::new();
            let before = stage.holds();
            cut(&stage);
            stage.back().unwrap_or_else(|e| panic!("{place}: {e}"));
            assert_eq!(stage.holds(), before, "{place}, taken back");
            cut(&stage);
            stage.forward().unwrap_or_else(|e| panic!("{place}: {e}"));
            let swapped = files(&[("app.db", "new"), ("kept", "old"), ("kept-wal", "log")]);
            assert_eq!(stage.holds(), swapped, "{place}, gone on with");
        }
    }

    #[test]
    fn where_there_was_none_an_empty_file_says_so_and_nothing_of_others_is_replaced() {
        let stage = Stage::new();
        fs::remove_file(stage.at("app.db")).unwrap();
        fs::remove_file(stage.at("app.db-wal")).unwrap();
        assert!(!stage.forward().unwrap());
        assert_eq!(stage.holds(), files(&[("app.db", "new"), ("kept", "")]));

        let taken = Stage::new();
        fs::write(taken.at("kept"), "of somebody").unwrap();
        let before = taken.holds();
        assert!(taken.forward().unwrap_err().message.contains("is there"));
        assert_eq!(taken.holds(), before);
    }
}
