//! Where a bundle goes, what it is called, and whether there is room for it.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::adapters::{Error, Kind};

use super::make::{Floor, Order};
use super::manifest::Previous;
use super::verify::sum_beside;

/// Where it goes; never over something that is there.
pub(super) fn place(order: &Order<'_>) -> Result<PathBuf, Error> {
    if let Some(file) = order.file {
        let taken = fs::symlink_metadata(file).is_ok();
        let path = if file.parent().is_some_and(|dir| dir.as_os_str().is_empty()) {
            Path::new(".").join(file)
        } else {
            file.to_owned()
        };
        return if taken {
            let message = format!("could not write bundle {}: it is there already", file.display());
            Err(Error::new(Kind::Rejected, message))
        } else {
            Ok(path)
        };
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(order.folder)
        .map_err(|e| Error::io("make folder", order.folder.display(), &e))?;
    let id = order.about.incident.trim_start_matches("INC-");
    let stem = format!("incident-{id}-{}", order.about.at.format("%Y%m%dT%H%M%SZ"));
    let names = std::iter::once(stem.clone()).chain((2..100).map(|n| format!("{stem}-{n}")));
    let mut paths = names.map(|name| order.folder.join(format!("{name}.tar.zst")));
    let free = |path: &PathBuf| {
        fs::symlink_metadata(path).is_err()
            && fs::symlink_metadata(suffixed(path, ".partial")).is_err()
    };
    paths.find(free).ok_or_else(|| {
        let message = format!("could not name a bundle in {}", order.folder.display());
        Error::new(Kind::Local, message)
    })
}

/// How much may be written into `folder`; refused where the floor is reached already.
pub(super) fn room(folder: &Path, floor: Floor) -> Result<u64, Error> {
    let disk = rustix::fs::statvfs(folder)
        .map_err(|e| Error::io("look at the disk of", folder.display(), &e.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let size = disk.f_blocks.saturating_mul(disk.f_frsize);
    let floor = floor.bytes.max(size / 100 * floor.percent);
    free.checked_sub(floor).filter(|room| *room > 0).ok_or_else(|| {
        let message = format!(
            "could not write a bundle to {}: {} MB are free and {} MB stay free; free some space, \
             or name another place with --to",
            folder.display(),
            free / 1_000_000,
            floor / 1_000_000
        );
        Error::new(Kind::NoSpace, message)
    })
}

/// The newest bundle that is there already, by the time in its name.
pub(super) fn previous(folder: &Path, own: &Path) -> Option<Previous> {
    let mut names: Vec<(String, String)> = Vec::new();
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let stem = name.strip_prefix("incident-").and_then(|rest| rest.strip_suffix(".tar.zst"));
        let time = stem.and_then(|stem| stem.split_once('-')).map(|(_, time)| time.to_owned());
        if own.file_name().is_none_or(|own| own != name.as_str()) {
            names.extend(time.map(|time| (time, name)));
        }
    }
    let (_, name) = names.into_iter().max()?;
    let sha256 = sum_beside(&folder.join(&name)).ok()??;
    Some(Previous { name, sha256 })
}

/// The name of the folder within the archive.
pub(super) fn root_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split(".tar").next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let root: String = stem.chars().take(80).map(plain).collect();
    if root.trim_matches('.').is_empty() { "incident".to_owned() } else { root }
}

pub(super) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}
