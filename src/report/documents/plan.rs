//! `plan`: what would happen.

use serde::Serialize;

use crate::model::ids::PointId;
use crate::model::plan::{Hazard, OnFailure, PreflightAnswer, StepFace, StepSpec};
use crate::model::situation::OpenPlan;
use crate::text::SafeText;

/// `plan --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanDocument {
    /// What an approval names.
    pub digest: String,
    /// 1, 2 or 3.
    pub level: u8,
    /// Where it goes back to.
    pub target: PointId,
    /// The version that is left.
    pub from: SafeText,
    /// The version gone to.
    pub to: SafeText,
    /// Until traffic is good, by estimates.
    pub estimate_seconds: f64,
    /// The same by budgets.
    pub budget_seconds: f64,
    /// The objective (S-01).
    pub rto_seconds: u64,
    /// Whether the estimate is over the objective.
    pub over: bool,
    /// Level 1's form with its gap, and why no faster one.
    pub form: SafeText,
    /// What of the data changes or is lost.
    pub data: SafeText,
    /// What goes back, stays, or cannot.
    pub moves: Vec<crate::model::plan::Move>,
    /// What is lost, as far as it is known beforehand.
    pub loss: Option<crate::model::loss::Loss>,
    /// What cannot be taken back.
    pub not_undone: Vec<SafeText>,
    /// Whether the preflight lets it start.
    pub ready: bool,
    /// The preflight.
    pub preflight: Vec<PreflightLine>,
    /// The steps in order.
    pub steps: Vec<PlanStep>,
}

/// One line of the preflight.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PreflightLine {
    /// What was looked at.
    pub name: SafeText,
    /// `ok`, `warn`, `block` or `unknown`.
    pub answer: PreflightAnswer,
    /// What was seen.
    pub text: SafeText,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanStep {
    /// Its name.
    pub id: String,
    /// What people call it.
    pub title: SafeText,
    /// What it would do now.
    pub preview: SafeText,
    /// Steps before it.
    pub needs: Vec<String>,
    /// How it is undone, or `-`.
    pub undo: SafeText,
    /// `looks`, `reversible` or `loses_data`.
    pub hazard: Hazard,
    /// `wait` or `go_on`.
    pub on_failure: OnFailure,
    /// Its estimate.
    pub estimate_seconds: f64,
    /// Its budget.
    pub budget_seconds: f64,
    /// How long it took last time.
    pub last_seconds: Option<f64>,
    /// The exact commands for doing it by hand.
    pub by_hand: Vec<SafeText>,
}

/// The document of `plan`.
pub fn plan(open: &OpenPlan) -> PlanDocument {
    let plan = &open.plan;
    let by_budget = plan.critical_path(|_, spec| spec.budget);
    let rto = plan.core.level.rto();
    PlanDocument {
        digest: open.digest.to_string(),
        level: plan.core.level.number(),
        target: plan.core.point.clone(),
        from: plan.core.from.clone(),
        to: plan.core.to.clone(),
        estimate_seconds: plan.face.estimate.as_secs_f64(),
        budget_seconds: by_budget.as_secs_f64(),
        rto_seconds: rto.as_secs(),
        over: plan.face.estimate > rto,
        form: plan.face.form.clone(),
        data: plan.face.data.clone(),
        moves: plan.face.moves.clone(),
        loss: plan.face.loss.clone(),
        not_undone: plan.face.not_undone.clone(),
        ready: open.preflight.iter().all(|line| match line.answer {
            PreflightAnswer::Ok | PreflightAnswer::Warn => true,
            PreflightAnswer::Block | PreflightAnswer::Unknown => false,
        }),
        preflight: open
            .preflight
            .iter()
            .map(|line| PreflightLine {
                name: line.name.clone(),
                answer: line.answer,
                text: line.text.clone(),
            })
            .collect(),
        steps: plan.core.steps.iter().map(|spec| plan_step(open, spec)).collect(),
    }
}

fn plan_step(open: &OpenPlan, spec: &StepSpec) -> PlanStep {
    let face = open.plan.face_of(&spec.id);
    let text =
        |of: fn(&StepFace) -> &SafeText| face.map(|face| of(face).clone()).unwrap_or_default();
    PlanStep {
        id: spec.id.0.clone(),
        title: text(|face| &face.title),
        preview: text(|face| &face.preview),
        needs: spec.needs.iter().map(|id| id.0.clone()).collect(),
        undo: text(|face| &face.undo),
        hazard: spec.hazard,
        on_failure: spec.on_failure,
        estimate_seconds: face.map_or(0.0, |face| face.estimate.as_secs_f64()),
        budget_seconds: spec.budget.as_secs_f64(),
        last_seconds: face.and_then(|face| face.last).map(|last| last.as_secs_f64()),
        by_hand: face.map(|face| face.by_hand.clone()).unwrap_or_default(),
    }
}
