//! Something fails and nothing runs: what, since which change, would going back help, and which
//! level is the next key.

use crate::model::entry::Change;
use crate::model::ids::Time;
use crate::model::plan::{Level, LevelCard, LevelStanding};
use crate::model::reading::Status;
use crate::model::severity::Severity;
use crate::model::signal::{Signal, SignalValue};
use crate::model::tree::{Answer, Answered, Assessment, BREACH, HelpTest, Helps, TreeVerdict};

use super::words::{clock, first_fit, part, roughly, span};
use super::{Lines, Seen};

/// A deploy that is older than this is no suspect.
const SUSPECT: chrono::Duration = chrono::Duration::hours(24);

/// A help test older than this is dated.
const HELP_FRESH: std::time::Duration = std::time::Duration::from_mins(2);

/// Both rows while something fails.
pub(super) fn lines(seen: Seen<'_>, assessment: &Assessment) -> Lines {
    Lines { what: what(seen, assessment), next: next(seen, assessment) }
}

/// A breach: no level, whatever else fails.
pub(super) fn breach(seen: Seen<'_>) -> Lines {
    let said = seen.situation.breach();
    let by = said.map_or("", |said| said.by.as_str());
    let at = said.map_or_else(String::new, |said| said.at.format(" at %H:%MZ").to_string());
    Lines {
        what: first_fit(&[
            format!("BREACH reported by {by}{at}: preserve, isolate, wait."),
            format!("BREACH reported{at}: preserve, isolate, wait."),
        ]),
        next: "No level starts until another person answers question 0 with no: a.".to_owned(),
    }
}

/// What fails, since when, and whether going back would help.
pub(super) fn what(seen: Seen<'_>, assessment: &Assessment) -> String {
    let looks =
        if first_failing(seen).is_none() { unproven(seen, &[Status::Warn]) } else { String::new() };
    let fact = format!("{}{looks}", fact(seen, assessment));
    let began = began(seen, assessment);
    let since = since(seen, began);
    let could = if assessment.could_be > assessment.severity {
        format!(" Could be {}.", assessment.could_be.label())
    } else {
        String::new()
    };
    let help = help(seen);
    let (long, short, bare) = since;
    let head = seen.head;
    first_fit(&[
        format!("{head}{fact} since {long}.{help}{could}"),
        format!("{head}{fact} since {short}.{help}{could}"),
        format!("{head}{fact} since {bare}.{help}{could}"),
        format!("{head}{fact} since {bare}.{help}"),
        format!("{head}{fact}.{help}"),
        format!("{head}{fact}."),
    ])
}

/// What fails, worst first: a failing database is named before what it takes down.
fn fact(seen: Seen<'_>, assessment: &Assessment) -> String {
    let subject = subject(seen);
    let answered = |node: &str| {
        let mut path = assessment.path.iter();
        path.any(|step| step.node.as_str() == node && step.answer == Answer::Yes)
    };
    if answered("4") {
        return "Data is corrupt".to_owned();
    }
    if let Some(database) = up(seen, "database_failure") {
        return format!("Database fails ({})", part(&database, 24));
    }
    if number(seen, assessment, "outage").is_some_and(|outage| outage >= 2.0) {
        return format!("{subject} is down");
    }
    let errors = number(seen, assessment, "error_rate").filter(|rate| *rate > 0.0);
    let slow = number(seen, assessment, "p95").filter(|p95| *p95 >= 2.0);
    match (errors, slow) {
        (Some(rate), slow) if rate >= 5.0 || slow.is_none() => {
            format!("{subject} fails {rate:.1} %")
        }
        (_, Some(p95)) => format!("{subject} answers in {p95:.1} s"),
        (_, None) => match first_failing(seen) {
            Some((id, "")) => format!("{id} fails"),
            Some((id, note)) => format!("{id} fails ({})", part(note, 24)),
            None => format!(
                "{} is not well",
                assessment
                    .because
                    .first()
                    .map_or_else(|| subject.clone(), |because| part(because.as_str(), 30))
            ),
        },
    }
}

/// How few looks what is said rests on, of checks that stand so: ` (1 of 3 looks)`.
pub(super) fn unproven(seen: Seen<'_>, stand: &[Status]) -> String {
    let Some(live) = seen.live else { return String::new() };
    seen.situation
        .counted()
        .filter(|(_, card)| stand.contains(&card.status))
        .filter_map(|(id, _)| live.looks.get(id))
        .max_by_key(|looks| (looks.seen, looks.needed))
        .map_or_else(String::new, |looks| format!(" ({})", looks.words()))
}

