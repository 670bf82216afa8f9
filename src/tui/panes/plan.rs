//! The plan on the table: every step, how it is undone, what it takes, what was looked at before.

use std::time::Duration;

use crate::model::ids::StepId;
use crate::model::plan::{
    Class, Hazard, Move, Plan, PlanFace, Preflight, PreflightAnswer, StepFace, StepSpec, Way,
};
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::words;

use super::Content;

/// The pane.
pub fn content(view: &View<'_>, width: usize) -> Content {
    let situation = &view.world.situation;
    let Some(open) = &situation.plan else {
        return none(view, width);
    };
    let face = view.world.face().unwrap_or(&open.plan.face);
    let core = &open.plan.core;
    let wide = width >= 100;
    let looked_at = preflight(view, &open.preflight);
    let mut rows = Vec::new();
    if view.world.blocker().is_some() {
        // What keeps it from starting is read first.
        rows.extend(looked_at.clone());
    }
    rows.extend(super::locked(view, width));
    rows.extend(super::held(view, width));
    rows.push(head(width, wide));
    for (at, spec) in core.steps.iter().enumerate() {
        if let Some(step) = face.steps.get(at) {
            rows.push(
                step_row(at, spec, step, width).select(view.ui.step.as_ref() == Some(&spec.id)),
            );
            if wide && !step.preview.is_empty() {
                rows.push(Row::of(Role::Muted, format!("      {}", step.preview)));
            }
        }
    }
    rows.push(point_of_no_return(core));
    rows.push(budget(&open.plan, face));
    let form = if face.form.is_empty() { String::new() } else { format!("{}, ", face.form) };
    rows.push(Row::of(Role::Base, format!("Form: {form}{} -> {}", core.from, core.to)));
    rows.extend(face.moves.iter().map(move_row));
    if !face.data.is_empty() {
        for line in widgets::wrap(&format!("Data: {}", face.data), width) {
            rows.push(Row::of(Role::Base, line));
        }
    }
    for line in &face.not_undone {
        rows.push(Row::of(Role::Base, format!("Not undone: {line}")));
    }
    if !face.workers.is_empty() {
        for line in widgets::wrap(face.workers.as_str(), width) {
            rows.push(Row::of(Role::Base, line));
        }
    }
    if view.world.blocker().is_none() {
        rows.extend(looked_at);
    }
    Content {
        title: format!("Plan {}  L{} {}", open.digest.short(), core.level, core.level.words()),
        remark: format!(
            "est {}  budget {}",
            words::clock(face.estimate),
            words::clock(core.level.rto())
        ),
        rows,
        ..Content::default()
    }
}

/// What goes back, stays, or cannot.
fn move_row(item: &Move) -> Row {
    let (role, text) = match item.way {
        Way::Back => (Role::Base, format!("{} -> {}", item.from, item.to)),
        Way::Stays => (Role::Muted, item.from.to_string()),
        Way::Cannot => (Role::Danger, item.from.to_string()),
    };
    Row::new().pad(role, item.way.words(), 12).put(role, format!("{}: {text}", item.item))
}

fn none(view: &View<'_>, width: usize) -> Content {
    let key = view
        .keymap
        .shown(crate::tui::action::Action::ChooseLevel)
        .map(|key| key.to_string())
        .unwrap_or_default();
    let mut rows = Vec::new();
    if let Some(refused) = &view.world.situation.refused {
        let text = format!("level {} was refused: {}", refused.level, refused.why);
        for line in widgets::wrap(&text, width) {
            rows.push(Row::of(Role::Fail, line));
        }
    }
    let text = format!("no plan is on the table: choose a level ({key}), then Enter makes one");
    rows.push(Row::of(Role::Muted, text));
    Content { title: "Plan".to_owned(), rows, ..Content::default() }
}

fn head(width: usize, wide: bool) -> Row {
    let (title, undo) = columns(width);
    let row = Row::new()
        .put(Role::Muted, "   # ")
        .pad(Role::Muted, "step", title)
        .pad(Role::Muted, " how it is undone", undo + 1)
        .put(Role::Muted, "   est");
    if wide { row.put(Role::Muted, "   last  budget") } else { row.put(Role::Muted, "   last") }
}

/// Columns of the title and of the undo text.
fn columns(width: usize) -> (usize, usize) {
    let fixed = if width >= 100 { 5 + 1 + 6 + 7 + 8 } else { 5 + 1 + 6 + 7 };
    let rest = width.saturating_sub(fixed);
    let title = rest * 56 / 100;
    (title, rest - title)
}

