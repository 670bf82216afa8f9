//! Which entries are something to tell.

use crate::text::{SafeText, fit};

use super::super::command::Command;
use super::super::entry::{Body, Entry, Event, Outcome};
use super::super::ids::incident_name;
use super::super::incident::Run;
use super::super::rule::book::{Fired, RuleState};
use super::super::rule::{Action, Mode};
use super::super::severity::Severity;
use super::super::situation::Situation;
use super::super::trigger_call::TriggerCall;
use super::{Notice, Occasion};

/// The longest line of a notice, in columns.
const WIDTH: usize = 300;

impl Situation {
    /// Notes what is to be told of an entry that was just folded in.
    pub(in crate::model) fn notice(&mut self, entry: &Entry) {
        match &entry.body {
            Body::Event(event) => self.notice_event(event, entry),
            Body::Command(_, Command::Trigger { call }) => self.notice_trigger(call, entry),
            Body::Command(_, Command::Acknowledge { thread }) => {
                self.acknowledge(thread.as_str(), entry);
            }
            Body::Command(..) | Body::Newer { .. } => {}
        }
        self.answered_waits(entry);
    }

    /// Says that something is wrong, until [`Situation::alert_over`]; what was said already is not
    /// said again.
    pub(in crate::model) fn alert(
        &mut self,
        name: &str,
        severity: Severity,
        text: &str,
        entry: &Entry,
    ) {
        self.tell(Occasion::Alert, &format!("alert {name}"), (severity, text), entry);
    }

    /// Says that what [`Situation::alert`] said is over.
    pub(in crate::model) fn alert_over(&mut self, name: &str, text: &str, entry: &Entry) {
        self.over(&format!("alert {name}"), text, entry);
    }

    fn notice_event(&mut self, event: &Event, entry: &Entry) {
        if let Event::Notified(end) = event {
            self.outbox.notified(end, entry.at);
        }
        if let Event::IncidentOpened { incident, why } = event {
            let name = incident_name(*incident);
            // One that another one took the place of is not closed by itself.
            let before: Vec<String> = self.open_threads(|name| name.starts_with("INC-"));
            for thread in before {
                self.over(&thread, &format!("it goes on as {name}"), entry);
            }
            let severity = self.severity_now();
            self.tell(Occasion::Incident, &name, (severity, why.as_str()), entry);
        }
        if let Event::IncidentClosed { why } = event {
            let name = incident_name(self.last_incident);
            self.over(&name, why.as_str(), entry);
        }
        if let Event::Assessed { assessment } = event
            && let Some(name) = self.incident.as_ref().map(|one| incident_name(one.id))
            && let Some(thread) = self.outbox.threads.get(&name)
            && assessment.severity > thread.severity
        {
            let because = assessment.because.first().map(SafeText::as_str).unwrap_or_default();
            let text = format!("now {}: {because}", assessment.severity.label());
            self.tell(Occasion::Worse, &name, (assessment.severity, &text), entry);
        }
        if let Event::RuleFired(fired) = event {
            self.notice_rule(fired, entry);
        }
        if let Event::RuleChanged { rule, state: RuleState::Quiet, .. } = event {
            self.alert_over(&format!("rule {rule}"), "it is not met any more", entry);
        }
        self.notice_run(event, entry);
    }

    /// A rule that acted tells people, louder each time that it has to again (P-10): level 1 is
    /// medium, 2 high, 3 critical, unless the rule says that it is worse.
    fn notice_rule(&mut self, fired: &Fired, entry: &Entry) {
        let text = fired.text.as_str();
        let text = match (fired.action, fired.mode) {
            (_, Mode::DryRun) | (Action::PreserveLogs, _) => return,
            (Action::Rollback, Mode::Propose) => format!("proposes level {}: {text}", fired.level),
            (Action::Rollback, Mode::Enforce) => {
                let at = fired.starts_at.map(|at| at.format(" at %H:%M:%SZ").to_string());
                format!("rolls back{} unless somebody vetoes: {text}", at.unwrap_or_default())
            }
            (Action::Alert | Action::Escalate, _) => text.to_owned(),
        };
        let by_level = match self.rules.cards.get(&fired.rule).map_or(1, |card| card.raised) {
            0 | 1 => Severity::Medium,
            2 => Severity::High,
            _ => Severity::Critical,
        };
        let severity = by_level.max(fired.severity.unwrap_or(Severity::Medium));
        let thread = format!("alert rule {}", fired.rule);
        let known = self.outbox.threads.get(&thread).filter(|known| known.closed.is_none());
        let worse = known.is_some_and(|known| severity > known.severity);
        let occasion = if worse { Occasion::Worse } else { Occasion::Alert };
        self.tell(occasion, &thread, (severity, &text), entry);
    }