/// Who fails: the longest failing check that users feel, with how many others.
fn subject(seen: Seen<'_>) -> String {
    let checks = seen.situation.counted();
    let failing = checks.filter(|(_, card)| card.critical && card.status == Status::Fail);
    let others = failing.count().saturating_sub(1);
    match first_failing(seen) {
        Some((id, _)) if others > 0 => format!("{} +{others}", part(id, 16)),
        Some((id, _)) => part(id, 20),
        None => "Traffic".to_owned(),
    }
}

fn first_failing(seen: Seen<'_>) -> Option<(&str, &str)> {
    let checks = seen.situation.counted();
    checks
        .filter(|(_, card)| card.status == Status::Fail)
        .min_by_key(|(_, card)| (!card.critical, card.since))
        .map(|(id, card)| (id.as_str(), card.note.as_str()))
}

fn signal<'a>(seen: Seen<'a>, name: &str) -> Option<&'a Signal> {
    seen.live?.signals.get(name)
}

/// A signal's number now, else the one that the assessment was made of.
fn number(seen: Seen<'_>, assessment: &Assessment, name: &str) -> Option<f64> {
    if let Some(signal) = signal(seen, name) {
        return signal.value.number();
    }
    let node = match name {
        "outage" => "1",
        "error_rate" => "2",
        "p95" => "3",
        _ => return None,
    };
    let mut path = assessment.path.iter();
    path.find(|step| step.node.as_str() == node)?.value
}

/// The first evidence of a flag that is up.
fn up(seen: Seen<'_>, name: &str) -> Option<String> {
    let signal = signal(seen, name)?;
    let evidence = || {
        let first = signal.evidence.first();
        first.map_or_else(String::new, |text| text.as_str().to_owned())
    };
    (signal.value == SignalValue::Flag(true)).then(evidence)
}

/// When it began: the first failing check that users feel, else when the class was reached.
fn began(seen: Seen<'_>, assessment: &Assessment) -> Time {
    // What a person knows better stands.
    let corrected = seen.situation.incident.as_ref().and_then(|incident| incident.began);
    let checks = seen.situation.counted();
    let first = checks
        .filter(|(_, card)| card.critical && card.status == Status::Fail)
        .map(|(_, card)| card.since)
        .min();
    corrected.or(first).unwrap_or(assessment.since)
}

/// The deploy just before it began, if one is known.
pub(super) fn suspect(seen: Seen<'_>, began: Time) -> Option<&Change> {
    let mut changes = seen.situation.changes.iter();
    changes.find(|change| change.at <= began && began - change.at <= SUSPECT)
}

/// Since when, in three lengths.
fn since(seen: Seen<'_>, began: Time) -> (String, String, String) {
    let Some(change) = suspect(seen, began) else {
        let at = began.format("%H:%M:%SZ").to_string();
        return (format!("{at}, no deploy known before it"), at.clone(), at);
    };
    let version = part(change.version.as_str(), 20);
    let after = format!("{} after {version}", roughly(span(change.at, began)));
    let (by, reference) = (part(change.by.as_str(), 12), part(change.reference.as_str(), 16));
    let both = format!("{reference} {by}");
    let long = match both.trim() {
        "" => after.clone(),
        both => format!("{after} ({both})"),
    };
    let short = if reference.is_empty() { after.clone() } else { format!("{after} ({reference})") };
    (long, short, after)
}

/// What the help test says, and nothing where it has not answered.
fn help(seen: Seen<'_>) -> String {
    let Some(test) = &seen.situation.help else {
        return String::new();
    };
    let age = span(test.at, seen.now);
    let dated = if age > HELP_FRESH { format!(" {} ago", roughly(age)) } else { String::new() };
    match (&test.target, &test.shared_failing) {
        (Some(target), Some(shared)) => {
            let version = part(target.version.as_str(), 16);
            if up(seen, "database_failure").is_some() {
                format!(" {version} needs it too.")
            } else {
                format!(" {version} needs {} too.", part(shared.as_str(), 20))
            }
        }
        (None, Some(shared)) => format!(" {} is what fails.", part(shared.as_str(), 20)),
        (Some(target), None) => format!(
            " {} answers {}/{}{dated}.",
            part(target.version.as_str(), 16),
            target.answered,
            target.asked
        ),
        (None, None) => " Nothing live to go back to.".to_owned(),
    }
}

/// The next key, its time and its cost, and how much of the time for a forward fix is left.
pub(super) fn next(seen: Seen<'_>, assessment: &Assessment) -> String {
    let key = key(seen, assessment);
    first_fit(&[format!("{key}{}", left(seen, assessment)), key])
}

