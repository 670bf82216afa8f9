//! The same documents for people at a terminal or in a pipe: no colour, no control characters.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::model::criteria::{Criterion, Passed};
use crate::model::entry::Outcome;
use crate::model::ids::{CheckId, Time};
use crate::model::incident::Run;
use crate::model::live::Live;
use crate::model::plan::{Hazard, Level, Plan, PreflightAnswer, Way};
use crate::model::reading::{Reading, Reason, Status};
use crate::model::restore_point::{PointHealth, RestorePoint};
use crate::model::situation::{OpenPlan, Situation};
use crate::model::verdict::clock;
use crate::text::{fit, width};

use super::documents::{self, Health};
use super::{brief, validate as lines_of};

/// Appends a formatted line. Writing to a `String` cannot fail.
macro_rules! line {
    ($out:expr $(, $arg:expr)+ $(,)?) => {
        let _: Result<(), std::fmt::Error> = writeln!($out $(, $arg)+);
    };
}

/// The table of `check`: worst first, what is unknown with what to do about it.
pub fn checks(
    situation: &Situation,
    readings: &BTreeMap<CheckId, Reading>,
    live: Option<&Live>,
    now: Time,
) -> String {
    let checks = documents::lines(situation, readings, live, now);
    let mut out = String::new();
    let names = checks.iter().map(|line| width(line.check.as_str()));
    let name = names.max().unwrap_or(0).min(32);
    for one in &checks {
        let (sign, word) = match one.status {
            Status::Ok => ("+", "ok  "),
            Status::Warn => ("!", "WARN"),
            Status::Fail => ("x", "FAIL"),
            Status::Unknown if one.off => ("-", "off "),
            Status::Unknown => ("?", "UNKN"),
        };
        let id = pad(&fit(one.check.as_str(), name), name);
        let note = match (one.status, one.reason) {
            _ if one.off => one.note.to_string(),
            (Status::Unknown, Some(reason)) => {
                format!("{}; to do: {}", reason.words(), Reason::fix(reason))
            }
            _ => one.note.to_string(),
        };
        let took = one.took_ms.map_or_else(String::new, |ms| format!("{ms} ms"));
        let age = one.age_seconds.map_or_else(String::new, |age| format!("{age} s ago"));
        let looks = one.looks.as_ref().map_or_else(String::new, |looks| format!("  ({looks})"));
        let flaps = if one.flapping { "  flaps" } else { "" };
        let muted = if one.muted.is_some() { "  muted" } else { "" };
        let note = match &one.requests {
            Some(requests) => format!("{note}  {}", burst(requests)),
            None => note,
        };
        let declared = !situation.judging.declared.is_empty();
        let group = if declared { format!("{:<9}  ", one.dimension) } else { String::new() };
        line!(out, "{sign} {word} {id}  {group}{took:>8}  {age:>8}  {note}{looks}{flaps}{muted}");
    }
    let judging = &situation.judging;
    for mute in &judging.mutes {
        line!(out, "Muted: {}", mute.words());
    }
    for change in &judging.overrides {
        line!(out, "Changed for a while: {}", change.words());
    }
    if let Some(doubt) = &judging.line {
        line!(out, "Is it us? {}", doubt.why);
    }
    let health = match Health::of(situation) {
        Health::Healthy => "healthy",
        Health::Warning => "warning",
        Health::Critical => "critical",
        Health::Unknown => "unknown",
    };
    let muted = match situation.muted_count() {
        0 => String::new(),
        count => format!(" ({count} muted)"),
    };
    line!(out, "Overall: {health}{muted}");
    out
}

/// `20 requests: avg 31 p95 52 max 60 ms, 0 errors`; a time that was not reached is `-`.
fn burst(requests: &documents::Requests) -> String {
    let ms = |time: Option<f64>| time.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0}"));
    let (avg, p95, max) = (ms(requests.avg_ms), ms(requests.p95_ms), ms(requests.max_ms));
    let (sent, errors) = (requests.sent, requests.errors);
    format!("{sent} requests: avg {avg} p95 {p95} max {max} ms, {errors} errors")
}

