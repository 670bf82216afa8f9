//! The engine's end of the socket. Nothing here waits for a client on the engine's behalf: news
//! lives in one cell that newer news overwrites, answers in a short queue per client.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, Semaphore, mpsc, watch};

use crate::clock::Clock;
use crate::model::entry::{Author, Command};
use crate::model::ids::{CommandId, Epoch, Seq};

use super::Error;
use super::frame::encode;
use super::message::{Answer, ClientKind, FromEngine};
use super::session;
use super::socket::{is_listened_on, prepare_folder};

/// How many clients may be attached at once.
pub(super) const CLIENT_LIMIT: usize = 32;
/// How many answers may wait for one client, and how many events for the engine.
pub(super) const QUEUE: usize = 64;
/// The longest a text of an answer may be; longer ones are cut so that the frame fits.
const TEXT_LIMIT: usize = 4 * 1024;
/// How long clients may take to hear the engine's last word.
const FAREWELL: Duration = Duration::from_secs(1);
/// The pause after the system refused a connection (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who besides the engine's own user (and root) may attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Nobody.
    Alone,
    /// The members of this group; the kernel checks it against the socket's mode.
    Group(u32),
}

/// What a client is told about the journal when it attaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The engine's lease.
    pub epoch: Epoch,
    /// The last entry.
    pub seq: Seq,
}

/// What clients did.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerEvent {
    /// One attached.
    Attached {
        /// Its number.
        client: u64,
        /// Who it is: the uids by the kernel, the rest as claimed.
        author: Author,
        /// What it is.
        kind: ClientKind,
        /// Its version, made safe to show.
        version: String,
        /// Its version is not ours.
        read_only: bool,
    },
    /// One sent a command that it may give.
    Command {
        /// Its number.
        client: u64,
        /// Who it is.
        author: Author,
        /// The command's id.
        id: CommandId,
        /// The command.
        command: Command,
    },
    /// One that had attached is gone.
    Gone {
        /// Its number.
        client: u64,
    },
}

/// The engine's listening socket. Dropping it closes all connections and removes the socket.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    socket: PathBuf,
    identity: (u64, u64),
    removed: AtomicBool,
}

/// What the tasks of all clients share with the engine.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) epoch: Epoch,
    pub(super) share: Share,
    pub(super) news: watch::Sender<(Seq, u64)>,
    pub(super) ending: watch::Sender<Option<String>>,
    pub(super) places: Arc<Semaphore>,
    outboxes: Mutex<Outboxes>,
}

#[derive(Debug, Default)]
struct Outboxes {
    last: u64,
    open: BTreeMap<u64, Outbox>,
}

/// The engine's side of one client.
#[derive(Debug)]
struct Outbox {
    answers: mpsc::Sender<Vec<u8>>,
    cut: Arc<Notify>,
}

/// The client's side of its outbox.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) client: u64,
    pub(super) answers: mpsc::Receiver<Vec<u8>>,
    pub(super) cut: Arc<Notify>,
}

impl Server {
    /// Listens on `socket`. Its folder is made 0700 (with [`Share::Group`] 2750) or checked; a
    /// socket that nobody listens on any more is replaced, one with a living engine behind it is
    /// [`Error::Living`]. Must be called within a tokio runtime.
    pub fn bind(
        socket: &Path,
        share: Share,
        head: Head,
        clock: Clock,
    ) -> Result<(Self, mpsc::Receiver<ServerEvent>), Error> {
        let (listener, identity) = listen(socket, share)?;
        let (events, received) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared {
            clock,
            epoch: head.epoch,
            share,
            news: watch::Sender::new((head.seq, 0)),
            ending: watch::Sender::new(None),
            places: Arc::new(Semaphore::new(CLIENT_LIMIT)),
            outboxes: Mutex::default(),
        });
        tokio::spawn(accept(listener, Arc::clone(&shared), events));
        let server =
            Self { shared, socket: socket.to_owned(), identity, removed: AtomicBool::new(false) };
        Ok((server, received))
    }

    /// Tells every client that the journal or the samples moved on. Never waits; a client that is
    /// slow hears of the newest only.
    pub fn changed(&self, seq: Seq, samples: u64) {
        self.shared.news.send_replace((seq, samples));
    }

    /// Answers a command. A client that is gone is passed over; one that leaves more than 64
    /// answers unread is cut.
    pub fn answer(&self, client: u64, id: CommandId, answer: Answer) {
        self.shared.answer(client, id, answer);
    }

    /// Tells every client why the engine ends, and closes. Removes the socket first, so that
    /// nobody finds a door that closes.
    pub fn bye(&self, why: &str) {
        self.remove_socket();
        self.shared.ending.send_if_modified(|ending| {
            let first = ending.is_none();
            ending.get_or_insert_with(|| why.to_owned());
            first
        });
    }

    /// Says [`Server::bye`] and waits until every client has heard it, at most 1 s.
    pub async fn end(self, why: &str) {
        self.bye(why);
        let places = u32::try_from(CLIENT_LIMIT).unwrap_or(u32::MAX);
        let all_left = self.shared.places.acquire_many(places);
        self.shared.clock.timeout(FAREWELL, all_left).await.ok();
    }

    fn remove_socket(&self) {
        // Only our own, and once: another engine may have put its socket there meanwhile.
        let identity = self.identity;
        if !self.removed.swap(true, Ordering::Relaxed)
            && self.socket.symlink_metadata().is_ok_and(|meta| (meta.dev(), meta.ino()) == identity)
        {
            std::fs::remove_file(&self.socket).ok();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.bye("the engine ends");
    }
}