/// The next key, its time and its cost.
pub(super) fn key(seen: Seen<'_>, assessment: &Assessment) -> String {
    let situation = seen.situation;
    if let Some(refused) = &situation.refused {
        let offer = offer(refused.offer);
        let why = refused.why.as_str();
        return first_fit(&[
            format!("Level {} is refused: {}.{offer}", refused.level, part(why, 200)),
            format!("Level {} is refused: {}.{offer}", refused.level, part(why, 26)),
        ]);
    }
    let wanted = assessment.suggests.or_else(|| {
        let late = situation.deadline_passed && assessment.severity >= Severity::Medium;
        late.then_some(Level::Switch)
    });
    let Some(level) = wanted else {
        return wait(assessment);
    };
    let consider = if situation.deadline_passed && assessment.severity == Severity::Medium {
        "15 min are over: consider a rollback. "
    } else {
        ""
    };
    let helps = situation.help.as_ref().map(HelpTest::says);
    if level == Level::Switch && helps == Some(Helps::No) {
        return advised_against(seen);
    }
    let card = situation.levels.iter().find(|card| card.level == level);
    let next = match card {
        None => format!("Level {level} is being looked at. Press L."),
        Some(card) => level_card(card, helps),
    };
    first_fit(&[format!("{consider}{next}"), next])
}

/// Level 1 would move the traffic to a version that fails as well.
fn advised_against(seen: Seen<'_>) -> String {
    let test = seen.situation.help.as_ref();
    let shared = test.and_then(|test| test.shared_failing.as_ref());
    match shared {
        Some(shared) => {
            let shared = part(shared.as_str(), 22);
            first_fit(&[
                format!(
                    "Level 1 is advised against: {shared} fails for both. Mend that; L for levels."
                ),
                format!("Level 1 would not help: {shared} fails for both. L shows the levels."),
            ])
        }
        None => {
            "Level 1 is advised against: the target fails as well. L shows the levels.".to_owned()
        }
    }
}

/// What a level's card comes to. Its claim about data needs the answer of gate and help test.
fn level_card(card: &LevelCard, helps: Option<Helps>) -> String {
    let level = card.level;
    let about =
        card.estimate.map_or_else(String::new, |estimate| format!(" about {}", clock(estimate)));
    match card.standing {
        LevelStanding::Ready => match helps {
            Some(_) if !card.data.is_empty() => first_fit(&[
                format!(
                    "Level {level} is ready:{about}, {}. Press L.",
                    part(card.data.as_str(), 200)
                ),
                format!(
                    "Level {level} is ready:{about}, {}. Press L.",
                    part(card.data.as_str(), 30)
                ),
            ]),
            Some(_) => format!("Level {level} is ready:{about}. Press L."),
            None => {
                format!("Level {level} is ready:{about}. Would it help? Being tested. Press L.")
            }
        },
        LevelStanding::Blocked => {
            let why = part(card.why.as_str(), 40);
            format!("Level {level} is blocked: {why}. Press L.")
        }
        LevelStanding::NotProven => {
            let why = part(card.why.as_str(), 36);
            format!("Level {level} is not proven: {why}. Press L.")
        }
    }
}

/// How much of the time for a forward fix is left.
fn left(seen: Seen<'_>, assessment: &Assessment) -> String {
    match assessment.deadline {
        Some(deadline) if deadline > seen.now => {
            format!(" Time for a fix: {}.", clock(span(seen.now, deadline)))
        }
        Some(_) | None => String::new(),
    }
}

/// No level is suggested: what is open, or how long to go on.
fn wait(assessment: &Assessment) -> String {
    // Whether it is a breach is asked all the time; what could not be measured is asked first.
    let open = |step: &&Answered| step.answer == Answer::Unknown && step.node.as_str() != BREACH;
    match assessment.path.iter().find(open) {
        Some(step) if assessment.verdict == TreeVerdict::Open => {
            let question = part(&step.question, 24);
            first_fit(&[
                format!("Question {} is open: {question} Press a.", step.node),
                "A question is open: press a.".to_owned(),
            ])
        }
        Some(_) | None if assessment.deadline.is_none() => {
            "Monitor: no rollback is called for. L shows the levels.".to_owned()
        }
        Some(_) | None => "No rollback is called for yet: L shows the levels.".to_owned(),
    }
}

/// After a level that failed, the next one (S-15).
pub(super) fn escalate(seen: Seen<'_>, level: Level) -> String {
    let card = seen.situation.levels.iter().find(|card| card.level == level);
    let helps = seen.situation.help.as_ref().map(HelpTest::says);
    match card {
        Some(card) => level_card(card, helps),
        None => format!("Level {level} ({}) is the next step. Press L.", level.words()),
    }
}

/// The level that is offered instead.
pub(super) fn offer(level: Option<Level>) -> String {
    level.map_or_else(String::new, |level| {
        format!(" Level {level} ({}) is offered: L.", level.words())
    })
}
