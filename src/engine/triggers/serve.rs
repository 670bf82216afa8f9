//! The endpoint: HTTP on loopback or on a Unix socket, who may call, and how often.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::checks::push;
use crate::clock::Clock;
use crate::config::{Listen, Triggers};
use crate::engine::run::Seen;
use crate::evidence::manifest::Key;
use crate::model::ids::{CheckId, CommandId, Digest, Time};
use crate::text::SafeText;

use super::parse::{Around, Found, Source, parse};
use super::{Call, Taken};

/// The most bytes of a body.
const BODY: usize = 256 * 1024;
/// Connections at once.
const CONNECTIONS: usize = 16;
/// How long one connection may last, with all that is asked on it.
const CONNECTION: Duration = Duration::from_secs(30);
/// How long the engine may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// The window in which calls are counted.
const MINUTE: chrono::Duration = chrono::Duration::seconds(60);

/// What every request needs.
struct Desk {
    triggers: Triggers,
    environment: (String, bool),
    /// The checks whose state is posted.
    posted: Vec<(CheckId, push::Settings)>,
    seen: mpsc::Sender<Seen>,
    clock: Clock,
    /// When calls were taken in the last minute.
    taken: std::sync::Mutex<Vec<Time>>,
}

/// Listens where the configuration says; what went wrong is for people.
///
/// The engine goes on without it: a port that is taken must not keep a rollback from being made.
pub(in crate::engine) async fn serve(
    triggers: &Triggers,
    environment: (String, bool),
    posted: Vec<(CheckId, push::Settings)>,
    seen: mpsc::Sender<Seen>,
    clock: Clock,
) -> Result<(), String> {
    let desk = Desk {
        triggers: triggers.clone(),
        environment,
        posted,
        seen,
        clock,
        taken: std::sync::Mutex::default(),
    };
    let desk = Arc::new(desk);
    let failed = |why: std::io::Error| {
        let place = triggers.listen.shown();
        format!("could not listen for calls on {place}: {why}; nobody can trigger a rollback there")
    };
    match &triggers.listen {
        Listen::Tcp(address) => {
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            tokio::spawn(async move {
                let room = Arc::new(Semaphore::new(CONNECTIONS));
                loop {
                    let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break };
                    match listener.accept().await {
                        Ok((stream, _)) => spawn(stream, &desk, permit),
                        Err(_) => desk.clock.sleep(Duration::from_millis(50)).await,
                    }
                    if desk.seen.is_closed() {
                        break;
                    }
                }
            });
        }
        Listen::Unix(path) => {
            let listener = bind(path).map_err(failed)?;
            tokio::spawn(async move {
                let room = Arc::new(Semaphore::new(CONNECTIONS));
                loop {
                    let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break };
                    match listener.accept().await {
                        Ok((stream, _)) => spawn(stream, &desk, permit),
                        Err(_) => desk.clock.sleep(Duration::from_millis(50)).await,
                    }
                    if desk.seen.is_closed() {
                        break;
                    }
                }
            });
        }
    }
    Ok(())
}

