//! Unpacks an archive into a fresh folder: all of it, each file held against its digest while it is
//! written, or nothing.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use flate2::bufread::GzDecoder;
use rustix::fs::{Mode, OFlags};

use super::scan::Bounded;
use super::stream::Stream;
use super::write::{Writer, finish};
use super::{Damage, Limits, No, Scanned, Seen, Wrong, walk};
use crate::adapters::database::Told;
use crate::adapters::{Error, Kind};
use crate::evidence::manifest::{FileFacts, Manifest};

/// How many parts are unpacked side by side.
const HANDS: usize = 2;

/// What an archive must hold, by its manifest.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Every file and link; no more and no fewer.
    pub entries: &'a BTreeMap<String, FileFacts>,
    /// The lengths of its parts; none when it is one stream.
    pub parts: &'a [u64],
}

impl<'a> Expected<'a> {
    /// What `manifest` says.
    pub fn of(manifest: &'a Manifest) -> Self {
        Self { entries: &manifest.entries, parts: &manifest.parts }
    }
}

/// What is to be unpacked, and where.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The archive, opened to be read; its position does not matter and is not moved.
    pub archive: &'a File,
    /// What it is called in messages: `data.tar.gz`.
    pub name: &'a str,
    /// The folder to make: it must not be there.
    pub into: &'a Path,
    /// What it must hold; without it every entry that is no violation is taken.
    pub expected: Option<Expected<'a>>,
    /// What it may hold at most.
    pub limits: Limits,
    /// Whether all of it is on the disk when this returns.
    pub sync: bool,
}

/// Why an archive was not unpacked. Nothing is left of it in either case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not what it should be; everything that is wrong is listed.
    Damaged(Vec<Damage>),
    /// Our own side failed: no space, no permission.
    Failed(Error),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Failed(error) => error,
            Refusal::Damaged(damage) => {
                let all = crate::evidence::points::words(&damage);
                Self::new(Kind::Rejected, format!("could not unpack: {all}"))
            }
        }
    }
}

/// Unpacks `job.archive` into the fresh folder `job.into`. `told` gets packed bytes done of all.
///
/// Either every entry is there, each with the digest that was expected, or the folder is removed
/// and everything wrong is returned. Modes keep their nine permission bits only.
pub fn unpack(job: &Job<'_>, told: Told<'_>) -> Result<Scanned, Refusal> {
    let io = |e: io::Error| Refusal::Failed(Error::io("make folder", job.into.display(), &e));
    DirBuilder::new().mode(0o700).create(job.into).map_err(io)?;
    let done = opened(job).map_err(Refusal::Failed).and_then(|root| fill(job, &root, told));
    if done.is_err() {
        // What is half unpacked is worse than nothing: it looks like data.
        fs::remove_dir_all(job.into).ok();
    }
    done
}

fn opened(job: &Job<'_>) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(job.into, flags, Mode::empty())
        .map_err(|e| Error::io("open", job.into.display(), &e.into()))
}

fn fill(job: &Job<'_>, root: &OwnedFd, told: Told<'_>) -> Result<Scanned, Refusal> {
    let packed = job.archive.metadata().map_err(|e| io_failed(job, &e))?.len();
    told(0, packed);
    let parts = job.expected.map_or(&[][..], |expected| expected.parts);
    let mut total = Total::default();
    if parts.is_empty() {
        one_stream(job, root, packed, told, &mut total)?;
    } else {
        in_parts(job, root, (parts, packed), told, &mut total)?;
    }
    if let Some(expected) = job.expected.filter(|_| total.wrong.is_empty()) {
        let missing = expected.entries.keys().filter(|path| !total.entries.contains_key(*path));
        for path in missing {
            total.wrong.add(path, "is missing");
        }
    }
    if total.wrong.is_empty() {
        match finish(root, &total.links, &mut total.folders) {
            Ok(()) => {}
            Err((path, No::Wrong(why))) => total.wrong.add(&path, why),
            Err((_, No::Failed(error))) => return Err(Refusal::Failed(error)),
        }
    }
    if !total.wrong.is_empty() {
        return Err(Refusal::Damaged(total.wrong.damage(job.name)));
    }
    if job.sync {
        rustix::fs::syncfs(root).map_err(|e| io_failed(job, &e.into()))?;
    }
    Ok(Scanned { entries: total.entries, bytes: total.bytes })
}

fn io_failed(job: &Job<'_>, error: &io::Error) -> Refusal {
    Refusal::Failed(Error::io("unpack", job.name, error))
}

/// What all hands did together.
#[derive(Default)]
struct Total {
    entries: BTreeMap<String, FileFacts>,
    bytes: u64,
    folders: Vec<super::Entry>,
    links: Vec<(String, String)>,
    wrong: Wrong,
}

