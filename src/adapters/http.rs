//! HTTP/1.1 by our own hand: one connection per look, each phase timed, everything bounded.
//!
//! Redirects are not followed (a 3xx is a status), no proxy variable is read, no compression is
//! asked for, at most [`HEADERS`] headers and [`BODY`] bytes of a body are kept. The caller limits
//! the time by dropping the work ([`once`] does it by itself).

use std::error::Error as _;
use std::fmt;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use super::secret::Secret;
use super::tcp::{self, Trace};
use super::tls::{self, Certificate, Trust};
use super::{Error, Kind};
use crate::clock::Clock;
use crate::model::ids::Time;

/// Bytes of a body that are read; a longer one is cut and the connection closed.
pub const BODY: usize = 64 * 1024;
/// Headers of an answer beyond which it is not HTTP any more.
pub const HEADERS: usize = 100;
/// Bytes of the head of an answer.
const HEAD: usize = 64 * 1024;

/// An `http` or `https` address, taken apart. Its path may hold a secret: `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    tls: bool,
    host: String,
    port: u16,
    path: String,
    authority: String,
    trust: Option<Trust>,
}

impl Target {
    /// Takes `url` apart, or says what is wrong with it, without its text.
    pub fn parse(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|e| format!("is not a URL: {e}"))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) | None => return Err("does not begin with http:// or https://".into()),
        };
        let authority = uri.authority().ok_or("names no host")?;
        if authority.as_str().contains('@') {
            return Err("holds a user name; send it as a header instead".into());
        }
        let host = authority.host();
        if host.is_empty() {
            return Err("names no host".into());
        }
        let named = authority.as_str().len() > host.len();
        if named && authority.port_u16().is_none_or(|port| port == 0) {
            return Err("has a port that is not between 1 and 65535".into());
        }
        Ok(Self {
            tls,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            path: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            authority: authority.as_str().to_owned(),
            trust: None,
        })
    }

    /// The same place with another path, which begins with `/`.
    #[must_use]
    pub fn at(&self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self.clone() }
    }

    /// The same place below its own path: `/query` below `https://host/prometheus/`.
    #[must_use]
    pub fn below(&self, path: &str) -> Self {
        let base = self.path.split('?').next().unwrap_or_default();
        self.at(&format!("{}{path}", base.trim_end_matches('/')))
    }

    /// The same place, its certificate trusted when `trust` says so.
    #[must_use]
    pub fn trusting(self, trust: Trust) -> Self {
        Self { trust: Some(trust), ..self }
    }

    /// Host and port as they were written, which is what `Host` says.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Scheme, host and port: `https://example.org:8443`.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority)
    }

    /// The host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is spoken to with TLS.
    pub fn is_secure(&self) -> bool {
        self.tls
    }

    /// `host:port`, for messages.
    pub fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.place()).finish()
    }
}

/// What to send.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// Headers beside Host and User-Agent.
    pub headers: Vec<(HeaderName, Secret)>,
    /// The body; empty for a look.
    pub body: Bytes,
}

