//! The state folder: its rights, the lease, the ballast, and the note of the last entry.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FallocateFlags, FlockOperation, OFlags, fallocate, flock, statfs};
use rustix::process::geteuid;

use crate::bug::Bug;
use crate::model::ids::Digest;

use super::Error;
use super::chain::Link;

/// How much space is kept back for the entries that must still be written on a full disk.
pub const BALLAST: u64 = 8 * 1024 * 1024;
/// What of it is kept back longest, for what is needed beside the journal.
const LAST: u64 = 1024 * 1024;

/// File systems on which SQLite's write-ahead log does not work: its index is shared memory.
const REMOTE: [(u32, &str); 4] =
    [(0x6969, "NFS"), (0xFF53_4D42, "CIFS"), (0xFE53_4D42, "SMB2"), (0x0102_1997, "9p")];

/// A state folder that is ours and fit for use.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder (0700, parents too) where it is missing, and refuses one that is a
    /// symlink, somebody else's, writable for others, or on a remote file system.
    pub(super) fn prepare(state: &Path) -> Result<Self, Error> {
        // Without a trailing slash: with one, the link's target would be looked at.
        let path: PathBuf = state.components().collect();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(Error::file("create", &path))?;
        let folder = Self(path);
        folder.check()?;
        Ok(folder)
    }

    fn check(&self) -> Result<(), Error> {
        let unfit = |why: String| Error::Unfit { path: self.0.clone(), why };
        let found = fs::symlink_metadata(&self.0).map_err(Error::file("look at", &self.0))?;
        if found.is_symlink() {
            return Err(unfit("it is a symlink; name the real folder as state_dir".to_owned()));
        }
        let own = geteuid().as_raw();
        if found.uid() != own {
            let why = format!(
                "it belongs to uid {}, this is uid {own}; name another folder as state_dir",
                found.uid()
            );
            return Err(unfit(why));
        }
        if found.mode() & 0o022 != 0 {
            let why = format!(
                "others may write in it (mode {:o}); run chmod 0700 on it",
                found.mode() & 0o7777
            );
            return Err(unfit(why));
        }
        let system = statfs(&self.0).map_err(|e| Error::file("look at", &self.0)(e.into()))?;
        let kind = i128::from(system.f_type) & 0xFFFF_FFFF;
        if let Some((_, name)) = REMOTE.iter().find(|(magic, _)| i128::from(*magic) == kind) {
            let why = format!("it is on {name}, where a journal can be lost; use a local disk");
            return Err(unfit(why));
        }
        Ok(())
    }

    /// The folder's path.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes a file 0600 before SQLite would make it 0644; refuses what is not a plain file of
    /// ours. Returns whether it was made.
    pub(super) fn own_file(&self, name: &str) -> Result<bool, Error> {
        let path = self.file(name);
        match private(&path).create_new(true).open(&path) {
            Ok(file) => {
                file.sync_all().map_err(Error::file("sync", &path))?;
                File::open(&self.0)
                    .and_then(|folder| folder.sync_all())
                    .map_err(Error::file("sync", &self.0))?;
                Ok(true)
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                let found = fs::symlink_metadata(&path).map_err(Error::file("look at", &path))?;
                if found.is_file() && found.uid() == geteuid().as_raw() {
                    return Ok(false);
                }
                Err(Error::Unfit {
                    path,
                    why: "it is not a plain file of this user; move it away".to_owned(),
                })
            }
            Err(e) => Err(Error::file("create", &path)(e)),
        }
    }
}

/// How the file `path` of the state folder is opened: for this user only, or where its folder is
/// shared for the group to read; never through a symlink.
pub(super) fn private(path: &Path) -> fs::OpenOptions {
    let mut options = File::options();
    let mode = super::share::file_mode(path);
    options.read(true).write(true).mode(mode).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// Opens a file of the state folder for reading, never through a symlink.
pub(super) fn private_read(path: &Path) -> std::io::Result<File> {
    File::options().read(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path)
}

/// Tries the lock for a moment: a process that an engine was just starting when it died holds a
/// copy of its descriptor until it has become the other program, and is no engine.
fn patiently(file: &File) -> Result<(), rustix::io::Errno> {
    let mut tried = flock(file, FlockOperation::NonBlockingLockExclusive);
    for _ in 0..30 {
        if tried != Err(rustix::io::Errno::WOULDBLOCK) {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
        tried = flock(file, FlockOperation::NonBlockingLockExclusive);
    }
    tried
}

/// The lease: held while this lives, released by the kernel when the process ends.
#[derive(Debug)]
pub(super) struct Lease(File);

impl Lease {
    /// Takes `engine.lock`, or says who has it.
    pub(super) fn take(folder: &Folder) -> Result<Self, Error> {
        let path = folder.file("engine.lock");
        let mut file = private(&path)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::file("open", &path))?;
        match patiently(&file) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) if Bug::UnlockedResume.is_on() => {}
            Err(rustix::io::Errno::WOULDBLOCK)
                if Bug::WallClockLease.is_on() && looks_old(&file) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                let read = (&file).take(32).read_to_string(&mut pid);
                let pid = read.ok().map(|_| pid.trim().to_owned());
                return Err(Error::Held { path, pid: pid.filter(|pid| !pid.is_empty()) });
            }
            Err(e) => return Err(Error::file("lock", &path)(e.into())),
        }
        // The pid is for people; a full disk must not keep an engine from starting.
        let _written = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "{}", std::process::id()));
        Ok(Self(file))
    }
}

impl Lease {
    /// A name that no other engine has at the same time: who holds this lock on this boot.
    pub(super) fn name(&self) -> String {
        self.0.metadata().map(|found| name_of(&found)).unwrap_or_default()
    }

