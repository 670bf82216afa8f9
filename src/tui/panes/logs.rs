//! One page of log lines with the numbers of what is not on it.

use crate::tui::state::Least;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::words;
use crate::tui::world::LogRow;

use super::Content;

/// The pane.
pub fn content(view: &View<'_>, width: usize) -> Content {
    let page = &view.world.logs;
    let ui = &view.ui.logs;
    let lines = page.lines.iter().filter(|line| shown(line, ui.least));
    let mut rows: Vec<Row> = lines
        .filter(|line| ui.held.is_none_or(|held| line.at <= held))
        .flat_map(|line| draw(view, line, width))
        .collect();
    if rows.is_empty() {
        let why = if page.sources == 0 {
            "no log sources are configured (log_sources)"
        } else {
            "no lines yet"
        };
        rows.push(Row::of(Role::Muted, why));
    }
    let follow = match (ui.held, ui.back) {
        (Some(held), _) => format!("HELD at {}", words::hour(held)),
        (None, 0) => "FOLLOW".to_owned(),
        (None, _) => "SCROLLED".to_owned(),
    };
    let least = match ui.least {
        Least::All => "",
        Least::Warn => "  s>=W",
        Least::Error => "  s>=E",
    };
    let hidden_here = page.lines.iter().filter(|line| !shown(line, ui.least)).count();
    let hidden = page.hidden + u64::try_from(hidden_here).unwrap_or(0);
    Content {
        title: format!("Logs {} src {follow}{least}", page.sources),
        remark: format!(
            "in {}/s  hidden {hidden}  dropped {}",
            rate(page.per_second),
            page.dropped
        ),
        rows,
        tail: true,
        danger: page.dropped > 0,
        keep: None,
    }
}

fn shown(line: &LogRow, least: Least) -> bool {
    match least {
        Least::All => true,
        Least::Warn => matches!(line.severity, 'E' | 'W'),
        Least::Error => line.severity == 'E',
    }
}

fn rate(per_second: f64) -> String {
    if per_second >= 1_000.0 {
        format!("{:.1}k", per_second / 1_000.0)
    } else {
        format!("{per_second:.0}")
    }
}

fn draw(view: &View<'_>, line: &LogRow, width: usize) -> Vec<Row> {
    let role = match line.severity {
        'E' => Role::LogE,
        'W' => Role::LogW,
        'D' => Role::LogD,
        _ => Role::LogI,
    };
    let at = words::moment(line.at, view.now, view.ui.relative);
    let head = Row::of(Role::Muted, format!("{at} "))
        .pad(Role::Base, line.source.as_str(), 8)
        .put(role, format!(" {} ", line.severity));
    let folded = if line.folded > 1 { format!("x{}", line.folded) } else { String::new() };
    let used = head.width();
    if view.ui.logs.wrap {
        let mut texts = widgets::wrap(line.text.as_str(), width.saturating_sub(used)).into_iter();
        let first = texts.next().unwrap_or_default();
        let mut rows = vec![head.put(role, first)];
        rows.extend(texts.map(|text| Row::of(role, format!("{:used$}{text}", ""))));
        return rows;
    }
    let row = head.put(role, words_of(line.text.as_str()));
    vec![if folded.is_empty() { row } else { row.end(Role::Warn, &folded, width) }]
}

/// The line without the time and the level it begins with: both are in their own columns. What
/// is wrapped is shown whole.
fn words_of(text: &str) -> &str {
    let mut rest = text.trim_start();
    for _ in 0..3 {
        let (word, tail) = rest.split_once(' ').unwrap_or((rest, ""));
        if tail.is_empty() || !(is_time(word) || is_level(word)) {
            break;
        }
        rest = tail.trim_start();
    }
    rest
}

fn is_time(word: &str) -> bool {
    let word = word.trim_matches(['[', ']']);
    let numbers = word.bytes().filter(u8::is_ascii_digit).count();
    let rest = word.bytes().all(|byte| byte.is_ascii_digit() || b"-:.,TZ+".contains(&byte));
    numbers >= 6 && rest && word.contains([':', '-'])
}

fn is_level(word: &str) -> bool {
    let word = word.trim_matches(['[', ']', ':']);
    ["DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL", "TRACE"].contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_level_are_shown_once() {
        let line = "2026-11-22T03:52:41.632Z INFO request_id=f3 GET /";
        assert_eq!(words_of(line), "request_id=f3 GET /");
        assert_eq!(words_of("[error]: no"), "[error]: no");
        assert_eq!(words_of("2026-11-22 03:52:41 ERROR x"), "x");
        assert_eq!(words_of("1204 requests"), "1204 requests");
        assert_eq!(words_of("INFO"), "INFO");
    }
}
