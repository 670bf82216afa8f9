//! Files of a point that are held open, and what tells whether they are still the same.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// An open file and what it was when it was read.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) file: File,
    pub(super) was: Stamp,
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    pub(super) bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(found: &fs::Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            bytes: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

pub(super) fn open_folder(path: &Path) -> Result<File, String> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
        .map(File::from)
        .map_err(|e| format!("the point cannot be opened: {e}"))
}

/// Opens the plain file `path` below `folder` without following any link.
pub(super) fn open_below(folder: &File, path: &str) -> std::io::Result<Held> {
    let mut at = folder.try_clone()?;
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        if part.is_empty() || part == "." || part == ".." {
            return Err(std::io::Error::other("not a path below the point"));
        }
        let last = parts.peek().is_none();
        // A pipe in the place of a file must not hold us up.
        let what = if last { OFlags::NONBLOCK } else { OFlags::DIRECTORY };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | what;
        at = rustix::fs::openat(&at, part, flags, Mode::empty())?.into();
    }
    let found = at.metadata()?;
    if !found.is_file() {
        return Err(std::io::Error::other("not a plain file"));
    }
    Ok(Held { was: Stamp::of(&found), file: at })
}
