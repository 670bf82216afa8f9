//! One file per dialog. Keys open them, typed words commit, Esc never acts.

pub mod answer;
pub mod commands;
pub mod confirm;
pub mod detach;
pub mod export;
pub mod guide;
pub mod help;
pub mod hold;
pub mod note;
pub mod palette;
pub mod read;
pub mod typed;
pub mod veto;

use crate::model::entry::Command;

use super::action::Action;
use super::input::{Code, Key};
use super::pane::PaneKind;
use super::stage::Stage;
use super::state::{Cx, Effect, Ui};
use super::view::View;
use super::widgets::Row;

/// What is open over the body.
#[derive(Clone, Debug, PartialEq)]
pub enum Dialog {
    /// Type ROLLBACK.
    Confirm(Box<confirm::Confirm>),
    /// Type one of a few words, some with a reason.
    Typed(Box<typed::Typed>),
    /// Stop the bleeding, or lift what is held.
    Hold(Box<hold::Hold>),
    /// Keep a rule from what it is about to do.
    Veto(Box<veto::Veto>),
    /// Answer a question of the tree.
    Answer(answer::Pick),
    /// Pause after this step.
    Pause,
    /// Leave; the run goes on.
    Detach,
    /// Keep what is known.
    Export,
    /// What keys do.
    Help(usize),
    /// A note for the timeline.
    Note(super::state::Field),
    /// A page to read, and how far it is scrolled.
    Read(read::Page, usize),
    /// What backout itself says.
    Diagnostics,
    /// Any action by its name.
    Palette(Box<palette::Palette>),
    /// The filter stack of the logs.
    Filters(super::logs::stack::Stack),
    /// A guided procedure.
    Guide(Box<guide::Page>),
}

/// What a dialog makes of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// It stays.
    Stay,
    /// It closes, nothing happened.
    Close,
    /// Another one opens in its place.
    Instead(Box<Dialog>),
    /// It stays, and this is sent.
    Send(Command),
    /// It closes, and this is done.
    Do(Vec<Effect>),
    /// It closes, and the screen goes there.
    Go(Goal),
}

/// What a word after `:` leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Goal {
    /// An action, as if its key were pressed.
    Act(Action),
    /// A stage, to look at.
    Stage(Stage),
    /// A pane of this stage.
    Pane(PaneKind),
    /// A console on another environment.
    Environment(String),
    /// A guided procedure, by its name.
    Guide(String),
}

/// What a dialog shows: facts that may scroll, and rows that are always in view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// At the left of the frame.
    pub title: String,
    /// At the right of the frame.
    pub remark: String,
    /// Whether it changes production.
    pub danger: bool,
    /// What is to be known; scrolls.
    pub facts: Vec<Row>,
    /// Fields and what they do; always in view.
    pub pinned: Vec<Row>,
    /// Where the cursor is: row of the pinned ones, column.
    pub cursor: Option<(usize, usize)>,
    /// Facts scrolled down.
    pub scroll: usize,
    /// Whether it takes the whole body.
    pub whole: bool,
}

/// What the key bar shows while a dialog is open.
pub type Bar = Vec<(&'static str, &'static str)>;

