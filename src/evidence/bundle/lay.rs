//! A bundle as files in a folder, for people and tools that look there (P-41).

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::adapters::Error;

use super::place::root_of;
use super::read::Entries;

/// Lays every file of a bundle below `folder`, in a folder of the bundle's own name, with the
/// manifest as its index and SHA256SUMS to check it by; nothing that is there is written over.
/// Returns where. Names never lead out of the folder: the reader refuses those.
pub fn lay_out(bundle: &Path, folder: &Path) -> Result<PathBuf, Error> {
    let into = folder.join(root_of(bundle));
    let mut entries = Entries::open(bundle)?;
    while let Some(entry) = entries.next_file()? {
        let path = into.join(&entry.path);
        let parent = path.parent().unwrap_or(&into);
        let mut make = fs::DirBuilder::new();
        make.recursive(true)
            .mode(0o700)
            .create(parent)
            .map_err(|e| Error::io("make folder", parent.display(), &e))?;
        let failed = |e: std::io::Error| Error::io("write", path.display(), &e);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        file.write_all(&entry.bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    }
    Ok(into)
}
