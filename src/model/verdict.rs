//! The verdict line: two rows that say what is wrong and what the next key is.
//!
//! A function of what is known, tested for every state, and never surer than the evidence: "no
//! data change" only once the schema gate (a ready level) and the help test have answered.

mod failing;
mod going;
mod held;
mod rule;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use super::ids::{CheckId, Time, incident_name};
use super::line::LineDoubt;
use super::live::Live;
use super::reading::{Reading, Status};
use super::severity::Severity;
use super::situation::Situation;
use super::tree::{Assessment, TreeVerdict};

pub use words::{WIDTH, clock};

use words::{first_fit, span};

/// When users first felt it: the oldest failing check that they feel, by the journal.
pub fn first_bad(situation: &Situation) -> Option<Time> {
    let checks = situation.checks.values();
    checks.filter(|card| card.critical && card.status == Status::Fail).map(|card| card.since).min()
}

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
    /// What is held, to stand in front: a row that fails leaves room for it.
    head: &'a str,
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
    let head = held::head(situation, now);
    let seen = Seen { situation, live, readings, now, head: &head };
    let mut lines = held::mark(seen, rule::mark(seen, state(seen)));
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
    // The plan of a rule is read on its card: what is wrong stays in view.
    if situation.plan.is_some() && !(bad.is_some() && rule::proposes(situation)) {
        return going::plan(seen, bad);
    }
    if let Some(doubt) = &situation.judging.line {
        return doubted(seen, doubt);
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

/// Our own line is down, or looks like it: what is seen of the target proves nothing.
fn doubted(seen: Seen<'_>, doubt: &LineDoubt) -> Lines {
    let since = doubt.since.format("%H:%M:%SZ");
    let ours = Some(super::reading::Reason::WitnessDown);
    let unknown = seen.situation.counted().filter(|(_, card)| card.reason == ours).count();
    let fail = seen.situation.counted().filter(|(_, card)| card.status == Status::Fail).count();
    let fail = if fail > 0 { format!(", {fail} FAIL here") } else { String::new() };
    if doubt.proven {
        return Lines {
            what: first_fit(&[
                format!(
                    "OUR OWN LINE IS DOWN since {since}: {}. {unknown} unknown{fail}.",
                    doubt.why
                ),
                format!("OUR OWN LINE IS DOWN since {since}: {unknown} checks are unknown{fail}."),
            ]),
            next: "Nothing starts by itself. Check the line of this machine first.".to_owned(),
        };
    }
    Lines {
        what: first_fit(&[
            format!("IS IT US? {} ({since}).", doubt.why),
            format!("IS IT US? {}.", doubt.why),
            "IS IT US? Remote checks on several hosts fail all at once.".to_owned(),
        ]),
        next: "Nothing starts by itself. Look from another machine; L shows the levels.".to_owned(),
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
    let all = situation.counted().count();
    let muted = situation.muted_count();
    let count = |status| situation.counted().filter(|(_, card)| card.status == status).count();
    if let Some(mute) = situation.judging.mutes.first().filter(|_| all == 0 && muted > 0) {
        return Lines {
            what: first_fit(&[
                format!("Nothing is judged: {muted} muted, {}.", mute.words()),
                format!("Nothing is judged: {muted} checks are muted."),
            ]),
            next: first_fit(&[format!("To end it: backout unmute {}", mute.name)]),
        };
    }
    let (ok, warn) = (count(Status::Ok), count(Status::Warn));
    let unknown = situation.counted().find(|(_, card)| card.status == Status::Unknown);
    let unseen = situation
        .counted()
        .filter(|(_, card)| card.reason == Some(super::reading::Reason::NeverRan));
    let unseen = unseen.count();
    let Some(assessment) = assessment.filter(|_| unseen == 0 && all > 0) else {
        let answered = if unseen > 0 { all - unseen } else { seen.readings.len() };
        return Lines {
            what: format!("Asking: {answered} of {all} checks have answered."),
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
    let warned = if muted > 0 { format!("{warned}, {muted} muted") } else { warned };
    let looks = failing::unproven(seen, &[Status::Ok, Status::Warn]);
    let far = if looks.is_empty() { "" } else { " so far" };
    let closed = match (&situation.incident, &situation.history.first()) {
        (None, Some(past)) => {
            format!(" {} ended: {}.", incident_name(past.incident), past.ended.outcome.words())
        }
        _ => String::new(),
    };
    Lines {
        what: first_fit(&[
            format!("Nothing fails{far}: {ok} of {all} checks ok{warned}{looks}.{closed}"),
            format!("Nothing fails{far}: {ok} of {all} checks ok{warned}{looks}."),
            format!("Nothing fails{far}: {ok} of {all} checks ok{warned}."),
        ]),
        next: "Nothing to do. q leaves; ? shows the keys.".to_owned(),
    }
}

#[cfg(test)]
mod tests;
