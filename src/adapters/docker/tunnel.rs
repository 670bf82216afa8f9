//! A way to an engine on another host that looks like a socket of this one: whatever speaks to a
//! local engine, tools of the engine included, speaks through it.
//!
//! Over `ssh` it is one process that forwards the socket, and that ends by itself when this process
//! does: its input ends. Over TLS each connection to the socket is one to the host.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::JoinHandle;

use crate::adapters::process::Held;
use crate::adapters::{Error, Kind, tls};
use crate::clock::Clock;
use crate::text::{SafeText, fit};

use super::address::Address;

/// How long it may take until the engine answers through it.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// Between two looks whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The most of what `ssh` says in an error.
const WORDS: usize = 300;
/// What `ssh` is told beside the place: never to ask a person, to notice a line that is dead, and to
/// share no connection whose end somebody else decides.
const OPTIONS: [&str; 7] = [
    "BatchMode=yes",
    "ConnectTimeout=5",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=2",
    "ExitOnForwardFailure=yes",
    "ControlMaster=no",
    "ControlPath=none",
];

/// One way, as long as anybody uses it.
pub(super) struct Tunnel {
    address: Address,
    folder: tempfile::TempDir,
    state: tokio::sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    open: Option<Open>,
    /// When it could not be opened the last time, and why not.
    failed: Option<(Duration, Error)>,
}

/// What keeps it open; ended when it is dropped.
enum Open {
    Ssh(Held),
    Tls(JoinHandle<()>, Fault),
}

/// Why the last connection was not made, until it is said.
type Fault = Arc<Mutex<Option<String>>>;

impl Open {
    fn is_open(&mut self) -> bool {
        match self {
            Self::Ssh(child) => child.lives(),
            Self::Tls(task, fault) => {
                !task.is_finished()
                    && fault.lock().unwrap_or_else(PoisonError::into_inner).is_none()
            }
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Self::Tls(task, _) = self {
            task.abort();
        }
    }
}

impl Tunnel {
    /// The way to `address`, shared with whoever else goes there. Nothing is opened yet.
    pub(super) fn to(address: &Address) -> Result<Arc<Self>, Error> {
        static ALL: OnceLock<Mutex<BTreeMap<String, Weak<Tunnel>>>> = OnceLock::new();
        let all = ALL.get_or_init(Mutex::default);
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        let name = address.by_hand();
        if let Some(known) = all.get(&name).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let folder = tempfile::Builder::new().prefix("backout-engine-").tempdir();
        let folder = folder.map_err(|e| Error::io("make", "a folder for a socket", &e))?;
        let state = tokio::sync::Mutex::default();
        let tunnel = Arc::new(Self { address: address.clone(), folder, state });
        all.retain(|_, one| one.strong_count() > 0);
        all.insert(name, Arc::downgrade(&tunnel));
        Ok(tunnel)
    }

    /// The socket that stands for the engine.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    fn words(&self) -> PathBuf {
        self.folder.path().join("ssh.log")
    }

    /// Opens it, unless it is open. Fails when the engine does not answer through it.
    pub(super) async fn open(&self, clock: &Clock) -> Result<(), Error> {
        let asked = clock.ticks();
        let mut state = self.state.lock().await;
        if state.open.as_mut().is_some_and(Open::is_open) {
            return Ok(());
        }
        // Whoever waited while it was tried has the same answer: not each of them waits as long.
        if let Some((_, error)) = state.failed.as_ref().filter(|(at, _)| *at > asked) {
            return Err(error.clone());
        }
        // The old one first: both have the same socket.
        drop(state.open.take());
        fs::remove_file(self.socket()).ok();
        match self.opened(clock).await {
            Ok(open) => {
                state.open = Some(open);
                Ok(())
            }
            Err(error) => {
                state.failed = Some((clock.ticks(), error.clone()));
                Err(error)
            }
        }
    }

    async fn opened(&self, clock: &Clock) -> Result<Open, Error> {
        let mut begun = self.begin()?;
        let answered = clock.timeout(OPEN_LIMIT, self.answers(&mut begun, clock)).await;
        let why = match answered {
            Ok(Ok(())) => return Ok(begun),
            Ok(Err(why)) => why,
            Err(_) => format!("no answer within {} s", OPEN_LIMIT.as_secs()),
        };
        let line = self.address.by_hand();
        let works = match self.address {
            Address::Ssh { .. } => "see that this works without a question",
            Address::Tls { .. } | Address::Socket(_) => "see that this works",
        };
        Err(Error::new(Kind::Refused, format!("{why}; {works}: {line} version")))
    }