/// A socket that only this user, and the group of its folder, can open; one that nobody listens on
/// any more is taken over.
fn bind(path: &std::path::Path) -> std::io::Result<UnixListener> {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    let left = path.symlink_metadata().is_ok_and(|meta| meta.file_type().is_socket());
    if left && std::os::unix::net::UnixStream::connect(path).is_err() {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

fn spawn(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    desk: &Arc<Desk>,
    permit: tokio::sync::OwnedSemaphorePermit,
) {
    let desk = Arc::clone(desk);
    tokio::spawn(async move {
        let clock = desk.clock.clone();
        let service = hyper::service::service_fn(move |request| {
            let desk = Arc::clone(&desk);
            async move { Ok::<_, std::convert::Infallible>(desk.answer(request).await) }
        });
        let served = hyper::server::conn::http1::Builder::new()
            .max_buf_size(16 * 1024)
            .serve_connection(TokioIo::new(stream), service);
        clock.timeout(CONNECTION, served).await.map(Result::ok).ok();
        drop(permit);
    });
}

/// What a call is sent to.
enum Address {
    /// A call for a rollback.
    Source(Source),
    /// A check whose state is posted.
    Check(String),
}

impl Address {
    fn of(path: &str) -> Option<Self> {
        let check = path.strip_prefix("/checks/").map(str::to_owned);
        check.map(Self::Check).or_else(|| Source::of(path).map(Self::Source))
    }
}

fn say(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{value}\n"))));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn refuse(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    say(status, &json!({ "error": why }))
}

impl Desk {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() == Method::GET && request.uri().path() == "/metrics" {
            return self.metrics(request.headers()).await;
        }
        let Some(address) = Address::of(request.uri().path()) else {
            let why =
                "post to /alertmanager, /github, /gitlab, /trigger or /checks/ID; get /metrics";
            return refuse(StatusCode::NOT_FOUND, why);
        };
        if request.method() != Method::POST {
            return refuse(StatusCode::METHOD_NOT_ALLOWED, "calls are posted");
        }
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, BODY).collect().await else {
            let why = format!("the body is longer than {BODY} bytes, or broke off");
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, &why);
        };
        let body = body.to_bytes();
        if !self.knows(&head.headers, &body) {
            return refuse(StatusCode::UNAUTHORIZED, "the token is missing or is not the one");
        }
        let source = match address {
            Address::Check(name) => return self.post(&name, &body).await,
            Address::Source(source) => source,
        };
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let around = Around {
            environment: (&self.environment.0, self.environment.1),
            id: header("idempotency-key"),
            event: header("x-github-event"),
        };
        let found = match parse(source, &body, around) {
            Ok(found) => found,
            Err(why) => return refuse(StatusCode::BAD_REQUEST, SafeText::new(&why).as_str()),
        };
        if !self.has_room(found.len()) {
            return self.too_many();
        }
        self.take(source, found).await
    }

    /// Keeps what something says of itself for the next look of its check.
    async fn post(&self, name: &str, body: &[u8]) -> Response<Full<Bytes>> {
        let Some((id, settings)) = self.posted.iter().find(|(id, _)| id.as_str() == name) else {
            let why = format!("{} is not a check of kind push", SafeText::new(name));
            return refuse(StatusCode::NOT_FOUND, &why);
        };
        let said: push::Said = match serde_json::from_slice(body) {
            Ok(said) => said,
            Err(why) => {
                let why = format!(
                    "{why}; send {{\"status\": \"ok\"}}, or warn, fail, unknown, with value and note"
                );
                return refuse(StatusCode::BAD_REQUEST, &why);
            }
        };
        if !self.has_room(1) {
            return self.too_many();
        }
        match settings.keep(id, said, self.clock.now()).await {
            Ok(()) => say(StatusCode::ACCEPTED, &json!({ "check": name })),
            Err(error) => refuse(StatusCode::INSUFFICIENT_STORAGE, &error.message),
        }
    }

    fn too_many(&self) -> Response<Full<Bytes>> {
        let why = format!("more than {} calls a minute", self.triggers.per_minute);
        let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, &why);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
        response
    }

    /// The numbers, for Prometheus. Nothing in them is secret: on this machine anybody may read
    /// them, from elsewhere only who knows the token.
    async fn metrics(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let remote = matches!(&self.triggers.listen, Listen::Tcp(at) if !at.ip().is_loopback());
        if remote && !self.knows(headers, b"") {
            return refuse(StatusCode::UNAUTHORIZED, "the token is missing or is not the one");
        }
        let (answer, answered) = oneshot::channel();
        let asked = async {
            self.seen.send(Seen::Scraped(answer)).await.ok()?;
            answered.await.ok()
        };
        let Some(text) = self.clock.timeout(ANSWER, asked).await.ok().flatten() else {
            return refuse(StatusCode::SERVICE_UNAVAILABLE, "the engine did not answer in time");
        };
        let mut response = Response::new(Full::new(Bytes::from(text)));
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }

    /// Hands the calls to the engine, and says what came of them.
    async fn take(&self, source: Source, found: Vec<Found>) -> Response<Full<Bytes>> {
        let mut said: BTreeMap<String, Value> = BTreeMap::new();
        let mut refused = false;
        for (id, call) in found {
            let (answer, answered) = oneshot::channel();
            let by = SafeText::new(&format!("trigger {}", source.name()));
            let named = CommandId(format!("{by} {id}"));
            let sent =
                self.seen.send(Seen::Called(Box::new(Call { by, id: named, said: call, answer })));
            let asked = async {
                sent.await.ok()?;
                answered.await.ok()
            };
            let taken = self.clock.timeout(ANSWER, asked).await.ok().flatten();
            let Some(taken) = taken else {
                // It may be in the journal: its id tells when it is sent again.
                let why = "the engine did not answer in time: send it again";
                return refuse(StatusCode::SERVICE_UNAVAILABLE, why);
            };
            refused |= matches!(taken, Taken::Refused(_));
            said.insert(id, json!(taken.words()));
        }
        let status = if refused { StatusCode::CONFLICT } else { StatusCode::ACCEPTED };
        say(status, &json!({ "calls": said }))
    }

    /// Whether the caller knows the token: as a bearer, in GitLab's header, or by GitHub's
    /// signature over the body.
    fn knows(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let Some(token) = &self.triggers.token else { return true };
        let token = token.reveal().as_bytes();
        let header = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
        let bearer = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        if let Some(said) = bearer.and_then(|value| value.strip_prefix(b"Bearer ")) {
            return same(said, token);
        }
        if let Some(said) = header("x-gitlab-token") {
            return same(said, token);
        }
        let signed = header("x-hub-signature-256").and_then(|value| value.strip_prefix(b"sha256="));
        signed.is_some_and(|said| same(said, Key::holding(token).of(body).to_string().as_bytes()))
    }

    /// Counts calls, at most so many a minute.
    fn has_room(&self, count: usize) -> bool {
        let now = self.clock.now();
        let Ok(mut taken) = self.taken.lock() else { return false };
        taken.retain(|at| now - *at < MINUTE);
        let most = usize::try_from(self.triggers.per_minute).unwrap_or(usize::MAX);
        if taken.len() + count > most {
            return false;
        }
        taken.extend(std::iter::repeat_n(now, count));
        true
    }
}

