//! Takes a restore point: configuration, data and database, with a manifest that proves them.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, RenameFlags};

use crate::adapters::cache::Cache;
use crate::adapters::database::Database;
use crate::adapters::{Error, Kind};
use crate::model::ids::{PointId, Time};
use crate::model::keys::Keys;
use crate::model::tables::TableFacts;
use crate::text::SafeText;

use super::super::archive::{self, Packed, pack};
use super::super::index::{measure, sync_folder};
use super::super::manifest::{FORMAT, FileFacts, Key, MANIFEST, Manifest, PointKind};
use super::super::pace::beside;
use super::{DATA, DATABASE, KEYS, Point, SAFETY, Saved, glance};

/// Where the files of a database lie that could not be dumped.
const COLD: &str = "database-files";

/// Says what is being done, and how much of how much: bytes or rows.
pub type Says<'a> = &'a (dyn Fn(&str, u64, u64) + Send + Sync);

/// What is to be taken.
#[derive(Clone)]
pub struct Order {
    /// The folder of restore points.
    pub folder: PathBuf,
    /// What kind of point.
    pub kind: PointKind,
    /// When: it becomes the name.
    pub at: Time,
    /// The version that runs.
    pub version: SafeText,
    /// One image or release per service.
    pub images: Vec<SafeText>,
    /// Files that are made for it: `docker-compose.yml`, `containers.json`.
    pub made: Vec<(String, Vec<u8>)>,
    /// What is copied, and what signs it.
    pub saved: Saved,
    /// The database.
    pub database: Option<Arc<dyn Database>>,
    /// The store of keys beside it.
    pub cache: Option<Arc<dyn Cache>>,
}

impl Order {
    /// `20261122-010203`, or `rollback-safety-20261122-010203`.
    pub fn id(&self) -> PointId {
        let time = self.at.format("%Y%m%d-%H%M%S");
        match self.kind {
            PointKind::Backup => PointId(time.to_string()),
            PointKind::Safety => PointId(format!("{SAFETY}{time}")),
        }
    }
}

/// Takes `order`'s point. It appears under its name only when it is whole and on the disk; what a
/// cut-off attempt left under the name that it has until then is removed first.
///
/// Fails with `Rejected` when a point of that second is there, and with `NoSpace` when it does
/// not fit: then nothing is left of it.
pub async fn take(order: &Order, says: Says<'_>) -> Result<Point, Error> {
    let id = order.id();
    let (point, part) = (order.folder.join(&id.0), order.folder.join(format!(".{id}.new")));
    let failed = |e: io::Error| Error::io("write", part.display(), &e);
    if part.exists() {
        fs::remove_dir_all(&part).map_err(failed)?;
    }
    DirBuilder::new().recursive(true).mode(0o750).create(&part).map_err(failed)?;
    let taken = fill(order, &id, &part, says).await.and_then(|()| {
        rustix::fs::renameat_with(CWD, &part, CWD, &point, RenameFlags::NOREPLACE)
            .map_err(|e| match e {
                rustix::io::Errno::EXIST => {
                    let message = format!("could not take {id}: a point of that second is there");
                    Error::new(Kind::Rejected, message)
                }
                e => Error::io("write", point.display(), &e.into()),
            })
            .and_then(|()| sync_folder(&order.folder))
    });
    match taken {
        Ok(()) => Ok(glance(&id.0, &point)),
        Err(error) => {
            fs::remove_dir_all(&part).ok();
            Err(error)
        }
    }
}

/// Removes what a cut-off attempt at `order` left.
pub fn forget(order: &Order) {
    // What cannot be removed is removed before the next attempt, or fails it.
    fs::remove_dir_all(order.folder.join(format!(".{}.new", order.id()))).ok();
}

/// Bytes of the files and the data that `saved` names; what cannot be read counts nothing.
pub fn size_of(saved: &Saved) -> u64 {
    let files = saved.files.iter().filter_map(|path| fs::metadata(path).ok());
    let files: u64 = files.map(|found| found.len()).sum();
    files + saved.data.as_deref().map_or(0, archive::size_of)
}

