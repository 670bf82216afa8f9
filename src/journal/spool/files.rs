//! Plain log files read the way the spool is: pages, what is new, and places by time. A file is
//! never read whole: a page is made of the blocks around it, whatever the file's size.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chrono::Datelike;

use crate::model::ids::Time;

use super::super::Error;
use super::file_walk::{FileWalk, Plain};
use super::sampler::{Fresh, Passing, Sampler};
use super::search::{Progress, Search, Sought};
use super::walk;
use super::{Find, LogSeverity, Page, Place, Position, Query, RAW_LINE_LIMIT, stamp, time_of};

/// Bytes read at once of what is new.
const CHUNK: u64 = 1 << 20;
/// Bytes read at most of what is new before others have their turn.
const TURN: u64 = 32 << 20;

/// A file that is followed.
#[derive(Debug)]
struct Followed {
    path: PathBuf,
    plain: Plain,
    id: (u64, u64),
    /// Whether its path names nothing now.
    gone: bool,
    search: Option<(Search, String)>,
}

/// Reads plain log files, following what is appended, rotated or truncated.
#[derive(Debug)]
pub struct FileReader {
    files: Vec<Followed>,
    wake: Option<super::search::Wake>,
}

impl FileReader {
    /// Opens the files; an error names the first that cannot be read.
    pub fn open(paths: &[PathBuf]) -> Result<Self, Error> {
        let mut names = BTreeMap::<String, usize>::new();
        let mut files: Vec<Followed> = Vec::new();
        for path in paths {
            let short = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            let twice = names.insert(short.clone(), files.len()).is_some();
            let name = if twice { path.display().to_string() } else { short };
            let (plain, id) = open(path, name)?;
            files.push(Followed { path: path.clone(), plain, id, gone: false, search: None });
        }
        Ok(Self { files, wake: None })
    }

    /// What a search calls when it has something to say.
    pub fn on_found(&mut self, wake: super::search::Wake) {
        self.wake = Some(wake);
    }

    /// The files' names, as lines are marked with them.
    pub fn sources(&self) -> Vec<String> {
        self.files.iter().map(|file| file.plain.name.clone()).collect()
    }

    /// Their paths.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }

