//! Arranging the screen: bigger and smaller panes, sets of panes, ways to write times. Nothing
//! here reaches the engine.

use super::layout::{self, Size};
use super::state::{Cx, Effect, Ui};

/// Rows that a key gives or takes.
const STEP: i16 = 2;
/// More rows than a screen has are of no use.
const MOST: i16 = 100;

/// Gives the pane that has the keys more rows.
pub fn grow(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    resize(ui, STEP)
}

/// Takes rows from the pane that has the keys.
pub fn shrink(ui: &mut Ui, _: Cx<'_>) -> Vec<Effect> {
    resize(ui, -STEP)
}

/// What was changed by hand holds for this room only: another size of the screen has its own.
fn resize(ui: &mut Ui, by: i16) -> Vec<Effect> {
    let room = Size::of(ui.size.0, ui.size.1);
    let rows = ui.grown.entry((room, ui.focus)).or_default();
    *rows = rows.saturating_add(by).clamp(-MOST, MOST);
    if *rows == 0 {
        ui.grown.remove(&(room, ui.focus));
    }
    Vec::new()
}

/// The pane of that number where only one fits; else the person's own set of panes of that number,
/// or the stage's own again.
pub fn pick<const NUMBER: u8>(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    if Size::of(ui.size.0, ui.size.1) < Size::Compact {
        let panes = layout::panes(ui, cx.world);
        match panes.get(usize::from(NUMBER).saturating_sub(1)) {
            Some(pane) => ui.focus = *pane,
            None => ui.say(format!("there are {} panes here", panes.len()), false, cx.now),
        }
        return Vec::new();
    }
    if ui.preset == Some(NUMBER) {
        ui.preset = None;
    } else if cx.world.settings.presets.contains_key(&NUMBER) {
        ui.preset = Some(NUMBER);
    } else {
        let text = format!(
            "there is no set of panes {NUMBER}: write console: {{presets: {{{NUMBER}: [checks, \
             logs]}}}} into the configuration"
        );
        ui.say(text, false, cx.now);
        return Vec::new();
    }
    ui.zoom = false;
    if let Some(first) = layout::panes(ui, cx.world).first() {
        ui.focus = *first;
    }
    Vec::new()
}

/// Moments in UTC, in this machine's zone, or as ages.
pub fn times(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    ui.times = ui.times.next(cx.world.settings.zone);
    Vec::new()
}
