//! What keeps the console's knowledge up to date: reads journal, samples and spool, holds the line
//! to the engine, and publishes the newest [`World`]. A task of its own, so that a slow disk never
//! keeps a key waiting.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::journal::{Place, Reader, Samples};
use crate::link::{Client, ClientKind, FromEngine, Hello, Pair};
use crate::model::ids::{Epoch, Seq, Time};
use crate::text::SafeText;

use super::logs::reader::{self, Asker, Pace, Published};
use super::past::{self, Past};
use super::settings::Settings;
use super::words;
use super::world::{Link, LinkState, LogPage, World};

mod line;
mod news;

use news::News;

/// Reads the journal at most so often, however often the engine says that something changed.
const EASE: Duration = Duration::from_millis(100);
/// Values without a change of state are read at most so often.
const VALUES: Duration = Duration::from_millis(600);
/// The same during a run.
const VALUES_OF_RUN: Duration = Duration::from_millis(200);
/// The journal is looked at so often though nobody tells of an entry: it may be gone.
const LOOK: Duration = Duration::from_secs(5);
/// Between two tries to find the engine again.
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// Entries read at once.
const PAGE: u32 = 500;

/// Who this console is.
#[derive(Clone, Debug)]
pub struct Person {
    /// As claimed.
    pub name: String,
    /// As the engine knows it.
    pub uid: u32,
    /// As claimed.
    pub ssh: Option<String>,
    /// Why it only looks, when so.
    pub observer: Option<String>,
    /// What this person has set.
    pub settings: Arc<Settings>,
    /// The environments that are configured here.
    pub environments: Vec<String>,
    /// The guided procedures.
    pub guides: Arc<Vec<crate::model::guide::Guide>>,
    /// Where the journal is.
    pub journal: Place,
}

/// The reading side of the console.
pub struct Feed {
    pair: Pair,
    journal: Place,
    clock: Clock,
    hello: Hello,
    observer: bool,
    world: World,
    reader: Option<Reader>,
    samples: Option<Samples>,
    logs: Option<Published>,
    line: Option<mpsc::Receiver<FromEngine>>,
    /// The last entry that the engine told of.
    told: Option<Seq>,
    /// When the journal and the samples were read last.
    looked: Option<Time>,
    sampled: Option<Time>,
    /// Whether there are values that were not read.
    values: bool,
    /// The process and the epoch of an engine that is not logged yet.
    greeted: Option<(u32, Epoch)>,
    lost: Option<Time>,
    free: Option<Time>,
    started: Option<Time>,
    past: Past,
    published: watch::Sender<Arc<World>>,
    clients: watch::Sender<Option<Client>>,
}

/// The ends of a feed that the loop holds.
pub struct Ends {
    /// The newest world.
    pub world: watch::Receiver<Arc<World>>,
    /// The line to the engine, while it stands.
    pub client: watch::Receiver<Option<Client>>,
    /// Where log lines are asked for, when they can be read.
    pub logs: Option<Asker>,
    /// Where a replay is told what to do; nothing where the present is shown.
    pub controls: Option<mpsc::Sender<super::replay::Control>>,
}

impl Feed {
    /// A feed that knows nothing yet, and its ends.
    pub fn new(pair: Pair, clock: Clock, person: &Person) -> (Self, Ends) {
        let observer = person.observer.is_some();
        let kind = if observer { ClientKind::Observer } else { ClientKind::Console };
        let link = Link {
            uid: person.uid,
            name: SafeText::new(&person.name),
            observer: person.observer.clone(),
            ..Link::default()
        };
        let environments = person.environments.clone();
        let settings = person.settings.clone();
        let guides = Arc::clone(&person.guides);
        let world = World { link, settings, environments, guides, ..World::default() };
        let (published, received) = watch::channel(Arc::new(world.clone()));
        let (clients, client) = watch::channel(None);
        let logs = reader::spool(pair.state.join("spool"), Pace::PANE, clock.clone());
        let (asker, logs) = match logs {
            Ok((asker, logs)) => (Some(asker), Some(logs)),
            Err(why) => {
                tracing::warn!("no logs are shown: {why}");
                (None, None)
            }
        };
        let feed = Self {
            hello: Hello::new(kind, person.name.clone(), person.ssh.clone()),
            pair,
            journal: person.journal.clone(),
            clock,
            observer,
            world,
            reader: None,
            samples: None,
            logs,
            line: None,
            told: None,
            looked: None,
            sampled: None,
            values: false,
            greeted: None,
            lost: None,
            free: None,
            started: None,
            past: Past::default(),
            published,
            clients,
        };
        (feed, Ends { world: received, client, logs: asker, controls: None })
    }

