//! Clients on other hosts: what they put as rows into a journal on a server comes in like what comes
//! over the socket, under the name that the server attests; what is true only now goes out to them.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::journal::{Asked, Channel, CommandDesk, Ear, Error, Place, Present, Samples, number_of};
use crate::link::{Answer, ClientKind, ServerEvent};
use crate::model::entry::{Author, Command};
use crate::model::ids::CommandId;
use crate::model::live::Shown;
use crate::text::SafeText;

/// Numbers of clients from here on are those of other hosts.
const FAR: u64 = 1 << 63;
/// Between two looks for rows, where nothing is heard of them.
const LOOK: Duration = Duration::from_millis(400);
/// The same where it is, and between two words of what is now.
const SHOW: Duration = Duration::from_secs(1);
/// A client that was silent for so long has gone, in seconds.
const SILENT: u32 = 20;
/// One that is not there any more may have asked something just now.
const LEFT: Duration = Duration::from_secs(3);
/// The time that clients have to come back with the server.
const BACK: Duration = Duration::from_secs(15);
/// Answers that wait to be written, and clients that are known, at most.
const BOUND: usize = 64;
/// The most that is shown of what is now, in bytes.
const SHOWN_LIMIT: usize = 1024 * 1024;

/// Where answers for clients on other hosts go.
pub(super) struct Far(mpsc::Sender<(CommandId, Answer)>);

impl Far {
    /// Whether this client is on another host.
    pub(super) fn has(client: u64) -> bool {
        client >= FAR
    }

    /// Sends an answer on its way. One that is lost is asked for again, under the same id.
    pub(super) fn answer(&self, id: CommandId, answer: Answer) {
        self.0.try_send((id, answer)).ok();
    }
}

/// Follows the rows, where there are any, until the engine ends.
pub(super) fn follow(place: Place, clock: Clock) -> (Far, mpsc::Receiver<ServerEvent>) {
    let (to, events) = mpsc::channel(BOUND);
    let (answers, mut answered) = mpsc::channel(BOUND);
    if place.is_shared() {
        tokio::spawn(async move {
            let mut room = Room::new(place, clock.clone(), to);
            while !room.to.is_closed() {
                if let Err(error) = room.follow(&mut answered).await
                    && !std::mem::replace(&mut room.lost, true)
                {
                    tracing::warn!("what other hosts ask is not seen: {error}");
                }
                clock.sleep(LOOK).await;
            }
        });
    }
    (Far(answers), events)
}

/// By role and place.
type Key = (String, String);

/// Who is known to be there.
struct Room {
    place: Place,
    clock: Clock,
    to: mpsc::Sender<ServerEvent>,
    ear: Ear,
    /// Their numbers, and when they were heard last.
    clients: BTreeMap<Key, (u64, Duration)>,
    count: u64,
    /// Given to the engine and not answered yet.
    under_way: Vec<String>,
    samples: Option<Samples>,
    shown_at: Option<Duration>,
    /// The server was away at the last look, and that was said.
    lost: bool,
}

impl Room {
    fn new(place: Place, clock: Clock, to: mpsc::Sender<ServerEvent>) -> Self {
        let ear = Ear::at(&place, Channel::Commands);
        Self {
            place,
            clock,
            to,
            ear,
            clients: BTreeMap::new(),
            count: 0,
            under_way: Vec::new(),
            samples: None,
            shown_at: None,
            lost: false,
        }
    }

    async fn follow(
        &mut self,
        answered: &mut mpsc::Receiver<(CommandId, Answer)>,
    ) -> Result<(), Error> {
        let Some(mut desk) = CommandDesk::open(&self.place).await? else { return Ok(()) };
        desk.forget().await?;
        self.lost = false;
        // Nobody could say that they are there while the server was away: they have some time.
        for (_, heard) in self.clients.values_mut() {
            *heard = self.clock.ticks() + BACK;
        }
        while !self.to.is_closed() {
            self.meet(desk.present(SILENT).await?).await;
            for asked in desk.waiting().await? {
                if self.under_way.contains(&asked.id) {
                    continue;
                }
                match command(&asked) {
                    Ok(command) => self.give(asked, command).await,
                    Err(no) => desk.say(&asked.id, &json(&no)).await?,
                }
            }
            self.show(&mut desk).await?;
            let mut answer = tokio::select! {
                answer = answered.recv() => answer,
                () = self.ear.wait(LOOK, SHOW) => None,
            };
            while let Some((id, said)) = answer {
                desk.say(&id.0, &json(&said)).await?;
                self.under_way.retain(|other| *other != id.0);
                answer = answered.try_recv().ok();
            }
        }
        Ok(())
    }

