//! What makes the screen easier on the hand, the eye and the line: holding it still, copying,
//! announcing, the mouse, sparing a slow line. Nothing here reaches the engine.

use std::time::Duration;

use crate::model::ids::Time;
use crate::model::reading::Status;
use crate::model::situation::Situation;

use super::action::{Action, Scope};
use super::dialogs::{Dialog, palette, read};
use super::input::{Code, Key};
use super::layout;
use super::moves;
use super::pane::PaneKind;
use super::panes;
use super::stage::Stage;
use super::state::{Copied, Cx, Effect, Line, Pointed, Still, Ui};
use super::view::View;
use super::widgets::Row;
use super::words;

/// A line that answers later than this is slow.
const SLOW_ANSWER: Duration = Duration::from_secs(1);
/// A frame that takes longer than this to be taken by the terminal shows a slow line.
const SLOW_DRAIN: Duration = Duration::from_millis(250);
/// A line that answers sooner than this for a while is no longer slow.
const BRISK: Duration = Duration::from_millis(500);
/// For how long at first; it doubles each time the line turns slow again.
const CALM: Duration = Duration::from_secs(30);
/// The longest that a line must have been brisk, in doublings of [`CALM`].
const MOST_DOUBLINGS: u32 = 4;
/// Rows a turn of the wheel moves.
const WHEEL: isize = 3;
/// Columns that a log line is copied with: more than any line has.
const WHOLE_LINE: u16 = 20_000;

/// Whether the line is spared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// When it turns out to be slow.
    #[default]
    ByItself,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The light link: two frames a second, ages every 5 s, no plots, only warnings and errors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Light {
    /// What the person wants.
    pub wish: Wish,
    /// Whether the line was found to be slow.
    slow: bool,
    /// Since when it has been brisk again.
    calm: Option<Time>,
    /// How often it turned slow.
    turns: u32,
}

impl Light {
    /// Whether the line is spared now.
    pub fn on(&self) -> bool {
        match self.wish {
            Wish::ByItself => self.slow,
            Wish::Always => true,
            Wish::Never => false,
        }
    }
}

/// What was announced last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    stage: Stage,
    failing: usize,
    open: bool,
}

impl Told {
    /// What there is to announce about a situation.
    pub fn of(situation: &Situation) -> Self {
        let failing = situation.checks.values().filter(|card| card.status == Status::Fail);
        Self {
            stage: Stage::of(situation),
            failing: failing.count(),
            open: situation.open_run().is_some(),
        }
    }
}

/// Says aloud that the stage changed, that more checks fail, that a run ended.
pub fn announced(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    let before = ui.told;
    let now = Told::of(&cx.world.situation);
    ui.told = now;
    let run = cx.world.situation.run.as_ref();
    let ended = run.and_then(|run| run.ended.as_ref()).filter(|_| before.open && !now.open);
    let text = if let Some(ended) = ended {
        format!("run ended: {}", ended.outcome.words())
    } else if now.failing > before.failing {
        format!("{} FAIL", words::count(now.failing, "check"))
    } else if now.stage != before.stage {
        format!("stage {}", now.stage.words())
    } else {
        return Vec::new();
    };
    vec![Effect::Announce(format!("backout {}: {text}", cx.world.situation.environment()))]
}

/// Holds the body still, or lets it go on. What is wrong, the clock and every dialog stay live.
pub fn freeze(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    ui.still = match ui.still.take() {
        Some(_) => None,
        None => Some(std::sync::Arc::new(Still { world: cx.world.clone(), at: cx.now })),
    };
    Vec::new()
}

/// `FROZEN 00:12, 340 events behind`, while the body is held still.
pub fn frozen(view: &View<'_>) -> Option<String> {
    let still = view.ui.still.as_ref()?;
    let behind = view.world.situation.seq.saturating_sub(still.world.situation.seq);
    let key =
        view.keymap.shown(Action::Freeze).map_or_else(String::new, |key| format!("  {key} on"));
    Some(format!(
        "FROZEN {}, {} behind{key} ",
        words::clock(words::since(still.at, view.clock)),
        words::count(usize::try_from(behind).unwrap_or(usize::MAX), "event")
    ))
}

/// Copies the row of the cursor.
pub fn copy_line(_: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    vec![Effect::Copy(Copied::Line)]
}

/// Copies the whole pane or page.
pub fn copy_pane(_: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    vec![Effect::Copy(Copied::Pane)]
}

/// What is copied: all rows of the pane or page, also those scrolled away, or the one of the
/// cursor. Log lines are copied whole, however narrow the pane.
pub fn copied(view: &View<'_>, what: Copied) -> String {
    let width = view.ui.size.0.saturating_sub(4);
    if let Some(opened) = &view.ui.dialog {
        let sheet = opened.dialog.sheet(view, usize::from(width));
        return text(&sheet.facts);
    }
    let held;
    let view = match &view.ui.still {
        Some(still) => {
            held = View { world: &still.world, now: still.at, ..*view };
            &held
        }
        None => view,
    };
    let pane = view.ui.focus;
    let width = if pane == PaneKind::Logs { WHOLE_LINE } else { width };
    let mut content = panes::content(pane, view, width, u16::MAX);
    let found = panes::find(view, &mut content);
    let rows = content.rows.len();
    let at = found.or_else(|| content.rows.iter().position(|row| row.selected));
    let scrolled = view.ui.scroll.get(&pane).copied().unwrap_or(0);
    let at = at
        .unwrap_or_else(|| if content.tail { rows.saturating_sub(1 + scrolled) } else { scrolled });
    match what {
        Copied::Pane => text(&content.rows),
        Copied::Line => {
            content.rows.get(at).map(|row| text(std::slice::from_ref(row))).unwrap_or_default()
        }
    }
}

