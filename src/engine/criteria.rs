//! Measures the success criteria of level 1 (S-14), each with its number.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::criteria::{Criterion, Passed};
use crate::model::ids::{CheckId, StepId, Time};
use crate::model::incident::{Run, StepPhase};
use crate::model::reading::{Status, Track};
use crate::model::signal::{Recent, Requests, Role};
use crate::text::SafeText;

/// Requests below which error rate and latency after the switch are not judged (M-20).
pub const ENOUGH: u32 = 10;
/// How long the engine waits for that many before it measures what there is.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What is measured from.
pub struct Measured<'a> {
    /// Where the checks stand.
    pub tracks: &'a BTreeMap<CheckId, Track>,
    /// What each counts for.
    pub roles: &'a BTreeMap<CheckId, Role>,
    /// Their readings.
    pub recent: &'a Recent,
    /// Now.
    pub now: Time,
}

fn step<'a>(run: &'a Run, id: &str) -> Option<&'a crate::model::incident::StepState> {
    run.step(&StepId::from(id))
}

/// When the switch was proved, or when the run began where there is no switch.
pub fn switched_at(run: &Run) -> Time {
    let ended = step(run, "switch").filter(|state| state.phase == StepPhase::Done);
    let at = ended
        .and_then(|state| Some(state.started_at? + chrono::Duration::from_std(state.took).ok()?));
    at.unwrap_or(run.started_at)
}

/// Whether enough was seen since the switch to measure.
pub fn ready(run: &Run, measured: &Measured<'_>) -> bool {
    let since = switched_at(run);
    let requests = Requests::since(measured.recent, measured.roles, since);
    let patience = chrono::Duration::from_std(PATIENCE).unwrap_or_default();
    let seen = measured.roles.iter().filter(|(_, role)| role.critical).all(|(id, _)| {
        let track = measured.tracks.get(id);
        track.is_none_or(|track| {
            track.status != Status::Fail && track.last.as_ref().is_some_and(|last| last.at > since)
        })
    });
    (seen && requests.all >= ENOUGH) || measured.now - since > patience
}

/// The six criteria of S-14.
pub fn level_one(run: &Run, measured: &Measured<'_>) -> Vec<Criterion> {
    let since = switched_at(run);
    let requests = Requests::since(measured.recent, measured.roles, since);
    let total = (measured.now - run.started_at).to_std().unwrap_or_default();
    vec![
        within("traffic switch < 10 s", took(run, "switch"), Duration::from_secs(10)),
        Criterion {
            name: "previous environment healthy".into(),
            measured: step(run, "gate").map(|state| state.note.clone()).unwrap_or_default(),
            answer: passed(step(run, "gate").map(|state| state.phase.is_through())),
        },
        checks(measured),
        number("error rate < 1 %", requests.error_rate(), " %", requests.all, |rate| rate < 1.0),
        number(
            "response time < 500 ms",
            requests.p95().map(|seconds| seconds * 1000.0),
            " ms",
            requests.all,
            |ms| ms < 500.0,
        ),
        within("total < 5 min", Some(total), run.plan.core.level.rto()),
    ]
}

fn took(run: &Run, id: &str) -> Option<Duration> {
    step(run, id).filter(|state| state.phase == StepPhase::Done).map(|state| state.took)
}

fn passed(answer: Option<bool>) -> Passed {
    match answer {
        Some(true) => Passed::Yes,
        Some(false) => Passed::No,
        None => Passed::Unknown,
    }
}

fn within(name: &str, took: Option<Duration>, limit: Duration) -> Criterion {
    let measured =
        took.map_or_else(|| "?".to_owned(), |took| format!("{:.1} s", took.as_secs_f64()));
    Criterion {
        name: name.into(),
        measured: SafeText::new(&measured),
        answer: passed(took.map(|took| took < limit)),
    }
}

fn number(
    name: &str,
    value: Option<f64>,
    unit: &str,
    samples: u32,
    holds: impl Fn(f64) -> bool,
) -> Criterion {
    let value = value.filter(|_| samples >= ENOUGH);
    let measured = match value {
        Some(value) if value.is_finite() => format!("{value:.1}{unit} of {samples} requests"),
        Some(_) => format!("over the timeout, of {samples} requests"),
        None => format!("{samples} requests: too few"),
    };
    Criterion {
        name: name.into(),
        measured: SafeText::new(&measured),
        answer: passed(value.map(holds)),
    }
}

/// All critical checks: one that fails is a no, one that is not known is not a yes.
fn checks(measured: &Measured<'_>) -> Criterion {
    let mut failing = Vec::new();
    let mut unknown = Vec::new();
    let mut good = 0;
    for (id, _) in measured.roles.iter().filter(|(_, role)| role.critical) {
        match measured.tracks.get(id).map(|track| track.status) {
            Some(Status::Ok | Status::Warn) => good += 1,
            Some(Status::Fail) => failing.push(id.as_str()),
            Some(Status::Unknown) | None => unknown.push(id.as_str()),
        }
    }
    let (measured, answer) = match (failing.as_slice(), unknown.as_slice()) {
        ([], []) => (format!("{good} ok"), Passed::Yes),
        ([], unknown) => (format!("not known: {}", unknown.join(", ")), Passed::Unknown),
        (failing, _) => (format!("failing: {}", failing.join(", ")), Passed::No),
    };
    Criterion {
        name: "all health checks passing".into(),
        measured: SafeText::new(&measured),
        answer,
    }
}
