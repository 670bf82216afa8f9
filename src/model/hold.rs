//! Holds: what stops the bleeding before any level, in seconds and reversibly (design 21).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::entry::StepEnd;
use super::ids::{Color, Seq, Time};
use super::situation::Situation;

/// A hold nobody has lifted after this long is overdue.
pub const DUE: chrono::Duration = chrono::Duration::minutes(30);

/// What can be held, each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldPart {
    /// Everybody sees the maintenance page.
    Page,
    /// Nothing is written: the proxy answers 503 to all but reading.
    Writers,
    /// Workers and cron of the application do not run.
    Consumers,
}

/// What is written before a hold is set or lifted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldStart {
    /// What.
    pub part: HoldPart,
    /// Whether it is held or lifted.
    pub held: bool,
    /// Counts from 1.
    pub attempt: u32,
    /// What the target is told, so that it can tell repeats.
    pub effect: String,
    /// The colours whose workers ran before a hold of the consumers.
    pub workers: Vec<Color>,
}

impl HoldPart {
    /// All of them, the one that costs users least first.
    pub const ALL: [Self; 3] = [Self::Writers, Self::Consumers, Self::Page];

    /// The word that people type: `page`, `writers`, `consumers`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Writers => "writers",
            Self::Consumers => "consumers",
        }
    }

    /// What it is in a sentence: `maintenance page`, `writers`, `workers and cron`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Page => "maintenance page",
            Self::Writers => "writers",
            Self::Consumers => "workers and cron",
        }
    }

    /// The short word in the header: `page`, `writes`, `workers`.
    pub fn chip(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Writers => "writes",
            Self::Consumers => "workers",
        }
    }

    /// What it costs users while it lasts.
    pub fn cost(self) -> &'static str {
        match self {
            Self::Page => "everybody gets 503 and the page: full downtime",
            Self::Writers => "whatever writes gets 503 with Retry-After; reads go on",
            Self::Consumers => "they stop, jobs wait in the queue",
        }
    }

    /// Its name among what is left over.
    pub fn leftover(self) -> SafeText {
        SafeText::new(match self {
            Self::Page => "maintenance page held",
            Self::Writers => "writers held",
            Self::Consumers => "workers and cron held",
        })
    }

    /// The command that lifts it.
    pub fn undo(self) -> SafeText {
        SafeText::new(&format!("backout unhold {} --reason WHY", self.name()))
    }
}

impl fmt::Display for HoldPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for HoldPart {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|part| part.name() == word)
            .ok_or_else(|| format!("{word:?} cannot be held; use page, writers or consumers"))
    }
}

/// Whether a part can be held here, as looked at last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanHold {
    /// Which.
    pub part: HoldPart,
    /// Whether it can.
    pub can: bool,
    /// What it costs; why not, when it cannot.
    pub text: SafeText,
}

/// A hold as the journal knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldCard {
    /// What was asked last: true to hold, false to lift.
    pub held: bool,
    /// Who asked.
    pub by: SafeText,
    /// Why.
    pub reason: SafeText,
    /// The entry that asked: part of the key that the target is told.
    pub asked: Seq,
    /// Counts the attempts of this asking, from 1; 0 before the first.
    pub attempt: u32,
    /// How the last attempt ended; nothing while it is under way.
    pub ended: Option<StepEnd>,
    /// Since when it is proved to be held.
    pub since: Option<Time>,
    /// When this card changed last: an older look says nothing about it.
    pub changed_at: Time,
    /// The colours whose workers the hold stopped: only these are started again.
    pub workers: Vec<Color>,
}

impl HoldCard {
    /// Whether what was asked is not proved yet.
    pub fn pending(&self) -> bool {
        self.ended.is_none()
    }

    /// Whether nobody can say if it is held.
    pub fn doubtful(&self) -> bool {
        matches!(self.ended, Some(StepEnd::Unknown(_)))
    }
}

