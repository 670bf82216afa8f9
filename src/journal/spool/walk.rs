//! Merging the walks over several sources into one page.

use crate::text::SafeText;

use super::super::Error;
use super::{LogLine, LogSeverity, Page, Place, Position, Query, stamp, time_of};

/// What is next in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ahead {
    /// A line that the query wants: [`Walk::head`].
    Hit,
    /// Nothing more in this direction.
    End,
    /// Not known: the budget is used up.
    Tired,
}

/// A line that the query wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) number: u64,
    pub(super) ms: i64,
    pub(super) severity: LogSeverity,
    pub(super) gap: bool,
}

/// A walk over one source, in one direction.
pub(super) trait Walk {
    /// The source's name.
    fn name(&self) -> &str;
    /// Looks for the next line, reading about `budget` bytes at most, but always one block.
    fn look(&mut self, budget: &mut u64) -> Result<Ahead, Error>;
    /// The next line and its bytes.
    fn head(&self) -> Option<(Head, &[u8])>;
    /// Goes past the next line.
    fn take(&mut self);
    /// Where it began.
    fn begun_at(&self) -> u64;
    /// How far it has come: everything between here and its beginning was taken or is not wanted.
    fn reached(&self) -> u64;
    /// The lines passed that were not wanted.
    fn hidden(&self) -> u64;
    /// Whether nothing is left in this direction.
    fn is_over(&self) -> bool;
    /// Whether something lies on the other side of the beginning.
    fn has_behind(&self) -> bool;
}

/// A page of what `walks` give.
pub(super) fn page<W: Walk>(
    mut walks: Vec<W>,
    query: &Query,
    backward: bool,
) -> Result<Page, Error> {
    let mut rows = merge(&mut walks, query, backward)?;
    if backward {
        rows.reverse();
    }
    Ok(assemble(&walks, rows, query, backward))
}

/// Takes lines, newest (or oldest) first, until there are enough rows.
fn merge<W: Walk>(walks: &mut [W], query: &Query, backward: bool) -> Result<Vec<LogLine>, Error> {
    let mut budget = query.budget;
    let mut rows: Vec<LogLine> = Vec::new();
    let mut last: Vec<u8> = Vec::new();
    loop {
        let mut chosen: Option<(usize, i64)> = None;
        for (at, walk) in walks.iter_mut().enumerate() {
            match walk.look(&mut budget)? {
                Ahead::Tired => return Ok(rows),
                Ahead::End => continue,
                Ahead::Hit => {}
            }
            let Some((head, _)) = walk.head() else {
                continue;
            };
            let better = chosen
                .is_none_or(|(_, best)| if backward { head.ms >= best } else { head.ms < best });
            if better {
                chosen = Some((at, head.ms));
            }
        }
        let Some(walk) = chosen.and_then(|(at, _)| walks.get_mut(at)) else {
            return Ok(rows);
        };
        let Some((head, text)) = walk.head() else {
            return Ok(rows);
        };
        let words = stamp::said(text);
        let same = rows.last_mut().filter(|row| {
            !row.gap
                && !head.gap
                && row.severity == head.severity
                && row.source == walk.name()
                && last == words
        });
        if let Some(row) = same {
            row.folded = row.folded.saturating_add(1);
            row.at = row.at.max(time_of(head.ms));
        } else if rows.len() >= query.rows {
            return Ok(rows);
        } else {
            last.clear();
            last.extend_from_slice(words);
            rows.push(LogLine {
                at: time_of(head.ms),
                source: walk.name().to_owned(),
                severity: head.severity,
                text: SafeText::from_bytes(text),
                folded: 1,
                gap: head.gap,
                number: head.number,
            });
        }
        walk.take();
    }
}

fn assemble<W: Walk>(walks: &[W], lines: Vec<LogLine>, query: &Query, backward: bool) -> Page {
    let begun_ms = match &query.place {
        Place::Follow => i64::MAX,
        Place::Before(position) | Place::After(position) => position.ms,
    };
    let edge = if backward { lines.first() } else { lines.last() };
    let reached_ms = edge.map_or(begun_ms, |line| line.at.timestamp_millis());
    let position = |number: &dyn Fn(&W) -> u64, ms| Position {
        lines: walks.iter().map(|walk| (walk.name().to_owned(), number(walk))).collect(),
        ms,
    };
    let begun = position(&|walk| walk.begun_at(), begun_ms);
    let reached = position(&|walk| walk.reached(), reached_ms);
    let ahead = walks.iter().any(|walk| !walk.is_over());
    let behind = walks.iter().any(Walk::has_behind);
    let hidden = walks.iter().map(Walk::hidden).sum();
    if backward {
        Page { lines, hidden, more_above: ahead, more_below: behind, start: reached, end: begun }
    } else {
        Page { lines, hidden, more_above: behind, more_below: ahead, start: begun, end: reached }
    }
}
