//! From signals and people's answers to severity and verdict, side by side.

use std::collections::BTreeMap;

use crate::text::SafeText;

use super::ids::{NodeId, Time};
use super::plan::Level;
use super::reading::Reason;
use super::severity::Severity;
use super::signal::{Signal, SignalValue};
use super::tree::{
    ANSWER_HOLDS, Answer, Answered, Assessment, BETTER_HOLDS, Condition, Human, Node, Running,
    Said, TreeVerdict,
};

/// Signals and people's answers in, severity and verdict out. `before` keeps the clock running.
pub fn assess(
    tree: &[Node],
    signals: &BTreeMap<String, Signal>,
    said: &BTreeMap<NodeId, Said>,
    before: Option<&Assessment>,
    now: Time,
) -> Assessment {
    let (path, verdict) = walk(tree, signals, said, now);
    let (by_signals, mut because, could_be) = class(signals);
    let mut severity = by_signals;
    for step in path.iter().filter(|step| step.answer == Answer::Yes) {
        severity = severity.max(by_person(step));
        if let Some(by) = &step.by {
            because.insert(0, SafeText::new(&format!("{} YES ({by})", step.question)));
        }
    }
    let (since, clock) = run_clock(before, severity, now);
    let deadline = clock.as_ref().and_then(ends);
    let suggests = suggests(verdict, &path, severity);
    Assessment {
        number: before.map_or(1, |before| before.number + 1),
        severity,
        could_be: could_be.max(severity),
        since,
        deadline,
        clock,
        because,
        verdict,
        suggests,
        path,
    }
}

/// The level that verdict and class suggest.
pub(super) fn suggests(
    verdict: TreeVerdict,
    path: &[Answered],
    severity: Severity,
) -> Option<Level> {
    let yes = |node: &str| {
        path.iter().any(|step| step.node.as_str() == node && step.answer == Answer::Yes)
    };
    match verdict {
        TreeVerdict::Isolate => None,
        _ if yes("4") => Some(Level::PointInTime),
        TreeVerdict::RollBack => Some(Level::Switch),
        // The table stands beside the tree: what it calls HIGH is not left without a way out.
        TreeVerdict::Open | TreeVerdict::Monitor => {
            (severity >= Severity::High).then_some(Level::Switch)
        }
    }
}

/// The class that a yes means by itself, whoever gave it.
fn by_person(step: &Answered) -> Severity {
    match step.node.as_str() {
        "0" | "1" | "4" => Severity::Critical,
        "2" | "3" => Severity::High,
        _ => Severity::None,
    }
}

/// When the class was reached, and the clock that runs.
pub(super) fn run_clock(
    before: Option<&Assessment>,
    severity: Severity,
    now: Time,
) -> (Time, Option<Running>) {
    let fresh = |since: Time| {
        severity.clock().map(|_| Running { class: severity, since, better_since: None })
    };
    let Some(before) = before else {
        return (now, fresh(now));
    };
    let reached = if before.severity == severity { before.since } else { now };
    match &before.clock {
        Some(running) if severity == running.class => {
            let running = Running { better_since: None, ..running.clone() };
            (running.since, Some(running))
        }
        Some(running) if severity < running.class => {
            let better = running.better_since.unwrap_or(now);
            let held = (now - better).to_std().unwrap_or_default();
            if held >= BETTER_HOLDS {
                return (reached, fresh(reached));
            }
            let running = Running { better_since: Some(better), ..running.clone() };
            (reached, Some(running))
        }
        Some(_) | None => (reached, fresh(reached)),
    }
}

pub(super) fn ends(running: &Running) -> Option<Time> {
    let span = chrono::Duration::from_std(running.class.clock()?).ok()?;
    Some(running.since + span)
}

fn walk(
    tree: &[Node],
    signals: &BTreeMap<String, Signal>,
    said: &BTreeMap<NodeId, Said>,
    now: Time,
) -> (Vec<Answered>, TreeVerdict) {
    let mut path: Vec<Answered> = tree
        .iter()
        .filter_map(|node| match node {
            Node::Ask { id, question, when, human, yes, .. } => {
                let isolates = tree.iter().any(|node| {
                    matches!(node, Node::Verdict { id, verdict: TreeVerdict::Isolate } if id == yes)
                });
                let asked = (when, *human, isolates);
                Some(answer(id, question, asked, signals, said, now))
            }
            Node::Verdict { .. } => None,
        })
        .collect();
    let mut at = path.first().map(|step| step.node.clone());
    let mut open = false;
    // Each node is passed once at most, so a tree with a cycle still ends.
    for _ in 0..tree.len() {
        let Some(id) = at.take() else { break };
        let found = tree.iter().find(|node| match node {
            Node::Ask { id: this, .. } | Node::Verdict { id: this, .. } => this == &id,
        });
        match found {
            Some(Node::Verdict { verdict, .. }) => {
                let open = open && *verdict == TreeVerdict::Monitor;
                return (path, if open { TreeVerdict::Open } else { *verdict });
            }
            Some(Node::Ask { yes, no, when, .. }) => {
                let Some(step) = path.iter_mut().find(|step| step.node == id) else {
                    break;
                };
                step.on_path = true;
                // An open question does not hide a yes further on, but nothing is well with it.
                // One that only a person can answer is asked, and waits beside what is measured.
                let only_person = matches!(when, Condition::Person);
                open |= step.answer == Answer::Unknown && !only_person;
                at = Some(if step.answer == Answer::Yes { yes.clone() } else { no.clone() });
            }
            None => break,
        }
    }
    (path, TreeVerdict::Open)
}

