//! Follows log files and containers into the spool, on a thread of its own: however much is written, the engine
//! does not wait for it. What it could not read is a line that says so.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::{ContainerLogs, LogSource, PodLogs};
use crate::journal::spool::{Limits, Mark, SourceWriter, share};
use crate::model::ids::Time;
use crate::redact::{Book, Redactor};

use self::containers::Piece;
use self::received::Received;
use self::scrub::Scrub;

/// Between looks at files that had nothing new.
const LOOK: Duration = Duration::from_millis(100);
/// The most that is read of one file before the others have their turn.
const TURN: usize = 1024 * 1024;
/// Between looks at the space of a full disk.
const FULL: Duration = Duration::from_millis(500);
/// What is read of a file that is followed for the first time: what led here.
const BEFORE: u64 = 64 * 1024;
/// What is read at most of what was written while nobody followed.
const MISSED: u64 = 256 * 1024 * 1024;
/// Lines from so long before an incident are kept with it.
const PINNED: Duration = Duration::from_mins(30);

/// The thread's other end. It ends when this is dropped.
#[derive(Debug)]
pub struct Tail {
    incident: watch::Sender<Option<Time>>,
    lost: watch::Receiver<BTreeMap<String, u64>>,
    _stop: SyncSender<()>,
}

impl Tail {
    /// Follows `files`, `containers` and `pods` into `spool`, and waits while `short` says that the disk is
    /// full.
    pub fn start(
        spool: PathBuf,
        (files, containers, pods): (Vec<LogSource>, Option<ContainerLogs>, Option<PodLogs>),
        redactor: Arc<Redactor>,
        short: watch::Receiver<bool>,
        clock: Clock,
    ) -> Self {
        let (incident, opened) = watch::channel(None);
        let (losing, lost) = watch::channel(BTreeMap::new());
        let (stop, stopped) = sync_channel(0);
        let ends = Ends { opened, losing, stopped, short };
        // A platform has containers or pods, never both.
        let pieces = containers.map(|logs| containers::start(logs, clock.clone()));
        let pieces = pieces.or_else(|| pods.map(|logs| pods::start(logs, clock.clone())));
        let followed = move || follow(&spool, (files, pieces), &redactor, &clock, &ends);
        let thread = std::thread::Builder::new().name("tail".to_owned()).spawn(followed);
        if let Err(why) = thread {
            tracing::error!("could not follow any log: {why}");
        }
        Self { incident, lost, _stop: stop }
    }

    /// Says since when an incident is open: what led to it is kept with it.
    pub fn incident(&self, opened: Option<Time>) {
        self.incident.send_if_modified(|held| std::mem::replace(held, opened) != opened);
    }

    /// Lines lost before disk, per source.
    pub fn lost(&self) -> BTreeMap<String, u64> {
        self.lost.borrow().clone()
    }
}

/// Where what containers said comes from.
type Receiving = tokio::sync::mpsc::Receiver<Piece>;

/// The thread's own ends.
struct Ends {
    opened: watch::Receiver<Option<Time>>,
    losing: watch::Sender<BTreeMap<String, u64>>,
    stopped: Receiver<()>,
    /// Whether the disk is full.
    short: watch::Receiver<bool>,
}

struct Followed {
    source: LogSource,
    writer: SourceWriter,
    file: Option<Opened>,
    at: u64,
    missing: bool,
    /// Whether the disk has refused lines, which is said once.
    refused: bool,
    scrub: Scrub,
}

struct Opened {
    file: File,
    id: (u64, u64),
}

