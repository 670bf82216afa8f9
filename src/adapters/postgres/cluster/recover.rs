//! A recovered server beside the live one: base backup unpacked into a volume of its own, logs
//! replayed up to the target, and there it waits to be looked at.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::adapters::beside::{BESIDE, Place, blocking, gone};
use crate::adapters::database::{Recovery, Told};
use crate::adapters::docker::Beside;
use crate::adapters::process::quoted;
use crate::adapters::{Error, Kind};
use crate::model::ids::Time;
use crate::model::until::{Lsn, Until};
use crate::model::window::Window;
use crate::text::SafeText;

use super::PostgresCluster;
use super::place::{Note, put};
use super::replay::{proven, reached_words};
use super::seat::{Seat, Server};
use super::unpack::unpacked;
use crate::adapters::postgres::dump::telling;
use crate::adapters::postgres::wal::Base;

/// Where the copy's container has the archive.
const ARCHIVE: &str = "/backout/archive";
/// Where it has the files of a live server that is down, for what was not archived yet.
const LIVE: &str = "/backout/live";
/// The file that makes a server replay its archive when it starts.
pub(super) const SIGNAL: &str = "recovery.signal";
/// How long a server may take to shut down cleanly.
pub(super) const STOP: Duration = Duration::from_mins(2);

impl PostgresCluster {
    /// Makes the recovered server `order.name`, up to its target; what a cut-off attempt left under
    /// that name is removed first.
    pub(super) async fn recovered(
        &self,
        order: &Recovery<'_>,
        told: Told<'_>,
    ) -> Result<SafeText, Error> {
        if let Seat::Host(host) = &self.seat {
            return self.recovered_here(host, order, told).await;
        }
        let (live, store) = self.live().await?;
        store.open()?;
        self.removed(order.name).await?;
        let read = Arc::new(AtomicU64::new(0));
        let (path, counted) = (order.base.to_owned(), Arc::clone(&read));
        let size = path.metadata().map_or(0, |found| found.len());
        let work =
            blocking(move || Base::read(&path, &|bytes| counted.store(bytes, Ordering::Relaxed)));
        let base = telling(&self.clock, work, || told(0, size)).await?;
        // A server whose logs do not reach the archive can still go back to where they do.
        let closed = self.close_logs(&live).await;
        let finished = order.base.metadata().and_then(|found| found.modified()).ok();
        let finished = finished.map(Time::from);
        let mut window = self
            .reach((&live, &store), base.label.clone(), (Some(base.system), finished), None)
            .await?;
        self.admitted(&mut window, order.until, closed)?;
        // Unpacked, and then replayed: both are the work.
        let logs = window.end.0.saturating_sub(base.label.start.0);
        let all = base.bytes + logs;
        self.made_volume(&store, order.name).await?;
        let (from, to) = (order.base.to_owned(), store.beside(order.name));
        let (below, counted) = (store.below.clone(), Arc::clone(&read));
        read.store(0, Ordering::Relaxed);
        let whole = base.bytes;
        let work = blocking(move || unpacked((&from, whole), &to, &below, &counted));
        let tell = || told(read.load(Ordering::Relaxed).min(base.bytes), all);
        telling(&self.clock, work, tell).await?;
        let data = store.data_beside(order.name);
        let note =
            Note { effect: order.effect.to_owned(), until: order.until.clone(), reached: None };
        let signal = data.join(SIGNAL);
        blocking(move || {
            put(&signal, b"", &data.join("PG_VERSION"))?;
            note.write(&data)
        })
        .await?;
        let id = self.made_container((&live, &store), order, window.timeline).await?;
        let start = base.label.start;
        let tell = |lsn: Lsn| told(base.bytes + lsn.0.saturating_sub(start.0).min(logs), all);
        let done = self.brought((&id, &store), order, window.timeline, &tell).await?;
        told(all, all);
        Ok(done)
    }

    /// Refuses what cannot be reached; `closed` is how the live server's last log was given out.
    pub(super) fn admitted(
        &self,
        window: &mut Window,
        until: &Until,
        closed: Result<bool, Error>,
    ) -> Result<(), Error> {
        if closed == Ok(true) && window.gaps.is_empty() {
            window.until = self.clock.now();
        }
        window.admit(until).map_err(|why| {
            let failed = closed.err().map(|error| format!("; {error}")).unwrap_or_default();
            Error::new(Kind::Rejected, format!("could not recover: {why}{failed}"))
        })
    }

    /// Starts the server beside, waits until it has replayed up to its target, and proves that.
    pub(super) async fn brought(
        &self,
        (id, store): (&str, &Place),
        order: &Recovery<'_>,
        timeline: u32,
        tell: &(dyn Fn(Lsn) + Send + Sync),
    ) -> Result<SafeText, Error> {
        self.start(id).await?;
        let seen = self.replayed(id, order.until, tell).await?;
        let reached = proven(order.until, &seen)?;
        let mut words = reached_words(order.until, &reached);
        if self.is_locked(id).await? {
            self.out_of_recovery(id).await?;
            words += "; a change of the schema was under way then: promoted, so that it can be \
                      looked into";
        }
        let note = Note {
            effect: order.effect.to_owned(),
            until: order.until.clone(),
            reached: Some(reached),
        };
        let data = store.data_beside(order.name);
        blocking(move || note.write(&data)).await?;
        Ok(SafeText::new(&format!("{words}; timeline {timeline} was followed")))
    }

