//! A Kubernetes cluster behind its API server (M-06 to M-18), spoken to without `kubectl`.
//!
//! Thin: what is asked is asked once, within a limit. A change whose answer did not come is unknown,
//! never failed: it may still happen, so every change can carry what it was read as
//! ([`Write::version`], a uid), and one that comes late finds that it has changed.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::{Method, Request};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::clock::Clock;
use crate::text::SafeText;

use super::{Error, Kind as No};

mod calls;
mod cluster;
mod fence;
mod kept;
mod kind;
mod lines;
mod logs;
mod object;
mod rights;
mod traffic;
mod watch;
mod words;
mod workload;

pub use calls::{Delete, Patch, Write};
pub use fence::KubeFence;
pub use kind::{Kind, Resource};
pub use logs::LogAsk;
pub use object::Object;
pub use rights::{NEEDED, Right};
pub use traffic::{KubeTraffic, KubeTrafficSettings};
pub use watch::{FRESH, Known, Watched};
pub use workload::{EFFECT, KubeParts, KubeWorkload, REPLICAS, REVISION, version_of};

/// The name under which this program changes objects.
pub const MANAGER: &str = "backout";

/// How long a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// How long a question may take: less than a look at a step's effect may.
const LOOK_LIMIT: Duration = Duration::from_secs(4);
/// How long a change may take.
const CHANGE_LIMIT: Duration = Duration::from_secs(15);
/// The largest answer, in bytes.
const ANSWER_LIMIT: usize = 32 * 1024 * 1024;

/// Which cluster, as whom, and where in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubeSettings {
    /// The file with cluster, user and token; without one, what a pod is given by its cluster.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it; without one, the current one.
    pub context: Option<String>,
    /// The namespace that is worked in.
    pub namespace: String,
}

/// A namespace of a cluster. Connects when it is first asked, and says so when nobody answers.
#[derive(Clone)]
pub struct Kube {
    shared: Arc<Shared>,
    namespace: String,
    clock: Clock,
}

struct Shared {
    settings: KubeSettings,
    /// The client and the server's address; made anew when the server no longer knows us.
    client: Mutex<Option<(Client, String)>>,
    allowed: rights::Allowed,
}

impl fmt::Debug for Kube {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kube({})", self.namespace)
    }
}

/// Which cluster answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterIdentity {
    /// The uid of its `kube-system`: it keeps it as long as it lives (G19).
    pub uid: String,
    /// The address it was reached at.
    pub server: SafeText,
}

/// What is asked: a method and a path, and what to send.
struct Call<'a> {
    /// `verb thing`, for people.
    what: &'a str,
    method: Method,
    path: String,
    /// The type and the bytes of what is sent.
    body: Option<(&'static str, Vec<u8>)>,
}

impl Kube {
    /// The namespace of `settings`. Nothing is asked yet.
    pub fn new(settings: KubeSettings, clock: Clock) -> Self {
        let namespace = settings.namespace.clone();
        let shared = Shared { settings, client: Mutex::new(None), allowed: Mutex::default() };
        Self { shared: Arc::new(shared), namespace, clock }
    }

