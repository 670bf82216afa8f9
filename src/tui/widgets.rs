//! Rows of words with roles, boxes and bars. Everything is drawn through these, so that theme and
//! sign set are asked in one place.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::model::reading::Status;
use crate::text;

use super::glyphs::Glyphs;
use super::theme::{Role, Theme};

/// How things look.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Roles to colours.
    pub theme: Theme,
    /// The signs.
    pub glyphs: Glyphs,
}

impl Look {
    /// A role over something that is drawn already: nothing of what is below stays.
    fn afresh(&self, role: Role) -> Style {
        Style::reset().patch(self.theme.style(Role::Base)).patch(self.theme.style(role))
    }
}

/// One row of a pane: words and what they mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The words, left to right.
    pub parts: Vec<(Role, String)>,
    /// Whether it is the selected one.
    pub selected: bool,
}

impl Row {
    /// An empty row.
    pub fn new() -> Self {
        Self::default()
    }

    /// A row of one part.
    pub fn of(role: Role, text: impl Into<String>) -> Self {
        Self::new().put(role, text)
    }

    /// Adds words.
    #[must_use]
    pub fn put(mut self, role: Role, text: impl Into<String>) -> Self {
        self.parts.push((role, text.into()));
        self
    }

    /// Adds words, cut or filled to so many columns.
    #[must_use]
    pub fn pad(self, role: Role, text: &str, columns: usize) -> Self {
        let fitted = text::fit(text, columns);
        let fill = columns.saturating_sub(text::width(&fitted));
        self.put(role, fitted + &" ".repeat(fill))
    }

    /// Adds words, cut or filled to so many columns, at their right end.
    #[must_use]
    pub fn right(self, role: Role, text: &str, columns: usize) -> Self {
        let fitted = text::fit(text, columns);
        let fill = columns.saturating_sub(text::width(&fitted));
        self.put(role, " ".repeat(fill) + &fitted)
    }

    /// Fills up to `columns` and adds words at the right end, where there is room for them.
    #[must_use]
    pub fn end(mut self, role: Role, text: &str, columns: usize) -> Self {
        let need = text::width(text) + 1;
        if need > columns {
            return self;
        }
        self.cut(columns - need);
        let used = self.width();
        let fill = columns - used - text::width(text);
        self.put(Role::Base, " ".repeat(fill)).put(role, text)
    }

    /// Marks it as the selected one.
    #[must_use]
    pub fn select(mut self, selected: bool) -> Self {
        self.selected = selected;
        self
    }

    /// Its columns.
    pub fn width(&self) -> usize {
        self.parts.iter().map(|(_, text)| text::width(text)).sum()
    }