    /// Makes the volume that holds the copy; a plain folder, and a server of this host, need none.
    pub(super) async fn made_volume(&self, place: &Place, name: &str) -> Result<(), Error> {
        match &self.seat {
            Seat::Engine(docker, at) => docker.make_beside(&at.project, place, name).await,
            Seat::Host(_) => Ok(()),
        }
    }

    async fn made_container(
        &self,
        (live, store): (&Server, &Place),
        order: &Recovery<'_>,
        timeline: u32,
    ) -> Result<String, Error> {
        let (docker, at) = self.engine()?;
        let mut restore = format!("test -f {ARCHIVE}/%f && cp {ARCHIVE}/%f \"%p\"");
        let mut mounts = vec![
            (store.source(order.name), store.inside.clone(), true),
            (at.wal_archive.clone(), PathBuf::from(ARCHIVE), false),
        ];
        if !live.up {
            let own = Path::new(LIVE).join(&store.below).join("pg_wal/%f");
            let own = own.display();
            restore = format!("{{ {restore}; }} || {{ test -f {own} && cp {own} \"%p\"; }}");
            let from = store.volume.as_ref().map_or_else(|| store.held.clone(), PathBuf::from);
            mounts.push((from, PathBuf::from(LIVE), false));
        }
        let settings = [
            ("restore_command", restore),
            ("recovery_target_timeline", timeline.to_string()),
            ("recovery_target_action", "pause".to_owned()),
            ("archive_mode", "off".to_owned()),
            ("hot_standby", "on".to_owned()),
            // Nobody is to write there before it is the live one, promoted or not.
            ("default_transaction_read_only", "on".to_owned()),
            ("primary_conninfo", String::new()),
        ];
        let all = settings.into_iter().chain(order.until.settings());
        let arguments = all.flat_map(|(key, value)| ["-c".to_owned(), format!("{key}={value}")]);
        let ports = docker.container(&live.id).await?.ports;
        let port = ports.iter().find(|port| port.port == self.place.port);
        let name = self.copy_id(order.name);
        let beside = Beside {
            like: &live.id,
            name: &name,
            labels: [(BESIDE.to_owned(), order.name.to_owned())].into(),
            arguments: arguments.collect(),
            mounts,
            port: port.map_or("5432/tcp", |port| port.inside.as_str()),
        };
        docker.create_beside(&beside).await
    }

    /// What a person would type.
    pub(super) fn recover_by_hand(&self, base: &Path, name: &str, keep: &str) -> Vec<String> {
        let at = match &self.seat {
            Seat::Engine(_, at) => at,
            Seat::Host(host) => return host.recover_by_hand(base, name, keep),
        };
        let base = quoted(&base.display().to_string());
        let archive = quoted(&at.wal_archive.display().to_string());
        let (copy, container) = (quoted(name), quoted(&self.copy_id(name)));
        let service = &at.service;
        vec![
            format!("docker volume create {copy}"),
            format!(
                "docker run --rm -i -v {copy}:/pg IMAGE-OF-{service} sh -c 'tar xzf - -C /pg && \
                 touch /pg/{SIGNAL} && chown -R postgres: /pg && chmod 700 /pg' < {base}"
            ),
            format!(
                "docker run -d --name {container} -v {copy}:/var/lib/postgresql/data \
                 -v {archive}:{ARCHIVE}:ro IMAGE-OF-{service} postgres -c archive_mode=off \
                 -c 'restore_command=cp {ARCHIVE}/%f %p' -c recovery_target_time=… \
                 -c recovery_target_action=pause"
            ),
            format!(
                "docker exec {container} psql -U {} -c 'SELECT pg_promote()'; docker stop \
                 {container}; docker compose -p {} stop {service}; keep the live volume's files as \
                 {keep} and move those of {copy} there; docker compose -p {} start {service}",
                quoted(&self.place.user),
                at.project,
                at.project
            ),
        ]
    }

    /// Removes a copy: its container, then its volume. The live one and kept ones are never
    /// removed: their names are others.
    pub(super) async fn removed(&self, name: &str) -> Result<(), Error> {
        let (_, store) = self.live().await?;
        let container = self.copy_id(name);
        match &self.seat {
            Seat::Engine(docker, _) => docker.remove_beside(&container, &store, name).await,
            Seat::Host(_) => {
                self.stop(&container, STOP).await?;
                let folder = store.beside(name);
                blocking(move || gone(&folder)).await
            }
        }
    }
}