    fn notice_run(&mut self, event: &Event, entry: &Entry) {
        let about = matches!(
            event,
            Event::RunStarted { .. } | Event::NeedsPerson { .. } | Event::RunEnded { .. }
        );
        let Some(run) = self.run.clone().filter(|_| about) else { return };
        let name = incident_name(self.last_incident);
        let core = &run.plan.core;
        let way = format!("run {} level {} {} -> {}", run.id, core.level, core.from, core.to);
        let severity = self.severity_told(&name);
        if matches!(event, Event::RunStarted { .. }) {
            let text = format!("{way} starts, approved by {}: {}", run.by, run.reason);
            self.tell(Occasion::Start, &name, (severity, &text), entry);
        }
        if let Event::NeedsPerson { why, .. } = event {
            let text = format!("run {} WAITS FOR A PERSON: {why}; backout attach", run.id);
            let severity = severity.max(Severity::High);
            self.tell(Occasion::Waiting, &waiting(&name, &run), (severity, &text), entry);
        }
        if let (Event::RunEnded { outcome, why, .. }, None) = (event, run.plan.undoes()) {
            let occasion = match outcome {
                Outcome::Done => Occasion::End,
                Outcome::Failed | Outcome::Aborted | Outcome::Undone | Outcome::Unknown => {
                    Occasion::Failure
                }
            };
            let failed = occasion == Occasion::Failure;
            let severity = if failed { severity.max(Severity::High) } else { severity };
            self.tell(
                occasion,
                &name,
                (severity, &format!("{way} {}: {why}", outcome.words())),
                entry,
            );
        } else if let Event::RunEnded { outcome, why, .. } = event {
            // Taking a rollback back is told too, but it is no rollback that ended well.
            let text = format!("{way} takes a rollback back: {}: {why}", outcome.words());
            self.tell(Occasion::Failure, &name, (severity, &text), entry);
        }
    }

    fn notice_trigger(&mut self, call: &TriggerCall, entry: &Entry) {
        // One that asks for a rollback is told as the incident that it opens.
        if call.over {
            self.alert_over(call.name.as_str(), call.message.as_str(), entry);
        } else if !call.rollback {
            let (name, text) = (call.name.clone(), call.message.clone());
            self.alert(name.as_str(), call.severity, text.as_str(), entry);
        }
    }

    /// A person looks after a thread, or after all that are open; the waits within an incident
    /// are part of it.
    fn acknowledge(&mut self, wanted: &str, entry: &Entry) {
        let within = format!("{wanted} ");
        let found = self
            .open_threads(|name| wanted.is_empty() || name == wanted || name.starts_with(&within));
        let who = entry.author.name.clone();
        for name in found {
            let Some(thread) = self.outbox.threads.get_mut(&name) else { continue };
            if thread.acknowledged.is_some() {
                continue;
            }
            thread.acknowledged = Some((who.clone(), entry.at));
            let severity = thread.severity;
            let text = format!("{who} looks after it");
            self.tell(Occasion::Acknowledged, &name, (severity, &text), entry);
            self.moment(entry.at, &format!("{who} looks after {name}"));
        }
    }

    /// Waits that a person has answered, or that the run's end has.
    fn answered_waits(&mut self, entry: &Entry) {
        let waits = |thread: &super::Thread| {
            thread.occasion == Occasion::Waiting && thread.closed.is_none()
        };
        if !self.outbox.threads.values().any(waits) {
            return;
        }
        let open = self.run.as_ref().filter(|run| run.ended.is_none());
        let name = incident_name(self.last_incident);
        let now = open.filter(|run| run.waiting.is_some()).map(|run| waiting(&name, run));
        let gone = self.open_threads(|name| {
            name.contains(" waiting ") && now.as_ref().is_none_or(|now| now != name)
        });
        for thread in gone {
            self.over(&thread, "it waits no more", entry);
        }
    }

    fn over(&mut self, thread: &str, text: &str, entry: &Entry) {
        let known = self.outbox.threads.get(thread);
        if let Some(severity) = known.filter(|known| known.closed.is_none()).map(|one| one.severity)
        {
            self.tell(Occasion::Resolved, thread, (severity, text), entry);
        }
    }

    fn open_threads(&self, which: impl Fn(&str) -> bool) -> Vec<String> {
        let open = self.outbox.threads.iter().filter(|(_, thread)| thread.closed.is_none());
        open.map(|(name, _)| name.clone()).filter(|name| which(name)).collect()
    }

    fn severity_now(&self) -> Severity {
        self.assessment.as_ref().map_or(Severity::None, |known| known.severity)
    }

    /// The worst class that the thread had: it does not get better because a rollback began.
    fn severity_told(&self, thread: &str) -> Severity {
        let told = self.outbox.threads.get(thread).map_or(Severity::None, |one| one.severity);
        told.max(self.severity_now())
    }

    fn tell(
        &mut self,
        occasion: Occasion,
        thread: &str,
        (severity, text): (Severity, &str),
        entry: &Entry,
    ) {
        // What is said already is not said again.
        let known = self.outbox.threads.get(thread);
        if occasion.begins() && known.is_some_and(|known| known.closed.is_none()) {
            return;
        }
        let mut key = format!("{}-{}", self.journal, entry.seq);
        let mut count = 1;
        while self.outbox.notices.iter().any(|notice| notice.key == key) {
            count += 1;
            key = format!("{}-{}.{count}", self.journal, entry.seq);
        }
        let about_run = !thread.starts_with("alert ");
        let run = self.run.as_ref().filter(|_| about_run).map(|run| run.id.clone());
        self.outbox.push(Notice {
            key,
            thread: thread.to_owned(),
            occasion,
            severity,
            at: entry.at,
            incident: if about_run { self.last_incident } else { 0 },
            run,
            text: SafeText::new(&fit(text, WIDTH)),
            done: std::collections::BTreeSet::new(),
        });
    }
}

/// The thread of what a run waits for.
fn waiting(incident: &str, run: &Run) -> String {
    let step = run.waiting.as_ref().and_then(|waiting| waiting.step.as_ref());
    let attempt = step.and_then(|step| run.step(step)).map_or(0, |state| state.attempt);
    let step = step.map_or("verdict", |step| step.as_str());
    format!("{incident} waiting {} {step} {attempt}", run.id)
}
