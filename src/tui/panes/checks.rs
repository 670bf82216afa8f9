//! The checks: worst first, each with the age of what is shown, unknown ones with their reason.

use std::time::Duration;

use crate::model::ids::CheckId;
use crate::model::reading::{Reading, Reason, Status};
use crate::model::situation::CheckCard;
use crate::tui::state::Ui;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::words;
use crate::tui::world::World;

use super::Content;

/// All checks, the most urgent first: failing, not known, warned, well; critical ones first.
pub fn worst_first(world: &World) -> Vec<CheckId> {
    let mut list: Vec<(&CheckId, &CheckCard)> = world.situation.checks.iter().collect();
    let planned = planned(world);
    let rank = |status: Status| match status {
        Status::Fail => 0,
        Status::Unknown => 1,
        Status::Warn => 2,
        Status::Ok => 3,
    };
    list.sort_by_key(|(id, card)| {
        let on_purpose = planned.contains(id);
        (on_purpose, rank(card.status), !card.critical, (*id).clone())
    });
    list.into_iter().map(|(id, _)| id.clone()).collect()
}

/// The checks in the order of the screen.
pub fn listed(ui: &Ui, world: &World) -> Vec<CheckId> {
    let known = &world.situation.checks;
    let mut list: Vec<CheckId> =
        ui.order.iter().filter(|id| known.contains_key(*id)).cloned().collect();
    list.extend(known.keys().filter(|id| !ui.order.contains(id)).cloned());
    if ui.failing_only {
        list.retain(|id| known.get(id).is_some_and(|card| card.status != Status::Ok));
    }
    list
}

/// How many are well, warned, failing, not known.
pub struct Counts {
    /// Well.
    pub ok: usize,
    /// Warned.
    pub warn: usize,
    /// Failing.
    pub fail: usize,
    /// Not known.
    pub unknown: usize,
}

impl Counts {
    /// `6 ok`, `2 WARN`, `0 FAIL`: each with its role. What is not known is said when there is any,
    /// warnings likewise.
    pub fn parts(&self) -> Vec<(Role, String)> {
        let loud = |role, count| if count > 0 { role } else { Role::Base };
        let mut parts = vec![(Role::Base, format!("{} ok", self.ok))];
        if self.warn > 0 {
            parts.push((Role::Warn, format!("{} WARN", self.warn)));
        }
        parts.push((loud(Role::Fail, self.fail), format!("{} FAIL", self.fail)));
        if self.unknown > 0 || self.warn == 0 {
            parts.push((loud(Role::Unknown, self.unknown), format!("{} UNKN", self.unknown)));
        }
        parts
    }

    /// The same as text.
    pub fn words(&self) -> String {
        self.parts().into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("  ")
    }
}

/// Counts the checks.
pub fn counts(world: &World) -> Counts {
    let count = |wanted: Status| {
        world.situation.checks.values().filter(|card| card.status == wanted).count()
    };
    Counts {
        ok: count(Status::Ok),
        warn: count(Status::Warn),
        fail: count(Status::Fail),
        unknown: count(Status::Unknown),
    }
}

/// The checks that the open run takes down on purpose, now.
fn planned(world: &World) -> Vec<&CheckId> {
    let Some(run) = world.situation.open_run() else {
        return Vec::new();
    };
    run.running()
        .filter_map(|state| run.plan.step(&state.id))
        .flat_map(|spec| &spec.expect_down)
        .collect()
}

/// The pane.
pub fn content(view: &View<'_>, width: usize, height: usize) -> Content {
    let world = view.world;
    let list = listed(view.ui, world);
    let mut rows = Vec::new();
    if list.is_empty() {
        rows = empty(view);
    }
    let room = if list.len() > height { height.saturating_sub(1) } else { height };
    // The selected check stays in view, whatever is cut away.
    let selected = view.ui.check.as_ref();
    let at = selected.and_then(|check| list.iter().position(|id| id == check));
    let first = at.map_or(0, |at| (at + 1).saturating_sub(room));
    for id in list.iter().skip(first).take(room) {
        if let Some(card) = world.situation.checks.get(id) {
            let chosen = selected == Some(id);
            rows.push(row(view, id, card, width).select(chosen));
            if chosen {
                rows.extend(detail(view, id, card, width));
            }
        }
    }
    if list.len() > room {
        let hidden = list.len() - room;
        let ok = list
            .iter()
            .skip(first + room)
            .filter_map(|id| world.situation.checks.get(id))
            .all(|card| card.status == Status::Ok);
        let what = if ok { "more ok" } else { "more, not all ok" };
        rows.push(Row::of(Role::Muted, format!("  {hidden} {what}")));
    }
    Content {
        title: format!("Checks {}", list.len()),
        remark: if view.ui.failing_only { "not ok only".to_owned() } else { counts(world).words() },
        rows,
        ..Content::default()
    }
}

fn empty(view: &View<'_>) -> Vec<Row> {
    let why = if view.ui.failing_only {
        "every check is ok"
    } else if view.world.situation.engine.is_none() {
        "asking the engine …"
    } else {
        "no check has answered yet"
    };
    vec![Row::of(Role::Muted, why)]
}

fn row(view: &View<'_>, id: &CheckId, card: &CheckCard, width: usize) -> Row {
    let (role, word) = widgets::state(card.status, view.glyphs());
    let reading = view.world.readings.get(id);
    let on_purpose = card.status != Status::Ok && planned(view.world).contains(&id);
    let role = if on_purpose { Role::Planned } else { role };
    let name_width = if width >= 60 { 20 } else { 14 };
    let mut row = Row::new()
        .put(role, word)
        .put(Role::Base, if card.critical { " * " } else { "   " })
        .pad(Role::Base, id.as_str(), name_width)
        .put(Role::Base, " ");
    if on_purpose {
        row = row.put(Role::Planned, "planned  ");
    }
    row = value(row, view, id, card, reading);
    if card.status != Status::Ok {
        row = row.put(Role::Muted, format!("  since {}", words::hour(card.since)));
    }
    let (age_role, age) = age(view, id, reading);
    row.end(age_role, &format!("{age:>5}"), width)
}

fn value(
    row: Row,
    view: &View<'_>,
    id: &CheckId,
    card: &CheckCard,
    reading: Option<&Reading>,
) -> Row {
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
fn detail(view: &View<'_>, id: &CheckId, card: &CheckCard, width: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let inner = width.saturating_sub(4);
    if card.status == Status::Unknown {
        let reason = card.reason.unwrap_or(Reason::NeverRan);
        rows.push(Row::of(Role::Info, format!("    {}", reason.fix())));
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
