//! The reverse proxy: sends each request to the active colour, and switches without dropping one.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode, Uri, Version, header};
use tokio::sync::watch;

use crate::adapters::Error;
use crate::clock::Clock;
use crate::text::SafeText;

use super::answers::fresh_id;
use super::children;
use super::disk::{append, stamp};
use super::http::{self, Answer, Body, refusal};
use super::layout::{Color, Layout, Ports};
use super::passing::{Flight, Passing};
use super::pool::{Broken, Pool};
use super::proxy_control::{self, Kept};
use super::proxy_hold::instead;

/// How long the first byte of an answer is waited for, and then the rest of it.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// How long requests in flight may take to finish after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// Headers that belong to one connection and are not passed on.
const HOP_BY_HOP: [&str; 7] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The proxy of one stack.
#[derive(Debug)]
pub struct Proxy {
    pub(super) layout: Layout,
    pub(super) clock: Clock,
    pub(super) requests: AtomicU64,
    pub(super) failed: AtomicU64,
    blue: Upstream,
    green: Upstream,
    kept: Mutex<Kept>,
}

/// One colour, seen from the proxy.
#[derive(Debug)]
pub struct Upstream {
    pub(super) pool: Pool,
    pub(super) in_flight: watch::Sender<u64>,
    /// Raised to end what is in flight now.
    pub(super) cut: watch::Sender<u64>,
}

impl Upstream {
    fn new(port: u16, clock: &Clock) -> Self {
        Self {
            pool: Pool::new(SocketAddr::from(([127, 0, 0, 1], port)), clock),
            in_flight: watch::Sender::new(0),
            cut: watch::Sender::new(0),
        }
    }
}

impl Proxy {
    /// A proxy in front of the two ports, with the active colour it had when it last ran.
    pub fn new(layout: &Layout, ports: Ports, clock: &Clock) -> Self {
        Self {
            layout: layout.clone(),
            clock: clock.clone(),
            requests: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            blue: Upstream::new(ports.blue, clock),
            green: Upstream::new(ports.green, clock),
            kept: Mutex::new(Kept::load(layout, clock.now())),
        }
    }

    pub(super) fn upstream(&self, color: Color) -> &Upstream {
        match color {
            Color::Blue => &self.blue,
            Color::Green => &self.green,
        }
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, what: &str) {
        let line = format!("{} {what}\n", stamp(self.clock.now()));
        // A log that cannot be written does not stop the traffic.
        append(&self.layout.at("proxy.log"), &line).ok();
    }

    /// Passes one request on to the colour that is active now.
    pub async fn forward(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (color, held) = {
            let kept = self.kept();
            (kept.active, instead(&kept.holds, request.method()))
        };
        if let Some(refused) = held {
            return refused;
        }
        let upstream = self.upstream(color);
        let flight = Flight::begin(&self, color);
        let mut cut = upstream.cut.subscribe();
        let shown = SafeText::new(request.uri().path());
        let method = request.method().clone();
        let Some((request, id)) = outgoing(request) else {
            return refusal(
                StatusCode::BAD_REQUEST,
                "could not pass the request on: its target is not a path",
            );
        };
        let asking = self.clock.timeout(ANSWER_LIMIT, upstream.pool.ask(request));
        let asked = tokio::select! {
            biased;
            asked = asking => asked,
            _ = cut.changed() => Ok(Err(Broken::Reset)),
        };
        let (status, why) = match asked {
            Ok(Ok(response)) => {
                return self.pass(response.map(super::pool::Reply::into_body), flight, cut);
            }
            Ok(Err(broken)) => (StatusCode::BAD_GATEWAY, broken.word()),
            Err(_) => (StatusCode::GATEWAY_TIMEOUT, "no answer in 30 s"),
        };
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.note(&format!(
            "ERROR request_id={id} {color} {method} {shown} {} {why}",
            status.as_u16()
        ));
        refusal(status, &format!("could not ask {color}: {why}"))
    }

    fn pass(
        &self,
        response: Response<Body>,
        flight: Flight,
        mut cut: watch::Receiver<u64>,
    ) -> Answer {
        if response.status().is_server_error() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        let clock = self.clock.clone();
        let end = async move {
            tokio::select! {
                _ = cut.changed() => "cut at the end of draining",
                () = clock.sleep(ANSWER_LIMIT) => "no end of the answer in 30 s",
            }
        };
        let served_by = HeaderValue::from_static(flight.color.word());
        let mut answer = response.map(|inner| {
            let passing = Passing { inner, end: Box::pin(end), flight };
            BodyExt::boxed(passing)
        });
        for name in HOP_BY_HOP {
            answer.headers_mut().remove(name);
        }
        answer.headers_mut().insert("x-served-by", served_by);
        *answer.version_mut() = Version::HTTP_11;
        answer
    }
}

/// The request as it goes to a colour with its id, or nothing if it has no path.
fn outgoing(request: Request<Incoming>) -> Option<(Request<Body>, SafeText)> {
    let (mut parts, incoming) = request.into_parts();
    let path = parts.uri.path_and_query()?.as_str();
    parts.uri = path.starts_with('/').then(|| path.parse::<Uri>().ok())??;
    parts.version = Version::HTTP_11;
    for name in HOP_BY_HOP {
        parts.headers.remove(name);
    }
    let given = parts.headers.entry("x-request-id");
    let id = given.or_insert(fresh_id().parse().ok()?);
    let id = SafeText::from_bytes(id.as_bytes());
    if !parts.headers.contains_key(header::HOST) {
        parts.headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    }
    let body = incoming.map_err(Into::into).boxed();
    Some((Request::from_parts(parts, body), id))
}

/// Runs the proxy until `told` ends, and returns the exit code.
pub async fn run(
    layout: &Layout,
    command: Vec<String>,
    told: impl Future<Output = ()>,
    clock: &Clock,
) -> Result<u8, Error> {
    let ports = layout.demo()?.ports;
    let (public, address) = http::listen(ports.public).await?;
    let (control, control_address) = http::listen(ports.control).await?;
    let proxy = Arc::new(Proxy::new(layout, ports, clock));
    children::announce(layout, "proxy", Some(address), command)?;
    proxy.note(&format!("INFO answers at {address}, is told at {control_address}"));

    let (stop, stopped) = watch::channel(false);
    let forwarding = proxy.clone();
    let serving = http::serve(public, stopped.clone(), GRACE, clock, move |request| {
        forwarding.clone().forward(request)
    });
    let told_what = proxy.clone();
    let controlling = http::serve(control, stopped, GRACE, clock, move |request| {
        proxy_control::answer(told_what.clone(), request)
    });
    let stopping = async {
        told.await;
        stop.send_replace(true);
    };
    tokio::join!(serving, controlling, stopping);
    proxy.note("INFO stopped");
    Ok(0)
}

#[cfg(test)]
mod tests;
