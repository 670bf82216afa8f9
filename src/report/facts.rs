//! What an incident's chronicle says, in the words that go into a template. Nothing where it is
//! not known: the template's bracket then stays.

use std::time::Duration;

use crate::model::criteria::{Criterion, Passed};
use crate::model::entry::Outcome;
use crate::model::ids::{Time, incident_name};
use crate::model::incident::{Run, StepPhase};
use crate::model::plan::Level;
use crate::model::reading::Status;
use crate::model::severity::Severity;

use super::chronicle::Chronicle;
use super::loss::Loss;

/// `2026-11-22 00:31:04 UTC`.
pub fn moment(at: Time) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `2.4`, `14`: minutes with one decimal below ten, without a nought behind the point.
pub fn minutes(span: Duration) -> String {
    let minutes = span.as_secs_f64() / 60.0;
    let text = if minutes < 10.0 { format!("{minutes:.1}") } else { format!("{minutes:.0}") };
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// `14 s`, `2.4 minutes`.
pub fn lasted(span: Duration) -> String {
    match span.as_secs() {
        0..=99 => format!("{:.0} s", span.as_secs_f64()),
        _ => format!("{} minutes", minutes(span)),
    }
}

/// `Critical`, as the templates write a class.
pub fn class(severity: Severity) -> Option<&'static str> {
    match severity {
        Severity::None => None,
        Severity::Low => Some("Low"),
        Severity::Medium => Some("Medium"),
        Severity::High => Some("High"),
        Severity::Critical => Some("Critical"),
    }
}

fn between(from: Time, to: Option<Time>) -> Option<Duration> {
    (to? - from).to_std().ok()
}

/// The words of a chronicle.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// It.
    pub chronicle: &'a Chronicle,
}

