//! Guided procedures: what people do in a trouble that is known, step by step; each step with what
//! it runs, what is expected, and how dangerous it is (the rows of class B).

use serde::{Deserialize, Serialize};

use crate::text::{SafeText, fit};

use super::entry::Entry;
use super::ids::{Digest, Time};
use super::situation::Situation;

/// The procedure of a security breach, which alone may change something while one stands.
pub const BREACH_GUIDE: &str = "security-breach";
/// Steps that are remembered, the latest of each; older ones are in the journal.
const REMEMBERED: usize = 60;
/// What the names of lists of upkeep begin with.
const UPKEEP: &str = "maintenance-";
/// Lines of a step's output that are kept in the state; the event has more.
const TAIL: usize = 8;

/// One procedure.
#[derive(Clone, Debug, PartialEq)]
pub struct Guide {
    /// Its name, that of its file.
    pub id: String,
    /// In a few words.
    pub title: SafeText,
    /// The rows that it comes from: `S-51`.
    pub rows: Vec<String>,
    /// What people call the trouble: found by them.
    pub words: Vec<String>,
    /// Where it can be done: `compose`, `kubernetes`, `systemd`; everywhere when empty.
    pub platforms: Vec<String>,
    /// Its version (S-79).
    pub version: SafeText,
    /// When somebody last went through it (S-79).
    pub reviewed: chrono::NaiveDate,
    /// After so many days it is to be gone through again (S-79).
    pub review_days: u16,
    /// Each of its steps is to be done again after so many days: a list of upkeep (P-77).
    pub every_days: Option<u16>,
    /// When to use it.
    pub intro: Vec<SafeText>,
    /// What to do, in order.
    pub steps: Vec<GuideStep>,
    /// Of the whole file: what is run is what was read.
    pub digest: Digest,
}

/// One step of it.
#[derive(Clone, Debug, PartialEq)]
pub struct GuideStep {
    /// In a few words.
    pub title: SafeText,
    /// What to know.
    pub text: Vec<SafeText>,
    /// What is done.
    pub act: Act,
    /// What is expected to be seen.
    pub expect: SafeText,
    /// What may go wrong by it; empty when it only looks.
    pub danger: SafeText,
    /// The output holds this when it is well; the exit code decides without it.
    pub matches: Option<String>,
}

/// What is done in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A person does it, and says so.
    Hand,
    /// A line of shell that changes nothing.
    Look(String),
    /// A line of shell that changes something.
    Change(String),
    /// A command of backout that asks for its own word: it is typed, not run from here.
    Command(String),
}

impl Act {
    /// The line that is run or typed, where there is one.
    pub fn line(&self) -> Option<&str> {
        match self {
            Self::Hand => None,
            Self::Look(line) | Self::Change(line) | Self::Command(line) => Some(line),
        }
    }
}

impl Guide {
    /// Whether the review is overdue, and since how many days (S-79).
    pub fn overdue(&self, now: Time) -> Option<i64> {
        let due = self.reviewed + chrono::Duration::days(i64::from(self.review_days));
        let days = (now.date_naive() - due).num_days();
        (days > 0).then_some(days)
    }

    /// `version 1.0, reviewed 2026-11-22, due in 90 days`.
    pub fn standing(&self, now: Time) -> String {
        let due = self.reviewed + chrono::Duration::days(i64::from(self.review_days));
        let stands = match self.overdue(now) {
            Some(days) => format!("REVIEW OVERDUE by {days} days"),
            None => format!("next review {due}"),
        };
        format!("version {}, reviewed {}, {stands}", self.version, self.reviewed)
    }

    /// What there is to say of a step that is to be done again and again: when it is due, or that it
    /// is overdue. Nothing of other procedures.
    pub fn due(&self, situation: &Situation, step: u8, now: Time) -> Option<String> {
        let every = i64::from(self.every_days?);
        let mark = situation.guided(&self.id, step);
        let Some(done) = mark.filter(|mark| mark.end.as_ref().is_some_and(GuideEnd::is_well))
        else {
            return Some("OVERDUE: not on record as done".to_owned());
        };
        let due = done.at + chrono::Duration::days(every);
        let day = due.format("%Y-%m-%d");
        Some(match (now - due).num_days() {
            days if days > 0 => format!("OVERDUE by {days} days"),
            _ => format!("next on {day}"),
        })
    }

    /// How many steps are overdue.
    pub fn overdue_steps(&self, situation: &Situation, now: Time) -> usize {
        let late = |step: &u8| {
            self.due(situation, *step, now).is_some_and(|said| said.starts_with("OVERDUE"))
        };
        (1..).take(self.steps.len()).filter(late).count()
    }

    /// The step of that number, from 1.
    pub fn step(&self, number: u8) -> Option<&GuideStep> {
        self.steps.get(usize::from(number).checked_sub(1)?)
    }
}

/// What a person wants done with a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Run it; it only looks.
    Look,
    /// Run it; it changes something.
    Change,
    /// It was done by hand.
    Done {
        /// What was done, or found.
        note: SafeText,
    },
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuideEnd {
    /// As expected.
    Good,
    /// Not as expected, and what was seen instead.
    Bad(SafeText),
    /// It could not be looked at, and why.
    Unknown(SafeText),
    /// A person did it.
    ByHand(SafeText),
}

