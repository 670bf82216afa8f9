//! Pages to read: the whole plan with its commands, the whole timeline.

use crate::model::plan::{Class, Hazard, Plan, StepFace, StepSpec};
use crate::tui::input::{Code, Key};
use crate::tui::panes;
use crate::tui::state::{Cx, Effect, Ui};
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::words;

use super::{Dialog, Sheet, Turn};

/// Which page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// Every step with its settings and commands.
    Plan,
    /// Everything that happened.
    Timeline,
    /// What goes on in the database.
    Database,
    /// The rules, and what each rests on.
    Rules,
    /// Who knows of it, and who is called next.
    People,
    /// Every check before, during and now.
    Compare,
    /// Error budgets, and how fast they burn.
    Slo,
    /// Twelve lines for who comes in the middle of it; any key closes them.
    Brief,
}

/// Scrolls a page.
pub fn scroll(at: &mut usize, key: Key) -> Turn {
    match key.code {
        Code::Down | Code::Char('j') => *at = at.saturating_add(1).min(2_000),
        Code::Up | Code::Char('k') => *at = at.saturating_sub(1),
        Code::PageDown | Code::Char(' ') => *at = at.saturating_add(10).min(2_000),
        Code::PageUp => *at = at.saturating_sub(10),
        Code::Home => *at = 0,
        Code::Enter | Code::Char('q' | '?') | Code::F(2 | 7) => return Turn::Close,
        _ => {}
    }
    Turn::Stay
}

/// Opens a page.
fn open(ui: &mut Ui, cx: Cx<'_>, page: Page) -> Vec<Effect> {
    ui.open(Dialog::Read(page, 0), cx.now);
    Vec::new()
}

/// The rules, and what each rests on.
pub fn open_rules(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    open(ui, cx, Page::Rules)
}

/// Who knows of it.
pub fn open_people(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    open(ui, cx, Page::People)
}

/// Every check before, during and now.
pub fn open_compare(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    open(ui, cx, Page::Compare)
}

/// Error budgets.
pub fn open_slo(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    open(ui, cx, Page::Slo)
}

/// What it shows.
pub fn sheet(page: &Page, scroll: usize, view: &View<'_>, width: usize) -> Sheet {
    let (title, facts) = match page {
        Page::Brief => ("What the others know".to_owned(), brief(view, width)),
        Page::Database => ("Database".to_owned(), panes::database::rows(view, width)),
        Page::Rules => ("Rules".to_owned(), panes::rules::rows(view, width)),
        Page::People => ("Who knows of it".to_owned(), panes::people::rows(view, width)),
        Page::Compare => {
            let page = panes::compare::content(view, width);
            (page.title, page.rows)
        }
        Page::Slo => {
            let page = panes::slo::content(view, width);
            (page.title, page.rows)
        }
        Page::Timeline => ("Timeline".to_owned(), panes::timeline::newest_first(view, width)),
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
            Page::Brief => "any key closes it".to_owned(),
            Page::Database => panes::database::remark(view),
            Page::Rules => panes::rules::remark(view),
            Page::People => panes::people::remark(view),
            Page::Compare | Page::Slo => String::new(),
            Page::Plan => "read only".to_owned(),
            Page::Timeline => "newest first".to_owned(),
        },
        facts,
        scroll,
        whole: true,
        ..Sheet::default()
    }
}

fn brief(view: &View<'_>, width: usize) -> Vec<Row> {
    let world = view.world;
    let live = world.live.as_ref();
    let lines = crate::report::brief::brief(&world.situation, live, &world.readings, view.now);
    let wrapped = lines.iter().flat_map(|line| widgets::wrap(line, width));
    wrapped.map(|line| Row::of(Role::Base, line)).collect()
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
        rows.extend(widgets::fact(name, &text, width));
    }
    for (name, text) in &core.identities {
        rows.extend(widgets::fact("touches", &format!("{name}: {text}"), width));
    }
    rows.extend(widgets::fact("by hand", &by_hand(view), width));
    let face = view.world.face().unwrap_or(&plan.face);
    if !face.diff.is_empty() {
        rows.push(Row::new());
        rows.push(Row::of(Role::Title, "What changes in files"));
        rows.extend(face.diff.iter().map(|line| diff(line.as_str(), width)));
    }
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

/// A line of what changes in a file, as it is: in YAML its blanks mean something. Its sign says what
/// becomes of it, the colour only repeats it.
fn diff(line: &str, width: usize) -> Row {
    let role = match line.as_bytes() {
        [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] | [b'@', ..] => Role::Muted,
        [b'+', ..] => Role::Ok,
        [b'-', ..] => Role::Warn,
        _ => Role::Base,
    };
    Row::of(role, format!("  {}", crate::text::fit(line, width.saturating_sub(2))))
}

/// Where the break-glass sheet lies: it is written when the run starts, before its first step.
fn by_hand(view: &View<'_>) -> String {
    let run = view.world.situation.run.as_ref();
    match run.filter(|_| view.world.situation.plan.is_none()) {
        Some(run) => format!(
            "the commands at $ below; as a sheet in the state folder: evidence/{}/break-glass.txt",
            run.id
        ),
        None => "the commands at $ below; backout plan --break-glass prints the whole sheet, and \
                 a run writes it before its first step"
            .to_owned(),
    }
}

fn core_digest(plan: &Plan) -> String {
    plan.digest().to_string()
}

fn step(at: usize, spec: &StepSpec, face: Option<&StepFace>, width: usize) -> Vec<Row> {
    let title = face.map_or_else(|| spec.id.to_string(), |face| face.title.to_string());
    let mut rows = vec![Row::of(Role::Title, format!("{} {title}", at + 1))];
    let hazard = match spec.hazard {
        Hazard::Looks => "changes nothing",
        Hazard::Reversible if panes::plan::is_one_way(spec) => {
            "changes, no kept data goes with it; nothing takes it back"
        }
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
