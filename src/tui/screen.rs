//! The whole screen: chrome around the body, dialogs over it. A pure function of a [`View`].

use std::cell::Cell;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::situation::Moment;

use super::chrome;
use super::comfort;
use super::dialogs::Sheet;
use super::glyphs;
use super::layout::{self, Size};
use super::pane::PaneKind;
use super::panes;
use super::state::Ui;
use super::theme::Role;
use super::view::View;
use super::widgets::{self, Row};
use super::world::World;

/// What was drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The cells.
    pub buffer: Buffer,
    /// Where the cursor is: on the field or row that has the keys.
    pub cursor: Option<(u16, u16)>,
    /// The terminal's title.
    pub title: String,
    /// Where the panes are, for the mouse.
    pub places: Vec<(PaneKind, Rect)>,
}

/// Draws everything.
pub fn draw(view: &View<'_>) -> Frame {
    let (width, height) = view.ui.size;
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    buffer.set_style(area, view.look.theme.style(Role::Base));
    let mut places = Vec::new();
    let cursor = match Size::of(width, height) {
        Size::Words => words(view, &mut buffer),
        size => full(view, size, &mut buffer, &mut places),
    };
    if view.glyphs().ascii {
        glyphs::to_ascii(&mut buffer);
    }
    Frame {
        buffer,
        cursor: cursor.filter(|(x, y)| *x < width && *y < height),
        title: chrome::window_title(view),
        places,
    }
}

/// Errors that have not been taken away: the console's own, then the engine's.
pub fn troubles(ui: &Ui, world: &World) -> Vec<(Option<Moment>, String)> {
    let own = ui.messages.iter().filter(|message| message.error);
    let own = own.map(|message| (None, message.text.clone()));
    let engine = world
        .situation
        .troubles
        .iter()
        .filter(|moment| !ui.acknowledged.contains(moment))
        .map(|moment| (Some(moment.clone()), moment.text.to_string()));
    let asked = world.situation.lead_asked.last().map(|ask| {
        let text = format!("{} asks for the lead: {} (T hands it over)", ask.who.name, ask.reason);
        Moment { at: ask.at, text: crate::text::SafeText::new(&text) }
    });
    // Only the lead is asked; last, so that what was seen before it stays seen.
    let mine = matches!(world.lead(), super::world::LeadStand::Mine(_));
    let asked = asked
        .filter(|moment| mine && !ui.acknowledged.contains(moment))
        .map(|moment| (Some(moment.clone()), moment.text.to_string()));
    own.chain(engine).chain(asked).collect()
}

/// The cells of a frame as lines of text.
pub fn text(frame: &Frame) -> String {
    let area = frame.buffer.area;
    let mut lines = String::new();
    for y in area.y..area.bottom() {
        let mut line = String::new();
        let mut covered = 0;
        for x in area.x..area.right() {
            let symbol = frame.buffer.cell((x, y)).map_or(" ", ratatui::buffer::Cell::symbol);
            if covered == 0 {
                line.push_str(symbol);
                covered = crate::text::width(symbol).saturating_sub(1);
            } else {
                covered -= 1;
            }
        }
        lines.push_str(line.trim_end());
        lines.push('\n');
    }
    lines
}

fn full(
    view: &View<'_>,
    size: Size,
    buffer: &mut Buffer,
    places: &mut Vec<(PaneKind, Rect)>,
) -> Option<(u16, u16)> {
    let area = buffer.area;
    let mut top = Vec::new();
    top.push(chrome::identity(view, usize::from(area.width)));
    let verdict = chrome::verdict(view, usize::from(area.width));
    if size == Size::Tiny {
        top.extend(verdict.into_iter().take(1));
    } else {
        top.push(chrome::stages(view, usize::from(area.width)));
        let rows = if size == Size::Single { 1 } else { 2 };
        top.extend(verdict.into_iter().take(rows));
    }
    let mut bottom = Vec::new();
    let finding = view.ui.find.as_ref().is_some_and(|find| find.typing);
    let frozen = comfort::frozen(view);
    if size > Size::Tiny || finding || frozen.is_some() {
        let message = chrome::message(view, usize::from(area.width));
        bottom.push(match &frozen {
            Some(text) => message.end(Role::Danger, text, usize::from(area.width)),
            None => message,
        });
    }
    bottom.push(
        chrome::banner(view, usize::from(area.width))
            .unwrap_or_else(|| chrome::keys(view, usize::from(area.width))),
    );
    for (row, y) in top.iter().zip(area.y..) {
        row.draw(buffer, (area.x, y), area.width, view.look);
    }
    let used = u16::try_from(top.len()).unwrap_or(0);
    let below = u16::try_from(bottom.len()).unwrap_or(0);
    let foot = area.bottom().saturating_sub(below);
    for (row, y) in bottom.iter().zip(foot..) {
        row.draw(buffer, (area.x, y), area.width, view.look);
    }
    let body = Rect::new(area.x, area.y + used, area.width, foot.saturating_sub(area.y + used));
    let cursor = draw_body(view, body, buffer, places);
    if let Some(find) = view.ui.find.as_ref().filter(|find| find.typing) {
        let column = 7 + crate::text::width(&find.word);
        return Some((u16::try_from(column).unwrap_or(0), foot));
    }
    cursor
}

