//! Measures the success criteria of each level (S-14, S-26, S-40), each with its number.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::checks::CheckSpec;
use crate::model::criteria::{Criterion, Passed};
use crate::model::ids::{CheckId, StepId, Time};
use crate::model::incident::{Run, StepPhase};
use crate::model::plan::Level;
use crate::model::reading::{Status, Track};
use crate::model::signal::{Recent, Requests, Role};
use crate::model::strategy::SERVICES;
use crate::text::SafeText;

/// Requests below which error rate and latency after the switch are not judged (M-20).
pub const ENOUGH: u32 = 10;
/// How long the engine waits for that many before it measures what there is, at least and at most.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_mins(2));

/// What is measured from.
pub struct Measured<'a> {
    /// Where the checks stand.
    pub tracks: &'a BTreeMap<CheckId, Track>,
    /// What each counts for.
    pub roles: &'a BTreeMap<CheckId, Role>,
    /// Their readings.
    pub recent: &'a Recent,
    /// What 95 of 100 responses must be faster than.
    pub good_response: Duration,
    /// How long is waited until each check can have looked since the switch.
    pub patience: Duration,
    /// Now.
    pub now: Time,
}

mod deep;

/// How long a version that is well may need until its checks say so: a look that began at the one
/// that was left has to end in its time, and then as many as it takes are good.
pub fn patience(checks: &[CheckSpec]) -> Duration {
    let needs = |spec: &CheckSpec| {
        let looks = spec.interval.min(spec.fast_interval) * (spec.policy.ok_after + 2);
        spec.timeout + looks + Duration::from_secs(2)
    };
    let live = checks.iter().filter(|spec| spec.live && spec.enabled && spec.role.critical);
    let longest = live.map(needs).max().unwrap_or_default();
    longest.clamp(PATIENCE.0, PATIENCE.1)
}

fn step<'a>(run: &'a Run, id: &str) -> Option<&'a crate::model::incident::StepState> {
    run.step(&StepId::from(id))
}

/// The step after which users reach the other version: the switch, what takes a canary out of the
/// traffic, else what replaces in place.
fn moving(run: &Run) -> &'static str {
    let moves = ["switch", "canary", "publish"]
        .into_iter()
        .find(|id| run.plan.step(&StepId::from(*id)).is_some());
    moves.unwrap_or("deploy")
}

/// Whether the run is an undo of a rollout: pods are replaced while others serve.
fn undoes_rollout(run: &Run) -> bool {
    run.plan.core.steps.iter().any(|spec| spec.action.get("rollout_undo").is_some())
}

/// Whether the run is one of the configuration's own making, whose steps nobody knows beforehand, or
/// takes such a one back: then nothing in it moves users.
fn is_procedure(run: &Run) -> bool {
    let moves = undoes_rollout(run) || run.plan.step(&StepId::from(moving(run))).is_some();
    let point = run.plan.core.point.as_str();
    point.starts_with(super::procedure::TYPE)
        || point.starts_with(SERVICES)
        || run.plan.undoes().is_some() && !moves
}

/// When the last step ended that the watch window waits for.
fn through_at(run: &Run) -> Option<Time> {
    let all = run.plan.core.steps.iter().filter(|spec| !spec.beside_watch);
    all.filter_map(|spec| run.step(&spec.id)?.ended_at).max()
}

/// When the switch was proved, or when the run began where there is no switch.
pub fn switched_at(run: &Run) -> Time {
    if undoes_rollout(run) || is_procedure(run) {
        return through_at(run).unwrap_or(run.started_at);
    }
    // Behind a maintenance page users reach nothing until it is lifted.
    let open = step(run, "release_page").filter(|state| state.phase == StepPhase::Done);
    // Caches give the old version out until they were told: the gate has looked through them.
    let moved = if moving(run) == "publish" { "gate" } else { moving(run) };
    let ended = step(run, moved).filter(|state| state.phase == StepPhase::Done);
    let ended = open.filter(|_| ended.is_some()).or(ended);
    // Begin and length would be too early by the time between the intent's entry and the act: a
    // request of that moment went to the version that was left.
    ended.and_then(|state| state.ended_at).unwrap_or(run.started_at)
}

