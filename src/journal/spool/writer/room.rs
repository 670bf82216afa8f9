//! What a writer says of itself to those who share out the room, and how far its file was read.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::super::super::Error;
use super::super::super::folder::private;
use super::super::time_of;
use super::{Mark, SourceWriter};

impl SourceWriter {
    /// Bytes of a line of which the end has not come yet.
    pub fn unended(&self) -> u64 {
        self.partial.bytes.len() as u64 + self.partial.cut
    }

    /// How far its file was read, as noted last.
    pub fn mark(&self) -> Option<Mark> {
        let text = fs::read_to_string(self.folder.join("read")).ok()?;
        let mut numbers = text.split_whitespace().map(|number| number.parse().ok());
        let mut next = || numbers.next().flatten();
        Some(Mark { id: (next()?, next()?), at: next()? })
    }

    /// Notes how far its file was read: an engine that follows goes on from there.
    pub fn set_mark(&mut self, mark: Mark) -> Result<(), Error> {
        let path = self.folder.join("read");
        let file = match self.mark.take() {
            Some(file) => file,
            None => private(&path).create(true).open(&path).map_err(Error::file("open", &path))?,
        };
        let (device, inode) = mark.id;
        // Of one width: a shorter one would leave digits of the one before.
        let text = format!("{device:020} {inode:020} {:020}\n", mark.at);
        file.write_all_at(text.as_bytes(), 0).map_err(Error::file("write", &path))?;
        self.mark = Some(file);
        Ok(())
    }

    /// Its folder.
    pub(in crate::journal::spool) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether a segment was begun since this was asked last.
    pub(in crate::journal::spool) fn has_begun(&mut self) -> bool {
        std::mem::take(&mut self.begun)
    }

    /// Bytes of all its segments.
    pub(in crate::journal::spool) fn bytes(&self) -> u64 {
        self.segments.iter().map(|(_, length)| *length).sum()
    }

    /// Whether an incident keeps some of it.
    pub(in crate::journal::spool) fn is_pinned(&self) -> bool {
        self.pinned.is_some()
    }

    /// Bytes of the segments that no incident keeps.
    pub(in crate::journal::spool) fn unpinned_bytes(&self) -> u64 {
        let keeps = |at: usize| {
            let next = self.segments.get(at + 1).map_or(i64::MAX, |(segment, _)| segment.ms);
            self.pinned.is_some_and(|from| next >= from)
        };
        let segments = self.segments.iter().enumerate();
        segments.filter(|(at, _)| !keeps(*at)).map(|(_, (_, length))| *length).sum()
    }

    /// The time of its oldest segment that may be given up, also a pinned one when asked so. The
    /// one that is written to never is.
    pub(in crate::journal::spool) fn oldest(&self, pinned: bool) -> Option<i64> {
        let (second, _) = self.segments.get(1)?;
        let kept = self.pinned.is_some_and(|from| second.ms >= from);
        let (first, _) = self.segments.front()?;
        (pinned || !kept).then_some(first.ms)
    }

    /// Gives up its oldest segment; of a pinned one, a gap says so.
    pub(in crate::journal::spool) fn give_up_oldest(&mut self) -> Result<(), Error> {
        let (Some((oldest, _)), Some((second, _))) = (self.segments.front(), self.segments.get(1))
        else {
            return Ok(());
        };
        let pinned = self.pinned.is_some_and(|from| second.ms >= from);
        let path = self.folder.join(oldest.file_name());
        let lines = second.first - oldest.first;
        fs::remove_file(&path).map_err(Error::file("remove", &path))?;
        self.segments.pop_front();
        if pinned {
            let now = self.segments.back().map_or(0, |(segment, _)| segment.ms);
            let why = format!("the first {lines} pinned lines were given up: no room is left");
            self.gap(time_of(now), &why)?;
        }
        Ok(())
    }
}