impl Shared {
    /// Puts an answer into a client's queue, and cuts the client when it is full.
    pub(super) fn answer(&self, client: u64, id: CommandId, answer: Answer) {
        let answer = match answer {
            Answer::Accepted { seq } => Answer::Accepted { seq },
            Answer::Refused { why, hint } => {
                Answer::Refused { why: shortened(why), hint: shortened(hint) }
            }
        };
        let frame = encode(&FromEngine::Answer { id, answer });
        let mut outboxes = self.outboxes();
        let Some(outbox) = outboxes.open.get(&client) else {
            return;
        };
        let queued = frame.is_ok_and(|frame| outbox.answers.try_send(frame).is_ok());
        if !queued {
            outbox.cut.notify_one();
            outboxes.open.remove(&client);
        }
    }

    /// A number and a queue for a client that has said hello.
    pub(super) fn admit(&self) -> Inbox {
        let (sender, answers) = mpsc::channel(QUEUE);
        let cut = Arc::new(Notify::new());
        let mut outboxes = self.outboxes();
        outboxes.last += 1;
        let client = outboxes.last;
        let outbox = Outbox { answers: sender, cut: Arc::clone(&cut) };
        outboxes.open.insert(client, outbox);
        Inbox { client, answers, cut }
    }

    /// Forgets a client.
    pub(super) fn dismiss(&self, client: u64) {
        self.outboxes().open.remove(&client);
    }

    fn outboxes(&self) -> MutexGuard<'_, Outboxes> {
        self.outboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shortened(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(TEXT_LIMIT));
    text
}

/// Binds beside and renames, so that whoever finds the socket finds it with its final mode.
fn listen(socket: &Path, share: Share) -> Result<(UnixListener, (u64, u64)), Error> {
    let (mode, group) = match share {
        Share::Alone => (0o600, None),
        Share::Group(gid) => (0o660, Some(gid)),
    };
    if let Some(folder) = socket.parent() {
        prepare_folder(folder, rustix::process::geteuid().as_raw(), group)?;
    }
    if is_listened_on(socket)? {
        return Err(Error::Living { socket: socket.to_owned() });
    }
    let beside = socket.with_extension("new");
    match std::fs::remove_file(&beside) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(Error::io("remove the unfinished socket", &beside, e)),
    }
    let listener = UnixListener::bind(&beside).map_err(|e| Error::io("listen on", &beside, e))?;
    if group.is_some() {
        std::os::unix::fs::chown(&beside, None, group)
            .map_err(|e| Error::io("give to the group the socket", &beside, e))?;
    }
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(mode))
        .map_err(|e| Error::io("set the mode of the socket", &beside, e))?;
    let meta =
        beside.symlink_metadata().map_err(|e| Error::io("look at the socket", &beside, e))?;
    std::fs::rename(&beside, socket)
        .map_err(|e| Error::io("put in place the socket", socket, e))?;
    Ok((listener, (meta.dev(), meta.ino())))
}

/// Takes connections until the engine ends.
async fn accept(listener: UnixListener, shared: Arc<Shared>, events: mpsc::Sender<ServerEvent>) {
    let mut ending = shared.ending.subscribe();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = session::farewell(&mut ending) => return,
        };
        match accepted {
            Ok((stream, _)) => welcome_or_refuse(stream, &shared, &events),
            Err(_) => shared.clock.sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn welcome_or_refuse(stream: UnixStream, shared: &Arc<Shared>, events: &mpsc::Sender<ServerEvent>) {
    match Arc::clone(&shared.places).try_acquire_owned() {
        Ok(place) => {
            let shared = Arc::clone(shared);
            let events = events.clone();
            tokio::spawn(async move {
                session::serve(stream, shared, events).await;
                drop(place);
            });
        }
        Err(_) => {
            session::turn_away(&stream, "32 clients are attached already; leave one of them first");
        }
    }
}

#[cfg(test)]
mod tests;
