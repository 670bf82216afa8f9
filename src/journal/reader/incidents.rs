//! Where incidents begin in a journal: reports and replays start there, not at the first entry.

use crate::model::entry::Entry;
use crate::model::ids::Seq;

use super::super::Error;
use super::{Reader, entry};

impl Reader {
    /// The entries that opened an incident, oldest first. Each is read by itself: the chain around
    /// it is checked by [`Reader::after`], from wherever reading goes on.
    pub async fn openings(&mut self) -> Result<Vec<Entry>, Error> {
        self.follow_writer().await?;
        let rows = self.store.of_kind("incident_opened").await?;
        rows.iter().map(entry).collect()
    }

    /// The entries from `first` up to, and without, `end`; to the last one where there is no end.
    pub async fn between(&mut self, first: Seq, end: Option<Seq>) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        let mut seq = first.saturating_sub(1);
        loop {
            let page = self.after(seq, super::PAGE).await?;
            let Some(last) = page.last().map(|entry| entry.seq) else { return Ok(entries) };
            let inside = |entry: &Entry| end.is_none_or(|end| entry.seq < end);
            entries.extend(page.into_iter().filter(inside));
            if end.is_some_and(|end| last + 1 >= end) {
                return Ok(entries);
            }
            seq = last;
        }
    }
}
