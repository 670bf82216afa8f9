//! The recovered server takes the live one's place: promoted beside, shut down cleanly, and its
//! folder moved under the live volume's name; the one before is kept as a volume of its own. Each
//! stage is seen from the folders, so that an attempt that was cut off is finished by the next.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::adapters::beside::{Place, blocking};
use crate::adapters::{Error, Kind};
use crate::text::SafeText;

use super::PostgresCluster;
use super::place::{Note, put};
use super::recover::{SIGNAL, STOP};
use super::seat::Server;
use crate::adapters::postgres::literal;
use crate::adapters::postgres::wal::base::Control;
use crate::adapters::postgres::wal::{Name, segment_name};

/// How long a promotion or a start may take.
const UP: Duration = Duration::from_mins(3);
/// How long the first log of the new server may take to reach the archive.
const FIRST: Duration = Duration::from_secs(30);

impl PostgresCluster {
    /// Puts the server beside under `name` in the live one's place, and keeps that as `keep`.
    pub(super) async fn swapped(&self, name: &str, keep: &str) -> Result<SafeText, Error> {
        let (live, store) = self.live().await?;
        store.open()?;
        if store.holds(name) {
            self.promoted(&store, name).await?;
            self.stop(&live.id, STOP).await?;
            let down = self.server(&live.id).await?;
            if down.running {
                let message = "could not swap: the live server did not stop";
                return Err(Error::new(Kind::Held, message));
            }
            self.made_volume(&store, keep).await?;
            let (sides, name, keep) = (store.clone(), name.to_owned(), keep.to_owned());
            blocking(move || sides.exchange(&name, &keep)).await?;
        } else if !store.holds(keep) {
            let message = format!("could not swap: neither {name} nor {keep} is beside the server");
            return Err(Error::new(Kind::NotFound, message));
        }
        self.removed(name).await?;
        let up = self.served(&live, &store).await?;
        let kept = store.source(keep);
        Ok(SafeText::new(&format!("{up}; the server before is kept as {}", kept.display())))
    }

    /// Ends the replay of a copy where that was not done, and shuts it down cleanly.
    async fn promoted(&self, store: &Place, name: &str) -> Result<(), Error> {
        let data = store.data_beside(name);
        let found = match self.server(&self.copy_id(name)).await {
            Err(error) if error.kind == Kind::NotFound => None,
            found => Some(found?),
        };
        if let Some(found) = found {
            if !found.up && data.join(SIGNAL).exists() {
                self.start(&found.id).await?;
            }
            if data.join(SIGNAL).exists() || found.up {
                self.out_of_recovery(&found.id).await?;
            }
            self.stop(&found.id, STOP).await?;
        }
        if data.join(SIGNAL).exists() {
            let message = format!(
                "could not swap: the server in {} was not promoted; recover it anew",
                data.display()
            );
            return Err(Error::new(Kind::Rejected, message));
        }
        // One that was not shut down cleanly replays its own last log when it starts.
        let (control, note) = (Control::of(&data)?, Note::read(&data));
        if note.is_some() {
            blocking(move || archived_next(&data, control)).await?;
        }
        Ok(())
    }

    pub(super) async fn out_of_recovery(&self, container: &str) -> Result<(), Error> {
        let wait = self.wait(UP, "promote the recovered server");
        let mut asked = false;
        loop {
            match self.seen(container).await {
                Ok(seen) if !seen.replays => break,
                Ok(_) if !asked => {
                    self.ask(container, "SELECT pg_promote(false)").await?;
                    asked = true;
                }
                Ok(_) | Err(_) => {}
            }
            wait.on().await?;
        }
        self.ask(container, "CHECKPOINT").await.map(drop)
    }

