//! One result of one check, what is made of it, and the state of a check over time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::ids::{CheckId, Time};

/// What one look found. Silence of the target (refused, reset, timed out, not resolved, TLS
/// invalid) is an answer and `Bad`; `Unknown` is kept for when *we* could not look or judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Finding {
    /// As expected.
    Good,
    /// Over the warning threshold.
    Warn {
        /// What was seen.
        why: Why,
    },
    /// Wrong, or silent.
    Bad {
        /// What was seen.
        why: Why,
    },
    /// Not judged.
    Unknown {
        /// Which of the closed list.
        reason: Reason,
    },
}

/// The class of what was wrong, and the words for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// The class.
    pub class: WhyClass,
    /// For people, such as `503, expected 200`.
    pub text: SafeText,
}

/// Classes of wrong answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyClass {
    /// Nothing listens there.
    Refused,
    /// The connection broke.
    Reset,
    /// No answer in time.
    TimedOut,
    /// The name did not resolve.
    NotResolved,
    /// Certificate or handshake.
    Tls,
    /// The status code was not expected.
    Status,
    /// The answer did not hold what was expected.
    Content,
    /// A value crossed a threshold.
    Threshold,
    /// The command or query said no.
    Rejected,
}

/// Why something is not known: a closed list, each with its own fix line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No result yet.
    NeverRan,
    /// The last result is too old.
    Stale,
    /// Our own line is down: the witness fails too.
    WitnessDown,
    /// A check that this one depends on fails.
    ParentFailing,
    /// The program it needs is not installed.
    NoTool,
    /// We may not look.
    NoPermission,
    /// The check cannot run as configured.
    BadConfig,
    /// The source has no value.
    NoData,
    /// Too few results to judge.
    TooFewSamples,
    /// More than one value where one is needed.
    Ambiguous,
    /// The source asked us to slow down.
    Throttled,
    /// The answer could not be read.
    Parse,
    /// Left out on purpose.
    Skipped,
}

impl Reason {
    /// Two or three words for a table.
    pub fn words(self) -> &'static str {
        match self {
            Self::NeverRan => "no look yet",
            Self::Stale => "stale",
            Self::WitnessDown => "our line is down",
            Self::ParentFailing => "parent fails",
            Self::NoTool => "tool missing",
            Self::NoPermission => "no permission",
            Self::BadConfig => "misconfigured",
            Self::NoData => "no data",
            Self::TooFewSamples => "too few samples",
            Self::Ambiguous => "ambiguous",
            Self::Throttled => "throttled",
            Self::Parse => "unreadable answer",
            Self::Skipped => "skipped",
        }
    }

    /// What to do about it, starting with a verb.
    pub fn fix(self) -> &'static str {
        match self {
            Self::NeverRan => "wait for its first look",
            Self::Stale => "look at the engine: its looks are late",
            Self::WitnessDown => "check the line of this machine first",
            Self::ParentFailing => "mend the check that it depends on",
            Self::NoTool => "install the program that the check runs",
            Self::NoPermission => "give this user the right to look",
            Self::BadConfig => "mend the check in the configuration",
            Self::NoData => "check that the source still reports",
            Self::TooFewSamples => "wait for more looks or raise samples_per_run",
            Self::Ambiguous => "name one series, or a reduce",
            Self::Throttled => "raise the interval",
            Self::Parse => "look at the answer by hand",
            Self::Skipped => "nothing: it was left out on purpose",
        }
    }
}

/// Where the time of one probe went. Absent phases did not happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// Name resolution.
    pub resolve: Option<Duration>,
    /// TCP connect.
    pub connect: Option<Duration>,
    /// TLS handshake.
    pub tls: Option<Duration>,
    /// Request sent to first byte of the answer.
    pub first_byte: Option<Duration>,
}

/// One result of one check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Which check.
    pub check: CheckId,
    /// When the look began.
    pub at: Time,
    /// How long it took in all.
    pub took: Duration,
    /// Where that time went.
    pub phases: Phases,
    /// What it found.
    pub finding: Finding,
    /// The number that thresholds judge, in `unit`.
    pub value: Option<f64>,
    /// `ms`, `percent`, `rows` …
    pub unit: String,
    /// A few words for the table: `200`, `503`, `412 rows`.
    pub note: SafeText,
    /// How many of how many requests of a burst failed; `(0|1, 1)` for a single one.
    pub failed_of: (u32, u32),
    /// Latencies of the single requests of a burst; a failed one is not in here.
    pub latencies: Vec<Duration>,
}

/// The state of a check after hysteresis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Good often enough.
    Ok,
    /// Warned.
    Warn,
    /// Bad often enough.
    Fail,
    /// Not known.
    Unknown,
}

/// How a check's state follows its readings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Bad readings in a row that make it `fail` (`consecutive_failures_for_critical`).
    pub fail_after: u32,
    /// Good readings in a row that make it `ok` again (`consecutive_successes_for_ok`).
    pub ok_after: u32,
    /// Or so many bad ones among the last so many (`fail_window`).
    pub fail_window: Option<(u32, u32)>,
    /// Age beyond which the last reading says nothing (default 2 x interval + timeout, min 30 s).
    pub stale_after: Duration,
}

/// A check's recent past: enough to say its state, not its history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// The state.
    pub status: Status,
    /// Since when.
    pub since: Time,
    /// Consecutive bad readings.
    pub bad: u32,
    /// Consecutive good readings.
    pub good: u32,
    /// The last readings' badness, newest last, at most 64.
    pub recent: Vec<bool>,
    /// The last reading.
    pub last: Option<Reading>,
    /// Why it is unknown, when it is.
    pub reason: Option<Reason>,
}

