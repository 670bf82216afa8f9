//! Pages of log lines from the files, without holding lines in memory.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::super::Error;
use super::cursor::{Cursor, SourceIndex};
use super::index::SegmentIndex;
use super::sampler::{Fresh, Sampler};
use super::{Counters, Page, Place, Position, Query, Segment, SourceCounters, source_of, walk};

/// Bytes read at most for what is new.
const FRESH: u64 = 16 << 20;

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
        walk::page(cursors, query, backward)
    }

    /// Where everything known ends.
    pub fn end(&self) -> Position {
        let lines = self.sources.iter().map(|(name, index)| (name.clone(), index.after()));
        Position { lines: lines.collect(), ms: i64::MAX }
    }

    /// What came since `from`, which is then moved on; at most `room` rows of it, and reading
    /// 16 MiB at most. A source that is new has all its lines here.
    pub fn fresh(
        &mut self,
        query: &Query,
        from: &mut Position,
        room: usize,
    ) -> Result<Fresh, Error> {
        let names: Vec<String> = self.sources.keys().cloned().collect();
        let mut sampler = Sampler::new(room);
        let mut budget = FRESH;
        for (at, (name, index)) in self.sources.iter_mut().enumerate() {
            let begun = from.lines.get(name).copied().unwrap_or(0);
            let other = query.sources.as_ref().is_some_and(|only| !only.contains(name));
            let ended = if other {
                let end = index.after();
                for _ in begun..end {
                    sampler.hide();
                }
                end
            } else {
                index.pass(begun, query, at, (&mut sampler, &mut budget))?
            };
            from.lines.insert(name.clone(), ended);
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut fresh = sampler.choose(&names);
        fresh.more = budget == 0;
        Ok(fresh)
    }

    /// How many sources there are.
    pub fn sources(&self) -> Vec<String> {
        self.sources.keys().cloned().collect()
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
