//! The quick validation of S-48, ten lines, and the four more of S-49, always in that order.

use std::collections::BTreeMap;

use crate::model::criteria::{Criterion, Passed};
use crate::model::ids::CheckId;
use crate::model::live::Live;
use crate::model::reading::{Finding, Reading, Reason, Status, WhyClass};
use crate::model::signal::SignalValue;
use crate::model::situation::{CheckCard, Situation};
use crate::text::SafeText;

/// The names of the ten, in their order.
pub const QUICK: [&str; 10] = [
    "Container status",
    "Container health",
    "HTTP API",
    "Telemetry server",
    "Database connection",
    "Data integrity",
    "Network connectivity",
    "Resource usage",
    "Log errors",
    "Performance metrics",
];

/// The names of the four that a thorough validation adds (S-49).
pub const THOROUGH: [&str; 4] =
    ["VR functionality", "Debug services (DAP, LSP)", "Full smoke tests", "Extended monitoring"];

/// What a line says when nothing is configured that could answer it. Such a line is shown and
/// counted as left out: it is neither a pass nor a failure.
pub const LEFT_OUT: &str = "left out: no check is configured for it";

/// Response times that S-14 allows, in seconds.
const FAST: f64 = 0.5;

/// The ten lines, from what was looked at last.
pub fn quick(
    situation: &Situation,
    live: Option<&Live>,
    readings: &BTreeMap<CheckId, Reading>,
) -> Vec<Criterion> {
    let named = |words: &[&str]| by_name(situation, readings, words);
    let http = |id: &CheckId| {
        let reading = readings.get(id);
        reading.is_some_and(|reading| reading.phases.first_byte.is_some())
    };
    let answers = [
        outage(live),
        flag(live, "failed_health_checks"),
        worst(situation, readings, |id, card| card.critical && http(id)),
        named(&["telemetry", "metrics"]),
        flag(live, "database_failure"),
        flag(live, "corruption"),
        network(readings),
        named(&["disk", "memory", "cpu", "load", "resource"]),
        named(&["log"]),
        performance(live),
    ];
    QUICK
        .iter()
        .zip(answers)
        .map(|(name, (answer, text))| Criterion {
            name: (*name).into(),
            measured: SafeText::new(&text),
            answer,
        })
        .collect()
}

/// The four lines that come after them; `smoke` is how the smoke command ended, where one is
/// configured.
pub fn thorough(
    situation: &Situation,
    readings: &BTreeMap<CheckId, Reading>,
    smoke: Option<(Passed, String)>,
) -> Vec<Criterion> {
    let named = |words: &[&str]| by_name(situation, readings, words);
    let answers = [
        named(&["vr"]),
        named(&["dap", "lsp", "debug"]),
        smoke.unwrap_or_else(left_out),
        worst(situation, readings, |_, _| true),
    ];
    let line = |(name, (answer, text)): (&&str, Answer)| Criterion {
        name: (*name).into(),
        measured: SafeText::new(&text),
        answer,
    };
    THOROUGH.iter().zip(answers).map(line).collect()
}

/// Whether all that is configured holds: no line failed, none is unknown but those left out, and
/// at least one was looked at.
pub fn all_good(lines: &[Criterion]) -> bool {
    lines.iter().any(|line| line.answer == Passed::Yes)
        && lines.iter().all(|line| line.answer == Passed::Yes || is_left_out(line))
}

/// Whether nothing is configured that could answer this line.
pub fn is_left_out(line: &Criterion) -> bool {
    line.answer == Passed::Unknown && line.measured.as_str() == LEFT_OUT
}

type Answer = (Passed, String);

fn left_out() -> Answer {
    (Passed::Unknown, LEFT_OUT.to_owned())
}

fn unknown(reason: Reason) -> Answer {
    let (words, fix) = (reason.words(), reason.fix());
    (Passed::Unknown, format!("unknown, {words}; to do: {fix}"))
}