impl Track {
    /// A check that has not been looked at.
    pub fn new(at: Time) -> Self {
        Self {
            status: Status::Unknown,
            since: at,
            bad: 0,
            good: 0,
            recent: Vec::new(),
            last: None,
            reason: Some(Reason::NeverRan),
        }
    }

    /// Takes a reading; returns whether the status or the reason changed.
    ///
    /// The very first good reading makes it `ok` at once (cold start). Otherwise it takes `fail_after`
    /// bad or `ok_after` good ones in a row; a single bad one warns. An unknown reading never
    /// counts as good.
    pub fn take(&mut self, reading: Reading, policy: &Policy) -> bool {
        let cold = self.reason == Some(Reason::NeverRan);
        let before = (self.status, self.reason);
        let at = reading.at;
        match &reading.finding {
            Finding::Good | Finding::Warn { .. } => {
                self.remember(false);
                self.good += 1;
                self.bad = 0;
            }
            Finding::Bad { .. } => {
                self.remember(true);
                self.bad += 1;
                self.good = 0;
            }
            Finding::Unknown { .. } => {}
        }
        let in_window = policy.fail_window.is_some_and(|(failures, of)| {
            let skip = self.recent.len().saturating_sub(of as usize);
            self.recent.iter().skip(skip).filter(|bad| **bad).count() >= failures as usize
        });
        let (status, reason) = match &reading.finding {
            Finding::Unknown { reason } => (Status::Unknown, Some(*reason)),
            Finding::Bad { .. } if self.bad >= policy.fail_after || in_window => {
                (Status::Fail, None)
            }
            Finding::Bad { .. } if self.status == Status::Fail => (Status::Fail, None),
            Finding::Good | Finding::Warn { .. }
                if self.status == Status::Fail && (in_window || self.good < policy.ok_after) =>
            {
                (Status::Fail, None)
            }
            Finding::Bad { .. } | Finding::Warn { .. } => (Status::Warn, None),
            Finding::Good if cold || self.good >= policy.ok_after => (Status::Ok, None),
            Finding::Good if self.status == Status::Unknown => (Status::Ok, None),
            Finding::Good => (self.status, None),
        };
        self.status = status;
        self.reason = reason;
        self.last = Some(reading);
        let changed = before != (status, reason);
        if changed {
            self.since = at;
        }
        changed
    }

    /// Turns the state unknown when the last reading is older than the policy allows; returns
    /// whether it changed.
    pub fn age(&mut self, now: Time, policy: &Policy) -> bool {
        let Some(last) = &self.last else { return false };
        let age = (now - last.at).to_std().unwrap_or_default();
        if age <= policy.stale_after || self.reason == Some(Reason::Stale) {
            return false;
        }
        self.status = Status::Unknown;
        self.reason = Some(Reason::Stale);
        self.since = now;
        true
    }

    fn remember(&mut self, bad: bool) {
        if self.recent.len() == 64 {
            self.recent.remove(0);
        }
        self.recent.push(bad);
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn at(second: i64) -> Time {
        chrono::Utc.timestamp_opt(1_764_000_000 + second, 0).unwrap()
    }

    fn reading(second: i64, finding: Finding) -> Reading {
        Reading {
            check: "api".into(),
            at: at(second),
            took: Duration::from_millis(3),
            phases: Phases::default(),
            finding,
            value: None,
            unit: String::new(),
            note: SafeText::default(),
            failed_of: (0, 1),
            latencies: Vec::new(),
        }
    }

    fn bad() -> Finding {
        Finding::Bad { why: Why { class: WhyClass::Status, text: "503".into() } }
    }

    fn policy() -> Policy {
        Policy {
            fail_after: 3,
            ok_after: 2,
            fail_window: None,
            stale_after: Duration::from_secs(30),
        }
    }

    #[test]
    fn a_single_miss_is_only_a_warning() {
        let mut track = Track::new(at(0));
        track.take(reading(1, Finding::Good), &policy());
        track.take(reading(2, bad()), &policy());
        assert_eq!(track.status, Status::Warn);
        track.take(reading(3, bad()), &policy());
        track.take(reading(4, bad()), &policy());
        assert_eq!(track.status, Status::Fail);
    }

    #[test]
    fn recovery_needs_more_than_one_good_reading() {
        let mut track = Track::new(at(0));
        for second in 1..=3 {
            track.take(reading(second, bad()), &policy());
        }
        track.take(reading(4, Finding::Good), &policy());
        assert_eq!(track.status, Status::Fail);
        track.take(reading(5, Finding::Good), &policy());
        assert_eq!(track.status, Status::Ok);
    }

    #[test]
    fn an_unknown_reading_is_never_good_and_never_a_failure() {
        let mut track = Track::new(at(0));
        track.take(reading(1, Finding::Good), &policy());
        track.take(reading(2, Finding::Unknown { reason: Reason::NoTool }), &policy());
        assert_eq!((track.status, track.reason), (Status::Unknown, Some(Reason::NoTool)));
        assert_eq!((track.bad, track.good), (0, 1));
    }

    #[test]
    fn silence_of_our_own_turns_a_good_check_stale() {
        let mut track = Track::new(at(0));
        track.take(reading(1, Finding::Good), &policy());
        assert!(!track.age(at(31), &policy()));
        assert!(track.age(at(32), &policy()));
        assert_eq!((track.status, track.reason), (Status::Unknown, Some(Reason::Stale)));
    }

    #[test]
    fn three_of_five_fail_without_being_in_a_row() {
        let policy = Policy { fail_window: Some((3, 5)), ..policy() };
        let mut track = Track::new(at(0));
        for (second, finding) in (0..).zip([bad(), Finding::Good, bad(), Finding::Good, bad()]) {
            track.take(reading(second, finding), &policy);
        }
        assert_eq!(track.status, Status::Fail);
    }
}
