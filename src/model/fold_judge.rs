//! The fold of what the judgement rests on beside the readings: mutes, changed values, our own
//! line, flapping, the baseline of the last deploy, and when an incident really began.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::bearing::Dimension;
use super::compare::Baseline;
use super::entry::{Command, Entry, Event, Leftover};
use super::ids::{CheckId, Time};
use super::leftover::About;
use super::line::LineDoubt;
use super::mute::{LONGEST, Mute, Override};
use super::plan::StepSpec;
use super::reading::Status;
use super::situation::{CheckCard, Situation};

/// What the judgement rests on beside the readings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Judging {
    /// The checks that are configured, with service and group.
    pub declared: BTreeMap<CheckId, Declared>,
    /// What is left out for a while.
    pub mutes: Vec<Mute>,
    /// Windows that a person lifted, and until when they would have held.
    pub lifted: BTreeMap<String, Time>,
    /// Values that a person changed for a while.
    pub overrides: Vec<Override>,
    /// Why our own line is in doubt.
    pub line: Option<LineDoubt>,
    /// Checks that change too often to be followed.
    pub flapping: BTreeSet<CheckId>,
    /// How it was before the last deploy.
    pub baseline: Option<Baseline>,
}

/// What a check is, as configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// Its service.
    pub service: String,
    /// Its group (P-86).
    pub dimension: Dimension,
}

impl Situation {
    /// The mute that covers a check.
    pub fn muted(&self, check: &CheckId) -> Option<&Mute> {
        self.judging.mutes.iter().find(|mute| mute.covers(check))
    }

    /// What was stopped on purpose and is kept, when that is what a check looks at: a rollback has
    /// stopped the version that it looks at, and users feel nothing of it.
    pub fn stopped(&self, check: &CheckId) -> Option<&Leftover> {
        let service = &self.judging.declared.get(check)?.service;
        let felt = self.checks.get(check).is_some_and(|card| card.critical);
        let about = |left: &&Leftover| match &left.about {
            Some(About::Stopped(color)) => color.as_str() == service,
            Some(
                About::Hold(_)
                | About::Workers(_)
                | About::Path(_)
                | About::Lock(_)
                | About::Frozen(_),
            )
            | None => false,
        };
        self.leftovers.iter().find(about).filter(|_| !felt)
    }

    /// The checks that count: those that are not switched off, that nobody muted, and whose service
    /// was not stopped on purpose.
    pub fn counted(&self) -> impl Iterator<Item = (&CheckId, &CheckCard)> {
        self.checks.iter().filter(|(id, card)| {
            let down = card.status != Status::Ok && self.stopped(id).is_some();
            !card.off() && self.muted(id).is_none() && !down
        })
    }

    /// How many checks are muted now.
    pub fn muted_count(&self) -> usize {
        self.checks.keys().filter(|id| self.muted(id).is_some()).count()
    }

    /// Why nothing may start by itself: our own line is down, or looks like it.
    pub fn automatic_held(&self) -> Option<&LineDoubt> {
        self.judging.line.as_ref()
    }

    pub(super) fn judge_command(&mut self, command: &Command, entry: &Entry) {
        let who = &entry.author.name;
        if let Command::Since { at, reason } = command
            && let Some(incident) = &mut self.incident
        {
            incident.began = Some(*at);
            let began = at.format("%H:%M:%SZ");
            self.moment(entry.at, &format!("{who} says it began {began}: {reason}"));
        }
        // What follows from the others is in the events behind them.
        if let Command::Unmute { name } = command {
            self.unmute(name, &format!("{who} ends it"), entry.at);
        }
        if let Command::Unset { check } = command {
            self.unset(check, &format!("{who} ends it"), entry.at);
        }
    }

    pub(super) fn judge_event(&mut self, event: &Event, at: Time) {
        if let Event::ChecksDeclared { checks, first, last } = event {
            self.declared(checks, *first, *last);
        }
        if let Event::Muted { mute } = event {
            self.judging.mutes.retain(|other| other.name != mute.name);
            self.judging.mutes.push(mute.clone());
            self.moment(at, &format!("muted: {}", mute.words()));
        }
        if let Event::MuteEnded { name } = event {
            self.unmute(name, "its time is over", at);
        }
        if let Event::Overridden { change } = event {
            self.override_with(change.clone(), at);
        }
        if let Event::OverrideEnded { check } = event {
            self.unset(check, "its time is over", at);
        }
        if let Event::LineDoubted { doubt } = event {
            let text = match doubt {
                Some(doubt) if doubt.proven => format!("our own line is down: {}", doubt.why),
                Some(doubt) => format!("is it us? {}", doubt.why),
                None => "our own line is not in doubt any more".to_owned(),
            };
            self.moment(at, &text);
            self.judging.line.clone_from(doubt);
        }
        if let Event::FlappingChanged { check, flapping } = event {
            self.flapping(check, *flapping, at);
        }
        if let Event::BaselineTaken { baseline } = event {
            self.judging.baseline = Some((**baseline).clone());
        }
    }

