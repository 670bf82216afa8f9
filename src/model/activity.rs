//! What goes on in a database server just now: who is there, who waits for whom, and whether
//! copies of the data keep up (P-54).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::ids::Time;

/// The engine's last look into the database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseNow {
    /// When it was looked at.
    pub at: Time,
    /// Which database.
    pub name: SafeText,
    /// What was seen; nothing where that failed.
    pub activity: Option<Activity>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<SafeText>,
}

/// What goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// The server's version: `15.18`.
    pub version: SafeText,
    /// The sessions of this database by what they do: `active`, `idle in transaction`.
    pub sessions: BTreeMap<SafeText, u64>,
    /// All sessions of the server, and how many it takes.
    pub connections: (u64, u64),
    /// The sessions that are at work or in a transaction, the longest first.
    pub busy: Vec<Session>,
    /// Sessions that wait for a lock, and for whom.
    pub waits: Vec<Wait>,
    /// Locks that are held in this database, by their mode.
    pub locks: BTreeMap<SafeText, u64>,
    /// Whether it follows another server, and how far it is behind.
    pub follows: Option<Follows>,
    /// The servers that follow it.
    pub replicas: Vec<Replica>,
    /// How its log is put away; nothing where that is switched off.
    pub archiver: Option<Archiver>,
    /// What has taken the most time in all; nothing where nobody counts it.
    pub statements: Option<Vec<Statement>>,
}

/// One session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its process id on the server.
    pub pid: i32,
    /// The program and the user: `web of app`.
    pub who: SafeText,
    /// What it does.
    pub state: SafeText,
    /// How long its transaction has been open, or its last change of state ago.
    pub open: Duration,
    /// Whether it is in a transaction.
    pub transaction: bool,
}

/// A session that waits for a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Who waits; `open` is how long its transaction has been open.
    pub session: Session,
    /// The table, or what else it waits for.
    pub lock: SafeText,
    /// The sessions that hold it or are before it.
    pub holders: Vec<i32>,
}

/// The other side of a server that follows another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follows {
    /// How long ago what it replayed last was written; nothing where it replayed nothing yet.
    pub behind: Option<Duration>,
}

/// A server that follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// Its name.
    pub name: SafeText,
    /// `streaming`, `catchup`.
    pub state: SafeText,
    /// How many bytes of the log it has not replayed; nothing where we may not know.
    pub bytes: Option<u64>,
    /// How long ago what it replayed was written.
    pub behind: Option<Duration>,
}

/// How the log is put away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archiver {
    /// Pieces that were put away.
    pub archived: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// When one was last put away.
    pub last: Option<Time>,
    /// When one last failed.
    pub last_failed: Option<Time>,
}

/// A kind of statement, without its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// How often it ran.
    pub calls: u64,
    /// How long it took in all.
    pub total: Duration,
    /// What it is: the server leaves the values out.
    pub text: SafeText,
}

impl Activity {
    /// The session whose transaction is the oldest.
    pub fn oldest(&self) -> Option<&Session> {
        self.busy
            .iter()
            .rev()
            .filter(|session| session.transaction)
            .max_by_key(|session| session.open)
    }

    /// The sessions that others wait for and that wait for nobody themselves: where it begins.
    pub fn blockers(&self) -> Vec<i32> {
        let waiting = |pid: i32| self.waits.iter().any(|wait| wait.session.pid == pid);
        let mut all: Vec<i32> = self.waits.iter().flat_map(|wait| wait.holders.clone()).collect();
        all.retain(|pid| !waiting(*pid));
        all.sort_unstable();
        all.dedup();
        all
    }

    /// How many sessions wait for `pid`, the ones behind those that wait for it too.
    pub fn behind(&self, pid: i32) -> usize {
        let mut held = vec![pid];
        // Each pass takes in at least one more, or is the last.
        for _ in 0..self.waits.len() {
            let more = self.waits.iter().filter(|wait| {
                !held.contains(&wait.session.pid)
                    && wait.holders.iter().any(|holder| held.contains(holder))
            });
            let more: Vec<i32> = more.map(|wait| wait.session.pid).collect();
            if more.is_empty() {
                break;
            }
            held.extend(more);
        }
        held.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(pid: i32, holders: &[i32]) -> Wait {
        let session = Session { pid, ..Session::default() };
        Wait { session, lock: "users".into(), holders: holders.to_vec() }
    }

    #[test]
    fn who_holds_everyone_up_is_found_behind_those_who_wait_for_each_other() {
        let waits = vec![wait(7, &[5]), wait(8, &[7, 5]), wait(9, &[8]), wait(20, &[19])];
        let activity = Activity { waits, ..Activity::default() };
        assert_eq!(activity.blockers(), [5, 19]);
        assert_eq!((activity.behind(5), activity.behind(19), activity.behind(9)), (3, 1, 0));
    }

    #[test]
    fn what_was_seen_reads_back_as_it_was() {
        let follows = Some(Follows { behind: None });
        let sessions = BTreeMap::from([("active".into(), 3)]);
        let activity = Activity { sessions, follows, ..Activity::default() };
        let text = serde_json::to_string(&activity).unwrap();
        assert_eq!(serde_json::from_str::<Activity>(&text).unwrap(), activity);
    }
}
