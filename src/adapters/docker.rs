//! A container engine behind a socket: Docker, or Podman's compatible service; on another host
//! behind a socket that stands for it.
//!
//! Thin: what is asked is asked once, within a limit, and an answer that did not come in time is
//! unknown, never done. Containers of a project are found by their labels, never by their names.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;

use crate::clock::Clock;
use crate::text::{SafeText, fit};

use super::{Error, Kind};
use address::Address;
use tunnel::Tunnel;

mod address;
mod beside;
mod container;
mod exec;
mod fence;
mod folder;
mod stored;
mod streams;
mod tools;
mod tunnel;

pub use address::{FORMS, is_address};
pub use beside::Beside;
pub use container::{Container, Endpoint, Mount, Port, Top};
pub use exec::{Exec, ExecInput, ExecOutput, Executed};
pub use fence::DockerFence;
pub use stored::{Image, Network, Volume};
pub use streams::{DockerEvent, LogLine, Stats};
pub use tools::DockerTools;

/// The label of a container's project.
pub const PROJECT: &str = "com.docker.compose.project";
/// The label of a container's service.
pub const SERVICE: &str = "com.docker.compose.service";
/// The label of a volume's name within its project.
pub const VOLUME: &str = "com.docker.compose.volume";
/// Where Docker listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// How long a question may take.
const LOOK_LIMIT: Duration = Duration::from_secs(5);
/// How long a change may take beside what it is told to wait.
const CHANGE_LIMIT: Duration = Duration::from_secs(30);
/// What the library itself allows: our own limits end a call before.
const LIBRARY_LIMIT: u64 = 24 * 60 * 60;
/// The most of the engine's words in an error.
const WORDS: usize = 400;

/// The engine of one host. Connects when it is first asked, and says so when nobody answers.
#[derive(Clone)]
pub struct DockerHost {
    shared: Arc<Shared>,
    clock: Clock,
}

struct Shared {
    address: Address,
    /// What is spoken to.
    socket: String,
    /// How that leads to another host.
    tunnel: Option<Arc<Tunnel>>,
    docker: OnceCell<Docker>,
}

impl fmt::Debug for DockerHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DockerHost({})", self.shared.socket)
    }
}

/// Which engine answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// Its own id, which it keeps over restarts.
    pub id: String,
    /// The host's name.
    pub name: SafeText,
    /// Its version.
    pub version: SafeText,
}

impl DockerHost {
    /// The engine at `address` ([`FORMS`], or the path of a socket); without one, Docker's default
    /// socket. Nothing is asked yet. Refused: what is no address.
    pub fn connect(address: Option<&str>, clock: Clock) -> Result<Self, Error> {
        let text = address.unwrap_or(DEFAULT_SOCKET);
        let Some(address) = Address::parse(text) else {
            let text = SafeText::new(text);
            let message = format!("could not use the container engine at {text}: {FORMS}");
            return Err(Error::new(Kind::Rejected, message));
        };
        let (socket, tunnel) = match &address {
            Address::Socket(path) => (path.clone(), None),
            Address::Ssh { .. } | Address::Tls { .. } => {
                let tunnel = Tunnel::to(&address)?;
                (tunnel.socket(), Some(tunnel))
            }
        };
        let socket = socket.display().to_string();
        Ok(Self {
            shared: Arc::new(Shared { address, socket, tunnel, docker: OnceCell::new() }),
            clock,
        })
    }

    /// Where it is, in words: a socket's path, or the address of another host.
    pub fn shown(&self) -> String {
        match &self.shared.address {
            Address::Socket(path) => path.display().to_string(),
            Address::Ssh { .. } | Address::Tls { .. } => {
                let by_hand = self.shared.address.by_hand();
                by_hand.rsplit(' ').next().unwrap_or(&by_hand).to_owned()
            }
        }
    }

    /// How `docker` is called by hand for it.
    pub fn by_hand(&self) -> String {
        self.shared.address.by_hand()
    }

    /// The socket on this host that a volume's files are behind; nothing for an engine elsewhere.
    fn local_socket(&self) -> Option<&str> {
        self.shared.tunnel.is_none().then_some(self.shared.socket.as_str())
    }

    /// Sees that the way to another host is open, for tools that are started with its address.
    pub async fn reach(&self) -> Result<(), Error> {
        let Some(tunnel) = &self.shared.tunnel else { return Ok(()) };
        tunnel.open(&self.clock).await.map_err(|error| {
            let message = format!(
                "could not reach the container engine at {}: {}",
                self.shown(),
                error.message
            );
            Error::new(error.kind, message)
        })
    }

    /// The address as tools take it in `DOCKER_HOST`.
    pub fn address(&self) -> String {
        format!("unix://{}", self.shared.socket)
    }