fn outage(live: Option<&Live>) -> Answer {
    let Some(live) = live else {
        return unknown(Reason::NeverRan);
    };
    let Some(signal) = live.signals.get("outage") else {
        return left_out();
    };
    let evidence = signal.evidence.last().map_or("", SafeText::as_str).to_owned();
    match &signal.value {
        SignalValue::Unknown(reason) => unknown(*reason),
        SignalValue::Number(down) if *down <= 0.0 => (Passed::Yes, evidence),
        SignalValue::Flag(false) => (Passed::Yes, evidence),
        SignalValue::Number(_) | SignalValue::Flag(true) => (Passed::No, evidence),
    }
}

fn flag(live: Option<&Live>, name: &str) -> Answer {
    let Some(live) = live else {
        return unknown(Reason::NeverRan);
    };
    let Some(signal) = live.signals.get(name) else {
        return left_out();
    };
    match &signal.value {
        SignalValue::Unknown(reason) => unknown(*reason),
        SignalValue::Flag(false) => (Passed::Yes, "no check fails".to_owned()),
        SignalValue::Flag(true) | SignalValue::Number(_) => {
            let evidence: Vec<&str> = signal.evidence.iter().map(SafeText::as_str).collect();
            (Passed::No, evidence.join(", "))
        }
    }
}

/// The worst of the chosen checks.
fn worst(
    situation: &Situation,
    readings: &BTreeMap<CheckId, Reading>,
    chosen: impl Fn(&CheckId, &CheckCard) -> bool,
) -> Answer {
    let cards = situation.checks.iter().filter(|(id, card)| chosen(id, card));
    let rank = |card: &CheckCard| match card.status {
        Status::Fail => 3,
        Status::Unknown => 2,
        Status::Warn => 1,
        Status::Ok => 0,
    };
    let Some((id, card)) = cards.max_by_key(|(_, card)| rank(card)) else {
        return left_out();
    };
    let note = readings.get(id).map_or(&card.note, |reading| &reading.note);
    match card.status {
        Status::Unknown => unknown(card.reason.unwrap_or(Reason::NeverRan)),
        Status::Fail => (Passed::No, format!("{id}: {note}")),
        Status::Ok | Status::Warn => (Passed::Yes, format!("{id}: {note}")),
    }
}

/// By the words of its name: these lines have no signal of their own, so the line names the check.
fn by_name(situation: &Situation, readings: &BTreeMap<CheckId, Reading>, words: &[&str]) -> Answer {
    worst(situation, readings, |id, _| {
        let mut parts = id.as_str().split(['_', '-', '.']);
        parts.any(|part| words.contains(&part))
    })
}

/// Whether anything that was looked at could not be reached at all.
fn network(readings: &BTreeMap<CheckId, Reading>) -> Answer {
    let silent = readings.values().find_map(|reading| match &reading.finding {
        Finding::Bad { why } => match why.class {
            WhyClass::Refused
            | WhyClass::Reset
            | WhyClass::TimedOut
            | WhyClass::NotResolved
            | WhyClass::Tls => Some(format!("{}: {}", reading.check, why.text)),
            WhyClass::Status | WhyClass::Content | WhyClass::Threshold | WhyClass::Rejected => None,
        },
        Finding::Good | Finding::Warn { .. } | Finding::Unknown { .. } => None,
    });
    let judged =
        readings.values().filter(|reading| !matches!(reading.finding, Finding::Unknown { .. }));
    match (silent, judged.count()) {
        (Some(silent), _) => (Passed::No, silent),
        (None, 0) => unknown(Reason::NeverRan),
        (None, answered) => (Passed::Yes, format!("{answered} of {} answered", readings.len())),
    }
}

fn performance(live: Option<&Live>) -> Answer {
    let Some(live) = live else {
        return unknown(Reason::NeverRan);
    };
    let value = |name: &str| live.signals.get(name).map(|signal| &signal.value);
    match (value("error_rate"), value("p95")) {
        (None, _) | (_, None) => left_out(),
        (Some(SignalValue::Unknown(reason)), _) | (_, Some(SignalValue::Unknown(reason))) => {
            unknown(*reason)
        }
        (Some(rate), Some(p95)) => {
            let (rate, p95) = (rate.number().unwrap_or(100.0), p95.number().unwrap_or(f64::MAX));
            let good = rate < 1.0 && p95 < FAST;
            let text = format!("errors {rate:.1} %, p95 {:.0} ms", p95 * 1000.0);
            (if good { Passed::Yes } else { Passed::No }, text)
        }
    }
}
