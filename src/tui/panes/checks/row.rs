//! One check in a row: its state, what was seen, its past where there is room, and its age; below it
//! what is known of the selected one.

use std::time::Duration;

use crate::model::ids::CheckId;
use crate::model::reading::{Reading, Reason, Status};
use crate::model::situation::CheckCard;
use crate::tui::history::Mark;
use crate::tui::layout::Size;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::words;

use super::{is_stopped, planned};

/// The row.
pub(super) fn row(view: &View<'_>, id: &CheckId, card: &CheckCard, width: usize) -> Row {
    let (role, word) = widgets::state(card.status, view.glyphs());
    // As wide as the words of the states.
    let off = format!("{:>width$} ", "off", width = crate::text::width(&word) - 1);
    let stopped = is_stopped(view.world, id, card);
    let (role, word) = match (card.off(), stopped) {
        (true, _) => (Role::Muted, off),
        (false, true) => (Role::Planned, format!("{} down", view.glyphs().wait)),
        (false, false) => (role, word),
    };
    let reading = view.world.readings.get(id);
    let on_purpose = card.status != Status::Ok && planned(view.world).contains(&id);
    let muted = view.world.situation.muted(id).is_some();
    let role = if on_purpose || muted { Role::Planned } else { role };
    let name_width = if with_strip(view, width) {
        // Names as wide as they are leave more for what was seen.
        let names = view.world.situation.checks.keys();
        names.map(|id| crate::text::width(id.as_str())).max().unwrap_or(0).clamp(10, 20)
    } else if width >= 60 {
        20
    } else {
        14
    };
    let mut row = Row::new()
        .put(role, word)
        .put(Role::Base, if card.critical { " * " } else { "   " })
        .pad(Role::Base, id.as_str(), name_width)
        .put(Role::Base, " ");
    if on_purpose {
        row = row.put(Role::Planned, "planned  ");
    }
    if muted {
        row = row.put(Role::Planned, "muted  ");
    }
    row = match view.world.situation.stopped(id).filter(|_| stopped) {
        Some(left) => row.put(Role::Planned, format!("on purpose: {}", left.name)),
        None => value(row, view, id, card, reading),
    };
    let live = view.world.live.as_ref();
    if let Some(looks) = live.and_then(|live| live.looks.get(id)) {
        row = row.put(Role::Muted, format!("  {}", looks.words()));
    }
    if view.world.situation.judging.flapping.contains(id) {
        row = row.put(Role::Warn, "  flaps");
    }
    if card.status != Status::Ok {
        row = row.put(Role::Muted, format!("  since {}", words::hour(card.since)));
    }
    let (age_role, age) = age(view, id, reading);
    // The strip stands in its own columns; a long age takes the place of its oldest cells.
    let cells = (STRIP + AGE).saturating_sub(age.len().max(AGE));
    if with_strip(view, width) {
        let begin = width - cells - 4 - age.len().max(AGE);
        row = row.end(Role::Base, "", begin);
        let used = row.width();
        row = row.put(Role::Base, " ".repeat((begin + 1).saturating_sub(used)));
        row = strip(row.put(Role::Muted, "["), view, id, cells).put(Role::Muted, "]");
    }
    row.end(age_role, &format!("{age:>AGE$}"), width)
}

/// Cells of a check's past, and the columns of an age.
const STRIP: usize = 22;
const AGE: usize = 5;

/// Whether there is room for the past beside what was seen last, which comes first.
fn with_strip(view: &View<'_>, width: usize) -> bool {
    let wide = Size::of(view.ui.size.0, view.ui.size.1) == Size::Wide;
    width >= if wide { 70 } else { 100 }
}

