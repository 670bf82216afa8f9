//! One client on the engine's end: hello, welcome, commands in, answers and news out.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::model::entry::{Author, Command};
use crate::model::ids::CommandId;
use crate::text::SafeText;

use super::Error;
use super::frame::{FrameReader, encode};
use super::message::{
    Answer, ClientKind, FromEngine, Hello, PROTOCOL, ToEngine, VERSION, Welcome, may,
};
use super::server::{Inbox, ServerEvent, Share, Shared};

/// How long a new connection may take to say hello.
const HELLO_LIMIT: Duration = Duration::from_secs(2);
/// How long a client may leave a frame unread.
const UNREAD_LIMIT: Duration = Duration::from_secs(10);
/// The longest that a claimed name, address or version is kept, in characters.
const CLAIM_LIMIT: usize = 128;

/// Serves one connection until either side ends it.
pub(super) async fn serve(
    stream: UnixStream,
    shared: Arc<Shared>,
    events: mpsc::Sender<ServerEvent>,
) {
    let Some(attested) = attested(&stream) else {
        return turn_away(&stream, "the kernel does not say who you are");
    };
    let us = rustix::process::geteuid().as_raw();
    if !admits(shared.share, us, attested.uid) {
        return turn_away(&stream, "this engine is not shared with you");
    }
    let (read, mut write) = stream.into_split();
    let mut frames = FrameReader::new(read, shared.clock.clone());
    let hello = match first_frame(&mut frames, &shared).await {
        Ok(Some(hello)) => hello,
        Ok(None) => return,
        Err(why) => return say_bye(&mut write, why, &shared.clock).await,
    };
    let inbox = shared.admit();
    let client = inbox.client;
    let visitor = Visitor::new(client, &attested, &hello);
    attend(visitor, frames, write, inbox, &shared, &events).await;
    shared.dismiss(client);
}

/// Tells a connection that was not taken why, as far as it fits without waiting.
pub(super) fn turn_away(stream: &UnixStream, why: &str) {
    if let Ok(frame) = encode(&FromEngine::Bye { why: why.to_owned() }) {
        stream.try_write(&frame).ok();
    }
}

/// Whether somebody with uid `peer` may attach to an engine of uid `us`. With a group the kernel
/// has already checked the socket's mode.
fn admits(share: Share, us: u32, peer: u32) -> bool {
    match share {
        Share::Alone => peer == us || peer == 0,
        Share::Group(_) => true,
    }
}

/// What the kernel says about the other end.
fn attested(stream: &UnixStream) -> Option<Author> {
    let peer = stream.peer_cred().ok()?;
    Some(Author { uid: peer.uid(), login_uid: peer.pid().and_then(login_uid), ..Author::default() })
}

/// The audit login uid of a process; 4294967295 stands for none.
fn login_uid(pid: i32) -> Option<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/loginuid")).ok()?;
    parse_login_uid(&text)
}

fn parse_login_uid(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}

/// A client that has said hello.
struct Visitor {
    client: u64,
    author: Author,
    kind: ClientKind,
    version: String,
    read_only: bool,
}

impl Visitor {
    fn new(client: u64, attested: &Author, hello: &Hello) -> Self {
        Self {
            client,
            author: Author {
                name: claimed(&hello.name),
                ssh: hello.ssh.as_deref().map(claimed),
                ..*attested
            },
            kind: hello.kind,
            version: claimed(&hello.version).to_string(),
            read_only: hello.version != VERSION || hello.protocol != PROTOCOL,
        }
    }
}

fn claimed(text: &str) -> SafeText {
    SafeText::from(text.chars().take(CLAIM_LIMIT).collect::<String>())
}

