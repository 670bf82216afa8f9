//! What people are told of, and who was told: made by the fold from the entries alone, so that an
//! engine that was killed knows what it still has to say (P-20, W-64).
//!
//! A **notice** is one thing to tell. Notices of one matter share a **thread**: what was announced
//! there is resolved there, to everybody who heard of it, whatever the routes say by then.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::ids::{IncidentId, RunId, Time};
use super::severity::Severity;

mod due;
mod escalation;
mod fold;
mod policy;
#[cfg(test)]
mod tests;

pub use due::{Due, Why, due, expired, is_waiting, routed};
pub use escalation::escalated;
pub use policy::{Policy, Route, Rung};
#[cfg(test)]
pub(crate) use tests::sample_call;

/// Notices that are kept; the oldest goes first.
const NOTICES: usize = 64;
/// Threads that are kept.
const THREADS: usize = 64;
/// What a template of one's own may name in a document about an incident, as `{place}`.
pub const DOCUMENT_PLACES: [&str; 21] = [
    "actions",
    "completed",
    "contact",
    "data_loss",
    "detected",
    "downtime",
    "duration",
    "environment",
    "incident",
    "initiated",
    "level",
    "resolution",
    "services",
    "severity",
    "status",
    "summary",
    "timeline",
    "title",
    "verified",
    "version",
    "due",
];
/// What is older was another engine's, or another configuration's: it is not begun any more.
pub const OLD: chrono::Duration = chrono::Duration::hours(1);
/// So long it is tried to resolve what was announced.
pub const OLDEST: chrono::Duration = chrono::Duration::hours(24);

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// An incident was opened.
    Incident,
    /// It is of a worse class than was told.
    Worse,
    /// A rollback began.
    Start,
    /// A rollback ended otherwise than well.
    Failure,
    /// A rollback ended well.
    End,
    /// A run waits for a person.
    Waiting,
    /// A rule or somebody else's monitoring says that something is wrong.
    Alert,
    /// A person looks after it.
    Acknowledged,
    /// What was announced is over.
    Resolved,
}

impl Occasion {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Incident,
        Self::Worse,
        Self::Start,
        Self::Failure,
        Self::End,
        Self::Waiting,
        Self::Alert,
        Self::Acknowledged,
        Self::Resolved,
    ];

    /// As a configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::Worse => "worse",
            Self::Start => "start",
            Self::Failure => "failure",
            Self::End => "end",
            Self::Waiting => "waiting",
            Self::Alert => "alert",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }

    /// Whether a thread begins with it.
    pub fn begins(self) -> bool {
        match self {
            Self::Incident | Self::Waiting | Self::Alert => true,
            Self::Worse
            | Self::Start
            | Self::Failure
            | Self::End
            | Self::Acknowledged
            | Self::Resolved => false,
        }
    }

    /// Whether it goes to those who heard of the thread, not by the routes.
    pub fn follows(self) -> bool {
        match self {
            Self::Acknowledged | Self::Resolved => true,
            Self::Incident
            | Self::Worse
            | Self::Start
            | Self::Failure
            | Self::End
            | Self::Waiting
            | Self::Alert => false,
        }
    }
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Its name in all journals: a receiver that is told it twice can tell.
    pub key: String,
    /// What it belongs to: `INC-0142`, `INC-0142 waiting gate 2`, `alert disk`.
    pub thread: String,
    /// What it is about.
    pub occasion: Occasion,
    /// How bad it is.
    pub severity: Severity,
    /// When it happened.
    pub at: Time,
    /// The incident; 0 when it belongs to none.
    pub incident: IncidentId,
    /// The run, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// One line.
    pub text: SafeText,
    /// Who needs no telling any more: they were told, or it was given up.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub done: BTreeSet<String>,
}

/// What was announced and may have to be resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    /// The key of its first notice.
    pub key: String,
    /// What it began with.
    pub occasion: Occasion,
    /// When.
    pub begun: Time,
    /// The worst class so far.
    pub severity: Severity,
    /// The incident; 0 when it belongs to none.
    pub incident: IncidentId,
    /// What it is about, one line.
    pub text: SafeText,
    /// When it was over.
    pub closed: Option<Time>,
    /// Who looks after it, and since when.
    pub acknowledged: Option<(SafeText, Time)>,
    /// Who heard of it, and when last.
    pub told: BTreeMap<String, Time>,
    /// Repeats and rungs of the ladder that are through: id and receiver.
    pub more: BTreeSet<String>,
}

/// How a sending ended, for the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notified {
    /// The name of the message: of its first notice, or of the thread with `-r1` or `-e1`.
    pub id: String,
    /// The notices in it; none for a repeat or a rung of the ladder.
    pub keys: Vec<String>,
    /// Their thread.
    pub thread: String,
    /// The receiver, as the configuration calls it.
    pub receiver: String,
    /// Whether it has it; else it was given up.
    pub sent: bool,
    /// What the receiver said, or why it was given up.
    pub note: SafeText,
}

