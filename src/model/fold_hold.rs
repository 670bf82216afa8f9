//! The part of the fold that holds and leftovers go through.

use crate::text::SafeText;

use super::entry::{Command, Entry, Event, Leftover, StepEnd};
use super::hold::{HoldCard, HoldPart, HoldStart};
use super::situation::Situation;

impl Situation {
    /// Folds in what a person asked about holds and leftovers.
    pub(super) fn hold_command(&mut self, command: &Command, entry: &Entry) {
        let who = &entry.author.name;
        if let Command::Hold { parts, reason } = command {
            self.hold_asked(entry, parts, true, reason);
        }
        if let Command::Unhold { parts, reason } = command {
            self.hold_asked(entry, parts, false, reason);
        }
        if let Command::Release { name, reason } = command {
            self.moment(entry.at, &format!("{who} releases {name}: {reason}"));
        }
        if let Command::HandOver { name, to, reason } = command {
            for leftover in self.leftovers.iter_mut().filter(|leftover| &leftover.name == name) {
                leftover.handed_to = Some(to.clone());
            }
            self.moment(entry.at, &format!("{who} hands {name} over to {to}: {reason}"));
        }
    }

    fn hold_asked(&mut self, entry: &Entry, parts: &[HoldPart], held: bool, reason: &SafeText) {
        let who = &entry.author.name;
        for part in parts {
            let before = self.holds.get(part);
            let card = HoldCard {
                held,
                by: who.clone(),
                reason: reason.clone(),
                asked: entry.seq,
                attempt: 0,
                ended: None,
                since: before.and_then(|card| card.since),
                changed_at: entry.at,
                workers: before.map(|card| card.workers.clone()).unwrap_or_default(),
            };
            self.holds.insert(*part, card);
        }
        let verb = if held { "holds" } else { "lifts" };
        let names: Vec<&str> = parts.iter().map(|part| part.words()).collect();
        self.moment(entry.at, &format!("{who} {verb} {}: {reason}", names.join(", ")));
    }

    /// Folds in what became of a hold.
    pub(super) fn hold_event(&mut self, event: &Event, entry: &Entry) {
        if let Event::HoldStarted(HoldStart { part, attempt, workers, .. }) = event
            && let Some(card) = self.holds.get_mut(part)
        {
            card.attempt = *attempt;
            card.changed_at = entry.at;
            // A second attempt finds fewer running: those of the first were stopped by it too.
            for color in workers.iter().filter(|_| card.held) {
                if !card.workers.contains(color) {
                    card.workers.push(color.clone());
                }
            }
        }
        if let Event::HoldEnded { part, held, end, note, .. } = event {
            self.hold_ended(entry, *part, *held, end, note);
        }
    }

    fn hold_ended(
        &mut self,
        entry: &Entry,
        part: HoldPart,
        held: bool,
        end: &StepEnd,
        note: &SafeText,
    ) {
        let words = part.words();
        let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
        let verb = if held { "held" } else { "lifted" };
        let said = match end {
            StepEnd::Done => format!("{words} {verb}{note}"),
            StepEnd::Failed(why) => format!("{words} NOT {verb}: {why}"),
            StepEnd::Skipped(why) => format!("{words}: {why}"),
            StepEnd::Unknown(why) => format!("{words}: not known whether {verb}: {why}"),
        };
        self.moment(entry.at, &said);
        let Some(card) = self.holds.get_mut(&part) else { return };
        card.ended = Some(end.clone());
        card.changed_at = entry.at;
        let gone = match end {
            StepEnd::Done if held => {
                card.since = card.since.or(Some(entry.at));
                card.held = true;
                false
            }
            StepEnd::Done => true,
            // Proved not to be there: there is nothing to lift.
            StepEnd::Failed(_) => held,
            StepEnd::Skipped(_) | StepEnd::Unknown(_) => false,
        };
        if gone {
            self.holds.remove(&part);
        }
    }

    /// Takes a leftover in, in place of one of the same name.
    pub(super) fn leftover_noted(&mut self, leftover: &Leftover, entry: &Entry) {
        self.leftovers.retain(|other| other.name != leftover.name);
        let since = leftover.since.or(Some(entry.at));
        self.leftovers.push(Leftover { since, ..leftover.clone() });
    }
}
