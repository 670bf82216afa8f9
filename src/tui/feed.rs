//! What keeps the console's knowledge up to date: reads journal, samples and spool, holds the line
//! to the engine, and publishes the newest [`World`]. A task of its own, so that a slow disk never
//! keeps a key waiting.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::journal::spool::{LogSeverity, Query, SpoolReader};
use crate::journal::{Reader, Samples};
use crate::link::{self, Client, ClientKind, Down, FromEngine, Hello, Pair};
use crate::model::ids::{Seq, Time};
use crate::text::SafeText;

use super::lock;
use super::state::Least;
use super::words;
use super::world::{Link, LinkState, LogPage, LogRow, World};

/// What the screen wants of the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogWish {
    /// The least severity.
    pub least: Least,
    /// How many rows from the end.
    pub rows: usize,
}

/// Reads at most so often, however often the engine says that something changed.
const EASE: Duration = Duration::from_millis(100);
/// Between two tries to find the engine again.
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// A lock that is free for so long has no engine behind it.
const ORPHANED_AFTER: Duration = Duration::from_secs(2);
/// Between two tries to start a pair.
const START_AGAIN: Duration = Duration::from_secs(5);
/// Entries read at once.
const PAGE: u32 = 500;

/// Who this console is.
#[derive(Clone, Debug)]
pub struct Person {
    /// As claimed.
    pub name: String,
    /// As claimed.
    pub ssh: Option<String>,
    /// Why it only looks, when so.
    pub observer: Option<String>,
}

/// The reading side of the console.
pub struct Feed {
    pair: Pair,
    clock: Clock,
    hello: Hello,
    observer: bool,
    world: World,
    reader: Option<Reader>,
    samples: Option<Samples>,
    spool: Option<SpoolReader>,
    line: Option<mpsc::Receiver<FromEngine>>,
    lost: Option<Time>,
    free: Option<Time>,
    started: Option<Time>,
    lines_in: Option<(Time, u64)>,
    published: watch::Sender<Arc<World>>,
    clients: watch::Sender<Option<Client>>,
    wish: watch::Receiver<LogWish>,
}

/// The ends of a feed that the loop holds.
pub struct Ends {
    /// The newest world.
    pub world: watch::Receiver<Arc<World>>,
    /// The line to the engine, while it stands.
    pub client: watch::Receiver<Option<Client>>,
    /// What is wanted of the logs.
    pub wish: watch::Sender<LogWish>,
}

impl Feed {
    /// A feed that knows nothing yet, and its ends.
    pub fn new(pair: Pair, clock: Clock, person: &Person) -> (Self, Ends) {
        let observer = person.observer.is_some();
        let kind = if observer { ClientKind::Observer } else { ClientKind::Console };
        let link = Link {
            uid: rustix::process::getuid().as_raw(),
            name: SafeText::new(&person.name),
            observer: person.observer.clone(),
            ..Link::default()
        };
        let world = World { link, ..World::default() };
        let (published, received) = watch::channel(Arc::new(world.clone()));
        let (clients, client) = watch::channel(None);
        let (wishes, wish) = watch::channel(LogWish { least: Least::All, rows: 100 });
        let feed = Self {
            hello: Hello::new(kind, person.name.clone(), person.ssh.clone()),
            pair,
            clock,
            observer,
            world,
            reader: None,
            samples: None,
            spool: None,
            line: None,
            lost: None,
            free: None,
            started: None,
            lines_in: None,
            published,
            clients,
            wish,
        };
        (feed, Ends { world: received, client, wish: wishes })
    }

    /// Runs until the loop has dropped its ends.
    pub async fn run(mut self) {
        loop {
            if self.line.is_none() {
                self.connect().await;
            }
            self.refresh().await;
            let last = self.clock.now();
            if self.published.send(Arc::new(self.world.clone())).is_err() {
                return;
            }
            if !self.news().await {
                return;
            }
            let age = words::since(last, self.clock.now());
            if age < EASE {
                self.clock.sleep(EASE.saturating_sub(age)).await;
            }
        }
    }

    /// Waits for something new; false when the console is gone.
    async fn news(&mut self) -> bool {
        let Some(line) = &mut self.line else {
            self.clock.sleep(TRY_AGAIN).await;
            return !self.published.is_closed();
        };
        tokio::select! {
            said = line.recv() => match said {
                Some(FromEngine::Changed { .. } | FromEngine::Answer { .. } | FromEngine::Welcome(_)) => {}
                Some(FromEngine::Bye { .. }) | None => self.lose(),
            },
            changed = self.wish.changed() => return changed.is_ok(),
            () = self.published.closed() => return false,
        }
        true
    }

    fn lose(&mut self) {
        tracing::warn!("the line to the engine is gone");
        self.line = None;
        self.clients.send_replace(None);
        self.lost = Some(self.clock.now());
        self.free = None;
    }