impl Dialog {
    /// Whether letters go into a field.
    pub fn types(&self) -> bool {
        match self {
            Self::Confirm(_)
            | Self::Typed(_)
            | Self::Hold(_)
            | Self::Veto(_)
            | Self::Note(_)
            | Self::Filters(_)
            | Self::Palette(_) => true,
            Self::Guide(page) => page.types(),
            Self::Answer(_)
            | Self::Pause
            | Self::Export
            | Self::Detach
            | Self::Help(_)
            | Self::Read(..)
            | Self::Diagnostics => false,
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key, ui: &Ui, cx: Cx<'_>) -> Turn {
        if key.code == Code::Esc {
            return Turn::Close;
        }
        match self {
            Self::Confirm(confirm) => confirm.key(key, cx),
            Self::Typed(typed) => typed.key(key, cx),
            Self::Hold(hold) => hold.key(key, cx),
            Self::Veto(veto) => veto.key(key, cx),
            Self::Answer(pick) => pick.key(key, cx),
            Self::Pause => detach::pause_key(key),
            Self::Detach => detach::key(key),
            Self::Export => export::key(key),
            Self::Read(read::Page::Brief, _) => Turn::Close,
            Self::Help(scroll) | Self::Read(_, scroll) => read::scroll(scroll, key),
            Self::Note(field) => note::key(field, key),
            Self::Diagnostics => read::scroll(&mut 0, key),
            Self::Palette(palette) => palette.key(key, ui, cx),
            Self::Filters(stack) => stack.turn(key),
            Self::Guide(page) => page.key(key, cx),
        }
    }

    /// Takes a paste: a commit word is never taken from one.
    pub fn paste(&mut self, text: &str) {
        match self {
            Self::Confirm(confirm) => confirm.refuse_paste(),
            Self::Typed(typed) => typed.paste(text),
            Self::Hold(hold) => hold.paste(text),
            Self::Veto(veto) => veto.paste(text),
            Self::Note(field) => field.paste(text),
            Self::Palette(palette) => palette.paste(text),
            Self::Filters(stack) => stack.paste(text),
            Self::Guide(page) => page.paste(text),
            Self::Answer(_)
            | Self::Pause
            | Self::Export
            | Self::Detach
            | Self::Help(_)
            | Self::Read(..)
            | Self::Diagnostics => {}
        }
    }

    /// Looks whether what it rests on is still so; a reason when it must close.
    pub fn review(&mut self, cx: Cx<'_>) -> Option<String> {
        match self {
            Self::Confirm(confirm) => confirm.review(cx),
            Self::Typed(typed) => typed.review(cx),
            Self::Hold(hold) => hold.review(cx),
            Self::Veto(veto) => veto.review(cx),
            Self::Answer(pick) => pick.review(cx),
            Self::Guide(page) => page.review(cx),
            Self::Pause if cx.world.situation.open_run().is_none() => {
                Some("the run ended meanwhile".to_owned())
            }
            Self::Pause
            | Self::Export
            | Self::Detach
            | Self::Help(_)
            | Self::Note(_)
            | Self::Read(..)
            | Self::Palette(_)
            | Self::Filters(_)
            | Self::Diagnostics => None,
        }
    }

    /// Forgets half-typed commit words.
    pub fn forget(&mut self, why: &str) {
        match self {
            Self::Confirm(confirm) => confirm.empty(why),
            Self::Typed(typed) => typed.forget(),
            Self::Hold(hold) => hold.forget(),
            Self::Guide(page) => page.forget(),
            Self::Veto(_)
            | Self::Answer(_)
            | Self::Pause
            | Self::Export
            | Self::Detach
            | Self::Help(_)
            | Self::Note(_)
            | Self::Read(..)
            | Self::Palette(_)
            | Self::Filters(_)
            | Self::Diagnostics => {}
        }
    }

    /// What it shows.
    pub fn sheet(&self, view: &View<'_>, width: usize) -> Sheet {
        match self {
            Self::Confirm(confirm) => confirm.sheet(view, width),
            Self::Typed(typed) => typed.sheet(view, width),
            Self::Hold(hold) => hold.sheet(view, width),
            Self::Veto(veto) => veto.sheet(view, width),
            Self::Answer(pick) => pick.sheet(view, width),
            Self::Pause => detach::pause_sheet(view, width),
            Self::Detach => detach::sheet(view, width),
            Self::Export => export::sheet(view, width),
            Self::Help(scroll) => help::sheet(view, *scroll, width),
            Self::Note(field) => note::sheet(field, width),
            Self::Read(page, scroll) => read::sheet(page, *scroll, view, width),
            Self::Palette(palette) => palette.sheet(view, width),
            Self::Filters(stack) => stack.sheet(),
            Self::Guide(page) => page.sheet(view, width),
            Self::Diagnostics => Sheet {
                title: "Console".to_owned(),
                remark: "backout itself, not the services".to_owned(),
                whole: true,
                ..Sheet::default()
            },
        }
    }

    /// The keys that work in it.
    pub fn bar(&self, view: &View<'_>) -> Bar {
        match self {
            Self::Confirm(confirm) if confirm.complete(view.world) => {
                vec![("Enter", "START THE ROLLBACK"), ("Esc", "Back"), ("F2", "Full plan")]
            }
            Self::Confirm(_) => {
                let mut bar = vec![("Esc", "Back"), ("F2", "Full plan")];
                let rows = self.sheet(view, usize::from(view.ui.size.0.saturating_sub(4)));
                // Chrome, frame and what is pinned take nine rows, on a small screen eight.
                if rows.facts.len() + 9 > usize::from(view.ui.size.1) {
                    bar.push(("PgDn", "More"));
                }
                bar
            }
            Self::Typed(typed) => typed.bar(),
            Self::Hold(hold) => hold.bar(),
            Self::Answer(_) => vec![
                ("y", "Yes"),
                ("n", "No"),
                ("u", "Not known"),
                ("0-9", "Question"),
                ("Esc", "Back"),
            ],
            Self::Pause => vec![("Enter", "Pause"), ("Esc", "Back")],
            Self::Detach => vec![("Enter", "Leave"), ("Esc", "Stay")],
            Self::Export => vec![("Enter", "Write"), ("s", "Screen"), ("Esc", "Back")],
            Self::Help(_) => {
                let bar = [("Esc", "Back"), ("/", "Search"), ("Up", "Up"), ("Down", "Down")];
                bar.into_iter().chain([("PgDn", "Page")]).collect()
            }
            Self::Read(read::Page::Brief, _) => vec![("Esc", "Close")],
            Self::Read(..) => {
                vec![("Esc", "Back"), ("Up", "Up"), ("Down", "Down"), ("PgDn", "Page")]
            }
            Self::Veto(_) => vec![("Enter", "VETO"), ("Esc", "Back")],
            Self::Note(_) => vec![("Enter", "Write"), ("Esc", "Back")],
            Self::Palette(palette) => palette.bar(view),
            Self::Diagnostics => vec![("Esc", "Back")],
            Self::Guide(page) => page.bar(),
            Self::Filters(_) => vec![("Enter", "Add"), ("1-9", "On/off"), ("Esc", "Back")],
        }
    }
}

fn opens(ui: &mut Ui, cx: Cx<'_>, dialog: Dialog) -> Vec<Effect> {
    ui.open(dialog, cx.now);
    Vec::new()
}

/// What keys do.
pub fn help(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    opens(ui, cx, Dialog::Help(0))
}

/// Leaving.
pub fn detach(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    opens(ui, cx, Dialog::Detach)
}

/// A note for the timeline.
pub fn note(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    opens(ui, cx, Dialog::Note(super::state::Field::default()))
}

/// What backout itself says.
pub fn diagnostics(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    opens(ui, cx, Dialog::Diagnostics)
}

/// The whole timeline.
pub fn timeline(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    opens(ui, cx, Dialog::Read(read::Page::Timeline, 0))
}

/// What goes on in the database.
pub fn database(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    opens(ui, cx, Dialog::Read(read::Page::Database, 0))
}

/// The whole plan.
pub fn read_plan(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    opens(ui, cx, Dialog::Read(read::Page::Plan, 0))
}

/// Makes the same plan again.
pub fn replan(_: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    let plan = cx.world.situation.plan.as_ref().map(|open| &open.plan);
    let plan =
        plan.map(|plan| Command::Plan { level: plan.core.level, target: Some(plan.asked()) });
    plan.map(Effect::Send).into_iter().collect()
}

/// Makes the plan that a rule wants, as one's own: the rule waits for it.
pub fn take_over(_: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    let level = cx.world.proposal().map(|proposal| proposal.fired.level);
    let plan = level.map(|level| Command::Plan { level, target: None });
    plan.map(Effect::Send).into_iter().collect()
}

/// Pauses after an Enter; going on again takes a word.
pub fn pause(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    match cx.world.situation.open_run() {
        Some(run) if run.paused || cx.world.situation.held_by_restart().is_some() => {
            typed::open_resume(ui, cx)
        }
        Some(_) => opens(ui, cx, Dialog::Pause),
        None => Vec::new(),
    }
}

/// Opens what is selected: a level becomes a plan, a check shows what it knows.
pub fn open_selected(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    if ui.focus == PaneKind::Checks {
        // Enter opens the worst check, and closes what it opened.
        ui.check = match ui.check.take() {
            Some(_) => None,
            None => super::panes::checks::listed(ui, cx.world).first().cloned(),
        };
        return Vec::new();
    }
    let level = ui.level.filter(|_| ui.stage == Stage::Level);
    let plan = level.map(|level| Command::Plan { level, target: None });
    plan.map(Effect::Send).into_iter().collect()
}

/// `[ROLLB_      ]` with the cursor's column in the row.
pub fn field(label: &str, text: &str, cells: usize) -> (Row, usize) {
    use super::theme::Role;
    let shown: String = {
        let skip = text.chars().count().saturating_sub(cells.saturating_sub(1));
        text.chars().skip(skip).collect()
    };
    let used = crate::text::width(&shown);
    let column = crate::text::width(label) + 1 + used;
    let fill = cells.saturating_sub(used);
    let row = Row::of(Role::Base, label)
        .put(Role::Focus, "[")
        .put(Role::Title, format!("{shown}{:_<fill$}", ""))
        .put(Role::Focus, "]");
    (row, column)
}
