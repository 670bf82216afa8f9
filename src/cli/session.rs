//! What most subcommands need: the configuration, and a client of the engine.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::config::{self, Config};
use crate::engine;
use crate::failure::{Exit, Failure};
use crate::journal::{Reader, Samples};
use crate::link::{self, Answer, Client, ClientKind, FromEngine, Hello, Linger, Pair, Welcome};
use crate::model::entry::Command;
use crate::model::ids::{CheckId, CommandId, Time};
use crate::model::live::Live;
use crate::model::reading::Reading;
use crate::model::situation::Situation;

use super::World;

/// A loaded configuration and where its engine lives.
pub(crate) struct Place {
    pub(crate) config: Config,
    pub(crate) socket: PathBuf,
}

/// Loads the configuration, or says every mistake in it.
pub(crate) fn place(world: &World) -> Result<Place, Failure> {
    let file = world.config.clone().or_else(|| {
        let here = std::env::current_dir().unwrap_or_default();
        config::find(&here, &world.environment)
    });
    let Some(file) = file else {
        return Err(Failure::new(Exit::Config, "could not find a configuration")
            .hint("name one with --config FILE, or start the embedded stack: backout demo"));
    };
    let config = load(world, &file)?;
    let uid = rustix::process::geteuid().as_raw();
    let runtime = world.environment.runtime_dir();
    let socket = link::socket_path(&config.state_dir, runtime.as_deref(), uid)
        .map_err(|error| Failure::new(Exit::Unknown, error.to_string()))?;
    Ok(Place { config, socket })
}

/// Loads one file.
pub(crate) fn load(world: &World, file: &std::path::Path) -> Result<Config, Failure> {
    config::load(file, &world.environment).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let many = if problems.len() == 1 { "1 mistake" } else { "mistakes" };
        let count =
            if problems.len() == 1 { String::new() } else { format!("{} ", problems.len()) };
        let head = format!("could not use {}: {count}{many}", file.display());
        Failure::new(Exit::Config, format!("{head}\n{}", lines.join("\n")))
    })
}

/// A client of an engine, with the files it reads.
pub(crate) struct Session {
    pub(crate) place: Place,
    client: Client,
    pub(crate) welcome: Welcome,
    pushes: mpsc::Receiver<FromEngine>,
    reader: Reader,
    samples: Samples,
    pub(crate) situation: Situation,
    pub(crate) live: Option<Live>,
    pub(crate) readings: BTreeMap<CheckId, Reading>,
    clock: crate::clock::Clock,
    own: Option<Own>,
    hello: Hello,
    count: u32,
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
}

impl Session {
    /// Attaches to the engine, starting one where that is needed.
    pub(crate) async fn open(world: &World, need: Need) -> Result<Self, Failure> {
        let place = place(world)?;
        let mut own = None;
        let running = connect(world, &place).await;
        let (client, welcome, pushes) = match (running, need) {
            (Ok(connected), _) => connected,
            (Err(_), Need::Running) => {
                return Err(Failure::new(Exit::Unknown, "could not attach: no engine runs here")
                    .hint("start the console: backout"));
            }
            (Err(_), Need::Look) => {
                own = Some(start_own(world, &place));
                connect_soon(world, &place, own.as_mut()).await?
            }
            (Err(_), Need::Change) => {
                ensure(&pair(world, &place, Linger::Cli), world).await?;
                connect_soon(world, &place, None).await?
            }
        };
        let state = place.config.state_dir.clone();
        let mut reader = Reader::open(&state).await.map_err(journal)?;
        let situation = reader.situation().await.map_err(journal)?;
        let samples = Samples::read(&state).await.map_err(journal)?;
        let mut session = Self {
            place,
            client,
            welcome,
            pushes,
            reader,
            samples,
            situation,
            live: None,
            readings: BTreeMap::new(),
            clock: world.clock.clone(),
            own,
            hello: hello(world, ClientKind::Cli),
            count: 0,
        };
        session.refresh().await?;
        Ok(session)
    }

    /// Reads what is new.
    pub(crate) async fn refresh(&mut self) -> Result<(), Failure> {
        loop {
            let entries = self.reader.after(self.situation.seq, 500).await.map_err(journal)?;
            if entries.is_empty() {
                break;
            }
            for entry in &entries {
                self.situation.apply(entry);
            }
        }
        self.live = self.samples.live().await.map_err(journal)?;
        self.readings = self.samples.latest().await.map_err(journal)?;
        Ok(())
    }

