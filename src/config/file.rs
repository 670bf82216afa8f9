//! Files of people: found, read whole, never waited for.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::environment::Environment;
use super::problem::Problem;

/// The most bytes that a configuration may have.
pub(super) const LIMIT: u64 = 1024 * 1024;

/// The configuration to use when none is named: `BACKOUT_CONFIG`, `backout.yaml` or `backout.yml`
/// in `dir`, `/etc/backout/backout.yaml`. What `BACKOUT_CONFIG` names is not looked for: if it is
/// missing, reading it says so.
pub fn find(dir: &Path, environment: &Environment) -> Option<PathBuf> {
    if let Some(named) = environment.config_file() {
        return Some(dir.join(named));
    }
    [dir.join("backout.yaml"), dir.join("backout.yml"), PathBuf::from("/etc/backout/backout.yaml")]
        .into_iter()
        .find(|path| path.exists())
}

/// A file's text, and whether others than its owner may change it.
pub(super) struct Contents {
    /// Its exact bytes.
    pub(super) bytes: Vec<u8>,
    /// Whether its group or everybody may change it, as the mode's digits.
    pub(super) loose: Option<String>,
}

/// Reads the regular file `path`, at most `limit` bytes of it.
pub(super) fn read(path: &Path, limit: u64) -> Result<Contents, Problem> {
    let refused = |why: String| Problem::whole(path, format!("could not read this file: {why}"));
    // NONBLOCK: a pipe in the place of the file must not hold us until somebody writes to it.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file =
        File::options().read(true).custom_flags(flags).open(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => refused("it is not there".into())
                .hint("name another with --config or BACKOUT_CONFIG"),
            std::io::ErrorKind::PermissionDenied => {
                refused("this user may not read it".into()).hint("chmod it, or run as its owner")
            }
            _ => refused(e.to_string()),
        })?;
    let found = file.metadata().map_err(|e| refused(e.to_string()))?;
    if found.is_dir() {
        return Err(refused("it is a folder".into()).hint("name the file in it"));
    }
    if !found.is_file() {
        return Err(refused("it is a pipe or a device, not a file".into()));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|e| refused(e.to_string()))?;
    if bytes.len() as u64 > limit {
        return Err(refused(format!("it is larger than {} KiB", limit / 1024)));
    }
    let mode = found.mode() & 0o7777;
    Ok(Contents { bytes, loose: (mode & 0o022 != 0).then(|| format!("{mode:04o}")) })
}
