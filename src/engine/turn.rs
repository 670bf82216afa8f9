//! One turn: assess, ask the model what is next, and do it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::adapters::FenceTake;
use crate::bug::Bug;
use crate::failure::Failure;
use crate::model::entry::{Event, Standing, StepEnd};
use crate::model::ids::{Digest, RunId, StepId, Time};
use crate::model::incident::{Run, StepPhase};
use crate::model::next::{Next, Settled, next, settle};
use crate::model::plan::Level;
use crate::model::severity::Severity;
use crate::model::signal::{Windows, signals};
use crate::model::tree::assess;
use crate::text::SafeText;

use super::books::Line;
use super::bound::Bound;
use super::executor::{self, Came, Job};
use super::run::Engine;
use super::{criteria, stack};

impl Engine {
    /// Judges and acts until there is nothing more to do at this moment.
    pub(super) async fn turn(&mut self) -> Result<(), Failure> {
        self.take_calls().await?;
        let mut lines = Vec::new();
        self.keep_lease(&mut lines).await?;
        self.settle_checks(&mut lines);
        self.judge(&mut lines);
        self.watch_space(&mut lines);
        self.watch_clock(&mut lines);
        self.end_cut_guides(&mut lines);
        self.write(lines).await?;
        let mut lines = Vec::new();
        self.judge_rules(&mut lines);
        self.write(lines).await?;
        let mut lines = Vec::new();
        self.follow_proposal(&mut lines);
        self.write(lines).await?;
        // Others see the lock of a run before its first step begins.
        self.show_lock_now().await?;
        // Every pass writes something or stops: a run has a bounded number of steps.
        for _ in 0..64 {
            let mut lines = Vec::new();
            let jobs = self.decide(&mut lines);
            if lines.is_empty() && jobs.is_empty() {
                break;
            }
            fault_before(&lines);
            self.release_fence(&lines).await;
            self.write(lines).await?;
            for job in jobs {
                self.begin(job);
            }
        }
        // What ended just now is seen by others at once, too.
        self.show_lock_now().await?;
        self.begin_holds();
        self.look_around();
        self.look_at_holds();
        self.look_into_database();
        self.tell_people();
        self.tell_receivers();
        self.begin_bundle();
        let quick = self.books.situation.incident.is_some()
            || self.books.situation.open_run().is_some()
            || self.anything_unproven();
        self.fast.send_if_modified(|fast| {
            let wanted = quick;
            std::mem::replace(fast, wanted) != wanted
        });
        self.say_live(false).await?;
        self.say_alive();
        self.end_if_unneeded();
        Ok(())
    }

    /// Signals to severity and tree, clocks, the opening of an incident.
    fn judge(&mut self, lines: &mut Vec<Line>) {
        let now = self.clock.now();
        self.signals = signals(&self.tracks, &self.roles, &self.recent, self.windows(now), now);
        let situation = &self.books.situation;
        let before = situation.assessment.as_ref();
        let mut assessment = assess(&self.tree, &self.signals, &situation.said, before, now);
        if let Some(raised) = self.raised_by_rule() {
            assessment = assessment.raised(raised, before, now);
        }
        if let Some(word) = &situation.overrule {
            assessment = assessment.overruled(word, before, now);
        }
        let severity = assessment.severity;
        let over = assessment.deadline.is_some_and(|deadline| now >= deadline);
        if before.is_none_or(|before| !before.says_the_same(&assessment)) {
            lines.push(Line::from(Event::Assessed { assessment: Box::new(assessment.clone()) }));
        }
        let ended = situation.run.as_ref().and_then(|run| run.ended.as_ref());
        let settled = ended.is_none_or(|ended| now - ended.at > chrono::Duration::seconds(60));
        if severity >= Severity::Medium
            && settled
            && (situation.incident.is_none() || ended.is_some())
        {
            let why = assessment.because.first().cloned().unwrap_or_default();
            lines.push(self.open_incident(why));
        } else if severity >= Severity::High
            && over
            && situation.incident.is_some()
            && !situation.deadline_passed
            && situation.open_run().is_none()
            && ended.is_none()
        {
            lines.push(Line::from(Event::SeverityDeadline));
        }
        self.close_when_calm(severity, lines);
    }

    /// The windows of the signals. None reaches back behind the last switch: what the version that
    /// was left did says nothing about the one that serves now.
    pub(super) fn windows(&self, now: Time) -> Windows {
        let mut windows = self.config.windows;
        let run = self.books.situation.run.as_ref();
        let watch = run.and_then(|run| Some((run, run.watch.as_ref()?)));
        if let Some((run, _)) = watch.filter(|(run, _)| run.abort.is_none()) {
            let since = (now - criteria::switched_at(run)).to_std().unwrap_or_default();
            windows.span = windows.span.min(since);
            windows.sustain = windows.sustain.min(since);
        }
        windows
    }

