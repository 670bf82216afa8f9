//! Pages to read: the whole plan with its commands, the whole timeline.

use crate::model::plan::{Class, Hazard, Plan, StepFace, StepSpec};
use crate::tui::input::{Code, Key};
use crate::tui::panes;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::words;

use super::{Sheet, Turn};

/// Which page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// Every step with its settings and commands.
    Plan,
    /// Everything that happened.
    Timeline,
}

/// Scrolls a page.
pub fn scroll(at: &mut usize, key: Key) -> Turn {
    match key.code {
        Code::Down | Code::Char('j') => *at = at.saturating_add(1).min(2_000),
        Code::Up | Code::Char('k') => *at = at.saturating_sub(1),
        Code::PageDown | Code::Char(' ') => *at = at.saturating_add(10).min(2_000),
        Code::PageUp => *at = at.saturating_sub(10),
        Code::Home => *at = 0,
        Code::Enter | Code::Char('q' | '?') | Code::F(2) => return Turn::Close,
        _ => {}
    }
    Turn::Stay
}

/// What it shows.
pub fn sheet(page: &Page, scroll: usize, view: &View<'_>, width: usize) -> Sheet {
    let (title, facts) = match page {
        Page::Timeline => {
            let content = panes::timeline::content(view, width);
            (content.title, content.rows.into_iter().rev().collect())
        }
        Page::Plan => {
            let situation = &view.world.situation;
            let open = situation.plan.as_ref().map(|open| &open.plan);
            let plan = open.or_else(|| situation.run.as_ref().map(|run| &run.plan));
            match plan {
                Some(plan) => {
                    (format!("Plan {} in full", plan.digest().short()), whole(view, plan, width))
                }
                None => ("Plan".to_owned(), vec![Row::of(Role::Muted, "no plan is on the table")]),
            }
        }
    };
    Sheet {
        title,
        remark: match page {
            Page::Plan => "read only".to_owned(),
            Page::Timeline => "newest first".to_owned(),
        },
        facts,
        scroll,
        whole: true,
        ..Sheet::default()
    }
}

fn whole(view: &View<'_>, plan: &Plan, width: usize) -> Vec<Row> {
    let core = &plan.core;
    let mut rows = Vec::new();
    let facts = [
        ("digest", core_digest(plan)),
        ("level", format!("L{} {}", core.level, core.level.words())),
        ("goes to", format!("{} at {}, from {}", core.to, core.point, core.from)),
        ("watch", words::clock(core.watch)),
    ];
    for (name, text) in facts {
        rows.extend(super::fact(name, &text, width));
    }
    for (name, text) in &core.identities {
        rows.extend(super::fact("touches", &format!("{name}: {text}"), width));
    }
    let face = view.world.face().unwrap_or(&plan.face);
    for (at, spec) in core.steps.iter().enumerate() {
        rows.push(Row::new());
        rows.extend(step(at, spec, face.steps.get(at), width));
    }
    if let Some(open) = &view.world.situation.plan {
        rows.push(Row::new());
        rows.push(Row::of(Role::Title, "Looked at before"));
        for line in &open.preflight {
            let (role, word) = panes::plan::answer(view, line.answer);
            rows.push(
                Row::of(role, format!("  {word} "))
                    .put(Role::Base, format!("{}: {}", line.name, line.text)),
            );
        }
    }
    rows
}

fn core_digest(plan: &Plan) -> String {
    plan.digest().to_string()
}

fn step(at: usize, spec: &StepSpec, face: Option<&StepFace>, width: usize) -> Vec<Row> {
    let title = face.map_or_else(|| spec.id.to_string(), |face| face.title.to_string());
    let mut rows = vec![Row::of(Role::Title, format!("{} {title}", at + 1))];
    let hazard = match spec.hazard {
        Hazard::Looks => "changes nothing",
        Hazard::Reversible => "changes, and has its way back",
        Hazard::LosesData => "LOSES DATA",
    };
    let class = match spec.class {
        Class::Atomic => "exactly once",
        Class::Converge => "harmless to repeat",
        Class::Probed => "a look tells whether it happened",
        Class::Opaque => "nothing can tell whether it happened",
    };
    let needs: Vec<&str> = spec.needs.iter().map(crate::model::ids::StepId::as_str).collect();
    let after =
        if needs.is_empty() { "at once".to_owned() } else { format!("after {}", needs.join(", ")) };
    let budget = words::short(spec.budget);
    let line = format!("  {hazard}; {class}; {after}; budget {budget}");
    rows.extend(lines(Role::Muted, &line, width));
    if let Some(face) = face {
        rows.extend(lines(Role::Base, &format!("  now: {}", face.preview), width));
        rows.extend(lines(Role::Base, &format!("  undo: {}", face.undo), width));
    }
    rows.extend(lines(Role::Muted, &format!("  does: {}", spec.action), width));
    for command in face.map(|face| face.by_hand.as_slice()).unwrap_or_default() {
        rows.extend(lines(Role::Info, &format!("  $ {command}"), width));
    }
    rows
}

fn lines(role: Role, text: &str, width: usize) -> Vec<Row> {
    widgets::wrap(text, width.saturating_sub(2))
        .into_iter()
        .map(|line| Row::of(role, format!("  {line}")))
        .collect()
}
