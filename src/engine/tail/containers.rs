//! Follows what containers write, on a thread with a runtime of its own. It hands lines over by a
//! queue with a bound: while nobody takes them the engine keeps them.

use std::collections::{BTreeMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, SelectAll};
use tokio::sync::{mpsc, oneshot};

use crate::adapters::docker::{Container, DockerHost, LogLine};
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::config::ContainerLogs;
use crate::model::ids::Time;
use crate::text::SafeText;

use super::place::{Place, Taken};

/// Lines that wait for the spool, which takes them every 100 ms.
const QUEUE: usize = 4096;
/// Containers that are followed at once: each costs a connection, and its source two files.
const MOST: usize = 256;
/// What is read of a container that is followed for the first time: what led here.
const BEFORE: usize = 200;
/// Between looks for containers that no event told of.
const LOOK: Duration = Duration::from_secs(30);
/// Between an event and the look it asks for.
const SOON: Duration = Duration::from_millis(300);
/// Between attempts at an engine that does not answer: at first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What is handed over.
#[derive(Debug)]
pub(super) enum Piece {
    /// A source begins: asks for where its spool was left, container and time.
    Open {
        /// Its name.
        source: Arc<str>,
        /// Where the answer goes.
        left: oneshot::Sender<Option<(u64, Time)>>,
    },
    /// A line, or a part of one.
    Line {
        /// Its source.
        source: Arc<str>,
        /// The container that wrote it.
        container: u64,
        /// When the engine took it.
        at: Time,
        /// Its bytes, with the newline where it ends.
        text: Vec<u8>,
    },
    /// Something is missing, or another container begins here.
    Gap {
        /// The source.
        source: Arc<str>,
        /// Why.
        why: String,
    },
}

/// Starts the thread; it ends when the receiver is dropped.
pub(super) fn start(logs: ContainerLogs, clock: Clock) -> mpsc::Receiver<Piece> {
    let (to, pieces) = mpsc::channel(QUEUE);
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(follow(logs, clock, to)),
            Err(why) => tracing::error!("could not follow any container: {why}"),
        }
    };
    if let Err(why) = std::thread::Builder::new().name("containers".to_owned()).spawn(work) {
        tracing::error!("could not follow any container: {why}");
    }
    pieces
}

async fn follow(logs: ContainerLogs, clock: Clock, to: mpsc::Sender<Piece>) {
    let engines: Vec<(Option<&str>, Option<&str>)> = if logs.hosts.is_empty() {
        vec![(None, logs.engine.as_deref())]
    } else {
        logs.hosts.iter().map(|(host, at)| (Some(host.as_str()), Some(at.as_str()))).collect()
    };
    let mut followers = Vec::new();
    for (host, at) in engines {
        match DockerHost::connect(at, clock.clone()) {
            Ok(docker) => followers.push(Follower {
                docker,
                host: host.map(str::to_owned),
                logs: logs.clone(),
                clock: clock.clone(),
                to: to.clone(),
                places: BTreeMap::new(),
                began: false,
                told: false,
            }),
            Err(error) => tracing::error!("{error}"),
        }
    }
    // Each goes on for itself: a host that is away silences no other.
    let all = followers.iter_mut().map(Follower::run);
    tokio::select! {
        () = to.closed() => {}
        _ = futures_util::future::join_all(all) => {}
    }
}

type Streams = SelectAll<BoxStream<'static, (Arc<str>, Came)>>;

/// What came of one container.
enum Came {
    Line(LogLine),
    Failed(Error),
    Ended,
}

struct Follower {
    docker: DockerHost,
    /// Which of several hosts it is.
    host: Option<String>,
    logs: ContainerLogs,
    clock: Clock,
    to: mpsc::Sender<Piece>,
    /// By source.
    places: BTreeMap<Arc<str>, Place>,
    /// Whether the containers that were there at the start are known: later ones are read whole.
    began: bool,
    /// Whether it was said that the engine does not answer.
    told: bool,
}

impl Follower {
    async fn run(&mut self) {
        let mut wait = RETRY.0;
        loop {
            let began = self.clock.now();
            let error = self.session().await;
            if (self.clock.now() - began).to_std().unwrap_or_default() > RETRY.1 {
                wait = RETRY.0;
            }
            self.lost(&error).await;
            self.clock.sleep(wait).await;
            wait = (wait * 2).min(RETRY.1);
        }
    }

    /// Says it once on every source; what was written meanwhile is read later, where it was kept.
    async fn lost(&mut self, error: &Error) {
        for place in self.places.values_mut() {
            (place.followed, place.failed) = (false, false);
        }
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let host = self.host.as_ref().map_or_else(String::new, |host| format!(" of {host}"));
        tracing::warn!("containers{host} are not followed now: {error}");
        let sources: Vec<Arc<str>> = self.places.keys().map(Arc::clone).collect();
        for source in sources {
            let why = "the container engine does not answer: what it keeps is read later";
            self.gap(&source, why.to_owned()).await;
        }
    }

