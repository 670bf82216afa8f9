//! Connections of our own that were opened before a switch: a switched service sends only new ones
//! elsewhere, and a cluster does not count those that stay.

use std::fmt;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::adapters::control::{BODY_LIMIT, Reply};
use crate::clock::Clock;
use crate::model::ids::Color;

/// How many are opened.
const LINES: usize = 4;
/// How long opening or asking all of them may take.
const LIMIT: Duration = Duration::from_secs(2);

/// Open connections to where users come in.
#[derive(Default)]
pub(super) struct Lines {
    host: String,
    open: Vec<SendRequest<Empty<Bytes>>>,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lines({} to {})", self.open.len(), self.host)
    }
}

impl Lines {
    /// Opens them, each with one answer received. Fewer or none where that does not work: they
    /// only measure.
    pub(super) async fn open(url: &str, clock: &Clock) -> Self {
        let uri: Uri = url.parse().unwrap_or_default();
        let (Some("http"), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return Self::default();
        };
        let port = uri.port_u16().unwrap_or(80);
        let mut lines = Self { host: format!("{host}:{port}"), open: Vec::new() };
        let opening = async {
            for _ in 0..LINES {
                let Ok(stream) = TcpStream::connect((host, port)).await else { return };
                let Ok((sender, connection)) = handshake(TokioIo::new(stream)).await else {
                    return;
                };
                // Ends with the sender, or when the other side does.
                tokio::spawn(connection);
                lines.open.push(sender);
            }
        };
        clock.timeout(LIMIT, opening).await.ok();
        lines.meet(clock).await;
        lines
    }

    /// Asks each of them who answers; what no longer answers is closed and left out of the rest.
    pub(super) async fn meet(&mut self, clock: &Clock) -> Vec<Option<String>> {
        let mut found = Vec::new();
        let mut still = Vec::new();
        for mut sender in std::mem::take(&mut self.open) {
            match clock.timeout(LIMIT, ask(&mut sender, &self.host)).await {
                Ok(Some(reply)) => {
                    found.push(reply.environment());
                    still.push(sender);
                }
                Ok(None) | Err(_) => found.push(None),
            }
        }
        self.open = still;
        found
    }

    /// Whether there were some, and none of them meets `color` any more.
    pub(super) async fn all_left(&mut self, color: &Color, clock: &Clock) -> bool {
        let found = self.meet(clock).await;
        !found.is_empty() && found.iter().all(|who| who.as_deref() != Some(color.as_str()))
    }
}

async fn ask(sender: &mut SendRequest<Empty<Bytes>>, host: &str) -> Option<Reply> {
    sender.ready().await.ok()?;
    let request = Request::get("/health").header("host", host).body(Empty::new()).ok()?;
    let response = sender.send_request(request).await.ok()?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), BODY_LIMIT).collect().await.ok()?;
    Some(Reply { status, body: body.to_bytes().to_vec() })
}
