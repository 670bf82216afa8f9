//! The copy is up beside the live data: what a swap would lose, and the three ways on.

use crate::model::incident::Run;
use crate::model::loss::{Loss, LostRows};
use crate::model::tables::grouped;
use crate::tui::action::Action;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::words;

use super::Content;

/// Columns of the three figures.
const FIGURES: usize = 14;

/// The pane, while the run asks what becomes of the copy.
pub fn content(view: &View<'_>, run: &Run, width: usize) -> Content {
    let mut rows = Vec::new();
    match &run.loss {
        Some(loss) => rows.extend(table(loss, width)),
        None => rows.push(Row::of(Role::Unknown, "what a swap would lose is not known")),
    }
    rows.extend(ways(view, run, width));
    Content {
        title: format!("rows  run {}  SWAP, BESIDE or NEW TIME", run.id),
        remark: held(view, run),
        rows,
        danger: true,
        ..Content::default()
    }
}

/// How long the writers have been held: that is what the choice costs now.
fn held(view: &View<'_>, run: &Run) -> String {
    let since = run.loss.as_ref().and_then(|loss| loss.until);
    since.map_or_else(String::new, |at| {
        format!("writes held {}", words::clock(words::since(at, view.now)))
    })
}

fn table(loss: &Loss, width: usize) -> Vec<Row> {
    let name = width.saturating_sub(3 * FIGURES).clamp(8, 32);
    let mut rows = vec![
        Row::new()
            .pad(Role::Muted, "", name)
            .right(Role::Muted, "at T", FIGURES)
            .right(Role::Muted, "live now", FIGURES)
            .right(Role::Muted, "lost by SWAP", FIGURES),
    ];
    // What is lost is read first; a table that loses nothing still shows that it was counted.
    let mut tables: Vec<&LostRows> = loss.tables.iter().collect();
    tables.sort_by_key(|table| std::cmp::Reverse(table.lost.unwrap_or(u64::MAX)));
    for table in tables {
        let number = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), grouped);
        let role = match table.lost {
            Some(0) => Role::Muted,
            Some(_) => Role::Danger,
            None => Role::Unknown,
        };
        rows.push(
            Row::new()
                .pad(Role::Base, &crate::text::fit(table.table.as_str(), name), name)
                .right(Role::Base, &grouped(table.then), FIGURES)
                .right(Role::Base, &number(table.now), FIGURES)
                .right(role, &number(table.lost), FIGURES),
        );
    }
    let newest = loss.stores.iter().map(|store| store.at).max();
    for store in &loss.stores {
        let skew = newest.map_or(0, |newest| (newest - store.at).num_minutes());
        let row = Row::of(Role::Muted, format!("{}: {}", store.store, words::hour(store.at)));
        rows.push(if skew > 0 { row.put(Role::Warn, format!("  ! -{skew} min")) } else { row });
    }
    rows
}

fn ways(view: &View<'_>, run: &Run, width: usize) -> Vec<Row> {
    let key = view.keymap.shown(Action::Choose).map(|key| key.to_string()).unwrap_or_default();
    let lost = run.loss.as_ref().map(|loss| loss.words(loss.until.unwrap_or(view.now)));
    let swap = lost.map_or_else(|| "not possible".to_owned(), |lost| format!("loses {lost}"));
    let lines = [
        ("SWAP", format!("{swap}; ROLLBACK and the minutes are typed")),
        ("BESIDE", "loses nothing: both stay, tables are copied by hand".to_owned()),
        ("NEW TIME", "removes the copy, lifts the holds, takes another point".to_owned()),
    ];
    let mut rows = Vec::new();
    for (word, text) in lines {
        for (at, line) in widgets::wrap(&text, width.saturating_sub(13)).into_iter().enumerate() {
            let word = if at == 0 { word } else { "" };
            rows.push(Row::new().pad(Role::Title, &format!(" {word}"), 12).put(Role::Base, line));
        }
    }
    rows.push(
        Row::of(Role::Title, format!(" {key}"))
            .put(Role::Base, " choose; nothing happens before a word is typed"),
    );
    rows
}
