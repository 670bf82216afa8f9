//! What most subcommands need: the configuration, and a client of the engine.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::failure::{Exit, Failure};
use crate::journal::{Reader, Samples};
use crate::link::{self, Answer, Client, ClientKind, FromEngine, Hello, Linger, Pair, Welcome};
use crate::model::entry::{Command, Entry};
use crate::model::ids::{CheckId, CommandId, Time};
use crate::model::live::Live;
use crate::model::reading::Reading;
use crate::model::situation::Situation;

use super::World;
pub(crate) use super::place::{
    Place, environments, journal_of, load, named, own_uid, place, place_to_attach,
};
use super::reach::{Own, connect, connect_soon, start_own};
pub(crate) use super::reach::{ensure, hello, pair};
use super::relay::{self, Relay};

/// How long a journal that does not answer is waited for.
const AWAY: Duration = Duration::from_mins(1);

/// How long an engine of an earlier configuration may take to end when its last client has left.
const OUTDATED: Duration = Duration::from_secs(6);

/// A client of an engine, with the files it reads.
pub(crate) struct Session {
    pub(crate) place: Place,
    client: Client,
    pub(crate) welcome: Welcome,
    pushes: mpsc::Receiver<FromEngine>,
    reader: Reader,
    samples: Samples,
    pub(crate) situation: Box<Situation>,
    pub(crate) live: Option<Live>,
    pub(crate) readings: BTreeMap<CheckId, Reading>,
    clock: crate::clock::Clock,
    own: Option<Own>,
    began: Time,
    hello: Hello,
    count: u32,
    /// What is started again when the engine ended in the moment in which this session came.
    pair: Option<Pair>,
    /// Where the engine is on another host.
    relay: Option<Relay>,
}

/// Who starts an engine when none runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// A look: this process becomes the engine for as long as it takes.
    Look,
    /// A change: a pair of its own, that outlives this process.
    Change,
    /// Only an engine that runs already.
    Running,
    /// The same, by a client that never leads: stopping and notes are open to it.
    Watching,
}

impl Session {
    /// Attaches to the engine, starting one where that is needed. An engine of an earlier
    /// configuration that nobody else needs is let go first; one that stays is said.
    pub(crate) async fn open(world: &World, need: Need) -> Result<Self, Failure> {
        Box::pin(Self::open_anew(world, need)).await
    }

    async fn open_anew(world: &World, need: Need) -> Result<Self, Failure> {
        let session = Self::attach(world, need).await?;
        if !session.outdated() || !matches!(need, Need::Look | Need::Change) {
            return Ok(session);
        }
        let state = session.place.config.state_dir.clone();
        session.close().await;
        let until = world.clock.ticks() + OUTDATED;
        while world.clock.ticks() < until && link::living(&state).is_some() {
            world.clock.sleep(Duration::from_millis(100)).await;
        }
        let session = Self::attach(world, need).await?;
        if session.outdated() {
            let file = session.place.config.file.display();
            let text = format!(
                "backout: the engine that runs has read {file} before it was changed, and goes by \
                 what it read until everybody has left it"
            );
            writeln!(std::io::stderr().lock(), "{text}").ok();
        }
        Ok(session)
    }

    /// Whether the engine of this session goes by a configuration that is not the file's of now.
    fn outdated(&self) -> bool {
        let engine = self.situation.engine.as_ref().filter(|engine| !engine.stopped);
        self.relay.is_none() && engine.is_some_and(|it| it.config != self.place.config.digest)
    }

