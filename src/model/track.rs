//! The state of a check over time: what its own readings say, and what is laid over that.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::Time;
use super::reading::{Finding, Reading, Reason, Status};

/// How a check's state follows its readings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Bad readings in a row that make it `fail` (`consecutive_failures_for_critical`).
    pub fail_after: u32,
    /// Good readings in a row that make it `ok` again (`consecutive_successes_for_ok`).
    pub ok_after: u32,
    /// Or so many bad ones that need not be in a row (`fail_window`).
    pub fail_window: Option<FailWindow>,
    /// Age beyond which the last reading says nothing (default 2 x interval + timeout, min 30 s).
    pub stale_after: Duration,
}

/// So many bad readings, not in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailWindow {
    /// Among the last so many (`{failures: 3, of: 5}`).
    Of {
        /// Bad ones.
        failures: u32,
        /// Readings that are looked at.
        of: u32,
    },
    /// Within a time (`{failures: 3, minutes: 5}`).
    Within {
        /// Bad ones.
        failures: u32,
        /// How far back.
        span: Duration,
    },
}

/// How many of the looks that make sure of a state have been taken: `1 of 3 looks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looks {
    /// Taken.
    pub seen: u32,
    /// Needed.
    pub needed: u32,
}

impl Looks {
    /// `1 of 3 looks`.
    pub fn words(self) -> String {
        format!("{} of {} looks", self.seen, self.needed)
    }
}

/// A check's recent past: enough to say its state, not its history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// What the check is taken for.
    pub status: Status,
    /// Since when.
    pub since: Time,
    /// Consecutive bad readings.
    pub bad: u32,
    /// Consecutive good readings.
    pub good: u32,
    /// The last readings' badness, newest last, at most 64.
    pub recent: Vec<bool>,
    /// When the bad ones of the last readings were taken, newest last, at most 64.
    pub bad_at: Vec<Time>,
    /// When the bad readings in a row began.
    pub bad_since: Option<Time>,
    /// The last reading.
    pub last: Option<Reading>,
    /// Why it is unknown, when it is.
    pub reason: Option<Reason>,
    /// How far the state is proven; nothing when it is.
    pub looks: Option<Looks>,
    /// Whether it changes too often to be followed (a flag, never more).
    pub flapping: bool,
    /// What its own readings say, whatever it is taken for.
    own: (Status, Option<Reason>),
    /// What is laid over that: a parent that fails, our own line, the errors of its window.
    over: Option<(Status, Option<Reason>)>,
}

/// Readings whose changes the flapping score looks at (Icinga 2).
const FLAPS: usize = 20;

impl Track {
    /// A check that has not been looked at.
    pub fn new(at: Time) -> Self {
        let own = (Status::Unknown, Some(Reason::NeverRan));
        Self {
            status: own.0,
            since: at,
            bad: 0,
            good: 0,
            recent: Vec::new(),
            bad_at: Vec::new(),
            bad_since: None,
            last: None,
            reason: own.1,
            looks: None,
            flapping: false,
            own,
            over: None,
        }
    }

    /// Takes a reading; returns whether the status or the reason changed.
    ///
    /// The very first good reading makes it `ok` at once (cold start). Otherwise it takes `fail_after`
    /// bad or `ok_after` good ones in a row; a single bad one warns. An unknown reading never
    /// counts as good.
    pub fn take(&mut self, reading: Reading, policy: &Policy) -> bool {
        let cold = self.own.1 == Some(Reason::NeverRan);
        let at = reading.at;
        self.count(&reading);
        let in_window = self.in_window(policy, at);
        let own = self.own.0;
        let settled = match &reading.finding {
            Finding::Unknown { reason } => (Status::Unknown, Some(*reason)),
            Finding::Bad { .. } if self.bad >= policy.fail_after || in_window => {
                (Status::Fail, None)
            }
            Finding::Bad { .. } if own == Status::Fail => (Status::Fail, None),
            Finding::Good | Finding::Warn { .. }
                if own == Status::Fail && (in_window || self.good < policy.ok_after) =>
            {
                (Status::Fail, None)
            }
            Finding::Bad { .. } | Finding::Warn { .. } => (Status::Warn, None),
            Finding::Good if cold || self.good >= policy.ok_after => (Status::Ok, None),
            Finding::Good if own == Status::Unknown => (Status::Ok, None),
            Finding::Good => (own, None),
        };
        self.own = settled;
        self.looks = self.unproven(&reading.finding, policy);
        self.last = Some(reading);
        self.flapping = flaps(&self.recent, self.flapping);
        self.show(at)
    }

