//! A whole server, in a container of a Compose project or on this host, which can be brought back
//! to a moment from a base backup and its logs (S-35, W-02, design 25). The recovered one lies in a
//! volume or folder of its own beside the live one, is looked at there, and takes its place by a
//! rename; the one before is kept (W-15).

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;

use crate::adapters::beside::Place;
use crate::adapters::docker::DockerHost;
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::model::ids::Time;

use self::seat::Seat;
use super::{PostgresDatabase, PostgresPlace};

mod ask;
mod backrest;
mod backup;
mod copy;
mod database;
mod host;
mod host_recover;
mod place;
mod reach;
mod recover;
mod replay;
mod seat;
mod swap;
mod unpack;

pub use host::HostPlace;

/// How often a server at work is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// Where a server's container, its volume and its archive are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterPlace {
    /// The Compose project.
    pub project: String,
    /// The service.
    pub service: String,
    /// The folder of this host where its logs are archived.
    pub wal_archive: PathBuf,
}

/// A server, with one of its databases as the application's.
#[derive(Clone)]
pub struct PostgresCluster {
    seat: Seat,
    place: PostgresPlace,
    plain: PostgresDatabase,
    /// Where its files lie, once that was looked at.
    store: Arc<OnceLock<Place>>,
    clock: Clock,
}

impl std::fmt::Debug for PostgresCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresCluster").field("seat", &self.seat).finish_non_exhaustive()
    }
}

/// The way to a copy, whose tools nobody uses: it is only looked at.
struct NoTools;

#[async_trait]
impl super::tools::PgTools for NoTools {
    fn called(&self, _effect: &str) -> Arc<dyn super::tools::PgTools> {
        Arc::new(Self)
    }

    async fn run(&self, call: super::tools::ToolCall) -> Result<super::tools::ToolEnded, Error> {
        let message = format!("could not run {}: a copy is only looked at", call.tool.program());
        Err(Error::new(Kind::Local, message))
    }
}

impl PostgresCluster {
    /// The server of `at`; `plain` is the application's database on it, at `place`.
    pub fn new(
        docker: DockerHost,
        at: ClusterPlace,
        (place, plain): (PostgresPlace, PostgresDatabase),
        clock: Clock,
    ) -> Self {
        Self { seat: Seat::Engine(docker, at), place, plain, store: Arc::default(), clock }
    }

    /// The server of this host at `host`; `plain` is the application's database on it, at `place`.
    pub fn on_host(
        host: HostPlace,
        (place, plain): (PostgresPlace, PostgresDatabase),
        clock: Clock,
    ) -> Self {
        Self { seat: Seat::Host(host), place, plain, store: Arc::default(), clock }
    }

    /// The database of the copy's own server.
    async fn on_copy(&self, name: &str) -> Result<PostgresDatabase, Error> {
        let place = self.copy_place(name).await?;
        Ok(PostgresDatabase::new(place, Arc::new(NoTools), self.clock.clone()))
    }

    /// Where that is.
    async fn copy_place(&self, name: &str) -> Result<PostgresPlace, Error> {
        let shown = self.copy_id(name);
        let no = |why: &str| {
            let message = format!("could not look into the recovered server {shown}: {why}");
            Error::new(Kind::Refused, message)
        };
        let found = match self.server(&shown).await {
            Err(error) if error.kind == Kind::NotFound => return Err(no("it does not run")),
            found => found?,
        };
        if !found.up {
            return Err(no("it does not run"));
        }
        let (host, port) = found.at.ok_or_else(|| no("it publishes no port"))?;
        // On this host it is reached as the live one is: by its socket, or over the network.
        let host = match &self.seat {
            Seat::Host(_) if !self.place.host.starts_with('/') => "127.0.0.1".to_owned(),
            Seat::Host(_) | Seat::Engine(..) => host,
        };
        Ok(PostgresPlace { host, port, ..self.place.clone() })
    }
}

/// A wait that ends.
struct Wait<'a> {
    clock: &'a Clock,
    began: Time,
    limit: Duration,
    what: &'a str,
}

impl Wait<'_> {
    /// A moment later; `TimedOut` when it has taken too long.
    async fn on(&self) -> Result<(), Error> {
        let allowed = chrono::Duration::from_std(self.limit).unwrap_or_default();
        if self.clock.now() - self.began > allowed {
            return Err(Error::timed_out(self.what, self.limit));
        }
        self.clock.sleep(EVERY).await;
        Ok(())
    }
}

impl PostgresCluster {
    /// Begins to wait for `what`.
    fn wait<'a>(&'a self, limit: Duration, what: &'a str) -> Wait<'a> {
        Wait { clock: &self.clock, began: self.clock.now(), limit, what }
    }
}
