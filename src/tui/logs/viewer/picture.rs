//! What the viewer shows: lines in a frame, a prompt, what keys do.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::action::{Action, Scope};
use crate::tui::dialogs::Dialog;
use crate::tui::glyphs;
use crate::tui::input::Key;
use crate::tui::screen::Frame;
use crate::tui::theme::Role;
use crate::tui::widgets::{self, Row};

use super::Viewer;
use crate::tui::logs::draw::{self, Drawn};

impl Viewer {
    /// What is shown now.
    pub(super) fn frame(&self) -> Frame {
        let (width, height) = self.ui.size;
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        buffer.set_style(area, self.look.theme.style(Role::Base));
        let foot = height.saturating_sub(1);
        let body = Rect { height: foot, ..area };
        let drawn = Drawn {
            page: &self.world.logs,
            ui: &self.ui.logs,
            now: self.clock.now(),
            times: self.ui.times,
        };
        let inner =
            (usize::from(width.saturating_sub(4)), usize::from(body.height.saturating_sub(2)));
        let content = draw::content(drawn, inner.0, inner.1);
        let title = content.title.replacen("Logs", &self.name, 1);
        let look = &self.look;
        let inside =
            widgets::frame(&mut buffer, body, (&title, &content.remark), Role::Focus, look);
        let rows = if self.help { self.help_rows() } else { content.rows };
        let (high, most) = (usize::from(inside.height), rows.len());
        let most = most.saturating_sub(high);
        let skipped = match rows.iter().position(|row| row.selected) {
            _ if self.help => 0,
            Some(selected) if selected < high => 0,
            Some(selected) => selected.saturating_sub(high / 2).min(most),
            None => most,
        };
        let mut cursor = None;
        let columns = inside.width.saturating_sub(2);
        for (row, y) in rows.iter().skip(skipped).zip(inside.y..inside.bottom()) {
            row.draw(&mut buffer, (inside.x + 1, y), columns, look);
            if row.selected {
                cursor = Some((inside.x + 1, y));
            }
        }
        self.filters(&mut buffer, body);
        let (row, typed) = self.prompt(usize::from(width));
        if foot < height {
            row.draw(&mut buffer, (0, foot), width, look);
        }
        if let Some(column) = typed.and_then(|column| u16::try_from(column).ok()) {
            cursor = Some((column, foot));
        }
        if look.glyphs.ascii {
            glyphs::to_ascii(&mut buffer);
        }
        let cursor = cursor.filter(|(x, y)| *x < width && *y < height);
        Frame { buffer, cursor, title: format!("backout logs {}", self.name), places: Vec::new() }
    }

    /// The filter stack over the lines.
    fn filters(&self, buffer: &mut Buffer, body: Rect) {
        let opened = self.ui.dialog.as_ref().map(|opened| &opened.dialog);
        let Some(Dialog::Filters(stack)) = opened else { return };
        let look = &self.look;
        let sheet = stack.sheet();
        let high = u16::try_from(sheet.facts.len() + sheet.pinned.len() + 2).unwrap_or(8);
        let place = Rect { y: body.bottom().saturating_sub(high), height: high, ..body };
        let place = place.intersection(body);
        buffer.set_style(place, look.theme.style(Role::Base));
        for position in place.positions() {
            if let Some(cell) = buffer.cell_mut(position) {
                cell.set_symbol(" ");
            }
        }
        let title = (sheet.title.as_str(), sheet.remark.as_str());
        let inside = widgets::frame(buffer, place, title, Role::Focus, look);
        let rows = sheet.facts.iter().chain(&sheet.pinned);
        for (row, y) in rows.zip(inside.y..inside.bottom()) {
            row.draw(buffer, (inside.x + 1, y), inside.width.saturating_sub(2), look);
        }
    }

    /// What is typed, said, or what keys do; and the column of the cursor.
    fn prompt(&self, width: usize) -> (Row, Option<usize>) {
        if let Some(find) = self.ui.find.as_ref().filter(|find| find.typing) {
            let row = Row::of(Role::Info, " Find: ").put(Role::Title, find.word.clone());
            return (row, Some(7 + crate::text::width(&find.word)));
        }
        if let Some(message) = self.ui.messages.last() {
            let role = if message.error { Role::Fail } else { Role::Info };
            return (Row::of(role, format!(" {}", message.text)), None);
        }
        let mut list = vec![(Action::Find, "Find")];
        if self.ui.find.is_some() {
            list.extend([(Action::FindNext, "Next"), (Action::FindPrevious, "Previous")]);
            list.push((Action::Back, "End find"));
        }
        let follow = if self.world.logs.paused { "Follow" } else { "Pause" };
        list.extend([(Action::Follow, follow), (Action::Severity, "Severity")]);
        list.extend([(Action::Filters, "Filter"), (Action::Wrap, "Wrap"), (Action::Top, "Top")]);
        list.extend([(Action::Bottom, "End"), (Action::Help, "Help"), (Action::Detach, "Leave")]);
        let mut row = Row::of(Role::Base, " ");
        for (action, label) in list {
            let Some(key) = self.keymap.shown(action) else { continue };
            let key = key.to_string();
            if row.width() + key.len() + label.len() + 3 > width {
                break;
            }
            row = row.put(Role::Focus, key).put(Role::Base, format!(" {label}  "));
        }
        (row, None)
    }

    fn help_rows(&self) -> Vec<Row> {
        let of_logs = |action: &&Action| {
            matches!(action.scope(), Scope::Logs | Scope::Find) || **action == Action::Find
        };
        let mut rows: Vec<Row> = Vec::new();
        for action in Action::ALL.iter().filter(of_logs) {
            let keys: Vec<String> = self.keymap.keys(*action).iter().map(Key::to_string).collect();
            let row = Row::new().pad(Role::Focus, &keys.join(" "), 14);
            rows.push(row.put(Role::Base, action.help()));
        }
        rows.push(Row::of(Role::Muted, "any key goes back"));
        rows
    }
}
