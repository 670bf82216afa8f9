//! What the screen is doing: focus, stage viewed, dialog, typed text. Changed by `update` alone.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::entry::Command;
use crate::model::ids::{CheckId, StepId, Time};
use crate::model::plan::Level;
use crate::model::situation::Moment;

use super::dialogs::Dialog;
use super::input::{Input, Key};
use super::keymap::Keymap;
use super::panes::PaneKind;
use super::stage::Stage;
use super::words;
use super::world::World;

/// A dialog ignores keys for so long after it is drawn: what was typed before it is not for it.
pub const ARMS: Duration = Duration::from_millis(300);

/// Nothing moves under the hand for so long after a key.
pub const QUIET: Duration = Duration::from_secs(5);

/// An information line goes after this.
const FADES: Duration = Duration::from_secs(10);

/// What the screen is doing.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one switch of the screen")]
pub struct Ui {
    /// The stage on the screen.
    pub stage: Stage,
    /// The stage the environment is in.
    pub auto: Stage,
    /// The stage that this person's last command leads to: gone to at once.
    pub expects: Option<Stage>,
    /// Whether the environment moved on and the screen has not followed yet.
    pub pending: bool,
    /// The pane that has the keys.
    pub focus: PaneKind,
    /// Whether that pane has the whole body.
    pub zoom: bool,
    /// What is open over the body.
    pub dialog: Option<Opened>,
    /// What is searched.
    pub find: Option<Find>,
    /// The selected check.
    pub check: Option<CheckId>,
    /// The checks as listed: worst first, and still under the hand.
    pub order: Vec<CheckId>,
    /// Whether only checks that are not ok are listed.
    pub failing_only: bool,
    /// The selected level.
    pub level: Option<Level>,
    /// The selected step.
    pub step: Option<StepId>,
    /// Rows scrolled down, per pane without a selection.
    pub scroll: BTreeMap<PaneKind, usize>,
    /// How the logs are shown.
    pub logs: LogView,
    /// Lines for the message row, oldest first, at most 16.
    pub messages: Vec<Message>,
    /// The engine's troubles that were taken away.
    pub acknowledged: Vec<Moment>,
    /// Whether times are ages.
    pub relative: bool,
    /// When the last key came.
    pub last_key: Option<Time>,
    /// When the last Ctrl-C came.
    pub interrupted: Option<Time>,
    /// The screen's size.
    pub size: (u16, u16),
}

/// A dialog and when it was opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// It.
    pub dialog: Dialog,
    /// Since when it can be seen.
    pub at: Time,
}

/// A word that is searched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Find {
    /// The word.
    pub word: String,
    /// Whether it is still being typed.
    pub typing: bool,
    /// Which place, counted over the end and round again.
    pub at: usize,
}

/// How the logs are shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogView {
    /// Rows up from the end; 0 follows.
    pub back: usize,
    /// Held still at the end.
    pub held: Option<Time>,
    /// Whether long lines are wrapped.
    pub wrap: bool,
    /// The least severity shown.
    pub least: Least,
}

/// The least severity that is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Least {
    /// All lines.
    #[default]
    All,
    /// Warnings and errors.
    Warn,
    /// Errors.
    Error,
}

/// A line for the message row.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Whether it stays until taken away.
    pub error: bool,
    /// What.
    pub text: String,
    /// When.
    pub at: Time,
}

/// What happened, for `update`.
#[derive(Clone, Debug, PartialEq)]
pub enum Msg {
    /// Something from the keyboard.
    Input(Input),
    /// The journal or the samples moved on, or the line changed.
    Changed,
    /// A second went by.
    Tick,
    /// The screen has another size.
    Resized(u16, u16),
    /// A command was accepted or refused.
    Answered(Result<String, String>),
    /// The console comes back from being suspended for so long.
    Resumed(Duration),
}

/// What `update` wants done outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Give the engine a command.
    Send(Command),
    /// Draw everything anew.
    Redraw,
    /// Give the shell back.
    Suspend,
    /// Leave the console.
    Leave,
    /// Write the screen to a file.
    Export,
}