fn step_row(at: usize, spec: &StepSpec, face: &StepFace, width: usize) -> Row {
    let (title, undo) = columns(width);
    let (mark, role) = match spec.hazard {
        Hazard::Looks => (" ", Role::Base),
        Hazard::Reversible => ("*", Role::Base),
        Hazard::LosesData => ("!", Role::Danger),
    };
    let last = face.last.map_or_else(|| "-".to_owned(), words::short);
    let row = Row::new()
        .put(Role::Warn, format!(" {mark}"))
        .right(Role::Base, &(at + 1).to_string(), 2)
        .put(Role::Base, " ")
        .pad(role, face.title.as_str(), title)
        .put(Role::Base, " ")
        .pad(Role::Muted, face.undo.as_str(), undo)
        .right(Role::Base, &words::short(face.estimate), 6)
        .right(Role::Muted, &last, 7);
    if width >= 100 { row.right(Role::Muted, &words::short(spec.budget), 8) } else { row }
}

/// Where nothing brings it back any more: the first step that loses data, or that nobody can look
/// at afterwards. What is only drained or waited for needs no way back.
pub fn no_return(steps: &[StepSpec]) -> Option<(usize, &StepId)> {
    steps
        .iter()
        .enumerate()
        .find(|(_, spec)| {
            let blind = spec.class == Class::Opaque && spec.hazard != Hazard::Looks;
            spec.hazard == Hazard::LosesData || (blind && spec.undo.is_none())
        })
        .map(|(at, spec)| (at, &spec.id))
}

fn point_of_no_return(core: &crate::model::plan::PlanCore) -> Row {
    if let Some((at, _)) = no_return(&core.steps) {
        let text = format!("Point of no return: step {}  (* = changes, ! = loses data)", at + 1);
        return Row::of(Role::Danger, text);
    }
    let way = match one_way(&core.steps) {
        None => ", each change has its way back".to_owned(),
        Some(steps) => format!("; not taken back: {steps} (no data)"),
    };
    Row::of(Role::Base, format!("Point of no return: none{way}  (* = changes)"))
}

/// `step 6`: the changes that nothing takes back, by number. What a drain cuts stays cut.
pub fn one_way(steps: &[StepSpec]) -> Option<String> {
    let one_way = steps.iter().enumerate().filter(|(_, spec)| is_one_way(spec));
    let numbers: Vec<String> = one_way.map(|(at, _)| (at + 1).to_string()).collect();
    match numbers.as_slice() {
        [] => None,
        [one] => Some(format!("step {one}")),
        several => Some(format!("steps {}", several.join(", "))),
    }
}

/// Whether a step changes something, and no step takes it back.
pub fn is_one_way(spec: &StepSpec) -> bool {
    spec.hazard != Hazard::Looks && spec.undo.is_none()
}

fn budget(plan: &Plan, face: &PlanFace) -> Row {
    let rto = plan.core.level.rto();
    let budgets = plan.critical_path(|_, step| step.budget);
    let estimates =
        plan.critical_path(|at, _| face.steps.get(at).map_or(Duration::ZERO, |step| step.estimate));
    let text = format!(
        "Critical path: about {}, at most {} of {}",
        words::short(estimates),
        words::short(budgets),
        words::short(rto)
    );
    if budgets > rto {
        let over = words::short(budgets.saturating_sub(rto));
        Row::of(Role::Base, text).put(Role::Warn, format!("  OVER by {over} at worst"))
    } else {
        Row::of(Role::Base, text)
    }
}

/// The answer in words, and its role.
pub fn answer(view: &View<'_>, answer: PreflightAnswer) -> (Role, String) {
    let glyphs = view.glyphs();
    match answer {
        PreflightAnswer::Ok => (Role::Ok, format!("{} ok   ", glyphs.ok)),
        PreflightAnswer::Warn => (Role::Warn, format!("{} WARN ", glyphs.warn)),
        PreflightAnswer::Block => (Role::Fail, format!("{} BLOCK", glyphs.fail)),
        PreflightAnswer::Unknown => (Role::Unknown, format!("{} UNKN ", glyphs.unknown)),
    }
}

fn preflight(view: &View<'_>, lines: &[Preflight]) -> Vec<Row> {
    let worse = |line: &&Preflight| line.answer != PreflightAnswer::Ok;
    let ok = lines.iter().filter(|line| !worse(line)).count();
    let mut rows =
        vec![Row::of(Role::Base, format!("Looked at before: {ok} of {} ok", lines.len()))];
    for line in lines.iter().filter(worse) {
        let (role, word) = answer(view, line.answer);
        rows.push(
            Row::of(role, format!("  {word} "))
                .put(Role::Base, format!("{}: {}", line.name, line.text)),
        );
    }
    rows
}
