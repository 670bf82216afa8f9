//! The part of the fold that a run goes through.

use crate::text::SafeText;

use super::entry::{Abort, Entry, Event, Standing, StepEnd};
use super::ids::{IncidentId, StepId, Time};
use super::incident::{Ended, Run, StepPhase, StepState, Waiting, Watch};
use super::loss::{BESIDE, Choice};
use super::plan::{OnFailure, StepSpec};
use super::situation::{PastRun, Situation};

/// Ends of runs that are kept.
const RUNS: usize = 32;

impl Situation {
    /// Folds in what happened to the run.
    pub(super) fn run_event(&mut self, event: &Event, entry: &Entry) {
        let line = match event {
            Event::RunStarted { .. } => self.run_started(event, entry),
            Event::RunEnded { .. } => self.run_ended(event, entry),
            Event::StepStarted { .. }
            | Event::StepLooked { .. }
            | Event::StepEnded { .. }
            | Event::Paused
            | Event::Resumed
            | Event::CriteriaMeasured { .. }
            | Event::WatchOpened { .. }
            | Event::WatchEnded { .. }
            | Event::LossMeasured { .. }
            | Event::Chosen { .. }
            | Event::NeedsPerson { .. } => {
                if let Event::StepEnded { step, end: StepEnd::Done, .. } = event {
                    self.step_done(step, entry.at);
                }
                if matches!(event, Event::Resumed) {
                    self.decided_under_this_boot();
                }
                self.run.as_mut().and_then(|run| {
                    step_event(run, event, entry)
                        .or_else(|| choice_event(run, event, entry))
                        .or_else(|| watch_event(run, event, entry))
                })
            }
            // All others are folded by `event`.
            Event::ChecksDeclared { .. }
            | Event::Muted { .. }
            | Event::MuteEnded { .. }
            | Event::Overridden { .. }
            | Event::OverrideEnded { .. }
            | Event::LineDoubted { .. }
            | Event::FlappingChanged { .. }
            | Event::BundleMade { .. }
            | Event::GuideEnded { .. }
            | Event::LockTaken { .. }
            | Event::LockReleased { .. }
            | Event::BaselineTaken { .. }
            | Event::RulesDeclared { .. }
            | Event::RuleChanged { .. }
            | Event::RuleFired(_)
            | Event::RuleHeld { .. }
            | Event::ProposalWithdrawn { .. }
            | Event::FreezeEnded
            | Event::ConfigurationRead { .. }
            | Event::EngineStarted { .. }
            | Event::EngineStopped { .. }
            | Event::Carried { .. }
            | Event::CheckChanged { .. }
            | Event::Assessed { .. }
            | Event::ChangeSeen { .. }
            | Event::HelpTested { .. }
            | Event::PointsSeen { .. }
            | Event::PointRecorded { .. }
            | Event::ReleasesSeen { .. }
            | Event::LevelsJudged { .. }
            | Event::IncidentOpened { .. }
            | Event::IncidentClosed { .. }
            | Event::LeadTaken { .. }
            | Event::LeadAsked { .. }
            | Event::ApprovalAsked(_)
            | Event::LeadLost
            | Event::HookRan { .. }
            | Event::Notified(_)
            | Event::SeverityDeadline
            | Event::PlanMade { .. }
            | Event::PlanRefused { .. }
            | Event::PreflightChanged { .. }
            | Event::LeftoverNoted { .. }
            | Event::LeftoverReleased { .. }
            | Event::Noted { .. }
            | Event::HoldStarted(_)
            | Event::HoldEnded { .. }
            | Event::Trouble { .. } => None,
        };
        if let Some(line) = line {
            self.moment(entry.at, &line);
        }
    }

    /// What a step of ours that is done changes beside the run: the release that lies on a colour,
    /// and what is right at a check.
    pub(super) fn step_done(&mut self, step: &StepId, at: Time) {
        let Some(run) = &self.run else { return };
        let Some(spec) = run.plan.step(step).cloned() else { return };
        let by = run.by.clone();
        self.laid(&spec.action, at);
        self.expects(&spec, &by, at);
    }

