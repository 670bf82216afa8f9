//! The HTTP server of the app and the proxy, and the small pieces of requests and answers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::adapters::Error;
use crate::clock::Clock;

/// Why a body ended early.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// A body on its way, in or out.
pub type Body = BoxBody<Bytes, BodyError>;
/// What a server answers with.
pub type Answer = Response<Body>;

/// How long a connection may stay without a request. Clients of ours let go earlier, so that a
/// request is never sent into a connection that is just being closed.
const IDLE_LIMIT: Duration = Duration::from_secs(75);
/// How many connections one server holds.
const CONNECTION_LIMIT: usize = 1024;

/// A body of `text`.
pub fn body(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed()
}

/// An answer of `text`.
pub fn answer(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(body(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// An answer of JSON.
pub fn json(status: StatusCode, value: &Value) -> Answer {
    answer(status, "application/json", format!("{value}\n"))
}

/// A "no" with its reason as JSON.
pub fn refusal(status: StatusCode, why: &str) -> Answer {
    json(status, &serde_json::json!({ "error": why }))
}

/// A request for `path` of `address`.
pub fn request(method: Method, address: SocketAddr, path: &str, text: String) -> Request<Body> {
    let mut request = Request::new(body(text));
    *request.method_mut() = method;
    if let Ok(uri) = path.parse() {
        *request.uri_mut() = uri;
    }
    if let Ok(host) = HeaderValue::from_str(&address.to_string()) {
        request.headers_mut().insert(hyper::header::HOST, host);
    }
    request
}

/// Everything of a body, at most `limit` bytes, or why not.
pub async fn gather<B>(body: B, limit: usize) -> Result<Bytes, String>
where
    B: hyper::body::Body<Data = Bytes>,
    B::Error: Into<BodyError>,
{
    match Limited::new(body, limit).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(e) => Err(e.to_string()),
    }
}

/// Listens on a loopback port; 0 takes a free one.
pub async fn listen(port: u16) -> Result<(TcpListener, SocketAddr), Error> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let failed = |e: std::io::Error| Error::io("listen on", address, &e);
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Serves until `stop` turns true; then accepts no more, lets what is in flight finish for at most
/// `grace`, and cuts the rest.
pub async fn serve<H, F>(
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
    grace: Duration,
    clock: &Clock,
    answerer: H,
) where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let mut connections = JoinSet::new();
    let given = stop.clone();
    loop {
        let room = connections.len() < CONNECTION_LIMIT;
        tokio::select! {
            biased;
            () = turned(&mut stop) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if room => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, given.clone(), answerer.clone()));
                }
                // Out of descriptors: the listener stays readable, so wait instead of spinning.
                Err(_) => clock.sleep(Duration::from_millis(50)).await,
            },
        }
    }
    drop(listener);
    let finish = async { while connections.join_next().await.is_some() {} };
    clock.timeout(grace, finish).await.ok();
    connections.shutdown().await;
}

async fn connection<H, F>(stream: TcpStream, mut stop: watch::Receiver<bool>, answerer: H)
where
    H: Fn(Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    stream.set_nodelay(true).ok();
    let service = hyper::service::service_fn(move |request| {
        let answer = answerer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_LIMIT)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        // A connection that breaks is the peer's affair; requests it held are counted where they are made.
        ended = serving.as_mut() => { ended.ok(); return; }
        () = turned(&mut stop) => {}
    }
    serving.as_mut().graceful_shutdown();
    serving.await.ok();
}

/// Ends when the flag turns true, or when nobody is left who could turn it.
async fn turned(flag: &mut watch::Receiver<bool>) {
    flag.wait_for(|turned| *turned).await.ok();
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, StandIn};

    #[tokio::test]
    async fn a_server_that_stops_finishes_what_is_in_flight_and_takes_no_more() {
        let stage = std::sync::Arc::new(Stage::bare());
        let app = StandIn::new("late", 0).await;
        app.gate.send_replace(false);
        let (asking, at) = (stage.clone(), app.at);
        let asking = tokio::spawn(async move { asking.get(at, "/").await });
        let mut waiting = app.waiting.clone();
        waiting.wait_for(|count| *count == 1).await.unwrap();
        app.stop.send_replace(true);
        while tokio::net::TcpStream::connect(at).await.is_ok() {}
        assert!(!app.task.is_finished());
        app.gate.send_replace(true);
        assert_eq!(asking.await.unwrap(), (200, "late".to_owned()));
        app.task.await.unwrap();
    }
}
