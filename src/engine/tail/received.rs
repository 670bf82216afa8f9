//! Writes what containers said into the spool: on the tail's thread, which alone writes it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::journal::spool::{Limits, Mark, SourceWriter};
use crate::model::ids::Time;
use crate::redact::{Book, Redactor};

use super::containers::Piece;
use super::scrub::Scrub;

/// Pieces that are taken before the files have their turn.
const TURN: usize = 4096;

/// The other end of what follows containers.
pub(super) struct Received {
    pieces: mpsc::Receiver<Piece>,
    sources: BTreeMap<Arc<str>, One>,
    spool: PathBuf,
    limits: Limits,
    redactor: Arc<Redactor>,
    book: Rc<RefCell<Book>>,
    pinned: Option<Time>,
}

struct One {
    writer: SourceWriter,
    scrub: Scrub,
    /// The container and the time of the newest line; what is not noted on disk yet.
    mark: Option<Mark>,
    touched: bool,
    refused: bool,
}

impl Received {
    pub(super) fn new(
        pieces: mpsc::Receiver<Piece>,
        (spool, limits): (PathBuf, Limits),
        (redactor, book): (Arc<Redactor>, Rc<RefCell<Book>>),
    ) -> Self {
        Self { pieces, sources: BTreeMap::new(), spool, limits, redactor, book, pinned: None }
    }

    /// Takes what waits; whether there may be more at once. What came in between waits for the
    /// next turn: to write each line for itself costs more than all the rest.
    pub(super) fn turn(&mut self, clock: &Clock) -> bool {
        let mut taken = 0;
        while taken < TURN
            && let Ok(piece) = self.pieces.try_recv()
        {
            taken += 1;
            self.take(piece, clock);
        }
        for (source, one) in self.sources.iter_mut().filter(|(_, one)| one.touched) {
            one.touched = false;
            let flushed = one.writer.flush();
            one.said(source, flushed);
            if let Some(mark) = one.mark.take()
                && let Err(error) = one.writer.set_mark(mark)
            {
                tracing::warn!("could not note how far {source} was read: {error}");
            }
        }
        taken == TURN
    }

    fn take(&mut self, piece: Piece, clock: &Clock) {
        match piece {
            Piece::Open { source, left } => {
                self.open(&source);
                let mark = self.sources.get(&source).and_then(|one| one.writer.mark());
                let place = mark.map(|mark| {
                    let nanos = i64::try_from(mark.at).unwrap_or(i64::MAX);
                    (mark.id.0, chrono::DateTime::from_timestamp_nanos(nanos))
                });
                left.send(place).ok();
            }
            Piece::Line { source, container, at, text } => {
                let Some(one) = self.sources.get_mut(&source) else { return };
                let (scrub, writer) = (&mut one.scrub, &mut one.writer);
                let fed = scrub.take(at, &text, |at, lines| writer.feed(at, lines));
                one.said(&source, fed);
                let nanos = at.timestamp_nanos_opt().and_then(|at| u64::try_from(at).ok());
                // A line that has not ended is read again by the next engine.
                if one.scrub.unended() == 0
                    && let Some(at) = nanos
                {
                    one.mark = Some(Mark { id: (container, 0), at });
                }
                one.touched = true;
            }
            Piece::Gap { source, why } => {
                let Some(one) = self.sources.get_mut(&source) else { return };
                let (scrub, writer) = (&mut one.scrub, &mut one.writer);
                let fed = scrub.end(|at, lines| writer.feed(at, lines));
                let noted = fed
                    .and_then(|()| one.writer.end_line())
                    .and_then(|()| one.writer.gap(clock.now(), &why));
                one.said(&source, noted);
                one.touched = true;
            }
        }
    }

    fn open(&mut self, source: &Arc<str>) {
        if self.sources.contains_key(source) {
            return;
        }
        match SourceWriter::open(&self.spool, source, self.limits.clone()) {
            Ok(writer) => {
                let scrub = Scrub::new(Arc::clone(&self.redactor), Rc::clone(&self.book));
                let mut one = One { writer, scrub, mark: None, touched: false, refused: false };
                one.pin(source, self.pinned);
                self.sources.insert(Arc::clone(source), one);
            }
            Err(error) => tracing::error!("could not open the spool of {source}: {error}"),
        }
    }

    /// Keeps everything from a moment on, or no longer.
    pub(super) fn pin(&mut self, from: Option<Time>) {
        self.pinned = from;
        for (source, one) in &mut self.sources {
            one.pin(source, from);
        }
    }

    pub(super) fn writers(&mut self) -> impl Iterator<Item = &mut SourceWriter> {
        self.sources.values_mut().map(|one| &mut one.writer)
    }

    /// Lines lost before disk, per source.
    pub(super) fn lost(&self) -> impl Iterator<Item = (String, u64)> {
        let lost = self.sources.iter().map(|(source, one)| (source.to_string(), one.writer.lost()));
        lost.filter(|(_, lost)| *lost > 0)
    }
}

impl One {
    fn pin(&mut self, source: &str, from: Option<Time>) {
        let done = match from {
            Some(from) => self.writer.pin(from),
            None => self.writer.unpin(),
        };
        if let Err(error) = done {
            tracing::error!("could not keep the log of {source}: {error}");
        }
    }

    /// A disk that refuses is said once until it takes again.
    fn said(&mut self, source: &str, done: Result<(), crate::journal::Error>) {
        match done {
            Ok(()) => self.refused = false,
            Err(error) => {
                if !std::mem::replace(&mut self.refused, true) {
                    tracing::error!("could not write the spool of {source}: {error}");
                }
            }
        }
    }
}
