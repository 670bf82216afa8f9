//! What the engine does now: a pure function of the situation.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::text::SafeText;

use super::entry::{Abort, Outcome, Standing};
use super::ids::{Epoch, StepId, Time};
use super::incident::{Run, StepPhase, StepState};
use super::plan::{Class, OnFailure, StepSpec};
use super::situation::Situation;

mod ending;

use ending::judged;
pub use ending::outcome_of;

/// One thing to do. Several may stand beside each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Begin this attempt of a step.
    Run(StepId, u32),
    /// Look where a cut-off step stands; change nothing.
    Look(StepId),
    /// End a cut-off step on the word of the last look.
    Settle(StepId),
    /// A person must decide.
    Wait(Option<StepId>, SafeText),
    /// Measure the criteria and open the watch window.
    OpenWatch,
    /// Keep watching.
    Watch,
    /// End the run.
    Finish(Outcome),
}

/// How long after a look that could not tell the next one comes.
pub const LOOK_AGAIN: Duration = Duration::from_secs(8);

/// What to do now. `live` are the steps that this engine is executing at this moment: a step that
/// runs by the journal but is not live was cut off, and is looked at before anything else.
pub fn next(situation: &Situation, live: &BTreeSet<StepId>, now: Time) -> Vec<Next> {
    let Some(run) = situation.open_run() else {
        return Vec::new();
    };
    let held = situation.held_by_restart();
    let cut_off: Vec<Next> = run
        .running()
        .filter(|step| !live.contains(&step.id))
        .filter_map(|step| settle_or_look(run, step, (situation.epoch, held.is_some())))
        .collect();
    if !cut_off.is_empty() {
        return cut_off;
    }
    let mut todo = look_again(run, situation.epoch, live, now);
    if let Some(why) = held.filter(|_| !matches!(run.abort, Some(Abort::Stop | Abort::Now))) {
        let asked = run.waiting.as_ref().is_some_and(|waiting| waiting.why == why);
        if !asked && live.is_empty() {
            todo.push(Next::Wait(None, why));
        }
        return todo;
    }
    if let Some(verb) = run.abort {
        todo.extend(aborting(run, verb, live));
        return todo;
    }
    if !run.paused && !verdict_is_against(run) {
        todo.extend(ready(run));
    }
    todo.extend(watching(run, live));
    let starts =
        todo.iter().any(|next| matches!(next, Next::Run(..) | Next::OpenWatch | Next::Finish(_)));
    let asked = todo.iter().any(|next| matches!(next, Next::Wait(..)));
    if !starts
        && !asked
        && run.waiting.is_none()
        && live.is_empty()
        && !verdict_is_against(run)
        && let Some((step, why)) = stuck(run)
    {
        todo.push(Next::Wait(Some(step), why));
    }
    todo
}

/// The watch window, and what its verdict makes of the run.
fn watching(run: &Run, live: &BTreeSet<StepId>) -> Option<Next> {
    let Some(watch) = &run.watch else {
        let waits = forward(run).any(|(spec, state)| {
            !spec.beside_watch && !state.phase.is_through() && !goes_on(spec, state)
        });
        if run.stays_beside() {
            // Nothing moved that could be watched.
            return (!waits && !run.paused).then_some(Next::Finish(outcome_of(run).0));
        }
        return (!waits && !run.paused).then_some(Next::OpenWatch);
    };
    if watch.verdict.is_none() {
        return Some(Next::Watch);
    }
    let (outcome, why) = judged(run);
    match outcome {
        Outcome::Done => forward(run)
            .all(|(spec, state)| state.phase.is_through() || goes_on(spec, state))
            .then(|| Next::Finish(outcome_of(run).0)),
        _ if !live.is_empty() => None,
        // The next level is offered before the run ends (S-15).
        Outcome::Failed if !watch.accepted => {
            run.waiting.is_none().then(|| Next::Wait(None, SafeText::new(&why)))
        }
        Outcome::Failed | Outcome::Aborted | Outcome::Undone | Outcome::Unknown => {
            Some(Next::Finish(outcome))
        }
    }
}

