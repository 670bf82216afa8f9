//! What runs the servers, live and recovered: an engine's containers, or this host. What is done
//! with a server is the same on both; how it is found, asked, started and stopped is here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::adapters::beside::{Place, with};
use crate::adapters::docker::{Container, DockerHost};
use crate::adapters::{Error, Kind};

use super::host::HostPlace;
use super::{ClusterPlace, PostgresCluster};

/// What runs the servers.
#[derive(Clone, Debug)]
pub(super) enum Seat {
    /// An engine, with the live server in a service's container.
    Engine(DockerHost, ClusterPlace),
    /// This host.
    Host(HostPlace),
}

/// A server as it was last seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Server {
    /// By what it is asked, started and stopped: its container, or the folder of its files.
    pub(super) id: String,
    /// For people.
    pub(super) name: String,
    /// Whether it runs at all.
    pub(super) running: bool,
    /// Whether it serves, and does not wait to be started anew.
    pub(super) up: bool,
    /// How it ended.
    pub(super) exit_code: Option<i64>,
    /// Where it is reached from here.
    pub(super) at: Option<(String, u16)>,
}

impl From<Container> for Server {
    fn from(found: Container) -> Self {
        let up = found.is_up();
        let at = found.ports.first().map(|port| (port.address.clone(), port.port));
        let Container { id, name, running, exit_code, .. } = found;
        Self { id, name, running, up, exit_code, at }
    }
}

impl PostgresCluster {
    /// The engine and the service on it, for what only containers have.
    pub(super) fn engine(&self) -> Result<(&DockerHost, &ClusterPlace), Error> {
        match &self.seat {
            Seat::Engine(docker, at) => Ok((docker, at)),
            Seat::Host(_) => {
                let message = "could not use a container: the server runs on this host";
                Err(Error::new(Kind::Rejected, message))
            }
        }
    }

    /// The live server, and where its files lie.
    pub(super) async fn live(&self) -> Result<(Server, Place), Error> {
        let (server, store) = match &self.seat {
            Seat::Engine(docker, at) => {
                let container = docker.of_service(&at.project, &at.service).await?;
                let data = docker.variable_of(&container.id, "PGDATA").await?;
                let data = data.unwrap_or_else(|| "/var/lib/postgresql/data".to_owned());
                let store = Place::of(&container, &at.service, Path::new(&data))?;
                (Server::from(container), store)
            }
            Seat::Host(host) => {
                let (held, below) = (host.data.clone(), PathBuf::new());
                let store = Place { volume: None, inside: held.clone(), held, below };
                (HostPlace::server(&host.data), store)
            }
        };
        self.store.get_or_init(|| store.clone());
        Ok((server, store))
    }

    /// By what the server beside under `name` is asked, started and stopped.
    pub(super) fn copy_id(&self, name: &str) -> String {
        match &self.seat {
            Seat::Engine(_, at) => format!("{}.{}.{name}", at.project, at.service),
            Seat::Host(host) => with(&host.data, name).display().to_string(),
        }
    }

    /// A server as it is now.
    pub(super) async fn server(&self, id: &str) -> Result<Server, Error> {
        match &self.seat {
            Seat::Engine(docker, _) => docker.container(id).await.map(Server::from),
            Seat::Host(_) => Ok(HostPlace::server(Path::new(id))),
        }
    }

    /// Starts a server that is down.
    pub(super) async fn start(&self, id: &str) -> Result<(), Error> {
        match &self.seat {
            Seat::Engine(docker, _) => docker.start(id).await,
            Seat::Host(host) => host.start(Path::new(id), &self.place, &self.clock).await,
        }
    }

    /// Shuts a server down cleanly.
    pub(super) async fn stop(&self, id: &str, limit: Duration) -> Result<(), Error> {
        match &self.seat {
            Seat::Engine(docker, _) => docker.stop(id, limit).await,
            Seat::Host(host) => host.stop(Path::new(id), limit, &self.clock).await,
        }
    }
}