    /// Tells the engine who came and who went.
    async fn meet(&mut self, present: Vec<Present>) {
        let now = self.clock.ticks();
        for one in present {
            let key = (one.author.clone(), one.client.clone());
            if let Some((_, heard)) = self.clients.get_mut(&key) {
                *heard = now.max(*heard);
            } else if self.clients.len() < BOUND {
                self.attach(key, &one).await;
            }
        }
        // Who is there is read with each look; who left, or was silent for long, is not.
        let gone = |(_, heard): &(u64, Duration)| now.saturating_sub(*heard) > LEFT;
        for (client, _) in self.clients.values().filter(|one| gone(one)) {
            self.to.send(ServerEvent::Gone { client: *client }).await.ok();
        }
        self.clients.retain(|_, one| !gone(one));
    }

    async fn attach(&mut self, key: Key, one: &Present) -> u64 {
        self.count += 1;
        let client = FAR + self.count;
        let author = author(&key.0, &key.1);
        self.clients.insert(key, (client, self.clock.ticks()));
        let kind = match one.kind.as_str() {
            "console" => ClientKind::Console,
            "cli" => ClientKind::Cli,
            _ => ClientKind::Observer,
        };
        let version = SafeText::new(&one.version).to_string();
        let read_only = one.version != env!("CARGO_PKG_VERSION");
        let attached = ServerEvent::Attached { client, author, kind, version, read_only };
        self.to.send(attached).await.ok();
        client
    }

    /// Gives a command to the engine, which first hears who is there.
    async fn give(&mut self, asked: Asked, command: Command) {
        let author = author(&asked.author, &asked.client);
        let key = (asked.author.clone(), asked.client.clone());
        let client = if let Some((client, heard)) = self.clients.get_mut(&key) {
            *heard = self.clock.ticks();
            *client
        } else {
            let version = env!("CARGO_PKG_VERSION").to_owned();
            let kind = "cli".to_owned();
            let Asked { author, client, .. } = asked.clone();
            self.attach(key, &Present { author, client, kind, version }).await
        };
        self.under_way.push(asked.id.clone());
        let id = CommandId(asked.id);
        self.to.send(ServerEvent::Command { client, author, id, command }).await.ok();
    }

    /// Shows the readings and the engine's last word to those who cannot read them here.
    async fn show(&mut self, desk: &mut CommandDesk) -> Result<(), Error> {
        let now = self.clock.ticks();
        if self.clients.is_empty() || self.shown_at.is_some_and(|at| now.saturating_sub(at) < SHOW)
        {
            return Ok(());
        }
        self.shown_at = Some(now);
        if self.samples.is_none() {
            self.samples = Samples::read(self.place.state()).await.ok();
        }
        let Some(samples) = &mut self.samples else { return Ok(()) };
        let (Ok(live), Ok(latest)) = (samples.live().await, samples.latest().await) else {
            // The file was begun anew.
            self.samples = None;
            return Ok(());
        };
        let shown = Shown { live, readings: latest.into_values().collect() };
        match serde_json::to_string(&shown) {
            Ok(text) if text.len() <= SHOWN_LIMIT => desk.show(&text).await,
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// What a row asks; an old one, or one that this program does not know, is refused.
fn command(asked: &Asked) -> Result<Command, Answer> {
    if !asked.fresh {
        return Err(Answer::Refused {
            why: "no engine was there when it was asked".to_owned(),
            hint: "look again, and ask again".to_owned(),
        });
    }
    serde_json::from_str(&asked.body).map_err(|error| Answer::Refused {
        why: format!("this engine does not know what was asked: {error}"),
        hint: format!("use backout {}", env!("CARGO_PKG_VERSION")),
    })
}

/// The role, under a number that no user of this host has.
fn author(role: &str, client: &str) -> Author {
    Author {
        uid: number_of(role),
        name: SafeText::new(role),
        ssh: Some(SafeText::new(client)),
        ..Author::default()
    }
}

fn json(answer: &Answer) -> String {
    serde_json::to_string(answer).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_or_unknown_is_refused_and_a_role_is_no_user_of_this_host() {
        let asked = |body: &str, fresh| Asked {
            id: "c1".to_owned(),
            author: "alice".to_owned(),
            client: "bastion".to_owned(),
            body: body.to_owned(),
            fresh,
        };
        assert_eq!(command(&asked("\"pause\"", true)), Ok(Command::Pause));
        for (body, fresh) in [("\"pause\"", false), ("\"teleport\"", true), ("", true)] {
            assert!(command(&asked(body, fresh)).is_err(), "{body} {fresh}");
        }
        let alice = author("alice", "bastion");
        assert!(alice.uid >= 0x8000_0000 && alice.name.as_str() == "alice" && !alice.engine);
        let bob = author("bob", "bastion");
        assert_ne!(bob.uid, alice.uid);
    }
}
