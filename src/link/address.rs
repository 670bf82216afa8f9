//! Where the engine of a state folder listens, as the engine itself wrote it down: a client under
//! another user, or from `cron`, has another runtime folder and would look elsewhere.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::Error;
use super::server::Share;
use super::socket::{PATH_LIMIT, is_listened_on, socket_path, within};

/// The file in the state folder that holds the socket's path.
const NAME: &str = "socket";

/// Where a new engine of `state` should listen: a shared one where its group gets to, any other
/// in the runtime folder of its user.
pub fn socket_for(
    state: &Path,
    share: Share,
    runtime_dir: Option<&Path>,
    uid: u32,
) -> Result<PathBuf, Error> {
    match share {
        Share::Alone => socket_path(state, runtime_dir, uid),
        Share::Group(group) => within(&shared_folder(group, uid), state),
    }
}

/// The folder for the sockets that this user shares with `group`.
fn shared_folder(group: u32, uid: u32) -> PathBuf {
    if uid == 0 {
        PathBuf::from(format!("/run/backout-g{group}"))
    } else {
        PathBuf::from(format!("/tmp/backout-{uid}-g{group}"))
    }
}

/// Folders of shared sockets that this user can look into, whoever made them.
pub(super) fn shared_folders() -> Vec<PathBuf> {
    ["/run", "/tmp"]
        .iter()
        .filter_map(|base| std::fs::read_dir(base).ok())
        .flat_map(|entries| entries.flatten().take(4096))
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            name.starts_with("backout-") && name.contains('g')
        })
        .map(|entry| entry.path())
        .filter(|path| {
            path.symlink_metadata()
                .is_ok_and(|found| found.is_dir() && found.mode() & 0o7777 == 0o2750)
        })
        .filter(|path| path.read_dir().is_ok())
        .collect()
}

/// Where the engine of `state` listens now, or `otherwise` when none has said so or it no longer
/// does. What is written down counts only where the owner of the state folder wrote it and owns
/// the socket too.
pub fn address(state: &Path, otherwise: &Path) -> PathBuf {
    living(state).unwrap_or_else(|| otherwise.to_owned())
}

/// Where the engine of `state` listens, when one does.
pub fn living(state: &Path) -> Option<PathBuf> {
    recorded(state).filter(|socket| is_listened_on(socket).unwrap_or(false))
}

fn recorded(state: &Path) -> Option<PathBuf> {
    let owner = std::fs::metadata(state).ok()?.uid();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(state.join(NAME))
        .ok()?;
    let found = file.metadata().ok()?;
    if !found.is_file() || found.uid() != owner || found.mode() & 0o022 != 0 {
        return None;
    }
    let mut text = String::new();
    file.take(PATH_LIMIT as u64 + 1).read_to_string(&mut text).ok()?;
    let socket = PathBuf::from(text.trim_end_matches('\n'));
    let there = socket.symlink_metadata().ok()?;
    (socket.is_absolute() && there.file_type().is_socket() && there.uid() == owner)
        .then_some(socket)
}

/// Writes down where the engine listens; whole or not at all.
pub fn record(state: &Path, socket: &Path) -> Result<(), Error> {
    let path = state.join(NAME);
    let bytes = socket.as_os_str().as_bytes();
    if std::fs::read(&path).is_ok_and(|known| known == bytes) {
        return Ok(());
    }
    let beside = state.join("socket.new");
    let failed = |e| Error::io("write", &path, e);
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o640)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(&beside)
        .map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    std::fs::rename(&beside, &path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;

    #[test]
    fn an_engine_is_found_where_it_says_and_only_while_it_listens() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = Path::new("/elsewhere.sock");
        assert_eq!(address(dir.path(), elsewhere), elsewhere);
        let socket = dir.path().join("a.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        record(dir.path(), &socket).unwrap();
        assert_eq!(address(dir.path(), elsewhere), socket);
        drop(listener);
        assert_eq!(address(dir.path(), elsewhere), elsewhere);
    }

    #[test]
    fn an_address_that_others_could_have_written_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("a.sock");
        let _listener = UnixListener::bind(&socket).unwrap();
        record(dir.path(), &socket).unwrap();
        let file = dir.path().join(NAME);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o660)).unwrap();
        assert_eq!(living(dir.path()), None);
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &file).unwrap();
        assert_eq!(living(dir.path()), None);
    }

    #[test]
    fn a_shared_socket_is_not_in_a_folder_that_only_its_owner_enters() {
        let runtime = tempfile::tempdir().unwrap();
        let state = Path::new("/srv/state");
        let shared = socket_for(state, Share::Group(50), Some(runtime.path()), 1000).unwrap();
        assert!(shared.starts_with("/tmp/backout-1000-g50"), "{}", shared.display());
        let alone = socket_for(state, Share::Alone, Some(runtime.path()), 1000).unwrap();
        assert!(alone.starts_with(runtime.path()), "{}", alone.display());
    }
}
