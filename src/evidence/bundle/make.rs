//! Makes a bundle.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::Digest as _;

use crate::adapters::Error;
use crate::model::ids::{Digest, Time};
use crate::redact::{Book, Found, Redactor};

use super::archive::{self, Archive};
use super::frames::Frames;
use super::manifest::{FileRecord, Manifest, SourceRecord, SourceState, Trigger};
use super::place::{place, previous, room, root_of, suffixed};
use super::source::{self, Desk, Item, Limits};
use super::verify::beside;

/// What stays free beside a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    /// In bytes.
    pub bytes: u64,
    /// In hundredths of the disk.
    pub percent: u64,
}

impl Default for Floor {
    /// 1 GiB and 5 %.
    fn default() -> Self {
        Self { bytes: 1 << 30, percent: 5 }
    }
}

/// Whether it is made beside other work: then it is quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Automatic {
    /// The engine's own.
    Yes,
    /// Somebody waits for it.
    No,
}

/// What is made, and where.
pub struct Order<'a> {
    /// The folder of all bundles.
    pub folder: &'a Path,
    /// Another file than the one that would be named in that folder.
    pub file: Option<&'a Path>,
    /// What the manifest says beside what is found out; its lists are empty.
    pub about: Manifest,
    /// The bounds.
    pub limits: Limits,
    /// What stays free.
    pub floor: Floor,
    /// Whether it is made beside other work.
    pub automatic: Automatic,
    /// The clock.
    pub now: &'a dyn Fn() -> Time,
    /// Whether its time is up.
    pub cancel: &'a dyn Fn() -> bool,
}

/// A bundle that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Where it is.
    pub path: PathBuf,
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its size in bytes.
    pub bytes: u64,
    /// What it says about itself.
    pub manifest: Manifest,
}

impl Manifest {
    /// One that says only why and when.
    pub fn begun(trigger: Trigger, at: Time) -> Self {
        Self {
            format: 1,
            tool: format!("backout {}", env!("CARGO_PKG_VERSION")),
            incident: "none".to_owned(),
            run: None,
            trigger,
            environment: String::new(),
            host: String::new(),
            by: String::new(),
            at,
            from: None,
            config: None,
            previous: None,
            partial: false,
            why_partial: Vec::new(),
            sources: Vec::new(),
            files: Vec::new(),
            redactions: BTreeMap::new(),
        }
    }
}

/// Makes the bundle of `items`, in their order. A source that fails is listed and the rest goes
/// on; a full disk closes it with what is in it. An error leaves nothing under the final name.
pub fn make(
    order: Order<'_>,
    items: impl IntoIterator<Item = Item>,
    redactor: &Redactor,
) -> Result<Made, Error> {
    let path = place(&order)?;
    let folder = path.parent().unwrap_or(order.folder).to_owned();
    let total = room(&folder, order.floor)?.min(order.limits.total);
    if order.automatic == Automatic::Yes {
        // This thread and those it starts; what cannot be had is no reason to stop.
        rustix::process::setpriority_process(None, 10).ok();
    }
    let partial = suffixed(&path, ".partial");
    let root = root_of(&path);
    let failed = |e: std::io::Error| Error::io("write bundle", partial.display(), &e);
    let file = create(&partial).map_err(failed)?;
    let reserve = Reserve::take(&suffixed(&path, ".reserve"))?;
    let frames = Frames::begin(file, None).map_err(failed)?;
    let archive = Archive::new(Some(frames), &root, order.about.at);
    let limits = Limits { total, ..order.limits };
    let mut book = Book::new("");
    let previous = previous(&folder, &path);
    let filled = fill(archive, items, &Order { limits, ..order }, (redactor, &mut book));
    let (archive, mut manifest) = filled;
    manifest.previous = previous;
    let (files, ended) = archive.close().map_err(failed)?;
    let mut ended = ended.ok_or_else(|| failed(std::io::Error::other("nothing was written")))?;
    let whole = files.into_iter().filter(|(_, frame)| *frame < ended.frames);
    manifest.files = whole.map(|(record, _)| record).collect();
    if let Some(why) = &ended.refused {
        manifest.why_partial.push(format!("the disk took no more: {why}"));
        forget_lost(&mut manifest);
    }
    manifest.partial = !manifest.why_partial.is_empty();
    manifest.redactions =
        book.counts().iter().map(|(rule, count)| (rule.name().to_owned(), *count)).collect();
    // The end takes the space that was kept back for it.
    drop(reserve);
    let last = closing(&root, &manifest, redactor).map_err(failed)?;
    std::io::Write::write_all(&mut ended.file, &last)
        .and_then(|()| ended.file.sync_all())
        .map_err(failed)?;
    ended.hash.update(&last);
    let sha256 = Digest::of_hash(&ended.hash.finalize());
    settle(&partial, &path, &sha256)?;
    Ok(Made { path, sha256, bytes: ended.bytes + last.len() as u64, manifest })
}

/// What a bundle of `items` would hold, and what would be taken out of it; nothing is written.
pub fn preview(
    items: impl IntoIterator<Item = Item>,
    redactor: &Redactor,
    (limits, now, cancel): (Limits, &dyn Fn() -> Time, &dyn Fn() -> bool),
) -> Manifest {
    let mut book = Book::new("");
    let about = Manifest::begun(Trigger::Asked, now());
    let archive = Archive::new(None, "preview", about.at);
    let order = Order {
        folder: Path::new(""),
        file: None,
        about,
        limits,
        floor: Floor::default(),
        automatic: Automatic::No,
        now,
        cancel,
    };
    let (_, mut manifest) = fill(archive, items, &order, (redactor, &mut book));
    manifest.redactions =
        book.counts().iter().map(|(rule, count)| (rule.name().to_owned(), *count)).collect();
    manifest.partial = !manifest.why_partial.is_empty();
    manifest
}

