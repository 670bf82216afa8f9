//! A run as four phases of three tasks each (P-80, 002:80-100). Each task has what stands for it in
//! the journal, or why there is nothing of it.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::text::SafeText;

use super::criteria::{Criterion, Passed};
use super::incident::{Run, StepPhase, StepState};
use super::situation::Situation;

/// One of the four.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Phase {
    /// `Assessment`.
    pub name: &'static str,
    /// Its three tasks.
    pub tasks: Vec<Task>,
}

/// One task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Task {
    /// What it is.
    pub name: &'static str,
    /// How it stands.
    pub state: TaskState,
    /// What stands for it, or why it is skipped.
    pub why: SafeText,
}

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// It is to come.
    Open,
    /// It is under way.
    Going,
    /// It is through.
    Done,
    /// It did not end well.
    Failed,
    /// There is nothing of it in this run.
    Skipped,
}

impl TaskState {
    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "to come",
            Self::Going => "going",
            Self::Done => "done",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
        }
    }
}

/// Kinds of steps that look whether users are served.
const LOOKS: [&str; 9] = [
    "verify_target",
    "gate",
    "wait_healthy",
    "roll_instances",
    "wait_rollout",
    "guard_rollout",
    "verify_canary",
    "check_data",
    "verify_point",
];
/// Kinds of steps that bring data back.
const DATA: [&str; 8] = [
    "migrate",
    "migrate_tool",
    "restore_database",
    "restore_files",
    "restore_cache",
    "swap_database",
    "swap_files",
    "swap_cache",
];

/// The phases of the run that is open or was last.
pub fn phases(situation: &Situation) -> Vec<Phase> {
    let Some(run) = &situation.run else { return Vec::new() };
    let task =
        |name, (state, why): (TaskState, String)| Task { name, state, why: SafeText::new(&why) };
    vec![
        Phase {
            name: "Assessment",
            tasks: vec![
                task("analyse scope and impact", scope(run)),
                task("determine the strategy", strategy(run)),
                task("validate prerequisites", prerequisites(run)),
            ],
        },
        Phase {
            name: "Coordination",
            tasks: vec![
                task("coordinate with other services", others(run)),
                task("notify stakeholders", told(situation)),
                task("lock deployments", locked(run)),
            ],
        },
        Phase {
            name: "Execution",
            tasks: vec![
                task("execute in reverse order", steps(run, |_| true, "no step")),
                task(
                    "validate health at each step",
                    steps(run, |kind| LOOKS.contains(&kind), "no step of this plan looks"),
                ),
                task(
                    "restore data",
                    steps(run, |kind| DATA.contains(&kind), "this level changes no data"),
                ),
            ],
        },
        Phase {
            name: "Validation",
            tasks: vec![
                task(
                    "check health",
                    measured(run, |name| name.contains("health") || name.contains("step")),
                ),
                task(
                    "test end to end",
                    measured(run, |name| {
                        name.contains("smoke")
                            || name.contains("request")
                            || name.contains("environment")
                    }),
                ),
                task(
                    "validate performance",
                    measured(run, |name| name.contains("response") || name.contains("error")),
                ),
            ],
        },
    ]
}

fn scope(run: &Run) -> (TaskState, String) {
    match &run.trigger {
        Some(trigger) => {
            let services: Vec<&str> = trigger.services.iter().map(String::as_str).collect();
            let of = if services.is_empty() { String::new() } else { services.join(", ") };
            (TaskState::Done, format!("{:?} of {} {of}", trigger.reason, trigger.version))
        }
        None => (TaskState::Skipped, "an older program kept nothing of it".to_owned()),
    }
}

fn strategy(run: &Run) -> (TaskState, String) {
    let core = &run.plan.core;
    (
        TaskState::Done,
        format!("level {} {}: {}", core.level, core.level.words(), run.plan.face.form),
    )
}

fn prerequisites(run: &Run) -> (TaskState, String) {
    let words =
        format!("plan {} was looked through and approved by {}", run.digest.short(), run.by);
    (TaskState::Done, words)
}

