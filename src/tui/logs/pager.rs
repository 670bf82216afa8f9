//! What is shown of a store: the end of it as it grows, or a place that is held. Knows no files
//! and no keys; not a thread either.

use std::collections::{BTreeSet, VecDeque};

use crate::journal::Error;
use crate::journal::spool::{Find, LogLine, LogSeverity, Page, Place, Position, Query};
use crate::model::ids::Time;
use crate::tui::words;

use super::ask::{Ask, Choice, Since};
use super::store::Store;

/// The most lines a second that are drawn while more come.
const PER_SECOND: f64 = 60.0;
/// Pages held around a place.
const PAGES: usize = 8;
/// Bytes read for one page before others have their turn.
const SLICE: u64 = 8 << 20;

/// Lines that came, exactly: `came` is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub came: u64,
    /// Shown, folded ones too.
    pub shown: u64,
    /// Left out by the choice of lines, or because the page is held.
    pub hidden: u64,
    /// Left out because more came than anyone reads.
    pub sampled: u64,
}

/// Where the page is.
#[derive(Debug)]
enum Mode {
    /// At the end, which grows.
    Follow {
        tail: VecDeque<LogLine>,
        /// Where the tail begins, while lines before it may still be fetched.
        above: Option<Position>,
        /// Whether lines are missing between those of the tail.
        sampling: bool,
    },
    /// At a place that stands.
    Held { pages: VecDeque<Page>, cursor: usize },
}

/// A search for the next place.
#[derive(Debug)]
struct Hunt {
    from: Position,
    backward: bool,
    wrapped: bool,
}

/// Rates over the last second or more.
#[derive(Debug, Default)]
struct Rates {
    at: Option<Time>,
    counts: Counts,
    came: f64,
    shown: f64,
    hidden: f64,
    one_of: u64,
}

/// A view over a store.
#[derive(Debug)]
pub struct Pager<S> {
    store: S,
    choice: Choice,
    query: Query,
    rows: usize,
    end: Position,
    mode: Mode,
    behind: u64,
    find: Option<(String, Find)>,
    hunt: Option<Hunt>,
    /// Where the search began: each letter that is typed begins there again.
    begun: Option<Position>,
    said: Option<String>,
    counts: Counts,
    rates: Rates,
    credit: f64,
    credited: Option<Time>,
    marks: BTreeSet<(String, u64)>,
    loud: bool,
}

impl<S: Store> Pager<S> {
    /// A pager at the end of a store.
    pub fn new(store: S, rows: usize, choice: Choice, now: Time) -> Result<Self, Error> {
        let mut pager = Self {
            store,
            query: Query::default(),
            choice: Choice::default(),
            rows,
            end: Position::default(),
            mode: Mode::Follow { tail: VecDeque::new(), above: None, sampling: false },
            behind: 0,
            find: None,
            hunt: None,
            begun: None,
            said: None,
            counts: Counts::default(),
            rates: Rates::default(),
            credit: 0.0,
            credited: None,
            marks: BTreeSet::new(),
            loud: true,
        };
        pager.store.refresh()?;
        pager.end = pager.store.end()?;
        pager.choose(choice, now)?;
        Ok(pager)
    }

    /// The store.
    pub fn store(&mut self) -> &mut S {
        &mut self.store
    }

    /// What came, and what became of it.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether an error or a warning was among what came last, or what is shown changed at all
    /// because it was asked to: such a page is not kept waiting.
    pub fn is_loud(&mut self) -> bool {
        std::mem::take(&mut self.loud)
    }

    /// Whether there is work that needs no news: a search, or lines still to be fetched.
    pub fn is_busy(&self) -> bool {
        let fetches = match &self.mode {
            Mode::Follow { tail, above, .. } => above.is_some() && tail.len() < self.rows,
            Mode::Held { .. } => false,
        };
        fetches || self.hunt.is_some()
    }

    /// Whether lines are missing between those that are shown.
    pub fn is_sampling(&self) -> bool {
        matches!(self.mode, Mode::Follow { sampling: true, .. })
    }