    async fn attach(world: &World, need: Need) -> Result<Self, Failure> {
        let mut place = place_to_attach(world)?;
        let began = world.clock.now();
        let mut own = None;
        let kind = if need == Need::Watching { ClientKind::Observer } else { ClientKind::Cli };
        let mut running = connect(world, &place, kind).await;
        let mut relay = None;
        if running.is_err()
            && let Some(begun) = Box::pin(relay::to_engine(world, &mut place)).await?
        {
            relay = Some(begun);
            running = connect(world, &place, kind).await;
        }
        let (client, welcome, pushes) = match (running, need) {
            (Ok(connected), _) => connected,
            (Err(_), Need::Running | Need::Watching) => {
                return Err(Failure::new(Exit::Unknown, "could not attach: no engine runs here")
                    .hint("start the console: backout"));
            }
            (Err(_), Need::Look) => {
                own = Some(start_own(world, &place));
                connect_soon(world, &place, own.as_mut()).await?
            }
            (Err(_), Need::Change) => {
                let ensured = ensure(&pair(world, &place, Linger::Cli), world).await;
                if ensured.is_err() {
                    // Of two hosts that begin at once, one finds the other.
                    Box::pin(relay::alone(&place)).await?;
                }
                ensured?;
                connect_soon(world, &place, None).await?
            }
        };
        let pair =
            (need == Need::Change && relay.is_none()).then(|| pair(world, &place, Linger::Cli));
        let state = place.config.state_dir.clone();
        let (reader, situation) = Box::pin(read(&place, &world.clock)).await.map_err(journal)?;
        let samples = Samples::read(&state).await.map_err(journal)?;
        let mut session = Self {
            place,
            client,
            welcome,
            pushes,
            reader,
            samples,
            situation: Box::new(situation),
            live: None,
            readings: BTreeMap::new(),
            clock: world.clock.clone(),
            own,
            began,
            hello: hello(world, kind),
            count: 0,
            pair,
            relay,
        };
        session.refresh().await?;
        Ok(session)
    }

    /// Reads what is new.
    pub(crate) async fn refresh(&mut self) -> Result<(), Failure> {
        // Before the journal: what the engine says that it has seen is written there by then.
        self.live = self.samples.live().await.map_err(journal)?;
        self.readings = self.samples.latest().await.map_err(journal)?;
        loop {
            let entries = self.entries().await?;
            if entries.is_empty() {
                break;
            }
            for entry in &entries {
                self.situation.apply(entry);
            }
        }
        Ok(())
    }

    /// What is new in the journal. A server that is away for a moment is waited for: a run goes on
    /// meanwhile, and whoever follows it goes on following.
    async fn entries(&mut self) -> Result<Vec<Entry>, Failure> {
        let until = self.clock.ticks() + AWAY;
        loop {
            match self.reader.after(self.situation.seq, 500).await {
                Err(error) if error.is_lost() && self.clock.ticks() < until => {
                    self.clock.sleep(Duration::from_millis(500)).await;
                }
                read => return read.map_err(journal),
            }
        }
    }

    /// The oldest reading that may be taken for a look of now: an engine that runs keeps its own
    /// schedule; one that was started for this look has looked since, and what another left is not
    /// an answer.
    pub(crate) fn fresh_since(&self) -> Time {
        if self.own.is_some() { self.began } else { self.now() - chrono::Duration::seconds(60) }
    }

    /// Now, by the session's clock.
    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Waits until every live check has looked once under this engine, for at most `limit`; whether
    /// they have.
    pub(crate) async fn looked(&mut self, limit: Duration) -> Result<bool, Failure> {
        let live = self.place.config.checks.iter().filter(|spec| spec.live);
        let live: Vec<CheckId> = live.map(|spec| spec.id.clone()).collect();
        let since = self.fresh_since();
        self.wait_for(limit, |session| {
            live.iter().all(|id| {
                session.situation.checks.contains_key(id)
                    && session.readings.get(id).is_some_and(|reading| reading.at >= since)
            })
        })
        .await
    }

