//! The thread that reads logs: it waits for asks, for files that grow and for searches, and
//! publishes pages. Between two looks at a growing file it sleeps, however much is written.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::journal::Error;
use crate::journal::spool::{FileReader, Progress, SpoolReader};
use crate::model::ids::Time;
use crate::tui::words;
use crate::tui::world::LogPage;

use super::ask::{Ask, Choice};
use super::pager::Pager;
use super::store::Store;

/// Asks that may wait.
const QUEUE: usize = 256;
/// Files are looked at so often though nothing told of them: a rotation by a renamed folder, a
/// network file system.
const SLOW: Duration = Duration::from_secs(1);

/// How often things happen.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two looks at what grows.
    pub look: Duration,
    /// Between two pages with nothing worse than information lines.
    pub calm: Duration,
}

impl Pace {
    /// For a screen that shows nothing but logs.
    pub const SCREEN: Self =
        Self { look: Duration::from_millis(60), calm: Duration::from_millis(60) };
    /// For a pane among others, on a line that may be slow: chatter moves once a second, what is
    /// bad five times.
    pub const PANE: Self =
        Self { look: Duration::from_millis(200), calm: Duration::from_millis(800) };
}

/// The end that asks.
#[derive(Clone, Debug)]
pub struct Asker {
    asks: SyncSender<Ask>,
    wake: Arc<OwnedFd>,
}

impl Asker {
    /// Asks; what finds the queue full is dropped, as a key that is held down would be.
    pub fn ask(&self, ask: Ask) {
        if self.asks.try_send(ask).is_ok() {
            wake(&self.wake);
        }
    }
}

fn wake(fd: &OwnedFd) {
    rustix::io::write(fd, &1_u64.to_ne_bytes()).ok();
}

/// What a page was read for, or why it could not be.
pub type Published = watch::Receiver<Arc<Result<LogPage, String>>>;

/// Reads plain files until the asker is gone. The first page is read before this returns; an
/// error says what could not be opened.
pub fn files(
    paths: Vec<PathBuf>,
    (rows, choice): (usize, Choice),
    pace: Pace,
    clock: Clock,
) -> Result<(Asker, Published), String> {
    let (asker, asked, woken) = asker()?;
    let failed = |why: Error| why.to_string();
    let mut store = FileReader::open(&paths).map_err(failed)?;
    let theirs = Arc::clone(&woken);
    store.on_found(crate::journal::spool::Wake::new(move || wake(&theirs)));
    let pager = Pager::new(store, rows, choice, clock.now()).map_err(failed)?;
    let (published, received) = watch::channel(Arc::new(Ok(pager.page(clock.now()))));
    spawn(move || {
        let watcher = Watcher::new();
        let places = Places::Of(paths);
        let progress = None;
        Reading { pager, asked, woken, watcher, clock, pace, places, progress }
            .until_gone(&published);
    })?;
    Ok((asker, received))
}

/// Reads an engine's spool, which may not be there yet, until the asker is gone.
pub fn spool(folder: PathBuf, pace: Pace, clock: Clock) -> Result<(Asker, Published), String> {
    let (asker, asked, woken) = asker()?;
    let (published, received) = watch::channel(Arc::new(Ok(LogPage::default())));
    spawn(move || {
        let opened = SpoolReader::open(&folder)
            .and_then(|store| Pager::new(store, 60, Choice::default(), clock.now()));
        let pager = match opened {
            Ok(pager) => pager,
            Err(why) => {
                published.send_replace(Arc::new(Err(why.to_string())));
                return;
            }
        };
        let watcher = Watcher::new();
        let places = Places::Below(folder);
        let progress = None;
        Reading { pager, asked, woken, watcher, clock, pace, places, progress }
            .until_gone(&published);
    })?;
    Ok((asker, received))
}

fn asker() -> Result<(Asker, Receiver<Ask>, Arc<OwnedFd>), String> {
    let (asks, asked) = sync_channel(QUEUE);
    let woken = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
        .map_err(|why| format!("could not start reading logs: {why}"))?;
    let woken = Arc::new(woken);
    Ok((Asker { asks, wake: Arc::clone(&woken) }, asked, woken))
}

fn spawn(reading: impl FnOnce() + Send + 'static) -> Result<(), String> {
    let thread = std::thread::Builder::new().name("logs".to_owned()).spawn(reading);
    thread.map(|_| ()).map_err(|why| format!("could not start reading logs: {why}"))
}

/// What is watched.
enum Places {
    Of(Vec<PathBuf>),
    /// The folders in a folder.
    Below(PathBuf),
}

struct Reading<S> {
    pager: Pager<S>,
    asked: Receiver<Ask>,
    woken: Arc<OwnedFd>,
    watcher: Watcher,
    clock: Clock,
    pace: Pace,
    places: Places,
    /// How far the search was when it was last shown.
    progress: Option<Progress>,
}