    pub(super) fn open_incident(&self, why: SafeText) -> Line {
        let incident = self.books.situation.last_incident + 1;
        Line::from(Event::IncidentOpened { incident, why })
    }

    /// An incident that was never acted on and has been quiet for two minutes closes itself.
    fn close_when_calm(&mut self, severity: Severity, lines: &mut Vec<Line>) {
        let now = self.clock.now();
        let situation = &self.books.situation;
        let left = crate::model::leftover::open(situation).next().is_some();
        let hidden = self.muted_failing();
        // Who called for a rollback sees more than our checks do: a person has time to look.
        let called = situation.called_for();
        let called = called.is_some_and(|card| now - card.at < chrono::Duration::minutes(30));
        if severity > Severity::Low
            || hidden
            || called
            || situation.incident.is_none()
            || situation.run.is_some()
            || left
        {
            self.calm_since = None;
            return;
        }
        let since = *self.calm_since.get_or_insert(now);
        if now - since > chrono::Duration::minutes(2) {
            self.calm_since = None;
            let why = "quiet for two minutes, nothing was done".into();
            lines.push(Line::from(Event::IncidentClosed { why }));
        }
    }

    /// Asks the model, and turns its answer into lines to write and steps to begin.
    fn decide(&mut self, lines: &mut Vec<Line>) -> Vec<Job> {
        let now = self.clock.now();
        let live: BTreeSet<StepId> = self.live.keys().chain(&self.looking).cloned().collect();
        let mut jobs = Vec::new();
        let Some(run) = self.books.situation.open_run().cloned() else { return jobs };
        if self.ending.is_some() {
            return jobs;
        }
        for todo in next(&self.books.situation, &live, now) {
            match todo {
                Next::Run(step, attempt) => {
                    if self.live.len() + jobs.len() < self.config.side_by_side() {
                        self.intend(&run, &step, attempt, lines, &mut jobs);
                    }
                }
                Next::Look(step) => self.look(&run, &step),
                Next::Settle(step) => self.settle(&run, &step, lines, &mut jobs),
                Next::Wait(step, why) => {
                    let asked = step.as_ref().filter(|id| super::loss::is_choice(&run, id));
                    if let Some(chosen) = asked.and_then(|id| super::loss::accepted(&run, id)) {
                        lines.push(Line::from(chosen));
                        continue;
                    }
                    let why = super::loss::offered(&self.books.situation, &run, why);
                    let offer = Level::from_number(run.plan.core.level.number() + 1);
                    lines.push(Line::from(Event::NeedsPerson {
                        run: run.id.clone(),
                        step,
                        why,
                        offer,
                    }));
                }
                Next::OpenWatch => self.open_watch(&run, lines),
                Next::Watch => self.watch(&run, lines),
                Next::Finish(_) => self.finish(&run, lines),
            }
        }
        jobs
    }

    /// The intent of a step, durable before its effect.
    fn intend(
        &self,
        run: &Run,
        step: &StepId,
        attempt: u32,
        lines: &mut Vec<Line>,
        jobs: &mut Vec<Job>,
    ) {
        let (Some(spec), Some(stack)) = (run.plan.step(step), &self.stack) else { return };
        lines.push(Line::from(Event::StepStarted {
            run: run.id.clone(),
            step: step.clone(),
            attempt,
            effect: stack::effect(&run.id, step, attempt),
            boot: self.boot.clone(),
        }));
        let mut look = stack.look_cx(&self.config, &self.clock, (&run.id, step, attempt));
        look.since = Some(super::loss::since(run, spec));
        let fence = stack.fence.clone().map(|fence| (fence, self.take(run)));
        let bound = Some(Bound::of(&run.plan.core, spec, &self.config, stack));
        jobs.push(Job { spec: spec.clone(), attempt, run: run.id.clone(), look, fence, bound });
    }

    fn take(&self, run: &Run) -> FenceTake {
        FenceTake {
            run: run.id.clone(),
            journal: self.books.situation.journal.clone(),
            epoch: self.books.situation.epoch,
            name: run.by.clone(),
            host: self.host.clone(),
            since: self.clock.now(),
        }
    }

    fn begin(&mut self, job: Job) {
        let step = job.spec.id.clone();
        fault("B2", &step);
        let live = executor::begin(job, self.came.clone());
        self.live.insert(step, live);
    }

