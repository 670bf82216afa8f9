//! Walks one source's lines in either direction, giving those that a query wants.

use std::collections::VecDeque;

use super::super::Error;
use super::index::{Block, SegmentIndex};
use super::sampler::{Passing, Sampler};
use super::walk::{Ahead, Head, Walk};
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

impl SourceIndex {
    /// Gives a sampler everything from line `from` on, reading about `budget` bytes at most;
    /// where it ended.
    pub(super) fn pass(
        &mut self,
        from: u64,
        query: &Query,
        source: usize,
        (sampler, budget): (&mut Sampler, &mut u64),
    ) -> Result<u64, Error> {
        let mut number = from.clamp(self.first(), self.after());
        while number < self.after() && *budget > 0 {
            let (Some((at, block)), _) = self.block(number, false)? else { break };
            let Some(index) = self.segments.get(at) else { break };
            // What the ring gave up meanwhile cannot be read any more.
            let bytes = index.load(&block)?;
            *budget = budget.saturating_sub(bytes.len() as u64);
            for (place, (start, end)) in (block.first..).zip(lines(&bytes)) {
                if place < number {
                    continue;
                }
                let record = Record::parse(bytes.get(start..end).unwrap_or_default());
                let severity =
                    if record.gap { LogSeverity::Warn } else { LogSeverity::of(record.text) };
                let young = query.since.is_none_or(|since| record.ms >= since.timestamp_millis());
                if record.gap || (young && query.wants(severity, record.text)) {
                    sampler.take(&Passing {
                        source,
                        number: place,
                        ms: record.ms,
                        severity,
                        gap: record.gap,
                        text: record.text,
                    });
                } else {
                    sampler.hide();
                }
            }
            number = block.after().max(number + 1);
        }
        Ok(number)
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
struct Hit {
    head: Head,
    start: usize,
    end: usize,
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

    fn next(&self) -> Option<&Hit> {
        if self.backward { self.hits.back() } else { self.hits.front() }
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
        let nothing = plain.is_some_and(|find| !find.is_in(&self.bytes));
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
            if record.gap || query.wants(severity, record.text) {
                let head = Head { number, ms: record.ms, severity, gap: record.gap };
                self.hits.push_back(Hit { head, start, end });
            }
        }
    }
}

impl Walk for Cursor<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn look(&mut self, budget: &mut u64) -> Result<Ahead, Error> {
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

    fn head(&self) -> Option<(Head, &[u8])> {
        let hit = self.next()?;
        let stored = self.bytes.get(hit.start..hit.end).unwrap_or_default();
        Some((hit.head, Record::parse(stored).text))
    }

    fn take(&mut self) {
        let taken = if self.backward { self.hits.pop_back() } else { self.hits.pop_front() };
        self.taken += u64::from(taken.is_some());
    }

    fn begun_at(&self) -> u64 {
        self.begun_at
    }

    fn reached(&self) -> u64 {
        match self.next() {
            Some(hit) if self.backward => hit.head.number + 1,
            Some(hit) => hit.head.number,
            None => self.looked,
        }
    }

    fn hidden(&self) -> u64 {
        self.begun_at.abs_diff(self.reached()).saturating_sub(self.taken)
    }

    fn is_over(&self) -> bool {
        self.hits.is_empty() && self.at_end()
    }

    fn has_behind(&self) -> bool {
        if self.backward {
            self.begun_at < self.index.after()
        } else {
            self.begun_at > self.index.first()
        }
    }
}