    fn count(&mut self, reading: &Reading) {
        match &reading.finding {
            Finding::Good | Finding::Warn { .. } => {
                bounded(&mut self.recent, false);
                self.good += 1;
                self.bad = 0;
                self.bad_since = None;
            }
            Finding::Bad { .. } => {
                bounded(&mut self.recent, true);
                bounded(&mut self.bad_at, reading.at);
                self.bad += 1;
                self.good = 0;
                self.bad_since.get_or_insert(reading.at);
            }
            Finding::Unknown { .. } => {}
        }
    }

    fn in_window(&self, policy: &Policy, now: Time) -> bool {
        match policy.fail_window {
            None => false,
            Some(FailWindow::Of { failures, of }) => {
                let skip = self.recent.len().saturating_sub(of as usize);
                let bad = self.recent.iter().skip(skip).filter(|bad| **bad).count();
                bad >= failures as usize
            }
            Some(FailWindow::Within { failures, span }) => {
                let span = chrono::Duration::from_std(span).unwrap_or_default();
                let bad = self.bad_at.iter().filter(|at| now - **at <= span).count();
                bad >= failures as usize
            }
        }
    }

    /// How many of how many looks speak for the state, while they are too few to be sure of it.
    fn unproven(&self, finding: &Finding, policy: &Policy) -> Option<Looks> {
        let looks = |seen, needed| (seen < needed).then_some(Looks { seen, needed });
        match (self.own.0, finding) {
            (Status::Warn, Finding::Bad { .. }) => looks(self.bad, policy.fail_after),
            (Status::Fail | Status::Warn | Status::Ok, Finding::Good) => {
                looks(self.good, policy.ok_after)
            }
            (Status::Fail, Finding::Warn { .. }) => looks(self.good, policy.ok_after),
            (
                Status::Fail | Status::Ok | Status::Warn,
                Finding::Bad { .. } | Finding::Warn { .. },
            )
            | (_, Finding::Unknown { .. })
            | (Status::Unknown, _) => None,
        }
    }

    /// Turns the state unknown when the last reading is older than the policy allows; returns
    /// whether it changed.
    pub fn age(&mut self, now: Time, policy: &Policy) -> bool {
        let Some(last) = &self.last else { return false };
        let age = (now - last.at).to_std().unwrap_or_default();
        if age <= policy.stale_after || self.own.1 == Some(Reason::Stale) {
            return false;
        }
        self.own = (Status::Unknown, Some(Reason::Stale));
        self.looks = None;
        self.show(now)
    }

    /// What its own readings say.
    pub fn own(&self) -> Status {
        self.own.0
    }

    /// Whether its last look was bad, or had failed requests, or it is not over a failure yet.
    pub fn ails(&self) -> bool {
        let last = self.last.as_ref();
        let bad = last.is_some_and(|last| match &last.finding {
            Finding::Bad { .. } => true,
            Finding::Good | Finding::Warn { .. } => last.failed_of.0 > 0,
            Finding::Unknown { .. } => false,
        });
        bad || self.own.0 == Status::Fail
    }

    /// Lays something over what its own readings say, or takes it away; returns whether what it
    /// is taken for changed.
    pub fn lay(&mut self, over: Option<(Status, Option<Reason>)>, now: Time) -> bool {
        self.over = over;
        self.show(now)
    }

    fn show(&mut self, at: Time) -> bool {
        let shown = self.over.unwrap_or(self.own);
        let changed = shown != (self.status, self.reason);
        (self.status, self.reason) = shown;
        if changed {
            self.since = at;
        }
        changed
    }
}

/// Icinga 2's score: of the last 20 readings those that differ from the one before, the newest
/// weighing 1.18 and the oldest 0.80; it flaps above 30 % and no longer below 25 %.
fn flaps(recent: &[bool], flapping: bool) -> bool {
    let first = recent.len().saturating_sub(FLAPS + 1);
    let window = recent.get(first..).unwrap_or_default();
    let pairs = window.iter().zip(window.iter().skip(1));
    let missing = FLAPS.saturating_sub(window.len().saturating_sub(1));
    // In hundredths: 80 for the oldest, 118 for the newest.
    let score: usize = pairs
        .enumerate()
        .filter(|(_, (before, after))| before != after)
        .map(|(at, _)| 80 + 2 * (at + missing))
        .sum();
    let percent = score / FLAPS;
    if flapping { percent >= 25 } else { percent > 30 }
}

fn bounded<T>(list: &mut Vec<T>, item: T) {
    if list.len() == 64 {
        list.remove(0);
    }
    list.push(item);
}

#[cfg(test)]
mod tests;
