//! What would take a finished run back: its undo steps, in the order they would run.

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::entry::Outcome;
use super::ids::{Color, RunId};
use super::incident::{Run, StepPhase};
use super::plan::{Plan, StepSpec};
use super::situation::{PastRun, Situation};

/// The name under which a plan's identities hold the run that it takes back.
const UNDOES: &str = "takes back run";

/// The way back from a finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WayBack {
    /// Last first: the step that takes back, and the one it takes back.
    pub steps: Vec<Back>,
    /// The colour that was left, and the one gone to.
    pub colors: Option<(Color, Color)>,
}

/// One step of the way back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Back {
    /// Takes back.
    pub undo: StepSpec,
    /// What is taken back; it is the way back from the way back.
    pub done: StepSpec,
}

/// Kinds of steps that exchange data.
const SWAPS: [&str; 3] = ["swap_database", "swap_files", "swap_cache"];
/// Kinds of steps whose copies are named after the run that made them.
const NAMED: [&str; 8] = [
    "swap_database",
    "swap_files",
    "swap_cache",
    "restore_database",
    "restore_files",
    "restore_cache",
    "remove_copy",
    "restore_config",
];

/// A copy that was live once may hold what was written then: a later way back leaves it.
fn removes_copy(undo: &StepSpec) -> bool {
    undo.action.get("remove_copy").is_some()
}

/// The step as another run carries it out: on the copies of `run`.
fn of(spec: &StepSpec, run: &RunId) -> StepSpec {
    let mut spec = spec.clone();
    for kind in NAMED {
        if let Some(settings) = spec.action.get_mut(kind).and_then(serde_json::Value::as_object_mut)
        {
            settings.entry("of").or_insert_with(|| run.0.clone().into());
        }
    }
    spec
}

impl WayBack {
    /// The way back from `run`; none where nothing of it stands.
    pub fn of(run: &Run) -> Option<Self> {
        if run.ended.as_ref().is_some_and(|ended| ended.outcome == Outcome::Undone) {
            return None;
        }
        let swapped = run.plan.core.steps.iter().any(|spec| {
            let swaps = SWAPS.iter().any(|kind| spec.action.get(kind).is_some());
            swaps && run.step(&spec.id).is_some_and(|state| state.attempt > 0)
        });
        let steps: Vec<Back> = run
            .plan
            .core
            .steps
            .iter()
            .rev()
            .filter_map(|done| {
                let begun = run.step(&done.id).is_some_and(|state| match &state.phase {
                    StepPhase::Done | StepPhase::Unknown(_) => true,
                    StepPhase::Running | StepPhase::Failed(_) => state.attempt > 0,
                    StepPhase::Waiting | StepPhase::Skipped(_) => false,
                });
                let undo =
                    run.plan.core.undo.iter().find(|one| Some(&one.id) == done.undo.as_ref());
                let taken = run.step(&undo?.id).is_some_and(|one| one.phase == StepPhase::Done);
                let stands = begun && !taken && !(swapped && removes_copy(undo?));
                stands.then(|| Some(Back { undo: of(undo?, &run.id), done: of(done, &run.id) }))?
            })
            .collect();
        (!steps.is_empty()).then(|| Self { steps, colors: run.plan.face.colors.clone() })
    }
}

impl Situation {
    /// The finished run to take back, or why it cannot be.
    pub fn taken_back(&self, run: &RunId) -> Result<(&PastRun, &WayBack), SafeText> {
        let no = |why: String| Err(SafeText::new(&why));
        if let Some(open) = self.open_run() {
            return no(format!("run {} is not over: abort it with undo instead", open.id));
        }
        let Some(at) = self.history.iter().position(|past| &past.run == run) else {
            let known: Vec<&str> =
                self.history.iter().take(5).map(|past| past.run.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return no(format!("there is no run {run}; known are {known}"));
        };
        let later = self.history.iter().take(at).find(|past| past.back.is_some());
        if let Some(later) = later {
            return no(format!(
                "run {} came later and changed the same target: take that one back first",
                later.run
            ));
        }
        let past =
            self.history.get(at).into_iter().find_map(|past| Some((past, past.back.as_deref()?)));
        match past {
            Some(found) => Ok(found),
            None if at > 0 => {
                no(format!("run {run} is not the last one: its way back is not kept"))
            }
            None => no(format!("nothing of run {run} stands that could be taken back")),
        }
    }
}

impl Plan {
    /// The run that it takes back, where it is such a plan.
    pub fn undoes(&self) -> Option<RunId> {
        self.core.identities.get(UNDOES).map(|run| RunId(run.clone()))
    }

