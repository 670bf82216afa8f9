//! A plan is open, a run goes on, or one has ended.

use crate::model::entry::{Abort, Outcome};
use crate::model::figures::Reached;
use crate::model::ids::StepId;
use crate::model::incident::{Run, RunState, StepPhase, StepState, Waiting, Watch};
use crate::model::plan::{Level, PreflightAnswer};
use crate::model::severity::Severity;
use crate::model::situation::OpenPlan;
use crate::model::tree::{Assessment, TreeVerdict};
use crate::model::watch::Verdict;

use super::words::{clock, first_fit, part, roughly, span};
use super::{Lines, Seen, failing};

/// A plan is on the table: what it does, and what keeps it from being approved.
pub(super) fn plan(seen: Seen<'_>, bad: Option<&Assessment>) -> Lines {
    let Some(open) = &seen.situation.plan else {
        return Lines::default();
    };
    let core = &open.plan.core;
    let estimate = seen
        .live
        .and_then(|live| live.face.as_ref())
        .map_or(open.plan.face.estimate, |face| face.estimate);
    let (from, to) = (part(core.from.as_str(), 16), part(core.to.as_str(), 16));
    let budget = core.level.rto();
    let over = if estimate > budget {
        format!("OVER by {}", clock(estimate.saturating_sub(budget)))
    } else {
        format!("of {}", clock(budget))
    };
    let doubt = if bad.is_none() { " No failure known." } else { "" };
    let head = format!(
        "Plan {}: level {}, {from} -> {to}, about {} {over}.",
        open.digest.short(),
        core.level,
        clock(estimate)
    );
    Lines { what: first_fit(&[format!("{head}{doubt}"), head]), next: approve(open) }
}

fn approve(open: &OpenPlan) -> String {
    let blocks = open.preflight.iter().find(|line| match line.answer {
        PreflightAnswer::Block | PreflightAnswer::Unknown => true,
        PreflightAnswer::Ok | PreflightAnswer::Warn => false,
    });
    if let Some(line) = blocks {
        let (name, text) = (part(line.name.as_str(), 28), line.text.as_str());
        let word = if line.answer == PreflightAnswer::Unknown { "Not known" } else { "Blocked" };
        return first_fit(&[
            format!("{word}: {name}: {}. Esc goes back.", part(text, 200)),
            format!("{word}: {name}: {}.", part(text, 34)),
        ]);
    }
    let warned = open.preflight.iter();
    let warned = warned.filter(|line| line.answer == PreflightAnswer::Warn);
    let warned = match warned.count() {
        0 => String::new(),
        count => format!(" {count} warned."),
    };
    // The first clause says what it comes to; the plan on the screen says the rest.
    let data = open.plan.face.data.as_str().split(';').next().unwrap_or_default();
    let data = part(data, 30);
    let data = if data.is_empty() { String::new() } else { format!(" Data: {data}.") };
    first_fit(&[
        format!("Press R, read, type ROLLBACK.{data}{warned}"),
        format!("Press R, read, type ROLLBACK.{data}"),
    ])
}

/// A run that is not over.
pub(super) fn run(seen: Seen<'_>, run: &Run) -> Lines {
    match run.state() {
        RunState::WaitingForYou => match &run.waiting {
            Some(waiting) => waits(seen, run, waiting),
            None => steps(seen, run),
        },
        RunState::Aborting => aborting(run),
        RunState::Paused => paused(seen, run),
        RunState::Watching => match &run.watch {
            Some(watch) => watching(seen, run, watch),
            None => steps(seen, run),
        },
        RunState::Running | RunState::Stable | RunState::Closed => steps(seen, run),
    }
}

/// `3/6 drain green`.
fn place(run: &Run, id: &StepId) -> String {
    let steps = &run.plan.core.steps;
    let at = steps.iter().position(|spec| &spec.id == id);
    let title = run.plan.face_of(id).map_or(id.as_str(), |face| face.title.as_str());
    match at {
        Some(at) => format!("{}/{} {}", at + 1, steps.len(), part(title, 34)),
        None => part(id.as_str(), 34),
    }
}

fn steps(seen: Seen<'_>, run: &Run) -> Lines {
    let mut running = run.running();
    let what = match running.next() {
        Some(step) => {
            let beside = running.count();
            let beside = if beside > 0 { format!(", {beside} beside it") } else { String::new() };
            let told = seen
                .live
                .and_then(|live| live.steps.get(&step.id))
                .map(|told| part(told.text.as_str(), 30))
                .filter(|text| !text.is_empty())
                .map_or_else(String::new, |text| format!(": {text}"));
            let (place, time) = (place(run, &step.id), step_time(seen, run, step));
            first_fit(&[
                format!("Step {place}{told}, {time}{beside}."),
                format!("Step {place}, {time}{beside}."),
                format!("Step {place}, {time}."),
            ])
        }
        None => format!("Level {} runs; the next step is about to begin.", run.plan.core.level),
    };
    Lines {
        what,
        next: first_fit(&[
            format!("{} p pauses after this step, x stops or takes back.", objective(seen, run)),
            "p pauses after this step, x stops or takes back.".to_owned(),
        ]),
    }
}

