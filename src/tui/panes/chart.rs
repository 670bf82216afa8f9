//! Curves of the last minutes: error rate and response time, with what happened marked below.
//! What nobody measured is left blank, and the number of now stands in the title: nobody has to
//! read a picture to know how things are.

use std::time::Duration;

use crate::model::ids::Time;
use crate::model::tree::{self, Condition, Node};
use crate::tui::glyphs::{Glyphs, Plot};
use crate::tui::history::{self, Span};
use crate::tui::layout::Size;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::words;

use super::Content;

/// What a curve shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// Failed requests in percent.
    Errors,
    /// The 95th percentile of the answered requests in milliseconds.
    Latency,
}

impl Curve {
    fn title(self) -> &'static str {
        match self {
            Self::Errors => "Error rate %",
            Self::Latency => "p95 ms",
        }
    }

    /// The signal that the tree judges.
    fn signal(self) -> &'static str {
        match self {
            Self::Errors => "error_rate",
            Self::Latency => "p95",
        }
    }

    fn role(self) -> Role {
        match self {
            Self::Errors => Role::Plot1,
            Self::Latency => Role::Plot2,
        }
    }

    /// From the signal's unit to the one that is shown.
    fn factor(self) -> f64 {
        match self {
            Self::Errors => 1.0,
            Self::Latency => 1_000.0,
        }
    }

    fn value(self, span: &Span) -> Option<f64> {
        match self {
            Self::Errors => span.error_rate(),
            Self::Latency => span.p95.map(|seconds| seconds * self.factor()),
        }
    }

    /// Where the tree says yes.
    pub fn limit(self) -> Option<f64> {
        tree::built_in().into_iter().find_map(|node| match node {
            Node::Ask { when: Condition::Above { signal, thousandths }, .. }
                if signal == self.signal() =>
            {
                let thousandths = u32::try_from(thousandths).ok()?;
                Some(f64::from(thousandths) / 1_000.0 * self.factor())
            }
            Node::Ask { .. } | Node::Verdict { .. } => None,
        })
    }

    /// The number of now, as the engine judges it.
    fn now(self, view: &View<'_>) -> Option<f64> {
        let live = view.world.live.as_ref()?;
        live.signals.get(self.signal())?.value.number().map(|value| value * self.factor())
    }
}

/// Columns of the numbers at the left edge, with their line.
const AXIS: usize = 7;
/// Rows of the picture, where there are enough.
const ROWS: usize = 9;
const FEW_ROWS: usize = 5;

/// How far back the pictures go in this room.
pub fn reach(view: &View<'_>) -> Duration {
    if Size::of(view.ui.size.0, view.ui.size.1) == Size::Wide || view.ui.zoom {
        Duration::from_mins(30)
    } else {
        Duration::from_mins(15)
    }
}

/// The pane.
pub fn content(view: &View<'_>, curve: Curve, width: usize, height: usize) -> Content {
    let columns = width.saturating_sub(AXIS);
    let window = (view.now, reach(view));
    let usual =
        if Size::of(view.ui.size.0, view.ui.size.1) == Size::Wide { ROWS } else { FEW_ROWS };
    let usual = if height == usize::from(u16::MAX) { usual + 1 } else { height };
    let rows = usual.saturating_sub(1);
    let number = curve.now(view).map_or_else(|| "not known".to_owned(), number);
    let limit = curve.limit();
    let remark = format!(
        "{}{} min",
        limit.map_or_else(String::new, |limit| format!("limit {}, ", axis(limit))),
        history::reach_of(window, columns.max(1)).as_secs().div_ceil(60)
    );
    let title = format!("{} {number}", curve.title());
    if columns < 8 || rows == 0 {
        return Content { title, remark, ..Content::default() };
    }
    let dots = if view.glyphs().plot == Plot::Braille { 2 } else { 1 };
    let fresh = view.world.requests_fresh();
    let values =
        view.world.history.columns(window, columns * dots, fresh, |span| curve.value(span));
    let mut list = if values.iter().all(Option::is_none) {
        empty(view, rows)
    } else {
        picture(view.glyphs(), curve, &values, rows)
    };
    list.push(marks(view, window, columns));
    Content { title, remark, rows: list, ..Content::default() }
}