/// The last quarter of an hour of a check, oldest first.
fn strip(row: Row, view: &View<'_>, id: &CheckId, cells: usize) -> Row {
    let fresh = (view.world.pace(id) * 2).max(Duration::from_secs(20));
    let [ok, warn, unknown, fail, none] = *view.glyphs().strip;
    let mut row = row;
    let marks = view.world.history.strip(id, view.now, STRIP, fresh);
    for mark in marks.into_iter().skip(STRIP - cells.min(STRIP)) {
        let (role, sign) = match mark {
            Some(Mark::Ok) => (Role::Ok, ok),
            Some(Mark::Warn) => (Role::Warn, warn),
            Some(Mark::Unknown) => (Role::Unknown, unknown),
            Some(Mark::Fail) => (Role::Fail, fail),
            None => (Role::Muted, none),
        };
        match row.parts.last_mut() {
            Some((same, text)) if *same == role && text != "[" => text.push_str(sign),
            _ => row = row.put(role, sign),
        }
    }
    row
}

fn value(
    row: Row,
    view: &View<'_>,
    id: &CheckId,
    card: &CheckCard,
    reading: Option<&Reading>,
) -> Row {
    if card.off() {
        return row.put(Role::Muted, card.note.as_str());
    }
    if card.status == Status::Unknown {
        let reason = card.reason.unwrap_or(Reason::NeverRan);
        let row = row.put(Role::Unknown, reason.words());
        return match reading {
            // The last good value stays, dim, with its own time.
            Some(reading) if !reading.note.is_empty() => {
                row.put(Role::Stale, format!("  {} @{}", reading.note, words::hour(reading.at)))
            }
            _ => row.put(Role::Muted, format!("  {}", card.note)),
        };
    }
    let old =
        reading.is_some_and(|reading| words::since(reading.at, view.now) > view.world.pace(id) * 2);
    let mark = if old { "~" } else { "" };
    match reading {
        Some(reading) => row
            .put(Role::Stale, mark)
            .put(Role::Base, card.note.as_str())
            .put(Role::Muted, format!("  {}", words::took(reading.took))),
        None => row.put(Role::Base, card.note.as_str()),
    }
}

/// How old the last reading is: plain, marked, or an UNKNOWN of its own.
fn age(view: &View<'_>, id: &CheckId, reading: Option<&Reading>) -> (Role, String) {
    let Some(reading) = reading else {
        return (Role::Stale, "-".to_owned());
    };
    let old = words::since(reading.at, view.now);
    let pace = view.world.pace(id);
    if old > (pace * 5).max(Duration::from_secs(10)) {
        (Role::Unknown, format!("? STALE {}", words::age(old)))
    } else if old > pace * 2 {
        (Role::Stale, format!("~{}", words::age(old)))
    } else {
        (Role::Muted, words::age(old))
    }
}

/// What is known of the selected check, below its row.
pub(super) fn detail(view: &View<'_>, id: &CheckId, card: &CheckCard, width: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let inner = width.saturating_sub(4);
    if card.status == Status::Unknown && !card.off() {
        let reason = card.reason.unwrap_or(Reason::NeverRan);
        rows.push(Row::of(Role::Info, format!("    {}", reason.fix())));
    }
    if let Some(left) =
        view.world.situation.stopped(id).filter(|_| is_stopped(view.world, id, card))
    {
        for line in widgets::wrap(&format!("it runs again with: {}", left.undo), inner) {
            rows.push(Row::of(Role::Planned, format!("    {line}")));
        }
    }
    if let Some(mute) = view.world.situation.muted(id) {
        for line in widgets::wrap(&format!("muted: {}", mute.words()), inner) {
            rows.push(Row::of(Role::Planned, format!("    {line}")));
        }
    }
    for line in widgets::wrap(card.note.as_str(), inner) {
        rows.push(Row::of(Role::Base, format!("    {line}")));
    }
    if let Some(reading) = view.world.readings.get(id) {
        let phases = reading.phases;
        let mut parts = Vec::new();
        let named = [
            ("resolve", phases.resolve),
            ("connect", phases.connect),
            ("tls", phases.tls),
            ("first byte", phases.first_byte),
        ];
        for (name, took) in named {
            if let Some(took) = took {
                parts.push(format!("{name} {}", words::took(took)));
            }
        }
        if !parts.is_empty() {
            rows.push(Row::of(Role::Muted, format!("    {}", parts.join("  "))));
        }
    }
    rows
}