    /// Does what was asked.
    pub fn ask(&mut self, ask: Ask, now: Time) -> Result<(), Error> {
        self.loud = true;
        match ask {
            Ask::Rows(rows) => {
                self.rows = rows.clamp(1, 500);
                if let Mode::Follow { sampling: false, .. } = self.mode {
                    self.follow()?;
                }
            }
            Ask::Choose(choice) => self.choose(choice, now)?,
            Ask::Move(by) => self.step(by)?,
            Ask::Top => {
                let page = self.store.page(&self.asked(Place::After(Position::default())))?;
                self.mode = Mode::Held { pages: VecDeque::from([page]), cursor: 0 };
            }
            Ask::Follow => {
                self.behind = 0;
                self.follow()?;
            }
            Ask::Hold => self.hold()?,
            Ask::Find(word) => self.find(word)?,
            Ask::Step(backward) => self.seek_from_here(backward)?,
            Ask::Mark => {
                if let Some((source, number)) = self.selected() {
                    let mark = (source, number);
                    if !self.marks.remove(&mark) {
                        self.marks.insert(mark);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes what came; whether anything did.
    pub fn look(&mut self, now: Time) -> Result<bool, Error> {
        self.store.refresh()?;
        let held = matches!(self.mode, Mode::Held { .. });
        let room = if held { 0 } else { self.room(now) };
        let fresh = self.store.fresh(&self.query, &mut self.end, room, now)?;
        let shown = fresh.shown();
        self.counts.came += fresh.came;
        let moved = fresh.came > 0 || !fresh.lines.is_empty();
        if held {
            // Held is hidden: nothing of it reaches the screen.
            self.counts.hidden += fresh.came;
            self.behind += fresh.came - fresh.hidden;
            self.rate(now);
            return Ok(moved);
        }
        self.counts.shown += shown;
        self.counts.hidden += fresh.hidden;
        self.counts.sampled += fresh.sampled;
        #[expect(clippy::cast_precision_loss, reason = "a page has few rows")]
        let spent = fresh.lines.len() as f64;
        self.credit -= spent;
        self.loud |= fresh.lines.iter().any(|line| line.gap || line.severity >= LogSeverity::Warn);
        self.rate(now);
        let Mode::Follow { tail, above, sampling } = &mut self.mode else { return Ok(moved) };
        if !moved && !fresh.more && *sampling {
            // It is quiet again: what was left out can be shown.
            self.follow()?;
            self.loud = true;
            return Ok(true);
        }
        *sampling |= fresh.sampled > 0;
        if *sampling {
            *above = None;
        }
        for line in fresh.lines {
            add(tail, line);
        }
        while tail.len() > self.rows {
            tail.pop_front();
            *above = None;
        }
        Ok(moved)
    }

    /// Goes on with what is unfinished; whether what is shown changed.
    pub fn work(&mut self) -> Result<bool, Error> {
        if let Mode::Follow { tail, above, .. } = &mut self.mode
            && tail.len() < self.rows
            && let Some(from) = above.take()
        {
            let rows = self.rows - tail.len();
            let place = Place::Before(from);
            let query = Query { place, rows, budget: SLICE, ..self.query.clone() };
            let page = self.store.page(&query)?;
            for line in page.lines.into_iter().rev() {
                tail.push_front(line);
            }
            *above = page.more_above.then_some(page.start);
            return Ok(true);
        }
        self.hunt()
    }

    fn selected(&self) -> Option<(String, u64)> {
        let line = match &self.mode {
            Mode::Follow { tail, .. } => tail.back()?,
            Mode::Held { pages, cursor } => {
                pages.iter().flat_map(|page| &page.lines).nth(*cursor)?
            }
        };
        Some((line.source.clone(), line.number))
    }

    fn asked(&self, place: Place) -> Query {
        Query { place, rows: self.rows, budget: SLICE, ..self.query.clone() }
    }

    /// Rows that may be drawn now: none are saved up beyond a screenful, and one is always free.
    fn room(&mut self, now: Time) -> usize {
        #[expect(clippy::cast_precision_loss, reason = "a page has few rows")]
        let most = self.rows as f64;
        let age = self.credited.replace(now).map(|before| words::since(before, now).as_secs_f64());
        self.credit = age.map_or(most, |age| (self.credit + age * PER_SECOND).min(most));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and the rows of a page"
        )]
        let room = self.credit.clamp(1.0, most) as usize;
        room
    }

    fn choose(&mut self, choice: Choice, now: Time) -> Result<(), Error> {
        match choice.query(&self.store.sources(), now) {
            Ok(query) => self.query = query,
            Err(why) => {
                self.said = Some(why);
                return Ok(());
            }
        }
        let head = choice.since == Since::Head && self.choice.since != Since::Head;
        self.choice = choice;
        self.store.end_search();
        if head {
            return self.ask(Ask::Top, now);
        }
        match self.place() {
            Some(place) => self.around(&place),
            None => self.follow(),
        }
    }

    fn follow(&mut self) -> Result<(), Error> {
        let page = self.store.page(&self.asked(Place::Follow))?;
        self.mode = Mode::Follow {
            above: page.more_above.then_some(page.start),
            tail: page.lines.into(),
            sampling: false,
        };
        Ok(())
    }
}

/// Adds a line at the end: one that was shown without its end is replaced, an equal one folded.
fn add(tail: &mut VecDeque<LogLine>, line: LogLine) {
    use crate::journal::spool::stamp::said;
    if let Some(last) = tail.back_mut() {
        let same = last.source == line.source && !last.gap && !line.gap;
        if same && last.number == line.number {
            *last = line;
            return;
        }
        let equal = same
            && last.severity == line.severity
            && said(last.text.as_str().as_bytes()) == said(line.text.as_str().as_bytes());
        if equal {
            last.folded = last.folded.saturating_add(line.folded);
            last.at = line.at;
            return;
        }
    }
    tail.push_back(line);
}

mod find;
mod moves;
mod page;
#[cfg(test)]
mod tests;