    /// Bytes of all files as of the last look.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.plain.length).sum()
    }

    /// Learns how long the files are now.
    pub fn refresh(&mut self) -> Result<(), Error> {
        for file in &mut self.files {
            let meta = file.plain.file.metadata().map_err(Error::file("look at", &file.path))?;
            file.plain.length = meta.len();
        }
        Ok(())
    }

    /// Where the last whole line of every file ends.
    pub fn end(&self) -> Result<Position, Error> {
        let mut lines = BTreeMap::new();
        for file in &self.files {
            let mut end = file.plain.length;
            let from = end.saturating_sub(RAW_LINE_LIMIT as u64);
            if end > 0 {
                let near = end.saturating_sub(CHUNK.min(16 * 1024)).max(from);
                let mut bytes = file.plain.read(&file.path, near, end - near)?;
                if !bytes.contains(&b'\n') && near > from {
                    bytes = file.plain.read(&file.path, from, end - from)?;
                }
                let begun = end - bytes.len() as u64;
                end = memchr::memrchr(b'\n', &bytes).map_or(begun, |at| begun + at as u64 + 1);
            }
            lines.insert(file.plain.name.clone(), end);
        }
        Ok(Position { lines, ms: i64::MAX })
    }

    /// A page of lines, merged by the time they give themselves. Equal lines in a row are one.
    pub fn page(&mut self, query: &Query) -> Result<Page, Error> {
        let backward = !matches!(query.place, Place::After(_));
        let mut walks = Vec::new();
        for file in &self.files {
            let name = &file.plain.name;
            if query.sources.as_ref().is_some_and(|only| !only.contains(name)) {
                continue;
            }
            let place = match &query.place {
                Place::Follow => file.plain.length,
                Place::Before(position) | Place::After(position) => {
                    match position.lines.get(name) {
                        Some(offset) => file.boundary(*offset)?,
                        None => file.seek(position.ms)?,
                    }
                }
            };
            walks.push(FileWalk::new(&file.plain, &file.path, query, place, backward));
        }
        walk::page(walks, query, backward)
    }

    /// What came since `from`, which is then moved on: whole lines alone. A file that was rotated
    /// or truncated is gone on with from its beginning, and a gap says so.
    pub fn fresh(
        &mut self,
        query: &Query,
        from: &mut Position,
        room: usize,
        now: Time,
    ) -> Result<Fresh, Error> {
        let mut sampler = Sampler::new(room);
        let mut budget = TURN;
        for (source, file) in self.files.iter_mut().enumerate() {
            let name = file.plain.name.clone();
            let begun = from.lines.get(&name).copied().unwrap_or(0);
            let other = query.sources.as_ref().is_some_and(|only| !only.contains(&name));
            let mut pass = |file: &Followed, begun: u64| {
                file.pass(begun, (query, other), source, (&mut sampler, &mut budget))
            };
            let mut ended = pass(file, begun)?;
            if let Some(why) = file.moved(ended, now)? {
                // What was left of a line when its file went away is a line.
                let note = why.as_bytes();
                let ms = now.timestamp_millis();
                sampler.take(&Passing {
                    source,
                    number: 0,
                    ms,
                    severity: LogSeverity::Warn,
                    gap: true,
                    text: note,
                });
                let mut pass = |file: &Followed, begun: u64| {
                    file.pass(begun, (query, other), source, (&mut sampler, &mut budget))
                };
                ended = pass(file, 0)?;
            }
            from.lines.insert(name, ended);
        }
        let names: Vec<&str> = self.files.iter().map(|file| file.plain.name.as_str()).collect();
        let mut fresh = sampler.choose(&names);
        fresh.more = budget == 0;
        Ok(fresh)
    }

    /// Where the next line with a match is after (or before) `from`. One file that is shown whole
    /// is searched by two threads of their own, which also count; else a step reads 8 MiB at most.
    pub fn seek(
        &mut self,
        (find, typed): (&Find, &str),
        query: &Query,
        from: &Position,
        backward: bool,
    ) -> Result<Sought, Error> {
        let [file] = self.files.as_mut_slice() else {
            return self.seek_merged(find, query, from, backward);
        };
        if !query.is_open() {
            return self.seek_merged(find, query, from, backward);
        }
        let length = file.plain.length;
        let known = from.lines.get(&file.plain.name).copied();
        let at = known.unwrap_or(if from.ms <= 0 { 0 } else { length });
        let name = file.plain.name.clone();
        if file.search.as_ref().is_none_or(|(_, known)| known != typed) {
            file.search = None;
            let theirs = file.plain.file.try_clone().map_err(Error::file("open", &file.path))?;
            let begun = (at, backward);
            let search = Search::start(theirs, length, find.clone(), begun, self.wake.clone())
                .map_err(Error::file("search", &file.path))?;
            file.search = Some((search, typed.to_owned()));
        }
        let searched = file.search.as_ref().map_or(0, |(search, _)| search.length());
        let place =
            |offset: u64| Position { lines: BTreeMap::from([(name.clone(), offset)]), ms: 0 };
        // What was written since the search began is looked through beside it.
        if backward && at > searched {
            let beside = self.seek_merged(find, query, &place(at), true)?;
            let (Sought::Found(reached) | Sought::GoOn(reached)) = &beside else {
                return self.seek((find, typed), query, &place(searched), true);
            };
            if reached.lines.get(&name).is_some_and(|reached| *reached >= searched) {
                return Ok(beside);
            }
            return self.seek((find, typed), query, &place(searched), true);
        }
        let found = match self.files.first().and_then(|file| file.search.as_ref()) {
            Some((search, _)) => search.next(at, backward),
            None => Ok(Some(None)),
        };
        match found.map_err(Error::file("search", &name))? {
            None => Ok(Sought::Wait),
            Some(Some(offset)) => Ok(Sought::Found(place(offset))),
            Some(None) if !backward && searched < length => {
                self.seek_merged(find, query, &place(at.max(searched)), false)
            }
            Some(None) => Ok(Sought::Nowhere),
        }
    }

    /// How far a search is that runs beside; `at` is the line that it stands at.
    pub fn progress(&self, at: Option<u64>) -> Option<Progress> {
        let [file] = self.files.as_slice() else { return None };
        file.search.as_ref().map(|(search, _)| search.progress(at))
    }

    /// Ends a search that runs beside.
    pub fn end_search(&mut self) {
        for file in &mut self.files {
            file.search = None;
        }
    }

    fn seek_merged(
        &mut self,
        find: &Find,
        query: &Query,
        from: &Position,
        backward: bool,
    ) -> Result<Sought, Error> {
        let place = if backward { Place::Before(from.clone()) } else { Place::After(from.clone()) };
        let find = Some(find.clone());
        let page = self.page(&Query { find, place, rows: 1, budget: 8 << 20, ..query.clone() })?;
        Ok(Sought::of(page, backward))
    }
}

