//! The engine's books: the journal's writer, the fold that goes with it, and who to tell.

use std::time::Duration;

use crate::clock::Clock;
use crate::journal::{BATCH_LIMIT, Draft, Error, Writer};
use crate::model::entry::{Author, Body, Command, Entry, Event};
use crate::model::ids::{CommandId, IncidentId};
use crate::model::situation::Situation;

/// A reader goes back this many entries at most.
const CARRY_EVERY: u64 = 5_000;

/// How long a server that is away is waited for at the end: its lease runs out by itself.
const LAST_WORD: Duration = Duration::from_secs(3);

/// The journal and its fold, always in step: nothing is folded that is not on disk.
pub struct Books {
    writer: Writer,
    clock: Clock,
    engine: Author,
    /// The fold.
    pub situation: Situation,
    carried_at: u64,
    scrub: Option<super::scrub::Scrub>,
}

/// Something to write down.
#[derive(Debug)]
pub enum Line {
    /// A command, by whom.
    Command(Author, CommandId, Command),
    /// An event, by the engine.
    Event(Event),
}

impl From<Event> for Line {
    fn from(event: Event) -> Self {
        Self::Event(event)
    }
}

impl Books {
    /// Books over a writer whose journal folds to `situation`.
    pub fn new(writer: Writer, situation: Situation, clock: Clock, engine: Author) -> Self {
        let carried_at = situation.seq;
        Self { writer, clock, engine, situation, carried_at, scrub: None }
    }

    /// Keeps secrets out of what is written from now on.
    pub fn redact(&mut self, redactor: std::sync::Arc<crate::redact::Redactor>) {
        self.scrub = Some(super::scrub::Scrub::new(redactor));
    }

    /// Writes all lines with one sync, then folds them; more than one append takes, which only what
    /// was seen of hundreds of checks is, as one append after the other.
    pub async fn write(&mut self, lines: Vec<Line>) -> Result<Vec<Entry>, Error> {
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let mut opened = false;
        let mut drafts: Vec<Draft> = Vec::with_capacity(lines.len());
        for line in lines {
            opened |= matches!(&line, Line::Event(Event::IncidentOpened { .. }));
            drafts.push(self.draft(line));
        }
        let mut entries = Vec::with_capacity(drafts.len());
        let mut drafts = drafts.into_iter();
        while !drafts.as_slice().is_empty() {
            entries.extend(self.append(drafts.by_ref().take(BATCH_LIMIT).collect()).await?);
        }
        if opened || self.situation.seq - self.carried_at >= CARRY_EVERY {
            let situation = Box::new(self.situation.clone());
            let carried = self.draft(Line::Event(Event::Carried { situation }));
            self.append(vec![carried]).await?;
            self.carried_at = self.situation.seq;
        }
        Ok(entries)
    }

    /// How many bytes the journal still keeps back for a full disk.
    pub fn ballast_left(&self) -> u64 {
        self.writer.ballast_left()
    }

    /// Keeps them back again where there is room; whether they are whole.
    pub fn mend_ballast(&mut self) -> bool {
        self.writer.mend_ballast()
    }

    /// Says that this engine is still there, where the lease is on a server.
    pub async fn renew(&mut self) -> Result<(), Error> {
        self.writer.renew().await
    }

    /// Writes the last line; a journal that is away is waited for, for a while.
    pub async fn last(&mut self, line: Line) -> Result<Vec<Entry>, Error> {
        self.writer.wait_for(LAST_WORD);
        self.write(vec![line]).await
    }

    /// Leaves the journal so that everyone can read it.
    pub async fn close(self) -> Result<(), Error> {
        self.writer.close().await
    }

    async fn append(&mut self, drafts: Vec<Draft>) -> Result<Vec<Entry>, Error> {
        let entries = self.writer.append(drafts).await?;
        for entry in &entries {
            self.situation.apply(entry);
        }
        Ok(entries)
    }

    fn draft(&mut self, line: Line) -> Draft {
        let (author, body) = match line {
            Line::Command(author, id, command) => (author, Body::Command(id, command)),
            Line::Event(event) => (self.engine.clone(), Body::Event(Box::new(event))),
        };
        let body = match &mut self.scrub {
            Some(scrub) => scrub.body(body),
            None => body,
        };
        Draft { incident: self.incident(&body), at: self.clock.now(), author, body }
    }

    fn incident(&self, body: &Body) -> Option<IncidentId> {
        if let Body::Event(event) = body
            && let Event::IncidentOpened { incident, .. } = event.as_ref()
        {
            return Some(*incident);
        }
        self.situation.incident.as_ref().map(|incident| incident.id)
    }
}
