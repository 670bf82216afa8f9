//! What the journal is told of the checks: which there are, what each is taken for, and where
//! nothing is seen for too long.

use std::collections::{BTreeMap, BTreeSet};

use crate::checks::CheckSpec;
use crate::model::entry::Event;
use crate::model::fold_judge::Declared;
use crate::model::ids::{CheckId, Time};
use crate::model::joined::joined;
use crate::model::judged;
use crate::model::reading::{Reason, Status, Track};
use crate::model::situation::{CheckCard, Situation};
use crate::text::SafeText;

use super::super::books::Line;
use super::super::run::Engine;

impl Engine {
    /// Writes what the checks are taken for, where the journal says otherwise, in their order.
    pub(super) fn tell_checks(&self, lines: &mut Vec<Line>) {
        let situation = &self.books.situation;
        let flapping = &situation.judging.flapping;
        let told = joined(&self.tracks, &situation.checks).filter(|(id, track, card)| {
            card.is_none_or(|card| (card.status, card.reason) != (track.status, track.reason))
                || track.flapping != flapping.contains(*id)
        });
        let placed =
            told.filter_map(|(id, track, card)| Some((*self.desk.places.get(id)?, track, card)));
        let mut told: Vec<_> = placed.collect();
        told.sort_unstable_by_key(|(place, ..)| *place);
        for (place, track, card) in told {
            if let Some(spec) = self.config.checks.get(place).filter(|spec| spec.live) {
                self.tell_check((spec, card), track, lines);
            }
        }
    }

    fn tell_check(
        &self,
        (spec, card): (&CheckSpec, Option<&CheckCard>),
        track: &Track,
        lines: &mut Vec<Line>,
    ) {
        let situation = &self.books.situation;
        if card.is_none_or(|card| (card.status, card.reason) != (track.status, track.reason)) {
            lines.push(Line::from(Event::CheckChanged {
                check: spec.id.clone(),
                status: track.status,
                reason: track.reason,
                note: self.note(&spec.id, track),
                since: track.since,
                critical: spec.role.critical,
            }));
        }
        if track.flapping != situation.judging.flapping.contains(&spec.id) {
            let (check, flapping) = (spec.id.clone(), track.flapping);
            lines.push(Line::from(Event::FlappingChanged { check, flapping }));
        }
    }

    fn note(&self, id: &CheckId, track: &Track) -> SafeText {
        let note = track.last.as_ref().map(|reading| reading.note.clone()).unwrap_or_default();
        let around = self.around(self.clock.now());
        match (track.status, track.reason) {
            (Status::Unknown, Some(Reason::ParentFailing)) => {
                let parent = judged::failing_parent(id, &self.tracks, around);
                let parent = parent.map_or("a parent", CheckId::as_str);
                SafeText::new(&format!("{parent} fails; own look: {note}"))
            }
            (Status::Fail, _) if track.own() != Status::Fail => {
                SafeText::new(&format!("over 10 % of its requests fail: {note}"))
            }
            (_, _) => note,
        }
    }

    /// Says once that a check which users feel has been unknown for too long: you are blind there.
    pub(super) fn tell_blind(&mut self, now: Time, lines: &mut Vec<Line>) {
        let mut blind = BTreeSet::new();
        let critical = joined(&self.roles, &self.tracks).filter(|(_, role, track)| {
            role.critical && track.is_some_and(|track| track.status == Status::Unknown)
        });
        for (id, role, track) in critical {
            let (Some(track), Some(bearing)) = (track, self.desk.bearings.get(id)) else {
                continue;
            };
            let age = (now - track.since).to_std().unwrap_or_default();
            // Those have their own alarm, or were left out on purpose.
            let told = matches!(
                track.reason,
                Some(Reason::ParentFailing | Reason::WitnessDown | Reason::Skipped)
            );
            if told || age < bearing.unknown_after {
                continue;
            }
            blind.insert(id.clone());
            if !self.desk.blind.contains(id) {
                let reason = track.reason.unwrap_or(Reason::NeverRan);
                let text = format!(
                    "you are blind: {id} ({}) is unknown for {} s: {}; to do: {}",
                    role.service,
                    age.as_secs(),
                    reason.words(),
                    reason.fix()
                );
                lines.push(Line::from(Event::Trouble { text: SafeText::new(&text) }));
            }
        }
        self.desk.blind = blind;
    }

    /// Says which checks there are, when the journal knows others.
    pub(in crate::engine) fn declare_checks(&self, lines: &mut Vec<Line>) {
        let all: BTreeMap<CheckId, Declared> = self
            .desk
            .roles
            .iter()
            .map(|(id, role)| {
                let dimension =
                    self.desk.bearings.get(id).map(|bearing| bearing.dimension).unwrap_or_default();
                (id.clone(), Declared { service: role.service.clone(), dimension })
            })
            .collect();
        let situation = &self.books.situation;
        let forgotten = situation.checks.keys().any(|id| !all.contains_key(id));
        if all == situation.judging.declared && !forgotten {
            return;
        }
        let list: Vec<(CheckId, Declared)> = all.into_iter().collect();
        let parts = list.chunks(Situation::PART).count();
        for (at, part) in list.chunks(Situation::PART).enumerate() {
            let checks = part.iter().cloned().collect();
            let (first, last) = (at == 0, at + 1 == parts);
            lines.push(Line::from(Event::ChecksDeclared { checks, first, last }));
        }
    }
}