    /// Its words alone.
    pub fn text(&self) -> String {
        self.parts.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// The same words in rows of at most so many columns, broken at blanks, each part with its role;
    /// rows after the first begin with `indent` blanks.
    pub fn fold(self, columns: usize, indent: usize) -> Vec<Self> {
        if self.width() <= columns || columns <= indent + 8 {
            return vec![self];
        }
        let mut rows = vec![Self::new()];
        let mut used = 0;
        for (role, text) in self.parts {
            for piece in text.split_inclusive(' ') {
                let wide = text::width(piece.trim_end());
                if used + wide > columns && used > indent {
                    rows.last_mut().into_iter().for_each(Self::trim_end);
                    rows.push(Self::of(Role::Base, " ".repeat(indent)));
                    used = indent;
                }
                if let Some(row) = rows.last_mut() {
                    match row.parts.last_mut() {
                        Some((same, words)) if *same == role => words.push_str(piece),
                        _ => row.parts.push((role, piece.to_owned())),
                    }
                }
                used += text::width(piece);
            }
        }
        rows
    }

    /// Without the blank that it was broken at.
    fn trim_end(&mut self) {
        if let Some((_, text)) = self.parts.last_mut() {
            text.truncate(text.trim_end().len());
        }
    }

    fn cut(&mut self, columns: usize) {
        let mut left = columns;
        for (_, text) in &mut self.parts {
            if text::width(text) > left {
                *text = text::fit(text, left);
            }
            left -= text::width(text).min(left);
        }
    }

    /// Draws it at `x`, `y` over at most `columns`; the selected one up to the last column.
    pub fn draw(&self, buffer: &mut Buffer, (x, y): (u16, u16), columns: u16, look: &Look) {
        let mut row = self.clone();
        row.cut(usize::from(columns));
        let mut at = x;
        let end = x.saturating_add(columns);
        for (role, text) in &row.parts {
            let room = usize::from(end.saturating_sub(at));
            if room == 0 || y >= buffer.area.bottom() || at >= buffer.area.right() {
                break;
            }
            let (next, _) = buffer.set_stringn(at, y, text, room, look.theme.style(*role));
            at = next;
        }
        if self.selected {
            let line = Rect::new(x, y, columns, 1).intersection(buffer.area);
            buffer.set_style(line, look.theme.style(Role::Select));
        }
    }
}

/// Splits a text into rows of at most `columns`, at blanks where there are some.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut rows = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        loop {
            let used = rows.last().map_or(0, |row| text::width(row));
            let gap = usize::from(used > 0);
            if used + gap + text::width(&word) <= columns {
                if let Some(row) = rows.last_mut() {
                    row.push_str(&" ".repeat(gap));
                    row.push_str(&word);
                }
                break;
            }
            if used > 0 {
                rows.push(String::new());
                continue;
            }
            // A word wider than a row is broken.
            let head: String =
                text::fit(&word, columns + 1).chars().take_while(|c| *c != '…').collect();
            if head.is_empty() {
                return rows;
            }
            word = word.get(head.len()..).unwrap_or_default().to_owned();
            if let Some(row) = rows.last_mut() {
                row.push_str(&head);
            }
            if word.is_empty() {
                break;
            }
            rows.push(String::new());
        }
    }
    rows
}

/// `name   text`, wrapped under itself.
pub fn fact(name: &str, text: &str, width: usize) -> Vec<Row> {
    fact_as(Role::Base, name, text, width)
}

/// The same, where the text means something.
pub fn fact_as(role: Role, name: &str, text: &str, width: usize) -> Vec<Row> {
    let mut lines = wrap(text, width.saturating_sub(FACT)).into_iter();
    let first = lines.next().unwrap_or_default();
    let mut rows = vec![Row::new().pad(Role::Muted, name, FACT).put(role, first)];
    rows.extend(lines.map(|line| Row::of(role, format!("{:FACT$}{line}", ""))));
    rows
}

/// Columns of a fact's name.
const FACT: usize = 13;

/// A box with a title at its left and a remark at its right; gives the area inside.
pub fn frame(
    buffer: &mut Buffer,
    area: Rect,
    (title, remark): (&str, &str),
    role: Role,
    look: &Look,
) -> Rect {
    let area = area.intersection(buffer.area);
    if area.width < 2 || area.height < 2 {
        return Rect::default();
    }
    let [h, v, top_left, top_right, bottom_left, bottom_right] = look.glyphs.lines;
    let line = look.theme.style(Role::Muted);
    let inner = usize::from(area.width) - 2;
    let (right, bottom) = (area.right() - 1, area.bottom() - 1);
    buffer.set_string(area.x, area.y, top_left, line);
    buffer.set_stringn(area.x + 1, area.y, h.repeat(inner), inner, line);
    buffer.set_string(right, area.y, top_right, line);
    for y in area.y + 1..bottom {
        buffer.set_string(area.x, y, v, line);
        buffer.set_string(right, y, v, line);
    }
    buffer.set_string(area.x, bottom, bottom_left, line);
    buffer.set_stringn(area.x + 1, bottom, h.repeat(inner), inner, line);
    buffer.set_string(right, bottom, bottom_right, line);
    let title = format!(" {} ", text::fit(title, inner.saturating_sub(3)));
    let used = text::width(&title);
    if inner > 4 {
        buffer.set_stringn(area.x + 2, area.y, &title, inner - 1, look.afresh(role));
    }
    let remark = format!(" {remark} ");
    let wide = text::width(&remark);
    if wide > 2 && used + wide + 3 <= inner {
        let at = usize::from(right) - 1 - wide;
        let at = u16::try_from(at).unwrap_or(right);
        buffer.set_stringn(at, area.y, &remark, wide, look.afresh(Role::Base));
    }
    Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height - 2)
}