    fn run_started(&mut self, event: &Event, entry: &Entry) -> Option<String> {
        let Event::RunStarted { run, by, reason, plan, accept_loss } = event else {
            return None;
        };
        self.rules.proposal = None;
        if let Some(incident) = &mut self.incident {
            incident.runs += 1;
        }
        let open = self.plan.take_if(|open| &open.digest == plan)?;
        let trigger = super::trigger::Trigger::of(self, &open.plan);
        let mut started = Run::new(run.clone(), open.plan, by.clone(), reason.clone(), entry.at);
        started.accept_loss = *accept_loss;
        started.trigger = Some(Box::new(trigger));
        started.boot = self.engine.as_ref().map(|engine| engine.boot.clone()).unwrap_or_default();
        self.approval = None;
        let line = format!("run {run} starts, level {}", started.plan.core.level);
        self.run = Some(started);
        Some(line)
    }

    fn run_ended(&mut self, event: &Event, entry: &Entry) -> Option<String> {
        let Event::RunEnded { outcome, took, why, history, .. } = event else {
            return None;
        };
        self.locks.run = None;
        let run = self.run.as_mut()?;
        let ended = Ended {
            at: entry.at,
            outcome: *outcome,
            took: *took,
            why: why.clone(),
            history: history.clone(),
        };
        for step in &mut run.steps {
            leave(step);
        }
        run.ended = Some(ended.clone());
        run.waiting = None;
        let line = format!("run {} {}", run.id, outcome.words());
        let mut past = past(run, self.last_incident, ended);
        past.began = self.incident.as_ref().map(super::incident::Incident::began);
        // Only the last run can be taken back: what came before, it has changed again.
        for older in &mut self.history {
            older.back = None;
        }
        self.history.insert(0, past);
        self.history.truncate(RUNS);
        Some(line)
    }
}

/// A step that was cut off and not begun again, because the run was stopped, does not run on.
fn leave(step: &mut StepState) {
    if step.phase != StepPhase::Running {
        return;
    }
    step.phase = match &step.looked {
        Some(Standing::Done) => StepPhase::Done,
        Some(Standing::NotDone) => {
            StepPhase::Skipped("cut off before its effect, and the run was stopped".into())
        }
        Some(Standing::Partly(what)) => {
            StepPhase::Unknown(SafeText::new(&format!("cut off half-way: {what}")))
        }
        Some(Standing::CannotTell(why)) => StepPhase::Unknown(why.clone()),
        None => StepPhase::Unknown("cut off, and nobody looked".into()),
    };
}

/// What happened to one step; a line for the timeline, where it deserves one.
fn step_event(run: &mut Run, event: &Event, entry: &Entry) -> Option<String> {
    if let Event::StepStarted { step, attempt, .. } = event {
        run.answered(step);
        let state = run.step_mut(step)?;
        state.phase = StepPhase::Running;
        state.attempt = *attempt;
        state.started_at = Some(entry.at);
        state.ended_at = None;
        state.epoch = entry.epoch;
        state.looked = None;
        return Some(format!("{step} starts"));
    }
    if let Event::StepLooked { step, standing, .. } = event {
        let state = run.step_mut(step)?;
        state.looked = Some(standing.clone());
        state.looked_at = Some(entry.at);
        state.epoch = entry.epoch;
        return None;
    }
    let Event::StepEnded { step, end, took, note, .. } = event else {
        return None;
    };
    let state = run.step_mut(step)?;
    state.phase = phase_of(end);
    state.took = *took;
    state.ended_at = Some(entry.at);
    state.note = note.clone();
    state.epoch = entry.epoch;
    let failed = matches!(state.phase, StepPhase::Failed(_));
    if state.phase.is_through() {
        run.answered(step);
    }
    let back = |spec: &StepSpec| spec.on_failure == OnFailure::TakeBack;
    if failed && run.abort.is_none() && run.plan.step(step).is_some_and(back) {
        run.abort = Some(Abort::Undo);
        run.look_anew();
        run.waiting = None;
        return Some(format!("{step} {}; what was begun is taken back", end_words(end)));
    }
    Some(format!("{step} {}", end_words(end)))
}

