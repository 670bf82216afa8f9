//! The deployment lock and the emergency stop: who keeps everyone from starting, why, and until
//! when (P-57, P-56).

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::entry::{Author, Command, Entry, Event, Leftover};
use super::ids::{RunId, Time};
use super::leftover::About;
use super::situation::Situation;
use super::verdict::clock;

/// The longest that a person's lock lasts.
pub const LONGEST: chrono::Duration = chrono::Duration::hours(24);

/// What a lock is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockKind {
    /// A person or a pipeline wants no deploy and no rollback for a while.
    Person,
    /// A rollback runs (P-57).
    Run,
    /// Everything was stopped; nothing starts until a person releases it (P-56).
    Emergency,
}

impl LockKind {
    /// The name of what it leaves: a run's own lock goes with the run.
    pub fn leftover(self) -> &'static str {
        match self {
            Self::Person => "deployment lock",
            Self::Run => "lock of the run",
            Self::Emergency => "emergency stop",
        }
    }

    /// The command that ends it.
    pub fn undo(self) -> &'static str {
        match self {
            Self::Person => "backout lock release --reason WHY",
            Self::Run => "wait for the run, or: backout abort",
            Self::Emergency => "backout lock release --emergency --reason WHY",
        }
    }
}

/// One lock that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// What it is there for.
    pub kind: LockKind,
    /// Who took it.
    pub owner: SafeText,
    /// Their uid, as attested.
    pub uid: u32,
    /// Why.
    pub reason: SafeText,
    /// Since when.
    pub since: Time,
    /// When it ends by itself; nothing for a run and an emergency stop.
    pub until: Option<Time>,
    /// The run that took it.
    pub run: Option<RunId>,
}

impl Lock {
    /// Whether its time is over: anybody may take it then.
    pub fn expired(&self, now: Time) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Whether this person took it.
    pub fn is_of(&self, who: &Author) -> bool {
        self.uid == who.uid && self.owner == who.name
    }

    /// `alice: schema change by hand, until 12:03Z (14:02 left)`.
    pub fn words(&self, now: Time) -> String {
        let (owner, reason) = (&self.owner, &self.reason);
        let end = match (self.until, &self.run) {
            (Some(until), _) if until <= now => {
                let over = clock((now - until).to_std().unwrap_or_default());
                format!("EXPIRED at {}Z ({over} ago)", until.format("%H:%M"))
            }
            (Some(until), _) => {
                let left = clock((until - now).to_std().unwrap_or_default());
                format!("until {}Z ({left} left)", until.format("%H:%M"))
            }
            (None, Some(run)) => format!("until run {run} is over"),
            (None, None) => "until a person releases it".to_owned(),
        };
        format!("{owner}: {reason}, {end}")
    }

    /// Why nothing starts because of it: `deployments are locked by alice: …`.
    pub fn refusal(&self, now: Time) -> String {
        match self.kind {
            LockKind::Emergency => format!("emergency stop by {}", self.words(now)),
            LockKind::Person | LockKind::Run => {
                format!("deployments are locked by {}", self.words(now))
            }
        }
    }
}

/// The locks of an environment; one of each kind at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locks {
    /// A person's.
    pub person: Option<Lock>,
    /// The open run's.
    pub run: Option<Lock>,
    /// The emergency stop.
    pub emergency: Option<Lock>,
}

impl Locks {
    /// Whether there is none, not even one whose time is over.
    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// Every lock, the strongest first.
    pub fn all(&self) -> impl Iterator<Item = &Lock> {
        [&self.emergency, &self.run, &self.person].into_iter().flatten()
    }

    /// The strongest that holds now.
    pub fn standing(&self, now: Time) -> Option<&Lock> {
        self.all().find(|lock| !lock.expired(now))
    }

    /// What keeps `who` from starting something now: a person's own lock does not.
    pub fn against(&self, who: &Author, now: Time) -> Option<&Lock> {
        let own = |lock: &Lock| lock.kind == LockKind::Person && lock.is_of(who);
        self.all().find(|lock| !lock.expired(now) && !own(lock))
    }

    fn of(&mut self, kind: LockKind) -> &mut Option<Lock> {
        match kind {
            LockKind::Person => &mut self.person,
            LockKind::Run => &mut self.run,
            LockKind::Emergency => &mut self.emergency,
        }
    }
}

/// What a lock leaves from the moment it is taken, where it is not a run's own.
pub fn leftover_of(lock: &Lock) -> Option<Event> {
    (lock.kind != LockKind::Run).then(|| Event::LeftoverNoted {
        leftover: Leftover {
            name: lock.kind.leftover().into(),
            owner: lock.owner.clone(),
            undo: lock.kind.undo().into(),
            due: lock.until,
            since: Some(lock.since),
            about: Some(About::Lock(lock.kind)),
            handed_to: None,
        },
    })
}

