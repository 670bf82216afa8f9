//! Rights of a file that takes another's place: what could read and write the one must be able to
//! read and write the other.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use super::Error;

/// Gives `new` the owner, the group and the mode of `old`.
///
/// Fails where the owner is another and may not be given away.
pub fn like(old: &Path, new: &Path) -> Result<(), Error> {
    let failed = |e: io::Error| Error::io("give its rights to", new.display(), &e);
    let had = fs::metadata(old).map_err(failed)?;
    owner(&had, new).map_err(failed)?;
    let mode = fs::Permissions::from_mode(had.mode() & 0o7777);
    fs::set_permissions(new, mode).map_err(failed)
}

/// Gives `new` the rights of the folder `old`, and all below it the owners that the same paths
/// have there; what is only in `new` gets the owner of the folder. Modes below stay as they are.
pub fn like_folder(old: &Path, new: &Path) -> Result<(), Error> {
    let failed = |e: io::Error| Error::io("give its rights to", new.display(), &e);
    let had = fs::metadata(old).map_err(failed)?;
    below(old, new, &had).map_err(failed)?;
    like(old, new)
}

fn below(old: &Path, new: &Path, folder: &fs::Metadata) -> io::Result<()> {
    for entry in fs::read_dir(new)? {
        let entry = entry?;
        let (was, is) = (old.join(entry.file_name()), entry.path());
        let had = fs::symlink_metadata(&was).unwrap_or_else(|_| folder.clone());
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            std::os::unix::fs::lchown(&is, Some(had.uid()), Some(had.gid()))?;
        } else {
            owner(&had, &is)?;
        }
        if kind.is_dir() {
            below(&was, &is, &had)?;
        }
    }
    Ok(())
}

fn owner(had: &fs::Metadata, path: &Path) -> io::Result<()> {
    let has = fs::symlink_metadata(path)?;
    if (has.uid(), has.gid()) == (had.uid(), had.gid()) {
        return Ok(());
    }
    chown(path, Some(had.uid()), Some(had.gid()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restored_folder_belongs_to_whom_the_live_one_belongs() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        for at in [&old, &new] {
            fs::create_dir_all(at.join("sub")).unwrap();
            fs::write(at.join("sub/a"), "a").unwrap();
        }
        fs::write(new.join("sub/only"), "b").unwrap();
        fs::set_permissions(&old, fs::Permissions::from_mode(0o2750)).unwrap();
        if rustix::process::geteuid().is_root() {
            chown(&old, Some(64_001), Some(64_123)).unwrap();
            chown(old.join("sub"), Some(64_002), Some(64_123)).unwrap();
        }
        like_folder(&old, &new).unwrap();
        let rights = |path: &Path| {
            let found = fs::metadata(path).unwrap();
            (found.uid(), found.gid(), found.mode() & 0o7777)
        };
        assert_eq!(rights(&new), rights(&old));
        let owner = |path: &Path| (rights(path).0, rights(path).1);
        for (is, was) in [("sub", "sub"), ("sub/a", "sub/a"), ("sub/only", "sub")] {
            assert_eq!(owner(&new.join(is)), owner(&old.join(was)), "{is}");
        }
    }
}
