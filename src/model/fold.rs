//! The fold: entries in, the state of the environment out. The same for every reader.

use crate::text::SafeText;

use super::entry::{Body, Change, Command, Entry, Event, FORMAT};
use super::ids::{CheckId, CommandId, NodeId, StepId, Time};
use super::incident::{Incident, StepPhase};
use super::reading::Status;
use super::situation::{CheckCard, EngineCard, Lead, Moment, OpenPlan, RefusedPlan, Situation};
use super::tree::{Answer, Assessment, BREACH, Said};

/// Lines of the timeline that are kept.
const MOMENTS: usize = 200;

impl Situation {
    /// Folds one entry in. Entries come in order; one that is already in is ignored.
    pub fn apply(&mut self, entry: &Entry) {
        if entry.seq <= self.seq && self.seq > 0 {
            return;
        }
        if let Body::Event(event) = &entry.body
            && let Event::Carried { situation } = event.as_ref()
        {
            *self = (**situation).clone();
            self.seq = entry.seq;
            self.epoch = self.epoch.max(entry.epoch);
            return;
        }
        self.seq = entry.seq;
        self.at = Some(entry.at);
        self.epoch = self.epoch.max(entry.epoch);
        self.newer |= entry.v > FORMAT;
        match &entry.body {
            Body::Command(id, command) => self.command(id, command, entry),
            Body::Event(event) => self.event(event, entry),
            Body::Newer { kind, .. } => {
                self.newer = true;
                self.moment(entry.at, &format!("a newer backout wrote {kind}"));
            }
        }
    }

    fn command(&mut self, id: &CommandId, command: &Command, entry: &Entry) {
        bounded(&mut self.answered, id.clone(), 256);
        let who = entry.author.name.clone();
        match command {
            Command::Answer { node, answer, .. } => {
                let said =
                    Said { answer: *answer, by: who.clone(), uid: entry.author.uid, at: entry.at };
                self.answered(node, said);
            }
            Command::Abort { verb } => {
                if let Some(run) = self.run.as_mut().filter(|run| run.ended.is_none()) {
                    run.abort = Some(*verb);
                    run.waiting = None;
                }
                self.moment(entry.at, &format!("{who} aborts: {}", verb.words()));
            }
            Command::Retry { step, reason, .. } => {
                self.decided(entry, step, StepPhase::Waiting, "tries again", reason);
            }
            Command::Skip { step, reason, .. } => {
                let phase = StepPhase::Skipped(SafeText::new(&format!("{who}: {reason}")));
                self.decided(entry, step, phase, "leaves out", reason);
            }
            Command::MarkDone { step, reason, .. } => {
                self.decided(entry, step, StepPhase::Done, "marks as done by hand", reason);
            }
            Command::Plan { level, .. } => {
                self.refused = None;
                self.moment(entry.at, &format!("{who} asks for a plan of level {level}"));
            }
            Command::Approve { reason, .. } => {
                self.moment(entry.at, &format!("{who} types ROLLBACK: {reason}"));
            }
            Command::TakeLead { reason } => {
                self.moment(entry.at, &format!("{who} takes the lead: {reason}"));
            }
            // The events that follow say what came of these.
            Command::Resume { .. }
            | Command::Pause
            | Command::Note { .. }
            | Command::Detach
            | Command::Close => {}
            Command::EndWatch { .. } => {
                if let Some(run) = &mut self.run {
                    run.accept_verdict();
                }
            }
        }
    }

    /// Takes an answer, except that who reported a breach cannot release it (S-53).
    fn answered(&mut self, node: &NodeId, said: Said) {
        let who = said.by.clone();
        let own = self.breach().is_some_and(|breach| breach.uid == said.uid);
        if node.as_str() == BREACH && own && said.answer != Answer::Yes {
            self.moment(said.at, &format!("{who} reported the breach: another person releases it"));
            return;
        }
        self.moment(said.at, &format!("{who} answers node {node}: {}", said.answer.words()));
        self.said.insert(node.clone(), said);
    }