/// `assess` for people: the verdict line, the questions, the levels.
pub fn assess(
    situation: &Situation,
    live: Option<&Live>,
    readings: &BTreeMap<CheckId, Reading>,
    now: Time,
) -> String {
    let Some(assess) = documents::assess(situation, live, readings, now) else {
        return "not assessed yet\n".to_owned();
    };
    let mut out = String::new();
    let [what, next] = &assess.sentence;
    line!(out, "{what}\n{next}\n");
    let could = if assess.could_be > assess.severity {
        format!(" (could be {})", assess.could_be.label())
    } else {
        String::new()
    };
    line!(out, "Severity {}{could}. Tree: {}.", assess.severity.label(), assess.verdict.words());
    for step in &assess.path {
        let way = if step.on_path { ">" } else { " " };
        let evidence = step.evidence.first().map_or("", |text| text.as_str());
        let against = step
            .against
            .map_or_else(String::new, |other| format!(" (the signal says {})", other.words()));
        let by = if step.by == "signal" { String::new() } else { format!(" by {}", step.by) };
        line!(
            out,
            "{way} {} {} {}{by}{against}  {evidence}",
            step.node,
            step.question,
            step.answer.words()
        );
    }
    for level in &assess.levels {
        let about = level
            .estimate_seconds
            .map_or_else(|| "?".to_owned(), |s| clock(Duration::from_secs(s)));
        line!(
            out,
            "Level {}: {}, about {about} of {}: {}",
            level.level,
            level.standing,
            clock(Duration::from_secs(level.rto_seconds)),
            level.why
        );
    }
    out
}

/// The list of S-17: number, name, and the two annotations of the document.
pub fn targets(points: &[RestorePoint]) -> String {
    listed(points, |_| None)
}

/// The same with a line below each of what there is to show for it.
pub fn targets_shown(points: &[RestorePoint], now: Time) -> String {
    listed(points, |point| Some(documents::shown_for(point, now)))
}

fn listed(points: &[RestorePoint], about: impl Fn(&RestorePoint) -> Option<String>) -> String {
    if points.is_empty() {
        return "no restore points\n".to_owned();
    }
    let chosen = documents::default_target(points).map(|point| &point.id);
    let mut out = String::new();
    for (at, point) in points.iter().enumerate() {
        let target = chosen == Some(&point.id);
        let note = match (&point.health, &point.refused) {
            (_, Some(why)) => format!("(refused: {why})"),
            (PointHealth::CurrentFailed, None) => "(current - failed)".to_owned(),
            (PointHealth::Stable { .. }, None) if target => {
                "(previous - stable) ← Target".to_owned()
            }
            (PointHealth::Stable { .. }, None) => "(stable)".to_owned(),
            (PointHealth::Failed, None) => "(failed)".to_owned(),
            (PointHealth::NotProven, None) => String::new(),
        };
        let text = format!("{:>3}  {}  {note}", at + 1, point.id);
        line!(out, "{}", text.trim_end());
        if let Some(about) = about(point) {
            line!(out, "     {about}");
        }
    }
    out
}

/// A plan: what each step does, how it is undone, both sums against the objective; with
/// `commands`, how to do it by hand.
pub fn plan(open: &OpenPlan, commands: bool) -> String {
    let plan = &open.plan;
    let mut out = String::new();
    line!(
        out,
        "Plan {}  level {} {}  {} -> {}",
        open.digest.short(),
        plan.core.level,
        plan.core.level.words(),
        plan.core.from,
        plan.core.to
    );
    out.push_str(&plan_steps(plan, commands));
    let budgets = plan.critical_path(|_, spec| spec.budget);
    let rto = plan.core.level.rto();
    let over = |span: Duration| {
        if span > rto {
            format!(" (OVER by {})", clock(span.saturating_sub(rto)))
        } else {
            String::new()
        }
    };
    line!(
        out,
        "Until traffic is good: about {}{}, by budgets {}{}, objective {}",
        clock(plan.face.estimate),
        over(plan.face.estimate),
        clock(budgets),
        over(budgets),
        clock(rto)
    );
    if !plan.face.form.is_empty() {
        line!(out, "Form: {}", plan.face.form);
    }
    out.push_str(&plan_moves(plan));
    for change in plan.face.diff.iter().filter(|_| commands) {
        line!(out, "  {change}");
    }
    line!(out, "Data: {}", plan.face.data);
    if !plan.face.workers.is_empty() {
        line!(out, "{}", plan.face.workers);
    }
    for text in &plan.face.not_undone {
        line!(out, "Not undone: {text}");
    }
    for one in &open.preflight {
        let sign = match one.answer {
            PreflightAnswer::Ok => "+ ok   ",
            PreflightAnswer::Warn => "! WARN ",
            PreflightAnswer::Block => "x BLOCK",
            PreflightAnswer::Unknown => "? UNKN ",
        };
        line!(out, "{sign} {}: {}", one.name, one.text);
    }
    out
}