impl Followed {
    /// Gives a sampler the whole lines from `begun` on; where they end.
    fn pass(
        &self,
        begun: u64,
        (query, other): (&Query, bool),
        source: usize,
        (sampler, budget): (&mut Sampler, &mut u64),
    ) -> Result<u64, Error> {
        let mut at = begun;
        let mut size = CHUNK;
        let mut ms = 0;
        let since = query.since.map(|since| since.timestamp_millis());
        while at < self.plain.length && *budget > 0 {
            let bytes = self.plain.read(&self.path, at, size.min(self.plain.length - at))?;
            *budget = budget.saturating_sub(bytes.len() as u64);
            let whole = memchr::memrchr(b'\n', &bytes).map(|end| end + 1);
            let Some(end) = whole else {
                if (bytes.len() as u64) < size || size > RAW_LINE_LIMIT as u64 * 4 {
                    break;
                }
                size *= 4;
                continue;
            };
            let mut start = 0;
            for newline in memchr::memchr_iter(b'\n', bytes.get(..end).unwrap_or_default()) {
                let line = bytes.get(start..newline).unwrap_or_default();
                let text = line.strip_suffix(b"\r").unwrap_or(line);
                let number = at + start as u64;
                start = newline + 1;
                ms = stamp::moment(text, self.plain.year).unwrap_or(ms);
                let severity = LogSeverity::of(text);
                let old = since.is_some_and(|since| ms > 0 && ms < since);
                if other || old || !query.wants(severity, text) {
                    sampler.hide();
                } else {
                    sampler.take(&Passing { source, number, ms, severity, gap: false, text });
                }
            }
            at += end as u64;
        }
        Ok(at)
    }

    /// Whether the file is another one now, or shorter than what was read: then what a gap says,
    /// and the file is opened anew. Asked when all of it was read.
    fn moved(&mut self, ended: u64, now: Time) -> Result<Option<String>, Error> {
        let Ok(meta) = self.path.metadata() else {
            // Its last lines are still here; it may come back.
            self.gone = true;
            return Ok(None);
        };
        self.gone = false;
        let name = self.plain.name.clone();
        let rotated = (meta.dev(), meta.ino()) != self.id;
        if !rotated && meta.len() >= ended {
            return Ok(None);
        }
        if rotated {
            // What was written to the old one while this was asked is not lost.
            let length = self.plain.file.metadata().map_or(ended, |meta| meta.len());
            if length > self.plain.length {
                self.plain.length = length;
                return Ok(None);
            }
            (self.plain, self.id) = open(&self.path, name.clone())?;
        }
        self.plain.length = meta.len();
        self.plain.year = now.year();
        self.search = None;
        let what = if rotated { "was rotated: a new file begins" } else { "was truncated" };
        Ok(Some(format!("{name} {what} here")))
    }
}

fn open(path: &Path, name: String) -> Result<(Plain, (u64, u64)), Error> {
    let file = File::open(path).map_err(Error::file("open", path))?;
    let meta = file.metadata().map_err(Error::file("look at", path))?;
    if !meta.is_file() {
        let why = "it is no plain file".to_owned();
        return Err(Error::Unfit { path: path.to_owned(), why });
    }
    let year = time_of(meta.mtime().saturating_mul(1_000)).year();
    Ok((Plain { name, file, length: meta.len(), year }, (meta.dev(), meta.ino())))
}

/// A line without its end.
pub(super) fn bare(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

mod place;
#[cfg(test)]
mod tests;
