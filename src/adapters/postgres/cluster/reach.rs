//! The logs of a server: its last one closed, and how far they bring a base backup forward.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::adapters::beside::{Place, blocking};
use crate::adapters::postgres::wal::base::Control;
use crate::adapters::postgres::wal::{Archive, Label, Lineage};
use crate::adapters::{Error, Kind};
use crate::model::ids::Time;
use crate::model::window::Window;

use super::seat::{Seat, Server};
use super::{EVERY, PostgresCluster};

/// How long the last log may take to reach the archive.
const ARCHIVE: Duration = Duration::from_mins(1);

impl PostgresCluster {
    /// Has a server that lives give out its last log. A transaction without a change goes before:
    /// a moment after the last commit can be recovered to only when a later one is in the logs.
    /// Whether it was archived; a server that is down has nothing to give.
    pub(super) async fn close_logs(&self, live: &Server) -> Result<bool, Error> {
        if !live.up || self.ask(&live.id, "SELECT txid_current()").await.is_err() {
            return Ok(false);
        }
        let sql = "SELECT pg_walfile_name(pg_switch_wal())";
        let wanted = self.ask(&live.id, sql).await?;
        let began = self.clock.now();
        loop {
            let sql = "SELECT coalesce(last_archived_wal, ''), failed_count, \
                       coalesce(last_failed_wal, '') FROM pg_stat_archiver";
            let rows = self.psql(&live.id, sql).await?;
            let row = rows.into_iter().next().unwrap_or_default();
            let last = row.first().map(String::as_str).unwrap_or_default();
            // A record of a backup begins with its segment's name.
            if last.get(..24).is_some_and(|last| last >= wanted.as_str()) {
                return Ok(true);
            }
            let taken = chrono::Duration::from_std(ARCHIVE).unwrap_or_default();
            if self.clock.now() - began > taken {
                let failed = row.get(2).map(String::as_str).unwrap_or_default();
                let message = format!(
                    "could not have the last log {wanted} archived in {} s: the last one there is \
                     {last}, the last that failed is {failed}; look at archive_command",
                    ARCHIVE.as_secs()
                );
                return Err(Error::new(Kind::TimedOut, message));
            }
            self.clock.sleep(EVERY).await;
        }
    }

    /// The folders of logs: the archive, and what a server that is down had not archived yet.
    fn logs(&self, live: &Server, store: &Place) -> Vec<PathBuf> {
        let own = store.data().join("pg_wal");
        let own = Some(own).filter(|own| !live.up && own.is_dir());
        let archive = match &self.seat {
            Seat::Engine(_, at) => Some(at.wal_archive.clone()),
            Seat::Host(_) => None,
        };
        archive.into_iter().chain(own).collect()
    }

    /// From when to when a base backup can be brought forward, and the timeline that leads there.
    /// `held` is what lies elsewhere than in a folder.
    pub(super) async fn reach(
        &self,
        (live, store): (&Server, &Place),
        label: Label,
        (system, finished): (Option<u64>, Option<Time>),
        held: Option<Archive>,
    ) -> Result<Window, Error> {
        let (logs, data) = (self.logs(live, store), store.data());
        let look = move || {
            let folders: Vec<&Path> = logs.iter().map(PathBuf::as_path).collect();
            let own = Archive::read(&folders)?;
            let archive = match held {
                Some(mut held) => {
                    held.and(own);
                    held
                }
                None => own,
            };
            let control = Control::of(&data).ok();
            let own = control.filter(|control| system.is_none_or(|one| one == control.system));
            if let (Some(control), None) = (control, own) {
                let message = format!(
                    "could not use the base backup: it is of database system {}, the live server \
                     is {}",
                    system.unwrap_or_default(),
                    control.system
                );
                return Err(Error::new(Kind::Rejected, message));
            }
            let system = system.or(control.map(|one| one.system)).or_else(|| archive.system());
            let no = |why: String| {
                Error::new(Kind::Rejected, format!("could not use the archived logs: {why}"))
            };
            let from = (label.timeline, label.start);
            let lineage = match own.map(|control| control.timeline) {
                // Where the live server is now: what another promotion left is not its past.
                Some(line) => Lineage::of(&archive, from, Some(line)),
                None => Lineage::of(&archive, from, None),
            };
            let lineage = lineage.map_err(no)?;
            archive.window(&label, &lineage, system, finished).map_err(no)
        };
        blocking(look).await
    }
}