async fn fill(order: &Order, id: &PointId, part: &Path, says: Says<'_>) -> Result<(), Error> {
    let mut missing = Vec::new();
    // The key first: without it nothing of this is of use.
    let key = order.saved.key.as_deref().map(Key::read).transpose()?;
    let damaged = order.kind == PointKind::Safety;
    let schema = schema(order).await?;
    let revisions = revisions(order).await?;
    says("configuration", 0, 0);
    write(part, "images.txt", lines(&order.images).as_bytes())?;
    write(part, "timestamp.txt", format!("{}\n", order.at.timestamp()).as_bytes())?;
    if let Some(schema) = schema {
        write(part, "schema.txt", format!("{schema}\n").as_bytes())?;
    }
    for (name, bytes) in &order.made {
        write(part, name, bytes)?;
    }
    for file in &order.saved.files {
        let inside = inside(&order.saved.base, file);
        if let Err(error) = copy(file, part, &inside) {
            if error.kind == Kind::NoSpace {
                return Err(error);
            }
            missing.push(SafeText::new(&format!("{inside}: {error}")));
        }
    }
    let packed = match order.saved.data.clone() {
        Some(data) => {
            let (prefix, into) = (inside(&order.saved.base, &data), part.join(DATA));
            beside(move |told| pack(&data, &prefix, &into, told), &|done, all| {
                says("data", done, all);
            })
            .await?
        }
        None => Packed::default(),
    };
    missing.extend(packed.left_out.iter().cloned());
    let (mut tables, mut identity): (Vec<TableFacts>, Option<String>) = (Vec::new(), None);
    if let Some(database) = &order.database {
        identity = Some(database.identity().await?);
        let rows = |done, all| says("rows of the database", done, all);
        tables = match database.dump(&part.join(DATABASE), &rows).await {
            Err(error) if damaged && error.kind != Kind::NoSpace => {
                missing.push(as_it_lies(database.as_ref(), part, &error).await?);
                Vec::new()
            }
            dumped => dumped?,
        };
        base_backup(order, database.as_ref(), part, says).await?;
    }
    let keys = keys(order, part, says, &mut missing).await?;
    says("manifest", 0, 0);
    let files = measured(part.to_owned()).await?;
    let mut manifest = Manifest {
        format: FORMAT,
        tool: Manifest::tool(),
        id: id.clone(),
        kind: order.kind,
        taken_at: order.at,
        version: order.version.clone(),
        images: order.images.clone(),
        schema,
        revisions,
        database: identity,
        tables,
        keys,
        files,
        entries: packed.entries,
        parts: packed.parts,
        missing,
        signature: None,
    };
    manifest.sign(key.as_ref());
    manifest.write(part).map(drop)
}

/// The keys of the store beside the database, with what was counted. What cannot be kept before a
/// rollback is said: nothing of it is touched without being kept itself.
async fn keys(
    order: &Order,
    part: &Path,
    says: Says<'_>,
    missing: &mut Vec<SafeText>,
) -> Result<Option<Keys>, Error> {
    let Some(cache) = &order.cache else { return Ok(None) };
    let bytes = |done, all| says("keys of Redis", done, all);
    let into = part.join(KEYS);
    match cache.dump(&into, &bytes).await {
        Err(error) if order.kind == PointKind::Safety && error.kind != Kind::NoSpace => {
            fs::remove_file(&into).ok();
            missing.push(SafeText::new(&format!("{KEYS}: {error}")));
            Ok(None)
        }
        dumped => dumped.map(Some),
    }
}

/// A base backup of the server, where one can be brought forward later. A safety backup needs none:
/// the swap keeps the whole server.
async fn base_backup(
    order: &Order,
    database: &dyn Database,
    part: &Path,
    says: Says<'_>,
) -> Result<(), Error> {
    let bytes = |done, all| says("base backup of the server", done, all);
    match order.kind {
        PointKind::Backup => {
            let into = part.join(database.base_name());
            database.base_backup(&into, &bytes).await.map(drop)
        }
        PointKind::Safety => Ok(()),
    }
}

/// What each tool's ledger says; nothing of a damaged database, as with the schema.
async fn revisions(order: &Order) -> Result<BTreeMap<String, String>, Error> {
    let Some(database) = &order.database else { return Ok(BTreeMap::new()) };
    match database.revisions().await {
        Err(_) if order.kind == PointKind::Safety => Ok(BTreeMap::new()),
        revisions => revisions,
    }
}