    /// Now, by the session's clock.
    pub(crate) fn now(&self) -> Time {
        self.clock.now()
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

    /// Attaches to the engine that the keeper starts next.
    async fn again(&mut self) -> Result<(), Failure> {
        for _ in 0..50 {
            self.clock.sleep(Duration::from_millis(100)).await;
            let hello = self.hello.clone();
            let again = Client::connect(&self.place.socket, hello, &self.clock).await;
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
        getrandom::fill(&mut bytes).ok();
        let id = CommandId(format!("{:016x}-{}", u64::from_le_bytes(bytes), self.count));
        match self.deliver(id, command).await? {
            Answer::Accepted { .. } => Ok(()),
            Answer::Refused { why, hint } => {
                let exit = if why.contains("leads") { Exit::Held } else { Exit::Blocked };
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
        Err(gone())
    }

    /// Leaves; an engine in this process ends with it.
    pub(crate) async fn close(self) {
        drop(self.client);
        drop(self.pushes);
        if let Some((stop, task)) = self.own {
            stop.send_replace(true);
            self.clock.timeout(Duration::from_secs(5), task).await.ok();
        }
    }
}

fn gone() -> Failure {
    Failure::new(Exit::Unknown, "the engine went away and did not come back")
        .hint("look at engine.log in the state folder, then: backout attach")
}

/// The journal's error as a failure.
#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
pub(crate) fn journal(error: crate::journal::Error) -> Failure {
    Failure::new(Exit::Unknown, error.to_string())
}

/// The hello of this person.
pub(crate) fn hello(world: &World, kind: ClientKind) -> Hello {
    let name = world.environment.user().unwrap_or("somebody");
    Hello::new(kind, name, world.environment.ssh_connection().map(str::to_owned))
}

type Connected = (Client, Welcome, mpsc::Receiver<FromEngine>);

async fn connect(world: &World, place: &Place) -> Result<Connected, Failure> {
    Client::connect(&place.socket, hello(world, ClientKind::Cli), &world.clock)
        .await
        .map_err(|error| Failure::new(Exit::Unknown, error.to_string()))
}

/// Makes sure that an engine answers, starting a pair when none does.
pub(crate) async fn ensure(pair: &Pair, world: &World) -> Result<(), Failure> {
    link::ensure(pair, &world.clock).await.map_err(|error| {
        Failure::new(Exit::Unknown, error.to_string())
            .hint("look at engine.log in the state folder, then try again")
    })
}

/// The pair that would serve this place.
pub(crate) fn pair(world: &World, place: &Place, linger: Linger) -> Pair {
    Pair {
        program: world.program.clone(),
        config: place.config.file.clone(),
        state: place.config.state_dir.clone(),
        socket: place.socket.clone(),
        linger,
    }
}

type Own = (watch::Sender<bool>, tokio::task::JoinHandle<Result<Exit, Failure>>);

fn start_own(world: &World, place: &Place) -> Own {
    let (stop, mut stopped) = watch::channel(false);
    let start = engine::Start {
        program: world.program.clone(),
        state: place.config.state_dir.clone(),
        socket: place.socket.clone(),
        linger: Duration::ZERO,
        keeper: None,
        #[cfg(feature = "faults")]
        faults: crate::journal::Faults::default(),
    };
    let stop_asked = async move {
        stopped.wait_for(|stop| *stop).await.ok();
    };
    let run = engine::run::run(start, place.config.clone(), world.clock.clone(), stop_asked);
    (stop, tokio::spawn(run))
}

async fn connect_soon(
    world: &World,
    place: &Place,
    mut own: Option<&mut Own>,
) -> Result<Connected, Failure> {
    for _ in 0..250 {
        if let Ok(connected) = connect(world, place).await {
            return Ok(connected);
        }
        if let Some((_, task)) = own.as_deref_mut()
            && task.is_finished()
        {
            return match task.await {
                Ok(Err(failure)) => Err(failure),
                Ok(Ok(_)) | Err(_) => Err(gone()),
            };
        }
        world.clock.sleep(Duration::from_millis(20)).await;
    }
    Err(gone())
}

/// Writes a JSON document and a newline.
pub(crate) fn json(out: &mut dyn Write, document: &impl serde::Serialize) {
    let text = serde_json::to_string_pretty(document).unwrap_or_default();
    super::say(out, &format!("{text}\n"));
}
