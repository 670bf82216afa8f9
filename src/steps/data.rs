//! What steps that touch data share: the database, names of copies, files and their hashes.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::adapters::database::Database;
use crate::adapters::{Error, Kind};
use crate::model::ids::Digest;

use super::LookCx;

/// The application's database.
pub(super) fn database(cx: &LookCx) -> Result<Arc<dyn Database>, Error> {
    cx.database
        .clone()
        .ok_or_else(|| Error::new(Kind::NotFound, "could not use the database: none is configured"))
}

/// The folder of a restore point.
pub(super) fn point_folder(cx: &LookCx, id: &str) -> Result<PathBuf, Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if id.is_empty() || id.starts_with('.') || !id.chars().all(plain) {
        let message = format!("could not open restore point {id:?}: not a plain name");
        return Err(Error::new(Kind::Rejected, message));
    }
    let folder = cx.points.as_ref().map(|points| points.join(id));
    folder.ok_or_else(|| {
        let message =
            format!("could not open restore point {id}: restore_points is not configured");
        Error::new(Kind::NotFound, message)
    })
}

/// The run of an effect key `<run>.<step>.<attempt>`, as names of tables and files may hold it.
pub(super) fn run_of(effect: &str) -> String {
    as_word(effect.rsplitn(3, '.').nth(2).unwrap_or(effect))
}

/// A name as a part of the name of a table.
pub(super) fn as_word(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// The names that data has beside the live one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// What was restored.
    pub(super) copy: String,
    /// What was live before the swap.
    pub(super) kept: String,
    /// What was live between the swap and its way back: it may hold what was written then.
    pub(super) left: String,
}

/// The names of this run, or of the run `of` that made them: a run that takes another one back, or
/// brings it back, works on the copies of that one.
pub(super) fn names(effect: &str, of: Option<&str>) -> Names {
    let run = of.map_or_else(|| run_of(effect), |of| run_of(&format!("{of}.-.0")));
    Names {
        copy: format!("restored_{run}"),
        kept: format!("_failed_{run}"),
        left: format!("_left_{run}"),
    }
}

/// The names of what the run `run` leaves beside the live data, or of what the run `of` left: the
/// copy, what was live before, what was live until that was taken back.
pub fn data_places(run: &str, of: Option<&str>) -> [String; 3] {
    let names = names(&format!("{run}.-.0"), of);
    [names.copy, names.kept, names.left]
}

/// The SHA-256 of a file, read once through.
pub fn hash(path: &Path) -> Result<Digest, Error> {
    let io = |e: std::io::Error| Error::io("read", path.display(), &e);
    let mut file = File::open(path).map_err(io)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = file.read(&mut buffer).map_err(io)?;
        if count == 0 {
            return Ok(Digest::of_hash(&hash.finalize()));
        }
        hash.update(buffer.get(..count).unwrap_or_default());
    }
}

/// Puts `text` in the place of the file at `path`, whole or not at all, with the old one's rights.
pub(super) fn replace(path: &Path, text: &[u8]) -> Result<(), Error> {
    let io = |e: std::io::Error| Error::io("write", path.display(), &e);
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(io)?;
    let mode = fs::metadata(path).map_or(0o640, |found| found.mode() & 0o777);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".backout-new");
    let part = folder.join(name);
    match fs::remove_file(&part) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(io(e)),
    }
    let mut file =
        File::options().write(true).create_new(true).mode(mode).open(&part).map_err(io)?;
    file.write_all(text).and_then(|()| file.sync_all()).map_err(io)?;
    fs::rename(&part, path).map_err(io)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
}

/// Runs file work beside the loop that everything else waits on.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| {
        Err(Error::new(Kind::Local, format!("could not finish work on files: {e}")))
    })
}