impl Total {
    fn take(&mut self, writer: Writer<'_>, wrong: Wrong) {
        for (path, facts) in writer.entries {
            if let Some(before) = self.entries.insert(path.clone(), facts) {
                self.wrong.add(&path, format!("is there twice, first of {} bytes", before.bytes));
            }
        }
        self.bytes += writer.bytes;
        self.folders.extend(writer.folders);
        self.links.extend(writer.links);
        self.wrong.extend(wrong);
    }
}

fn one_stream(
    job: &Job<'_>,
    root: &OwnedFd,
    packed: u64,
    told: Told<'_>,
    total: &mut Total,
) -> Result<(), Refusal> {
    let read = AtomicU64::new(0);
    let section = Section { file: job.archive, at: 0, end: packed, read: &read, all: packed, told };
    let mut writer = Writer::new(root, job.expected.map(|expected| expected.entries));
    let (mut seen, mut wrong) = (Seen::default(), Wrong::default());
    let walked = std::thread::scope(|scope| {
        let mut plain = Bounded::new(Stream::begin(scope, section), packed, job.limits);
        walk(&mut plain, job.limits, true, &mut writer, (&mut seen, &mut wrong))
    });
    walked.map_err(Refusal::Failed)?;
    total.take(writer, wrong);
    Ok(())
}

/// Each part is a stream of its own that begins and ends between two entries.
fn in_parts(
    job: &Job<'_>,
    root: &OwnedFd,
    (parts, packed): (&[u64], u64),
    told: Told<'_>,
    total: &mut Total,
) -> Result<(), Refusal> {
    let mut sections = Vec::with_capacity(parts.len());
    let mut end = 0_u64;
    for length in parts {
        let at = end;
        end = end.saturating_add(*length);
        sections.push((at, end));
    }
    if end != packed {
        let why = format!("has {packed} bytes, its parts come to {end}");
        return Err(Refusal::Damaged(vec![Damage::new(job.name, &why)]));
    }
    let (read, next, stop) = (AtomicU64::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let all = Mutex::new((total, None));
    std::thread::scope(|scope| {
        for _ in 0..HANDS {
            scope.spawn(|| {
                let mut writer = Writer::new(root, job.expected.map(|e| e.entries));
                let (mut seen, mut wrong) = (Seen::default(), Wrong::default());
                let mut failed = None;
                while failed.is_none() && stop.load(Ordering::Relaxed) == 0 {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some((at, end)) = sections.get(number).copied() else { break };
                    let section =
                        Section { file: job.archive, at, end, read: &read, all: packed, told };
                    let last = number + 1 == sections.len();
                    let part = Part { section, last, limits: job.limits };
                    failed = part.walk(&mut writer, &mut seen, &mut wrong).err();
                }
                if failed.is_some() {
                    stop.store(1, Ordering::Relaxed);
                }
                if let Ok(mut all) = all.lock() {
                    all.0.take(writer, wrong);
                    all.1 = all.1.take().or(failed);
                }
            });
        }
    });
    match all.into_inner() {
        Ok((_, None)) => Ok(()),
        Ok((_, Some(error))) => Err(Refusal::Failed(error)),
        Err(_) => Err(Refusal::Failed(Error::new(Kind::Local, "could not unpack: a thread died"))),
    }
}

struct Part<'a> {
    section: Section<'a>,
    last: bool,
    limits: Limits,
}

impl Part<'_> {
    fn walk(
        self,
        writer: &mut Writer<'_>,
        seen: &mut Seen,
        wrong: &mut Wrong,
    ) -> Result<(), Error> {
        let packed = self.section.end - self.section.at;
        let plain = GzDecoder::new(io::BufReader::with_capacity(256 * 1024, self.section));
        let mut plain = Bounded::new(plain, packed, self.limits);
        walk(&mut plain, self.limits, self.last, writer, (seen, wrong))?;
        // The checksum of the stream is looked at when its end is read.
        let mut rest = [0; 1];
        match plain.read(&mut rest) {
            Ok(0) => {}
            Ok(_) => wrong.add("", "a part has more than its entries"),
            Err(e) if wrong.is_empty() => wrong.add("", format!("could not be read: {e}")),
            Err(_) => {}
        }
        let mut packed = plain.into_inner().into_inner();
        match packed.read(&mut rest) {
            Ok(0) => {}
            Ok(_) => wrong.add("", "a part has more than one stream"),
            Err(e) => wrong.add("", format!("could not be read: {e}")),
        }
        Ok(())
    }
}

/// A part of a file, read without moving the file's position.
struct Section<'a> {
    file: &'a File,
    at: u64,
    end: u64,
    read: &'a AtomicU64,
    all: u64,
    told: Told<'a>,
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        let count = self.file.read_at(buffer.get_mut(..most).unwrap_or_default(), self.at)?;
        self.at += count as u64;
        let done = self.read.fetch_add(count as u64, Ordering::Relaxed) + count as u64;
        (self.told)(done, self.all);
        Ok(count)
    }
}
