//! Sharing the state folder with a group: the folder 2750, its files 0640, everything in it the
//! group's. What is made later goes by its folder: one that carries the mark hands it on.

use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::Error;

/// Set-group-id and the group's right to enter: the mark of a shared folder.
const MARK: u32 = 0o2050;
/// The deepest folder that is handed over.
const DEPTH: usize = 6;

/// Opens the folder `state` for `group`, making it where it is missing, or closes it again for
/// everyone else with `None`. Changes modes and groups of what is there already.
///
/// Fails when the group cannot be given: only its members and root can.
pub fn share(state: &Path, group: Option<u32>) -> Result<(), Error> {
    let Some(group) = group else {
        return match state.symlink_metadata() {
            Ok(found) if found.is_dir() && found.mode() & MARK == MARK => set(state, 0o700),
            Ok(_) | Err(_) => Ok(()),
        };
    };
    if !state.exists() {
        let parents = state.parent().unwrap_or(state);
        // Others must be able to pass through, not to look around.
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(parents)
            .map_err(Error::file("create", parents))?;
        fs::DirBuilder::new().mode(0o700).create(state).map_err(Error::file("create", state))?;
    }
    let owner = state.symlink_metadata().map_err(Error::file("look at", state))?.uid();
    if owner != rustix::process::geteuid().as_raw() {
        // Taking the lease refuses it with better words.
        return Ok(());
    }
    hand_over(state, group, DEPTH)
}

fn hand_over(path: &Path, group: u32, depth: usize) -> Result<(), Error> {
    let found = fs::symlink_metadata(path).map_err(Error::file("look at", path))?;
    if !found.is_dir() && !found.is_file() {
        return Ok(());
    }
    if found.gid() != group {
        std::os::unix::fs::lchown(path, None, Some(group))
            .map_err(Error::file("give to the group", path))?;
    }
    set(path, if found.is_dir() { 0o2750 } else { 0o640 })?;
    if !found.is_dir() || depth == 0 {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(Error::file("read", path))?.flatten() {
        // What tools were told, with their secrets, stays with the one who runs them.
        if entry.file_name() != "runs" {
            hand_over(&entry.path(), group, depth - 1)?;
        }
    }
    Ok(())
}

fn set(path: &Path, mode: u32) -> Result<(), Error> {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(Error::file("set the mode of", path))
}

/// The mode of a new file `path`.
pub(super) fn file_mode(path: &Path) -> u32 {
    if in_shared(path) { 0o640 } else { 0o600 }
}

/// The mode of a new folder `path`.
pub(super) fn folder_mode(path: &Path) -> u32 {
    if in_shared(path) { 0o750 } else { 0o700 }
}

/// Whether the nearest folder above `path` that is there is shared.
fn in_shared(path: &Path) -> bool {
    path.ancestors()
        .skip(1)
        .find_map(|folder| folder.metadata().ok())
        .is_some_and(|found| found.mode() & MARK == MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_group() -> u32 {
        rustix::process::getegid().as_raw()
    }

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().mode() & 0o7777
    }

    #[tokio::test]
    async fn what_is_made_in_a_shared_folder_is_for_the_group_to_read() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("deep/state");
        share(&state, Some(own_group())).unwrap();
        assert_eq!(mode(&state), 0o2750);
        let mut writer = super::super::Writer::open(&state).await.unwrap();
        writer.append(Vec::new()).await.unwrap();
        let mut spool = super::super::spool::SourceWriter::open(
            &state.join("spool"),
            "app",
            super::super::spool::Limits::default(),
        )
        .unwrap();
        spool.append(chrono::DateTime::UNIX_EPOCH, b"line").unwrap();
        spool.flush().unwrap();
        let mut seen = 0;
        let mut left = vec![state.clone()];
        while let Some(folder) = left.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let wanted = if path.is_dir() { 0o2750 } else { 0o640 };
                assert_eq!(mode(&path), wanted, "{}", path.display());
                seen += 1;
                left.extend(path.is_dir().then_some(path));
            }
        }
        assert!(seen >= 7, "{seen}");
    }

    #[test]
    fn a_folder_can_be_shared_later_and_closed_again() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        fs::DirBuilder::new().mode(0o700).create(&state).unwrap();
        fs::create_dir(state.join("runs")).unwrap();
        fs::write(state.join("runs/request"), "secret").unwrap();
        fs::write(state.join("journal.db"), "").unwrap();
        set(&state.join("runs"), 0o700).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", state.join("link")).unwrap();
        let before = mode(Path::new("/etc/passwd"));
        share(&state, Some(own_group())).unwrap();
        assert_eq!(mode(&state.join("journal.db")), 0o640);
        assert_eq!(mode(&state.join("runs")), 0o700);
        assert_eq!(mode(Path::new("/etc/passwd")), before, "a link was followed");
        share(&state, None).unwrap();
        assert_eq!(mode(&state), 0o700);
    }
}