    /// Whether it answers at all.
    pub async fn ping(&self) -> Result<(), Error> {
        let what = "reach the container engine";
        let docker = self.docker(what).await?;
        self.ask(what, LOOK_LIMIT, docker.ping()).await.map(drop)
    }

    /// Which engine answers.
    pub async fn daemon(&self) -> Result<Daemon, Error> {
        let docker = self.docker("ask the engine who it is").await?;
        let info = self.ask("ask the engine who it is", LOOK_LIMIT, docker.info()).await?;
        // Podman's is another one with each answer.
        let said = self.ask("ask the engine who it is", LOOK_LIMIT, docker.version()).await?;
        let podman = said.components.iter().flatten().any(|part| part.name.contains("Podman"));
        let id = info.id.filter(|id| !id.is_empty() && !podman);
        Ok(Daemon {
            // An engine without an id of its own is known by its host and its folder.
            id: id.unwrap_or_else(|| {
                let root = info.docker_root_dir.unwrap_or_default();
                format!("{}:{root}", info.name.clone().unwrap_or_default())
            }),
            name: info.name.unwrap_or_default().into(),
            version: info.server_version.unwrap_or_default().into(),
        })
    }

    /// The client, in a version of the protocol that the engine speaks.
    async fn docker(&self, what: &str) -> Result<&Docker, Error> {
        self.reach().await?;
        let connect = async {
            let plain = Docker::connect_with_unix(
                &self.shared.socket,
                LIBRARY_LIMIT,
                bollard::API_DEFAULT_VERSION,
            )
            .map_err(|error| self.no(what, &error))?;
            self.ask(what, LOOK_LIMIT, plain.negotiate_version()).await
        };
        self.shared.docker.get_or_try_init(|| connect).await
    }

    /// Asks within `limit`; `what` is `verb thing`. The library's futures are large: none of them
    /// lies in those of whoever asks.
    fn ask<'a, T: Send + 'a>(
        &'a self,
        what: &'a str,
        limit: Duration,
        work: impl Future<Output = Result<T, bollard::errors::Error>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, Error>> {
        let work = Box::pin(work);
        Box::pin(async move {
            match self.clock.timeout(limit, work).await {
                Ok(done) => done.map_err(|error| self.no(what, &error)),
                Err(_) => Err(Error::timed_out(what, limit)),
            }
        })
    }

    /// What the library says, in our words.
    fn no(&self, what: &str, error: &bollard::errors::Error) -> Error {
        use bollard::errors::Error as Said;
        if let Said::DockerResponseServerError { status_code, message } = error {
            let kind = match status_code {
                404 => Kind::NotFound,
                401 | 403 => Kind::Denied,
                _ => Kind::Rejected,
            };
            let message = SafeText::new(message.trim());
            return Error::new(
                kind,
                format!("could not {what}: the engine said: {}", fit(message.as_str(), WORDS)),
            );
        }
        if matches!(error, Said::RequestTimeoutError) {
            return Error::timed_out(what, Duration::from_secs(LIBRARY_LIMIT));
        }
        let socket = self.shown();
        let away = |kind, why: &str| {
            let help = "start it (systemctl start docker), or name another socket";
            Error::new(kind, format!("could not {what}: {why} {socket}; {help}"))
        };
        // An engine that is away is no answer: what was asked for may be there or not.
        if matches!(error, Said::SocketNotFoundError(_)) {
            return away(Kind::Refused, "no container engine at");
        }
        let Some(io) = io_error(error) else {
            let said = SafeText::new(&innermost(error).to_string());
            let message = format!(
                "could not {what}: the container engine at {socket} broke off ({}); see that it \
                 runs (systemctl status docker)",
                fit(said.as_str(), WORDS)
            );
            return Error::new(Kind::Reset, message);
        };
        match io.kind() {
            std::io::ErrorKind::NotFound => away(Kind::Refused, "no container engine at"),
            std::io::ErrorKind::ConnectionRefused => {
                away(Kind::Refused, "the container engine does not answer at")
            }
            std::io::ErrorKind::PermissionDenied => {
                let help = "be root, or in the socket's group";
                let message = format!("could not {what}: {socket} may not be opened; {help}");
                Error::new(Kind::Denied, message)
            }
            _ => Error::io(what, format!("at {socket}"), io),
        }
    }
}

/// What lies at the bottom of it, and says most.
fn innermost(error: &bollard::errors::Error) -> &dyn std::error::Error {
    let mut last: &dyn std::error::Error = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last
}

/// The I/O error at the bottom of it.
fn io_error(error: &bollard::errors::Error) -> Option<&std::io::Error> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = match error {
        bollard::errors::Error::IOError { err } => return Some(err),
        _ => error.source(),
    };
    while let Some(one) = next {
        if let Some(io) = one.downcast_ref::<std::io::Error>() {
            return Some(io);
        }
        next = one.source();
    }
    None
}

#[cfg(test)]
mod tests;
