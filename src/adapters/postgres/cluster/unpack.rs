//! A base backup unpacked into a folder, with its owners and rights.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::adapters::beside::{gone, moved, with};
use crate::adapters::postgres::wal::base::opened;
use crate::adapters::{Error, Kind};

/// Lays one entry below `into`, with its owner and rights; its bytes.
fn laid<R: Read>(entry: &mut tar::Entry<'_, R>, into: &Path) -> std::io::Result<u64> {
    use std::path::Component;
    let name = entry.path()?.into_owned();
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if !name.components().all(plain) {
        return Err(std::io::Error::other(format!("{} leads out of it", name.display())));
    }
    let path = into.join(&name);
    let header = entry.header();
    let (uid, gid) = (u32::try_from(header.uid()?), u32::try_from(header.gid()?));
    let (mode, size) = (header.mode()? & 0o7777, header.size()?);
    let kind = header.entry_type();
    if kind.is_dir() {
        fs::create_dir_all(&path)?;
    } else if kind.is_symlink() {
        let to = entry.link_name()?.ok_or_else(|| std::io::Error::other("a link to nothing"))?;
        std::os::unix::fs::symlink(to, &path)?;
        return std::os::unix::fs::lchown(&path, uid.ok(), gid.ok()).map(|()| 0);
    } else if kind.is_file() {
        let mut file = File::options().write(true).create_new(true).open(&path)?;
        if std::io::copy(entry, &mut file)? != size {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    } else {
        let message = format!("{} is neither a file nor a folder", name.display());
        return Err(std::io::Error::other(message));
    }
    std::os::unix::fs::chown(&path, uid.ok(), gid.ok())?;
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    Ok(if kind.is_file() { size } else { 0 })
}

/// Unpacks the base backup into the folder `to`, which has its name only when it is whole and on
/// the disk. Owners and rights are kept.
pub(super) fn unpacked(
    (base, whole): (&Path, u64),
    to: &Path,
    below: &Path,
    counted: &AtomicU64,
) -> Result<(), Error> {
    let part = with(to, "unpacking");
    gone(&part)?;
    let into = part.join(below);
    let io = |e: std::io::Error| Error::io("unpack", base.display(), &e);
    fs::create_dir_all(&into).map_err(io)?;
    let mut archive = tar::Archive::new(Counting { from: opened(base)?, counted });
    let mut bytes = 0;
    for entry in archive.entries().map_err(io)? {
        bytes += laid(&mut entry.map_err(io)?, &into).map_err(io)?;
    }
    if bytes != whole {
        let message = format!(
            "could not unpack {}: {bytes} bytes came out of it, {whole} when it was read",
            base.display()
        );
        return Err(Error::new(Kind::Rejected, message));
    }
    let like = fs::metadata(into.join("PG_VERSION")).map_err(io)?;
    let mut folder = into.as_path();
    // The server refuses a folder that others may look into.
    let only_us = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(folder, only_us).map_err(io)?;
    while folder.starts_with(&part) {
        use std::os::unix::fs::MetadataExt as _;
        std::os::unix::fs::chown(folder, Some(like.uid()), Some(like.gid())).map_err(io)?;
        folder = folder.parent().unwrap_or(Path::new("/"));
    }
    let disk = File::open(&part).map_err(io)?;
    rustix::fs::syncfs(&disk).map_err(|e| io(e.into()))?;
    moved(&part, to)
}

struct Counting<'a> {
    from: Box<dyn Read + Send>,
    counted: &'a AtomicU64,
}

impl Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.counted.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
