//! One file per dialog. Keys open them, typed words commit, Esc never acts.

pub mod answer;
pub mod confirm;
pub mod detach;
pub mod help;
pub mod note;
pub mod read;
pub mod typed;

use super::action::Action;
use super::input::{Code, Key};
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
    /// Answer a question of the tree.
    Answer(answer::Pick),
    /// Pause after this step.
    Pause,
    /// Leave; the run goes on.
    Detach,
    /// What keys do.
    Help(usize),
    /// A note for the timeline.
    Note(super::state::Field),
    /// A page to read, and how far it is scrolled.
    Read(read::Page, usize),
    /// What backout itself says.
    Diagnostics,
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
    /// It closes, and this is done.
    Do(Vec<Effect>),
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
            Self::Confirm(_) | Self::Typed(_) | Self::Note(_) => true,
            Self::Answer(_)
            | Self::Pause
            | Self::Detach
            | Self::Help(_)
            | Self::Read(..)
            | Self::Diagnostics => false,
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key, cx: Cx<'_>) -> Turn {
        if key.code == Code::Esc {
            return Turn::Close;
        }
        match self {
            Self::Confirm(confirm) => confirm.key(key, cx),
            Self::Typed(typed) => typed.key(key, cx),
            Self::Answer(pick) => pick.key(key, cx),
            Self::Pause => detach::pause_key(key),
            Self::Detach => detach::key(key),
            Self::Help(scroll) | Self::Read(_, scroll) => read::scroll(scroll, key),
            Self::Note(field) => note::key(field, key),
            Self::Diagnostics => read::scroll(&mut 0, key),
        }
    }

    /// Takes a paste: a commit word is never taken from one.
    pub fn paste(&mut self, text: &str) {
        match self {
            Self::Confirm(confirm) => confirm.refuse_paste(),
            Self::Typed(typed) => typed.paste(text),
            Self::Note(field) => field.paste(text),
            Self::Answer(_)
            | Self::Pause
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
            Self::Answer(pick) => pick.review(cx),
            Self::Pause if cx.world.situation.open_run().is_none() => {
                Some("the run ended meanwhile".to_owned())
            }
            Self::Pause
            | Self::Detach
            | Self::Help(_)
            | Self::Note(_)
            | Self::Read(..)
            | Self::Diagnostics => None,
        }
    }

    /// Forgets half-typed commit words.
    pub fn forget(&mut self, why: &str) {
        match self {
            Self::Confirm(confirm) => confirm.empty(why),
            Self::Typed(typed) => typed.forget(),
            Self::Answer(_)
            | Self::Pause
            | Self::Detach
            | Self::Help(_)
            | Self::Note(_)
            | Self::Read(..)
            | Self::Diagnostics => {}
        }
    }

    /// What it shows.
    pub fn sheet(&self, view: &View<'_>, width: usize) -> Sheet {
        match self {
            Self::Confirm(confirm) => confirm.sheet(view, width),
            Self::Typed(typed) => typed.sheet(view, width),
            Self::Answer(pick) => pick.sheet(view, width),
            Self::Pause => detach::pause_sheet(view, width),
            Self::Detach => detach::sheet(view, width),
            Self::Help(scroll) => help::sheet(view, *scroll, width),
            Self::Note(field) => note::sheet(field, width),
            Self::Read(page, scroll) => read::sheet(page, *scroll, view, width),
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
            Self::Answer(_) => vec![
                ("y", "Yes"),
                ("n", "No"),
                ("u", "Not known"),
                ("0-9", "Question"),
                ("Esc", "Back"),
            ],
            Self::Pause => vec![("Enter", "Pause"), ("Esc", "Back")],
            Self::Detach => vec![("Enter", "Leave"), ("Esc", "Stay")],
            Self::Help(_) | Self::Read(..) => {
                vec![("Esc", "Back"), ("Up", "Up"), ("Down", "Down"), ("PgDn", "Page")]
            }
            Self::Note(_) => vec![("Enter", "Write"), ("Esc", "Back")],
            Self::Diagnostics => vec![("Esc", "Back")],
        }
    }
}

/// What an offered action opens or does.
pub fn open(ui: &Ui, cx: Cx<'_>, action: Action) -> Option<Turn> {
    use crate::model::entry::Command;
    let instead = |dialog: Dialog| Some(Turn::Instead(Box::new(dialog)));
    let situation = &cx.world.situation;
    match action {
        Action::Help => instead(Dialog::Help(0)),
        Action::Detach => instead(Dialog::Detach),
        Action::Note => instead(Dialog::Note(super::state::Field::default())),
        Action::Diagnostics => instead(Dialog::Diagnostics),
        Action::Timeline => instead(Dialog::Read(read::Page::Timeline, 0)),
        Action::ReadPlan => instead(Dialog::Read(read::Page::Plan, 0)),
        Action::Export => Some(Turn::Do(vec![Effect::Export])),
        Action::Answer => instead(Dialog::Answer(answer::Pick::first(cx.world)?)),
        Action::Confirm => instead(Dialog::Confirm(Box::new(confirm::Confirm::new(cx)?))),
        Action::Open => {
            let level = ui.level.filter(|_| ui.stage == super::stage::Stage::Level)?;
            Some(Turn::Do(vec![Effect::Send(Command::Plan { level, target: None })]))
        }
        Action::Replan => {
            let core = &situation.plan.as_ref()?.plan.core;
            Some(Turn::Do(vec![Effect::Send(Command::Plan {
                level: core.level,
                target: Some(core.point.clone()),
            })]))
        }
        Action::Pause => {
            let run = situation.open_run()?;
            if run.paused {
                return instead(Dialog::Typed(Box::new(typed::Typed::new(typed::Ask::Resume(
                    run.id.clone(),
                )))));
            }
            instead(Dialog::Pause)
        }
        Action::Abort
        | Action::EndWatch
        | Action::CloseIncident
        | Action::TakeLead
        | Action::MarkDone
        | Action::TryAgain
        | Action::LeaveOut => {
            let ask = typed::Ask::of(action, cx.world)?;
            instead(Dialog::Typed(Box::new(typed::Typed::new(ask))))
        }
        _ => None,
    }
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

/// `name   text`, wrapped under itself.
pub fn fact(name: &str, text: &str, width: usize) -> Vec<Row> {
    use super::theme::Role;
    let mut lines = super::widgets::wrap(text, width.saturating_sub(13)).into_iter();
    let first = lines.next().unwrap_or_default();
    let mut rows = vec![Row::new().pad(Role::Muted, name, 13).put(Role::Base, first)];
    rows.extend(lines.map(|line| Row::of(Role::Base, format!("{:13}{line}", ""))));
    rows
}
