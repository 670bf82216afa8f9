//! The criteria of levels 2 and 3 that are read from what a step found: one line each, where the
//! step looked at several things (S-26, S-40).

use crate::model::criteria::{Criterion, Passed};
use crate::model::ids::StepId;
use crate::model::incident::{Run, StepPhase};
use crate::text::SafeText;

use super::{noted, step};

/// How a check of data begins that was made and found something wrong.
const WRONG: &str = "the data is not whole: ";
/// How the part of it begins that is about the application's own mark.
const MARKER: &str = "corruption marker ";

fn criterion(name: &str, measured: &str, answer: Passed) -> Criterion {
    Criterion { name: name.into(), measured: SafeText::new(measured), answer }
}

/// What a step that looked at several things said, one part each, where it was through.
fn parts(run: &Run, id: &str) -> Option<Vec<String>> {
    let state = step(run, id).filter(|state| state.phase == StepPhase::Done)?;
    Some(state.note.as_str().split("; ").map(str::to_owned).collect())
}

/// The containers, and the answer that users get.
pub(super) fn healthy(run: &Run) -> [Criterion; 2] {
    let names = ["all containers healthy", "HTTP API ok"];
    let Some(said) = parts(run, "healthy") else {
        return names.map(|name| noted(name, run, "healthy"));
    };
    let answer = said.first().map_or("", String::as_str);
    let containers = said.get(1).map_or("none on this platform", String::as_str);
    let [containers_name, answer_name] = names;
    [
        criterion(containers_name, containers, Passed::Yes),
        criterion(answer_name, answer, Passed::Yes),
    ]
}

/// What a check of the data found wrong; nothing where it was not made.
fn wrong(run: &Run, id: &str) -> Option<Vec<String>> {
    match &step(run, id)?.phase {
        StepPhase::Done => Some(Vec::new()),
        StepPhase::Failed(why) => {
            let found = why.as_str().strip_prefix(WRONG)?;
            Some(found.split("; ").map(str::to_owned).collect())
        }
        StepPhase::Skipped(_) | StepPhase::Unknown(_) | StepPhase::Waiting | StepPhase::Running => {
            None
        }
    }
}

/// Of what a check found wrong only what is about this; `good` where nothing is.
fn about(name: &str, (run, id): (&Run, &str), is: impl Fn(&str) -> bool, good: &str) -> Criterion {
    let Some(found) = wrong(run, id) else { return noted(name, run, id) };
    let found: Vec<&str> = found.iter().map(String::as_str).filter(|part| is(part)).collect();
    if found.is_empty() {
        return criterion(name, good, Passed::Yes);
    }
    criterion(name, &found.join("; "), Passed::No)
}

/// What the check itself counted.
fn counted(run: &Run, id: &str) -> Option<(String, String)> {
    let said = parts(run, id)?;
    let (tables, rest) = said.first()?.split_once(", ")?;
    Some((tables.to_owned(), rest.to_owned()))
}

/// Whether the database answers, and holds what it held.
pub(super) fn queries(run: &Run) -> Criterion {
    let good = parts(run, "check_data").map(|said| said.join("; "));
    let good = good.unwrap_or_else(|| "every table was read".to_owned());
    let other = |part: &str| !part.starts_with(MARKER);
    about("DB queries work", (run, "check_data"), other, &good)
}

/// Whether the application has found its own data damaged.
pub(super) fn markers(name: &str, run: &Run, id: &str) -> Criterion {
    let settings = run.plan.step(&StepId::from(id)).and_then(|spec| spec.action.get("check_data"));
    let watched = settings.and_then(|settings| settings.get("marker")).and_then(|one| one.as_str());
    let good = watched.map_or_else(
        || "pages, indexes and keys are sound; no marker is configured".to_owned(),
        |path| format!("pages, indexes and keys are sound; {path} is not there"),
    );
    let damage = |part: &str| {
        let counts = part.contains(" is missing (") || part.contains(" holds ");
        !counts && !part.contains("greatest key") && !part.starts_with("restore it beside")
    };
    about(name, (run, id), damage, &good)
}

/// Whether the server's logs were replayed, where the plan said so.
pub(super) fn replayed(run: &Run) -> Criterion {
    let name = "transaction logs replayed, if available";
    let settings = run.plan.step(&StepId::from("restore_database"));
    let settings = settings.and_then(|spec| spec.action.get("restore_database"));
    if settings.is_some_and(|one| one.get("until").is_some_and(|until| !until.is_null())) {
        return noted(name, run, "restore_database");
    }
    criterion(name, "none: a dump is of one moment, no logs belong to it", Passed::Yes)
}

/// Whether every table of the point is in what was restored.
pub(super) fn present(run: &Run) -> Criterion {
    let good = counted(run, "check_copy").map_or_else(|| "all".to_owned(), |(tables, _)| tables);
    let gone = |part: &str| part.starts_with("table ") && part.contains("missing");
    about("all tables present", (run, "check_copy"), gone, &good)
}

/// Whether they hold what they held.
pub(super) fn verified(run: &Run) -> Criterion {
    let good = counted(run, "check_copy").map_or_else(|| "all".to_owned(), |(_, rows)| rows);
    let other = |part: &str| !(part.starts_with("table ") && part.contains("missing"));
    about("critical data verified", (run, "check_copy"), other, &good)
}