fn text(rows: &[Row]) -> String {
    let lines = rows.iter().map(|row| row.text().trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// What still works beside a page that is only read.
pub fn beside_a_page(ui: &mut Ui, cx: Cx<'_>, key: Key) -> Option<Vec<Effect>> {
    let help = match &ui.dialog.as_ref()?.dialog {
        Dialog::Help(_) => true,
        Dialog::Read(..) | Dialog::Diagnostics => false,
        Dialog::Confirm(_)
        | Dialog::Typed(_)
        | Dialog::Hold(_)
        | Dialog::Veto(_)
        | Dialog::Filters(_)
        | Dialog::Answer(_)
        | Dialog::Pause
        | Dialog::Export
        | Dialog::Detach
        | Dialog::Note(_)
        | Dialog::Guide(_)
        | Dialog::Palette(_) => return None,
    };
    let action = cx.keymap.action(key, &[Scope::All])?;
    let is = |actions: &[Action]| actions.contains(&action);
    if is(&[Action::CopyLine, Action::CopyPane]) {
        return Some(copy_pane(ui, cx));
    }
    if is(&[Action::Mouse]) {
        return Some(mouse(ui, cx));
    }
    if is(&[Action::LightLink]) {
        return Some(light_link(ui, cx));
    }
    (help && is(&[Action::Palette, Action::Find])).then(|| palette::open(ui, cx))
}

/// Lets the mouse scroll and choose panes, or gives it back to the terminal's own selection.
pub fn mouse(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    ui.mouse = !ui.mouse;
    let text = if ui.mouse {
        "the mouse scrolls and chooses panes; it starts nothing"
    } else {
        "the mouse is the terminal's own again: it selects text"
    };
    ui.say(text, false, cx.now);
    vec![Effect::Mouse(ui.mouse)]
}

/// The wheel scrolls, a click chooses a pane. No click ever commits.
pub fn pointed(ui: &mut Ui, cx: Cx<'_>, pointed: Pointed) {
    if !ui.mouse || ui.unarmed(cx.now) {
        return;
    }
    if let Some(opened) = &mut ui.dialog {
        let key = Key::plain(if pointed.wheel < 0 { Code::Up } else { Code::Down });
        match &mut opened.dialog {
            Dialog::Help(at) | Dialog::Read(_, at) if pointed.wheel != 0 => {
                for _ in 0..WHEEL {
                    read::scroll(at, key);
                }
            }
            Dialog::Help(_)
            | Dialog::Read(..)
            | Dialog::Diagnostics
            | Dialog::Confirm(_)
            | Dialog::Typed(_)
            | Dialog::Hold(_)
            | Dialog::Veto(_)
            | Dialog::Filters(_)
            | Dialog::Answer(_)
            | Dialog::Pause
            | Dialog::Export
            | Dialog::Detach
            | Dialog::Note(_)
            | Dialog::Guide(_)
            | Dialog::Palette(_) => {}
        }
        return;
    }
    let there = pointed.pane.filter(|pane| layout::panes(ui, cx.world).contains(pane));
    let Some(pane) = there.filter(|_| !ui.typing()) else { return };
    ui.focus = pane;
    if pointed.wheel != 0 {
        moves::row(ui, cx, pointed.wheel.signum() * WHEEL);
    }
}

/// Spares the line: by itself, always, never, in turn.
pub fn light_link(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    let (wish, text) = match ui.light.wish {
        Wish::ByItself if ui.light.slow => (Wish::Never, "light link: never"),
        Wish::ByItself => {
            (Wish::Always, "light link: 2 frames a second, ages every 5 s, logs W and E only")
        }
        Wish::Always => (Wish::Never, "light link: never"),
        Wish::Never => (Wish::ByItself, "light link: by itself, when the line turns slow"),
    };
    ui.light.wish = wish;
    ui.say(text, false, cx.now);
    Vec::new()
}

/// Takes what was measured of the line; it switches the light link by itself.
pub fn measured(ui: &mut Ui, cx: Cx<'_>, line: Line) {
    ui.line = line;
    let delay = line.delay.unwrap_or_default();
    let before = ui.light.on();
    if delay > SLOW_ANSWER || line.drain > SLOW_DRAIN {
        if !ui.light.slow {
            ui.light.turns = (ui.light.turns + 1).min(MOST_DOUBLINGS + 1);
        }
        ui.light.slow = true;
        ui.light.calm = None;
    } else if ui.light.slow && delay < BRISK {
        let since = *ui.light.calm.get_or_insert(cx.now);
        let doublings = ui.light.turns.saturating_sub(1).min(MOST_DOUBLINGS);
        if words::since(since, cx.now) >= CALM * 2_u32.pow(doublings) {
            ui.light.slow = false;
        }
    } else {
        ui.light.calm = None;
    }
    if ui.light.on() != before {
        let key = cx.keymap.shown(Action::LightLink);
        let key = key.map_or_else(String::new, |key| format!(" ({key})"));
        let text = if ui.light.on() {
            format!("the line is slow: 2 frames a second, ages every 5 s, logs W and E{key}")
        } else {
            format!("the line is quick again: everything is shown{key}")
        };
        ui.say(text, false, cx.now);
    }
}

/// Draws everything anew.
pub fn redraw(_: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    vec![Effect::Redraw]
}

/// Gives the shell back for a while.
pub fn suspend(_: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    vec![Effect::Suspend]
}

/// Goes on in line mode.
pub fn plain(_: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    vec![Effect::Plain]
}