    async fn connect(&mut self) {
        let connected = Client::connect(&self.pair.socket, self.hello.clone(), &self.clock).await;
        if let Ok((client, welcome, line)) = connected {
            tracing::info!(pid = welcome.pid, epoch = welcome.epoch, "attached to the engine");
            self.world.link.state = LinkState::Live;
            self.world.link.foreign = welcome.read_only.then(|| welcome.version.clone());
            self.line = Some(line);
            self.lost = None;
            self.free = None;
            self.clients.send_replace(Some(client));
            return;
        }
        let now = self.clock.now();
        let lost = *self.lost.get_or_insert(now);
        if lock::is_free(&self.pair.state) {
            self.free.get_or_insert(now);
        } else {
            self.free = None;
        }
        let orphaned = self.free.filter(|free| words::since(*free, now) >= ORPHANED_AFTER);
        self.world.link.state = match orphaned {
            Some(since) => LinkState::Orphaned {
                since,
                command: Down::read(&self.pair.state).map(|down| down.command.to_string()),
            },
            None if self.world.situation.seq == 0 => LinkState::Connecting,
            None => LinkState::Lost { since: lost },
        };
        self.start(orphaned.is_some(), now).await;
    }

    /// Starts a pair where none is, unless a keeper gave up: then a person decides.
    async fn start(&mut self, orphaned: bool, now: Time) {
        let due = self.started.is_none_or(|at| words::since(at, now) >= START_AGAIN);
        if orphaned && due && !self.observer && Down::read(&self.pair.state).is_none() {
            self.started = Some(now);
            // A failure shows as ORPHANED, which is what it is.
            link::ensure(&self.pair, &self.clock).await.ok();
        }
    }

    async fn refresh(&mut self) {
        match self.entries().await {
            Ok(()) => {}
            Err(why) => {
                tracing::warn!("the journal cannot be read: {why}");
                self.reader = None;
                let now = self.clock.now();
                let since = match &self.world.link.state {
                    LinkState::JournalLost { since, .. } => *since,
                    LinkState::Connecting
                    | LinkState::Live
                    | LinkState::Lost { .. }
                    | LinkState::Orphaned { .. } => now,
                };
                if self.world.situation.seq > 0 {
                    self.world.link.state = LinkState::JournalLost { since, why };
                }
                return;
            }
        }
        if matches!(self.world.link.state, LinkState::JournalLost { .. }) && self.line.is_some() {
            self.world.link.state = LinkState::Live;
        }
        self.samples().await;
        self.logs().await;
    }

    async fn entries(&mut self) -> Result<(), String> {
        let mut reader = if let Some(reader) = self.reader.take() {
            reader
        } else {
            let mut reader = Reader::open(&self.pair.state).await.map_err(|why| why.to_string())?;
            self.world.situation = reader.situation().await.map_err(|why| why.to_string())?;
            reader
        };
        loop {
            let seq: Seq = self.world.situation.seq;
            let entries = reader.after(seq, PAGE).await.map_err(|why| why.to_string())?;
            for entry in &entries {
                self.world.situation.apply(entry);
            }
            if entries.len() < PAGE as usize {
                break;
            }
        }
        self.reader = Some(reader);
        Ok(())
    }

    /// Samples are disposable: without them values age, and say so.
    async fn samples(&mut self) {
        if self.samples.is_none() {
            self.samples = Samples::read(&self.pair.state).await.ok();
        }
        let Some(samples) = &mut self.samples else { return };
        let (Ok(live), Ok(latest)) = (samples.live().await, samples.latest().await) else {
            self.samples = None;
            return;
        };
        self.world.live = live.or(self.world.live.take());
        for (check, reading) in &latest {
            let before = self.world.readings.get(check).filter(|before| before.at < reading.at);
            if let Some(before) = before {
                let gap = words::since(before.at, reading.at);
                self.world.pace.insert(check.clone(), gap);
            }
        }
        self.world.readings = latest;
    }

    /// The page is read from files, which may be slow: not on this thread.
    async fn logs(&mut self) {
        let wish = *self.wish.borrow_and_update();
        let folder = self.pair.state.join("spool");
        let spool = self.spool.take();
        let reading = tokio::task::spawn_blocking(move || {
            let mut spool = match spool {
                Some(spool) => spool,
                None => SpoolReader::open(&folder).ok()?,
            };
            spool.refresh().ok()?;
            let query = Query {
                min_severity: match wish.least {
                    Least::All => LogSeverity::Debug,
                    Least::Warn => LogSeverity::Warn,
                    Least::Error => LogSeverity::Error,
                },
                rows: wish.rows,
                ..Query::default()
            };
            let page = spool.page(&query).ok()?;
            let counters = spool.counters();
            Some((spool, page, counters))
        });
        let Ok(Some((spool, page, counters))) = reading.await else { return };
        self.spool = Some(spool);
        let now = self.clock.now();
        let mut per_second = self.world.logs.per_second;
        if let Some((at, before)) = self.lines_in {
            let span = words::since(at, now).as_secs_f64();
            if span >= 1.0 {
                let more = counters.in_total.saturating_sub(before);
                #[expect(clippy::cast_precision_loss, reason = "a rate is shown with two digits")]
                let rate = more as f64 / span;
                per_second = rate;
                self.lines_in = Some((now, counters.in_total));
            }
        } else {
            self.lines_in = Some((now, counters.in_total));
        }
        let dropped = self.world.live.as_ref().map_or(0, |live| live.dropped.values().sum());
        let lines = page.lines.into_iter().map(|line| LogRow {
            at: line.at,
            source: SafeText::new(&line.source),
            severity: if line.gap { 'W' } else { line.severity.letter() },
            text: line.text,
            folded: line.folded,
        });
        self.world.logs = LogPage {
            lines: lines.collect(),
            sources: counters.sources.len(),
            per_second,
            hidden: page.hidden,
            dropped,
            more_above: page.more_above,
        };
    }
}