/// What a swap would lose, and what was chosen.
fn choice_event(run: &mut Run, event: &Event, entry: &Entry) -> Option<String> {
    if let Event::LossMeasured { loss, .. } = event {
        run.loss = Some(loss.clone());
        return None;
    }
    let Event::Chosen { step, choice, by, .. } = event else { return None };
    run.choice = Some((choice.clone(), by.clone()));
    run.answered(step);
    if let Some(state) = run.step_mut(step) {
        state.phase = StepPhase::Done;
        state.ended_at = Some(entry.at);
        let to = match choice {
            Choice::NewMoment { to } => format!(" {to}"),
            Choice::Swap { .. } | Choice::Beside | Choice::NewTime => String::new(),
        };
        state.note = SafeText::new(&format!("{}{to} by {by}", choice.words()));
    }
    match choice {
        Choice::Swap { .. } => leave_out(run, |spec| spec.only_beside, "SWAP: nothing stays"),
        Choice::Beside => leave_out(run, |spec| spec.only_swap, BESIDE),
        Choice::NewTime | Choice::NewMoment { .. } => run.abort = Some(Abort::Undo),
    }
    Some(format!("{} was chosen by {by}", choice.words()))
}

fn leave_out(run: &mut Run, which: fn(&StepSpec) -> bool, why: &str) {
    let steps = run.plan.core.steps.iter().filter(|spec| which(spec));
    let left: Vec<_> = steps.map(|spec| spec.id.clone()).collect();
    for id in left {
        if let Some(state) = run.step_mut(&id) {
            state.phase = StepPhase::Skipped(why.into());
        }
    }
}

/// What happened to the run as a whole.
fn watch_event(run: &mut Run, event: &Event, entry: &Entry) -> Option<String> {
    if matches!(event, Event::Paused) {
        run.paused = true;
        return Some("the run is paused: no further step starts".to_owned());
    }
    if matches!(event, Event::Resumed) {
        run.paused = false;
        run.accept_verdict();
        return Some("the run goes on".to_owned());
    }
    if let Event::CriteriaMeasured { criteria, .. } = event {
        run.criteria.clone_from(criteria);
        return None;
    }
    if let Event::WatchOpened { window, .. } = event {
        run.watch = Some(Watch {
            opened_at: entry.at,
            window: *window,
            verdict: None,
            why: SafeText::default(),
            accepted: false,
        });
        return Some("watch window opens".to_owned());
    }
    if let Event::WatchEnded { verdict, why, .. } = event {
        // The first verdict stands: a person who ends the window again accepts it.
        if let Some(watch) = run.watch.as_mut().filter(|watch| watch.verdict.is_none()) {
            watch.verdict = Some(*verdict);
            watch.why = why.clone();
        }
        return Some(format!("verdict {}", verdict.words()));
    }
    let Event::NeedsPerson { step, why, offer, .. } = event else {
        return None;
    };
    // From here on a person thinks: that time is not the rollback's.
    let asks = step.as_ref().is_some_and(|id| run.plan.step(id).is_some_and(|spec| spec.asks));
    if let Some(state) = step.as_ref().filter(|_| asks).and_then(|id| run.step_mut(id)) {
        state.started_at = Some(entry.at);
    }
    run.waiting = Some(Waiting { step: step.clone(), why: why.clone(), offer: *offer });
    Some(format!("WAITING FOR YOU: {why}"))
}

fn phase_of(end: &StepEnd) -> StepPhase {
    match end {
        StepEnd::Done => StepPhase::Done,
        StepEnd::Failed(why) => StepPhase::Failed(why.clone()),
        StepEnd::Skipped(why) => StepPhase::Skipped(why.clone()),
        StepEnd::Unknown(why) => StepPhase::Unknown(why.clone()),
    }
}

fn end_words(end: &StepEnd) -> String {
    match end {
        StepEnd::Done => "done".to_owned(),
        StepEnd::Failed(why) => format!("FAILED: {why}"),
        StepEnd::Skipped(why) => format!("skipped: {why}"),
        StepEnd::Unknown(why) => format!("UNKNOWN: {why}"),
    }
}

fn past(run: &Run, incident: IncidentId, ended: Ended) -> PastRun {
    let steps = run
        .plan
        .core
        .steps
        .iter()
        .filter_map(|spec| {
            let state = run.step(&spec.id).filter(|state| state.phase == StepPhase::Done)?;
            let name = spec.action.as_object()?.keys().next()?.clone();
            Some((name, state.took))
        })
        .collect();
    PastRun {
        run: run.id.clone(),
        incident,
        level: run.plan.core.level,
        from: run.plan.core.from.clone(),
        to: run.plan.core.to.clone(),
        by: run.by.clone(),
        reason: run.reason.clone(),
        ended,
        began: None,
        steps,
        back: super::way_back::WayBack::of(run).map(Box::new),
        trigger: run.trigger.clone(),
        beside: run.stays_beside(),
    }
}
