//! One file per pane. A pane is a pure function that gives rows; drawing them is done here.

pub mod chart;
pub mod checks;
pub mod compare;
pub mod database;
pub mod decide;
pub mod gate;
pub mod held;
pub mod levels;
pub mod logs;
pub mod people;
pub mod plan;
pub mod proposal;
pub mod report;
pub mod rules;
pub mod slo;
pub mod steps;
pub mod timeline;
pub mod waiting;
pub mod watch;

use held::{held, left_over, locked};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::layout::{self, Size};
use super::pane::PaneKind;
use super::theme::Role;
use super::view::View;
use super::widgets::{self, Row};
use super::words;
use super::world::LinkState;

/// What a pane shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// At the left of the frame.
    pub title: String,
    /// At the right of the frame.
    pub remark: String,
    /// What is inside, before scrolling.
    pub rows: Vec<Row>,
    /// Whether it concerns what changes production.
    pub danger: bool,
    /// Whether the last rows are the ones to see.
    pub tail: bool,
    /// A row that should be in view when nothing is selected.
    pub keep: Option<usize>,
}

/// What a pane shows at a width and at most a height, both without the frame.
pub fn content(pane: PaneKind, view: &View<'_>, width: u16, height: u16) -> Content {
    let (wide, high) = (usize::from(width), usize::from(height));
    match pane {
        PaneKind::Checks => checks::content(view, wide, high),
        PaneKind::Decide => decide::content(view, wide),
        PaneKind::Levels => levels::content(view, wide),
        PaneKind::Plan => plan::content(view, wide),
        PaneKind::Steps => steps::content(view, wide),
        PaneKind::Logs => logs::content(view, wide, high),
        PaneKind::Watch => watch::content(view, wide),
        PaneKind::Report => report::content(view, wide),
        PaneKind::Timeline => timeline::content(view, wide, high),
        PaneKind::Waiting => waiting::content(view, wide),
        PaneKind::Errors => chart::content(view, chart::Curve::Errors, wide, high),
        PaneKind::Latency => chart::content(view, chart::Curve::Latency, wide, high),
        PaneKind::Compare => compare::content(view, wide),
        PaneKind::Slo => slo::content(view, wide),
    }
}

/// How many rows a pane would fill at a width, with its frame.
pub fn wants(pane: PaneKind, view: &View<'_>, width: u16) -> u16 {
    let rows = content(pane, view, width.saturating_sub(4), u16::MAX).rows.len();
    u16::try_from(rows).unwrap_or(u16::MAX / 4).min(200) + 2
}

/// Draws a pane and gives the place of its selected row, for the cursor.
pub fn draw(
    pane: PaneKind,
    view: &View<'_>,
    area: Rect,
    buffer: &mut Buffer,
) -> Option<(u16, u16)> {
    let focused = view.ui.focus == pane;
    let inner = (area.width.saturating_sub(4), area.height.saturating_sub(2));
    // The logs are searched where they are read: all of them, not what is on the page.
    let finding = focused
        && pane != PaneKind::Logs
        && view.ui.find.as_ref().is_some_and(|find| !find.word.is_empty());
    // What is searched is the whole list, not what fits.
    let rows = if finding { u16::MAX } else { inner.1 };
    let mut content = content(pane, view, inner.0, rows);
    let found = finding.then(|| find(view, &mut content)).flatten();
    let role = match (focused, content.danger) {
        (true, _) => Role::Focus,
        (false, true) => Role::Danger,
        (false, false) => Role::Title,
    };
    if let Some(more) = around(pane, view) {
        content.remark =
            if content.remark.is_empty() { more } else { format!("{}  {more}", content.remark) };
    }
    let title = if focused { format!("[{}]", content.title) } else { content.title.clone() };
    let inside = widgets::frame(buffer, area, (&title, &content.remark), role, view.look);
    if inside.height == 0 || inside.width < 3 {
        return None;
    }
    let first = first_row(pane, view, &content, found, usize::from(inside.height));
    let mut cursor = None;
    let rows = content.rows.iter().skip(first);
    for (row, y) in rows.zip(inside.y..inside.bottom()) {
        row.draw(buffer, (inside.x + 1, y), inside.width - 2, view.look);
        if row.selected && focused {
            cursor = Some((inside.x + 1, y));
        }
    }
    if focused && cursor.is_none() {
        cursor = Some((inside.x + 1, inside.y));
    }
    cursor
}

/// What the frame says of every pane: how old it is where nothing comes any more, and which of how
/// many it is where only one fits.
fn around(pane: PaneKind, view: &View<'_>) -> Option<String> {
    let mut parts = Vec::new();
    match view.world.link.state {
        LinkState::Lost { .. } | LinkState::Orphaned { .. } | LinkState::JournalLost { .. } => {
            let live = view.world.live.as_ref();
            parts.extend(live.map(|live| format!("as of {}", words::hour(live.at))));
        }
        LinkState::Connecting | LinkState::Live => {}
    }
    if Size::of(view.ui.size.0, view.ui.size.1) < Size::Compact {
        let all = layout::panes(view.ui, view.world);
        let at = all.iter().position(|one| *one == pane);
        parts.extend(at.map(|at| format!("{}/{}", at + 1, all.len())));
    }
    (!parts.is_empty()).then(|| parts.join("  "))
}

/// Marks the row that the search is at.
pub fn find(view: &View<'_>, content: &mut Content) -> Option<usize> {
    let find = view.ui.find.as_ref().filter(|find| !find.word.is_empty())?;
    let word = find.word.to_lowercase();
    let hits: Vec<usize> = content
        .rows
        .iter()
        .enumerate()
        .filter(|(_, row)| row.text().to_lowercase().contains(&word))
        .map(|(at, _)| at)
        .collect();
    // Counting down below the first place wraps to a huge number; both ways stay in the list.
    let place = if find.at > usize::MAX / 2 {
        let down = usize::MAX - find.at;
        hits.len().checked_sub(1 + down % hits.len().max(1))
    } else {
        find.at.checked_rem(hits.len())
    };
    content.remark = match place {
        Some(place) => format!("{} of {}", place + 1, hits.len()),
        None => format!("no {} here", find.word),
    };
    let hit = *hits.get(place?)?;
    for (at, row) in content.rows.iter_mut().enumerate() {
        row.selected = at == hit;
    }
    Some(hit)
}

fn first_row(
    pane: PaneKind,
    view: &View<'_>,
    content: &Content,
    found: Option<usize>,
    height: usize,
) -> usize {
    let most = content.rows.len().saturating_sub(height);
    let selected = content.rows.iter().position(|row| row.selected);
    if let Some(at) = found.or(selected) {
        return at.saturating_sub(height.saturating_sub(1)).min(most);
    }
    if content.tail {
        let back = view.ui.scroll.get(&pane).copied().unwrap_or(0);
        return most.saturating_sub(back);
    }
    match (view.ui.scroll.get(&pane), content.keep) {
        (Some(at), _) if *at > 0 => (*at).min(most),
        (_, Some(row)) => row.saturating_sub(height / 2).min(most),
        (_, None) => 0,
    }
}