    fn decided(
        &mut self,
        entry: &Entry,
        step: &StepId,
        phase: StepPhase,
        verb: &str,
        reason: &SafeText,
    ) {
        if let Some(run) = self.run.as_mut() {
            run.answered(step);
            if let Some(state) = run.step_mut(step) {
                state.phase = phase;
                state.looked = None;
                state.epoch = entry.epoch;
                state.note = SafeText::new(&format!("{} {verb}: {reason}", entry.author.name));
            }
        }
        self.moment(entry.at, &format!("{} {verb} {step}: {reason}", entry.author.name));
    }

    fn event(&mut self, event: &Event, entry: &Entry) {
        let at = entry.at;
        match event {
            Event::EngineStarted { .. } | Event::EngineStopped { .. } => {
                self.engine_event(event, at);
            }
            Event::Carried { .. } => {}
            Event::CheckChanged { check, status, reason, note, since, critical } => {
                let (status, reason, since) = (*status, *reason, *since);
                let (note, critical) = (note.clone(), *critical);
                self.check_changed(at, check, CheckCard { status, reason, since, note, critical });
            }
            Event::Assessed { assessment } => self.assessed(at, assessment),
            Event::ChangeSeen { change } => self.change_seen(change),
            Event::HelpTested { test } => self.help = Some(test.clone()),
            Event::PointsSeen { points } => self.points.clone_from(points),
            Event::LevelsJudged { cards } => self.levels.clone_from(cards),
            Event::IncidentOpened { .. } | Event::IncidentClosed { .. } => {
                self.incident_event(event, at);
            }
            Event::LeadTaken { who, term } => {
                self.lead = Some(Lead { who: who.clone(), term: *term, lost_at: None });
                self.moment(at, &format!("{} leads", who.name));
            }
            Event::LeadLost => {
                if let Some(lead) = &mut self.lead {
                    lead.lost_at = Some(at);
                }
            }
            Event::SeverityDeadline => {
                self.deadline_passed = true;
                self.moment(at, "the time for a forward fix is over");
            }
            Event::PlanMade { .. } | Event::PlanRefused { .. } | Event::PreflightChanged { .. } => {
                self.plan_event(event, at);
            }
            Event::LeftoverNoted { leftover } => {
                self.leftovers.retain(|other| other.name != leftover.name);
                self.leftovers.push(leftover.clone());
            }
            Event::LeftoverReleased { name, .. } => {
                self.leftovers.retain(|other| &other.name != name);
            }
            Event::Noted { by, text } => self.moment(at, &format!("note by {by}: {text}")),
            Event::Trouble { text } => {
                bounded(&mut self.troubles, Moment { at, text: text.clone() }, 8);
                self.moment(at, text.as_str());
            }
            Event::RunStarted { .. }
            | Event::StepStarted { .. }
            | Event::StepLooked { .. }
            | Event::StepEnded { .. }
            | Event::Paused
            | Event::Resumed
            | Event::CriteriaMeasured { .. }
            | Event::WatchOpened { .. }
            | Event::WatchEnded { .. }
            | Event::RunEnded { .. }
            | Event::NeedsPerson { .. } => self.run_event(event, entry),
        }
    }

    fn engine_event(&mut self, event: &Event, at: Time) {
        if let Event::EngineStopped { why } = event {
            if let Some(engine) = &mut self.engine {
                engine.stopped = true;
            }
            self.moment(at, &format!("engine stopped: {why}"));
        }
        let Event::EngineStarted {
            journal,
            pid,
            host,
            boot,
            version,
            environment,
            production,
            config,
        } = event
        else {
            return;
        };
        let again = self.engine.as_ref().is_some_and(|engine| !engine.stopped);
        self.journal = journal.clone();
        self.engine = Some(EngineCard {
            pid: *pid,
            host: host.clone(),
            boot: boot.clone(),
            version: version.clone(),
            environment: environment.clone(),
            production: *production,
            config: config.clone(),
            since: at,
            stopped: false,
        });
        if again {
            self.moment(at, &format!("engine restarted, pid {pid}"));
        }
    }