impl<S: Store> Reading<S> {
    fn until_gone(mut self, published: &watch::Sender<Arc<Result<LogPage, String>>>) {
        let mut looked: Option<Time> = None;
        let mut said: Option<Time> = None;
        let mut slow: Option<Time> = None;
        let mut news = true;
        let mut changed = true;
        loop {
            let mut now = self.clock.now();
            let age = |at: Option<Time>| at.map_or(Duration::MAX, |at| words::since(at, now));
            if age(slow) >= SLOW {
                self.watcher.watch(&self.places);
                slow = Some(now);
                news = true;
            }
            let step = self.step(now, news && age(looked) >= self.pace.look);
            match step {
                Ok((looks, more)) => {
                    if looks {
                        looked = Some(now);
                        news = false;
                    }
                    changed |= more;
                }
                Err(why) => {
                    published.send_replace(Arc::new(Err(why.to_string())));
                    // It may be mended; until then this is all there is to say.
                    looked = Some(now);
                    news = false;
                }
            }
            if changed {
                let calm = age(said) < self.pace.calm && !self.pager.is_loud();
                if !calm {
                    published.send_replace(Arc::new(Ok(self.pager.page(now))));
                    said = Some(now);
                    changed = false;
                }
            }
            let busy = self.pager.is_busy() && !self.pager.waits();
            // A flood that ends is shown whole as soon as it is quiet.
            news |= self.pager.is_sampling();
            let left = |span: Duration, at: Option<Time>| {
                at.map_or(Duration::ZERO, |at| span.saturating_sub(words::since(at, now)))
            };
            // What grows all the time would otherwise wake it twice for every look.
            let rest = left(self.pace.look, looked);
            let wait = if busy {
                Duration::ZERO
            } else if news || !rest.is_zero() {
                rest
            } else if changed {
                left(self.pace.calm, said)
            } else {
                SLOW
            };
            match self.wait(wait, news || !rest.is_zero()) {
                Some(Woken { news: more }) => news |= more,
                None => return,
            }
            now = self.clock.now();
            loop {
                match self.asked.try_recv() {
                    Ok(ask) => {
                        if let Err(why) = self.pager.ask(ask, now) {
                            published.send_replace(Arc::new(Err(why.to_string())));
                        }
                        changed = true;
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            if published.is_closed() {
                return;
            }
        }
    }

    /// Looks and works; whether it looked, and whether there is something to show.
    fn step(&mut self, now: Time, look: bool) -> Result<(bool, bool), Error> {
        let mut changed = false;
        if look {
            let rates = !self.pager.is_quiet();
            changed |= self.pager.look(now)? || rates;
        }
        if self.pager.is_busy() {
            changed |= self.pager.work()?;
        }
        let progress = self.pager.progress();
        changed |= progress != self.progress;
        self.progress = progress;
        Ok((look, changed))
    }

    /// Waits for an ask, for news (unless they are of no use now), or for so long.
    fn wait(&mut self, limit: Duration, deaf: bool) -> Option<Woken> {
        let limit = Timespec::try_from(limit).ok();
        let mut fds = vec![PollFd::from_borrowed_fd(self.woken.as_fd(), PollFlags::IN)];
        if let Some(fd) = self.watcher.fd().filter(|_| !deaf) {
            fds.push(PollFd::new(fd, PollFlags::IN));
        }
        match poll(&mut fds, limit.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
        let set = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
        let (asked, grown) = (set(0), set(1));
        drop(fds);
        if asked {
            rustix::io::read(&*self.woken, &mut [0_u8; 8]).ok();
        }
        if grown {
            self.watcher.drain();
        }
        Some(Woken { news: grown })
    }
}

struct Woken {
    news: bool,
}

/// Tells when files change. Where it cannot, they are looked at once a second.
struct Watcher {
    inotify: Option<OwnedFd>,
    known: Vec<OsString>,
}

impl Watcher {
    fn new() -> Self {
        let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
        Self { inotify: inotify::init(flags).ok(), known: Vec::new() }
    }

    fn fd(&self) -> Option<&OwnedFd> {
        self.inotify.as_ref()
    }

    /// Watches what is there now; what is watched already stays so.
    fn watch(&mut self, places: &Places) {
        let Some(inotify) = &self.inotify else { return };
        let of_file = inotify::WatchFlags::MODIFY
            | inotify::WatchFlags::MOVE_SELF
            | inotify::WatchFlags::DELETE_SELF
            | inotify::WatchFlags::ATTRIB;
        let of_folder = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE;
        match places {
            Places::Of(files) => {
                for file in files {
                    // One that is not there is looked for again with the next look.
                    inotify::add_watch(inotify, file, of_file).ok();
                }
            }
            Places::Below(folder) => {
                for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                    if !self.known.contains(&entry.file_name())
                        && inotify::add_watch(inotify, entry.path(), of_folder).is_ok()
                    {
                        self.known.push(entry.file_name());
                    }
                }
            }
        }
    }

    fn drain(&self) {
        let Some(inotify) = &self.inotify else { return };
        let mut bytes = [0_u8; 4096];
        while rustix::io::read(inotify, &mut bytes).is_ok_and(|read| read == bytes.len()) {}
    }
}