fn step_time(seen: Seen<'_>, run: &Run, step: &StepState) -> String {
    let took = step.started_at.map_or_else(String::new, |at| clock(span(at, seen.now)));
    match run.plan.step(&step.id) {
        Some(spec) => format!("{took} of {}", clock(spec.budget)),
        None => took,
    }
}

/// The time since the confirmation against the level's objective.
fn objective(seen: Seen<'_>, run: &Run) -> String {
    let until = run.watch.as_ref().map_or(seen.now, |watch| watch.opened_at);
    let gone = span(run.started_at, until);
    let objective = run.plan.core.level.rto();
    if gone > objective {
        format!("OVER by {}.", clock(gone.saturating_sub(objective)))
    } else {
        format!("{} of {}.", clock(gone), clock(objective))
    }
}

fn paused(seen: Seen<'_>, run: &Run) -> Lines {
    let what = match run.running().next() {
        Some(step) => format!("Pausing: step {} ends first.", place(run, &step.id)),
        None => "PAUSED: no step runs, none will start. The outage goes on meanwhile.".to_owned(),
    };
    Lines { what, next: format!("{} p goes on, x stops or takes back.", objective(seen, run)) }
}

fn aborting(run: &Run) -> Lines {
    let verb = run.abort.map_or("", Abort::words);
    let what = match run.running().next() {
        Some(step) => first_fit(&[
            format!("ABORTING ({verb}): step {} runs.", place(run, &step.id)),
            format!("ABORTING: step {} runs.", place(run, &step.id)),
        ]),
        None => format!("ABORTING: {verb}."),
    };
    Lines {
        what,
        next: "Nothing to press: it ends by itself and says where things stand.".to_owned(),
    }
}

/// The copy is up: what a swap would lose, and what the other ways cost.
fn asks(run: &Run) -> Lines {
    let what = match &run.loss {
        None => vec!["The copy is up; what SWAP would lose is not known.".to_owned()],
        Some(loss) => {
            let at = loss.from.format("%H:%M:%SZ");
            let lost = loss.words(loss.until.unwrap_or(loss.from));
            vec![
                format!("Copy at {at} is up beside the live one. SWAP loses {lost}."),
                format!("Copy at {at} is up. SWAP loses {lost}."),
                format!("SWAP loses {}.", part(&lost, 48)),
            ]
        }
    };
    Lines {
        what: first_fit(&what),
        next: "R chooses SWAP, BESIDE or NEW TIME; only SWAP loses. Writers wait.".to_owned(),
    }
}

fn waits(seen: Seen<'_>, run: &Run, waiting: &Waiting) -> Lines {
    let step = waiting.step.as_ref().and_then(|id| run.step(id));
    let Some(step) = step else {
        let offer = failing::offer(waiting.offer);
        let why = waiting.why.as_str();
        return Lines {
            what: first_fit(&[
                format!("WAITING FOR YOU: {}.", part(why, 200)),
                format!("WAITING FOR YOU: {}.", part(why, 59)),
            ]),
            next: first_fit(&[
                format!("v ends the run with that; x takes it back.{offer}"),
                "v ends the run with that, then L for the next level; x takes it back.".to_owned(),
            ]),
        };
    };
    if run.asks().is_some() {
        return asks(run);
    }
    let place = place(run, &step.id);
    let short = part(&place, 24);
    let why = waiting.why.as_str();
    let (word, next) = match &step.phase {
        StepPhase::Unknown(_) => {
            let looked = step.looked_at.map_or_else(
                || "Not looked at yet.".to_owned(),
                |at| format!("Looked {} ago.", roughly(span(at, seen.now))),
            );
            ("UNKNOWN", format!("{looked} d it is done, t try again, x stop or take back."))
        }
        StepPhase::Failed(_)
        | StepPhase::Waiting
        | StepPhase::Running
        | StepPhase::Done
        | StepPhase::Skipped(_) => (
            "FAILED",
            format!(
                "t try again, d it is done, x stop or take back.{}",
                failing::offer(waiting.offer)
            ),
        ),
    };
    let word = if matches!(step.phase, StepPhase::Failed(_) | StepPhase::Unknown(_)) {
        word
    } else {
        "WAITS"
    };
    Lines {
        what: first_fit(&[
            format!("WAITING FOR YOU: step {place} {word}: {}.", part(why, 200)),
            format!("Step {place} {word}: {}.", part(why, 200)),
            format!("Step {short} {word}: {}.", part(why, 36)),
        ]),
        next: first_fit(&[
            next,
            "t try again, d it is done, x stop or take back. L shows the levels.".to_owned(),
        ]),
    }
}

