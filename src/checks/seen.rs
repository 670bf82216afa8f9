//! What one look saw, before it is a reading.

use std::time::Duration;

use crate::adapters::{Error, Kind};
use crate::model::ids::{CheckId, Time};
use crate::model::reading::{Finding, Phases, Reading, Reason, Why, WhyClass};
use crate::text::{SafeText, fit};

/// Columns of a fact that are kept.
const FACT: usize = 1000;

/// The part of a [`Reading`] that the kind of check fills in.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What was found.
    pub finding: Finding,
    /// Where the time went.
    pub phases: Phases,
    /// The number that thresholds judge, in `unit`.
    pub value: Option<f64>,
    /// `ms`, `rows` …
    pub unit: &'static str,
    /// A few words for the table.
    pub note: SafeText,
    /// How many of how many requests failed.
    pub failed_of: (u32, u32),
    /// Latencies of the requests that did not fail.
    pub latencies: Vec<Duration>,
    /// What the look rests on, a line each: the query as sent, earlier attempts, addresses.
    pub facts: Vec<SafeText>,
}

impl Seen {
    /// A finding with its few words.
    pub fn new(finding: Finding, note: &str) -> Self {
        let failed = matches!(finding, Finding::Bad { .. });
        Self {
            finding,
            phases: Phases::default(),
            value: None,
            unit: "",
            note: note.into(),
            failed_of: (u32::from(failed), 1),
            latencies: Vec::new(),
            facts: Vec::new(),
        }
    }

    /// As expected.
    pub fn good(note: &str) -> Self {
        Self::new(Finding::Good, note)
    }

    /// Wrong: the class, the few words, and the whole sentence.
    pub fn bad(class: WhyClass, note: &str, text: &str) -> Self {
        Self::new(bad(class, text), note)
    }

    /// Not judged: why, and on what.
    pub fn unknown(reason: Reason, note: &str) -> Self {
        Self { failed_of: (0, 0), ..Self::new(Finding::Unknown { reason }, note) }
    }

    /// The time of the look was up.
    pub fn timed_out(limit: Duration) -> Self {
        let text = format!("no answer in {:.1} s", limit.as_secs_f64());
        Self::bad(WhyClass::TimedOut, "timed out", &text)
    }

    /// What an outside system's error means: its silence is bad, our own fault is unknown
    /// (design 27).
    pub fn of_error(error: &Error) -> Self {
        match class_of(error) {
            Ok((class, note)) => Self::bad(class, note, &error.message),
            Err(reason) => Self::unknown(reason, &error.message),
        }
    }

    /// Adds the value that was judged.
    #[must_use]
    pub fn with_value(mut self, value: f64, unit: &'static str) -> Self {
        self.value = Some(value);
        self.unit = unit;
        self
    }

    /// Adds a line that the look rests on; a long one is cut.
    #[must_use]
    pub fn with_fact(mut self, fact: &str) -> Self {
        self.facts.push(SafeText::new(&fit(fact, FACT)));
        self
    }

    /// Adds where the time went.
    #[must_use]
    pub fn with_phases(mut self, phases: Phases) -> Self {
        self.phases = phases;
        self
    }

    /// The reading of check `check`, begun `at`.
    pub fn reading(self, check: CheckId, at: Time, took: Duration) -> Reading {
        Reading {
            check,
            at,
            took,
            phases: self.phases,
            finding: self.finding,
            value: self.value,
            unit: self.unit.to_owned(),
            note: self.note,
            failed_of: self.failed_of,
            latencies: self.latencies,
            facts: self.facts,
        }
    }
}

/// A bad finding.
pub fn bad(class: WhyClass, text: &str) -> Finding {
    Finding::Bad { why: Why { class, text: text.into() } }
}

/// A warning.
pub fn warn(class: WhyClass, text: &str) -> Finding {
    Finding::Warn { why: Why { class, text: text.into() } }
}

/// The class of an outside system's error and two words for it, or why nothing is known.
pub fn class_of(error: &Error) -> Result<(WhyClass, &'static str), Reason> {
    match error.kind {
        Kind::Refused => Ok((WhyClass::Refused, "refused")),
        Kind::Reset => Ok((WhyClass::Reset, "broken off")),
        Kind::TimedOut => Ok((WhyClass::TimedOut, "timed out")),
        Kind::NotResolved => Ok((WhyClass::NotResolved, "not resolved")),
        Kind::Tls => Ok((WhyClass::Tls, "TLS")),
        Kind::NotFound => Ok((WhyClass::Refused, "not there")),
        Kind::Held | Kind::Conflict | Kind::Rejected => Ok((WhyClass::Rejected, "rejected")),
        Kind::Denied => Err(Reason::NoPermission),
        Kind::NoSpace | Kind::Local => Err(Reason::NoTool),
    }
}