/// The schema's version; none where there is no ledger, and none of a damaged database that is
/// kept before a rollback: that is why it is kept.
async fn schema(order: &Order) -> Result<Option<i64>, Error> {
    let Some(database) = &order.database else { return Ok(None) };
    match database.ledger().await {
        Ok(ledger) => Ok(ledger.last().map(|applied| applied.version)),
        Err(_) if order.kind == PointKind::Safety => Ok(None),
        Err(error) => Err(error),
    }
}

/// Keeps the files of a database that cannot be dumped, and says so.
async fn as_it_lies(database: &dyn Database, part: &Path, why: &Error) -> Result<SafeText, Error> {
    match fs::remove_file(part.join(DATABASE)) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(Error::io("remove", part.join(DATABASE).display(), &e)),
    }
    let folder = part.join(COLD);
    let failed = |e: io::Error| Error::io("write", folder.display(), &e);
    DirBuilder::new().mode(0o750).create(&folder).map_err(failed)?;
    let copied = database.copy_cold(&folder).await.map_err(|error| {
        // Why there is no dump is what has to be mended.
        Error::new(why.kind, format!("{why}; {}", error.message))
    })?;
    if copied.is_empty() {
        fs::remove_dir(&folder).map_err(failed)?;
        return Ok(SafeText::new(&format!("database: it is not there ({why})")));
    }
    let copied = copied.join(", ");
    let text = format!("a dump of the database ({why}): {copied} copied as it lies into {COLD}/");
    Ok(SafeText::new(&text))
}

/// A path below the point for `path`: as it lies below `base`, else by its name alone.
pub fn inside(base: &Path, path: &Path) -> String {
    let below = path.strip_prefix(base).ok().filter(|below| below.file_name().is_some());
    let below = below.or_else(|| path.file_name().map(Path::new)).unwrap_or(path);
    below.display().to_string()
}

fn lines(images: &[SafeText]) -> String {
    let mut text = String::new();
    for image in images {
        text.extend([image.as_str(), "\n"]);
    }
    text
}

fn write(part: &Path, inside: &str, bytes: &[u8]) -> Result<(), Error> {
    fresh(part, inside)?
        .write_all(bytes)
        .map_err(|e| Error::io("write", part.join(inside).display(), &e))
}

/// A fresh file of the point, for its owner alone, or by the process's mask for the group to read.
fn fresh(part: &Path, inside: &str) -> Result<File, Error> {
    let path = part.join(inside);
    let failed = |e: io::Error| Error::io("write", path.display(), &e);
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o750).create(folder).map_err(failed)?;
    }
    File::options().write(true).create_new(true).mode(0o640).open(&path).map_err(failed)
}

fn copy(from: &Path, part: &Path, inside: &str) -> Result<(), Error> {
    let reading = |e: io::Error| Error::io("read", from.display(), &e);
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let mut options = File::options();
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
    let mut file = options.read(true).open(from).map_err(reading)?;
    if !file.metadata().map_err(reading)?.is_file() {
        return Err(Error::new(Kind::Rejected, format!("{} is not a file", from.display())));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(reading)?;
    write(part, inside, &bytes)
}

/// Every file of the point, measured and on the disk.
async fn measured(folder: PathBuf) -> Result<BTreeMap<String, FileFacts>, Error> {
    beside(
        move |_| {
            let mut files = BTreeMap::new();
            files_below(&folder, "", &mut files)?;
            Ok(files)
        },
        &|_, _| {},
    )
    .await
}

/// Measures and syncs every file below `folder`.
fn files_below(
    folder: &Path,
    at: &str,
    files: &mut BTreeMap<String, FileFacts>,
) -> Result<(), Error> {
    let failed = |e: io::Error| Error::io("read", folder.display(), &e);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let inside = if at.is_empty() { name } else { format!("{at}/{name}") };
        if entry.file_type().map_err(failed)?.is_dir() {
            files_below(&entry.path(), &inside, files)?;
        } else if inside != MANIFEST {
            File::open(entry.path()).and_then(|file| file.sync_all()).map_err(failed)?;
            let (bytes, sha256) = measure(&entry.path())?;
            files.insert(inside, FileFacts { bytes, sha256 });
        }
    }
    sync_folder(folder)
}
