//! Measures, watches and ends a run.

use crate::model::entry::{Event, Outcome};
use crate::model::ids::PointId;
use crate::model::incident::Run;
use crate::model::lock::LockKind;
use crate::model::loss::Choice;
use crate::model::next::outcome_of;
use crate::model::plan::Level;
use crate::model::until::AT;
use crate::model::watch::{self, Verdict};
use crate::report::history;
use crate::text::SafeText;

use super::books::Line;
use super::criteria;
use super::run::Engine;

impl Engine {
    pub(super) fn measured(&self) -> criteria::Measured<'_> {
        criteria::Measured {
            tracks: &self.tracks,
            roles: &self.roles,
            recent: &self.recent,
            good_response: self.config.rollback.good_response,
            patience: criteria::patience(&self.config.checks),
            now: self.clock.now(),
        }
    }

    pub(super) fn open_watch(&self, run: &Run, lines: &mut Vec<Line>) {
        let measured = self.measured();
        if !criteria::ready(run, &measured) {
            return;
        }
        let criteria = criteria::of(run, &measured);
        let run_id = run.id.clone();
        lines.push(Line::from(Event::CriteriaMeasured { run: run_id.clone(), criteria }));
        let window = run.plan.core.watch;
        lines.push(Line::from(Event::WatchOpened { run: run_id, window }));
    }

    /// How the window goes, from the readings alone: the same after a restart.
    pub(super) fn watched(&self, run: &Run) -> Option<watch::Progress> {
        let opened = run.watch.as_ref()?.opened_at;
        let times = (run.started_at, opened, self.clock.now());
        Some(watch::judge(&self.tracks, &self.roles, &self.recent, times))
    }

    pub(super) fn watch(&self, run: &Run, lines: &mut Vec<Line>) {
        let (Some(watch), Some(progress)) = (&run.watch, self.watched(run)) else { return };
        if progress.counted >= watch.window {
            lines.push(watch_ended(run, &progress, progress.verdict));
        } else if watch::is_over(progress.counted, watch.window, watch.opened_at, self.clock.now())
        {
            // Blind time does not count, but a window that stays blind ends as "cannot tell".
            lines.push(watch_ended(run, &progress, Verdict::CannotTell));
        }
    }

    /// Ends the window on request: what was seen so far is the verdict, a short look is no proof.
    pub(super) fn end_watch_now(&self, lines: &mut Vec<Line>) {
        let Some(run) = self.books.situation.open_run() else { return };
        let ended = run.watch.as_ref().is_some_and(|watch| watch.verdict.is_some());
        if let Some(progress) = self.watched(run).filter(|_| !ended) {
            lines.push(watch_ended(run, &progress, progress.verdict));
        }
    }

    pub(super) fn finish(&mut self, run: &Run, lines: &mut Vec<Line>) {
        let (outcome, why) = outcome_of(run);
        // The next plan is only looked at: it waits for its own approval.
        if let (Outcome::Undone, Some((Choice::NewMoment { to }, by))) = (outcome, &run.choice) {
            let target = PointId(format!("{AT}{to}"));
            self.begin_plan(by.clone(), Level::PointInTime, Some(target));
        }
        let why = super::loss::ending(&self.books.situation, run, why);
        let measured = run.watch.is_none() && run.stays_beside();
        if measured && run.criteria.is_empty() {
            let criteria = criteria::of(run, &self.measured());
            lines.push(Line::from(Event::CriteriaMeasured { run: run.id.clone(), criteria }));
        }
        let now = self.clock.now();
        let good_at = run.watch.as_ref().map_or(now, |watch| watch.opened_at);
        let took = (good_at - run.started_at).to_std().unwrap_or_default();
        let history = history::Line::of_run(run, outcome, took, now).to_string();
        lines.push(Line::from(Event::RunEnded {
            run: run.id.clone(),
            outcome,
            took,
            why,
            history,
        }));
        if self.books.situation.locks.run.is_some() {
            let (kind, by) = (LockKind::Run, run.by.clone());
            let why = SafeText::new(outcome.words());
            lines.push(Line::from(Event::LockReleased { kind, by, why }));
        }
        let left = &self.books.situation.leftovers;
        lines.extend(super::undo::released(run, left).into_iter().map(Line::from));
        self.left_by(run, outcome, lines);
    }

    /// Gives the fence back when these lines end the run, before they are written: whoever reads
    /// that it is over finds the target free. A crash in between ends it, and gives back, again.
    pub(super) async fn release_fence(&self, lines: &[Line]) {
        let over = lines.iter().any(|line| matches!(line, Line::Event(Event::RunEnded { .. })));
        let Some(run) = self.books.situation.open_run().filter(|_| over) else { return };
        if let Some(fence) = self.stack.as_ref().and_then(|stack| stack.fence.as_ref())
            && let Err(error) = fence.release(&run.id).await
        {
            tracing::warn!("could not release the fence: {error}");
        }
    }
}

fn watch_ended(run: &Run, progress: &watch::Progress, verdict: Verdict) -> Line {
    Line::from(Event::WatchEnded {
        run: run.id.clone(),
        verdict,
        why: SafeText::new(&progress.words()),
        counted: progress.counted,
    })
}
