//! Keep-alive connections to one address.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::clock::Clock;

use super::http::{Body, BodyError, body};

/// A connection idle for longer is not used again: the server could be closing it.
const REUSE_LIMIT: Duration = Duration::from_secs(20);
/// How many idle connections are kept.
const IDLE_LIMIT: usize = 64;
/// How long connecting may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Connections to one address.
#[derive(Clone, Debug)]
pub struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    clock: Clock,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    /// Raised when all connections are to be given up; those in use are not kept afterwards.
    generation: u64,
    connections: Vec<(SendRequest<Body>, Instant)>,
}

/// How asking failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Nothing listens there, or it does not take the connection.
    Refused,
    /// The connection broke before an answer came.
    Reset,
}

impl Broken {
    /// The word in logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Reset => "reset",
        }
    }
}

impl Pool {
    /// No connections yet.
    pub fn new(address: SocketAddr, clock: &Clock) -> Self {
        Self(Arc::new(Shared { address, clock: clock.clone(), idle: Mutex::default() }))
    }

    /// Where it asks.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Closes the idle connections; those in use close when they are done.
    pub fn close_idle(&self) {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.generation += 1;
        idle.connections.clear();
    }

    /// Asks, over a kept connection where there is one. A request that a kept connection lost
    /// without an answer is asked once more on a fresh one if that cannot do harm.
    pub async fn ask(&self, request: Request<Body>) -> Result<Response<Reply>, Broken> {
        let again = replay(&request);
        let Some((sender, generation)) = self.kept().await else {
            return self.ask_fresh(request).await;
        };
        let mut sender = sender;
        match sender.try_send_request(request).await {
            Ok(response) => Ok(self.reply(response, sender, generation)),
            Err(mut lost) => match lost.take_message().or(again) {
                Some(request) => self.ask_fresh(request).await,
                None => Err(Broken::Reset),
            },
        }
    }

    async fn ask_fresh(&self, request: Request<Body>) -> Result<Response<Reply>, Broken> {
        let generation = self.generation();
        let connecting = TcpStream::connect(self.0.address);
        let connected = self.0.clock.timeout(CONNECT_LIMIT, connecting).await;
        let Ok(Ok(stream)) = connected else {
            return Err(Broken::Refused);
        };
        stream.set_nodelay(true).ok();
        let (mut sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|_| Broken::Reset)?;
        // It ends when the sender is dropped or the peer closes.
        tokio::spawn(connection);
        match sender.send_request(request).await {
            Ok(response) => Ok(self.reply(response, sender, generation)),
            Err(_) => Err(Broken::Reset),
        }
    }

    fn reply(
        &self,
        response: Response<Incoming>,
        sender: SendRequest<Body>,
        generation: u64,
    ) -> Response<Reply> {
        response.map(|incoming| Reply {
            incoming,
            pool: self.clone(),
            ended: false,
            connection: Some((sender, generation)),
        })
    }

    fn generation(&self) -> u64 {
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.generation
    }

    async fn kept(&self) -> Option<(SendRequest<Body>, u64)> {
        loop {
            let (mut sender, generation) = {
                let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
                let (sender, since) = idle.connections.pop()?;
                if since.elapsed() > REUSE_LIMIT {
                    // The newest is on top: the others are older still.
                    idle.connections.clear();
                    return None;
                }
                (sender, idle.generation)
            };
            let ready = sender.ready();
            if let Ok(Ok(())) = self.0.clock.timeout(CONNECT_LIMIT, ready).await {
                return Some((sender, generation));
            }
        }
    }

    fn keep(&self, sender: SendRequest<Body>, generation: u64) {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if generation == idle.generation
            && idle.connections.len() < IDLE_LIMIT
            && !sender.is_closed()
        {
            idle.connections.push((sender, Instant::now()));
        }
    }
}

/// The same request again, if it has no body and only looks.
fn replay(request: &Request<Body>) -> Option<Request<Body>> {
    let looks = matches!(*request.method(), Method::GET | Method::HEAD);
    if !looks || !request.body().is_end_stream() {
        return None;
    }
    let mut again = Request::new(body(""));
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.headers_mut() = request.headers().clone();
    Some(again)
}

/// A body that gives its connection back to the pool when it was read to its end, and closes it
/// when it was not.
#[derive(Debug)]
pub struct Reply {
    incoming: Incoming,
    pool: Pool,
    ended: bool,
    connection: Option<(SendRequest<Body>, u64)>,
}

impl Reply {
    /// As a body of ours.
    pub fn into_body(self) -> Body {
        BodyExt::boxed(self)
    }
}

impl hyper::body::Body for Reply {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Err(_))) => self.connection = None,
            Poll::Ready(None) => self.ended = true,
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled.map(|frame| frame.map(|read| read.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if (self.ended || self.incoming.is_end_stream())
            && let Some((sender, generation)) = self.connection.take()
        {
            self.pool.keep(sender, generation);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::http::{gather, listen, request};
    use super::super::stage::LIMIT;
    use super::*;

    /// Asks twice of a server that answers the first request of each connection and closes it at
    /// the second without a word; says how the second went and how many connections there were.
    async fn second(method: Method) -> (Result<u16, Broken>, u32) {
        let clock = Clock::real();
        let (listener, at) = listen(0).await.unwrap();
        let (count, connections) = tokio::sync::watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.send_modify(|count| *count += 1);
                let mut asked = [0; 1024];
                assert_ne!(stream.read(&mut asked).await.unwrap(), 0);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                stream.write_all(answer).await.unwrap();
                drop(stream.read(&mut asked).await);
            }
        });
        let pool = Pool::new(at, &clock);
        let asking = async {
            let mut last = Err(Broken::Refused);
            for _ in 0..2 {
                last = match pool.ask(request(method.clone(), at, "/", String::new())).await {
                    Ok(answer) => {
                        let status = answer.status().as_u16();
                        gather(answer.into_body(), 10).await.unwrap();
                        Ok(status)
                    }
                    Err(broken) => Err(broken),
                };
            }
            last
        };
        let last = clock.timeout(LIMIT, Box::pin(asking)).await.unwrap();
        (last, *connections.borrow())
    }

    #[tokio::test]
    async fn a_look_lost_on_a_kept_connection_is_asked_once_more_on_a_fresh_one() {
        assert_eq!(second(Method::GET).await, (Ok(200), 2));
    }

    #[tokio::test]
    async fn a_change_lost_on_a_kept_connection_is_not_repeated() {
        assert_eq!(second(Method::POST).await, (Err(Broken::Reset), 1));
    }
}