/// Whether enough was seen since the switch to measure.
pub fn ready(run: &Run, measured: &Measured<'_>) -> bool {
    let since = switched_at(run);
    let requests = Requests::since(measured.recent, measured.roles, since);
    let patience = chrono::Duration::from_std(measured.patience).unwrap_or_default();
    let seen = measured.roles.iter().filter(|(_, role)| role.critical).all(|(id, _)| {
        let track = measured.tracks.get(id);
        track.is_none_or(|track| {
            track.status != Status::Fail && track.last.as_ref().is_some_and(|last| last.at > since)
        })
    });
    (seen && requests.all >= ENOUGH) || measured.now - since > patience
}

/// The criteria of the run's level.
pub fn of(run: &Run, measured: &Measured<'_>) -> Vec<Criterion> {
    match run.plan.core.level {
        _ if is_procedure(run) => procedure(run, measured),
        Level::Switch => level_one(run, measured),
        Level::Full => full(run, measured),
        Level::PointInTime => point_in_time(run, measured),
    }
}

/// What holds for any rollback: its steps are proved, and users are served.
fn procedure(run: &Run, measured: &Measured<'_>) -> Vec<Criterion> {
    let requests = Requests::since(measured.recent, measured.roles, switched_at(run));
    let open = run.steps.iter().find(|state| {
        let spec = run.plan.core.steps.iter().find(|spec| spec.id == state.id);
        spec.is_some_and(|spec| !spec.beside_watch) && state.phase != StepPhase::Done
    });
    vec![
        Criterion {
            name: "every step is proved".into(),
            measured: open.map_or_else(
                || "all".into(),
                |state| SafeText::new(&format!("{} is not", state.id)),
            ),
            answer: passed(Some(open.is_none())),
        },
        checks(measured),
        number("error rate < 1 %", requests.error_rate(), " %", requests.all, |rate| rate < 1.0),
        response(&requests, measured),
        total(run, measured),
    ]
}

/// The seven criteria of S-26, and that traffic is good.
fn full(run: &Run, measured: &Measured<'_>) -> Vec<Criterion> {
    let mut all = vec![all_through("DB rollback completed", run, "migrate")];
    all.extend(serving(run, measured));
    all.push(deep::queries(run));
    all.push(deep::markers("no data corruption markers", run, "check_data"));
    all.extend(optional("smoke tests pass", run, "smoke"));
    all.push(total(run, measured));
    all
}

/// The ten criteria of S-40, and that traffic is good. Where the live data stayed (BESIDE), only
/// what was restored counts.
fn point_in_time(run: &Run, measured: &Measured<'_>) -> Vec<Criterion> {
    let swapped = !run.stays_beside();
    let mut all = Vec::new();
    all.extend(optional("volumes restored", run, "restore_files"));
    all.extend(optional("DB restored", run, "restore_database"));
    all.extend([
        deep::replayed(run),
        deep::markers("no corruption", run, if swapped { "check_data" } else { "check_copy" }),
        deep::present(run),
        deep::verified(run),
    ]);
    if step(run, "restore_cache").is_some() {
        let (name, id) = if swapped {
            ("Redis restored, its keys counted", "swap_cache")
        } else {
            ("Redis restored beside, its keys counted", "restore_cache")
        };
        all.push(noted(name, run, id));
    }
    if swapped {
        all.extend(serving(run, measured));
        all.extend(optional("smoke tests pass", run, "smoke"));
    }
    all.push(total(run, measured));
    all
}

/// Health and traffic after a deep rollback.
fn serving(run: &Run, measured: &Measured<'_>) -> [Criterion; 5] {
    let since = switched_at(run);
    let requests = Requests::since(measured.recent, measured.roles, since);
    let [containers, answers] = deep::healthy(run);
    [
        containers,
        answers,
        checks(measured),
        number("error rate < 1 %", requests.error_rate(), " %", requests.all, |rate| rate < 1.0),
        response(&requests, measured),
    ]
}