impl<'a> Facts<'a> {
    fn run(self) -> Option<&'a Run> {
        self.chronicle.run()
    }

    /// Why it was opened, in one line.
    pub fn title(self) -> Option<String> {
        let first = self.chronicle.worst.1.first().unwrap_or(&self.chronicle.why);
        (!first.is_empty()).then(|| first.to_string())
    }

    /// `INC-0142`.
    pub fn name(self) -> String {
        incident_name(self.chronicle.incident)
    }

    /// The worst class that counted.
    pub fn severity(self) -> Option<String> {
        class(self.chronicle.worst.0).map(str::to_owned)
    }

    /// From its detection until it was verified, or else until traffic was good, or it was closed.
    pub fn duration(self) -> Option<String> {
        let times = self.chronicle.times();
        let end = times.verified.or(times.completed).or(self.chronicle.closed);
        between(times.detected, end).map(minutes)
    }

    /// From its detection until traffic was good again: how long users felt it.
    pub fn downtime(self) -> Option<String> {
        let times = self.chronicle.times();
        between(times.detected, times.completed).map(minutes)
    }

    /// 1, 2 or 3.
    pub fn level(self) -> Option<String> {
        Some(self.run()?.plan.core.level.to_string())
    }

    /// The version gone to.
    pub fn version(self) -> Option<String> {
        Some(self.run()?.plan.core.to.to_string())
    }

    /// The services of the critical checks that failed.
    pub fn services(self) -> Option<String> {
        let services: Vec<&str> = self.chronicle.services.iter().map(String::as_str).collect();
        (!services.is_empty()).then(|| services.join(", "))
    }

    /// `shop/eu1 (production)`.
    pub fn environment(self) -> Option<String> {
        let situation = &self.chronicle.last;
        let kind = if situation.production() { "production" } else { "not production" };
        let name = situation.environment();
        (!name.is_empty()).then(|| format!("{name} ({kind})"))
    }

    /// What became of the data: none at level 1, the sentences of S-41 at level 3, else what the
    /// plan said of it.
    pub fn data_loss(self) -> Option<String> {
        let run = self.run()?;
        if let Some(loss) = Loss::of(run, &self.chronicle.last) {
            return Some(loss.sentences().join(". "));
        }
        let planned = &run.plan.face.data;
        match run.plan.core.level {
            Level::Switch => Some("None".to_owned()),
            Level::Full | Level::PointInTime => (!planned.is_empty()).then(|| planned.to_string()),
        }
    }

    /// How the run ended, in a sentence.
    pub fn status(self) -> Option<String> {
        let run = self.run()?;
        Some(match &run.ended {
            None => format!("Rollback not over: {}", run.state().label()),
            Some(ended) => match ended.outcome {
                Outcome::Done => "Rollback completed successfully".to_owned(),
                Outcome::Failed => format!("Rollback FAILED: {}", ended.why),
                Outcome::Aborted => format!("Rollback aborted: {}", ended.why),
                Outcome::Undone => format!("Rollback aborted and taken back: {}", ended.why),
                Outcome::Unknown => format!("Rollback ended UNKNOWN: {}", ended.why),
            },
        })
    }

    /// Whether it is over, and ended well.
    pub fn succeeded(self) -> bool {
        let ended = self.run().and_then(|run| run.ended.as_ref());
        ended.is_some_and(|ended| ended.outcome == Outcome::Done)
    }

    /// A line a step: what was done, how long it took, and what did not go well.
    pub fn actions(self) -> Vec<String> {
        let Some(run) = self.run() else { return Vec::new() };
        let told = run.steps.iter().filter_map(|step| {
            let title = run.plan.face_of(&step.id).map(|face| face.title.to_string());
            let title = title.unwrap_or_else(|| step.id.0.clone());
            let note = match step.note.as_str() {
                "" => String::new(),
                note => format!(": {note}"),
            };
            match &step.phase {
                StepPhase::Waiting => None,
                StepPhase::Running => Some(format!("{title} (running)")),
                StepPhase::Done => {
                    Some(format!("{title} ({:.1} s){note}", step.took.as_secs_f64()))
                }
                StepPhase::Failed(why) => Some(format!("{title} FAILED: {why}")),
                StepPhase::Skipped(why) => Some(format!("{title} left out: {why}")),
                StepPhase::Unknown(why) => Some(format!("{title} UNKNOWN: {why}")),
            }
        });
        told.collect()
    }

    /// The three lines of the current state: health, errors, response times. Each says what was
    /// seen, and none says more than that.
    pub fn current(self) -> [Option<String>; 3] {
        let criteria = self.run().map(|run| run.criteria.as_slice()).unwrap_or_default();
        let of = |word: &str| criteria.iter().find(|one| one.name.as_str().starts_with(word));
        [
            self.health(),
            of("error rate").map(|one| judged("Error rate", one)),
            of("response time").map(|one| judged("Response time", one)),
        ]
    }

    fn health(self) -> Option<String> {
        let situation = &self.chronicle.last;
        let of = |wanted| {
            let cards = situation.counted().filter(|(_, card)| card.status == wanted);
            cards.map(|(id, _)| id.as_str().to_owned()).collect::<Vec<_>>()
        };
        let (failing, unknown) = (of(Status::Fail), of(Status::Unknown));
        if situation.checks.is_empty() {
            return None;
        }
        Some(match (failing.as_slice(), unknown.as_slice()) {
            ([], []) => "All services healthy".to_owned(),
            ([], unknown) => format!("No service fails; not known: {}", unknown.join(", ")),
            (failing, []) => format!("NOT healthy: {}", failing.join(", ")),
            (failing, unknown) => {
                format!("NOT healthy: {}; not known: {}", failing.join(", "), unknown.join(", "))
            }
        })
    }

    /// Two or three sentences: what, since when, what was done, how that ended.
    pub fn summary(self) -> Option<String> {
        let times = self.chronicle.times();
        let class = self.severity().map_or_else(String::new, |class| format!(" ({class})"));
        let what = self.title().unwrap_or_else(|| "an incident".to_owned());
        let mut told = format!("On {}{class}: {}.", moment(times.detected), stopped(&what));
        if let Some(change) = self.chronicle.suspect() {
            let at = moment(change.at);
            told.extend([format!(" {} was deployed at {at} by {}.", change.version, change.by)]);
        }
        if let Some(run) = self.run() {
            let core = &run.plan.core;
            let from = moment(run.started_at);
            told.extend([format!(
                " {} rolled back from {} to {} with level {} ({}) at {from}",
                run.by,
                core.from,
                core.to,
                core.level,
                core.level.words()
            )]);
            match &run.ended {
                None => told.push_str("; that is not over."),
                Some(ended) => {
                    let took = lasted(ended.took);
                    told.extend([format!("; it ended {} after {took}.", ended.outcome.words())]);
                }
            }
        }
        Some(told)
    }

    /// How it was resolved: nothing when it was not.
    pub fn resolution(self) -> Option<String> {
        let run = self.run().filter(|_| self.succeeded())?;
        let core = &run.plan.core;
        let reason = stopped(run.reason.as_str()).to_owned();
        let verdict = run.watch.as_ref().and_then(|watch| Some((watch.verdict?, &watch.why)));
        let verdict = verdict.map_or_else(String::new, |(verdict, why)| {
            format!(" The watch window said {}: {}.", verdict.words(), stopped(why.as_str()))
        });
        Some(format!(
            "Rolled back from {} to {} with level {} ({}), run {}, approved by {}: {reason}.{verdict}",
            core.from,
            core.to,
            core.level,
            core.level.words(),
            run.id,
            run.by
        ))
    }

    /// When the post-mortem is due: `between … and … (24-48 hours after)` (S-66).
    pub fn due(self) -> Option<String> {
        let ended = self.run().and_then(|run| run.ended.as_ref()).map(|ended| ended.at);
        let ended = ended.or(self.chronicle.closed)?;
        let after = |hours| moment(ended + chrono::Duration::hours(hours));
        Some(format!("between {} and {} (24-48 hours after)", after(24), after(48)))
    }

    /// Who can be asked: who approved, else who leads.
    pub fn contact(self) -> Option<String> {
        let lead = self.chronicle.last.lead.as_ref().map(|lead| lead.who.name.to_string());
        self.run().map(|run| run.by.to_string()).or(lead).filter(|name| !name.is_empty())
    }
}

/// Without the full stop that the sentence adds.
fn stopped(text: &str) -> &str {
    text.trim_end_matches(['.', ' '])
}

fn judged(what: &str, criterion: &Criterion) -> String {
    let said = match criterion.answer {
        Passed::Yes => "normal",
        Passed::No => "NOT normal",
        Passed::Unknown => "not known",
    };
    format!("{what} {said} ({})", criterion.measured)
}