fn follow(
    spool: &Path,
    (sources, pieces): (Vec<LogSource>, Option<Receiving>),
    redactor: &Arc<Redactor>,
    clock: &Clock,
    Ends { opened, losing, stopped, short }: &Ends,
) {
    let limits = Limits::default();
    // One book for all sources: the same secret has the same number in each.
    let book = Rc::new(RefCell::new(Book::new("s")));
    let mut followed: Vec<Followed> = Vec::new();
    for source in sources {
        match SourceWriter::open(spool, &source.source, limits.clone()) {
            Ok(writer) => {
                let scrub = Scrub::new(Arc::clone(redactor), Rc::clone(&book));
                followed.push(Followed { scrub, ..Followed::new(source, writer) });
            }
            Err(error) => tracing::error!("could not open the spool of {}: {error}", source.source),
        }
    }
    let mut received = pieces.map(|pieces| {
        let (place, clean) = (spool.to_owned(), (Arc::clone(redactor), Rc::clone(&book)));
        Received::new(pieces, (place, limits.clone()), clean)
    });
    let mut buffer = vec![0; TURN];
    let mut pinned = None;
    loop {
        // While the disk is full the lines stay in the files they come from.
        if *short.borrow() {
            match stopped.recv_timeout(FULL) {
                Err(RecvTimeoutError::Timeout) => continue,
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        let incident = *opened.borrow();
        if incident != pinned {
            pinned = incident;
            for one in &mut followed {
                one.pin(pinned);
            }
            if let Some(received) = &mut received {
                received.pin(pinned.map(|opened| opened - PINNED));
            }
        }
        let mut busy = false;
        for one in &mut followed {
            busy |= one.turn(&mut buffer, clock);
        }
        if let Some(received) = &mut received {
            busy |= received.turn(clock);
        }
        let mut writers: Vec<&mut SourceWriter> =
            followed.iter_mut().map(|one| &mut one.writer).collect();
        writers.extend(received.iter_mut().flat_map(Received::writers));
        if let Err(error) = share::keep_within(spool, &mut writers, &limits) {
            tracing::error!("could not give up old log lines: {error}");
        }
        let lost = followed.iter().filter(|one| one.writer.lost() > 0);
        let lost = lost.map(|one| (one.source.source.clone(), one.writer.lost()));
        let lost: BTreeMap<String, u64> =
            lost.chain(received.iter().flat_map(Received::lost)).collect();
        losing.send_if_modified(|held| {
            let other = *held != lost;
            *held = lost;
            other
        });
        // A busy file has its next turn at once, after everyone else.
        let wait = if busy { Duration::ZERO } else { LOOK };
        match stopped.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Followed {
    fn new(source: LogSource, writer: SourceWriter) -> Self {
        let scrub = Scrub::new(Arc::default(), Rc::new(RefCell::new(Book::new("s"))));
        Self { source, writer, file: None, at: 0, missing: false, refused: false, scrub }
    }

    /// Reads what is new; whether there may be more at once.
    fn turn(&mut self, buffer: &mut [u8], clock: &Clock) -> bool {
        let now = clock.now();
        let meta = std::fs::metadata(&self.source.path).ok();
        let id = meta.as_ref().map(|meta| (meta.dev(), meta.ino()));
        let moved = self.file.as_ref().is_some_and(|file| id != Some(file.id));
        if self.file.is_some() {
            let busy = self.read(buffer, now);
            // What was written to the old file before it went away comes first.
            if busy || !moved {
                return busy;
            }
            self.end_line();
            self.file = None;
            if meta.is_some() {
                self.note(now, "the file was rotated: a new one begins here");
            }
        }
        let (Some(meta), Some(id)) = (meta, id) else {
            if !std::mem::replace(&mut self.missing, true) {
                self.note(now, "the file is not there");
                self.flush();
            }
            return false;
        };
        if self.open(meta.len(), id, moved || self.missing, now) {
            self.missing = false;
            return self.read(buffer, now);
        }
        false
    }

    /// Opens the file where reading it ended last, by this engine or the one before.
    fn open(&mut self, length: u64, id: (u64, u64), new: bool, now: Time) -> bool {
        let Ok(mut file) = File::open(&self.source.path) else { return false };
        // A file that came after one that went may have its number: it is another all the same.
        let known = self.writer.mark().filter(|_| !new);
        let known = known.filter(|mark| mark.id == id && mark.at <= length);
        self.at = match known {
            Some(mark) if length - mark.at > MISSED => {
                let skipped = length - mark.at - MISSED;
                self.note(now, &format!("{skipped} bytes were written while nobody followed"));
                length - MISSED
            }
            Some(mark) => mark.at,
            None if new => 0,
            None => line_after(&mut file, length.saturating_sub(BEFORE)),
        };
        if file.seek(SeekFrom::Start(self.at)).is_err() {
            return false;
        }
        self.file = Some(Opened { file, id });
        true
    }

    fn read(&mut self, buffer: &mut [u8], now: Time) -> bool {
        let Some(Opened { file, id }) = &mut self.file else { return false };
        let id = *id;
        let length = file.metadata().map_or(self.at, |meta| meta.len());
        if length < self.at {
            self.at = 0;
            let begun = file.seek(SeekFrom::Start(0));
            self.end_line();
            self.note(now, "the file was truncated");
            if begun.is_err() {
                return false;
            }
        }
        let Some(Opened { file, .. }) = &mut self.file else { return false };
        let read = match file.read(buffer) {
            Ok(read) => read,
            Err(error) => {
                self.note(now, &format!("could not read: {error}"));
                self.file = None;
                return false;
            }
        };
        if read == 0 {
            return false;
        }
        self.at += read as u64;
        let (scrub, writer) = (&mut self.scrub, &mut self.writer);
        let bytes = buffer.get(..read).unwrap_or_default();
        let fed = scrub.take(now, bytes, |at, lines| writer.feed(at, lines));
        self.said(&fed);
        self.flush();
        // A line of which only the beginning was read is read again by the next engine.
        let at = self.at.saturating_sub(self.writer.unended() + self.scrub.unended());
        if let Err(error) = self.writer.set_mark(Mark { id, at }) {
            tracing::warn!("could not note how far {} was read: {error}", self.source.source);
        }
        read == buffer.len()
    }

    fn pin(&mut self, opened: Option<Time>) {
        let done = match opened {
            Some(opened) => self.writer.pin(opened - PINNED),
            None => self.writer.unpin(),
        };
        if let Err(error) = done {
            tracing::error!("could not keep the log of {}: {error}", self.source.source);
        }
    }

    fn end_line(&mut self) {
        let (scrub, writer) = (&mut self.scrub, &mut self.writer);
        let fed = scrub.end(|at, lines| writer.feed(at, lines));
        let ended = fed.and_then(|()| self.writer.end_line());
        self.said(&ended);
    }

    fn flush(&mut self) {
        let flushed = self.writer.flush();
        self.said(&flushed);
    }

    fn note(&mut self, now: Time, why: &str) {
        let noted = self.writer.gap(now, why);
        self.said(&noted);
    }

    /// A disk that refuses is said once until it takes again; the lines that it costs are counted.
    fn said(&mut self, done: &Result<(), crate::journal::Error>) {
        match done {
            Ok(()) => self.refused = false,
            Err(error) if !self.refused => {
                self.refused = true;
                tracing::error!("could not write the spool of {}: {error}", self.source.source);
            }
            Err(_) => {}
        }
    }
}

/// The first line that begins after `at`.
fn line_after(file: &mut File, at: u64) -> u64 {
    if at == 0 || file.seek(SeekFrom::Start(at - 1)).is_err() {
        return 0;
    }
    let mut bytes = Vec::new();
    let read = Read::by_ref(file).take(BEFORE).read_to_end(&mut bytes);
    match read.ok().and_then(|_| bytes.iter().position(|byte| *byte == b'\n')) {
        Some(newline) => at + newline as u64,
        None => at,
    }
}

mod containers;
mod place;
mod pods;
mod received;
mod scrub;

#[cfg(test)]
mod tests;