    fn flapping(&mut self, check: &CheckId, flapping: bool, at: Time) {
        if flapping {
            self.judging.flapping.insert(check.clone());
            self.moment(at, &format!("{check} flaps"));
            return;
        }
        self.judging.flapping.remove(check);
        let card = self.checks.get(check);
        let stands = card.map_or("", |card| card.status.words()).to_owned();
        self.moment(at, &format!("{check} flaps no more: {stands}"));
    }

    /// Forgets checks that are no longer configured: nobody looks at them any more.
    fn declared(&mut self, checks: &BTreeMap<CheckId, Declared>, first: bool, last: bool) {
        if first {
            self.judging.declared.clear();
        }
        self.judging.declared.extend(checks.clone());
        let declared = &self.judging.declared;
        if last {
            self.checks.retain(|id, _| declared.contains_key(id));
            self.judging.flapping.retain(|id| declared.contains_key(id));
        }
    }

    /// Checks in one entry of a declaration: an entry is at most 64 KiB.
    pub const PART: usize = 300;

    fn unmute(&mut self, name: &SafeText, why: &str, at: Time) {
        let Some(place) = self.judging.mutes.iter().position(|mute| &mute.name == name) else {
            return;
        };
        let mute = self.judging.mutes.remove(place);
        if at < mute.until {
            self.judging.lifted.insert(mute.name.to_string(), mute.until);
        }
        self.judging.lifted.retain(|_, until| *until > at);
        self.moment(at, &format!("no longer muted: {name}, {why}"));
    }

    fn override_with(&mut self, change: Override, at: Time) {
        self.moment(at, &format!("changed for a while: {}", change.words()));
        self.judging.overrides.retain(|other| other.check != change.check);
        self.judging.overrides.push(change);
    }

    /// What a step that is done makes right at the checks, or makes as configured again.
    pub(super) fn expects(&mut self, spec: &StepSpec, by: &SafeText, at: Time) {
        for (check, status) in &spec.expected_status {
            let Some(status) = status else {
                self.unset(check, &format!("{} is done", spec.id), at);
                continue;
            };
            let change = Override {
                check: check.clone(),
                set: vec![("expected_status".to_owned(), status.clone())],
                by: by.clone(),
                reason: SafeText::new(&format!("{} is in force", spec.id)),
                until: at + LONGEST,
            };
            self.override_with(change, at);
        }
    }

