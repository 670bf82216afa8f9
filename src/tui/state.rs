//! What the screen is doing: focus, stage viewed, dialog, typed text. Changed by `update` alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::entry::Command;
use crate::model::ids::{CheckId, StepId, Time};
use crate::model::plan::Level;
use crate::model::situation::Moment;

use super::comfort::{Light, Told};
use super::dialogs::Dialog;
use super::input::{Input, Key};
use super::keymap::Keymap;
use super::layout::Size;
use super::pane::PaneKind;
use super::stage::Stage;
use super::words::{self, Times};
use super::world::World;

/// A dialog ignores keys for so long after it is drawn: what was typed before it is not for it.
pub const ARMS: Duration = Duration::from_millis(300);

/// Nothing moves under the hand for so long after a key.
pub const QUIET: Duration = Duration::from_secs(5);

/// An information line goes after this.
const FADES: Duration = Duration::from_secs(10);

/// What the screen is doing.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the screen by itself")]
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
    /// How moments are written.
    pub times: Times,
    /// The set of panes that stands instead of the stage's own, by its number.
    pub preset: Option<u8>,
    /// Rows that a pane has more or fewer than it would take, for each room there is.
    pub grown: BTreeMap<(Size, PaneKind), i16>,
    /// When the last key came.
    pub last_key: Option<Time>,
    /// When the last Ctrl-C came.
    pub interrupted: Option<Time>,
    /// The screen's size.
    pub size: (u16, u16),
    /// What the body shows while it is held still.
    pub still: Option<Arc<Still>>,
    /// What was announced last.
    pub told: Told,
    /// Whether the mouse is ours.
    pub mouse: bool,
    /// Whether a slow line is spared.
    pub light: Light,
    /// What was measured of the line.
    pub line: Line,
}

/// What was known when the screen was held still.
#[derive(Clone, Debug)]
pub struct Still {
    /// It.
    pub world: World,
    /// Since when.
    pub at: Time,
}

impl PartialEq for Still {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at && self.world.situation.seq == other.world.situation.seq
    }
}

/// The line to the terminal, as measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// From the end of a frame to the terminal's answer; none when it has not answered.
    pub delay: Option<Duration>,
    /// How long the terminal took to take the last frame.
    pub drain: Duration,
}

/// What is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// The row of the cursor.
    Line,
    /// The whole pane or page.
    Pane,
}

/// What the mouse did, and on which pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointed {
    /// The pane under it.
    pub pane: Option<PaneKind>,
    /// Which way the wheel turned: -1 up, 1 down, 0 for a click.
    pub wheel: isize,
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
    /// Whether long lines are wrapped.
    pub wrap: bool,
    /// Which lines are shown.
    pub choice: super::logs::ask::Choice,
    /// Which of them the reader was told to show.
    pub chosen: super::logs::ask::Choice,
    /// What was asked of the reader and not given to it yet.
    pub asks: Vec<super::logs::ask::Ask>,
    /// What is searched, as the reader was told: the word, and which place.
    pub told: Option<(String, usize)>,
    /// The rows of a page, as the reader was told.
    pub rows: u16,
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
    /// The mouse was used.
    Pointed(Pointed),
    /// The line to the terminal was measured.
    Line(Line),
}

/// What `update` wants done outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Give the engine a command.
    Send(Command),
    /// Draw everything anew.
    Redraw,
    /// Tell a replay what to do.
    Replay(super::replay::Control),
    /// Give the shell back.
    Suspend,
    /// Leave the console.
    Leave,
    /// Write the screen to a file.
    Export,
    /// Put it into the clipboard of the person's terminal.
    Copy(Copied),
    /// Ring or notify, where that is wanted.
    Announce(String),
    /// Ask the terminal for the mouse, or give it back.
    Mouse(bool),
    /// Leave for a console on another environment.
    Switch(String),
    /// Leave the full screen and go on in line mode.
    Plain,
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
            times: Times::Utc,
            preset: None,
            grown: BTreeMap::new(),
            last_key: None,
            interrupted: None,
            size,
            still: None,
            told: Told::of(&world.situation),
            mouse: false,
            light: Light::default(),
            line: Line::default(),
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
        // What is on a slow line was typed before the dialog could be seen.
        let arms = ARMS.max(self.line.delay.unwrap_or_default());
        self.dialog.as_ref().is_some_and(|opened| words::since(opened.at, now) < arms)
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
