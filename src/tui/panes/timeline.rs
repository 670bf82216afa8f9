//! What happened when, as the journal wrote it by itself.

use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::Row;
use crate::tui::words;

use super::Content;

/// The pane.
pub fn content(view: &View<'_>, _width: usize) -> Content {
    let moments = &view.world.situation.timeline;
    let mut rows: Vec<Row> = moments
        .iter()
        .map(|moment| {
            let at = words::moment(moment.at, view.now, view.ui.relative);
            Row::of(Role::Muted, format!("{at} ")).put(Role::Base, moment.text.as_str())
        })
        .collect();
    if rows.is_empty() {
        rows.push(Row::of(Role::Muted, "nothing has happened yet"));
    }
    Content {
        title: "Timeline".to_owned(),
        remark: words::count(moments.len(), "line"),
        rows,
        tail: true,
        ..Content::default()
    }
}
