//! What happened when, as the journal wrote it by itself.

use crate::model::situation::Moment;
use crate::text;
use crate::tui::action::Action;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::words;

use super::Content;

/// The pane: a line a moment; where there are only one or two rows, moments beside each other.
pub fn content(view: &View<'_>, width: usize, height: usize) -> Content {
    let moments = in_order(view);
    let mut rows = if height <= 2 && width >= 60 {
        beside(view, &moments, width, height)
    } else {
        moments.iter().flat_map(|moment| line(view, moment, width)).collect()
    };
    if rows.is_empty() {
        rows.push(Row::of(Role::Muted, "nothing has happened yet"));
    }
    let key = view.keymap.shown(Action::Timeline).map(|key| key.to_string());
    let way = view.ui.times.words();
    let mut remark = words::count(moments.len(), "line");
    for more in [way, key.map_or_else(String::new, |key| format!("{key} full"))] {
        if !more.is_empty() {
            remark = format!("{remark}  {more}");
        }
    }
    Content { title: "Timeline".to_owned(), remark, rows, tail: true, ..Content::default() }
}

/// By their own time: what was heard of late stands where it belongs.
fn in_order<'a>(view: &View<'a>) -> Vec<&'a Moment> {
    let mut moments: Vec<&Moment> = view.world.situation.timeline.iter().collect();
    moments.sort_by_key(|moment| moment.at);
    moments
}

/// All of it for reading, the last moment on top.
pub fn newest_first(view: &View<'_>, width: usize) -> Vec<Row> {
    in_order(view).into_iter().rev().flat_map(|moment| line(view, moment, width)).collect()
}

/// A long one goes on below itself: who did what is at its end as often as at its beginning.
fn line(view: &View<'_>, moment: &Moment, width: usize) -> Vec<Row> {
    let at = words::moment(moment.at, view.now, view.ui.times);
    let mut texts = widgets::wrap(moment.text.as_str(), width.saturating_sub(9)).into_iter();
    let first = texts.next().unwrap_or_default();
    let mut rows = vec![Row::of(Role::Muted, format!("{at} ")).put(Role::Base, first)];
    rows.extend(texts.take(2).map(|text| Row::of(Role::Base, format!("{:9}{text}", ""))));
    rows
}

/// The last moments that fit, oldest first.
fn beside(view: &View<'_>, moments: &[&Moment], width: usize, height: usize) -> Vec<Row> {
    const MOST: usize = 44;
    let mut rows: Vec<Row> = vec![Row::new()];
    for moment in moments.iter().rev() {
        let at = words::moment(moment.at, view.now, view.ui.times);
        let words = text::fit(moment.text.as_str(), MOST);
        let need = 12 + text::width(&words);
        if rows.first().is_some_and(|row| row.width() + need > width) {
            if rows.len() >= height.max(1) {
                break;
            }
            rows.insert(0, Row::new());
        }
        if let Some(row) = rows.first_mut() {
            let after = std::mem::take(&mut row.parts);
            let gap = if after.is_empty() { "" } else { "   " };
            *row = Row::of(Role::Muted, format!("{} ", at.trim()))
                .put(Role::Base, words)
                .put(Role::Base, gap);
            row.parts.extend(after);
        }
    }
    if moments.is_empty() { Vec::new() } else { rows }
}