/// The hello, or nothing when the connection closed, or what to say before closing it.
async fn first_frame(
    frames: &mut FrameReader<OwnedReadHalf>,
    shared: &Shared,
) -> Result<Option<Hello>, String> {
    let frame = match shared.clock.timeout(HELLO_LIMIT, frames.next()).await {
        Ok(Ok(Some(frame))) => frame,
        Ok(Ok(None)) => return Ok(None),
        Ok(Err(e)) => return Err(e.to_string()),
        Err(_) => return Err("no hello within 2 s".to_owned()),
    };
    match serde_json::from_slice(&frame) {
        Ok(ToEngine::Hello(hello)) => Ok(Some(hello)),
        Ok(ToEngine::Send { .. }) => Err("a command before the hello".to_owned()),
        Err(e) => Err(format!("the first frame is no hello: {e}")),
    }
}

/// From the welcome to the end of the connection.
async fn attend(
    visitor: Visitor,
    mut frames: FrameReader<OwnedReadHalf>,
    mut write: OwnedWriteHalf,
    inbox: Inbox,
    shared: &Shared,
    events: &mpsc::Sender<ServerEvent>,
) {
    // Subscribed before the welcome is made: what changes after it is heard.
    let news = shared.news.subscribe();
    let ending = shared.ending.subscribe();
    let welcome = FromEngine::Welcome(Welcome {
        protocol: PROTOCOL,
        version: VERSION.to_owned(),
        pid: std::process::id(),
        epoch: shared.epoch,
        seq: news.borrow().0,
        client: visitor.client,
        read_only: visitor.read_only,
    });
    if send(&mut write, &welcome, &shared.clock).await.is_err() {
        return;
    }
    let attached = ServerEvent::Attached {
        client: visitor.client,
        author: visitor.author.clone(),
        kind: visitor.kind,
        version: visitor.version.clone(),
        read_only: visitor.read_only,
    };
    let client = visitor.client;
    let Inbox { answers, cut, .. } = inbox;
    let (ended, end) = oneshot::channel();
    let writing = write_out(write, Outgoing { answers, news, ending, end }, &shared.clock);
    let reading = async {
        if events.send(attached).await.is_ok() {
            let why = read_commands(&mut frames, &visitor, shared, events).await;
            ended.send(why).ok();
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = writing => {}
        () = reading => {}
        () = cut.notified() => {}
    }
    // The connection is closed before the engine, which may be busy, hears of it.
    drop(frames);
    events.send(ServerEvent::Gone { client }).await.ok();
}

/// Passes commands on until the client leaves; what to say when it is we who close.
async fn read_commands(
    frames: &mut FrameReader<OwnedReadHalf>,
    visitor: &Visitor,
    shared: &Shared,
    events: &mpsc::Sender<ServerEvent>,
) -> Option<String> {
    loop {
        let frame = match frames.next().await {
            Ok(Some(frame)) => frame,
            Ok(None) => return None,
            Err(e) => return Some(e.to_string()),
        };
        let (id, command) = match understand(&frame) {
            Understood::Command(id, command) => (id, command),
            Understood::Foreign(id) => {
                refuse(shared, visitor.client, id, "this engine does not know the command");
                continue;
            }
            Understood::Nothing(why) => return Some(why),
        };
        if !may(visitor.kind, visitor.read_only, &command) {
            let why = if visitor.read_only {
                "this client and the engine are of different versions"
            } else {
                "an observer does not start anything"
            };
            refuse(shared, visitor.client, id, why);
            continue;
        }
        let event = ServerEvent::Command {
            client: visitor.client,
            author: visitor.author.clone(),
            id,
            command,
        };
        if events.send(event).await.is_err() {
            return Some("the engine ends".to_owned());
        }
    }
}

fn refuse(shared: &Shared, client: u64, id: CommandId, why: &str) {
    let answer = Answer::Refused {
        why: why.to_owned(),
        hint: format!("attach with backout {VERSION}; stopping works from here"),
    };
    shared.answer(client, id, answer);
}

enum Understood {
    Command(CommandId, Command),
    /// A command of another version.
    Foreign(CommandId),
    Nothing(String),
}

fn understand(frame: &[u8]) -> Understood {
    match serde_json::from_slice(frame) {
        Ok(ToEngine::Send { id, command }) => Understood::Command(id, command),
        Ok(ToEngine::Hello(_)) => Understood::Nothing("a second hello".to_owned()),
        Err(e) => foreign_id(frame).map_or_else(
            || Understood::Nothing(format!("a frame that is no command: {e}")),
            Understood::Foreign,
        ),
    }
}

fn foreign_id(frame: &[u8]) -> Option<CommandId> {
    let raw: serde_json::Value = serde_json::from_slice(frame).ok()?;
    let sent = raw.get("send")?;
    sent.get("command")?;
    sent.get("id")?.as_str().map(CommandId::from)
}

/// Everything that may have to be written to a client.
struct Outgoing {
    answers: mpsc::Receiver<Vec<u8>>,
    news: watch::Receiver<(u64, u64)>,
    ending: watch::Receiver<Option<String>>,
    end: oneshot::Receiver<Option<String>>,
}

/// Writes answers first, then the newest news, until the connection is to end.
async fn write_out(mut write: OwnedWriteHalf, mut outgoing: Outgoing, clock: &Clock) {
    loop {
        let written = tokio::select! {
            biased;
            why = &mut outgoing.end => {
                if let Ok(Some(why)) = why {
                    say_bye(&mut write, why, clock).await;
                }
                return;
            }
            answer = outgoing.answers.recv() => match answer {
                Some(frame) => write_frame(&mut write, &frame, clock).await,
                None => return,
            },
            why = farewell(&mut outgoing.ending) => {
                say_bye(&mut write, why, clock).await;
                return;
            }
            changed = outgoing.news.changed() => {
                if changed.is_err() {
                    return;
                }
                let (seq, samples) = *outgoing.news.borrow_and_update();
                send(&mut write, &FromEngine::Changed { seq, samples }, clock).await
            }
        };
        if written.is_err() {
            return;
        }
    }
}

/// Waits for the engine's last word.
pub(super) async fn farewell(ending: &mut watch::Receiver<Option<String>>) -> String {
    let said = ending.wait_for(Option::is_some).await;
    said.ok().and_then(|why| why.clone()).unwrap_or_default()
}

async fn say_bye(write: &mut OwnedWriteHalf, why: String, clock: &Clock) {
    send(write, &FromEngine::Bye { why }, clock).await.ok();
}

async fn send(write: &mut OwnedWriteHalf, said: &FromEngine, clock: &Clock) -> Result<(), Error> {
    write_frame(write, &encode(said)?, clock).await
}

/// Writes one frame; a client that does not read it in time is given up.
async fn write_frame(write: &mut OwnedWriteHalf, frame: &[u8], clock: &Clock) -> Result<(), Error> {
    let gone = || Error::Gone { what: "write to the client".to_owned() };
    match clock.timeout(UNREAD_LIMIT, write.write_all(frame)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(gone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_user_and_root_attach_to_an_engine_that_is_not_shared() {
        assert!(admits(Share::Alone, 1000, 1000));
        assert!(admits(Share::Alone, 1000, 0));
        assert!(!admits(Share::Alone, 1000, 1001));
        assert!(!admits(Share::Alone, 0, 1001));
        assert!(admits(Share::Group(50), 1000, 1001));
    }

    #[test]
    fn a_process_without_a_login_has_no_login_uid() {
        assert_eq!(parse_login_uid("4294967295"), None);
        assert_eq!(parse_login_uid("1000\n"), Some(1000));
        assert_eq!(parse_login_uid(""), None);
    }

    #[test]
    fn a_command_of_another_version_is_known_by_its_id() {
        let frame = br#"{"send":{"id":"c-9","command":{"teleport":{"to":"mars"}}}}"#;
        assert!(matches!(understand(frame), Understood::Foreign(id) if id.as_str() == "c-9"));
        assert!(matches!(understand(b"{\"send\":1}"), Understood::Nothing(_)));
        assert!(matches!(understand(b"\xff\x00"), Understood::Nothing(_)));
    }
}