impl GuideEnd {
    /// What its exit code and its output say. 126 and 127 of the shell, and 3 of backout itself, mean
    /// that nothing was found out.
    pub fn of(step: &GuideStep, code: Option<i32>, output: &str) -> Self {
        let last = || {
            let line = output.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
            let line = fit(line.trim(), 160);
            if line.is_empty() { "no output".to_owned() } else { line }
        };
        let own = step.act.line().is_some_and(|line| line.starts_with("backout "));
        match code {
            None => Self::Unknown("it was ended by a signal".into()),
            Some(127) => Self::Unknown(SafeText::new(&format!("a tool is missing: {}", last()))),
            Some(126) => Self::Unknown(SafeText::new(&format!("not allowed: {}", last()))),
            Some(3) if own => Self::Unknown(SafeText::new(&last())),
            Some(0) => match &step.matches {
                Some(wanted) if !holds(wanted, output) => {
                    Self::Bad(SafeText::new(&format!("{wanted} is not in the output: {}", last())))
                }
                Some(_) | None => Self::Good,
            },
            Some(code) => Self::Bad(SafeText::new(&format!("exit {code}: {}", last()))),
        }
    }

    /// Whether there is nothing more to do in the step.
    pub fn is_well(&self) -> bool {
        matches!(self, Self::Good | Self::ByHand(_))
    }

    /// One word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Bad(_) => "FAIL",
            Self::Unknown(_) => "unknown",
            Self::ByHand(_) => "done",
        }
    }

    /// What is said beside that word.
    pub fn why(&self) -> &str {
        match self {
            Self::Good => "",
            Self::Bad(why) | Self::Unknown(why) | Self::ByHand(why) => why.as_str(),
        }
    }
}

fn holds(wanted: &str, output: &str) -> bool {
    regex::RegexBuilder::new(wanted)
        .multi_line(true)
        .size_limit(1 << 20)
        .build()
        .is_ok_and(|wanted| wanted.is_match(output))
}

/// What became of a step the last time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuideMark {
    /// The procedure.
    pub guide: SafeText,
    /// The step, from 1.
    pub step: u8,
    /// Who.
    pub by: SafeText,
    /// When it began.
    pub at: Time,
    /// How it ended; none while it runs.
    pub end: Option<GuideEnd>,
    /// The last lines of its output.
    pub tail: Vec<SafeText>,
}

impl Situation {
    /// What became of a step the last time.
    pub fn guided(&self, guide: &str, step: u8) -> Option<&GuideMark> {
        self.guides.iter().find(|mark| mark.guide.as_str() == guide && mark.step == step)
    }

    /// Steps that were begun and of which nothing was heard since.
    pub fn guides_running(&self) -> impl Iterator<Item = &GuideMark> {
        self.guides.iter().filter(|mark| mark.end.is_none())
    }

    /// Folds in that a step begins, or was done by hand.
    pub(super) fn guide_begun(
        &mut self,
        (guide, step): (&SafeText, u8),
        by: &SafeText,
        deed: &Deed,
        entry: &Entry,
    ) {
        let end = match deed {
            Deed::Look | Deed::Change => None,
            Deed::Done { note } => Some(GuideEnd::ByHand(note.clone())),
        };
        let text = match deed {
            Deed::Look => format!("{by} looks: step {step} of {guide}"),
            Deed::Change => format!("{by} runs step {step} of {guide}, which changes something"),
            Deed::Done { note } => format!("{by} did step {step} of {guide}: {note}"),
        };
        self.moment(entry.at, &text);
        self.guides.retain(|mark| mark.guide != *guide || mark.step != step);
        let (guide, by) = (guide.clone(), by.clone());
        self.guides.push(GuideMark { guide, step, by, at: entry.at, end, tail: Vec::new() });
        // What is done once in months is not crowded out by an incident.
        let kept = |mark: &GuideMark| mark.guide.as_str().starts_with(UPKEEP);
        let others = self.guides.iter().filter(|mark| !kept(mark)).count();
        let mut over = others.saturating_sub(REMEMBERED);
        self.guides.retain(|mark| {
            let goes = over > 0 && !kept(mark);
            over -= usize::from(goes);
            !goes
        });
    }

    /// Folds in how a step ended.
    pub(super) fn guide_ended(
        &mut self,
        (guide, step): (&SafeText, u8),
        end: &GuideEnd,
        tail: &[SafeText],
        at: Time,
    ) {
        let why = if end.why().is_empty() { String::new() } else { format!(": {}", end.why()) };
        self.moment(at, &format!("step {step} of {guide}: {}{why}", end.word()));
        let found = self.guides.iter_mut().find(|mark| mark.guide == *guide && mark.step == step);
        if let Some(mark) = found {
            mark.end = Some(end.clone());
            mark.tail = tail.get(tail.len().saturating_sub(TAIL)..).unwrap_or_default().to_vec();
        }
    }
}

#[cfg(test)]
mod tests;
