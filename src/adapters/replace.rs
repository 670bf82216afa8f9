//! Replacing a small file as a whole: by rename, on the disk when it has its name, with the rights
//! and the owner that it had.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::Error;

/// Replaces `path` by `bytes`, or makes it (0644). The name meanwhile begins with a dot and ends
/// in `.new`: no `*.conf` takes it in. A symbolic link stays one; what it points at is replaced.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::io("write", path.display(), &error);
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let before = fs::metadata(&path).ok();
    let folder = path.parent().unwrap_or(&path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fresh = folder.join(format!(".{name}.new"));
    let mut file = File::create(&fresh).map_err(failed)?;
    let mode = before.as_ref().map_or(0o644, fs::Metadata::mode);
    file.set_permissions(fs::Permissions::from_mode(mode & 0o7777)).map_err(failed)?;
    if let Some(before) = before {
        // Only root may give a file away; whoever may not owns it already or cannot keep this.
        std::os::unix::fs::fchown(&file, Some(before.uid()), Some(before.gid())).ok();
    }
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&fresh, &path).and_then(|()| File::open(folder)?.sync_all()).map_err(failed)
}