/// Holds that are not proved yet and that this engine does not work on: they are looked at first,
/// because another engine may have begun them.
pub fn todo(situation: &Situation, live: impl Fn(HoldPart) -> bool) -> Vec<HoldPart> {
    let pending = situation.holds.iter().filter(|(_, card)| card.pending());
    pending.map(|(part, _)| *part).filter(|part| !live(*part)).collect()
}

/// The colours whose workers are started when the hold is lifted: those it stopped, but for a
/// version whose workers a run has stopped since, and has not started again.
pub fn workers_to_start(situation: &Situation) -> Vec<Color> {
    let card = situation.holds.get(&HoldPart::Consumers);
    let workers = card.map(|card| card.workers.clone()).unwrap_or_default();
    let left = situation.leftovers.iter().filter_map(|leftover| match &leftover.about {
        Some(super::leftover::About::Workers(color) | super::leftover::About::Stopped(color)) => {
            Some(color)
        }
        Some(
            super::leftover::About::Hold(_)
            | super::leftover::About::Path(_)
            | super::leftover::About::Lock(_)
            | super::leftover::About::Frozen(_),
        )
        | None => None,
    });
    let left: Vec<&Color> = left.chain(stopped_by_run(situation)).collect();
    workers.into_iter().filter(|color| !left.contains(&color)).collect()
}

/// The version whose workers the last run has stopped.
fn stopped_by_run(situation: &Situation) -> Option<&Color> {
    let run = situation.run.as_ref();
    let run = run.filter(|run| super::leftover::workers_stopped(run))?;
    run.plan.face.colors.as_ref().map(|(from, _)| from)
}

/// `HELD writes+page` and since when, for the header; nothing when nothing is held or being held.
pub fn chip(situation: &Situation, now: Time) -> Option<(String, Option<Duration>)> {
    let names = |wanted: &dyn Fn(&HoldCard) -> bool| {
        let parts = HoldPart::ALL.into_iter();
        let parts = parts.filter(|part| situation.holds.get(part).is_some_and(wanted));
        parts.map(HoldPart::chip).collect::<Vec<_>>().join("+")
    };
    let held = names(&|card| card.since.is_some());
    let doubt = names(&|card| card.since.is_none() && card.doubtful());
    if !held.is_empty() {
        let since = situation.holds.values().filter_map(|card| card.since).min();
        let age = since.map(|since| (now - since).to_std().unwrap_or_default());
        let doubtful = situation.holds.values().any(HoldCard::doubtful);
        let word = if doubtful { "HELD?" } else { "HELD" };
        return Some((format!("{word} {held}"), age));
    }
    if !doubt.is_empty() {
        return Some((format!("HELD? {doubt}"), None));
    }
    let coming = names(&|card| card.held && card.pending());
    (!coming.is_empty()).then(|| (format!("holding {coming}"), None))
}

/// One sentence about a hold, for the plan, the watch and the dialogs; nothing when none stands.
pub fn sentence(situation: &Situation, part: HoldPart, now: Time) -> Option<String> {
    let card = situation.holds.get(&part)?;
    let words = part.words();
    let who = format!("by {}: {}", card.by, card.reason);
    Some(match (&card.ended, card.held, card.since) {
        (None, true, None) => format!("{words}: being held, {who}"),
        (None, false, _) => format!("{words}: being lifted, {who}"),
        (Some(StepEnd::Unknown(why) | StepEnd::Failed(why)), true, _) => {
            format!("{words}: not known whether held: {why}")
        }
        (Some(StepEnd::Unknown(why) | StepEnd::Failed(why)), false, _) => {
            format!("{words}: NOT LIFTED: {why}")
        }
        (_, _, since) => {
            let since = since.unwrap_or(card.changed_at);
            let age = super::verdict::clock((now - since).to_std().unwrap_or_default());
            format!("{words} held for {age}, {who}")
        }
    })
}

#[cfg(test)]
mod tests;
