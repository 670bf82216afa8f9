//! What the journal says about one incident, from its first entry to its last: what every report
//! about it is made from.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::entry::{Body, Change, Entry, Event, Outcome};
use crate::model::ids::{IncidentId, RunId, Time};
use crate::model::incident::Run;
use crate::model::reading::Status;
use crate::model::severity::Severity;
use crate::model::situation::{Moment, Situation};
use crate::model::watch::Verdict;
use crate::text::SafeText;

/// What happened so long before the incident is part of its story.
const LEAD_UP: Duration = Duration::from_mins(30);

/// One incident, folded from its entries.
#[derive(Clone, Debug, PartialEq)]
pub struct Chronicle {
    /// Its number.
    pub incident: IncidentId,
    /// Why it was opened.
    pub why: SafeText,
    /// When it was opened.
    pub opened: Time,
    /// When a person says that it began.
    pub began: Option<Time>,
    /// When it was closed.
    pub closed: Option<Time>,
    /// The worst severity that counted, and what it was for.
    pub worst: (Severity, Vec<SafeText>),
    /// The services of the critical checks that failed.
    pub services: BTreeSet<String>,
    /// The runs in order, each as it stood last.
    pub runs: Vec<Run>,
    /// When a run's watch window ended with STABLE.
    pub verified: BTreeMap<RunId, Time>,
    /// Deploys that became known up to its end, newest first.
    pub changes: Vec<Change>,
    /// The timeline, in order of time.
    pub moments: Vec<Moment>,
    /// From the end of an engine to the start of the next: nobody looked.
    pub blind: Vec<(Time, Time)>,
    /// Where things stood at its last entry.
    pub last: Situation,
}

/// The four times of an incident report (S-60).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When it was opened, or since when a person says that it was.
    pub detected: Time,
    /// When the rollback was confirmed.
    pub initiated: Option<Time>,
    /// When traffic was good again: the watch window opened.
    pub completed: Option<Time>,
    /// When the watch window ended with STABLE.
    pub verified: Option<Time>,
}

/// Folds entries of an incident as they come.
#[derive(Debug)]
pub struct Chronicler {
    wanted: IncidentId,
    situation: Situation,
    found: Option<Chronicle>,
    /// When the engine ended that nobody has taken over from yet.
    stopped: Option<Time>,
}

impl Chronicler {
    /// For the incident of that number; entries before its opening are folded but not told.
    pub fn new(wanted: IncidentId) -> Self {
        Self { wanted, situation: Situation::default(), found: None, stopped: None }
    }

    /// Takes the next entry.
    pub fn take(&mut self, entry: &Entry) {
        let event = match &entry.body {
            Body::Event(event) => Some(event.as_ref()),
            Body::Command(..) | Body::Newer { .. } => None,
        };
        let known = std::mem::take(&mut self.situation.timeline);
        if let (Some(found), Some(Event::RunStarted { .. })) = (&mut self.found, event) {
            found.runs.extend(self.situation.run.take());
        }
        self.situation.apply(entry);
        let fresh = std::mem::take(&mut self.situation.timeline);
        self.situation.timeline = known;
        if let Some(Event::Carried { .. }) = event {
            // What it tells is told already, but for what was before its first entry.
            self.situation.timeline = fresh;
            self.lead_up();
            return;
        }
        if let Some(Event::IncidentOpened { incident, why }) = event
            && *incident == self.wanted
        {
            self.situation.timeline.extend(fresh.iter().cloned());
            self.found = Some(Chronicle::new(*incident, why.clone(), entry.at));
            self.lead_up();
            return;
        }
        self.situation.timeline.extend(fresh.iter().cloned());
        let Some(found) = &mut self.found else { return };
        let after = found.closed.is_some();
        match event {
            Some(Event::IncidentClosed { .. }) => found.closed = Some(entry.at),
            Some(Event::WatchEnded { run, verdict: Verdict::Stable, .. }) => {
                found.verified.entry(run.clone()).or_insert(entry.at);
            }
            Some(Event::EngineStopped { .. }) => self.stopped = Some(entry.at),
            Some(Event::EngineStarted { .. }) => {
                found.blind.extend(self.stopped.take().map(|since| (since, entry.at)));
            }
            // Which events matter besides, the fold has told.
            Some(_) | None => {}
        }
        found.began = self.situation.incident.as_ref().map_or(found.began, |one| one.began);
        if !after {
            found.moments.extend(fresh);
            found.judge(&self.situation);
        }
    }

