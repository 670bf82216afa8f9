//! Takes secrets out of lines on their way into the spool.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::journal::Error;
use crate::model::ids::Time;
use crate::redact::{Book, Pass, Redactor};

/// A longer line is not waited for: what is there of it is written.
const LONGEST: usize = 1024 * 1024;

/// What is between one file and its spool.
pub(super) struct Scrub {
    redactor: Arc<Redactor>,
    book: Rc<RefCell<Book>>,
    pass: Pass,
    /// A line of which the end has not come yet, and when it began.
    carry: Vec<u8>,
    begun: Option<Time>,
    clean: Vec<u8>,
}

impl Scrub {
    pub(super) fn new(redactor: Arc<Redactor>, book: Rc<RefCell<Book>>) -> Self {
        let (carry, clean) = (Vec::new(), Vec::new());
        Self { redactor, book, pass: Pass::default(), carry, begun: None, clean }
    }

    /// Bytes of a line of which the end has not come yet.
    pub(super) fn unended(&self) -> u64 {
        self.carry.len() as u64
    }

    /// Takes bytes as they come and gives whole lines to `feed`, with the time of their beginning.
    pub(super) fn take(
        &mut self,
        now: Time,
        bytes: &[u8],
        mut feed: impl FnMut(Time, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut rest = bytes;
        let mut fed = Ok(());
        if !self.carry.is_empty() {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
            let (first, after) = rest.split_at(end);
            self.carry.extend_from_slice(first);
            rest = after;
            if first.ends_with(b"\n") || self.carry.len() >= LONGEST {
                let line = std::mem::take(&mut self.carry);
                let at = self.begun.take().unwrap_or(now);
                fed = self.give(at, &line, &mut feed);
            }
        }
        let whole = memchr::memrchr(b'\n', rest).map_or(0, |newline| newline + 1);
        let (lines, part) = rest.split_at(whole);
        if !lines.is_empty() {
            fed = fed.and(self.give(now, lines, &mut feed));
        }
        if !part.is_empty() {
            self.begun.get_or_insert(now);
            self.carry.extend_from_slice(part);
        }
        fed
    }

    /// Gives what is left of a line whose end will not come any more.
    pub(super) fn end(
        &mut self,
        mut feed: impl FnMut(Time, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let line = std::mem::take(&mut self.carry);
        match self.begun.take() {
            Some(at) if !line.is_empty() => self.give(at, &line, &mut feed),
            Some(_) | None => Ok(()),
        }
    }

    fn give(
        &mut self,
        at: Time,
        lines: &[u8],
        feed: &mut impl FnMut(Time, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.clean.clear();
        let mut book = self.book.borrow_mut();
        self.redactor.lines(lines, &mut self.pass, &mut book, &mut self.clean);
        // Where it was is of no use here.
        drop(book.take_found());
        feed(at, &self.clean)
    }
}