/// Takes every item, then the list of what was taken out.
fn fill(
    mut archive: Archive,
    items: impl IntoIterator<Item = Item>,
    order: &Order<'_>,
    (redactor, book): (&Redactor, &mut Book),
) -> (Archive, Manifest) {
    let mut manifest = order.about.clone();
    let mut places: Vec<(String, Found)> = Vec::new();
    archive.put("README.txt", README.as_bytes());
    for item in items {
        let mut desk = Desk {
            redactor,
            book: &mut *book,
            limits: order.limits,
            now: order.now,
            places: &mut places,
            cancel: order.cancel,
        };
        let record = source::take(item, &mut archive, &mut desk);
        manifest.why_partial.extend(why(&record));
        manifest.sources.push(record);
    }
    let listed: Vec<serde_json::Value> = places
        .iter()
        .map(|(file, found)| {
            serde_json::json!({"rule": found.rule.name(), "file": file, "line": found.line,
                               "bytes": found.bytes})
        })
        .collect();
    let counts: BTreeMap<&str, u64> =
        book.counts().iter().map(|(rule, count)| (rule.name(), *count)).collect();
    let list = serde_json::json!({"counts": counts, "places": listed});
    archive.put("REDACTIONS.json", &pretty(&list));
    (archive, manifest)
}

fn why(record: &SourceRecord) -> Option<String> {
    let error = record.error.as_deref().unwrap_or("no reason");
    match record.state {
        SourceState::Ok | SourceState::Absent => None,
        SourceState::Partial | SourceState::Error | SourceState::Skipped => {
            Some(format!("{}: {}: {error}", record.path, record.state.word()))
        }
    }
}

/// Sources whose files the disk did not take any more.
fn forget_lost(manifest: &mut Manifest) {
    for source in &mut manifest.sources {
        let own = |record: &&FileRecord| {
            record.path.strip_prefix(source.path.as_str()).is_some_and(|rest| {
                rest.is_empty() || rest.strip_prefix('.').is_some_and(|n| n.len() >= 3)
            })
        };
        let there = u32::try_from(manifest.files.iter().filter(own).count()).unwrap_or(u32::MAX);
        if there < source.parts {
            source.state = if there == 0 { SourceState::Skipped } else { SourceState::Partial };
            source.error = Some("the disk took no more".to_owned());
            source.parts = there;
        }
    }
}

/// The frame with the sums and the manifest, and the end.
pub(super) fn closing(
    root: &str,
    manifest: &Manifest,
    redactor: &Redactor,
) -> std::io::Result<Vec<u8>> {
    let line = |file: &FileRecord| format!("{}  {}\n", file.sha256.0, file.path);
    let sums = manifest.files.iter().map(line).collect::<Vec<_>>().concat();
    let text = String::from_utf8_lossy(&pretty(manifest)).into_owned();
    // Words of people and of tools are in it, too.
    let text = redactor.text(&text, &mut Book::new(""));
    let files = [("SHA256SUMS", sums.as_bytes()), ("MANIFEST.json", text.as_bytes())];
    archive::last(root, &files, manifest.at)
}

fn pretty(value: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Gives a finished file its name and its sum beside it, surviving a power cut.
pub(super) fn settle(partial: &Path, path: &Path, sha256: &Digest) -> Result<(), Error> {
    let failed = |e: std::io::Error| Error::io("write bundle", path.display(), &e);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let sum = beside(path);
    let new = suffixed(&sum, ".new");
    fs::remove_file(&new).ok();
    let mut file = create(&new).map_err(failed)?;
    std::io::Write::write_all(&mut file, format!("{}  {name}\n", sha256.0).as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(partial, path))
        .and_then(|()| fs::rename(&new, &sum))
        .and_then(|()| File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all())
        .map_err(failed)
}

fn create(path: &Path) -> std::io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

/// Space for the end of a bundle on a disk that gets full meanwhile.
struct Reserve(PathBuf);

impl Reserve {
    const BYTES: usize = 1024 * 1024;

    fn take(path: &Path) -> Result<Self, Error> {
        let failed = |e: std::io::Error| Error::io("keep space for", path.display(), &e);
        fs::remove_file(path).ok();
        let mut file = create(path).map_err(failed)?;
        let reserve = Self(path.to_owned());
        std::io::Write::write_all(&mut file, &vec![1; Self::BYTES]).map_err(failed)?;
        Ok(reserve)
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

const README: &str = "\
This is an incident bundle of backout.

  tar --zstd -xf incident-….tar.zst     unpack it (GNU tar with zstd)
  sha256sum -c SHA256SUMS               hold every file against its sum, in the unpacked folder
  backout bundle verify FILE            the same without unpacking, and the manifest
  backout bundle show FILE [PATH]       what it holds, or one file of it

MANIFEST.json    what was kept, from where, how much, what is missing and why
REDACTIONS.json  what was taken out: rule, file, line, length; never the text
timeline.jsonl   the journal of the incident, one entry a line
report.md        where things stood
plan/            the plan that was approved, and its commands by hand
config/          the configuration in effect
checks/          the readings of every check
logs/            the log files; of a long one the first tenth and the last nine tenths
spool/           the lines as they were followed, also of files that are gone
preserved/       what was kept before the first step that destroys
state/           host and disks and processes

A source of more than 4 MiB is several files: PATH, PATH.001, PATH.002, …: cat PATH PATH.* joins them.
A secret reads \u{2039}redacted:RULE#N\u{203a}; the same N is the same secret within this bundle.
";