    fn unset(&mut self, check: &CheckId, why: &str, at: Time) {
        let before = self.judging.overrides.len();
        self.judging.overrides.retain(|change| &change.check != check);
        if self.judging.overrides.len() < before {
            self.moment(at, &format!("{check} is as configured again: {why}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::StepEnd;
    use super::super::sample::*;
    use super::*;

    fn mute(name: &str, checks: &[&str], all: bool) -> Mute {
        Mute {
            name: name.into(),
            checks: checks.iter().map(|id| CheckId::from(*id)).collect(),
            all,
            by: "alice".into(),
            reason: "deploy".into(),
            since: at(0),
            until: at(1800),
        }
    }

    fn failing(tape: &mut Tape, id: &str) {
        tape.event(Event::CheckChanged {
            check: id.into(),
            status: Status::Fail,
            reason: None,
            note: "503".into(),
            since: at(0),
            critical: true,
        });
    }

    #[test]
    fn a_check_of_what_was_stopped_on_purpose_does_not_count_unless_users_feel_it() {
        let mut tape = Tape::new();
        for (id, critical) in [("green_direct", false), ("green_users", true), ("web", false)] {
            failing(&mut tape, id);
            let service = if id == "web" { "web" } else { "green" }.to_owned();
            let dimension = Dimension::default();
            let known = Declared { service, dimension };
            tape.situation.judging.declared.insert(id.into(), known);
            if let Some(card) = tape.situation.checks.get_mut(&CheckId::from(id)) {
                card.critical = critical;
            }
        }
        assert_eq!(tape.situation.counted().count(), 3);
        let leftover = Leftover {
            name: "green stopped, kept".into(),
            about: Some(About::Stopped("green".into())),
            ..Leftover::default()
        };
        tape.event(Event::LeftoverNoted { leftover });
        let counted: Vec<&str> = tape.situation.counted().map(|(id, _)| id.as_str()).collect();
        assert_eq!(counted, ["green_users", "web"]);
    }

    #[test]
    fn a_mute_covers_its_checks_until_it_ends_and_its_author_is_on_the_timeline() {
        let mut tape = Tape::new();
        failing(&mut tape, "api");
        failing(&mut tape, "web");
        tape.event(Event::Muted { mute: mute("api", &["api"], false) });
        assert_eq!(tape.situation.muted_count(), 1);
        assert_eq!(tape.situation.counted().count(), 1);
        let last = tape.situation.timeline.last().unwrap().text.to_string();
        assert!(last.contains("alice: deploy"), "{last}");
        tape.event(Event::MuteEnded { name: "api".into() });
        assert_eq!(tape.situation.muted_count(), 0);
        tape.event(Event::Muted { mute: mute("all", &[], true) });
        assert_eq!(tape.situation.counted().count(), 0);
        tape.command(Command::Unmute { name: "all".into() });
        assert_eq!(tape.situation.counted().count(), 2);
        assert!(tape.situation.judging.lifted.contains_key("all"), "a window stays lifted");
    }

    #[test]
    fn what_a_step_makes_right_at_a_check_is_right_until_it_is_taken_back() {
        let ended = |step: &str, end: StepEnd| Event::StepEnded {
            run: run_id(),
            step: step.into(),
            attempt: 1,
            end,
            took: std::time::Duration::ZERO,
            note: SafeText::default(),
        };
        let words = |tape: &Tape| -> Vec<String> {
            tape.situation.judging.overrides.iter().map(Override::words).collect()
        };
        let is =
            |status: Option<&str>| BTreeMap::from([("docling".into(), status.map(Into::into))]);
        let forward = StepSpec {
            undo: Some("flag_back".into()),
            expected_status: is(Some("503")),
            ..step("flag", &[])
        };
        let back = StepSpec { expected_status: is(None), ..step("flag_back", &[]) };
        for by_hand in [false, true] {
            let mut tape = Tape::new();
            tape.started(plan_of(vec![forward.clone()], vec![back.clone()]));
            tape.event(ended("flag", StepEnd::Unknown("no answer".into())));
            assert!(words(&tape).is_empty(), "what is not done makes nothing right");
            if by_hand {
                tape.command(Command::MarkDone {
                    run: run_id(),
                    step: "flag".into(),
                    attempt: 1,
                    reason: "it is set".into(),
                });
            } else {
                tape.event(ended("flag", StepEnd::Done));
            }
            let said = words(&tape);
            assert_eq!(said.len(), 1);
            assert!(said[0].starts_with("docling expected_status=503 until"), "{said:?}");
            assert!(said[0].contains("flag is in force"), "{said:?}");
            tape.event(ended("flag_back", StepEnd::Done));
            assert!(words(&tape).is_empty(), "as configured again");
        }
    }

    #[test]
    fn a_person_corrects_when_an_incident_began() {
        let mut tape = Tape::new();
        tape.event(Event::IncidentOpened { incident: 7, why: "errors".into() });
        let opened = tape.situation.incident.as_ref().unwrap().opened_at;
        assert_eq!(tape.situation.incident.as_ref().unwrap().began(), opened);
        tape.command(Command::Since { at: at(-840), reason: "users called".into() });
        assert_eq!(tape.situation.incident.as_ref().unwrap().began(), at(-840));
    }

    #[test]
    fn a_check_that_is_no_longer_configured_is_forgotten() {
        let mut tape = Tape::new();
        failing(&mut tape, "api");
        failing(&mut tape, "old");
        let declared = Declared { service: "app".into(), dimension: Dimension::Api };
        let checks = BTreeMap::from([("api".into(), declared)]);
        tape.event(Event::ChecksDeclared { checks, first: true, last: true });
        assert_eq!(tape.situation.checks.keys().map(CheckId::as_str).collect::<Vec<_>>(), ["api"]);
    }
}
