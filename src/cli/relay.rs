//! A client on another host than the engine: to the session or the console it is the engine's socket,
//! behind it commands go as rows into the journal's server, and answers come from there, with what is
//! true only now. Log lines and evidence stay on the engine's host.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::failure::{Exit, Failure};
use crate::journal::{self, Channel, CommandDesk, Ear, Error, Present, Samples};
use crate::link::{Answer, ClientKind, Head, Server, ServerEvent, Share};
use crate::model::entry::Command;
use crate::model::ids::{CheckId, CommandId, Time};
use crate::model::live::Shown;

use super::World;
use super::session::Place;

/// Between two looks for answers and entries, where nothing is heard of them.
const EVERY: Duration = Duration::from_millis(250);
/// The same where it is, and between two looks at what is now.
const LOOK: Duration = Duration::from_secs(1);
/// Between two words that somebody is there, and two looks whether the engine is.
const BEAT: Duration = Duration::from_secs(5);
/// An engine that did not answer by then is not there.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a server is waited for to say that somebody left.
const FAREWELL: Duration = Duration::from_secs(2);

/// The relay; it ends when this is dropped.
pub(crate) struct Relay {
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
    pub(crate) socket: PathBuf,
    clock: Clock,
    who: (String, u32),
}

impl Relay {
    /// The name and the number by which the engine knows who is here.
    pub(crate) fn who(&self) -> (String, u32) {
        self.who.clone()
    }

