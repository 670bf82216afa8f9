//! One result of one check, what is made of it, and the state of a check over time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::ids::{CheckId, Time};

pub use super::track::{FailWindow, Looks, Policy, Track};

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
    /// What the look rests on, a line each: the query as it was sent, earlier attempts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<SafeText>,
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

impl Status {
    /// `ok`, `WARN`, `FAIL`, `UNKN`: the loud ones are loud without colour.
    pub fn words(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
            Self::Unknown => "UNKN",
        }
    }
}
