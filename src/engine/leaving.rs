//! What a run leaves behind when it ends: what it stopped, and what it could not stop.

use crate::model::entry::{Event, Leftover, Outcome};
use crate::model::ids::Color;
use crate::model::incident::{Run, StepPhase};
use crate::model::leftover::{About, STOPPED_DUE, stands, workers_missed, workers_stopped};
use crate::model::plan::StepSpec;
use crate::steps::{StepKind, StopWorkers};
use crate::text::SafeText;

use super::books::Line;
use super::run::Engine;

impl Engine {
    /// Every stop that still stands, whatever the outcome: it stays until it is released.
    pub(super) fn left_by(&self, run: &Run, outcome: Outcome, lines: &mut Vec<Line>) {
        self.data_left_by(run, lines);
        self.frozen_by(run, lines);
        self.called_by(run, lines);
        let Some((from, to)) = &run.plan.face.colors else { return };
        let Some(stack) = &self.stack else { return };
        if workers_stopped(run) && outcome != Outcome::Undone && stopped_any(run) {
            let undo = stack.workload.workers_by_hand(from, true).join(" ; ");
            let name = format!("workers of {from} stopped, kept");
            lines.push(self.left(run, &name, &undo, Some(About::Workers(from.clone()))));
        }
        if other_workers_stopped(run) && outcome != Outcome::Undone {
            let undo = stack.workload.workers_by_hand(to, true).join(" ; ");
            let name = format!("workers of {to} stopped, kept");
            lines.push(self.left(run, &name, &undo, Some(About::Workers(to.clone()))));
        }
        if workers_missed(run) && outcome != Outcome::Undone {
            let undo = stack.workload.workers_by_hand(from, false).join(" ; ");
            let name = format!("workers of {from} not stopped");
            // A look that cannot see them could take them for gone: a person releases it.
            lines.push(self.left(run, &name, &undo, None));
        }
        if stands(run, "stop") && outcome != Outcome::Undone {
            let undo = stack.workload.by_hand(from, true);
            let name = format!("{from} stopped, kept");
            lines.push(self.left(run, &name, &undo, Some(About::Stopped(from.clone()))));
        }
    }

    /// Owners that were frozen stay so until a person lifts them: at once they would put the failed
    /// version back.
    fn frozen_by(&self, run: &Run, lines: &mut Vec<Line>) {
        for spec in &run.plan.core.steps {
            let Ok(StepKind::FreezeSync(step)) = StepKind::from_action(&spec.action) else {
                continue;
            };
            if step.frozen && stands(run, spec.id.as_str()) {
                let undo = step.owner.by_hand(false, &step.was).unwrap_or_default();
                let name = format!("{} frozen", step.owner.words());
                let about = serde_json::to_value(&step.owner).ok().map(About::Frozen);
                lines.push(self.left(run, &name, undo.as_str(), about));
            }
        }
    }

    /// What was called and would be taken back by another call (an ingestion that was paused), where
    /// no step made that call: somebody has to (M-02).
    fn called_by(&self, run: &Run, lines: &mut Vec<Line>) {
        let core = &run.plan.core;
        for spec in &core.steps {
            let Ok(StepKind::HttpCall(step)) = StepKind::from_action(&spec.action) else {
                continue;
            };
            let back = core.undo.iter().find(|one| Some(&one.id) == spec.undo.as_ref());
            let (Some(back), true) = (back, stands(run, spec.id.as_str())) else { continue };
            let done = |one: &StepSpec| {
                let state = run.step(&one.id);
                one.action == back.action && state.is_some_and(|it| it.phase == StepPhase::Done)
            };
            let Ok(StepKind::HttpCall(call)) = StepKind::from_action(&back.action) else {
                continue;
            };
            if !core.steps.iter().any(done) {
                let name = format!("{}: it stays so", step.name);
                lines.push(self.left(run, &name, &call.command(), None));
            }
        }
    }

    pub(super) fn left(&self, run: &Run, name: &str, undo: &str, about: Option<About>) -> Line {
        let now = self.clock.now();
        Line::from(Event::LeftoverNoted {
            leftover: Leftover {
                name: SafeText::new(name),
                owner: run.by.clone(),
                undo: SafeText::new(undo),
                due: Some(now + STOPPED_DUE),
                since: Some(now),
                about,
                handed_to: None,
            },
        })
    }
}

/// Whether the step found a worker to stop.
fn stopped_any(run: &Run) -> bool {
    found_any(run, "stop_workers")
}

fn found_any(run: &Run, step: &str) -> bool {
    run.step(&step.into()).is_some_and(|state| state.note.as_str() != StopWorkers::NOTHING)
}

/// Whether the run stopped workers of the version that it was to go to, and did not start them.
fn other_workers_stopped(run: &Run) -> bool {
    let again = run.step(&"start_workers".into());
    let again = again.is_some_and(|again| again.phase == StepPhase::Done);
    stands(run, "stop_other_workers") && found_any(run, "stop_other_workers") && !again
}

/// What workers and cron still run: `green: 1 stops first; blue: 1 runs on`.
pub(super) async fn workers_words(
    stack: &super::stack::Stack,
    (from, to): (&Color, &Color),
) -> SafeText {
    let mut words = Vec::new();
    for (color, what) in [(from, "stops first"), (to, "runs on")] {
        words.push(match stack.workload.workers(color).await {
            Ok(found) if found.is_empty() => format!("{color} none"),
            Ok(found) => match found.iter().filter(|worker| worker.running).count() {
                0 => format!("{color} 0 of {} run", found.len()),
                running => format!("{color} {running} of {} {what}", found.len()),
            },
            Err(error) => format!("{color} not known: {error}"),
        });
    }
    SafeText::new(&format!("workers and cron: {}", words.join(", ")))
}