/// Compares without telling by its time where the two differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    Digest::of(one) == Digest::of(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk(per_minute: u32) -> Desk {
        let (seen, _) = mpsc::channel(1);
        Desk {
            triggers: Triggers {
                listen: Listen::Unix("/nowhere".into()),
                token: Some(crate::adapters::secret::Secret::new("It's a Secret to Everybody")),
                per_minute,
                start: false,
            },
            environment: ("shop".to_owned(), true),
            posted: Vec::new(),
            seen,
            clock: Clock::real(),
            taken: std::sync::Mutex::default(),
        }
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn the_token_is_known_in_three_ways_and_in_no_other() {
        let desk = desk(60);
        // The example of GitHub's own documentation.
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let body = b"Hello, World!";
        assert!(desk.knows(&headers("x-hub-signature-256", signature), body));
        assert!(!desk.knows(&headers("x-hub-signature-256", signature), b"Hello, World?"));
        assert!(desk.knows(&headers("authorization", "Bearer It's a Secret to Everybody"), b""));
        assert!(desk.knows(&headers("x-gitlab-token", "It's a Secret to Everybody"), b""));
        for wrong in ["Bearer ", "Bearer It's", "Basic It's a Secret to Everybody"] {
            assert!(!desk.knows(&headers("authorization", wrong), b""), "{wrong}");
        }
        assert!(!desk.knows(&HeaderMap::new(), b""));
    }

    #[test]
    fn more_calls_than_allowed_find_no_room() {
        let desk = desk(3);
        assert!(desk.has_room(2) && desk.has_room(1));
        assert!(!desk.has_room(1));
        assert!(desk.has_room(0));
    }
}
