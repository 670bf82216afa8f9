//! Where the socket is, and whether the folder it is in can be trusted.

use std::ffi::OsString;
use std::fs::{DirBuilder, Metadata};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::Error;

/// The longest path of a socket in bytes: the system keeps 108 with the closing zero.
pub(super) const PATH_LIMIT: usize = 107;

/// Where the socket of the engine of `state` is: `<runtime_dir>/backout/<12 hex>.sock`, else
/// `/run/backout/` for root, else `/tmp/backout-<uid>/`. The folder below `/tmp` is made, 0700,
/// so that nobody else can make it first; one that exists there must be ours and nobody else's.
///
/// A `runtime_dir` that does not exist counts as none, as the XDG document asks.
pub fn socket_path(state: &Path, runtime_dir: Option<&Path>, uid: u32) -> Result<PathBuf, Error> {
    within(&socket_folder(runtime_dir, uid)?, state)
}

/// The folder that holds the sockets of this user's engines.
pub(super) fn socket_folder(runtime_dir: Option<&Path>, uid: u32) -> Result<PathBuf, Error> {
    match runtime_dir {
        Some(dir) if dir.is_dir() => Ok(dir.join("backout")),
        Some(_) | None if uid == 0 => Ok(PathBuf::from("/run/backout")),
        Some(_) | None => own_folder(Path::new("/tmp"), uid),
    }
}

pub(super) fn within(folder: &Path, state: &Path) -> Result<PathBuf, Error> {
    let path = folder.join(format!("{}.sock", state_mark(state)));
    let bytes = path.as_os_str().len();
    if bytes > PATH_LIMIT {
        return Err(Error::PathTooLong { path, bytes });
    }
    Ok(path)
}

/// Twelve hex digits that stand for a state folder, however its path is spelled.
pub(super) fn state_mark(state: &Path) -> String {
    let hash = Sha256::digest(resolved(state).as_os_str().as_bytes());
    let mut mark = String::with_capacity(12);
    for byte in hash.iter().take(6) {
        mark.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        mark.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    mark
}

/// `path` with links followed as far as it exists, so that the name is the same before and after
/// the state folder is made.
fn resolved(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut known = whole.as_path();
    let mut rest: Vec<OsString> = Vec::new();
    loop {
        if let Ok(mut found) = known.canonicalize() {
            found.extend(rest.into_iter().rev());
            return found;
        }
        match (known.parent(), known.file_name()) {
            (Some(parent), Some(name)) => {
                rest.push(name.to_owned());
                known = parent;
            }
            _ => return whole,
        }
    }
}

/// `<base>/backout-<uid>`, made or checked.
fn own_folder(base: &Path, uid: u32) -> Result<PathBuf, Error> {
    let folder = base.join(format!("backout-{uid}"));
    prepare_folder(&folder, uid, None)?;
    Ok(folder)
}

/// Makes `folder` for sockets, or checks one that is there: a folder and no link, owned by `uid`,
/// written by nobody else. With `group` it is opened for that group to enter, else closed to
/// everyone.
pub(super) fn prepare_folder(folder: &Path, uid: u32, group: Option<u32>) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(Error::io("make the folder", folder, e)),
    }
    let meta = folder.symlink_metadata().map_err(|e| Error::io("look at the folder", folder, e))?;
    let mistrust = |why: String| Error::Folder {
        path: folder.to_owned(),
        why: format!("{why}; remove it or set XDG_RUNTIME_DIR"),
    };
    check_owner(&meta, uid).map_err(mistrust)?;
    let wanted = match group {
        Some(gid) => {
            std::os::unix::fs::chown(folder, None, Some(gid))
                .map_err(|e| Error::io("give to the group the folder", folder, e))?;
            0o2750
        }
        // Another engine of ours may have opened it for its group; its sockets stay closed by
        // their own mode.
        None if meta.mode() & 0o7777 == 0o2750 => return Ok(()),
        None => 0o700,
    };
    if meta.mode() & 0o7777 != wanted {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(wanted))
            .map_err(|e| Error::io("set the mode of the folder", folder, e))?;
    }
    Ok(())
}

fn check_owner(meta: &Metadata, uid: u32) -> Result<(), String> {
    if !meta.is_dir() {
        return Err("it is not a folder but a link or a file".to_owned());
    }
    if meta.uid() != uid {
        return Err(format!("it belongs to uid {}, not to {uid}", meta.uid()));
    }
    if meta.mode() & 0o022 != 0 {
        return Err(format!("others may write to it (mode {:o})", meta.mode() & 0o7777));
    }
    Ok(())
}

