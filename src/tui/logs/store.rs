//! What a pager reads from: the spool of an engine, or plain files.

use crate::journal::Error;
use crate::journal::spool::{
    FileReader, Find, Fresh, Page, Place, Position, Progress, Query, Sought, SpoolReader,
};
use crate::model::ids::Time;

/// Lines that can be paged through, followed and searched.
pub trait Store: Send {
    /// Learns what was written since.
    fn refresh(&mut self) -> Result<(), Error>;
    /// Where everything known ends.
    fn end(&mut self) -> Result<Position, Error>;
    /// A page.
    fn page(&mut self, query: &Query) -> Result<Page, Error>;
    /// What came since `from`, which is moved on.
    fn fresh(
        &mut self,
        query: &Query,
        from: &mut Position,
        room: usize,
        now: Time,
    ) -> Result<Fresh, Error>;
    /// The next line with a match; the text is what was typed for it.
    fn seek(
        &mut self,
        find: (&Find, &str),
        query: &Query,
        from: &Position,
        backward: bool,
    ) -> Result<Sought, Error>;
    /// How far a search is that runs beside.
    fn progress(&self, at: Option<u64>) -> Option<Progress>;
    /// Ends it.
    fn end_search(&mut self);
    /// The names of the sources.
    fn sources(&self) -> Vec<String>;
}

impl Store for FileReader {
    fn refresh(&mut self) -> Result<(), Error> {
        Self::refresh(self)
    }

    fn end(&mut self) -> Result<Position, Error> {
        Self::end(self)
    }

    fn page(&mut self, query: &Query) -> Result<Page, Error> {
        Self::page(self, query)
    }

    fn fresh(
        &mut self,
        query: &Query,
        from: &mut Position,
        room: usize,
        now: Time,
    ) -> Result<Fresh, Error> {
        Self::fresh(self, query, from, room, now)
    }

    fn seek(
        &mut self,
        find: (&Find, &str),
        query: &Query,
        from: &Position,
        backward: bool,
    ) -> Result<Sought, Error> {
        Self::seek(self, find, query, from, backward)
    }

    fn progress(&self, at: Option<u64>) -> Option<Progress> {
        Self::progress(self, at)
    }

    fn end_search(&mut self) {
        Self::end_search(self);
    }

    fn sources(&self) -> Vec<String> {
        Self::sources(self)
    }
}

impl Store for SpoolReader {
    fn refresh(&mut self) -> Result<(), Error> {
        Self::refresh(self)
    }

    fn end(&mut self) -> Result<Position, Error> {
        Ok(Self::end(self))
    }

    fn page(&mut self, query: &Query) -> Result<Page, Error> {
        Self::page(self, query)
    }

    fn fresh(
        &mut self,
        query: &Query,
        from: &mut Position,
        room: usize,
        _: Time,
    ) -> Result<Fresh, Error> {
        Self::fresh(self, query, from, room)
    }

    fn seek(
        &mut self,
        (find, _): (&Find, &str),
        query: &Query,
        from: &Position,
        backward: bool,
    ) -> Result<Sought, Error> {
        let place = if backward { Place::Before(from.clone()) } else { Place::After(from.clone()) };
        let find = Some(find.clone());
        let asked = Query { find, place, rows: 1, budget: 8 << 20, ..query.clone() };
        Ok(Sought::of(Self::page(self, &asked)?, backward))
    }

    fn progress(&self, _: Option<u64>) -> Option<Progress> {
        None
    }

    fn end_search(&mut self) {}

    fn sources(&self) -> Vec<String> {
        Self::sources(self)
    }
}