/// Whether the window has ended with a verdict that is not good: nothing more is begun then, least
/// of all stopping the failed version, which is the way back.
fn verdict_is_against(run: &Run) -> bool {
    let ended = run.watch.as_ref().is_some_and(|watch| watch.verdict.is_some());
    ended && judged(run).0 != Outcome::Done
}

fn forward(run: &Run) -> impl Iterator<Item = (&StepSpec, &StepState)> {
    run.plan.core.steps.iter().filter_map(|spec| Some((spec, run.step(&spec.id)?)))
}

/// Whether a step's failure is only noted.
fn goes_on(spec: &StepSpec, state: &StepState) -> bool {
    spec.on_failure == OnFailure::GoOn
        && matches!(state.phase, StepPhase::Failed(_) | StepPhase::Unknown(_))
}

/// Waiting steps whose needs are met.
fn ready(run: &Run) -> Vec<Next> {
    if forward(run).any(|(spec, state)| {
        matches!(state.phase, StepPhase::Failed(_) | StepPhase::Unknown(_)) && !goes_on(spec, state)
    }) {
        return Vec::new();
    }
    forward(run)
        .filter(|(_, state)| state.phase == StepPhase::Waiting)
        .filter(|(spec, _)| {
            spec.needs.iter().all(|need| {
                forward(run).any(|(other, state)| {
                    &other.id == need && (state.phase.is_through() || goes_on(other, state))
                })
            })
        })
        .filter(|(spec, _)| !spec.asks || run.waiting.is_none())
        .map(|(spec, state)| {
            if spec.asks {
                return Next::Wait(Some(spec.id.clone()), asking(run));
            }
            Next::Run(spec.id.clone(), state.attempt + 1)
        })
        .collect()
}

/// What a run says when the copy is up.
fn asking(run: &Run) -> SafeText {
    let said = match &run.loss {
        Some(loss) => format!("SWAP loses {}", loss.words(loss.until.unwrap_or(loss.from))),
        None => "what SWAP would lose is not known".to_owned(),
    };
    SafeText::new(&format!("the copy is up beside the live data: {said}. SWAP, BESIDE or NEW TIME"))
}

/// A cut-off step is looked at under this lease before anything is concluded. One that would be
/// begun again is left alone while nothing may start, as after a restart of the machine.
fn settle_or_look(run: &Run, step: &StepState, (epoch, restarted): (Epoch, bool)) -> Option<Next> {
    let Some(standing) = step.looked.as_ref().filter(|_| step.epoch == epoch) else {
        return Some(Next::Look(step.id.clone()));
    };
    let again =
        run.plan.step(&step.id).is_some_and(|spec| settle(spec, standing) == Settled::Again);
    let stays = match run.abort {
        _ if restarted && again => true,
        _ if step.undo || !again => false,
        // "Stop" lets a step that has begun to have its effect come to its end.
        Some(Abort::Stop) => *standing == Standing::NotDone,
        Some(Abort::Now | Abort::Undo) => true,
        None => run.paused || verdict_is_against(run),
    };
    (!stays).then(|| Next::Settle(step.id.clone()))
}

/// Steps that nobody could vouch for are looked at again, and a look that finds the effect heals
/// them; an opaque one cannot be looked at. In an abort only what takes back still matters.
fn look_again(run: &Run, epoch: Epoch, live: &BTreeSet<StepId>, now: Time) -> Vec<Next> {
    run.steps
        .iter()
        .filter(|step| matches!(step.phase, StepPhase::Unknown(_)) && !live.contains(&step.id))
        .filter(|step| match run.abort {
            None => true,
            Some(Abort::Undo) => step.undo,
            Some(Abort::Stop | Abort::Now) => false,
        })
        .filter_map(|step| {
            if step.looked == Some(Standing::Done) && step.epoch == epoch {
                return Some(Next::Settle(step.id.clone()));
            }
            let opaque = run.plan.step(&step.id)?.class == Class::Opaque;
            let rested = step
                .looked_at
                .is_none_or(|at| (now - at).abs().to_std().is_ok_and(|age| age >= LOOK_AGAIN));
            (!opaque && rested).then(|| Next::Look(step.id.clone()))
        })
        .collect()
}

