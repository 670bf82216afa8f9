//! A client's end of the socket.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::model::entry::Command;
use crate::model::ids::CommandId;

use super::Error;
use super::frame::{FrameReader, encode};
use super::message::{Answer, FromEngine, Hello, ToEngine, Welcome};

/// How long attaching may take, from the first byte to the welcome.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How long the engine may leave a frame unread.
const UNREAD_LIMIT: Duration = Duration::from_secs(10);
/// How many commands may wait to be written.
const QUEUE: usize = 64;

/// A connection to the engine; a cheap handle. The connection ends with the last of them.
#[derive(Clone, Debug)]
pub struct Client {
    outgoing: mpsc::Sender<Vec<u8>>,
    waiting: Waiting,
    clock: Clock,
}

/// Who waits for which answer; nothing once the engine is gone.
#[derive(Clone, Debug)]
struct Waiting(Arc<Mutex<Option<Waiters>>>);

type Waiters = BTreeMap<CommandId, Vec<oneshot::Sender<Answer>>>;

impl Client {
    /// Attaches to the engine behind `socket`, within 2 s. The receiver gives
    /// [`FromEngine::Changed`] (only the newest, when it is read slowly) and a last
    /// [`FromEngine::Bye`]; it ends when the engine goes away.
    pub async fn connect(
        socket: &Path,
        hello: Hello,
        clock: &Clock,
    ) -> Result<(Self, Welcome, mpsc::Receiver<FromEngine>), Error> {
        Self::connect_within(socket, hello, CONNECT_LIMIT, clock).await
    }

    pub(super) async fn connect_within(
        socket: &Path,
        hello: Hello,
        limit: Duration,
        clock: &Clock,
    ) -> Result<(Self, Welcome, mpsc::Receiver<FromEngine>), Error> {
        let greeting = greet(socket, ToEngine::Hello(hello), clock);
        let (frames, write, welcome) = match clock.timeout(limit, greeting).await {
            Ok(greeted) => greeted?,
            Err(_) => {
                return Err(Error::TimedOut {
                    what: format!("attach to the engine at {}", socket.display()),
                    limit,
                });
            }
        };
        let waiting = Waiting(Arc::new(Mutex::new(Some(BTreeMap::new()))));
        let (outgoing, queued) = mpsc::channel(QUEUE);
        let (pushes, received) = mpsc::channel(1);
        let (leaving, left) = oneshot::channel();
        tokio::spawn(write_out(write, queued, leaving, clock.clone()));
        tokio::spawn(read_in(frames, waiting.clone(), pushes, left));
        let client = Self { outgoing, waiting, clock: clock.clone() };
        Ok((client, welcome, received))
    }

    /// Sends a command and waits at most 5 s for its answer. After [`Error::TimedOut`] or
    /// [`Error::Gone`] the command may have been taken: send it again with the same id.
    pub async fn send(&self, id: CommandId, command: Command) -> Result<Answer, Error> {
        let what = format!("send command {id}");
        let gone = || Error::Gone { what: what.clone() };
        let frame = encode(&ToEngine::Send { id: id.clone(), command })?;
        let answer = self.waiting.wait_for(id).ok_or_else(gone)?;
        let asking = async {
            self.outgoing.send(frame).await.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())
        };
        match self.clock.timeout(ANSWER_LIMIT, asking).await {
            Ok(answered) => answered,
            Err(_) => Err(Error::TimedOut { what: what.clone(), limit: ANSWER_LIMIT }),
        }
    }
}

impl Waiting {
    fn wait_for(&self, id: CommandId) -> Option<oneshot::Receiver<Answer>> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiters = guard.as_mut()?;
        // Those who gave up waiting are dropped here, so that the map does not grow.
        waiters.retain(|_, senders| {
            senders.retain(|sender| !sender.is_closed());
            !senders.is_empty()
        });
        let (sender, receiver) = oneshot::channel();
        waiters.entry(id).or_default().push(sender);
        Some(receiver)
    }

    fn answer(&self, id: &CommandId, answer: &Answer) {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let senders = guard.as_mut().and_then(|waiters| waiters.remove(id));
        for sender in senders.into_iter().flatten() {
            sender.send(answer.clone()).ok();
        }
    }

    fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Connects and exchanges hello and welcome.
async fn greet(
    socket: &Path,
    hello: ToEngine,
    clock: &Clock,
) -> Result<(FrameReader<OwnedReadHalf>, OwnedWriteHalf, Welcome), Error> {
    let stream = UnixStream::connect(socket).await.map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
            Error::NotRunning { socket: socket.to_owned() }
        }
        _ => Error::io("connect to", socket, e),
    })?;
    let (read, mut write) = stream.into_split();
    let mut frames = FrameReader::new(read, clock.clone());
    // An engine that turns us away may have closed already; its reason can still be read.
    write.write_all(&encode(&hello)?).await.ok();
    let frame = frames
        .next()
        .await?
        .ok_or_else(|| Error::Gone { what: "attach to the engine".to_owned() })?;
    match serde_json::from_slice(&frame) {
        Ok(FromEngine::Welcome(welcome)) => Ok((frames, write, welcome)),
        Ok(FromEngine::Bye { why }) => Err(Error::Closed { why }),
        Ok(FromEngine::Answer { .. } | FromEngine::Changed { .. }) => {
            Err(Error::Protocol { why: "the engine did not begin with a welcome".to_owned() })
        }
        Err(e) => Err(Error::Protocol { why: e.to_string() }),
    }
}

/// Writes until the last handle is dropped, which `left` hears of, or the engine does not read.
async fn write_out(
    mut write: OwnedWriteHalf,
    mut queued: mpsc::Receiver<Vec<u8>>,
    left: oneshot::Sender<()>,
    clock: Clock,
) {
    while let Some(frame) = queued.recv().await {
        let written = clock.timeout(UNREAD_LIMIT, write.write_all(&frame)).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
    left.send(()).ok();
}

/// Reads until the engine is gone. Answers go to who waits for them; of news only the newest is
/// kept while the receiver is busy.
async fn read_in(
    mut frames: FrameReader<OwnedReadHalf>,
    waiting: Waiting,
    pushes: mpsc::Sender<FromEngine>,
    mut left: oneshot::Receiver<()>,
) {
    let mut news: Option<FromEngine> = None;
    let mut bye: Option<FromEngine> = None;
    loop {
        let frame = tokio::select! {
            frame = frames.next() => frame,
            Ok(()) = &mut left => return,
            room = pushes.reserve(), if news.is_some() => {
                if let (Ok(room), Some(newest)) = (room, news.take()) {
                    room.send(newest);
                }
                continue;
            }
        };
        let Ok(Some(frame)) = frame else { break };
        match serde_json::from_slice(&frame) {
            Ok(FromEngine::Answer { id, answer }) => waiting.answer(&id, &answer),
            Ok(changed @ FromEngine::Changed { .. }) => news = Some(changed),
            Ok(last @ FromEngine::Bye { .. }) => {
                bye = Some(last);
                break;
            }
            // A second welcome says nothing new, and a word of a newer engine nothing to us.
            Ok(FromEngine::Welcome(_)) | Err(_) => {}
        }
    }
    waiting.end();
    for last in news.into_iter().chain(bye) {
        if pushes.send(last).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