    /// Ends it once it has said that its client left.
    pub(crate) async fn close(mut self) {
        self.stop.send_replace(true);
        self.clock.timeout(FAREWELL, &mut self.task).await.ok();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where an engine on another host has the journal, the way to it: the place's socket is then that of
/// a relay in this process.
pub(crate) async fn to_engine(world: &World, place: &mut Place) -> Result<Option<Relay>, Failure> {
    let held = journal::held_elsewhere(&place.journal).await.map_err(|error| away(&error))?;
    let Some(held) = held else { return Ok(None) };
    let relay = begin(world, place, &held).await?;
    place.socket.clone_from(&relay.socket);
    Ok(Some(relay))
}

/// Refuses where an engine on another host has the journal.
pub(crate) async fn alone(place: &Place) -> Result<(), Failure> {
    match journal::held_elsewhere(&place.journal).await {
        Ok(None) => Ok(()),
        Ok(Some(held)) => Err(Failure::new(Exit::Held, held.to_string())
            .hint("it was first: look what it does: backout status")),
        Err(error) => Err(away(&error)),
    }
}

/// A journal that cannot be read before anything began.
fn away(error: &Error) -> Failure {
    let failure = Failure::new(Exit::Unknown, error.to_string());
    if !error.is_lost() {
        return failure.hint("nothing starts without its journal: mend that first");
    }
    failure
        .hint("nothing starts without its journal: look at that server first, then try again")
        .hint(
            "if that cannot be waited for: name a copy of the configuration without its line \
             `journal:` with --config; what is done is then on record on this host alone",
        )
}

/// Begins to relay for this process to the engine that `held` names.
async fn begin(world: &World, place: &Place, held: &Error) -> Result<Relay, Failure> {
    let failed = |error: String| {
        Failure::new(Exit::Unknown, error).hint(format!("the engine is elsewhere: {held}"))
    };
    let opened = CommandDesk::open(&place.journal).await.map_err(|e| failed(e.to_string()))?;
    let mut desk = opened.ok_or_else(|| failed("the journal is a file".to_owned()))?;
    let epoch = if let Error::HeldElsewhere { epoch, .. } = held { *epoch } else { 0 };
    let seq = desk.head().await.map_err(|e| failed(e.to_string()))?;
    let role = desk.role().await.map_err(|e| failed(e.to_string()))?;
    let who = (role.clone(), journal::number_of(&role));
    let samples = Samples::open(&place.config.state_dir).await;
    let mut samples = samples.map_err(|e| failed(e.to_string()))?;
    let known = samples.latest().await.unwrap_or_default();
    let socket = place.socket.with_extension(format!("{}.sock", std::process::id()));
    let (server, mail) =
        Server::bind(&socket, Share::Alone, Head { epoch, seq }, world.clock.clone())
            .map_err(|e| failed(e.to_string()))?;
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut relay = Relaying {
        place: place.journal.clone(),
        desk,
        server,
        samples,
        clock: world.clock.clone(),
        client: format!("{} pid {}", host.trim(), std::process::id()),
        guest: None,
        waiting: Vec::new(),
        seq,
        shown: 0,
        told: 0,
        latest: known.into_iter().map(|(check, reading)| (check, reading.at)).collect(),
        beat: None,
    };
    // What is shown first is of now where the engine knows that somebody looks.
    relay.look_at_now().await;
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(relay.run(mail, stopped));
    Ok(Relay { task, stop, socket, clock: world.clock.clone(), who })
}

struct Relaying {
    place: journal::Place,
    desk: CommandDesk,
    server: Server,
    samples: Samples,
    clock: Clock,
    client: String,
    /// Who is attached here.
    guest: Option<(u64, Present)>,
    /// Whose, which, and since when.
    waiting: Vec<(u64, CommandId, Duration)>,
    /// The last entry, what is now, and the word of it that clients know.
    seq: u64,
    shown: i64,
    told: u64,
    /// When the readings were made that are known here.
    latest: BTreeMap<CheckId, Time>,
    beat: Option<Duration>,
}

impl Relaying {
    async fn run(
        mut self,
        mut mail: mpsc::Receiver<ServerEvent>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let mut ear = Ear::at(&self.place, Channel::News);
        loop {
            tokio::select! {
                _ = stopped.changed() => return self.leave().await,
                Some(event) = mail.recv() => self.event(event).await,
                () = ear.wait(EVERY, LOOK) => {}
            }
            self.answers().await;
            self.look_at_now().await;
            // A server that is away says nothing new; the reader says that it is away.
            let head = self.desk.head().await.unwrap_or(self.seq);
            if head > self.seq {
                self.seq = head;
                self.server.changed(self.seq, self.told);
            }
            if !self.keep_up().await {
                return;
            }
        }
    }

    async fn event(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Attached { client, kind, version, .. } => {
                let kind = match kind {
                    ClientKind::Console => "console",
                    ClientKind::Cli => "cli",
                    ClientKind::Observer => "observer",
                };
                let one = Present {
                    author: String::new(),
                    client: self.client.clone(),
                    kind: kind.to_owned(),
                    version,
                };
                self.guest = Some((client, one));
                self.told += 1;
                self.beat = None;
                self.keep_up().await;
            }
            ServerEvent::Gone { client } => {
                if self.guest.as_ref().is_some_and(|(guest, _)| *guest == client) {
                    self.leave().await;
                }
            }
            ServerEvent::Command { client, id, command, .. } => {
                self.ask(client, id, &command).await;
            }
        }
    }

    async fn leave(&mut self) {
        if let Some((_, one)) = self.guest.take() {
            self.desk.attend(&one, false).await.ok();
        }
    }

    async fn ask(&mut self, client: u64, id: CommandId, command: &Command) {
        let body = serde_json::to_string(command).unwrap_or_default();
        match self.desk.put(&id.0, &self.client, &body).await {
            Ok(()) => self.waiting.push((client, id, self.clock.ticks())),
            Err(error) => self.refuse(client, id, &error.to_string()),
        }
    }

    /// Says now and then that somebody is there; whether the engine still is. Where it is not, the
    /// client hears that this end closes, and may become the engine's host itself.
    async fn keep_up(&mut self) -> bool {
        let now = self.clock.ticks();
        if self.beat.is_some_and(|at| now.saturating_sub(at) < BEAT) {
            return true;
        }
        self.beat = Some(now);
        if let Some((_, one)) = &self.guest
            && let Err(error) = self.desk.attend(one, true).await
        {
            tracing::warn!("the engine does not see that somebody is here: {error}");
        }
        // A server that is away does not say so.
        let held = self.desk.is_held_elsewhere(&self.place).await.unwrap_or(true);
        if !held {
            self.server.bye("the engine on the other host is gone, and its lease ran out");
        }
        held
    }

    /// Takes what the engine shows of what is now into the samples here.
    async fn look_at_now(&mut self) {
        let Ok(Some((number, text))) = self.desk.shown(self.shown).await else { return };
        self.shown = number;
        let Ok(shown) = serde_json::from_str::<Shown>(&text) else { return };
        let mut readings = shown.readings;
        readings.retain(|one| self.latest.get(&one.check).is_none_or(|known| *known < one.at));
        self.latest.extend(readings.iter().map(|one| (one.check.clone(), one.at)));
        if let Err(error) = self.samples.write(&readings, shown.live.as_ref()).await {
            tracing::warn!("could not write the samples: {error}");
        }
        self.told += 1;
        self.server.changed(self.seq, self.told);
    }

    async fn answers(&mut self) {
        for (client, id, since) in std::mem::take(&mut self.waiting) {
            let said = self.desk.answer(&id.0).await.ok().flatten();
            let answer = said.and_then(|said| serde_json::from_str::<Answer>(&said).ok());
            if let Some(answer) = answer {
                self.server.answer(client, id, answer);
            } else if self.clock.ticks().saturating_sub(since) > PATIENCE {
                self.refuse(client, id, "the engine did not answer: it may still do it");
            } else {
                self.waiting.push((client, id, since));
            }
        }
    }

    fn refuse(&self, client: u64, id: CommandId, why: &str) {
        let hint = "look what is on record: backout status".to_owned();
        self.server.answer(client, id, Answer::Refused { why: why.to_owned(), hint });
    }
}