/// What holds the run up: a step that did not end well, or one that can never begin.
fn stuck(run: &Run) -> Option<(StepId, SafeText)> {
    let ended = forward(run).find_map(|(spec, state)| match &state.phase {
        _ if goes_on(spec, state) => None,
        StepPhase::Failed(why) | StepPhase::Unknown(why) => Some((spec.id.clone(), why.clone())),
        StepPhase::Waiting | StepPhase::Running | StepPhase::Done | StepPhase::Skipped(_) => None,
    });
    let never = || {
        let (spec, _) = forward(run).find(|(_, state)| state.phase == StepPhase::Waiting)?;
        let needs: Vec<&str> = spec.needs.iter().map(StepId::as_str).collect();
        let why = format!("it can never begin: it needs {}", needs.join(", "));
        Some((spec.id.clone(), SafeText::new(&why)))
    };
    ended.or_else(|| if run.paused { None } else { never() })
}

/// What is left to do in an abort. Before it ends, all that it may have changed is looked at.
fn aborting(run: &Run, verb: Abort, live: &BTreeSet<StepId>) -> Vec<Next> {
    if !live.is_empty() {
        return Vec::new();
    }
    let next = match verb {
        Abort::Stop | Abort::Now => Some(Next::Finish(outcome_of(run).0)),
        Abort::Undo => undoing(run),
    };
    if matches!(next, Some(Next::Finish(_))) && run.unmeasured().next().is_some() {
        return run.unmeasured().map(|step| Next::Look(step.id.clone())).collect();
    }
    next.into_iter().collect()
}

/// Whether a step may have changed something, by its own doing or by hand.
fn begun(state: &StepState) -> bool {
    state.attempt > 0 || state.phase == StepPhase::Done
}

/// Undo steps of what was begun, in the order they run: last first.
fn undo_steps(run: &Run) -> impl Iterator<Item = &StepState> {
    run.plan
        .core
        .steps
        .iter()
        .rev()
        .filter(|spec| run.step(&spec.id).is_some_and(begun))
        .filter_map(|spec| run.step(spec.undo.as_ref()?))
}

/// Takes back what was begun, last first.
fn undoing(run: &Run) -> Option<Next> {
    for undo in undo_steps(run) {
        match &undo.phase {
            StepPhase::Done | StepPhase::Skipped(_) => {}
            StepPhase::Waiting => return Some(Next::Run(undo.id.clone(), undo.attempt + 1)),
            StepPhase::Running => return None,
            StepPhase::Failed(why) | StepPhase::Unknown(why) => {
                let asked = run.waiting.is_some();
                return (!asked).then(|| Next::Wait(Some(undo.id.clone()), why.clone()));
            }
        }
    }
    Some(Next::Finish(outcome_of(run).0))
}

/// What the last look makes of a step that was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Its effect is there.
    Done,
    /// Its effect is not there: begin again.
    Again,
    /// Nobody can vouch for it.
    Unknown(SafeText),
}

/// Settles a cut-off step by its class and the last look.
pub fn settle(spec: &StepSpec, standing: &Standing) -> Settled {
    match (spec.class, standing) {
        (_, Standing::Done) => Settled::Done,
        (Class::Opaque, Standing::NotDone | Standing::Partly(_)) => {
            Settled::Unknown("it was cut off, and no look can tell whether it happened".into())
        }
        (_, Standing::NotDone | Standing::Partly(_)) => Settled::Again,
        (_, Standing::CannotTell(why)) => Settled::Unknown(why.clone()),
    }
}

#[cfg(test)]
mod tests;