    /// The same cluster, elsewhere in it.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..self.clone() }
    }

    /// The namespace that is worked in.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What it was set to.
    pub fn settings(&self) -> &KubeSettings {
        &self.shared.settings
    }

    /// How `kubectl` is told the same cluster and namespace, for commands that a person types.
    pub fn kubectl(&self) -> String {
        use std::fmt::Write as _;
        let mut words = "kubectl".to_owned();
        if let Some(file) = &self.shared.settings.kubeconfig {
            write!(words, " --kubeconfig {}", file.display()).ok();
        }
        if let Some(context) = &self.shared.settings.context {
            write!(words, " --context {context}").ok();
        }
        write!(words, " -n {}", self.namespace).ok();
        words
    }

    /// Which cluster answers. Needs the right to get the namespace `kube-system`.
    pub async fn identity(&self) -> Result<ClusterIdentity, Error> {
        let what = "ask the cluster who it is";
        let Some(system) = self.get(Kind::Namespace, "kube-system").await? else {
            let message = format!("could not {what}: it has no namespace kube-system");
            return Err(Error::new(No::NotFound, message));
        };
        let (_, server) = self.client(what).await?;
        Ok(ClusterIdentity { uid: system.uid().to_owned(), server: SafeText::new(&server) })
    }

    /// The namespace that the context names; `default` where it names none.
    pub async fn own_namespace(&self) -> Result<String, Error> {
        self.config("find the namespace").await.map(|config| config.default_namespace)
    }

    /// The address of the API server.
    pub async fn server(&self) -> Result<String, Error> {
        self.client("find the API server").await.map(|(_, server)| server)
    }

    fn kept(&self) -> Option<(Client, String)> {
        self.shared.client.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, client: Option<(Client, String)>) {
        *self.shared.client.lock().unwrap_or_else(PoisonError::into_inner) = client;
    }

    /// The client and the server's address.
    async fn client(&self, what: &str) -> Result<(Client, String), Error> {
        if let Some(kept) = self.kept() {
            return Ok(kept);
        }
        let config = self.config(what).await?;
        let server = config.cluster_url.to_string();
        // What gives the token may be a program that is started and waited for.
        let making = tokio::task::spawn_blocking(move || Client::try_from(config));
        let made = match self.clock.timeout(LOOK_LIMIT, making).await {
            Err(_) => return Err(Error::timed_out(format!("{what} at {server}"), LOOK_LIMIT)),
            Ok(Err(error)) => Err(error.to_string()),
            Ok(Ok(made)) => made.map_err(|error| error.to_string()),
        };
        let client = made.map_err(|why| {
            let why = SafeText::new(&why);
            Error::new(No::Local, format!("could not {what} at {server}: {why}"))
        })?;
        self.keep(Some((client.clone(), server.clone())));
        Ok((client, server))
    }

    async fn config(&self, what: &str) -> Result<Config, Error> {
        let settings = &self.shared.settings;
        let unusable = |why: String| {
            let place = settings.kubeconfig.as_ref().map_or_else(
                || "what the cluster gives a pod".to_owned(),
                |file| file.display().to_string(),
            );
            let why = SafeText::new(&why);
            let message = format!(
                "could not {what}: {place}: {why}; check platform.kubernetes (kubeconfig, context)"
            );
            Error::new(No::Local, message)
        };
        let mut config = match &settings.kubeconfig {
            None => Config::incluster_env().map_err(|error| unusable(error.to_string()))?,
            Some(file) => {
                let read = Kubeconfig::read_from(file).map_err(|e| unusable(e.to_string()))?;
                let options =
                    KubeConfigOptions { context: settings.context.clone(), ..Default::default() };
                Config::from_custom_kubeconfig(read, &options)
                    .await
                    .map_err(|error| unusable(error.to_string()))?
            }
        };
        config.connect_timeout = Some(CONNECT_LIMIT);
        // What may have happened is looked at, not sent again.
        config.default_retry = false;
        Ok(config)
    }

    /// Asks once, within the limit for a question or a change; the bytes of a good answer.
    async fn call(&self, call: Call<'_>) -> Result<Vec<u8>, Error> {
        let changes = call.method != Method::GET;
        let limit = if changes { CHANGE_LIMIT } else { LOOK_LIMIT };
        let what = call.what.to_owned();
        let (client, server) = self.client(&what).await?;
        let request = request(call)?;
        let asked = Box::pin(async {
            let answer =
                client.send(request).await.map_err(|e| words::broken(&what, &server, &e))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_LIMIT);
            let bytes = body.collect().await.map_err(|error| {
                let why = SafeText::new(&error.to_string());
                let message = format!("could not {what}: the answer of {server} broke off: {why}");
                Error::new(No::Reset, message)
            })?;
            Ok::<_, Error>((status, bytes.to_bytes()))
        });
        let answered = self.clock.timeout(limit, asked).await;
        let (status, bytes) =
            answered.map_err(|_| words::silent(&what, &server, limit, changes))??;
        if status.is_success() {
            return Ok(bytes.to_vec());
        }
        if status == hyper::StatusCode::UNAUTHORIZED {
            // The next call reads the file anew: it may hold a fresh token by then.
            self.keep(None);
        }
        Err(words::refused(&what, status.as_u16(), &bytes, changes))
    }
}

fn request(call: Call<'_>) -> Result<Request<Body>, Error> {
    let (kind, bytes) = call.body.unwrap_or(("application/json", Vec::new()));
    let request = Request::builder()
        .method(call.method)
        .uri(call.path)
        .header("accept", "application/json")
        .header("content-type", kind)
        .body(Body::from(bytes));
    request.map_err(|error| Error::new(No::Local, format!("could not {}: {error}", call.what)))
}

#[cfg(test)]
mod tests;
