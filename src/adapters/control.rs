//! A small HTTP/1.1 client for control ports and plain looks: one request, one connection, one
//! deadline for everything.

use std::pin::pin;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::clock::Clock;

use super::{Error, Kind};

/// The most of a body that is read, in bytes; a longer one is an error.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The body, at most [`BODY_LIMIT`].
    pub body: Vec<u8>,
}

impl Reply {
    /// Whether the status is 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON, or nothing when it is none.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The colour that it names as its `environment`.
    pub fn environment(&self) -> Option<String> {
        Some(self.json()?.get("environment")?.as_str()?.to_owned())
    }
}

/// Asks `url` for what it has, within `limit`. Redirects are answers, not followed.
pub async fn get(url: &str, limit: Duration, clock: &Clock) -> Result<Reply, Error> {
    bounded(Method::GET, url, Bytes::new(), limit, clock).await
}

/// Sends `order` to `url` within `limit`. A timed out order may have been carried out.
pub async fn post(
    url: &str,
    order: &Value,
    limit: Duration,
    clock: &Clock,
) -> Result<Reply, Error> {
    let body = Bytes::from(order.to_string());
    bounded(Method::POST, url, body, limit, clock).await
}

async fn bounded(
    method: Method,
    url: &str,
    body: Bytes,
    limit: Duration,
    clock: &Clock,
) -> Result<Reply, Error> {
    let what = format!("{method} {url}");
    match clock.timeout(limit, exchange(method, url, body)).await {
        Ok(done) => done,
        Err(_) => Err(Error::timed_out(what, limit)),
    }
}

async fn exchange(method: Method, url: &str, body: Bytes) -> Result<Reply, Error> {
    let uri: Uri = url
        .parse()
        .map_err(|e| Error::new(Kind::Local, format!("could not read address {url}: {e}")))?;
    let (host, port) = target(&uri, url)?;
    let stream = connect(&host, port, url).await?;
    let broken = |e: hyper::Error| broken(&method, url, &e);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::builder()
        .method(method.clone())
        .uri(path)
        .header(HOST, uri.authority().map_or("", |name| name.as_str()))
        .header(CONNECTION, "close")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(body))
        .map_err(|e| Error::new(Kind::Local, format!("could not {method} {url}: {e}")))?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), BODY_LIMIT)
            .collect()
            .await
            .map_err(|e| Error::new(Kind::Reset, format!("could not {method} {url}: {e}")))?;
        Ok(Reply { status, body: body.to_bytes().to_vec() })
    };
    let (mut answer, connection) = (pin!(answer), pin!(connection));
    tokio::select! {
        biased;
        reply = &mut answer => return reply,
        // The peer closed after its last byte: what has arrived is still to be read.
        _ended = connection => {}
    }
    answer.await
}

fn target(uri: &Uri, url: &str) -> Result<(String, u16), Error> {
    let no = |why: &str| Error::new(Kind::Local, format!("could not use address {url}: {why}"));
    if uri.scheme_str() != Some("http") {
        return Err(no("only http:// is spoken here"));
    }
    let host = uri.host().ok_or_else(|| no("it names no host"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok((host.to_owned(), uri.port_u16().unwrap_or(80)))
}

async fn connect(host: &str, port: u16, url: &str) -> Result<TcpStream, Error> {
    let addresses: Vec<_> = tokio::net::lookup_host((host, port))
        .await
        .map_err(|e| Error::new(Kind::NotResolved, format!("could not resolve {host}: {e}")))?
        .collect();
    let mut last =
        Error::new(Kind::NotResolved, format!("could not resolve {host}: it has no address"));
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(e) => last = Error::io("connect to", url, &e),
        }
    }
    Err(last)
}

fn broken(method: &Method, url: &str, error: &hyper::Error) -> Error {
    use std::error::Error as _;
    let why =
        error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    Error::new(Kind::Reset, format!("could not {method} {url}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Answers one connection with exactly these bytes.
    async fn answering(bytes: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/x", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = [0; 1024];
            let _read = stream.read(&mut seen).await.unwrap();
            stream.write_all(bytes).await.unwrap();
        });
        url
    }

    const LIMIT: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn an_answer_that_ends_with_the_connection_is_read_whole() {
        let url = answering(b"HTTP/1.1 200 OK\r\n\r\n{\"a\":1}").await;
        let reply = get(&url, LIMIT, &Clock::real()).await.unwrap();
        assert_eq!(reply.json().unwrap()["a"], 1);
    }

    #[tokio::test]
    async fn a_closed_connection_without_an_answer_is_a_reset() {
        let url = answering(b"").await;
        let error = get(&url, LIMIT, &Clock::real()).await.unwrap_err();
        assert_eq!(error.kind, Kind::Reset, "{error}");
    }

    #[tokio::test]
    async fn rubbish_instead_of_http_is_a_reset() {
        let url = answering(b"SSH-2.0-OpenSSH\r\n").await;
        let error = get(&url, LIMIT, &Clock::real()).await.unwrap_err();
        assert_eq!(error.kind, Kind::Reset, "{error}");
    }

    #[tokio::test]
    async fn nobody_listening_is_refused() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", free.local_addr().unwrap());
        drop(free);
        let error = get(&url, LIMIT, &Clock::real()).await.unwrap_err();
        assert_eq!(error.kind, Kind::Refused, "{error}");
    }

    #[tokio::test]
    async fn silence_times_out_and_says_so() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let error = get(&url, Duration::from_millis(100), &Clock::real()).await.unwrap_err();
        assert_eq!(error.kind, Kind::TimedOut);
        assert!(error.message.starts_with("could not GET http://127"));
    }

    #[tokio::test]
    async fn a_body_beyond_the_limit_is_an_error_not_memory() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
        });
        let error = get(&url, LIMIT, &Clock::real()).await.unwrap_err();
        assert!(error.message.contains("limit"), "{error}");
    }
}