/// Whether a process listens on `socket`, without waiting: one whose queue of connections is full
/// does.
pub(super) fn is_listened_on(socket: &Path) -> Result<bool, Error> {
    use rustix::io::Errno;
    use rustix::net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with,
    };
    let failed = |errno: Errno| Error::io("look behind the socket", socket, errno.into());
    let address = SocketAddrUnix::new(socket).map_err(failed)?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let probe =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(failed)?;
    match connect(&probe, &address) {
        Ok(()) | Err(Errno::AGAIN) => Ok(true),
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(false),
        Err(errno) => Err(failed(errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn us() -> u32 {
        rustix::process::getuid().as_raw()
    }

    #[test]
    fn the_socket_is_in_the_runtime_folder_under_twelve_hex_digits_of_the_state_folder() {
        let runtime = tempfile::tempdir().unwrap();
        let path = socket_path(Path::new("/nowhere/state"), Some(runtime.path()), us()).unwrap();
        // sha256("/nowhere/state")
        assert_eq!(path, runtime.path().join("backout/dda21b959962.sock"));
    }

    #[test]
    fn every_spelling_of_a_state_folder_has_the_same_socket_before_and_after_it_is_made() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("real")).unwrap();
        symlink(dir.path().join("real"), dir.path().join("link")).unwrap();
        let through_link = dir.path().join("link/env");
        let before = state_mark(&through_link);
        std::fs::create_dir(dir.path().join("real/env")).unwrap();
        assert_eq!(before, state_mark(&through_link));
        assert_eq!(before, state_mark(&dir.path().join("real/env")));
        assert_ne!(before, state_mark(&dir.path().join("real/other")));
    }

    #[test]
    fn a_path_of_107_bytes_is_used_and_one_of_108_is_refused() {
        let name = "/123456789abc.sock".len();
        for (bytes, fits) in [(107, true), (108, false)] {
            let folder = PathBuf::from(format!("/{}", "d".repeat(bytes - name - 1)));
            let path = within(&folder, Path::new("/state"));
            assert_eq!(path.is_ok(), fits, "{path:?}");
        }
    }

    #[test]
    fn a_socket_of_the_longest_path_can_be_bound() {
        let dir = tempfile::tempdir().unwrap();
        let fill = PATH_LIMIT - dir.path().as_os_str().len() - 2 - "/123456789abc.sock".len();
        let folder = dir.path().join("d".repeat(fill + 1));
        std::fs::create_dir(&folder).unwrap();
        let path = within(&folder, Path::new("/state")).unwrap();
        assert_eq!(path.as_os_str().len(), PATH_LIMIT);
        std::os::unix::net::UnixListener::bind(path).unwrap();
    }

    #[test]
    fn a_folder_that_is_missing_is_made_for_us_alone() {
        let base = tempfile::tempdir().unwrap();
        let folder = own_folder(base.path(), us()).unwrap();
        assert_eq!(folder.metadata().unwrap().mode() & 0o7777, 0o700);
        assert_eq!(own_folder(base.path(), us()).unwrap(), folder);
    }

    #[test]
    fn a_link_in_the_place_of_the_folder_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        symlink(elsewhere.path(), base.path().join(format!("backout-{}", us()))).unwrap();
        let refused = own_folder(base.path(), us()).unwrap_err().to_string();
        assert!(refused.contains("a link"), "{refused}");
    }

    #[test]
    fn a_folder_of_somebody_else_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let other = us() + 1;
        std::fs::create_dir(base.path().join(format!("backout-{other}"))).unwrap();
        let refused = own_folder(base.path(), other).unwrap_err().to_string();
        assert!(refused.contains("it belongs to uid"), "{refused}");
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let folder = own_folder(base.path(), us()).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        let refused = own_folder(base.path(), us()).unwrap_err().to_string();
        assert!(refused.contains("others may write"), "{refused}");
    }

    #[test]
    fn a_folder_that_others_may_read_is_closed() {
        let base = tempfile::tempdir().unwrap();
        let folder = own_folder(base.path(), us()).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        own_folder(base.path(), us()).unwrap();
        assert_eq!(folder.metadata().unwrap().mode() & 0o7777, 0o700);
    }

    #[test]
    fn a_shared_folder_lets_its_group_enter() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("backout");
        let gid = rustix::process::getgid().as_raw();
        prepare_folder(&folder, us(), Some(gid)).unwrap();
        assert_eq!(folder.metadata().unwrap().mode() & 0o7777, 0o2750);
        prepare_folder(&folder, us(), None).unwrap();
        assert_eq!(folder.metadata().unwrap().mode() & 0o7777, 0o2750);
    }
}