/// `[######....]`, with so many cells between the brackets.
pub fn bar(done: f64, cells: usize, glyphs: Glyphs) -> String {
    let part = done.clamp(0.0, 1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a bar has few cells and its part is between 0 and 1"
    )]
    let full = ((cells as f64) * part).floor() as usize;
    let full = full.min(cells);
    format!("[{}{}]", glyphs.full.repeat(full), glyphs.empty.repeat(cells - full))
}

/// How many of so many parts a share of 0 to 1 is, rounded.
pub fn parts(share: f64, of: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of 0 to 1 of the few cells of a screen"
    )]
    let parts = (share.clamp(0.0, 1.0) * of as f64).round() as usize;
    parts.min(of)
}

/// `x FAIL`, six columns: the words carry it, the sign and the role only help.
pub fn state(status: Status, glyphs: Glyphs) -> (Role, String) {
    match status {
        Status::Ok => (Role::Ok, format!("{} ok  ", glyphs.ok)),
        Status::Warn => (Role::Warn, format!("{} WARN", glyphs.warn)),
        Status::Fail => (Role::Fail, format!("{} FAIL", glyphs.fail)),
        Status::Unknown => (Role::Unknown, format!("{} UNKN", glyphs.unknown)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::glyphs::ASCII;

    #[test]
    fn a_bar_is_full_only_when_all_is_done() {
        assert_eq!(bar(0.0, 4, ASCII), "[....]");
        assert_eq!(bar(0.99, 4, ASCII), "[###.]");
        assert_eq!(bar(7.0, 4, ASCII), "[####]");
    }

    #[test]
    fn words_wrap_at_blanks_and_break_only_when_they_must() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("", 3), [""]);
    }

    #[test]
    fn a_row_folds_at_blanks_and_keeps_its_roles() {
        let row = Row::of(Role::Base, "Tree: ")
            .put(Role::Fail, "ROLL BACK NOW")
            .put(Role::Base, " because of errors");
        let folded = row.clone().fold(20, 2);
        let texts: Vec<String> =
            folded.iter().map(|row| row.text().trim_end().to_owned()).collect();
        assert_eq!(texts, ["Tree: ROLL BACK NOW", "  because of errors"]);
        assert!(folded[0].parts.contains(&(Role::Fail, "ROLL BACK NOW".to_owned())));
        assert_eq!(row.clone().fold(80, 2), [row]);
    }

    #[test]
    fn a_title_is_not_as_dim_as_the_line_it_stands_in() {
        let theme = Theme::named("dark", crate::tui::theme::Depth::Sixteen).unwrap();
        let look = Look { theme, glyphs: ASCII };
        let area = Rect::new(0, 0, 20, 3);
        let mut buffer = Buffer::empty(area);
        frame(&mut buffer, area, ("Checks", "all"), Role::Title, &look);
        let dim = |x| buffer[(x, 0)].modifier.contains(ratatui::style::Modifier::DIM);
        assert!(dim(0) && !dim(4) && !dim(16), "{buffer:?}");
    }

    #[test]
    fn the_end_of_a_row_stays_in_view() {
        let row = Row::of(Role::Base, "a long name").end(Role::Muted, "3s", 9);
        assert_eq!(row.text(), "a lon… 3s");
    }
}
