//! Pages of log lines from the files, without holding lines in memory.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::text::SafeText;

use super::super::Error;
use super::cursor::{Ahead, Cursor, SourceIndex};
use super::index::SegmentIndex;
use super::{
    Counters, LogLine, Page, Place, Position, Query, Segment, SourceCounters, source_of, time_of,
};

/// Reads the spool. It holds an index (a mark each 64 KiB, learned segment by segment when
/// something in it is asked for) and, while a page is made, one block per source.
#[derive(Debug)]
pub struct SpoolReader {
    spool: PathBuf,
    sources: BTreeMap<String, SourceIndex>,
}

impl SpoolReader {
    /// Opens the spool folder; one that is not there yet is empty.
    pub fn open(spool: &Path) -> Result<Self, Error> {
        let mut reader = Self { spool: spool.to_owned(), sources: BTreeMap::new() };
        reader.refresh()?;
        Ok(reader)
    }

    /// Learns what was written and given up since. Pages and counters are as of the last one.
    pub fn refresh(&mut self) -> Result<(), Error> {
        let folders = match std::fs::read_dir(&self.spool) {
            Ok(folders) => folders,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(Error::file("list", &self.spool)(e)),
        };
        for folder in folders {
            let folder = folder.map_err(Error::file("list", &self.spool))?.path();
            let name = folder.file_name().and_then(|name| name.to_str());
            let Some(source) = name.and_then(source_of).filter(|_| folder.is_dir()) else {
                continue;
            };
            let index = self.sources.entry(source).or_default();
            sync(index, &folder)?;
        }
        Ok(())
    }

    /// How many lines came in.
    pub fn counters(&self) -> Counters {
        let count = |index: &SourceIndex| {
            let last = index.segments.last();
            let gaps = last.map_or(0, |last| last.segment.gaps + last.gaps);
            SourceCounters {
                in_total: index.after().saturating_sub(gaps),
                gaps,
                given_up: index.first(),
                bytes: index.segments.iter().map(SegmentIndex::length).sum(),
            }
        };
        let sources: BTreeMap<_, _> =
            self.sources.iter().map(|(name, index)| (name.clone(), count(index))).collect();
        Counters { in_total: sources.values().map(|source| source.in_total).sum(), sources }
    }

    /// A page of lines, merged by time; within a source in the order they were written. Equal
    /// lines in a row are one. Gaps are always shown.
    pub fn page(&mut self, query: &Query) -> Result<Page, Error> {
        let backward = !matches!(query.place, Place::After(_));
        let mut cursors = Vec::new();
        for (name, index) in &mut self.sources {
            if query.sources.as_ref().is_some_and(|only| !only.contains(name)) {
                continue;
            }
            let place = match &query.place {
                Place::Follow => index.after(),
                Place::Before(position) | Place::After(position) => {
                    match position.lines.get(name) {
                        Some(number) => *number,
                        None => index.seek(position.ms)?,
                    }
                }
            };
            cursors.push(Cursor::new(name, index, query, place, backward));
        }
        let mut rows = merge(&mut cursors, query, backward)?;
        if backward {
            rows.reverse();
        }
        Ok(assemble(&cursors, rows, query, backward))
    }
}

/// Brings the list of segments up to date and learns the end of the last one.
fn sync(index: &mut SourceIndex, folder: &Path) -> Result<(), Error> {
    let there = match Segment::list(folder) {
        Err(Error::File { source, .. }) if source.kind() == ErrorKind::NotFound => Vec::new(),
        other => other?,
    };
    index.segments.retain(|known| there.binary_search(&known.segment).is_ok());
    let last = index.segments.last().map(|known| known.segment.clone());
    let new = there.into_iter().filter(|segment| last.as_ref().is_none_or(|last| segment > last));
    index.segments.extend(new.map(|segment| SegmentIndex::new(folder, segment)));
    if let Some(last) = index.segments.last_mut() {
        last.extend()?;
    }
    Ok(())
}

/// Takes lines from the cursors, newest (or oldest) first, until there are enough rows.
fn merge(cursors: &mut [Cursor<'_>], query: &Query, backward: bool) -> Result<Vec<LogLine>, Error> {
    let mut budget = query.budget;
    let mut rows: Vec<LogLine> = Vec::new();
    let mut last_text: Vec<u8> = Vec::new();
    loop {
        let mut chosen: Option<(usize, i64)> = None;
        for (at, cursor) in cursors.iter_mut().enumerate() {
            match cursor.look(&mut budget)? {
                Ahead::Tired => return Ok(rows),
                Ahead::End => continue,
                Ahead::Hit => {}
            }
            let Some(ms) = cursor.head().map(|hit| hit.ms) else {
                continue;
            };
            let better =
                chosen.is_none_or(|(_, best)| if backward { ms >= best } else { ms < best });
            if better {
                chosen = Some((at, ms));
            }
        }
        let Some(cursor) = chosen.and_then(|(at, _)| cursors.get_mut(at)) else {
            return Ok(rows);
        };
        let Some(hit) = cursor.head() else {
            return Ok(rows);
        };
        let text = cursor.text(hit);
        let same = rows
            .last_mut()
            .filter(|row| !row.gap && !hit.gap && row.source == cursor.name && last_text == text);
        if let Some(row) = same {
            row.folded = row.folded.saturating_add(1);
            row.at = row.at.max(time_of(hit.ms));
        } else if rows.len() >= query.rows {
            return Ok(rows);
        } else {
            last_text.clear();
            last_text.extend_from_slice(text);
            rows.push(LogLine {
                at: time_of(hit.ms),
                source: cursor.name.to_owned(),
                severity: hit.severity,
                text: SafeText::from_bytes(text),
                folded: 1,
                gap: hit.gap,
            });
        }
        cursor.take();
    }
}

fn assemble(cursors: &[Cursor<'_>], lines: Vec<LogLine>, query: &Query, backward: bool) -> Page {
    let begun_ms = match &query.place {
        Place::Follow => i64::MAX,
        Place::Before(position) | Place::After(position) => position.ms,
    };
    let edge = if backward { lines.first() } else { lines.last() };
    let reached_ms = edge.map_or(begun_ms, |line| line.at.timestamp_millis());
    let position = |number: &dyn Fn(&Cursor<'_>) -> u64, ms| Position {
        lines: cursors.iter().map(|c| (c.name.to_owned(), number(c))).collect(),
        ms,
    };
    let begun = position(&|cursor| cursor.begun_at(), begun_ms);
    let reached = position(&|cursor| cursor.reached(), reached_ms);
    let ahead = cursors.iter().any(|cursor| !cursor.is_over());
    let behind = cursors.iter().any(Cursor::has_behind);
    let hidden = cursors.iter().map(Cursor::hidden).sum();
    if backward {
        Page { lines, hidden, more_above: ahead, more_below: behind, start: reached, end: begun }
    } else {
        Page { lines, hidden, more_above: behind, more_below: ahead, start: begun, end: reached }
    }
}
