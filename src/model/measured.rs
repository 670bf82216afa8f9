//! What a stopped run leaves, by a look and not by belief: whatever it may have changed is looked
//! at once more before it ends.

use super::entry::Standing;
use super::incident::{Run, StepPhase, StepState};
use super::plan::Hazard;

impl Run {
    /// The run is being stopped: what was seen before says nothing about what is left.
    pub(super) fn look_anew(&mut self) {
        for step in self.steps.iter_mut().filter(|step| step.phase != StepPhase::Running) {
            step.looked = None;
        }
    }

    /// Steps that may have changed something, forward ones first.
    fn touched(&self) -> impl Iterator<Item = &StepState> {
        self.steps.iter().filter(|state| {
            let changes = |spec: &super::plan::StepSpec| spec.hazard != Hazard::Looks;
            let begun = state.attempt > 0 || state.phase == StepPhase::Done;
            begun && self.plan.step(&state.id).is_some_and(changes)
        })
    }

    /// Of these, the ones that nobody has looked at since the run was stopped.
    pub(super) fn unmeasured(&self) -> impl Iterator<Item = &StepState> {
        self.touched().filter(|state| state.looked.is_none())
    }

    /// What each thing that a stopped run may have changed looked like when it ended; nothing of a
    /// run that was not stopped.
    pub fn measured(&self) -> impl Iterator<Item = (&StepState, &Standing)> {
        let stopped = self.abort.is_some();
        self.touched()
            .filter(move |_| stopped)
            .filter_map(|state| Some((state, state.looked.as_ref()?)))
    }

    /// `looked at since: 3 there, 1 not there`; nothing when there was nothing to look at.
    pub(super) fn measured_words(&self) -> String {
        let (mut there, mut not_there, mut partly, mut unknown) = (0, 0, 0, 0);
        for (_, standing) in self.measured() {
            match standing {
                Standing::Done => there += 1,
                Standing::NotDone => not_there += 1,
                Standing::Partly(_) => partly += 1,
                Standing::CannotTell(_) => unknown += 1,
            }
        }
        let parts = [
            (there, "there"),
            (not_there, "not there"),
            (partly, "partly there"),
            (unknown, "not known"),
        ];
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts.map(|(count, words)| format!("{count} {words}")).collect();
        if parts.is_empty() {
            String::new()
        } else {
            format!("; looked at since: {}", parts.join(", "))
        }
    }
}

impl Standing {
    /// As a person reads it: `there`, `not there`, `partly there: …`, `not known: …`.
    pub fn words(&self) -> String {
        match self {
            Self::Done => "there".to_owned(),
            Self::NotDone => "not there".to_owned(),
            Self::Partly(what) => format!("partly there: {what}"),
            Self::CannotTell(why) => format!("not known: {why}"),
        }
    }
}
