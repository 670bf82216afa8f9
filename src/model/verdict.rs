//! The verdict line: two rows that say what is wrong and what the next key is.
//!
//! A function of what is known, tested for every state, and never surer than the evidence: "no
//! data change" only once the schema gate (a ready level) and the help test have answered.

mod failing;
mod going;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use super::ids::{CheckId, Time, incident_name};
use super::live::Live;
use super::reading::{Reading, Status};
use super::severity::Severity;
use super::situation::Situation;
use super::tree::{Assessment, TreeVerdict};

pub use words::{WIDTH, clock};

use words::{first_fit, span};

/// The two rows under the stage bar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// What is wrong, since which change.
    pub what: String,
    /// The next key, how long it takes, what it costs.
    pub next: String,
}

/// Everything a row may speak of.
#[derive(Clone, Copy)]
struct Seen<'a> {
    situation: &'a Situation,
    live: Option<&'a Live>,
    readings: &'a BTreeMap<CheckId, Reading>,
    now: Time,
}

/// Beyond this age the engine's heartbeat no longer vouches for the numbers.
const SILENT: Duration = Duration::from_secs(15);

/// The verdict line of a situation at `now`: each row at most 78 columns, never surer than the
/// evidence. `live` and `readings` give the numbers; without them the rows say less.
pub fn lines(
    situation: &Situation,
    live: Option<&Live>,
    readings: &BTreeMap<CheckId, Reading>,
    now: Time,
) -> Lines {
    let seen = Seen { situation, live, readings, now };
    let mut lines = state(seen);
    // Numbers of an engine that is not heard of are dated, whatever they say.
    if let Some(age) = live.map(|live| span(live.at, now)).filter(|age| *age > SILENT) {
        lines.what = format!("(as of {} ago) {}", clock(age), lines.what);
    }
    Lines { what: crate::text::fit(&lines.what, WIDTH), next: crate::text::fit(&lines.next, WIDTH) }
}

fn state(seen: Seen<'_>) -> Lines {
    let situation = seen.situation;
    if let Some(run) = situation.open_run() {
        return going::run(seen, run);
    }
    if situation.breach().is_some() {
        return failing::breach(seen);
    }
    let assessment = situation.assessment.as_ref();
    let bad = assessment.filter(|assessment| is_bad(assessment));
    if situation.plan.is_some() {
        return going::plan(seen, bad);
    }
    let ended = situation.run.as_ref().filter(|_| situation.incident.is_some() || bad.is_some());
    if let Some(run) = ended {
        return going::ended(seen, run, bad);
    }
    match (bad, assessment) {
        (Some(assessment), _) => failing::lines(seen, assessment),
        (None, assessment) => quiet(seen, assessment),
    }
}

/// Whether something is known to be wrong.
fn is_bad(assessment: &Assessment) -> bool {
    assessment.severity > Severity::None || assessment.verdict == TreeVerdict::RollBack
}

/// Nothing is known to be wrong; what is not known is said.
fn quiet(seen: Seen<'_>, assessment: Option<&Assessment>) -> Lines {
    let situation = seen.situation;
    if situation.engine.is_none() && situation.checks.is_empty() {
        return Lines {
            what: "No engine has looked here yet.".to_owned(),
            next: "Nothing to press: the first look takes a few seconds.".to_owned(),
        };
    }
    let all = situation.checks.len();
    let count = |status| {
        let cards = situation.checks.values();
        cards.filter(|card| card.status == status).count()
    };
    let (ok, warn) = (count(Status::Ok), count(Status::Warn));
    let unknown = situation.checks.iter().find(|(_, card)| card.status == Status::Unknown);
    let Some(assessment) = assessment else {
        return Lines {
            what: format!("Asking: {} of {all} checks have answered.", seen.readings.len()),
            next: "Nothing to press: the first verdict takes a few seconds.".to_owned(),
        };
    };
    if let Some((id, card)) = unknown {
        let reason = card.reason.map_or("not known", |reason| reason.words());
        let others = count(Status::Unknown).saturating_sub(1);
        let more = if others > 0 { format!(" +{others}") } else { String::new() };
        let could = if assessment.could_be > Severity::None {
            format!(" Could be {}.", assessment.could_be.label())
        } else {
            String::new()
        };
        return Lines {
            what: first_fit(&[
                format!("Nothing known to fail; {id}{more} is unknown: {reason}.{could}"),
                format!("Nothing known to fail; {id}{more} is unknown.{could}"),
                format!("{} checks are unknown.{could}", others + 1),
            ]),
            next: card.reason.map_or_else(
                || "Look at that check first.".to_owned(),
                |reason| format!("To do: {}.", reason.fix()),
            ),
        };
    }
    let warned = if warn > 0 { format!(", {warn} warned") } else { String::new() };
    let closed = match (&situation.incident, &situation.history.first()) {
        (None, Some(past)) => {
            format!(" {} ended: {}.", incident_name(past.incident), past.ended.outcome.words())
        }
        _ => String::new(),
    };
    Lines {
        what: first_fit(&[
            format!("Nothing fails: {ok} of {all} checks ok{warned}.{closed}"),
            format!("Nothing fails: {ok} of {all} checks ok{warned}."),
        ]),
        next: "Nothing to do. q leaves; ? shows the keys.".to_owned(),
    }
}

#[cfg(test)]
mod tests;