    /// Makes it the plan that takes `run` back: that is part of what is approved.
    pub fn set_undoes(&mut self, run: &RunId) {
        self.core.identities.insert(UNDOES.to_owned(), run.0.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::entry::{Event, StepEnd};
    use super::super::sample::{Tape, run_id};
    use super::*;

    /// A run whose switch is done and that ended so.
    fn ended(outcome: Outcome) -> Tape {
        let mut tape = Tape::new();
        tape.started(super::super::sample::level_one());
        for step in ["verify", "switch"] {
            tape.event(Event::StepStarted {
                run: run_id(),
                step: step.into(),
                attempt: 1,
                effect: "k".into(),
                boot: "b1".into(),
            });
            tape.event(Event::StepEnded {
                run: run_id(),
                step: step.into(),
                attempt: 1,
                end: StepEnd::Done,
                took: Duration::from_secs(1),
                note: SafeText::default(),
            });
        }
        end(&mut tape, &run_id(), outcome);
        tape
    }

    fn end(tape: &mut Tape, run: &RunId, outcome: Outcome) {
        tape.event(Event::RunEnded {
            run: run.clone(),
            outcome,
            took: Duration::from_secs(2),
            why: SafeText::default(),
            history: String::new(),
        });
    }

    #[test]
    fn the_way_back_holds_what_was_done_and_has_a_way_back_itself() {
        let tape = ended(Outcome::Done);
        let (past, back) = tape.situation.taken_back(&run_id()).unwrap();
        assert_eq!(past.run, run_id());
        let ids: Vec<_> = back.steps.iter().map(|one| one.done.id.as_str()).collect();
        assert_eq!(ids, ["switch"], "only what was begun and has an undo");
        assert_eq!(Some(&back.steps[0].undo.id), back.steps[0].done.undo.as_ref());
    }

    #[test]
    fn a_run_is_refused_by_name_when_it_is_open_unknown_or_taken_back_already() {
        let why = |tape: &Tape, run: &str| {
            tape.situation.taken_back(&run.into()).unwrap_err().to_string()
        };
        let mut open = Tape::new();
        open.started(super::super::sample::level_one());
        assert!(why(&open, "142-k7qd-1").contains("is not over"));
        let done = ended(Outcome::Done);
        assert_eq!(why(&done, "9-x-1"), "there is no run 9-x-1; known are 142-k7qd-1");
        let undone = ended(Outcome::Undone);
        assert!(
            why(&undone, "142-k7qd-1").contains("nothing of run"),
            "{}",
            why(&undone, "142-k7qd-1")
        );
    }

    #[test]
    fn only_the_last_run_that_changed_something_can_be_taken_back() {
        let mut tape = ended(Outcome::Done);
        let mut later = tape.situation.history[0].clone();
        later.run = "142-k7qd-2".into();
        tape.situation.history.insert(0, later);
        let why = tape.situation.taken_back(&run_id()).unwrap_err();
        assert!(why.as_str().contains("run 142-k7qd-2 came later"), "{why}");
    }

    #[test]
    fn the_run_that_is_taken_back_is_part_of_what_is_approved() {
        let mut plan = super::super::sample::level_one();
        assert_eq!(plan.undoes(), None);
        let before = plan.digest();
        plan.set_undoes(&run_id());
        assert_eq!(plan.undoes(), Some(run_id()));
        assert_ne!(plan.digest(), before);
    }
}
