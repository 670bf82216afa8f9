//! The fold: entries in, the state of the environment out. The same for every reader.

use crate::text::SafeText;

use super::deploys::Pin;
use super::entry::{Body, Change, Command, Entry, Event, FORMAT};
use super::ids::{CheckId, CommandId, NodeId, StepId, Time};
use super::incident::StepPhase;
use super::overrule::Overrule;
use super::reading::{Reason, Status};
use super::severity::Severity;
use super::situation::{CheckCard, EngineCard, Moment, Situation};
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
        self.notice(entry);
    }

    #[expect(clippy::too_many_lines, reason = "one arm a command, so that none is forgotten")]
    fn command(&mut self, id: &CommandId, command: &Command, entry: &Entry) {
        bounded(&mut self.answered, id.clone(), 256);
        let who = entry.author.name.clone();
        match command {
            Command::Answer { node, answer, .. } => {
                let said =
                    Said { answer: *answer, by: who.clone(), uid: entry.author.uid, at: entry.at };
                self.answered(node, said);
            }
            Command::Overrule { class, reason, .. } => {
                self.overruled(*class, who, reason.clone(), entry.at);
            }
            Command::Abort { verb } => {
                self.decided_under_this_boot();
                if let Some(run) = self.run.as_mut().filter(|run| run.ended.is_none()) {
                    run.abort = Some(*verb);
                    run.look_anew();
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
                self.step_done(step, entry.at);
            }
            Command::Plan { level, .. } => {
                self.refused = None;
                self.plan.take_if(|open| open.plan.undoes().is_some());
                self.moment(entry.at, &format!("{who} asks for a plan of level {level}"));
            }
            Command::Approve { reason, .. } => {
                self.moment(entry.at, &format!("{who} types ROLLBACK: {reason}"));
            }
            Command::TakeLead { reason } => {
                self.moment(entry.at, &format!("{who} wants the lead: {reason}"));
            }
            Command::HandLead { name, note, .. } => {
                self.moment(entry.at, &format!("{who} hands the lead to {name}: {note}"));
            }
            // The events that follow say what came of these.
            Command::Resume { .. }
            | Command::Choose { .. }
            | Command::Pause
            | Command::Note { .. }
            | Command::Detach
            | Command::Export { .. }
            | Command::Deploy { .. }
            // What is told of it is noted behind the fold.
            | Command::Acknowledge { .. }
            | Command::Close => {}
            Command::Trigger { call } => self.trigger_called(id, call, entry),
            Command::Hold { .. }
            | Command::Unhold { .. }
            | Command::Release { .. }
            | Command::HandOver { .. } => self.hold_command(command, entry),
            Command::Lock { .. } | Command::Unlock { .. } | Command::EmergencyStop { .. } => {
                self.lock_command(command, entry);
            }
            Command::Pin { point, reason } => {
                let pin = Pin { by: who.clone(), at: entry.at, reason: reason.clone() };
                self.take_pin(point, Some(pin));
                self.moment(entry.at, &format!("{who} pins {point}: {reason}"));
            }
            Command::Unpin { point } => {
                self.take_pin(point, None);
                self.moment(entry.at, &format!("{who} unpins {point}"));
            }
            Command::PlanUndo { run } => {
                self.refused = None;
                self.plan = None;
                self.moment(entry.at, &format!("{who} asks for a plan that takes {run} back"));
            }
            Command::EndWatch { .. } => {
                if let Some(run) = &mut self.run {
                    run.accept_verdict();
                }
            }
            Command::Veto { rule, reason } => {
                self.vetoed(rule.as_str(), &entry.author, reason, entry.at);
            }
            Command::Freeze { until, reason } => {
                self.freeze(*until, &entry.author, reason, entry.at);
            }
            Command::Tick { item, done, note } => self.tick(*item, *done, note, entry),
            Command::Inform { note } => self.informed(note, entry),
            Command::Guide { guide, step, deed, .. } => {
                self.guide_begun((guide, *step), &who, deed, entry);
            }
            Command::Since { .. }
            | Command::Mute { .. }
            | Command::Unmute { .. }
            | Command::Override { .. }
            | Command::Unset { .. } => self.judge_command(command, entry),
        }
    }

    /// Takes an answer, except that who reported a breach cannot release it (S-53).
    fn answered(&mut self, node: &NodeId, said: Said) {
        let who = said.by.clone();
        let breach = self.breach().filter(|_| node.as_str() == BREACH).map(|breach| breach.uid);
        match (breach, said.answer) {
            (Some(uid), Answer::No) if uid != said.uid => {
                self.moment(said.at, &format!("security_release by {who}: no breach any more"));
            }
            (Some(_), Answer::No | Answer::Unknown) => {
                let text = format!("{who} cannot end the breach: another person releases it");
                self.moment(said.at, &text);
                return;
            }
            // Whoever said it first is the one who cannot release it.
            (Some(_), Answer::Yes) => return,
            (None, _) => {}
        }
        self.moment(said.at, &format!("{who} answers node {node}: {}", said.answer.words()));
        self.said.insert(node.clone(), said);
    }

    fn overruled(&mut self, class: Option<Severity>, by: SafeText, reason: SafeText, at: Time) {
        let said = class.map_or("as measured", Severity::label);
        self.moment(at, &format!("{by} says severity {said}: {reason}"));
        // What counted until now may be somebody's word already: what was measured then still is.
        let before = self.overrule.take();
        let shown = self.assessment.as_ref().map_or(Severity::None, |known| known.severity);
        let measured = before.map_or(shown, |before| before.measured);
        self.overrule = class.map(|class| Overrule { class, measured, by, reason, at });
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
                state.ended_at = Some(entry.at);
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
            Event::PointRecorded { point } => self.take_record(point),
            Event::ReleasesSeen { releases } => self.deploys.releases.clone_from(releases),
            Event::LevelsJudged { cards } => self.levels.clone_from(cards),
            Event::IncidentOpened { .. } | Event::IncidentClosed { .. } => {
                self.incident_event(event, at);
            }
            Event::LeadTaken { .. }
            | Event::LeadAsked { .. }
            | Event::LeadLost
            | Event::Notified(_)
            | Event::HookRan { .. } => self.people_event(event, entry),
            Event::ApprovalAsked(_) => self.approval_asked(event, entry),
            Event::SeverityDeadline => {
                self.deadline_passed = true;
                self.moment(at, "the time for a forward fix is over");
            }
            Event::PlanMade { .. } | Event::PlanRefused { .. } | Event::PreflightChanged { .. } => {
                self.plan_event(event, at);
            }
            Event::LeftoverNoted { leftover } => {
                self.leftover_noted(leftover, entry);
            }
            Event::LeftoverReleased { name, .. } => {
                self.leftovers.retain(|other| &other.name != name);
            }
            Event::HoldStarted(_) | Event::HoldEnded { .. } => self.hold_event(event, entry),
            Event::LockTaken { .. } | Event::LockReleased { .. } => self.lock_event(event, entry),
            Event::Noted { by, text } => self.moment(at, &format!("note by {by}: {text}")),
            Event::Trouble { text } => {
                bounded(&mut self.troubles, Moment { at, text: text.clone() }, 8);
                self.moment(at, text.as_str());
            }
            Event::BundleMade { .. } => self.bundle_event(event, at),
            Event::GuideEnded { guide, step, end, tail } => {
                self.guide_ended((guide, *step), end, tail, at);
            }
            Event::RulesDeclared { .. }
            | Event::RuleChanged { .. }
            | Event::RuleFired(_)
            | Event::RuleHeld { .. }
            | Event::ProposalWithdrawn { .. }
            | Event::FreezeEnded
            | Event::ConfigurationRead { .. } => self.rule_event(event, at),
            Event::ChecksDeclared { .. }
            | Event::Muted { .. }
            | Event::MuteEnded { .. }
            | Event::Overridden { .. }
            | Event::OverrideEnded { .. }
            | Event::LineDoubted { .. }
            | Event::FlappingChanged { .. }
            | Event::BaselineTaken { .. } => self.judge_event(event, at),
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
            | Event::LossMeasured { .. }
            | Event::Chosen { .. }
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
        if let Some(line) = self.take_change(change) {
            self.late_moment(change.ended_at.unwrap_or(change.at), &line);
        }
    }

    fn check_changed(&mut self, at: Time, check: &CheckId, card: CheckCard) {
        // A look that has yet to come is no news, and neither is its being good.
        let unseen = |card: &CheckCard| card.reason == Some(Reason::NeverRan);
        let first = self.checks.get(check).is_none_or(unseen);
        let quiet = card.status == Status::Warn
            || unseen(&card)
            || (first && card.status == Status::Ok)
            || self.muted(check).is_some();
        if !quiet {
            self.moment(at, &format!("{check} {} {}", card.status.words(), card.note));
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

pub(super) fn bounded<T>(list: &mut Vec<T>, item: T, bound: usize) {
    if list.len() >= bound {
        list.remove(0);
    }
    list.push(item);
}