    /// Starts the live server and proves that it serves.
    async fn served(&self, live: &Server, store: &Place) -> Result<String, Error> {
        self.start(&live.id).await?;
        let timeline = Control::of(&store.data())?.timeline;
        let live = &live.id;
        let wait = self.wait(UP, "start the live server");
        while !self.ask(live, "SELECT pg_is_in_recovery()").await.is_ok_and(|said| said == "f") {
            let container = self.server(live).await?;
            if !container.running && container.exit_code.is_some_and(|code| code != 0) {
                let said = self.last_words(live).await;
                let message = format!("could not start the live server: it ended: {said}");
                return Err(Error::new(Kind::Rejected, message));
            }
            wait.on().await?;
        }
        let effect = Note::read(&store.data()).map(|note| note.effect).unwrap_or_default();
        let written = self
            .ask(
                live,
                &format!(
                    "CREATE SCHEMA IF NOT EXISTS backout_kept; CREATE TABLE IF NOT EXISTS \
                     backout_kept.backout_recovery (at timestamptz NOT NULL DEFAULT now(), effect \
                     text NOT NULL); INSERT INTO backout_kept.backout_recovery (effect) VALUES \
                     ({}) RETURNING 1",
                    literal(&effect).trim()
                ),
            )
            .await?;
        let sql = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)";
        let line = u32::from_str_radix(&self.ask(live, sql).await?, 16).unwrap_or_default();
        if written != "1" || line != timeline {
            let message = format!(
                "could not prove the swap: the server answered {written:?} to a write, on timeline \
                 {line} of {timeline}"
            );
            return Err(Error::new(Kind::Rejected, message));
        }
        let archiving = self.archives(live).await;
        Ok(format!("the server takes writes on timeline {timeline}; {archiving}"))
    }

    /// Whether its logs reach the archive again. That they do not is said, and undoes nothing.
    async fn archives(&self, live: &str) -> String {
        let count = "SELECT archived_count, last_failed_wal FROM pg_stat_archiver";
        let of = |text: String| text.parse::<u64>().unwrap_or_default();
        if self.ask(live, "SHOW archive_mode").await.is_ok_and(|mode| mode == "off") {
            return "! it archives no logs: no later moment can be recovered".to_owned();
        }
        let before = of(self.ask(live, count).await.unwrap_or_default());
        self.ask(live, "SELECT pg_switch_wal()").await.ok();
        let wait = self.wait(FIRST, "archive a log");
        loop {
            let now = of(self.ask(live, count).await.unwrap_or_default());
            if now > before {
                return format!(
                    "its logs are archived again ({now} so far): take a new base backup"
                );
            }
            if wait.on().await.is_err() {
                return "! its logs do NOT reach the archive: look at archive_command".to_owned();
            }
        }
    }
}

/// Marks what was written while nothing was archived (the new timeline's history and its whole
/// logs) as a server does, so that the live one archives it first: without it no later recovery
/// would find its way onto this timeline.
fn archived_next(data: &Path, control: Control) -> Result<(), Error> {
    let (logs, like) = (data.join("pg_wal"), data.join("PG_VERSION"));
    let io = |e: std::io::Error| Error::io("read", logs.display(), &e);
    let mark = |name: &str| {
        let state = logs.join("archive_status");
        let known =
            ["done", "ready"].iter().any(|end| state.join(format!("{name}.{end}")).exists());
        if known { Ok(()) } else { put(&state.join(format!("{name}.ready")), b"", &like) }
    };
    let size = fs::read_dir(&logs).map_err(io)?.flatten().find_map(|entry| {
        let segment = entry.file_name().len() == 24;
        segment.then(|| entry.metadata().ok().map(|found| found.len()))?
    });
    let size = size.unwrap_or(16 * 1024 * 1024).max(1);
    let current = control.checkpoint.0 / size;
    for entry in fs::read_dir(&logs).map_err(io)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        match Name::parse(&name, size) {
            Some(Name::History(line)) if line == control.timeline => mark(&name)?,
            Some(Name::Segment(line, number)) if line == control.timeline && number < current => {
                mark(&segment_name(line, number, size))?;
            }
            Some(
                Name::History(_) | Name::Segment(..) | Name::Backup | Name::Partial | Name::Packed,
            )
            | None => {}
        }
    }
    Ok(())
}
