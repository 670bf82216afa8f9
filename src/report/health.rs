//! The health report (P-29): how it is now, what fails, what warns, what to do.

use serde::Serialize;

use crate::model::ids::{CheckId, Time};
use crate::model::live::Live;
use crate::model::reading::{Reason, Status};
use crate::model::severity::Severity;
use crate::model::situation::{CheckCard, Situation};

use super::documents::Health;
use super::facts::moment;
use super::fill::markdown;
use super::paper::Paper;

/// The four sections.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HealthReport {
    /// When this was known.
    pub at: Option<Time>,
    /// The environment.
    pub environment: String,
    /// `healthy`, `warning`, `critical` or `unknown`.
    pub overall_status: &'static str,
    /// Checks that fail: name and what was seen.
    pub failed_checks: Vec<String>,
    /// Checks that warn, and those that are not known.
    pub warnings: Vec<String>,
    /// What to do next.
    pub recommendations: Vec<String>,
}

impl HealthReport {
    /// Of what the journal says; `live` tells when an engine last looked.
    pub fn of(situation: &Situation, live: Option<&Live>) -> Self {
        let line = |(id, card): (&CheckId, &CheckCard)| match card.reason {
            Some(reason) if card.status == Status::Unknown => {
                format!("{id}: not known, {}", reason.words())
            }
            Some(_) | None => format!("{id}: {} since {}", card.note, moment(card.since)),
        };
        let of = |wanted: &[Status]| {
            let cards = situation.counted().filter(|(_, card)| wanted.contains(&card.status));
            cards.map(line).collect::<Vec<_>>()
        };
        let mut warnings = of(&[Status::Warn, Status::Unknown]);
        warnings
            .extend(situation.judging.mutes.iter().map(|mute| format!("muted: {}", mute.words())));
        let health = match Health::of(situation) {
            Health::Healthy => "healthy",
            Health::Warning => "warning",
            Health::Critical => "critical",
            Health::Unknown => "unknown",
        };
        Self {
            at: live.map(|live| live.at).or(situation.at),
            environment: situation.environment().to_owned(),
            overall_status: health,
            failed_checks: of(&[Status::Fail]),
            warnings,
            recommendations: recommendations(situation),
        }
    }

    /// As a document.
    pub fn paper(&self) -> Paper {
        let list = |lines: &[String]| match lines {
            [] => "- none\n".to_owned(),
            lines => {
                let lines: Vec<String> = lines.iter().map(|line| markdown(line)).collect();
                format!("- {}\n", lines.join("\n- "))
            }
        };
        let at = self.at.map_or_else(|| "[never]".to_owned(), moment);
        let body = format!(
            "As of {at}.\n\n## Overall Status\n\n{}\n\n## Failed Checks\n\n{}\n## Warnings\n\n{}\n\
             ## Recommendations\n\n{}",
            self.overall_status,
            list(&self.failed_checks),
            list(&self.warnings),
            list(&self.recommendations)
        );
        let environment =
            if self.environment.is_empty() { "[Environment]" } else { &self.environment };
        let title = format!("Health report: {environment}");
        let heading = markdown(&title);
        Paper { title, heading, labels: Vec::new(), body, markdown: true }
    }
}

/// What to do: the level that the tree suggests, what mends what is not known, what is left over.
fn recommendations(situation: &Situation) -> Vec<String> {
    let mut told = Vec::new();
    match &situation.assessment {
        Some(known) => match known.suggests {
            Some(level) => told.push(format!(
                "{} at level {level} ({}): backout rollback --level {level}",
                known.verdict.words(),
                level.words()
            )),
            None if known.severity > Severity::None => {
                told.push(format!("{}: backout assess says why", known.verdict.words()));
            }
            None => {}
        },
        None => told.push("look once: backout check".to_owned()),
    }
    for (id, card) in situation.counted() {
        if card.status == Status::Unknown {
            let fix = card.reason.map_or("look at it by hand", Reason::fix);
            told.push(format!("{id}: {fix}"));
        }
    }
    for left in crate::model::leftover::open(situation) {
        told.push(format!("release what is left over: {} ({})", left.name, left.undo));
    }
    told
}
