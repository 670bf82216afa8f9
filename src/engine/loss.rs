//! What a swap would lose, once it is measured, and a loss that was accepted beforehand.

use crate::model::entry::{Event, StepEnd};
use serde_json::json;

use crate::model::ids::{StepId, Time};
use crate::model::incident::Run;
use crate::model::loss::{Choice, Loss};
use crate::model::older;
use crate::model::plan::{Level, StepSpec};
use crate::model::situation::Situation;
use crate::steps::MeasureLoss;
use crate::text::SafeText;

use super::books::Line;
use super::executor;
use super::run::Engine;

/// The moment that a step counts from: when writes stopped for what measures the loss (W-18), else
/// when users reached the other version.
pub(super) fn since(run: &Run, spec: &StepSpec) -> Time {
    let switched = super::criteria::switched_at(run);
    if spec.action.get("measure_loss").is_none() {
        return switched;
    }
    let holds = |spec: &&StepSpec| {
        spec.action.get("hold").is_some_and(|hold| hold.get("part") == Some(&json!("writers")))
    };
    let held = run.plan.core.steps.iter().find(holds).and_then(|spec| run.step(&spec.id));
    held.and_then(|state| state.ended_at).unwrap_or(switched)
}

/// The swap, where the measured loss is no larger than what was accepted with the approval.
pub(super) fn accepted(run: &Run, step: &StepId) -> Option<Event> {
    let loss = run.loss.as_ref()?;
    let minutes = loss.minutes(loss.until.unwrap_or(loss.from));
    let enough = run.accept_loss.is_some_and(|accepted| minutes <= accepted);
    enough.then(|| Event::Chosen {
        run: run.id.clone(),
        step: step.clone(),
        choice: Choice::Swap { minutes },
        by: run.by.clone(),
    })
}

/// Why a recovery waits, with the points of at least two versions before that are left to try
/// (S-54): after one that did not help only an older one may.
pub(super) fn offered(situation: &Situation, run: &Run, why: SafeText) -> SafeText {
    let asks = run.asks().is_some() && run.choice.is_none();
    if run.plan.core.level != Level::PointInTime || asks {
        return why;
    }
    let points = older::two_versions_older(&situation.points, run.plan.core.from.as_str());
    match older::words(&points) {
        Some(words) => SafeText::new(&format!("{why}; older points are {words}")),
        None => SafeText::new(&format!("{why}; no point two versions older is kept")),
    }
}

/// How a recovery ended, with what to do next after NEW TIME.
pub(super) fn ending(situation: &Situation, run: &Run, why: SafeText) -> SafeText {
    match &run.choice {
        Some((Choice::NewTime, _)) => {}
        Some((Choice::NewMoment { to }, _)) => {
            return SafeText::new(&format!(
                "NEW TIME: {why}; the plan to {to} is made next: backout rollback --level 3 --to \
                 '{to}'"
            ));
        }
        Some((Choice::Swap { .. } | Choice::Beside, _)) | None => return why,
    }
    let points = situation.points.iter();
    let taken = points.clone().find(|point| point.id == run.plan.core.point);
    let taken = taken.and_then(|point| point.taken_at);
    let before = taken.map(|taken| older::before(&situation.points, taken)).unwrap_or_default();
    let again = if run.loss.as_ref().is_some_and(|loss| loss.logs) {
        "; another moment: backout rollback --level 3 --to 'TIME'"
    } else {
        ""
    };
    match older::words(&before) {
        Some(words) => SafeText::new(&format!("NEW TIME: {why}; older points are {words}{again}")),
        None => SafeText::new(&format!("NEW TIME: {why}; no older point is kept{again}")),
    }
}

/// Whether this step is the choice, and it is not made.
pub(super) fn is_choice(run: &Run, step: &StepId) -> bool {
    run.plan.step(step).is_some_and(|spec| spec.asks) && run.choice.is_none()
}

impl Engine {
    /// The loss that a step has just measured; one that cannot be read is said.
    pub(super) fn loss_measured(&self, step: &StepId, attempt: u32, end: &StepEnd) -> Option<Line> {
        let run = self.books.situation.open_run()?;
        let action = &run.plan.step(step)?.action;
        if action.get("measure_loss").is_none() || *end != StepEnd::Done {
            return None;
        }
        let slot = executor::slot(&self.config.state_dir, &run.id, step, attempt);
        let read =
            std::fs::read(MeasureLoss::file(&slot)).map_err(|error| error.to_string()).and_then(
                |text| serde_json::from_slice::<Loss>(&text).map_err(|error| error.to_string()),
            );
        Some(Line::from(match read {
            Ok(loss) => Event::LossMeasured { run: run.id.clone(), loss: Box::new(loss) },
            Err(why) => {
                let text = format!("what a swap would lose could not be read: {why}");
                Event::Trouble { text: SafeText::new(&text) }
            }
        }))
    }
}