/// What each step does and how it is undone.
fn plan_steps(plan: &Plan, commands: bool) -> String {
    let mut out = String::new();
    let titles = plan.face.steps.iter().map(|face| width(face.title.as_str()));
    let title = titles.max().unwrap_or(0).clamp(4, 40);
    let undos = plan.face.steps.iter().map(|face| width(face.undo.as_str()));
    let undo = undos.max().unwrap_or(0).clamp(16, 32);
    line!(out, "    # {}  {}     est  budget", pad("step", title), pad("how it is undone", undo));
    for (at, (spec, face)) in plan.core.steps.iter().zip(&plan.face.steps).enumerate() {
        let mark = match spec.hazard {
            Hazard::Looks => " ",
            Hazard::Reversible => "*",
            Hazard::LosesData => "!",
        };
        line!(
            out,
            "  {mark}{:>2} {}  {}  {:>6}  {:>6}",
            at + 1,
            pad(&fit(face.title.as_str(), title), title),
            pad(&fit(face.undo.as_str(), undo), undo),
            clock(face.estimate),
            clock(spec.budget)
        );
        if !face.preview.is_empty() {
            line!(out, "       {}", face.preview);
        }
        for command in face.by_hand.iter().filter(|_| commands) {
            line!(out, "       $ {command}");
        }
    }
    out
}

/// What goes back, stays, or cannot.
fn plan_moves(plan: &Plan) -> String {
    let mut out = String::new();
    let items = plan.face.moves.iter().map(|one| width(one.item.as_str())).max().unwrap_or(0);
    for one in &plan.face.moves {
        let change = if one.way == Way::Back {
            format!("{} -> {}", one.from, one.to)
        } else {
            one.from.to_string()
        };
        line!(
            out,
            "  {:<10}  {}  {change}",
            one.way.words(),
            pad(one.item.as_str(), items.min(32))
        );
    }
    out
}

/// A run for people, when it is over or waits for one.
pub fn ended(run: &Run) -> String {
    let rollback = documents::rollback(run);
    let mut out = String::new();
    for step in &rollback.steps {
        if step.undo && step.attempts == 0 {
            continue;
        }
        let took = clock(Duration::from_secs_f64(step.took_seconds.max(0.0)));
        line!(out, "{:<8} {}  {took}  {}", step.state, step.title, step.note);
    }
    for (step, standing) in run.measured() {
        let title = run.plan.face_of(&step.id).map(|face| face.title.as_str());
        let at =
            step.looked_at.map_or_else(String::new, |at| at.format(" (%H:%M:%SZ)").to_string());
        line!(out, "Now: {}: {}{at}", title.unwrap_or(step.id.as_str()), standing.words());
    }
    for one in &rollback.criteria {
        line!(out, "{} {}: {}", tick(one.passed), one.name, one.measured);
    }
    line!(out, "Data loss: {}", rollback.data_loss);
    if !rollback.by_hand.is_empty() {
        line!(out, "Both are up. Rows of a single table that the live data lacks come over with:");
        for command in &rollback.by_hand {
            line!(out, "  {command}");
        }
    }
    line!(out, "Outcome: {} ({})", rollback.outcome, rollback.why);
    if let Some(next) = next_level(run) {
        line!(out, "If that is not enough: {next}");
    }
    if let Some(history) = &rollback.history {
        line!(out, "{history}");
    }
    out
}

/// The command of the next level after one that failed, at the point that this one went to where it
/// went to one (S-15, S-25, S-29); it asks for its own word.
fn next_level(run: &Run) -> Option<String> {
    let failed = run.ended.as_ref().is_some_and(|ended| ended.outcome == Outcome::Failed);
    let core = &run.plan.core;
    match core.level {
        _ if !failed || run.plan.undoes().is_some() || run.plan.face.called.is_some() => None,
        Level::Switch => Some("backout rollback --level 2".to_owned()),
        Level::Full => Some(format!("backout rollback --level 3 --target {}", core.point)),
        // An older point, by the list.
        Level::PointInTime => Some("backout rollback --list".to_owned()),
    }
}

/// The lines of S-48: `✓ HTTP API: 200`; what is not known is no pass.
pub fn validate(lines: &[Criterion]) -> String {
    let mut out = String::new();
    for one in lines {
        let sign = if lines_of::is_left_out(one) { "-" } else { tick(one.answer) };
        line!(out, "{sign} {}: {}", one.name, one.measured);
    }
    let left_out = lines.iter().filter(|line| lines_of::is_left_out(line)).count();
    let word = if lines_of::all_good(lines) { "passed" } else { "NOT passed" };
    line!(out, "Overall: {word}, {} of {} looked at", lines.len() - left_out, lines.len());
    out
}

/// `status` for people: the twelve lines of the brief.
pub fn status(situation: &Situation, live: Option<&Live>, now: Time) -> String {
    let mut lines = brief::brief(situation, live, &BTreeMap::new(), now).to_vec();
    lines.push(String::new());
    lines.join("\n")
}

fn tick(passed: Passed) -> &'static str {
    match passed {
        Passed::Yes => "✓",
        Passed::No => "✗",
        Passed::Unknown => "?",
    }
}

fn pad(text: &str, columns: usize) -> String {
    let blanks = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(blanks))
}