fn total(run: &Run, measured: &Measured<'_>) -> Criterion {
    // The time that a person thought is not the rollback's.
    let asked =
        run.steps.iter().find(|state| run.plan.step(&state.id).is_some_and(|spec| spec.asks));
    let thought = asked.and_then(|state| Some(state.ended_at? - state.started_at?));
    let total = measured.now - run.started_at - thought.unwrap_or_default();
    let limit = run.plan.core.level.rto();
    let name = format!("total < {} minutes", limit.as_secs() / 60);
    within(&name, total.to_std().ok(), limit)
}

/// A step whose own words are what was measured.
fn noted(name: &str, run: &Run, id: &str) -> Criterion {
    let (measured, answer) = match step(run, id).map(|state| (&state.phase, &state.note)) {
        Some((StepPhase::Done, note)) if note.as_str().is_empty() => {
            let took = step(run, id).map(|state| state.took).unwrap_or_default();
            (SafeText::new(&format!("done in {:.1} s", took.as_secs_f64())), Passed::Yes)
        }
        Some((StepPhase::Done, note)) => (note.clone(), Passed::Yes),
        Some((StepPhase::Failed(why), _)) => (why.clone(), Passed::No),
        Some((StepPhase::Skipped(why) | StepPhase::Unknown(why), _)) => {
            (why.clone(), Passed::Unknown)
        }
        Some((StepPhase::Waiting | StepPhase::Running, _)) => {
            ("not through".into(), Passed::Unknown)
        }
        None => ("not looked at".into(), Passed::Unknown),
    };
    Criterion { name: name.into(), measured, answer }
}

/// As [`noted`]; nothing where the plan has no such step: what was not asked has not passed either.
fn optional(name: &str, run: &Run, id: &str) -> Option<Criterion> {
    step(run, id).map(|_| noted(name, run, id))
}

/// All steps whose names begin so.
fn all_through(name: &str, run: &Run, begin: &str) -> Criterion {
    let all =
        || run.steps.iter().filter(|state| !state.undo && state.id.as_str().starts_with(begin));
    let open = all().find(|state| state.phase != StepPhase::Done);
    let measured = match open {
        None => format!("{} of {} taken back", all().count(), all().count()),
        Some(state) => format!("{} is not proved", state.id),
    };
    let answer = if open.is_none() { Passed::Yes } else { Passed::No };
    Criterion { name: name.into(), measured: SafeText::new(&measured), answer }
}

fn response(requests: &Requests, measured: &Measured<'_>) -> Criterion {
    let good = measured.good_response.as_millis();
    number(
        &format!("response time < {good} ms"),
        requests.p95().map(|seconds| seconds * 1000.0),
        " ms",
        requests.all,
        |ms| ms < measured.good_response.as_secs_f64() * 1000.0,
    )
}

/// The six criteria of S-14.
fn level_one(run: &Run, measured: &Measured<'_>) -> Vec<Criterion> {
    let since = switched_at(run);
    let requests = Requests::since(measured.recent, measured.roles, since);
    let total = (measured.now - run.started_at).to_std().unwrap_or_default();
    vec![
        if undoes_rollout(run) {
            within("all pods replaced < 5 min", took(run, "gate"), run.plan.core.level.rto())
        } else if moving(run) == "switch" {
            within("traffic switch < 10 s", took(run, "switch"), Duration::from_secs(10))
        } else if moving(run) == "canary" {
            within("canary out of the traffic < 10 s", took(run, "canary"), Duration::from_secs(10))
        } else if moving(run) == "publish" {
            within("version published < 5 min", took(run, "publish"), run.plan.core.level.rto())
        } else {
            within("replaced in place, gap < 1 min", took(run, "deploy"), Duration::from_mins(1))
        },
        Criterion {
            name: "previous environment healthy".into(),
            measured: step(run, "gate").map(|state| state.note.clone()).unwrap_or_default(),
            answer: passed(step(run, "gate").map(|state| state.phase.is_through())),
        },
        checks(measured),
        number("error rate < 1 %", requests.error_rate(), " %", requests.all, |rate| rate < 1.0),
        response(&requests, measured),
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

#[cfg(test)]
mod tests;