impl Call {
    /// A look: GET without a body.
    pub fn get() -> Self {
        Self { method: Method::GET, headers: Vec::new(), body: Bytes::new() }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers, foreign: [`crate::text::SafeText`] before they are shown.
    pub headers: HeaderMap,
    /// The first bytes of the body: [`BODY`] of them, or as many as were asked for.
    pub body: Vec<u8>,
    /// Whether that was all of it.
    pub whole: bool,
    /// Until when the certificate of the server is valid, where it has one that can be read.
    pub certificate_until: Option<Time>,
}

/// What bytes go over: plain or inside TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// An open connection; closed when dropped.
pub struct Line {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
    spent: bool,
    certificate_until: Option<Time>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Line {
    /// Connects to `target`, with TLS where it is asked for.
    pub async fn open(target: &Target, trace: &mut Trace) -> Result<Self, Error> {
        let tcp = tcp::connect(&target.host, target.port, trace).await?;
        let mut certificate_until = None;
        let stream: Box<dyn Stream> = if target.tls {
            let trust = target.trust.clone().map_or_else(Trust::browsers, Ok)?;
            let stream = tls::secure(&trust, &target.host, &target.place(), tcp, trace).await?;
            let certificate = Certificate::of_peer(&stream);
            certificate_until = certificate.map(|certificate| certificate.not_after);
            Box::new(stream)
        } else {
            Box::new(tcp)
        };
        let (sender, connection) = Builder::new()
            .max_headers(HEADERS)
            .max_buf_size(HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|e| broken(target, &e))?;
        let driver = tokio::spawn(async move {
            connection.await.ok();
        });
        Ok(Self { sender, driver, spent: false, certificate_until })
    }

    /// Whether another request can be sent on it.
    pub fn reusable(&self) -> bool {
        !self.spent && self.sender.is_ready()
    }

    /// Sends `call` and reads the answer, at most [`BODY`] bytes of it.
    pub async fn ask(
        &mut self,
        target: &Target,
        call: &Call,
        trace: &mut Trace,
    ) -> Result<Answer, Error> {
        self.ask_for(target, call, BODY, trace).await
    }

    /// The same with at most `most` bytes of a body.
    pub async fn ask_for(
        &mut self,
        target: &Target,
        call: &Call,
        most: usize,
        trace: &mut Trace,
    ) -> Result<Answer, Error> {
        self.spent = true;
        trace.stage = "waiting for the answer";
        trace.status = None;
        let request = request(target, call)?;
        let begun = Instant::now();
        let answer = self.sender.send_request(request).await.map_err(|e| broken(target, &e))?;
        trace.phases.first_byte.get_or_insert(begun.elapsed());
        let status = answer.status().as_u16();
        trace.status = Some(status);
        trace.stage = "reading the answer";
        let (head, body) = answer.into_parts();
        let (body, whole) = read(target, body, most).await?;
        if whole {
            // Ready again only once the connection has seen the end of the body.
            self.spent = self.sender.ready().await.is_err();
        }
        let certificate_until = self.certificate_until;
        Ok(Answer { status, headers: head.headers, body, whole, certificate_until })
    }
}

/// One request on its own connection, all of it within `limit`.
///
/// Fails with the kind of silence it met; a passed limit says what was being done.
pub async fn once(
    target: &Target,
    call: &Call,
    limit: Duration,
    clock: &Clock,
) -> (Result<Answer, Error>, Trace) {
    once_for(target, call, BODY, limit, clock).await
}

/// The same with at most `most` bytes of a body.
pub async fn once_for(
    target: &Target,
    call: &Call,
    most: usize,
    limit: Duration,
    clock: &Clock,
) -> (Result<Answer, Error>, Trace) {
    let mut trace = Trace::default();
    let work = async {
        let mut line = Line::open(target, &mut trace).await?;
        line.ask_for(target, call, most, &mut trace).await
    };
    let ended = clock.timeout(limit, work).await;
    let result = ended.unwrap_or_else(|_| Err(late(target, &trace, limit)));
    (result, trace)
}

/// The error for a look whose time was up.
pub fn late(target: &Target, trace: &Trace, limit: Duration) -> Error {
    let seconds = limit.as_secs_f64();
    let message = match trace.status {
        Some(status) => format!(
            "could not read the answer of {}: {status}, but no end of it in {seconds:.1} s",
            target.place()
        ),
        None => format!(
            "could not ask {}: no answer in {seconds:.1} s while {}",
            target.place(),
            trace.stage
        ),
    };
    Error::new(Kind::TimedOut, message)
}

fn request(target: &Target, call: &Call) -> Result<Request<Full<Bytes>>, Error> {
    let mut request = Request::builder()
        .method(call.method.clone())
        .uri(&target.path)
        .header(HOST, &target.authority)
        .header(USER_AGENT, concat!("backout/", env!("CARGO_PKG_VERSION")));
    for (name, value) in &call.headers {
        let mut sent = HeaderValue::from_str(value.reveal())
            .map_err(|_| unsendable(target, "a header value holds a control character"))?;
        sent.set_sensitive(true);
        request = request.header(name, sent);
    }
    request.body(Full::new(call.body.clone())).map_err(|e| unsendable(target, &e.to_string()))
}

fn unsendable(target: &Target, why: &str) -> Error {
    Error::new(Kind::Local, format!("could not ask {}: {why}", target.place()))
}

async fn read(target: &Target, mut body: Incoming, most: usize) -> Result<(Vec<u8>, bool), Error> {
    let mut kept = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| broken(target, &e))?;
        let Some(bytes) = frame.data_ref() else {
            continue;
        };
        let room = most.saturating_sub(kept.len());
        if bytes.len() > room {
            kept.extend_from_slice(bytes.get(..room).unwrap_or_default());
            return Ok((kept, false));
        }
        kept.extend_from_slice(bytes);
    }
    Ok((kept, true))
}

/// Translates hyper's errors; none of them holds a URL or a header.
fn broken(target: &Target, error: &hyper::Error) -> Error {
    let place = target.place();
    if let Some(io) = error.source().and_then(|source| source.downcast_ref::<std::io::Error>()) {
        let known = tcp::broken("read from", &place, io);
        // An I/O error that we have no name for came over the line: the peer broke it.
        return match known.kind {
            Kind::Local => Error::new(Kind::Reset, known.message),
            _ => known,
        };
    }
    let why = if error.is_parse_too_large() {
        format!("more than {HEADERS} headers or {} KiB of them", HEAD / 1024)
    } else if error.is_parse() {
        "the answer is not HTTP".to_owned()
    } else {
        "the connection was closed before the answer ended".to_owned()
    };
    Error::new(Kind::Reset, format!("could not read from {place}: {why}"))
}