    /// Waits until `done` says so, for at most `limit`; whether it did.
    pub(crate) async fn wait_for(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<bool, Failure> {
        let until = self.clock.now() + chrono::Duration::from_std(limit).unwrap_or_default();
        loop {
            self.refresh().await?;
            if done(self) {
                return Ok(true);
            }
            let left = (until - self.clock.now()).to_std().unwrap_or_default();
            if left.is_zero() {
                return Ok(false);
            }
            self.changed(left.min(Duration::from_secs(1))).await?;
        }
    }

    /// Waits for the engine to say that something changed, or for `limit`. When the engine goes
    /// away its keeper starts another: the session attaches to that one.
    async fn changed(&mut self, limit: Duration) -> Result<(), Failure> {
        match self.clock.timeout(limit, self.pushes.recv()).await {
            Ok(Some(_)) | Err(_) => Ok(()),
            Ok(None) => {
                if let Some((_, task)) = self.own.take_if(|(_, task)| task.is_finished()) {
                    return match task.await {
                        Ok(Err(failure)) => Err(failure),
                        Ok(Ok(_)) | Err(_) => Err(gone()),
                    };
                }
                self.again().await
            }
        }
    }

    /// Attaches to the engine that the keeper starts next, or to one of its own where that engine
    /// had ended because nobody was attached.
    async fn again(&mut self) -> Result<(), Failure> {
        // A host that is busy with the incident itself starts a program slowly.
        for tried in 0..200 {
            self.clock.sleep(Duration::from_millis(100)).await;
            if tried == 20
                && let Some(pair) = &self.pair
            {
                let started = link::ensure(pair, &self.clock).await;
                started.map_err(|error| gone().hint(error.to_string()))?;
            }
            let hello = self.hello.clone();
            let socket = link::address(&self.place.config.state_dir, &self.place.socket);
            let again = Client::connect(&socket, hello, &self.clock).await;
            if let Ok(connected) = again {
                (self.client, self.welcome, self.pushes) = connected;
                return Ok(());
            }
        }
        Err(gone())
    }

    /// Sends a command; a refusal is a failure with the engine's words.
    pub(crate) async fn send(&mut self, command: Command) -> Result<(), Failure> {
        self.count += 1;
        let mut bytes = [0; 8];
        // A repeated id is answered as the first was: without randomness time and process differ.
        getrandom::fill(&mut bytes).ok();
        let (random, at) = (u64::from_le_bytes(bytes), self.now().timestamp_micros());
        let id = format!("{at:x}-{random:08x}-{}-{}", std::process::id(), self.count);
        self.send_as(CommandId(id), command).await
    }

    /// Sends a command under an id of somebody else's: the same id twice is one command.
    pub(crate) async fn send_as(&mut self, id: CommandId, command: Command) -> Result<(), Failure> {
        match self.deliver(id, command).await? {
            Answer::Accepted { .. } => Ok(()),
            Answer::Refused { why, hint } => {
                let held = ["leads", "locked by"].iter().any(|is| why.contains(is));
                let exit = if held { Exit::Held } else { Exit::Blocked };
                Err(Failure::new(exit, why).hint(hint))
            }
        }
    }

    /// Sends until an engine answers: one that dies meanwhile is started again by its keeper, and
    /// knows a repeated id.
    async fn deliver(&mut self, id: CommandId, command: Command) -> Result<Answer, Failure> {
        for _ in 0..3 {
            match self.client.send(id.clone(), command.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(link::Error::Gone { .. } | link::Error::TimedOut { .. }) => {
                    self.again().await?;
                }
                Err(error) => return Err(Failure::new(Exit::Unknown, error.to_string())),
            }
        }
        // An engine whose journal is away hears nobody.
        match self.reader.after(self.situation.seq, 1).await {
            Err(error) if error.is_lost() => Err(journal(error)),
            Ok(_) | Err(_) => Err(gone()),
        }
    }

    /// Leaves; an engine in this process ends with it.
    pub(crate) async fn close(self) {
        drop(self.client);
        drop(self.pushes);
        if let Some(relay) = self.relay {
            relay.close().await;
        }
        if let Some((stop, task)) = self.own {
            stop.send_replace(true);
            self.clock.timeout(Duration::from_secs(5), task).await.ok();
        }
    }
}

pub(super) fn gone() -> Failure {
    Failure::new(Exit::Unknown, "the engine went away and did not come back")
        .hint("look at engine.log in the state folder, then: backout attach")
}

/// What the journal of an engine that runs says; a server that is away for a moment is waited for.
async fn read(
    place: &Place,
    clock: &crate::clock::Clock,
) -> Result<(Reader, Situation), crate::journal::Error> {
    let until = clock.ticks() + AWAY;
    let once = async || {
        let mut reader = Reader::open(&place.journal).await?;
        let situation = reader.situation().await?;
        Ok::<_, crate::journal::Error>((reader, situation))
    };
    loop {
        match once().await {
            Err(error) if error.is_lost() && clock.ticks() < until => {
                clock.sleep(Duration::from_millis(500)).await;
            }
            read => return read,
        }
    }
}

/// The journal's error as a failure.
#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
pub(crate) fn journal(error: crate::journal::Error) -> Failure {
    let failure = Failure::new(Exit::Unknown, error.to_string());
    if error.is_lost() {
        return failure
            .hint("what runs ends by itself, and nothing is begun until that server is back")
            .hint("look at that server, then: backout attach");
    }
    failure
}

/// Writes a JSON document and a newline.
pub(crate) fn json(out: &mut dyn Write, document: &impl serde::Serialize) {
    let text = serde_json::to_string_pretty(document).unwrap_or_default();
    super::say(out, &format!("{text}\n"));
}