    /// What was known before the first entry: the end of the timeline, and how things stood.
    fn lead_up(&mut self) {
        // A reader that starts at the opening knows what was before only from the entry behind it.
        let Some(found) = self.found.as_mut().filter(|found| found.moments.len() <= 1) else {
            return;
        };
        let from = found.opened - chrono::Duration::from_std(LEAD_UP).unwrap_or_default();
        let before = self.situation.timeline.iter().filter(|moment| moment.at >= from);
        found.moments = before.cloned().collect();
        found.judge(&self.situation);
    }

    /// The incident, when its opening was among the entries.
    pub fn finish(self) -> Option<Chronicle> {
        let mut found = self.found?;
        found.runs.extend(self.situation.run.clone());
        found.changes.clone_from(&self.situation.changes);
        found.moments.sort_by_key(|moment| moment.at);
        found.last = self.situation;
        Some(found)
    }
}

impl Chronicle {
    fn new(incident: IncidentId, why: SafeText, opened: Time) -> Self {
        Self {
            incident,
            why,
            opened,
            began: None,
            closed: None,
            worst: (Severity::None, Vec::new()),
            services: BTreeSet::new(),
            runs: Vec::new(),
            verified: BTreeMap::new(),
            changes: Vec::new(),
            moments: Vec::new(),
            blind: Vec::new(),
            last: Situation::default(),
        }
    }

    /// The incident of that number, from entries that hold its opening.
    pub fn of(incident: IncidentId, entries: &[Entry]) -> Option<Self> {
        let mut chronicler = Chronicler::new(incident);
        for entry in entries {
            chronicler.take(entry);
        }
        chronicler.finish()
    }

    /// Keeps the worst class and every service that users missed.
    fn judge(&mut self, situation: &Situation) {
        if let Some(assessment) = &situation.assessment
            && assessment.severity > self.worst.0
        {
            self.worst = (assessment.severity, assessment.because.clone());
        }
        let declared = &situation.judging.declared;
        for (id, card) in situation.counted() {
            if card.critical && card.status == Status::Fail {
                let service = declared.get(id).map(|known| known.service.clone());
                self.services.insert(service.unwrap_or_else(|| id.0.clone()));
            }
        }
    }

    /// The run that the reports are about: the last one that went well and took no other back,
    /// else the last one.
    pub fn run(&self) -> Option<&Run> {
        let done = |run: &&Run| {
            let ended = run.ended.as_ref();
            run.plan.undoes().is_none() && ended.is_some_and(|end| end.outcome == Outcome::Done)
        };
        self.runs.iter().rev().find(done).or(self.runs.last())
    }

    /// The four times; those that never were are not known.
    pub fn times(&self) -> Times {
        let run = self.run();
        let watch = run.and_then(|run| run.watch.as_ref());
        Times {
            detected: self.began.unwrap_or(self.opened),
            initiated: run.map(|run| run.started_at),
            completed: watch.map(|watch| watch.opened_at),
            verified: run.and_then(|run| self.verified.get(&run.id).copied()),
        }
    }

    /// The deploy that was taken back, as far as it is on record.
    pub fn suspect(&self) -> Option<&Change> {
        let run = self.run()?;
        self.changes.iter().find(|change| change.version == run.plan.core.from)
    }

    /// From the first to the last moment that a chart should show.
    pub fn span(&self) -> (Time, Time) {
        let times = self.times();
        let ended = self.run().and_then(|run| run.ended.as_ref()).map(|ended| ended.at);
        let last = [times.verified, ended, times.completed, times.initiated];
        let last = last.into_iter().flatten().max().or(self.closed);
        let last = last.or(self.last.at).unwrap_or(self.opened);
        let lasted = (last - times.detected).max(chrono::Duration::seconds(20));
        let before =
            (lasted / 3).clamp(chrono::Duration::seconds(20), chrono::Duration::minutes(15));
        let from = times.detected - before;
        // The deploy that came just before belongs into the picture.
        let deploy = self.changes.iter().map(|change| change.ended_at.unwrap_or(change.at));
        let deploy = deploy.filter(|at| *at <= times.detected).max();
        let deploy = deploy.filter(|at| times.detected - *at < chrono::Duration::minutes(15));
        let from = deploy.map_or(from, |at| from.min(at - before / 4));
        (from, last.max(times.detected) + before / 4)
    }
}