/// What `update` may look at.
#[derive(Clone, Copy, Debug)]
pub struct Cx<'a> {
    /// What is known.
    pub world: &'a World,
    /// The keys.
    pub keymap: &'a Keymap,
    /// The time.
    pub now: Time,
}

impl Ui {
    /// A console that has just been opened.
    pub fn new(world: &World, size: (u16, u16)) -> Self {
        let stage = Stage::of(&world.situation);
        let mut ui = Self {
            stage,
            auto: stage,
            expects: None,
            pending: false,
            focus: PaneKind::Checks,
            zoom: false,
            dialog: None,
            find: None,
            check: None,
            order: Vec::new(),
            failing_only: false,
            level: None,
            step: None,
            scroll: BTreeMap::new(),
            logs: LogView::default(),
            messages: Vec::new(),
            acknowledged: Vec::new(),
            relative: false,
            last_key: None,
            interrupted: None,
            size,
        };
        ui.sort_checks(world);
        ui.go(stage, world);
        ui
    }

    /// Shows a stage, with the keys in its first pane.
    pub fn go(&mut self, stage: Stage, world: &World) {
        self.stage = stage;
        self.zoom = false;
        self.find = None;
        let panes = super::layout::panes(self, world);
        if let Some(first) = panes.first() {
            self.focus = *first;
        }
        if stage == Stage::Level && self.level.is_none() {
            self.level = super::panes::levels::recommended(world);
        }
    }

    /// Whether a key came so lately that nothing may move.
    pub fn busy(&self, now: Time) -> bool {
        self.last_key.is_some_and(|key| words::since(key, now) < QUIET)
    }

    /// Opens a dialog.
    pub fn open(&mut self, dialog: Dialog, now: Time) {
        self.dialog = Some(Opened { dialog, at: now });
    }

    /// Says something in the message row.
    pub fn say(&mut self, text: impl Into<String>, error: bool, now: Time) {
        let text = text.into();
        self.messages.retain(|message| message.text != text);
        if self.messages.len() >= 16 {
            self.messages.remove(0);
        }
        self.messages.push(Message { error, text, at: now });
    }

    /// Takes away information lines that have been read.
    pub fn fade(&mut self, now: Time) {
        self.messages.retain(|message| message.error || words::since(message.at, now) < FADES);
    }

    /// Lists the checks worst first, unless a hand is on them.
    pub fn sort_checks(&mut self, world: &World) {
        self.order = super::panes::checks::worst_first(world);
    }

    /// Whether a text field has the keys.
    pub fn typing(&self) -> bool {
        self.find.as_ref().is_some_and(|find| find.typing)
            || self.dialog.as_ref().is_some_and(|opened| opened.dialog.types())
    }

    /// Whether a key must be ignored because the dialog has only just been drawn.
    pub fn unarmed(&self, now: Time) -> bool {
        self.dialog.as_ref().is_some_and(|opened| words::since(opened.at, now) < ARMS)
    }
}

/// One line of typed text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// What was typed.
    pub text: String,
}

impl Field {
    /// The most characters a field takes.
    pub const LIMIT: usize = 200;

    /// Takes a key; returns whether it was one for a field.
    pub fn key(&mut self, key: Key) -> bool {
        use super::input::Code;
        match (key.code, key.ctrl, key.alt) {
            (Code::Char(c), false, false) if self.text.chars().count() < Self::LIMIT => {
                self.text.push(c);
                true
            }
            (Code::Char(_), false, false) => true,
            (Code::Backspace, ..) => {
                self.text.pop();
                true
            }
            (Code::Char('u'), true, _) => {
                self.text.clear();
                true
            }
            (Code::Char('w'), true, _) => {
                let kept = self.text.trim_end().rfind(' ').map_or(0, |at| at + 1);
                self.text.truncate(kept);
                true
            }
            _ => false,
        }
    }

    /// Takes a paste, on one line and without control characters.
    pub fn paste(&mut self, text: &str) {
        let line = crate::text::SafeText::new(&text.replace(['\r', '\n'], " "));
        let room = Self::LIMIT.saturating_sub(self.text.chars().count());
        self.text.extend(line.as_str().chars().take(room));
    }
}
