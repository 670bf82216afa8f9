//! Writes entries below one fresh folder, through descriptors of its folders and without following
//! any link: whatever a name says, nothing lands elsewhere.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps};
use sha2::{Digest as _, Sha256};

use super::{Entry, Kind, No, Sink, facts};
use crate::adapters::Error;
use crate::evidence::manifest::FileFacts;

/// Takes entries and makes files of them.
pub(super) struct Writer<'a> {
    root: &'a OwnedFd,
    expected: Option<&'a BTreeMap<String, FileFacts>>,
    open: Option<Open>,
    /// The folder that was used last: most files follow their neighbours.
    last: Option<(String, OwnedFd)>,
    /// What was written.
    pub(super) entries: BTreeMap<String, FileFacts>,
    /// Bytes of it.
    pub(super) bytes: u64,
    /// Folders with their modes and times, set when nothing is written below them any more.
    pub(super) folders: Vec<Entry>,
    /// Links, made when nothing is written any more: nothing can go through them.
    pub(super) links: Vec<(String, String)>,
}

struct Open {
    entry: Entry,
    file: File,
    hash: Sha256,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        root: &'a OwnedFd,
        expected: Option<&'a BTreeMap<String, FileFacts>>,
    ) -> Self {
        Self {
            root,
            expected,
            open: None,
            last: None,
            entries: BTreeMap::new(),
            bytes: 0,
            folders: Vec::new(),
            links: Vec::new(),
        }
    }

    /// The folder that `path` lies in, made where it is missing, and the last part of `path`.
    fn place<'p>(&mut self, path: &'p str) -> Result<(&OwnedFd, &'p str), No> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        if self.last.as_ref().is_none_or(|(last, _)| last != parent) {
            let folder = folder(self.root, parent, true).map_err(|e| failed(parent, e))?;
            self.last = Some((parent.to_owned(), folder));
        }
        Ok((self.last.as_ref().map_or(self.root, |(_, folder)| folder), name))
    }

    fn wanted(&self, path: &str, found: &FileFacts) -> Result<(), No> {
        match self.expected.map(|expected| expected.get(path)) {
            None => Ok(()),
            Some(Some(facts)) if facts == found => Ok(()),
            Some(Some(_)) => Err(No::Wrong("is not what the manifest says".to_owned())),
            Some(None) => Err(No::Wrong("is not in the manifest".to_owned())),
        }
    }
}

/// The folder at `path` below `root`, made where it is missing.
pub(super) fn folder(root: &OwnedFd, path: &str, make: bool) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = rustix::fs::openat(root, ".", flags, Mode::empty())?;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if make {
            match rustix::fs::mkdirat(&at, part, Mode::RWXU) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(e) => return Err(e),
            }
        }
        at = rustix::fs::openat(&at, part, flags, Mode::empty())?;
    }
    Ok(at)
}

pub(super) fn failed(path: &str, errno: rustix::io::Errno) -> No {
    use rustix::io::Errno;
    match errno {
        Errno::EXIST => No::Wrong("is there already".to_owned()),
        Errno::NOTDIR | Errno::LOOP => No::Wrong("lies below something that is no folder".into()),
        errno => No::Failed(Error::io("write", path, &errno.into())),
    }
}

/// A moment as the kernel takes it.
pub(super) fn times(seconds: u64) -> Timestamps {
    let since = Duration::from_secs(seconds.min(1 << 40));
    let at = Timespec { tv_sec: since.as_secs().cast_signed(), tv_nsec: 0 };
    Timestamps { last_access: at, last_modification: at }
}

impl Sink for Writer<'_> {
    fn begin(&mut self, entry: &Entry) -> Result<(), No> {
        match &entry.kind {
            Kind::Folder => {
                let made = folder(self.root, &entry.path, true);
                self.last = Some((entry.path.clone(), made.map_err(|e| failed(&entry.path, e))?));
                self.folders.push(entry.clone());
            }
            Kind::Link(to) => {
                let found = facts(to.len() as u64, &Sha256::digest(to.as_bytes()));
                self.wanted(&entry.path, &found)?;
                self.entries.insert(entry.path.clone(), found);
                self.links.push((entry.path.clone(), to.clone()));
            }
            Kind::File => {
                if let Some(expected) = self.expected {
                    let facts = expected.get(&entry.path);
                    let facts =
                        facts.ok_or_else(|| No::Wrong("is not in the manifest".to_owned()))?;
                    if facts.bytes != entry.bytes {
                        let why =
                            format!("has {} bytes, the manifest says {}", entry.bytes, facts.bytes);
                        return Err(No::Wrong(why));
                    }
                }
                let flags = OFlags::WRONLY
                    | OFlags::CREATE
                    | OFlags::EXCL
                    | OFlags::NOFOLLOW
                    | OFlags::CLOEXEC;
                let (parent, name) = self.place(&entry.path)?;
                let file = rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR)
                    .map_err(|e| failed(&entry.path, e))?;
                let file = File::from(file);
                self.open = Some(Open { entry: entry.clone(), file, hash: Sha256::new() });
            }
        }
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), No> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.hash.update(bytes);
        let path = &open.entry.path;
        open.file.write_all(bytes).map_err(|e| No::Failed(Error::io("write", path, &e)))
    }

    fn end(&mut self) -> Result<(), No> {
        let Some(Open { entry, file, hash }) = self.open.take() else { return Ok(()) };
        let found = facts(entry.bytes, &hash.finalize());
        self.wanted(&entry.path, &found)?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(entry.mode))
            .and_then(|()| rustix::fs::futimens(&file, &times(entry.mtime)))
            .map_err(|e| failed(&entry.path, e))?;
        self.bytes += entry.bytes;
        self.entries.insert(entry.path, found);
        Ok(())
    }
}

/// Makes the links and gives the folders their modes and times, innermost first.
pub(super) fn finish(
    root: &OwnedFd,
    links: &[(String, String)],
    folders: &mut [Entry],
) -> Result<(), (String, No)> {
    for (path, to) in links {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        folder(root, parent, true)
            .and_then(|parent| rustix::fs::symlinkat(to.as_str(), &parent, name))
            .map_err(|e| (path.clone(), failed(path, e)))?;
    }
    folders.sort_by_key(|entry| std::cmp::Reverse(entry.path.matches('/').count()));
    for entry in folders {
        let at = folder(root, &entry.path, false);
        // A folder that its owner cannot enter could never be removed again.
        let mode = Mode::from_raw_mode(entry.mode) | Mode::RWXU;
        at.and_then(|at| {
            rustix::fs::fchmod(&at, mode)?;
            rustix::fs::utimensat(&at, ".", &times(entry.mtime), AtFlags::SYMLINK_NOFOLLOW)
        })
        .map_err(|e| (entry.path.clone(), failed(&entry.path, e)))?;
    }
    Ok(())
}
