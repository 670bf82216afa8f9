//! Walks one source's lines in either direction, giving those that a query wants.

use std::collections::VecDeque;

use super::super::Error;
use super::index::{Block, SegmentIndex};
use super::{LogSeverity, Query, Record};

/// What is known of one source.
#[derive(Clone, Debug, Default)]
pub(super) struct SourceIndex {
    /// Oldest first.
    pub(super) segments: Vec<SegmentIndex>,
}

impl SourceIndex {
    /// The number of the oldest line that is still there.
    pub(super) fn first(&self) -> u64 {
        self.segments.first().map_or(0, |index| index.segment.first)
    }

    /// The number after the newest line.
    pub(super) fn after(&self) -> u64 {
        self.segments.last().map_or(0, SegmentIndex::after)
    }

    /// The number of the first line after everything up to `ms`.
    pub(super) fn seek(&mut self, ms: i64) -> Result<u64, Error> {
        if ms == i64::MAX {
            return Ok(self.after());
        }
        let place = self.segments.partition_point(|index| index.segment.ms <= ms);
        let first = self.first();
        let Some(index) = place.checked_sub(1).and_then(|at| self.segments.get_mut(at)) else {
            return Ok(first);
        };
        index.extend()?;
        let place = index.blocks.partition_point(|block| block.ms <= ms);
        let Some(block) = place.checked_sub(1).and_then(|at| index.blocks.get(at)) else {
            return Ok(index.segment.first);
        };
        let bytes = index.load(block)?;
        let mut after = block.first;
        for (number, (start, end)) in (block.first..).zip(lines(&bytes)) {
            if Record::parse(bytes.get(start..end).unwrap_or_default()).ms <= ms {
                after = number + 1;
            }
        }
        Ok(after)
    }

    /// The block that holds line `number`, or else the nearest one on the side walked to.
    /// Learns its segment first; returns how many bytes that took.
    fn block(
        &mut self,
        number: u64,
        backward: bool,
    ) -> Result<(Option<(usize, Block)>, u64), Error> {
        let after = self.segments.partition_point(|index| index.segment.first <= number);
        let Some(mut at) = after.checked_sub(1) else {
            return Ok((None, 0));
        };
        let mut read = 0;
        loop {
            let Some(index) = self.segments.get_mut(at) else {
                return Ok((None, read));
            };
            read += index.extend()?;
            let place = index.blocks.partition_point(|block| block.first <= number);
            let found = place.checked_sub(1).and_then(|place| index.blocks.get(place));
            match found {
                Some(block) if backward || number < block.after() => {
                    return Ok((Some((at, block.clone())), read));
                }
                Some(_) | None if backward => match at.checked_sub(1) {
                    Some(before) => at = before,
                    None => return Ok((None, read)),
                },
                Some(_) | None => {
                    at += 1;
                    // A hole: lines that are gone are stepped over.
                    let next = self.segments.get_mut(at);
                    if let Some(next) = next.filter(|next| next.segment.first > number) {
                        read += next.extend()?;
                        let first = next.blocks.first();
                        return Ok((first.map(|block| (at, block.clone())), read));
                    }
                }
            }
        }
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let mut start = 0;
    memchr::memchr_iter(b'\n', bytes).map(move |end| {
        let line = (start, end);
        start = end + 1;
        line
    })
}

/// A line that the query wants.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    /// Its number.
    pub(super) number: u64,
    /// Its time.
    pub(super) ms: i64,
    /// How bad it says it is.
    pub(super) severity: LogSeverity,
    /// Whether it is a gap.
    pub(super) gap: bool,
    start: usize,
    end: usize,
}

/// What is next in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ahead {
    /// A line that the query wants: [`Cursor::head`].
    Hit,
    /// Nothing more in this direction.
    End,
    /// Not known: the budget is used up.
    Tired,
}

/// A walk over one source.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    /// The source's name.
    pub(super) name: &'a str,
    index: &'a mut SourceIndex,
    query: &'a Query,
    backward: bool,
    begun_at: u64,
    /// Backward: everything from here on is looked at; forward: everything before.
    looked: u64,
    hits: VecDeque<Hit>,
    bytes: Vec<u8>,
    taken: u64,
    ended: bool,
    rested: bool,
}

impl<'a> Cursor<'a> {
    /// A walk that begins between `place - 1` and `place`.
    pub(super) fn new(
        name: &'a str,
        index: &'a mut SourceIndex,
        query: &'a Query,
        place: u64,
        backward: bool,
    ) -> Self {
        let place = place.clamp(index.first(), index.after());
        Self {
            name,
            index,
            query,
            backward,
            begun_at: place,
            looked: place,
            hits: VecDeque::new(),
            bytes: Vec::new(),
            taken: 0,
            ended: false,
            rested: true,
        }
    }

