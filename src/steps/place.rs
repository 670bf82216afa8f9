//! Where copies of a folder of data lie: beside it, or, where the folder is what a Docker volume
//! holds, in a volume of its own beside that one (W-01). Both are moved by a rename.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::adapters::Error;

use super::LookCx;

/// The name under which the engine keeps what a volume holds.
const HELD: &str = "_data";
/// The folder of all volumes.
const VOLUMES: &str = "volumes";

/// The volume that holds `folder`, where one does: `…/volumes/NAME/_data`.
fn volume(folder: &Path) -> Option<&Path> {
    let volume = folder.parent().filter(|_| folder.ends_with(HELD))?;
    volume.parent()?.ends_with(VOLUMES).then_some(volume)
}

/// Removes the empty folder that an engine made with a new volume: it is nobody's data. Whether
/// nothing is there now.
pub(super) fn cleared(folder: &Path) -> bool {
    !folder.exists() || volume(folder).is_some() && fs::remove_dir(folder).is_ok()
}

fn with_name(path: &Path, name: &str) -> PathBuf {
    let mut file = path.file_name().unwrap_or_default().to_owned();
    file.push(".");
    file.push(name);
    path.with_file_name(file)
}

/// The folder beside `live` under `name`.
pub fn beside(live: &Path, name: &str) -> PathBuf {
    match volume(live) {
        Some(volume) => with_name(volume, name).join(HELD),
        None => with_name(live, name),
    }
}

/// Where the copy `copy` is unpacked before it is whole.
pub(super) fn unpacking(copy: &Path) -> PathBuf {
    with_name(copy, "unpacking")
}

/// Makes what holds the folder beside `live` under `name`, where that is not simply its parent.
pub(super) async fn make(cx: &LookCx, live: &Path, name: &str) -> Result<(), Error> {
    let Some(volume) = volume(live) else { return Ok(()) };
    let beside = with_name(volume, name);
    let (like, new) = (file_name(volume), file_name(&beside));
    cx.workload.make_volume(&like, &new).await?;
    // A platform without volumes has only the folder.
    fs::create_dir_all(&beside).map_err(|e| Error::io("make", beside.display(), &e))?;
    // An empty one is no data: a look must not take it for some.
    fs::remove_dir(beside.join(HELD)).ok();
    Ok(())
}

/// Forgets what held a folder that is not there any more; one that cannot be removed is empty.
pub(super) async fn forget(cx: &LookCx, live: &Path, name: &str) {
    if let Some(volume) = volume(live)
        && !beside(live, name).exists()
    {
        let beside = with_name(volume, name);
        cx.workload.remove_volume(&file_name(&beside)).await.ok();
        fs::remove_dir(beside).ok();
    }
}

/// Makes a rename of `path` survive a power cut.
pub(super) fn settle(path: &Path) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(path);
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|e| Error::io("settle", folder.display(), &e))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_s_copies_lie_beside_it_and_a_volume_s_in_volumes_beside_it() {
        let folder = |live: &str| beside(Path::new(live), "restored_1").display().to_string();
        assert_eq!(folder("/srv/data/files"), "/srv/data/files.restored_1");
        assert_eq!(folder("/d/volumes/app/_data"), "/d/volumes/app.restored_1/_data");
        assert_eq!(folder("/d/elsewhere/app/_data"), "/d/elsewhere/app/_data.restored_1");
        let copy = unpacking(&beside(Path::new("/d/volumes/app/_data"), "restored_1"));
        assert_eq!(copy.display().to_string(), "/d/volumes/app.restored_1/_data.unpacking");
    }
}