    fn look(&mut self, run: &Run, step: &StepId) {
        let (Some(spec), Some(stack)) = (run.plan.step(step), &self.stack) else { return };
        let attempt = run.step(step).map_or(0, |state| state.attempt);
        let mut cx = stack.look_cx(&self.config, &self.clock, (&run.id, step, attempt));
        cx.since = Some(super::loss::since(run, spec));
        self.looking.insert(step.clone());
        executor::look(spec.clone(), attempt, cx, self.came.clone());
    }

    /// Ends or repeats a cut-off step on the word of the look.
    fn settle(&mut self, run: &Run, step: &StepId, lines: &mut Vec<Line>, jobs: &mut Vec<Job>) {
        let (Some(spec), Some(state)) = (run.plan.step(step), run.step(step)) else { return };
        let unseen = Standing::CannotTell("it was not looked at".into());
        let end = match settle(spec, state.looked.as_ref().unwrap_or(&unseen)) {
            Settled::Again => {
                self.intend(run, step, state.attempt + 1, lines, jobs);
                return;
            }
            Settled::Unknown(_) if Bug::OpaqueAgain.is_on() => {
                self.intend(run, step, state.attempt + 1, lines, jobs);
                return;
            }
            Settled::Done => StepEnd::Done,
            Settled::Unknown(why) => StepEnd::Unknown(why),
        };
        let began = state.started_at.unwrap_or(run.started_at);
        lines.push(Line::from(Event::StepEnded {
            run: run.id.clone(),
            step: step.clone(),
            attempt: state.attempt,
            end,
            took: (self.clock.now() - began).to_std().unwrap_or_default(),
            note: "found after a restart of the engine".into(),
        }));
    }

    /// Takes the end of a step, or the answer of a look.
    pub(super) fn came(&mut self, came: Came, lines: &mut Vec<Line>) {
        let Some(run) = self.books.situation.open_run().map(|run| run.id.clone()) else { return };
        match came {
            Came::Ended { step, attempt, end, took, note } => {
                self.live.remove(&step);
                lines.extend(self.loss_measured(&step, attempt, &end));
                fault("B8", &step);
                lines.push(Line::from(Event::StepEnded { run, step, attempt, end, took, note }));
            }
            Came::Looked { step, attempt, standing } => {
                self.looking.remove(&step);
                let healed = standing == Standing::Done
                    && self
                        .books
                        .situation
                        .run
                        .as_ref()
                        .and_then(|run| run.step(&step))
                        .is_some_and(|state| matches!(state.phase, StepPhase::Unknown(_)));
                lines.push(Line::from(Event::StepLooked {
                    run: run.clone(),
                    step: step.clone(),
                    attempt,
                    standing,
                }));
                if healed {
                    let (end, took) = (StepEnd::Done, Duration::ZERO);
                    let note = "a later look found it done".into();
                    lines.push(Line::from(Event::StepEnded {
                        run,
                        step,
                        attempt,
                        end,
                        took,
                        note,
                    }));
                }
            }
        }
    }

    /// Begins the run of the approved plan.
    pub(super) fn start_run(
        &self,
        plan: &Digest,
        by: SafeText,
        (reason, accept_loss): (SafeText, Option<u64>),
        lines: &mut Vec<Line>,
    ) {
        let situation = &self.books.situation;
        let incident = situation.incident.as_ref();
        if incident.is_none() {
            lines.push(self.open_incident(reason.clone()));
        }
        let number = incident.map_or(situation.last_incident + 1, |incident| incident.id);
        let count = incident.map_or(0, |incident| incident.runs) + 1;
        let run = RunId(format!("{number}-{}-{count}", situation.journal));
        lines.extend(self.write_break_glass(&run).map(|text| Line::from(Event::Trouble { text })));
        let lock = self.run_lock(&run, &by, &reason);
        lines.push(Line::from(Event::RunStarted {
            run,
            plan: plan.clone(),
            by,
            reason,
            accept_loss,
        }));
        lines.push(lock);
    }
}

/// Steps whose end is in these lines.
pub(super) fn ended(lines: &[Line]) -> Vec<StepId> {
    lines
        .iter()
        .filter_map(|line| match line {
            Line::Event(Event::StepEnded { step, .. }) => Some(step.clone()),
            _ => None,
        })
        .collect()
}

pub(super) fn fault(point: &str, step: &StepId) {
    crate::steps::fault::at_step(point, step.as_str());
}

/// The boundaries around an intent, for the crash tests: before it is written, and before its
/// end is.
fn fault_before(lines: &[Line]) {
    for line in lines {
        if let Line::Event(Event::StepStarted { step, .. }) = line {
            fault("B1", step);
        }
    }
}