    fn begin(&self) -> Result<Open, Error> {
        match &self.address {
            Address::Ssh { to, port, socket } => self.ssh(to, *port, socket).map(Open::Ssh),
            Address::Tls { host, port, folder } => self.relay((host, *port), folder),
            Address::Socket(path) => {
                let message = format!("{} is on this host", path.display());
                Err(Error::new(Kind::Local, message))
            }
        }
    }

    fn ssh(&self, to: &str, port: Option<u16>, socket: &str) -> Result<Held, Error> {
        let mut argv = vec!["ssh".to_owned(), "-T".to_owned()];
        argv.extend(OPTIONS.iter().flat_map(|option| ["-o".to_owned(), (*option).to_owned()]));
        argv.extend(port.iter().flat_map(|port| ["-p".to_owned(), port.to_string()]));
        argv.extend(["-L".to_owned(), format!("{}:{socket}", self.socket().display())]);
        // It reads until we are gone, in whatever way that happens.
        argv.extend(["--", to, "cat"].map(str::to_owned));
        Held::start(&argv, &self.words())
    }

    fn relay(&self, (host, port): (&str, u16), folder: &Path) -> Result<Open, Error> {
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read(&path).map_err(|e| Error::io("read", path.display(), &e))
        };
        let (ca, cert, key) = (read("ca.pem")?, read("cert.pem")?, read("key.pem")?);
        let wrong = |why: String| {
            let message = format!("could not use the certificates in {}: {why}", folder.display());
            Error::new(Kind::Tls, message)
        };
        let both = tls::Mutual::of_pem(&ca, &cert, &key).map_err(wrong)?;
        let socket = self.socket();
        let listener = UnixListener::bind(&socket);
        let listener = listener.map_err(|e| Error::io("listen", socket.display(), &e))?;
        let fault = Fault::default();
        let (said, host) = (Arc::clone(&fault), host.to_owned());
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (both, host, said) = (both.clone(), host.clone(), Arc::clone(&said));
                tokio::spawn(async move {
                    if let Err(why) = carry(near, &both, (&host, port)).await {
                        *said.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
                    }
                });
            }
        });
        Ok(Open::Tls(task, fault))
    }

    /// Waits until the engine answers; why it will not, in words.
    async fn answers(&self, open: &mut Open, clock: &Clock) -> Result<(), String> {
        loop {
            match ping(&self.socket()).await {
                Ok(true) => return Ok(()),
                // Whoever forwards took the connection, and nobody was behind it.
                Ok(false) => return Err(self.why(open)),
                Err(_) if !open.is_open() => return Err(self.why(open)),
                Err(_) => clock.sleep(LOOK_EVERY).await,
            }
        }
    }

    /// What the one who forwards said.
    fn why(&self, open: &Open) -> String {
        let said = match open {
            Open::Ssh(_) => {
                let all = fs::read(self.words()).unwrap_or_default();
                let all = String::from_utf8_lossy(&all);
                let last = all.lines().map(str::trim).rfind(|line| !line.is_empty());
                last.map(|line| format!("ssh said: {line}"))
            }
            Open::Tls(_, fault) => fault.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        };
        let said = said.unwrap_or_else(|| "nothing answers at its end".to_owned());
        fit(SafeText::new(&said).as_str(), WORDS)
    }
}

/// Whether an engine answers at a socket: with anything at all.
async fn ping(socket: &Path) -> std::io::Result<bool> {
    let mut line = UnixStream::connect(socket).await?;
    line.write_all(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n").await?;
    let mut first = [0_u8; 1];
    Ok(matches!(line.read(&mut first).await, Ok(1)))
}

/// One connection to the other host.
async fn carry(
    mut near: UnixStream,
    both: &tls::Mutual,
    (host, port): (&str, u16),
) -> Result<(), String> {
    let place = format!("{host}:{port}");
    let far = TcpStream::connect((host.trim_matches(['[', ']']), port)).await;
    let far = far.map_err(|e| format!("could not connect to {place}: {e}"))?;
    far.set_nodelay(true).ok();
    let mut far = both.shake(host, far).await.map_err(|e| format!("{place}: {e}"))?;
    match copy_bidirectional(&mut near, &mut far).await {
        // One side that just goes away is how connections end; what TLS refuses is said.
        Err(e)
            if e.get_ref()
                .is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>) =>
        {
            Err(format!("{place}: {e}"))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}
