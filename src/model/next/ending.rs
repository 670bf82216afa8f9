//! How a run ends.

use crate::model::criteria::{self, Passed};
use crate::model::entry::{Abort, Outcome, Standing};
use crate::model::incident::{Run, StepPhase};
use crate::model::loss::BESIDE;
use crate::model::plan::{Class, Hazard, OnFailure};
use crate::model::watch::Verdict;
use crate::text::SafeText;

use super::{forward, goes_on, undo_steps};

/// How a run ends by what is known of it now, and why: the one place where a step that nobody can
/// vouch for, a criterion that was not measured or a verdict against it keeps it from being Done.
pub fn outcome_of(run: &Run) -> (Outcome, SafeText) {
    let (outcome, why) = match run.abort {
        Some(verb) => stopped(run, verb),
        None => finished(run),
    };
    (outcome, SafeText::new(&why))
}

fn stopped(run: &Run, verb: Abort) -> (Outcome, String) {
    let (outcome, why) = stopped_at(run, verb);
    (outcome, why + &run.measured_words())
}

fn stopped_at(run: &Run, verb: Abort) -> (Outcome, String) {
    let done = forward(run).filter(|(_, state)| state.phase == StepPhase::Done);
    let done = format!("{} of {} steps done", done.count(), run.plan.core.steps.len());
    if verb == Abort::Undo {
        let mut left = undo_steps(run).filter(|undo| undo.phase != StepPhase::Done);
        return match left.next() {
            None => (Outcome::Undone, "what was begun was taken back".to_owned()),
            Some(undo) => {
                (Outcome::Aborted, format!("not all was taken back: {} was left out", undo.id))
            }
        };
    }
    let unknown = run.steps.iter().find(|state| match &state.phase {
        StepPhase::Unknown(_) => true,
        StepPhase::Running => state.looked != Some(Standing::NotDone),
        StepPhase::Waiting | StepPhase::Done | StepPhase::Failed(_) | StepPhase::Skipped(_) => {
            false
        }
    });
    // Who stops a run that a failed step holds up takes its failure for the answer; what "now"
    // cut short did not fail by itself.
    let failed = forward(run).find_map(|(spec, state)| match &state.phase {
        StepPhase::Failed(why) if verb == Abort::Stop && !goes_on(spec, state) => {
            Some((&spec.id, why))
        }
        StepPhase::Failed(_)
        | StepPhase::Waiting
        | StepPhase::Running
        | StepPhase::Done
        | StepPhase::Skipped(_)
        | StepPhase::Unknown(_) => None,
    });
    match (unknown, failed) {
        (Some(state), _) => {
            (Outcome::Unknown, format!("stopped, {done}, and nobody can vouch for {}", state.id))
        }
        (None, Some((id, why))) => {
            (Outcome::Failed, format!("stopped, {done}, and {id} failed: {why}"))
        }
        (None, None) => (Outcome::Aborted, format!("stopped, {done}")),
    }
}

fn finished(run: &Run) -> (Outcome, String) {
    match judged(run) {
        (Outcome::Done, why) if !run.stays_beside() => {
            let (outcome, aside) = aside(run);
            (outcome, why + &aside)
        }
        judged => judged,
    }
}

/// What the watch window and the criteria say of the run, whatever it went on without.
pub(super) fn judged(run: &Run) -> (Outcome, String) {
    if run.stays_beside() {
        return beside(run);
    }
    let Some((verdict, numbers)) =
        run.watch.as_ref().and_then(|watch| Some((watch.verdict?, &watch.why)))
    else {
        return (Outcome::Unknown, "the run is not through".to_owned());
    };
    let by_answer = |answer: Passed| {
        let mut found = run.criteria.iter().filter(move |one| one.answer == answer);
        found.next().map(|one| format!("{}: {}", one.name, one.measured))
    };
    let word = verdict.words();
    match (verdict, criteria::all(&run.criteria)) {
        (Verdict::Worse | Verdict::NoEffect, _) => (Outcome::Failed, format!("{word}: {numbers}")),
        (Verdict::Stable | Verdict::CannotTell, Passed::No) => {
            let missed = by_answer(Passed::No).unwrap_or_default();
            (Outcome::Failed, format!("a criterion is missed: {missed}"))
        }
        (Verdict::CannotTell, Passed::Yes | Passed::Unknown) => {
            (Outcome::Unknown, format!("{word}: {numbers}"))
        }
        (Verdict::Stable, Passed::Unknown) => {
            let open = by_answer(Passed::Unknown).unwrap_or_else(|| "none was measured".to_owned());
            (Outcome::Unknown, format!("a criterion is not known: {open}"))
        }
        (Verdict::Stable, Passed::Yes) => (Outcome::Done, format!("{word}: {numbers}")),
    }
}

/// What the run went on without. What was left out of it is said; where no look can ever tell whether
/// something was changed, the outcome is not known either.
fn aside(run: &Run) -> (Outcome, String) {
    let (mut undone, mut unknown) = (Vec::new(), Vec::new());
    let mut outcome = Outcome::Done;
    // What belongs to the other choice is not left out of this one.
    for (spec, state) in forward(run).filter(|(spec, _)| !spec.only_beside) {
        match state.phase {
            StepPhase::Done => {}
            // Of all else that was not proved there is a leftover, or it changed nothing.
            StepPhase::Unknown(_)
                if goes_on(spec, state)
                    && spec.class == Class::Opaque
                    && spec.hazard != Hazard::Looks =>
            {
                outcome = Outcome::Unknown;
                unknown.push(spec.id.as_str());
            }
            StepPhase::Waiting
            | StepPhase::Running
            | StepPhase::Failed(_)
            | StepPhase::Skipped(_)
            | StepPhase::Unknown(_) => undone.push(spec.id.as_str()),
        }
    }
    let say = |word: &str, steps: &[&str]| {
        if steps.is_empty() { String::new() } else { format!("; {word}: {}", steps.join(", ")) }
    };
    (outcome, say("not done", &undone) + &say("not known, look there", &unknown))
}

/// Both stay: good where everything that was restored is proved, and every hold is lifted.
fn beside(run: &Run) -> (Outcome, String) {
    let open = forward(run)
        .find(|(spec, state)| spec.on_failure != OnFailure::GoOn && !state.phase.is_through());
    match open {
        None => (Outcome::Done, BESIDE.to_owned()),
        Some((spec, _)) => (Outcome::Unknown, format!("{BESIDE}; {} is not through", spec.id)),
    }
}
