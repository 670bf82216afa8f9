//! Rows of log lines, for the pane and for the screen of plain files.

use crate::journal::spool::stamp;
use crate::model::ids::Time;
use crate::tui::panes::Content;
use crate::tui::state::LogView;
use crate::tui::theme::Role;
use crate::tui::widgets::{self, Row};
use crate::tui::words;
use crate::tui::world::{LogPage, LogRow};

/// Columns of a source's name.
const NAME: usize = 8;

/// What is drawn beside the lines themselves.
#[derive(Clone, Copy, Debug)]
pub struct Drawn<'a> {
    /// The page.
    pub page: &'a LogPage,
    /// How it is wanted.
    pub ui: &'a LogView,
    /// The time, for ages.
    pub now: Time,
    /// How times are written.
    pub times: words::Times,
}

/// The lines of a page that fit into so many rows, around the selected one.
pub fn content(drawn: Drawn<'_>, width: usize, height: usize) -> Content {
    let page = drawn.page;
    let first = match page.cursor {
        Some(cursor) => {
            let most = page.lines.len().saturating_sub(height);
            cursor.saturating_sub(height / 2).min(most)
        }
        None => page.lines.len().saturating_sub(height),
    };
    let named = page.sources > 1;
    let mut rows: Vec<Row> = Vec::new();
    for (at, line) in page.lines.iter().enumerate().skip(first).take(height) {
        let selected = page.cursor == Some(at);
        rows.extend(draw(drawn, line, (width, named)).into_iter().map(|row| row.select(selected)));
    }
    if rows.is_empty() {
        let why = match (page.sources, page.choice.is_empty()) {
            (0, _) => "no log sources are configured (log_sources)",
            (_, true) => "no lines yet",
            (_, false) => "no line is let through: s severity, | filters, Alt-0 all",
        };
        rows.push(Row::of(Role::Muted, why));
    }
    Content {
        title: title(drawn),
        remark: page.found.clone().unwrap_or_else(|| numbers(page, width)),
        rows,
        tail: true,
        danger: page.dropped > 0,
        keep: None,
    }
}

fn title(drawn: Drawn<'_>) -> String {
    let page = drawn.page;
    let state = match (page.paused, page.behind) {
        (false, _) => "FOLLOW".to_owned(),
        (true, 0) => "PAUSED".to_owned(),
        (true, behind) => format!("PAUSED, {} behind", large(behind)),
    };
    let choice = &page.choice;
    let gap = if choice.is_empty() { "" } else { "  " };
    format!("Logs {} src {state}{gap}{choice}", page.sources)
}

/// The numbers of what is and what is not on the page; the most telling where there is little
/// room.
fn numbers(page: &LogPage, width: usize) -> String {
    let mut all = vec![format!("in {}/s", rate(page.per_second))];
    if width >= 60 {
        all.push(format!("shown {}/s", rate(page.shown_per_second)));
    }
    if page.hidden_per_second > 0.0 {
        all.push(format!("hidden {}/s", rate(page.hidden_per_second)));
    }
    if page.one_of > 1 {
        all.push(format!("sampled 1:{}", large(page.one_of)));
    }
    all.push(format!("dropped {}", large(page.dropped)));
    all.join("  ")
}

fn large(number: u64) -> String {
    match number {
        0..=9_999 => number.to_string(),
        10_000..=9_999_999 => format!("{}k", number / 1_000),
        _ => format!("{}M", number / 1_000_000),
    }
}

/// Rates in steps of which a glance sees the difference: digits that flicker cost bytes and tell
/// nothing.
fn rate(per_second: f64) -> String {
    if per_second >= 10_000.0 {
        format!("{:.0}k", per_second / 1_000.0)
    } else if per_second >= 1_000.0 {
        format!("{:.1}k", per_second / 1_000.0)
    } else if per_second >= 100.0 {
        format!("{:.0}", (per_second / 10.0).round() * 10.0)
    } else {
        format!("{per_second:.0}")
    }
}

fn draw(drawn: Drawn<'_>, line: &LogRow, (width, named): (usize, bool)) -> Vec<Row> {
    let role = match line.severity {
        'E' => Role::LogE,
        'W' => Role::LogW,
        'D' => Role::LogD,
        _ => Role::LogI,
    };
    let at = if line.at.timestamp() == 0 {
        " ".repeat(8)
    } else {
        words::moment(line.at, drawn.now, drawn.times)
    };
    let mark = if line.marked { ">" } else { " " };
    let mut head = Row::of(Role::Muted, format!("{at}{mark}"));
    if named {
        head = head.pad(Role::Base, line.source.as_str(), NAME).put(role, " ");
    }
    let head = head.put(role, format!("{} ", line.severity));
    let used = head.width();
    let whole = line.text.as_str();
    if drawn.ui.wrap {
        let mut texts = widgets::wrap(whole, width.saturating_sub(used)).into_iter();
        let first = texts.next().unwrap_or_default();
        let mut rows = vec![head.put(role, first)];
        rows.extend(texts.map(|text| Row::of(role, format!("{:used$}{text}", ""))));
        return rows;
    }
    // What is found in the head that is not shown would be a puzzle: then it is shown.
    let said = stamp::said(whole.as_bytes()).len();
    let skipped = whole.len() - said;
    let skipped = if line.found.iter().any(|(from, _)| *from < skipped) { 0 } else { skipped };
    let mut row = head;
    let mut at = skipped;
    for (from, to) in &line.found {
        let before = whole.get(at..*from).unwrap_or_default();
        row = row.put(role, before).put(Role::Focus, whole.get(*from..*to).unwrap_or_default());
        at = *to;
    }
    row = row.put(role, whole.get(at..).unwrap_or_default());
    if line.folded > 1 {
        row = row.end(Role::Warn, &format!("x{}", line.folded), width);
    }
    vec![row]
}
