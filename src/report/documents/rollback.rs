//! `rollback`: one run and how it ended.

use serde::Serialize;

use crate::model::criteria::{Criterion, Passed};
use crate::model::entry::Outcome;
use crate::model::ids::RunId;
use crate::model::incident::{Run, StepPhase, StepState};
use crate::model::loss::{Choice, Loss};
use crate::model::plan::Hazard;
use crate::model::watch::Verdict;
use crate::text::SafeText;

/// `rollback --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rollback {
    /// The run.
    pub run: RunId,
    /// `done`, `failed`, `aborted`, `undone`, `unknown`, or `running`.
    pub outcome: &'static str,
    /// 1, 2 or 3.
    pub level: u8,
    /// The version that was left.
    pub from: SafeText,
    /// The version gone to.
    pub to: SafeText,
    /// From the confirmation until traffic was good, or until it ended.
    pub duration_seconds: Option<f64>,
    /// Every step, forward ones first.
    pub steps: Vec<StepLine>,
    /// The success criteria (S-14).
    pub criteria: Vec<CriterionLine>,
    /// `none`, or what was lost.
    pub data_loss: SafeText,
    /// Both ends of the loss, rows per table, and where the rows are kept, once it is measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Box<Loss>>,
    /// The commands that copy single tables, where both stay (BESIDE).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_hand: Vec<String>,
    /// The verdict of the watch window: `stable`, `worse`, `no_effect`, `cannot_tell`, or null.
    pub verdict: Option<Verdict>,
    /// Why it ended so, or what it waits for.
    pub why: SafeText,
    /// The history line.
    pub history: Option<String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepLine {
    /// Its name.
    pub id: String,
    /// What people call it.
    pub title: SafeText,
    /// `waiting`, `running`, `done`, `failed`, `skipped` or `unknown`.
    pub state: &'static str,
    /// Attempts so far.
    pub attempts: u32,
    /// How long the last one took.
    pub took_seconds: f64,
    /// Its budget.
    pub budget_seconds: f64,
    /// Whether it takes another step back.
    pub undo: bool,
    /// Why it failed, was left out or is unknown; else what it left to know.
    pub note: SafeText,
    /// What its effect looked like when a stopped run ended: `there`, `not there`,
    /// `partly there: …`, `not known: …`; null where nobody looked.
    pub now: Option<String>,
}

/// One criterion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CriterionLine {
    /// Its words.
    pub name: SafeText,
    /// What was measured.
    pub measured: SafeText,
    /// `yes`, `no` or `unknown`.
    pub passed: Passed,
}

/// The exit code of `rollback` for an outcome: 0, 13, 14 or 15.
pub fn exit_of(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Done => 0,
        Outcome::Failed => 13,
        Outcome::Aborted | Outcome::Undone => 14,
        Outcome::Unknown => 15,
    }
}

/// The document of `rollback`.
pub fn rollback(run: &Run) -> Rollback {
    let ended = run.ended.as_ref();
    let waits = run.waiting.as_ref().map(|waiting| waiting.why.clone());
    Rollback {
        run: run.id.clone(),
        outcome: ended.map_or("running", |ended| ended.outcome.words()),
        level: run.plan.core.level.number(),
        from: run.plan.core.from.clone(),
        to: run.plan.core.to.clone(),
        duration_seconds: ended.map(|ended| ended.took.as_secs_f64()),
        steps: run.steps.iter().map(|step| step_line(run, step)).collect(),
        criteria: run.criteria.iter().map(criterion_line).collect(),
        data_loss: data_loss(run),
        loss: run.loss.clone(),
        by_hand: match (&run.choice, &run.loss) {
            (Some((Choice::Beside, _)), Some(loss)) => loss.by_hand(),
            (
                Some((
                    Choice::Swap { .. }
                    | Choice::NewTime
                    | Choice::NewMoment { .. }
                    | Choice::Beside,
                    _,
                ))
                | None,
                _,
            ) => Vec::new(),
        },
        verdict: run.watch.as_ref().and_then(|watch| watch.verdict),
        why: ended.map(|ended| ended.why.clone()).or(waits).unwrap_or_default(),
        history: ended.map(|ended| ended.history.clone()),
    }
}

/// Only a plan none of whose steps can lose data, or none of those begun, is called `none`.
fn data_loss(run: &Run) -> SafeText {
    let steps = run.plan.core.steps.iter();
    let mut losing = steps.filter(|spec| spec.hazard == Hazard::LosesData);
    let begun = losing.any(|spec| run.step(&spec.id).is_some_and(|state| state.attempt > 0));
    match &run.loss {
        _ if !begun => "none".into(),
        Some(loss) => SafeText::new(&loss.result()),
        None => run.plan.face.data.clone(),
    }
}

pub(super) fn criterion_line(criterion: &Criterion) -> CriterionLine {
    CriterionLine {
        name: criterion.name.clone(),
        measured: criterion.measured.clone(),
        passed: criterion.answer,
    }
}

fn step_line(run: &Run, step: &StepState) -> StepLine {
    let (state, note) = match &step.phase {
        StepPhase::Waiting => ("waiting", &step.note),
        StepPhase::Running => ("running", &step.note),
        StepPhase::Done => ("done", &step.note),
        StepPhase::Failed(why) => ("failed", why),
        StepPhase::Skipped(why) => ("skipped", why),
        StepPhase::Unknown(why) => ("unknown", why),
    };
    let title = run.plan.face_of(&step.id).map(|face| face.title.clone());
    let budget = run.plan.step(&step.id).map(|spec| spec.budget);
    StepLine {
        id: step.id.0.clone(),
        title: title.unwrap_or_else(|| SafeText::new(step.id.as_str())),
        state,
        attempts: step.attempt,
        took_seconds: step.took.as_secs_f64(),
        budget_seconds: budget.unwrap_or_default().as_secs_f64(),
        undo: step.undo,
        note: note.clone(),
        now: run.measured().find(|(state, _)| state.id == step.id).map(|(_, now)| now.words()),
    }
}