/// Everything that is to be told, and who was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outbox {
    /// Oldest first.
    pub notices: Vec<Notice>,
    /// By name; those that are over stay until everybody who heard of them knows.
    pub threads: BTreeMap<String, Thread>,
    /// What was given up last, newest last, at most 8.
    pub given_up: Vec<Notified>,
}

/// Lines that replace ours, with `{places}` that are filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Templates {
    /// By what happened.
    pub occasions: BTreeMap<Occasion, String>,
    /// By the rule whose alert it is; it wins over the one above.
    pub rules: BTreeMap<String, String>,
}

impl Templates {
    /// The template of a notice, where there is one.
    pub fn of(&self, notice: &Notice) -> Option<&String> {
        let alert = notice.thread.starts_with("alert ") && notice.occasion != Occasion::Resolved;
        let own = alert.then(|| self.rules.get(notice.about())).flatten();
        let occasion = if alert { Occasion::Alert } else { notice.occasion };
        own.or_else(|| self.occasions.get(&occasion))
    }
}

impl Notice {
    /// What an alert is about: the rule or the alert by its own name.
    pub fn about(&self) -> &str {
        let name = self.thread.strip_prefix("alert ").unwrap_or(&self.thread);
        name.strip_prefix("rule ").unwrap_or(name)
    }
}

impl Outbox {
    /// Threads that are not over, oldest first.
    pub fn open(&self) -> Vec<(&String, &Thread)> {
        let mut open: Vec<_> =
            self.threads.iter().filter(|(_, thread)| thread.closed.is_none()).collect();
        open.sort_by_key(|(_, thread)| thread.begun);
        open
    }

    /// Those of them that nobody looks after yet.
    pub fn unacknowledged(&self) -> Vec<(&String, &Thread)> {
        let mut open = self.open();
        open.retain(|(_, thread)| thread.acknowledged.is_none());
        open
    }

    /// Takes a notice, and opens or closes its thread with it.
    fn push(&mut self, notice: Notice) {
        let begins = notice.occasion.begins() || !self.threads.contains_key(&notice.thread);
        if notice.occasion.follows() {
            // What nobody opened is not over.
            let Some(thread) = self.threads.get_mut(&notice.thread) else { return };
            if notice.occasion == Occasion::Resolved {
                thread.closed = Some(notice.at);
            }
        } else if begins {
            // Who heard of it the last time and not of its end yet hears of this one's end.
            let told = self.threads.remove(&notice.thread).map(|before| before.told);
            let thread = Thread {
                key: notice.key.clone(),
                occasion: notice.occasion,
                begun: notice.at,
                severity: notice.severity,
                incident: notice.incident,
                text: notice.text.clone(),
                closed: None,
                acknowledged: None,
                told: told.unwrap_or_default(),
                more: BTreeSet::new(),
            };
            self.threads.insert(notice.thread.clone(), thread);
        } else if let Some(thread) = self.threads.get_mut(&notice.thread) {
            thread.severity = thread.severity.max(notice.severity);
        }
        let now = notice.at;
        self.notices.push(notice);
        self.tidy(now);
    }

    /// Takes how a sending ended.
    fn notified(&mut self, end: &Notified, at: Time) {
        // One message may tell of several threads; each of them was heard of by it.
        let mut threads: BTreeMap<String, bool> = BTreeMap::new();
        if end.keys.is_empty() {
            threads.insert(end.thread.clone(), false);
        }
        for notice in self.notices.iter_mut().filter(|notice| end.keys.contains(&notice.key)) {
            notice.done.insert(end.receiver.clone());
            let resolved = threads.entry(notice.thread.clone()).or_default();
            *resolved |= notice.occasion == Occasion::Resolved;
        }
        for (name, resolved) in threads {
            let Some(thread) = self.threads.get_mut(&name) else { continue };
            if end.keys.is_empty() {
                thread.more.insert(format!("{} {}", end.id, end.receiver));
            }
            if resolved && thread.closed.is_some() {
                thread.told.remove(&end.receiver);
            } else if end.sent {
                thread.told.insert(end.receiver.clone(), at);
            }
        }
        if !end.sent {
            super::fold::bounded(&mut self.given_up, end.clone(), 8);
        }
        self.tidy(at);
    }

    /// Forgets what can matter no more.
    fn tidy(&mut self, now: Time) {
        self.threads.retain(|_, thread| {
            thread.closed.is_none_or(|closed| {
                now - closed < OLD || (!thread.told.is_empty() && now - closed < OLDEST)
            })
        });
        while self.threads.len() > THREADS {
            let oldest = self.threads.iter().min_by_key(|(_, thread)| {
                (thread.closed.is_none(), thread.closed.unwrap_or(thread.begun))
            });
            let Some(name) = oldest.map(|(name, _)| name.clone()) else { break };
            self.threads.remove(&name);
        }
        let threads = &self.threads;
        self.notices.retain(|notice| {
            let needed = notice.occasion.follows() && threads.contains_key(&notice.thread);
            now - notice.at < OLDEST || needed
        });
        if self.notices.len() > NOTICES {
            self.notices.drain(..self.notices.len() - NOTICES);
        }
    }
}