    /// The name that an engine of the state folder has, or had last.
    pub(super) fn name_in(state: &Path) -> Option<String> {
        state.join("engine.lock").metadata().ok().map(|found| name_of(&found))
    }
}

fn name_of(lock: &fs::Metadata) -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let name = Digest::of(format!("{boot} {} {}", lock.dev(), lock.ino()).as_bytes());
    name.0.chars().take(24).collect()
}

/// Whether the wall clock says that nobody touched the lease lately: no reason to take it.
fn looks_old(file: &File) -> bool {
    let touched = file.metadata().and_then(|found| found.modified()).ok();
    touched.and_then(|at| at.elapsed().ok()).is_some_and(|age| age > Duration::from_secs(30))
}

/// Space that can be given back when the disk is full.
#[derive(Debug)]
pub(super) struct Ballast {
    path: PathBuf,
    /// Bytes that are still kept back.
    left: u64,
}

impl Ballast {
    /// Makes or completes the ballast. A disk that is already full is no error: the engine must
    /// be able to start, with what was kept back before.
    pub(super) fn load(folder: &Folder) -> Self {
        let path = folder.file("ballast");
        let left = fill(&path).unwrap_or_else(|_| length(&path));
        Self { path, left }
    }

    /// How many bytes are still kept back.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Whether the disk has less room than the last part of the ballast.
    pub(super) fn is_needed(&self) -> bool {
        self.free().is_some_and(|free| free < LAST)
    }

    /// Gives space back, all but the last part, then that too; returns whether there was any.
    pub(super) fn release(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        let left = if self.left > LAST { LAST } else { 0 };
        let cut = private(&self.path)
            .open(&self.path)
            .and_then(|file| file.set_len(left).and_then(|()| file.sync_all()));
        // A file that cannot be cut gives nothing, now and later.
        self.left = if cut.is_ok() { left } else { 0 };
        cut.is_ok()
    }

    fn free(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(self.path.parent().unwrap_or(&self.path)).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Keeps the whole of it back again where as much stays free beside it; returns whether it is
    /// whole.
    pub(super) fn mend(&mut self) -> bool {
        if self.left >= BALLAST {
            return true;
        }
        if self.free().is_some_and(|free| free > 2 * BALLAST - self.left) {
            self.left = fill(&self.path).unwrap_or_else(|_| length(&self.path));
        }
        self.left >= BALLAST
    }
}

/// Reserves `bytes` of the disk for the file `path`, from its beginning, without making it longer:
/// whoever else fills the disk then cannot take them. Where that is not possible nothing is lost.
pub(super) fn reserve(path: &Path, bytes: u64) {
    let opened =
        File::options().write(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path);
    if let Ok(file) = opened {
        let _reserved = fallocate(&file, FallocateFlags::KEEP_SIZE, 0, bytes);
    }
}

/// Makes the file `path` `bytes` long with zeros that are on disk: a sync of what is then written
/// over them need not also record a new length. What is in it stays. Where that is not possible
/// nothing is lost but time.
pub(super) fn presize(path: &Path, bytes: u64) {
    let known = length(path);
    let opened =
        File::options().write(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path);
    if let Ok(file) = opened
        && let Ok(missing) = usize::try_from(bytes.saturating_sub(known))
    {
        let written = file.write_all_at(&vec![0; missing], known).and_then(|()| file.sync_all());
        if written.is_err() {
            let _cut = file.set_len(known);
        }
    }
}

/// How long a file is; nothing when it is not there.
pub(super) fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |found| found.len())
}

/// Makes the file as long as it should be and returns its length. Where there is no room, what
/// was there before stays.
fn fill(path: &Path) -> std::io::Result<u64> {
    let mut file = private(path).create(true).truncate(false).open(path)?;
    let before = file.metadata()?.len();
    if before >= BALLAST {
        return Ok(before);
    }
    match fallocate(&file, FallocateFlags::empty(), 0, BALLAST) {
        Ok(()) => {}
        Err(rustix::io::Errno::OPNOTSUPP) => {
            let block = vec![0xB7; 64 * 1024];
            file.set_len(0)?;
            for _ in 0..BALLAST / (64 * 1024) {
                file.write_all(&block)?;
            }
        }
        Err(e) => {
            file.set_len(before)?;
            return Err(e.into());
        }
    }
    file.sync_all()?;
    Ok(BALLAST)
}

/// `journal.head`: number and hash of the last acknowledged entry. It is written after the entry
/// is on disk and is not synced itself, so that it can only be behind the journal, never ahead:
/// a journal that ends before it, or says otherwise at its place, has lost or changed entries.
#[derive(Debug)]
pub(super) struct Anchor(File);

impl Anchor {
    /// Opens or makes the note.
    pub(super) fn open(folder: &Folder) -> Result<Self, Error> {
        let path = folder.file("journal.head");
        let file = private(&path)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::file("open", &path))?;
        Ok(Self(file))
    }

    /// What the note in `state` says; nothing when there is none or it cannot be read as one.
    pub(super) fn read(state: &Path) -> Option<Link> {
        let text = fs::read_to_string(state.join("journal.head")).ok()?;
        let (seq, hash) = text.trim().split_once(' ')?;
        let link = Link { seq: seq.parse().ok()?, epoch: 0, hash: Digest(hash.to_owned()) };
        (link.seq > 0 && link.hash.0.len() == 64).then_some(link)
    }

    /// Notes `link`. Failing to is no loss: an older note still holds.
    pub(super) fn note(&self, link: &Link) {
        let line = format!("{:020} {}\n", link.seq, link.hash);
        let _written = self.0.write_all_at(line.as_bytes(), 0);
    }

    /// Puts the note on disk.
    pub(super) fn sync(&self) {
        let _synced = self.0.sync_all();
    }
}