    /// Looks for the next line, reading at most `budget` bytes, but always one block.
    pub(super) fn look(&mut self, budget: &mut u64) -> Result<Ahead, Error> {
        loop {
            if !self.hits.is_empty() {
                return Ok(Ahead::Hit);
            }
            if self.at_end() {
                return Ok(Ahead::End);
            }
            if *budget == 0 && !self.rested {
                return Ok(Ahead::Tired);
            }
            self.rested = false;
            self.load(budget)?;
        }
    }

    /// The next line.
    pub(super) fn head(&self) -> Option<&Hit> {
        if self.backward { self.hits.back() } else { self.hits.front() }
    }

    /// The bytes of a line.
    pub(super) fn text(&self, hit: &Hit) -> &[u8] {
        let stored = self.bytes.get(hit.start..hit.end).unwrap_or_default();
        Record::parse(stored).text
    }

    /// Goes past the next line.
    pub(super) fn take(&mut self) {
        let taken = if self.backward { self.hits.pop_back() } else { self.hits.pop_front() };
        self.taken += u64::from(taken.is_some());
    }

    /// How far the walk has come: everything between here and its beginning was taken or is not
    /// wanted.
    pub(super) fn reached(&self) -> u64 {
        match self.head() {
            Some(hit) if self.backward => hit.number + 1,
            Some(hit) => hit.number,
            None => self.looked,
        }
    }

    /// Where it began.
    pub(super) fn begun_at(&self) -> u64 {
        self.begun_at
    }

    /// The lines passed that were not wanted.
    pub(super) fn hidden(&self) -> u64 {
        self.begun_at.abs_diff(self.reached()).saturating_sub(self.taken)
    }

    /// Whether nothing is left in this direction.
    pub(super) fn is_over(&self) -> bool {
        self.hits.is_empty() && self.at_end()
    }

    /// Whether something lies on the other side of the beginning.
    pub(super) fn has_behind(&self) -> bool {
        if self.backward {
            self.begun_at < self.index.after()
        } else {
            self.begun_at > self.index.first()
        }
    }

    fn at_end(&self) -> bool {
        self.ended
            || if self.backward {
                self.looked <= self.index.first()
            } else {
                self.looked >= self.index.after()
            }
    }

    fn load(&mut self, budget: &mut u64) -> Result<(), Error> {
        let number = if self.backward { self.looked - 1 } else { self.looked };
        let (found, read) = self.index.block(number, self.backward)?;
        *budget = budget.saturating_sub(read);
        let Some((segment, block)) = found else {
            self.ended = true;
            return Ok(());
        };
        let (from, to) = if self.backward {
            (block.first, self.looked)
        } else {
            (self.looked.max(block.first), block.after())
        };
        if block.has(self.query.min_severity)
            && let Some(index) = self.index.segments.get(segment)
        {
            self.bytes = index.load(&block)?;
            *budget = budget.saturating_sub(self.bytes.len() as u64);
            self.choose(&block, from, to);
        }
        if !self.ended {
            self.looked = if self.backward { from } else { to };
        }
        Ok(())
    }

    /// Finds what the query wants among lines `from..to` of a block.
    fn choose(&mut self, block: &Block, from: u64, to: u64) {
        let query = self.query;
        let plain = query.find.as_ref().filter(|find| find.plain && block.gaps == 0);
        let nothing = plain.is_some_and(|find| !find.regex.is_match(&self.bytes));
        let since = query.since.map(|since| since.timestamp_millis());
        if nothing && since.is_none() {
            return;
        }
        for (number, (start, end)) in (block.first..).zip(lines(&self.bytes)) {
            if number < from || number >= to {
                continue;
            }
            let record = Record::parse(self.bytes.get(start..end).unwrap_or_default());
            if since.is_some_and(|since| record.ms < since) {
                if self.backward {
                    // All that is wanted lies after this line.
                    self.hits.clear();
                    self.looked = number + 1;
                    self.ended = true;
                }
                continue;
            }
            let severity =
                if record.gap { LogSeverity::Warn } else { LogSeverity::of(record.text) };
            let found = |find: &super::Find| find.regex.is_match(record.text);
            let wanted = severity >= query.min_severity && query.find.as_ref().is_none_or(found);
            if record.gap || wanted {
                self.hits.push_back(Hit {
                    number,
                    ms: record.ms,
                    severity,
                    gap: record.gap,
                    start,
                    end,
                });
            }
        }
    }
}