impl Situation {
    /// Folds in what a person asked about locks.
    pub(super) fn lock_command(&mut self, command: &Command, entry: &Entry) {
        let who = &entry.author.name;
        if let Command::Lock { until, reason, .. } = command {
            let until = until.format("%H:%M");
            self.moment(entry.at, &format!("{who} locks deployments until {until}Z: {reason}"));
        }
        if let Command::Unlock { emergency, reason, .. } = command {
            let what = if *emergency { "the emergency stop" } else { "the deployment lock" };
            self.moment(entry.at, &format!("{who} releases {what}: {reason}"));
        }
        if let Command::EmergencyStop { hard, reason } = command {
            let how = if *hard { "kills what still runs" } else { "stops everything" };
            if let Some(run) = self.run.as_mut().filter(|run| run.ended.is_none()) {
                run.abort = Some(super::entry::Abort::Now);
                run.look_anew();
                run.waiting = None;
            }
            self.moment(entry.at, &format!("EMERGENCY STOP: {who} {how}: {reason}"));
        }
    }

    /// Folds in what became of locks.
    pub(super) fn lock_event(&mut self, event: &Event, entry: &Entry) {
        if let Event::LockTaken { lock } = event {
            *self.locks.of(lock.kind) = Some((**lock).clone());
        }
        if let Event::LockReleased { kind, by, why } = event {
            let gone = self.locks.of(*kind).take();
            // The run's own goes with the run, which has a line of its own.
            if gone.is_some() && *kind != LockKind::Run {
                self.moment(entry.at, &format!("{} released by {by}: {why}", kind.leftover()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::{Body, Outcome};
    use crate::model::sample::at;

    fn author(uid: u32, name: &str) -> Author {
        Author { uid, name: name.into(), ..Author::default() }
    }

    fn lock(kind: LockKind, until: Option<Time>) -> Lock {
        Lock {
            kind,
            owner: "alice".into(),
            uid: 1000,
            reason: "schema change by hand".into(),
            since: at(0),
            until,
            run: None,
        }
    }

    fn entry(seq: u64, body: Body) -> Entry {
        Entry {
            seq,
            v: crate::model::entry::FORMAT,
            incident: None,
            at: at(i64::try_from(seq).unwrap()),
            author: author(1000, "alice"),
            epoch: 1,
            prev: crate::model::ids::Digest::default(),
            body,
        }
    }

    fn folded(events: Vec<Event>) -> Situation {
        let mut situation = Situation::default();
        for (number, event) in events.into_iter().enumerate() {
            situation.apply(&entry(number as u64 + 1, Body::Event(Box::new(event))));
        }
        situation
    }

    #[test]
    fn the_strongest_lock_is_named_and_one_of_each_kind_is_kept() {
        let taken = |kind| Event::LockTaken { lock: Box::new(lock(kind, None)) };
        let mut all = vec![
            Event::LockTaken { lock: Box::new(lock(LockKind::Person, Some(at(600)))) },
            taken(LockKind::Run),
            taken(LockKind::Emergency),
        ];
        let situation = folded(all.clone());
        let standing = |situation: &Situation| situation.locks.standing(at(10)).unwrap().kind;
        assert_eq!(standing(&situation), LockKind::Emergency);
        let released = |kind| Event::LockReleased { kind, by: "bob".into(), why: "over".into() };
        all.push(released(LockKind::Emergency));
        assert_eq!(standing(&folded(all.clone())), LockKind::Run);
        all.push(Event::RunEnded {
            run: "142-k7qd-1".into(),
            outcome: Outcome::Done,
            took: std::time::Duration::ZERO,
            why: "".into(),
            history: String::new(),
        });
        let over = folded(all.clone());
        assert_eq!(standing(&over), LockKind::Person, "a run's lock never outlives it");
        assert!(over.locks.standing(at(600)).is_none(), "its time is over");
        assert!(!over.locks.is_empty(), "and it is still said");
        all.push(released(LockKind::Person));
        assert!(folded(all).locks.is_empty());
    }

    #[test]
    fn ones_own_lock_is_in_nobodys_way_but_others() {
        let person = Event::LockTaken { lock: Box::new(lock(LockKind::Person, Some(at(600)))) };
        let situation = folded(vec![person]);
        let against = |uid, name, now| situation.locks.against(&author(uid, name), at(now));
        assert!(against(1000, "alice", 10).is_none());
        let held = against(1001, "bob", 10).unwrap();
        let until = at(600).format("%H:%M");
        assert_eq!(
            held.refusal(at(0)),
            format!(
                "deployments are locked by alice: schema change by hand, until {until}Z (10:00 left)"
            )
        );
        assert!(against(1000, "carol", 10).is_some(), "the same uid under another name");
        assert!(against(1001, "bob", 600).is_none(), "expired");
        assert!(
            held.words(at(660)).ends_with(&format!("EXPIRED at {until}Z (1:00 ago)")),
            "{held:?}"
        );
    }
}
