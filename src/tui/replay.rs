//! A past incident shown again in the same console: entries and readings are folded by their own
//! time, faster or slower. There is no engine behind it, and no way to give it a command.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::model::entry::Entry;
use crate::model::ids::{CheckId, IncidentId, Time, incident_name};
use crate::model::reading::Reading;

use super::feed::{Ends, Person};
use super::input::{Code, Key};
use super::world::{Link, LinkState, World};

mod player;

pub use player::Player;

/// What is due is looked for so often.
const LOOK: Duration = Duration::from_millis(50);
/// Speeds that keys go through; any other can be given on the command line.
const SPEEDS: [f64; 9] = [0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1_000.0];

/// What is shown again.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    /// Which incident.
    pub incident: IncidentId,
    /// Its entries, in order.
    pub entries: Vec<Entry>,
    /// Readings of its time, oldest first; none where no samples were kept.
    pub readings: Vec<Reading>,
    /// The checks whose readings are requests of users' kind.
    pub counting: Vec<CheckId>,
    /// How many times as fast as it was.
    pub speed: f64,
}

/// What a key asks of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Hold it, or let it go on.
    Pause,
    /// The next slower speed.
    Slower,
    /// The next faster speed.
    Faster,
    /// To the entry before.
    Back,
    /// To the next entry.
    Forward,
}

impl Control {
    /// What a key means while something is shown again and nothing else has the keys.
    pub fn of(key: Key) -> Option<Self> {
        if key.ctrl || key.alt {
            return None;
        }
        match key.code {
            Code::Char(' ') => Some(Self::Pause),
            Code::Char('<') => Some(Self::Slower),
            Code::Char('>') => Some(Self::Faster),
            Code::Left => Some(Self::Back),
            Code::Right => Some(Self::Forward),
            _ => None,
        }
    }
}

/// The keys, for the message row.
pub const KEYS: &str = "Space pauses, < > speed, arrows go by entries";

/// Where a replay stands, as it was published last.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// Which incident.
    pub incident: IncidentId,
    /// How many times as fast as it was.
    pub speed: f64,
    /// Whether a person holds it.
    pub paused: bool,
    /// Entries shown, of all.
    pub place: (usize, usize),
    /// The time that is shown, and when that was.
    at: (Time, Time),
    /// The time at which the next entry is due; none at the end.
    next: Option<Time>,
}

impl Replay {
    /// The time that is shown at a moment of the real clock: never beyond what is folded.
    pub fn now(&self, real: Time) -> Time {
        let (at, since) = self.at;
        let Some(next) = self.next.filter(|_| !self.paused) else { return at };
        (at + scaled(since, real, self.speed)).min(next.max(at))
    }

    /// Whether all is shown.
    pub fn is_over(&self) -> bool {
        self.next.is_none()
    }

    /// `REPLAY x10`, `REPLAY PAUSED`, `REPLAY END`.
    pub fn banner(&self) -> String {
        if self.is_over() {
            "REPLAY END".to_owned()
        } else if self.paused {
            "REPLAY PAUSED".to_owned()
        } else {
            format!("REPLAY x{}", self.speed)
        }
    }

    /// `INC-0142`.
    pub fn name(&self) -> String {
        incident_name(self.incident)
    }
}

/// Time that goes by so many times as fast.
fn scaled(from: Time, to: Time, speed: f64) -> chrono::Duration {
    let real = (to - from).to_std().unwrap_or_default().as_secs_f64();
    let shown = Duration::try_from_secs_f64(real * speed).unwrap_or_default();
    chrono::Duration::from_std(shown).unwrap_or_default()
}

/// The ends of a feed that shows a tape; it runs until they are dropped.
pub(super) fn ends(tape: Arc<Tape>, clock: Clock, person: &Person) -> Ends {
    let link = Link { state: LinkState::Live, name: "nobody".into(), ..Link::default() };
    let environments = person.environments.clone();
    let world = World { link, settings: person.settings.clone(), environments, ..World::default() };
    let mut player = Player::new(tape, world, clock.now());
    let (published, received) = watch::channel(Arc::new(World::default()));
    let (controls, mut asked) = mpsc::channel(16);
    let (_, client) = watch::channel(None);
    tokio::spawn(async move {
        loop {
            if published.send(Arc::new(player.world(clock.now()))).is_err() {
                return;
            }
            let moved = loop {
                let asked = tokio::select! {
                    asked = asked.recv() => asked.map(Some),
                    () = clock.sleep(LOOK) => Some(None),
                };
                let now = clock.now();
                match asked {
                    None => break false,
                    Some(Some(control)) => {
                        player.control(control, now);
                        break true;
                    }
                    Some(None) if player.play(now) => break true,
                    Some(None) => {}
                }
            };
            if !moved {
                return;
            }
        }
    });
    Ends { world: received, client, logs: None, controls: Some(controls) }
}
