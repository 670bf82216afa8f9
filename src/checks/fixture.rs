//! Servers on 127.0.0.1 that speak raw bytes, for the tests of checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::http_response::{Settings, Statuses};
use super::threshold::Thresholds;
use super::{CheckKind, CheckSpec, ProbeCx};
use crate::adapters::http::Target;
use crate::adapters::secret::Secret;
use crate::clock::Clock;
use crate::model::reading::Policy;
use crate::model::signal::Role;

/// One GET of `url` that is good with 200.
pub(crate) fn http(url: &str) -> Settings {
    Settings {
        url: Secret::plain(url),
        target: Target::parse(url).unwrap(),
        headers: Vec::new(),
        method: hyper::Method::GET,
        body: hyper::body::Bytes::new(),
        expected: Statuses(vec![(200, 200)]),
        thresholds: Thresholds::default(),
        expect: Vec::new(),
        requests: 1,
    }
}

/// A server that hands every connection to `speak`; ends with the runtime of its test.
pub(super) struct Server {
    pub(super) port: u16,
    /// Connections so far.
    pub(super) connections: Arc<AtomicUsize>,
}

impl Server {
    pub(super) async fn start<F, W>(speak: F) -> Self
    where
        F: Fn(TcpStream) -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(speak(stream));
            }
        });
        Self { port, connections }
    }

    /// Reads one request and says `bytes`, then keeps silent without closing.
    pub(super) async fn says(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(move |mut stream| {
            let bytes = bytes.clone();
            async move {
                request(&mut stream).await;
                stream.write_all(&bytes).await.ok();
                std::future::pending::<()>().await;
            }
        })
        .await
    }

    /// Answers the n-th request of all with `answer(n)`, n from 0, on connections that stay open.
    pub(super) async fn answers(answer: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        let (answer, asked) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        Self::start(move |mut stream| {
            let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
            async move {
                while request(&mut stream).await {
                    let text = answer(asked.fetch_add(1, Ordering::Relaxed));
                    if stream.write_all(text.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

/// Reads to the end of a request's head; false when the client is gone.
pub(super) async fn request(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    true
}

/// An answer with a length.
pub(super) fn answer(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// A port on which nothing listens.
pub(super) async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

/// A check of `kind` with the limit `timeout`.
pub(super) fn spec(kind: CheckKind, timeout: Duration) -> CheckSpec {
    CheckSpec {
        id: "under_test".into(),
        name: "Under test".into(),
        interval: Duration::from_secs(5),
        fast_interval: Duration::from_secs(1),
        timeout,
        policy: Policy {
            fail_after: 3,
            ok_after: 2,
            fail_window: None,
            stale_after: Duration::from_secs(30),
        },
        role: Role {
            service: "backend".into(),
            critical: true,
            counts_requests: true,
            database: false,
            corruption: false,
        },
        live: true,
        phases: Vec::new(),
        enabled: true,
        attempts: 1,
        clear: None,
        kind,
    }
}

pub(super) fn cx() -> ProbeCx {
    ProbeCx { clock: Clock::real(), dir: "/".into() }
}