    /// Follows until the engine is lost.
    async fn session(&mut self) -> Error {
        match self.follow_all().await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    async fn follow_all(&mut self) -> Result<std::convert::Infallible, Error> {
        self.docker.ping().await?;
        let since = self.clock.now() - Duration::from_secs(1);
        let mut events = self.docker.events(&self.logs.project, Some(since)).await?;
        let mut streams: Streams = SelectAll::new();
        self.look(&mut streams).await?;
        self.told = false;
        let (mut timer, mut soon) = (self.timer(LOOK), false);
        loop {
            let asks = tokio::select! {
                event = events.next() => match event {
                    Some(Ok(event)) => event.action.as_str() == "start",
                    Some(Err(error)) => return Err(error),
                    None => {
                        let what = "could not follow the containers: the engine ended the line";
                        return Err(Error::new(Kind::Reset, what));
                    }
                },
                Some((source, came)) = streams.next(), if !streams.is_empty() => {
                    self.came(&source, came).await
                }
                () = &mut timer => {
                    self.look(&mut streams).await?;
                    (timer, soon) = (self.timer(LOOK), false);
                    false
                }
            };
            // One that starts over and over does not put the look off.
            if asks && !std::mem::replace(&mut soon, true) {
                timer = self.timer(SOON);
            }
        }
    }

    fn timer(&self, after: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let clock = self.clock.clone();
        Box::pin(async move { clock.sleep(after).await })
    }

    /// Looks which containers there are, and follows those that are not followed yet.
    async fn look(&mut self, streams: &mut Streams) -> Result<(), Error> {
        let all = self.docker.of_project(&self.logs.project, None).await?;
        let mut taken: HashSet<Arc<str>> = HashSet::new();
        // The one that runs, and of those the newest, is what a source is now.
        let mut all: Vec<Container> = all;
        all.sort_by_key(|one| std::cmp::Reverse((one.running, one.started_at)));
        let mut found = Vec::new();
        for one in all {
            let Some(source) = self.source_of(&one) else { continue };
            if taken.insert(Arc::clone(&source)) {
                found.push((source, one));
            }
        }
        self.open(&found).await;
        for (source, one) in found {
            self.join(source, &one, streams).await?;
        }
        self.began = true;
        Ok(())
    }

    /// The source that a container writes to: the first of a scaled service has the plain name.
    fn source_of(&self, one: &Container) -> Option<Arc<str>> {
        let named = self.logs.sources.iter().find(|source| source.service == one.service);
        let base = match named {
            Some(source) => source.source.as_str(),
            None if self.logs.all => one.service.as_str(),
            None => return None,
        };
        let number = one.labels.get("com.docker.compose.container-number").map(String::as_str);
        let name = match number {
            None | Some("1" | "") => base.to_owned(),
            Some(number) => format!("{base}-{number}"),
        };
        Some(match &self.host {
            None => Arc::from(name),
            Some(host) => Arc::from(format!("{name}@{host}")),
        })
    }

    async fn join(
        &mut self,
        source: Arc<str>,
        one: &Container,
        streams: &mut Streams,
    ) -> Result<(), Error> {
        let Some(place) = self.places.get_mut(&source) else { return Ok(()) };
        if place.followed || place.is_over(one) {
            return Ok(());
        }
        let followed = place.follow(one);
        let first = followed.since.is_none() && !self.began && !followed.other;
        if followed.other {
            let id: String = one.id.chars().take(12).collect();
            let why = format!("another container runs it from here on: {id}, {}", one.image);
            self.gap(&source, SafeText::new(&why).as_str().to_owned()).await;
        }
        let last = first.then_some(BEFORE);
        let lines = self.docker.logs(&one.id, followed.since, last, true).await?;
        let (name, end) = (Arc::clone(&source), source);
        let came = lines.map(move |line| {
            let came = line.map_or_else(Came::Failed, Came::Line);
            (Arc::clone(&name), came)
        });
        let ended = futures_util::stream::once(async move { (end, Came::Ended) });
        streams.push(came.chain(ended).boxed());
        Ok(())
    }

    /// Asks where the spools of new sources were left, of all of them at once: an answer takes as
    /// long as the spool has not had its turn.
    async fn open(&mut self, found: &[(Arc<str>, Container)]) {
        let mut asked = Vec::new();
        for (source, _) in found.iter().filter(|(source, _)| !self.places.contains_key(source)) {
            if self.places.len() + asked.len() >= MOST {
                tracing::warn!("{source} is not followed: {MOST} containers are followed already");
                continue;
            }
            let (left, answer) = oneshot::channel();
            let source = Arc::clone(source);
            if self.to.send(Piece::Open { source: Arc::clone(&source), left }).await.is_ok() {
                asked.push((source, answer));
            }
        }
        for (source, answer) in asked {
            let left = answer.await.ok().flatten();
            self.places.insert(source, Place::new(left));
        }
    }

    /// Hands over what came of a source; whether to look soon which containers there are.
    async fn came(&mut self, source: &Arc<str>, came: Came) -> bool {
        let now = self.clock.now();
        let Some(place) = self.places.get_mut(source) else { return false };
        match came {
            Came::Line(line) => {
                let (container, taken) = (place.container(), place.take(&line, now));
                let at = match taken {
                    Taken::Known => return false,
                    Taken::New(at) => at,
                    Taken::AfterGap(at) => {
                        let why = "lines are missing here: the engine no longer has them";
                        self.gap(source, why.to_owned()).await;
                        at
                    }
                };
                let mut text = line.text;
                if line.ended {
                    text.push(b'\n');
                }
                let source = Arc::clone(source);
                self.to.send(Piece::Line { source, container, at, text }).await.ok();
                false
            }
            Came::Failed(error) => {
                place.failed = true;
                let gone = error.kind == Kind::NotFound;
                if !gone && !self.told {
                    self.gap(source, error.message).await;
                }
                false
            }
            Came::Ended => {
                place.followed = false;
                true
            }
        }
    }

    async fn gap(&self, source: &Arc<str>, why: String) {
        self.to.send(Piece::Gap { source: Arc::clone(source), why }).await.ok();
    }
}
