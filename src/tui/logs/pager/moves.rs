//! Moving in a page that is held: the selection goes, and pages are fetched at the edges.

use std::collections::{BTreeMap, VecDeque};

use crate::journal::Error;
use crate::journal::spool::{Page, Place, Position, Query};
use crate::tui::logs::store::Store;

use super::{Mode, PAGES, Pager, SLICE};

impl<S: Store> Pager<S> {
    /// Stands still at the last line that was shown.
    pub(super) fn hold(&mut self) -> Result<(), Error> {
        if matches!(self.mode, Mode::Held { .. }) {
            return Ok(());
        }
        self.behind = 0;
        let page = self.store.page(&self.asked(Place::Before(self.end.clone())))?;
        let cursor = page.lines.len().saturating_sub(1);
        self.mode = Mode::Held { pages: VecDeque::from([page]), cursor };
        Ok(())
    }

    /// The place right before the selected line, when one is held.
    pub(super) fn place(&self) -> Option<Position> {
        let Mode::Held { pages, cursor } = &self.mode else { return None };
        let line = pages.iter().flat_map(|page| &page.lines).nth(*cursor)?;
        let lines = BTreeMap::from([(line.source.clone(), line.number)]);
        Some(Position::of(lines, line.at))
    }

    /// Holds the page around a place, with the first line after it selected.
    pub(super) fn around(&mut self, place: &Position) -> Result<(), Error> {
        let above = self.store.page(&self.asked(Place::Before(place.clone())))?;
        let below = self.store.page(&self.asked(Place::After(place.clone())))?;
        let cursor = above.lines.len();
        let most = (cursor + below.lines.len()).saturating_sub(1);
        let pages = VecDeque::from([above, below]);
        self.mode = Mode::Held { pages, cursor: cursor.min(most) };
        Ok(())
    }

    /// Moves the selection, fetching pages at the edges.
    pub(super) fn step(&mut self, by: isize) -> Result<(), Error> {
        if by > 0 && matches!(self.mode, Mode::Follow { .. }) {
            return Ok(());
        }
        self.hold()?;
        let query = self.query.clone();
        let margin = self.rows.cast_signed();
        // A page as long as the step: a long one is not made of many short ones.
        let rows = self.rows.max(by.unsigned_abs().min(1_000));
        let Mode::Held { pages, cursor } = &mut self.mode else { return Ok(()) };
        let mut at = cursor.cast_signed() + by;
        // A few slices: lines that are far between are not waited for with a key pressed.
        for _ in 0..4 {
            let first = pages.front().filter(|page| page.more_above && at < margin);
            let Some(first) = first else { break };
            let place = Place::Before(first.start.clone());
            let page = self.store.page(&Query { place, rows, budget: SLICE, ..query.clone() })?;
            at += page.lines.len().cast_signed();
            pages.push_front(page);
            if pages.len() > PAGES {
                pages.pop_back();
            }
        }
        let count = |pages: &VecDeque<Page>| -> isize {
            pages.iter().map(|page| page.lines.len()).sum::<usize>().cast_signed()
        };
        for _ in 0..4 {
            let last = pages.back().filter(|_| by > 0 && at + margin >= count(pages));
            let Some(last) = last else { break };
            let place = Place::After(last.end.clone());
            let page = self.store.page(&Query { place, rows, budget: SLICE, ..query.clone() })?;
            if page.lines.is_empty() && !page.more_below {
                break;
            }
            pages.push_back(page);
            if pages.len() > PAGES
                && let Some(gone) = pages.pop_front()
            {
                at -= gone.lines.len().cast_signed();
            }
        }
        let most = (count(pages) - 1).max(0);
        *cursor = at.clamp(0, most).cast_unsigned();
        Ok(())
    }
}