    /// Runs until the loop has dropped its ends.
    pub async fn run(mut self) {
        let mut news = News::Engine;
        loop {
            if self.line.is_none() {
                self.connect().await;
            }
            match news {
                News::Engine => self.refresh().await,
                // Values that wait come with the lines: one drawing for both.
                News::Logs if self.values => self.refresh().await,
                // Lines that come are no reason to read the journal.
                News::Logs | News::Gone => {}
            }
            self.logs();
            if self.published.send(Arc::new(self.world.clone())).is_err() {
                return;
            }
            news = self.news().await;
            if news == News::Gone {
                return;
            }
            // The first line that is logged looks for time zones: no picture waits for that.
            if let Some((pid, epoch)) = self.greeted.take() {
                tracing::info!(pid, epoch, "attached to the engine");
            }
            // Lines and values have their own pace: they keep no entry waiting.
            let last = self.looked.filter(|_| news == News::Engine && !self.is_read());
            let age = last.map_or(EASE, |at| words::since(at, self.clock.now()));
            if age < EASE {
                self.clock.sleep(EASE.saturating_sub(age)).await;
            }
        }
    }

    /// Waits for something new. Values alone are not taken each time that they come.
    async fn news(&mut self) -> News {
        loop {
            let every = match self.world.situation.open_run() {
                Some(_) => VALUES_OF_RUN,
                None => VALUES,
            };
            let age = self.sampled.map_or(every, |at| words::since(at, self.clock.now()));
            let values = self.values.then(|| every.saturating_sub(age));
            if let Some(news) = self.said(values).await {
                return news;
            }
        }
    }

    /// Waits for something new, and at most for `values` when there are some; nothing when values
    /// came.
    async fn said(&mut self, values: Option<Duration>) -> Option<News> {
        let alone = self.line.is_none();
        let line = self.line.as_mut();
        let said = async {
            match line {
                Some(line) => line.recv().await,
                None => std::future::pending().await,
            }
        };
        let logs = self.logs.as_mut();
        let lines = async {
            let Some(logs) = logs else { return std::future::pending().await };
            if logs.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        // An engine that waits for its journal's server says nothing: that is found by looking.
        let age = self.looked.map_or(LOOK, |at| words::since(at, self.clock.now()));
        let look = self.journal.is_shared().then(|| LOOK.saturating_sub(age));
        let again = async {
            if alone {
                self.clock.sleep(TRY_AGAIN).await;
            } else if let Some(span) = look {
                self.clock.sleep(span).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        let clock = self.clock.clone();
        let ripe = async {
            match values {
                Some(span) => clock.sleep(span).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            said = said => match said {
                Some(FromEngine::Changed { seq, .. }) => {
                    self.told = Some(seq);
                    if self.is_read() {
                        self.values = true;
                        return None;
                    }
                }
                Some(FromEngine::Answer { .. } | FromEngine::Welcome(_)) => {}
                Some(FromEngine::Bye { .. }) | None => self.lose(),
            },
            () = lines => return Some(News::Logs),
            () = again => {}
            () = ripe => {}
            () = self.published.closed() => return Some(News::Gone),
        }
        Some(News::Engine)
    }

    /// Whether all that the engine told of was read, not too long ago.
    fn is_read(&self) -> bool {
        let lately = |at| words::since(at, self.clock.now()) < LOOK;
        self.reader.is_some()
            && self.looked.is_some_and(lately)
            && self.told.is_some_and(|seq| seq <= self.world.situation.seq)
    }

    async fn refresh(&mut self) {
        let entries = if self.is_read() { Ok(()) } else { self.entries().await };
        match entries {
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
    }

    async fn entries(&mut self) -> Result<(), String> {
        let mut reader = if let Some(reader) = self.reader.take() {
            reader
        } else {
            let mut reader = Reader::open(&self.journal).await.map_err(|why| why.to_string())?;
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
        self.looked = Some(self.clock.now());
        Ok(())
    }

    /// Samples are disposable: without them values age, and say so.
    async fn samples(&mut self) {
        if self.samples.is_none() {
            self.samples = Samples::read(&self.pair.state).await.ok();
            self.past = Past::default();
        }
        self.values = false;
        let Some(samples) = &mut self.samples else { return };
        let now = self.clock.now();
        // The first picture does not wait for the past.
        let known = self.published.borrow().situation.seq > 0;
        let most = if known { past::MOST } else { 0 };
        let Ok(news) = self.past.read(samples, most, now).await else {
            // The file may have been begun anew: its rows count from one again.
            self.samples = None;
            return;
        };
        self.sampled = Some(now).filter(|_| known);
        self.world.live = news.live.or(self.world.live.take());
        for (check, reading) in &news.latest {
            let before = self.world.readings.get(check).filter(|before| before.at < reading.at);
            if let Some(before) = before {
                let gap = words::since(before.at, reading.at);
                self.world.pace.insert(check.clone(), gap);
            }
        }
        self.world.readings = news.latest;
        if known {
            self.past.take((news.row, news.readings), &mut self.world, now);
        }
    }

    /// The newest page of lines, read by a thread of its own.
    fn logs(&mut self) {
        let Some(logs) = &mut self.logs else { return };
        let dropped = self.world.live.as_ref().map_or(0, |live| live.dropped.values().sum());
        match &**logs.borrow_and_update() {
            Ok(page) => self.world.logs = LogPage { dropped, ..page.clone() },
            Err(why) => self.world.logs.found = Some(why.clone()),
        }
    }
}
