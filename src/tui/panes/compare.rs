//! Before, during, now: every check held against what it was before the last deploy, as the engine
//! has compared them.

use crate::model::compare::{Compared, Comparison, Drift};
use crate::report::compare::cell;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::words;

use super::Content;

/// As wide as `14.2 %  1.90 s` and a blank.
const CELL: usize = 15;

/// The pane.
pub fn content(view: &View<'_>, width: usize) -> Content {
    let title = "Compare before / during / now".to_owned();
    let live = view.world.live.as_ref();
    let Some(comparison) = live.and_then(|live| live.comparison.as_deref()) else {
        let row = Row::of(Role::Muted, "nothing to compare: the engine has not compared yet");
        return Content { title, rows: vec![row], ..Content::default() };
    };
    let mut rows: Vec<Row> = widgets::wrap(&head(view, comparison), width)
        .into_iter()
        .map(|line| Row::of(Role::Muted, line))
        .collect();
    let names = comparison.rows.iter().map(|row| crate::text::width(row.check.as_str()));
    let name = names.max().unwrap_or(0).clamp(5, if width >= 100 { 24 } else { 15 }) + 1;
    let room = width.saturating_sub(name + 9);
    let times = times(room);
    let cell = (room / times.len().max(1)).clamp(CELL, CELL + 3);
    let mut first = Row::new().pad(Role::Muted, "", name);
    for (word, _) in times {
        first = first.pad(Role::Muted, word, cell);
    }
    rows.push(first);
    for compared in &comparison.rows {
        rows.extend(row(compared, times, (name, cell), width));
    }
    Content {
        title,
        remark: comparison.deploy.as_ref().map(|one| one.version.to_string()).unwrap_or_default(),
        rows,
        ..Content::default()
    }
}

type Column = (&'static str, fn(&Compared) -> Option<&crate::model::figures::Figures>);

/// The times there is room for: now always, then before, then during.
fn times(room: usize) -> &'static [Column] {
    const ALL: [Column; 3] = [
        ("before", |row| row.before.as_ref()),
        ("during", |row| row.during.as_ref()),
        ("now", |row| row.now.as_ref()),
    ];
    const TWO: [Column; 2] = [ALL[0], ALL[2]];
    const ONE: [Column; 1] = [ALL[2]];
    match room / CELL {
        0 | 1 => &ONE,
        2 => &TWO,
        _ => &ALL,
    }
}

/// What parts before from during, and what is not known of it.
fn head(view: &View<'_>, comparison: &Comparison) -> String {
    let at = |at| words::moment(at, view.now, view.ui.times).trim().to_owned();
    let Some(deploy) = &comparison.deploy else {
        return "no deploy is known: there is no before to hold it against".to_owned();
    };
    let looked = match deploy.baseline_from {
        None => "; nobody looked before it".to_owned(),
        Some(from) => format!("; looked at since {}", at(from)),
    };
    let until =
        comparison.until.map_or_else(String::new, |until| format!(", switched away {}", at(until)));
    format!("deploy {} at {}{until}{looked}", deploy.version, at(deploy.at))
}

/// The role of a change.
fn role(change: Drift) -> Role {
    match change {
        Drift::Worse => Role::Fail,
        Drift::Back | Drift::Better => Role::Ok,
        Drift::Same => Role::Base,
        Drift::NotKnown => Role::Unknown,
    }
}

fn row(
    compared: &Compared,
    times: &[Column],
    (name, columns): (usize, usize),
    width: usize,
) -> Vec<Row> {
    let fitted = crate::text::fit(compared.check.as_str(), name.saturating_sub(1));
    let mut row = Row::new().pad(Role::Base, &fitted, name);
    for (_, of) in times {
        row = row.pad(Role::Base, &cell(of(compared)), columns);
    }
    let word = compared.change.words();
    let role = role(compared.change);
    let room = width.saturating_sub(row.width() + 10);
    let says = compared.says.as_str();
    if room >= crate::text::width(says) {
        return vec![row.pad(role, word, 10).put(Role::Muted, says)];
    }
    let mut rows = vec![row.put(role, word)];
    match compared.change {
        Drift::Worse | Drift::Back => rows.extend(
            widgets::wrap(says, width.saturating_sub(2))
                .into_iter()
                .map(|line| Row::of(Role::Muted, format!("  {line}"))),
        ),
        // The numbers stand in the row.
        Drift::Better | Drift::Same | Drift::NotKnown => {}
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn now_is_shown_first_then_before_then_during() {
        let words = |room| times(room).iter().map(|(word, _)| *word).collect::<Vec<_>>();
        assert_eq!(words(10), ["now"]);
        assert_eq!(words(40), ["before", "now"]);
        assert_eq!(words(45), ["before", "during", "now"]);
    }
}