fn empty(view: &View<'_>, rows: usize) -> Vec<Row> {
    let counting = view.world.live.as_ref().is_some_and(|live| !live.counting.is_empty());
    let why = if counting {
        "no requests were counted in this time"
    } else {
        "no check counts requests (counts_requests)"
    };
    let mut list = vec![Row::new(); rows / 2];
    list.push(Row::of(Role::Muted, format!("  {why}")));
    list.resize(rows, Row::new());
    list
}

/// One or two digits after the point where the number is small.
fn number(value: f64) -> String {
    if value.abs() < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

/// At most five columns: `10`, `2.5`, `12k`.
fn axis(value: f64) -> String {
    if value >= 10_000.0 {
        format!("{:.0}k", value / 1_000.0)
    } else if value < 10.0 && value.fract() > 0.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// The next number with one round digit at or above, so that the scale does not shimmer.
fn round_up(value: f64) -> f64 {
    let mut step = 1.0;
    while step < 1e9 {
        for factor in [1.0, 2.0, 5.0] {
            if value <= step * factor {
                return step * factor;
            }
        }
        step *= 10.0;
    }
    value
}

fn picture(glyphs: Glyphs, curve: Curve, values: &[Option<f64>], rows: usize) -> Vec<Row> {
    let highest = values.iter().flatten().copied().fold(0.0_f64, f64::max);
    // The limit is in the picture once the curve comes near it; before that it would only press
    // the curve flat.
    let limit = curve.limit().filter(|limit| highest >= limit / 4.0);
    let top = round_up(highest.max(limit.unwrap_or(0.0)) * 1.02);
    let row_of = |value: f64| widgets::parts(value / top, rows.saturating_sub(1));
    let limit_row = limit.map(row_of);
    (0..rows)
        .rev()
        .map(|row| {
            let label = if row + 1 == rows {
                axis(top)
            } else if row == 0 {
                "0".to_owned()
            } else if limit_row == Some(row) {
                limit.map(axis).unwrap_or_default()
            } else {
                String::new()
            };
            let quiet = if label.is_empty() { Role::Base } else { Role::Muted };
            let mut list = Row::new()
                .right(quiet, &label, AXIS - 2)
                .put(Role::Base, format!("{} ", glyphs.lines[1]));
            for (over, text) in cells(glyphs, values, top, (row, rows), limit_row == Some(row)) {
                let role = if over { Role::Warn } else { curve.role() };
                // Blanks without a colour need not be drawn at all.
                let signs = text.trim_matches(' ').to_owned();
                let before = text.len() - text.trim_start_matches(' ').len();
                let after = text.len() - before - signs.len();
                list = list.put(Role::Base, " ".repeat(before)).put(role, signs);
                list = list.put(Role::Base, " ".repeat(after));
            }
            list
        })
        .collect()
}

/// A row of the picture in runs: whether it is the line of the limit, and the signs.
fn cells(
    glyphs: Glyphs,
    values: &[Option<f64>],
    top: f64,
    (row, rows): (usize, usize),
    limit: bool,
) -> Vec<(bool, String)> {
    let mut runs: Vec<(bool, String)> = Vec::new();
    let dots = if glyphs.plot == Plot::Braille { 2 } else { 1 };
    for (at, cell) in values.chunks(dots).enumerate() {
        let sign = glyphs.plot.sign(cell, top, (row, rows));
        let line = limit && sign == ' ' && (glyphs.plot != Plot::Ascii || at % 2 == 0);
        let sign = if line { glyphs.plot.line() } else { sign };
        match runs.last_mut() {
            Some((same, text)) if *same == line => text.push(sign),
            _ => runs.push((line, sign.to_string())),
        }
    }
    runs
}

/// What happened when: D a deploy, R a rollback begun, V traffic good again.
fn events(view: &View<'_>) -> Vec<(Time, char)> {
    let situation = &view.world.situation;
    let mut list: Vec<(Time, char)> =
        situation.changes.iter().map(|change| (change.at, 'D')).collect();
    if let Some(run) = &situation.run {
        list.push((run.started_at, 'R'));
        list.extend(run.watch.as_ref().map(|watch| (watch.opened_at, 'V')));
    }
    list.sort_unstable();
    list
}

/// The row below: how long ago the left edge is, and the marks, with their time where it fits.
fn marks(view: &View<'_>, window: (Time, Duration), columns: usize) -> Row {
    let reach = history::reach_of(window, columns);
    let mut line: Vec<char> = vec![' '; columns];
    let mut write = |at: usize, text: &str| {
        let end = at + text.len();
        let free = line.get(at..end).is_some_and(|cells| cells.iter().all(|cell| *cell == ' '));
        if free {
            for (cell, sign) in line.iter_mut().skip(at).zip(text.chars()) {
                *cell = sign;
            }
        }
        free
    };
    let placed: Vec<(usize, Time, char)> = events(view)
        .into_iter()
        .filter_map(|(at, sign)| Some((history::column_of(at, window, columns)?, at, sign)))
        .collect();
    for (column, _, sign) in &placed {
        write(*column, &sign.to_string());
    }
    for (column, at, _) in placed {
        write(column + 1, &format!(" {} ", words::moment(at, view.now, view.ui.times).trim()));
    }
    let start = format!("-{}m", reach.as_secs().div_ceil(60));
    Row::new()
        .right(Role::Muted, &start, AXIS - 2)
        .put(Role::Muted, "  ")
        .put(Role::Info, line.into_iter().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::glyphs::{ASCII, BRAILLE, UTF8};

    fn text(glyphs: Glyphs, values: &[Option<f64>], rows: usize) -> Vec<String> {
        picture(glyphs, Curve::Errors, values, rows)
            .iter()
            .map(|row| row.text().trim_end().to_owned())
            .collect()
    }

    #[test]
    fn the_limits_are_those_of_the_tree() {
        assert_eq!(Curve::Errors.limit(), Some(10.0));
        assert_eq!(Curve::Latency.limit(), Some(5_000.0));
    }

    #[test]
    fn a_gap_is_blank_and_zero_is_not() {
        let values = [Some(0.0), None, Some(20.0), Some(10.0)];
        assert_eq!(text(ASCII, &values, 3), ["   50|", "     |   .", "    0| . |:"]);
    }

    #[test]
    fn the_limit_is_a_line_once_the_curve_comes_near() {
        let values = [Some(40.0), None, None, None, None, Some(40.0)];
        let near = text(ASCII, &values, 5);
        assert!(near.iter().any(|row| row.contains("10|") && row.contains("- -")), "{near:?}");
        let far = text(ASCII, &[Some(0.3); 6], 5);
        assert!(far.iter().all(|row| !row.contains('-')), "{far:?}");
    }

    #[test]
    fn blocks_have_eight_heights_and_braille_two_columns_a_cell() {
        let values: Vec<Option<f64>> = (1..=8).map(|part| Some(f64::from(part) * 12.0)).collect();
        let blocks = text(UTF8, &values, 1);
        assert!(blocks[0].ends_with("▁▂▃▄▅▆▇█"), "{blocks:?}");
        let braille = text(BRAILLE, &values, 1);
        assert!(braille[0].ends_with("⣀⣠⣴⣾"), "{braille:?}");
    }

    #[test]
    fn a_scale_has_round_numbers() {
        let tops = [14.2, 0.3, 1_904.0, 12_000.0].map(|value| axis(round_up(value)));
        assert_eq!(tops, ["20", "1", "2000", "20k"]);
    }
}