fn answer(
    id: &NodeId,
    question: &str,
    (when, human, isolates): (&Condition, Human, bool),
    signals: &BTreeMap<String, Signal>,
    said: &BTreeMap<NodeId, Said>,
    now: Time,
) -> Answered {
    let (measured, value, reason, evidence) = match when {
        Condition::Person => (Answer::Unknown, None, None, Vec::new()),
        Condition::Above { signal, thousandths } => {
            read(signals.get(signal), |value| match value {
                #[expect(clippy::cast_precision_loss, reason = "thresholds are small numbers")]
                SignalValue::Number(number) => {
                    (!number.is_nan()).then_some(*number * 1000.0 > *thousandths as f64)
                }
                SignalValue::Flag(flag) => Some(*flag),
                SignalValue::Unknown(_) => None,
            })
        }
        Condition::Up { signal } => read(signals.get(signal), |value| match value {
            SignalValue::Number(number) => (!number.is_nan()).then_some(*number > 0.0),
            SignalValue::Flag(flag) => Some(*flag),
            SignalValue::Unknown(_) => None,
        }),
    };
    let confirm = human == Human::ConfirmNo && measured == Answer::No;
    let holds = said.get(id).filter(|said| {
        let age = (now - said.at).abs().to_std().unwrap_or_default();
        age <= ANSWER_HOLDS || (isolates && said.answer == Answer::Yes)
    });
    let (answer, by) = match holds {
        // "Not known" hides nothing that is measured; it only leaves a no in need of a person open.
        Some(said) if said.answer == Answer::Unknown => match measured {
            Answer::Yes | Answer::No if !confirm => (measured, None),
            Answer::Yes | Answer::No | Answer::Unknown => (Answer::Unknown, Some(said.by.clone())),
        },
        Some(said) => (said.answer, Some(said.by.clone())),
        None => (measured, None),
    };
    let asks = by.is_none() && (answer == Answer::Unknown || confirm);
    let against =
        (by.is_some() && measured != Answer::Unknown && measured != answer).then_some(measured);
    Answered {
        node: id.clone(),
        question: question.to_owned(),
        answer,
        reason: if answer == Answer::Unknown { reason } else { None },
        by,
        value,
        evidence,
        on_path: false,
        asks,
        against,
    }
}

type Read = (Answer, Option<f64>, Option<Reason>, Vec<SafeText>);

fn read(signal: Option<&Signal>, judge: impl Fn(&SignalValue) -> Option<bool>) -> Read {
    let Some(signal) = signal else {
        let nothing = SafeText::from("no check that counts is configured for it");
        return (Answer::Unknown, None, Some(Reason::NoData), vec![nothing]);
    };
    let reason = match &signal.value {
        SignalValue::Unknown(reason) => Some(*reason),
        SignalValue::Number(_) | SignalValue::Flag(_) => None,
    };
    let answer = match judge(&signal.value) {
        Some(true) => Answer::Yes,
        Some(false) => Answer::No,
        None => Answer::Unknown,
    };
    (answer, signal.value.number(), reason, signal.evidence.clone())
}

/// The worst class of what is known, why, and the worst that the unknown could make of it.
fn class(signals: &BTreeMap<String, Signal>) -> (Severity, Vec<SafeText>, Severity) {
    let (mut worst, mut because, mut could_be) = (Severity::None, Vec::new(), Severity::None);
    for signal in signals.values() {
        let (known, possible) = one(signal);
        could_be = could_be.max(possible);
        if known > Severity::None {
            let first = signal.evidence.first().map(SafeText::as_str).unwrap_or_default();
            because.push((known, SafeText::new(&format!("{}: {first}", signal.name))));
        }
        worst = worst.max(known);
    }
    because.sort_by_key(|(severity, _)| std::cmp::Reverse(*severity));
    (worst, because.into_iter().map(|(_, text)| text).collect(), could_be.max(worst))
}

fn one(signal: &Signal) -> (Severity, Severity) {
    let at_worst = match signal.name.as_str() {
        "outage" | "database_failure" | "corruption" | "error_rate" => Severity::Critical,
        "p95" | "failed_health_checks" => Severity::High,
        "minor_failure" => Severity::Medium,
        _ => Severity::None,
    };
    let known = match (&signal.value, signal.name.as_str()) {
        (SignalValue::Number(number), "error_rate") => Severity::of_error_rate(*number),
        (SignalValue::Number(number), "p95") => Severity::of_response_time(*number),
        (SignalValue::Number(number), "outage") if *number >= 2.0 => Severity::Critical,
        (SignalValue::Number(number), "outage") if *number >= 1.0 => Severity::High,
        (SignalValue::Number(_) | SignalValue::Flag(false), _) => Severity::None,
        (SignalValue::Flag(true), _) => at_worst,
        // Every request failed, or none was answered: the error rate is the one that says so.
        (SignalValue::Unknown(Reason::NoData), "p95") => return (Severity::None, Severity::None),
        (SignalValue::Unknown(_), _) => return (Severity::None, at_worst),
    };
    (known, known)
}