/// Services that go back together with others.
fn others(run: &Run) -> (TaskState, String) {
    let service = |step: &super::plan::StepSpec| {
        Some(step.action.get("roll_instances")?.get("service")?.as_str()?.to_owned())
    };
    let all: BTreeSet<String> = run.plan.core.steps.iter().filter_map(service).collect();
    if all.len() > 1 {
        let all: Vec<String> = all.into_iter().collect();
        return (TaskState::Done, format!("one plan for {}", all.join(", ")));
    }
    (TaskState::Skipped, "no other service has to go back with it".to_owned())
}

fn told(situation: &Situation) -> (TaskState, String) {
    let names: BTreeSet<&str> = situation
        .outbox
        .threads
        .values()
        .flat_map(|thread| thread.told.keys())
        .map(String::as_str)
        .collect();
    if !names.is_empty() {
        let names: Vec<&str> = names.into_iter().collect();
        return (TaskState::Done, names.join(", "));
    }
    match situation.outbox.given_up.last() {
        Some(end) => (TaskState::Failed, format!("{} was not told: {}", end.receiver, end.note)),
        None => (TaskState::Skipped, "nobody is to be told: no receiver has been".to_owned()),
    }
}

/// The lock is written with the first line of a run, and given back with its last.
fn locked(run: &Run) -> (TaskState, String) {
    let since = run.started_at.format("%H:%M:%SZ");
    (
        TaskState::Done,
        match &run.ended {
            None => format!("since {since}, by {}", run.by),
            Some(ended) => format!("from {since} to {}", ended.at.format("%H:%M:%SZ")),
        },
    )
}

/// How the forward steps of some kinds stand.
fn steps(run: &Run, wanted: impl Fn(&str) -> bool, none: &str) -> (TaskState, String) {
    let of_kind = |state: &&StepState| {
        let spec = run.plan.core.steps.iter().find(|spec| spec.id == state.id);
        let kind = spec.and_then(|spec| spec.action.as_object()?.keys().next());
        kind.is_some_and(|kind| wanted(kind))
    };
    let all: Vec<&StepState> = run.steps.iter().filter(of_kind).collect();
    if all.is_empty() {
        return (TaskState::Skipped, none.to_owned());
    }
    let through = all.iter().filter(|state| state.phase.is_through()).count();
    let failed = all
        .iter()
        .find(|state| matches!(state.phase, StepPhase::Failed(_) | StepPhase::Unknown(_)));
    let count = format!("{through} of {}", all.len());
    match failed {
        Some(state) => (TaskState::Failed, format!("{count}, {} did not end well", state.id)),
        None if through == all.len() => (TaskState::Done, count),
        None if run.ended.is_some() => (TaskState::Skipped, format!("{count}: the run has ended")),
        None if through == 0 && all.iter().all(|one| one.phase == StepPhase::Waiting) => {
            (TaskState::Open, count)
        }
        None => (TaskState::Going, count),
    }
}

/// What was measured after the last step.
fn measured(run: &Run, wanted: impl Fn(&str) -> bool) -> (TaskState, String) {
    let all: Vec<&Criterion> =
        run.criteria.iter().filter(|one| wanted(&one.name.as_str().to_lowercase())).collect();
    if all.is_empty() {
        return match (&run.ended, run.criteria.is_empty()) {
            (None, true) => (TaskState::Open, "after the last step".to_owned()),
            (Some(_), true) => (TaskState::Skipped, "the run ended before it".to_owned()),
            (_, false) => (TaskState::Skipped, "no criterion of this plan is about it".to_owned()),
        };
    }
    let words = |one: &&Criterion| format!("{}: {}", one.name, one.measured);
    match all.iter().find(|one| one.answer != Passed::Yes) {
        Some(one) => (TaskState::Failed, words(one)),
        None => (TaskState::Done, all.iter().map(words).collect::<Vec<_>>().join("; ")),
    }
}

/// The phase that a step of this kind belongs to, for the list of steps.
pub fn of_step(kind: &str) -> &'static str {
    match kind {
        "verify_point" | "verify_target" | "verify_canary" | "measure_loss" => "Assessment",
        "hold" | "stop_workers" | "freeze_sync" | "preserve" | "safety_backup" => "Coordination",
        "gate" | "wait_healthy" | "check_data" | "guard_rollout" | "wait_rollout" => "Validation",
        _ => "Execution",
    }
}
