//! A server of this host brought back from a repository: restored into a folder beside the live
//! one, never into it, and replayed there up to the target.

use std::fs;
use std::path::Path;

use crate::adapters::Error;
use crate::adapters::beside::{Place, blocking, with};
use crate::adapters::database::{Recovery, Told};
use crate::adapters::postgres::wal::SEGMENT;
use crate::model::until::{Lsn, Until};
use crate::model::window::Window;
use crate::text::SafeText;

use super::PostgresCluster;
use super::backrest::{Backup, Reference};
use super::host::HostPlace;
use super::place::Note;
use super::seat::Server;
use crate::adapters::postgres::dump::telling;

impl PostgresCluster {
    /// What the repository reaches from a point's backup, and the backup to begin with.
    pub(super) async fn reach_here(
        &self,
        host: &HostPlace,
        (live, store): (&Server, &Place),
        point: &Path,
        until: Option<&Until>,
    ) -> Result<(Backup, Window), Error> {
        let point = Reference::read(point)?;
        let held = host.held(&point, until, (segments(&store.data()), &self.clock)).await?;
        let known = (Some(held.system), held.backup.finished());
        let window = self.reach((live, store), held.label, known, Some(held.archive)).await?;
        Ok((held.backup, window))
    }

    /// Makes the recovered server `order.name`, up to its target.
    pub(super) async fn recovered_here(
        &self,
        host: &HostPlace,
        order: &Recovery<'_>,
        told: Told<'_>,
    ) -> Result<SafeText, Error> {
        let (live, store) = self.live().await?;
        store.open()?;
        self.removed(order.name).await?;
        let closed = self.close_logs(&live).await;
        let until = Some(order.until);
        let (backup, mut window) =
            self.reach_here(host, (&live, &store), order.base, until).await?;
        self.admitted(&mut window, order.until, closed)?;
        let data = with(&host.data, order.name);
        let (size, logs) = (backup.size(), window.end.0.saturating_sub(window.stop.0));
        let all = size + logs;
        let how = (order.until, window.timeline);
        let work = host.restore(&backup, &data, how, &self.clock);
        telling(&self.clock, work, || told(below(&data).min(size), all)).await?;
        let note =
            Note { effect: order.effect.to_owned(), until: order.until.clone(), reached: None };
        let folder = data.clone();
        blocking(move || note.write(&folder)).await?;
        let stop = window.stop;
        let tell = |lsn: Lsn| told(size + lsn.0.saturating_sub(stop.0).min(logs), all);
        let id = self.copy_id(order.name);
        let done = self.brought((&id, &store), order, window.timeline, &tell).await?;
        told(all, all);
        Ok(SafeText::new(&format!("{done}; from pgBackRest's backup {}", backup.label)))
    }
}

/// How large the segments of a server's log are, in bytes.
fn segments(data: &Path) -> u64 {
    let logs = fs::read_dir(data.join("pg_wal")).into_iter().flatten().flatten();
    let segment = logs.filter(|entry| entry.file_name().len() == 24);
    segment
        .filter_map(|entry| entry.metadata().ok())
        .map(|found| found.len())
        .next()
        .unwrap_or(SEGMENT)
}

/// How many bytes lie in a folder: only for how far a restore is.
fn below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => below(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}
