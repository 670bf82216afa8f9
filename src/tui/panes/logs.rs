//! Log lines of all sources, with the numbers of what is not on the page.

use crate::tui::logs::draw::{self, Drawn};
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::Row;

use super::Content;

/// The pane, with the rows that fit.
pub fn content(view: &View<'_>, width: usize, height: usize) -> Content {
    let drawn =
        Drawn { page: &view.world.logs, ui: &view.ui.logs, now: view.now, times: view.ui.times };
    let content = draw::content(drawn, width, height);
    if view.world.replay.is_none() {
        return content;
    }
    // The spool goes on after the incident: its end is not what was seen then.
    let row = Row::of(Role::Muted, "a replay shows no logs: read them with backout logs");
    Content { rows: vec![row], ..content }
}