fn draw_body(
    view: &View<'_>,
    body: Rect,
    buffer: &mut Buffer,
    places: &mut Vec<(PaneKind, Rect)>,
) -> Option<(u16, u16)> {
    let sheet = view
        .ui
        .dialog
        .as_ref()
        .map(|opened| opened.dialog.sheet(view, usize::from(body.width.saturating_sub(4))));
    let Some(sheet) = sheet else {
        return draw_panes(view, body, buffer, places);
    };
    let wanted = u16::try_from(sheet.facts.len() + sheet.pinned.len() + 2).unwrap_or(u16::MAX);
    let least_above = 6;
    let height = if sheet.whole || body.height < wanted.saturating_add(least_above) {
        body.height
    } else {
        wanted
    };
    let above = Rect { height: body.height - height, ..body };
    if above.height > 0 {
        draw_panes(view, above, buffer, places);
    }
    let place = Rect { y: body.y + above.height, height, ..body };
    let cursor = draw_sheet(view, &sheet, place, buffer);
    let itself = view.ui.dialog.as_ref().map(|opened| &opened.dialog);
    if itself == Some(&super::dialogs::Dialog::Diagnostics) && place.width > 4 && place.height > 2 {
        let inside = Rect {
            x: place.x + 2,
            y: place.y + 1,
            width: place.width - 4,
            height: place.height - 2,
        };
        super::diagnostics::draw(inside.intersection(buffer.area), buffer, view.look);
    }
    cursor
}

fn draw_panes(
    view: &View<'_>,
    body: Rect,
    buffer: &mut Buffer,
    places: &mut Vec<(PaneKind, Rect)>,
) -> Option<(u16, u16)> {
    let held;
    let view = match &view.ui.still {
        // Held still: the panes are drawn from what was known then; all around them stays live.
        Some(still) => {
            held = View { world: &still.world, now: still.at, ..*view };
            &held
        }
        None => view,
    };
    // What a pane wants is asked several times, and each time the whole pane is made for it.
    let known = Cell::new(Vec::new());
    *places = layout::place(view.ui, view.world, body, |pane, width| {
        let mut asked: Vec<((PaneKind, u16), u16)> = known.take();
        let told = asked.iter().find(|(key, _)| *key == (pane, width)).map(|(_, rows)| *rows);
        let rows = told.unwrap_or_else(|| panes::wants(pane, view, width));
        if told.is_none() {
            asked.push(((pane, width), rows));
        }
        known.set(asked);
        rows
    });
    let mut cursor = None;
    for (pane, place) in places {
        cursor = panes::draw(*pane, view, *place, buffer).or(cursor);
    }
    cursor
}

fn draw_sheet(
    view: &View<'_>,
    sheet: &Sheet,
    place: Rect,
    buffer: &mut Buffer,
) -> Option<(u16, u16)> {
    let role = if sheet.danger { Role::Danger } else { Role::Focus };
    let pinned = u16::try_from(sheet.pinned.len()).unwrap_or(0);
    let inside_height = place.height.saturating_sub(2);
    let room = inside_height.saturating_sub(pinned);
    let most = sheet.facts.len().saturating_sub(usize::from(room));
    let first = sheet.scroll.min(most);
    let remark = if most > 0 {
        format!("{}  {}/{} rows", sheet.remark, usize::from(room) + first, sheet.facts.len())
    } else {
        sheet.remark.clone()
    };
    let inside = widgets::frame(buffer, place, (&sheet.title, remark.trim()), role, view.look);
    if inside.height == 0 || inside.width < 3 {
        return None;
    }
    let columns = inside.width - 2;
    let pinned = pinned.min(inside.height);
    let split = inside.bottom() - pinned;
    let facts = sheet.facts.iter().skip(first);
    for (row, y) in facts.zip(inside.y..split) {
        row.draw(buffer, (inside.x + 1, y), columns, view.look);
    }
    for (row, y) in sheet.pinned.iter().zip(split..inside.bottom()) {
        row.draw(buffer, (inside.x + 1, y), columns, view.look);
    }
    let at = |(row, column): (usize, usize)| {
        let x = u16::try_from(column).unwrap_or(0).min(columns.saturating_sub(1));
        (inside.x + 1 + x, split + u16::try_from(row).unwrap_or(0))
    };
    Some(sheet.cursor.map_or((inside.x + 1, inside.y), at))
}

/// Below 40x10: the state and the size that is needed; keys still work.
fn words(view: &View<'_>, buffer: &mut Buffer) -> Option<(u16, u16)> {
    let area = buffer.area;
    let verdict = chrome::verdict(view, 200);
    let mut rows = vec![chrome::badge(view)];
    rows.extend(
        verdict
            .iter()
            .take(2)
            .flat_map(|row| widgets::wrap(&row.text(), usize::from(area.width)))
            .map(|line| Row::of(Role::Base, line)),
    );
    let need = format!("needs 60x15 (now {}x{})", area.width, area.height);
    let last = usize::from(area.height).saturating_sub(1);
    rows.truncate(last.max(1));
    if last > 0 {
        rows.push(Row::of(Role::Muted, need));
    }
    for (row, y) in rows.iter().zip(area.y..area.bottom()) {
        row.draw(buffer, (area.x, y), area.width, view.look);
    }
    None
}