fn watching(seen: Seen<'_>, run: &Run, watch: &Watch) -> Lines {
    let to = part(run.plan.core.to.as_str(), 16);
    let Some(live) = seen.live.and_then(|live| live.watch.as_ref()) else {
        return Lines {
            what: format!("Traffic was moved to {to}; its first numbers are being taken."),
            next: format!("Watching for {}. x takes it back.", clock(watch.window)),
        };
    };
    let errors = live
        .now
        .map_or_else(|| "errors not known yet".to_owned(), |now| format!("errors {now:.1} %"));
    let was = live.before.map_or_else(String::new, |before| format!(" (was {before:.1} %)"));
    let p95 =
        live.p95.map_or_else(String::new, |p95| format!(", p95 {}", Reached::Seconds(p95).words()));
    let failing = live
        .failing
        .first()
        .map_or_else(String::new, |id| format!(" {} FAILS.", part(id.as_str(), 16)));
    let so_far = match live.verdict {
        Verdict::Stable => "so far good",
        Verdict::Worse => "so far WORSE",
        Verdict::NoEffect => "so far NO EFFECT",
        Verdict::CannotTell => "too early to tell",
    };
    let step = run
        .running()
        .next()
        .map_or_else(String::new, |step| format!(" {} runs.", place(run, &step.id)));
    Lines {
        what: first_fit(&[
            format!("Traffic on {to}: {errors}{was}{p95}.{failing}"),
            format!("Traffic on {to}: {errors}{was}.{failing}"),
            format!("Traffic on {to}: {errors}."),
        ]),
        next: first_fit(&[
            format!(
                "Watched {} of {}, {so_far}. v ends it, x takes it back.{step}",
                clock(live.counted),
                clock(live.window)
            ),
            format!(
                "Watched {} of {}, {so_far}. v ends it, x takes it back.",
                clock(live.counted),
                clock(live.window)
            ),
        ]),
    }
}

/// A run is over: how, and what is left to do. A new failure afterwards is said first.
pub(super) fn ended(seen: Seen<'_>, run: &Run, bad: Option<&Assessment>) -> Lines {
    let Some(ended) = &run.ended else {
        return Lines::default();
    };
    let bad =
        bad.filter(|bad| bad.severity >= Severity::Medium || bad.verdict == TreeVerdict::RollBack);
    if let Some(assessment) = bad.filter(|bad| bad.since > ended.at) {
        return failing::lines(seen, assessment);
    }
    let (from, to) = (part(run.plan.core.from.as_str(), 14), part(run.plan.core.to.as_str(), 14));
    let why = ended.why.as_str();
    let took = clock(ended.took);
    let what = match ended.outcome {
        Outcome::Done => first_fit(&[
            format!("STABLE on {to} after {took} of {}.", clock(run.plan.core.level.rto())),
            format!("STABLE on {to} after {took}."),
        ]),
        Outcome::Failed => first_fit(&[
            format!("The rollback to {to} FAILED: {}.", part(why, 200)),
            format!("The rollback FAILED: {}.", part(why, 54)),
        ]),
        Outcome::Aborted => first_fit(&[
            format!("The rollback to {to} was stopped: {}.", part(why, 200)),
            format!("The rollback was stopped: {}.", part(why, 50)),
        ]),
        Outcome::Undone => first_fit(&[
            format!("The rollback to {to} was taken back: {from} has the traffic again."),
            "The rollback was taken back.".to_owned(),
        ]),
        Outcome::Unknown => first_fit(&[
            format!("How the rollback ended is NOT KNOWN: {}.", part(why, 200)),
            format!("How the rollback ended is NOT KNOWN: {}.", part(why, 38)),
        ]),
    };
    // A level that did not do it is not offered again as if nothing had been.
    let failed = ended.outcome == Outcome::Failed || ended.outcome == Outcome::Unknown;
    let higher = Level::from_number(run.plan.core.level.number() + 1).filter(|_| failed);
    let next = match (bad, higher) {
        (Some(_), Some(level)) => failing::escalate(seen, level),
        (Some(assessment), None) => failing::key(seen, assessment),
        (None, _) => leftovers(seen),
    };
    let next = first_fit(&[
        if bad.is_some() { format!("It still fails. {next}") } else { next.clone() },
        next,
    ]);
    Lines { what, next }
}

fn leftovers(seen: Seen<'_>) -> String {
    let left = &seen.situation.leftovers;
    match left.first() {
        Some(first) => first_fit(&[
            format!(
                "{} left over, first: {}. Release: {}",
                left.len(),
                part(first.name.as_str(), 24),
                part(first.undo.as_str(), 200)
            ),
            format!(
                "{} left over, first: {}. See: backout leftovers",
                left.len(),
                part(first.name.as_str(), 30)
            ),
        ]),
        None => "Nothing is left over. The history line is written. q leaves.".to_owned(),
    }
}