    fn change_seen(&mut self, change: &Change) {
        // A new engine reports what it sees; the same deploy is one change.
        if self.changes.contains(change) {
            return;
        }
        let (version, by, reference) = (&change.version, &change.by, &change.reference);
        self.late_moment(change.at, &format!("deploy {version} by {by} ({reference})"));
        self.changes.push(change.clone());
        self.changes.sort_by_key(|change| std::cmp::Reverse(change.at));
        self.changes.truncate(8);
    }

    fn incident_event(&mut self, event: &Event, at: Time) {
        if let Event::IncidentOpened { incident, why } = event {
            let (id, why_opened) = (*incident, why.clone());
            self.incident = Some(Incident { id, opened_at: at, why: why_opened, runs: 0 });
            self.last_incident = id;
            // The plan on the table stays: it may be the very reason why this was opened.
            self.run = None;
            self.deadline_passed = false;
            self.moment(at, &format!("incident opened: {why}"));
        }
        if let Event::IncidentClosed { why } = event {
            self.incident = None;
            self.plan = None;
            // What was found out about this one says nothing about the next.
            self.said.clear();
            self.help = None;
            self.refused = None;
            self.moment(at, &format!("incident closed: {why}"));
        }
    }

    fn plan_event(&mut self, event: &Event, at: Time) {
        if let Event::PlanMade { plan, by, preflight } = event {
            let digest = plan.digest();
            self.moment(at, &format!("plan {} made for {by}", digest.short()));
            self.refused = None;
            self.plan = Some(OpenPlan {
                digest,
                plan: (**plan).clone(),
                by: by.clone(),
                preflight: preflight.clone(),
            });
        }
        if let Event::PlanRefused { level, why, offer } = event {
            self.moment(at, &format!("level {level} refused: {why}"));
            self.refused = Some(RefusedPlan { at, level: *level, why: why.clone(), offer: *offer });
            self.plan = None;
        }
        if let Event::PreflightChanged { plan, preflight } = event
            && let Some(open) = self.plan.as_mut().filter(|open| &open.digest == plan)
        {
            open.preflight.clone_from(preflight);
        }
    }

    fn check_changed(&mut self, at: Time, check: &CheckId, card: CheckCard) {
        let word = match card.status {
            Status::Ok => "ok",
            Status::Warn => "WARN",
            Status::Fail => "FAIL",
            Status::Unknown => "UNKN",
        };
        let first = !self.checks.contains_key(check);
        if card.status != Status::Warn && !(first && card.status == Status::Ok) {
            self.moment(at, &format!("{check} {word} {}", card.note));
        }
        self.checks.insert(check.clone(), card);
    }

    fn assessed(&mut self, at: Time, assessment: &Assessment) {
        let before = self.assessment.as_ref().map(|before| before.severity);
        if before != Some(assessment.severity) {
            self.moment(at, &format!("severity {}", assessment.severity.label()));
        }
        let clock = self.assessment.as_ref().and_then(|before| before.deadline);
        if clock != assessment.deadline {
            self.deadline_passed = false;
        }
        self.assessment = Some(assessment.clone());
    }

    pub(super) fn moment(&mut self, at: Time, text: &str) {
        self.moment_before(0, at, text);
    }

    /// What is noticed late stands where it happened.
    fn late_moment(&mut self, at: Time, text: &str) {
        let later = self.timeline.iter().rev();
        let later = later.take_while(|other| other.at > at).count();
        if later < MOMENTS {
            self.moment_before(later, at, text);
        }
    }

    fn moment_before(&mut self, later: usize, at: Time, text: &str) {
        let text = SafeText::new(text);
        let place = self.timeline.len().saturating_sub(later);
        self.timeline.insert(place, Moment { at, text });
        if self.timeline.len() > MOMENTS {
            self.timeline.remove(0);
        }
    }
}

fn bounded<T>(list: &mut Vec<T>, item: T, bound: usize) {
    if list.len() >= bound {
        list.remove(0);
    }
    list.push(item);
}
