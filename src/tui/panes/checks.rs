//! The checks: worst first, each with the age of what is shown, unknown ones with their reason.

mod row;

use crate::model::bearing::Dimension;
use crate::model::ids::CheckId;
use crate::model::reading::Status;
use crate::model::situation::CheckCard;
use crate::tui::layout::Size;
use crate::tui::state::Ui;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::Row;
use crate::tui::world::World;

use super::Content;
use row::{detail, row};

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
        let on_purpose = planned.contains(id) || world.situation.muted(id).is_some();
        let on_purpose = on_purpose || is_stopped(world, id, card);
        (on_purpose || card.off(), rank(card.status), !card.critical, (*id).clone())
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
        list.retain(|id| {
            known.get(id).is_some_and(|card| card.status != Status::Ok && !card.off())
                && known.get(id).is_some_and(|card| !is_stopped(world, id, card))
        });
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
    /// Left out of the judgement by a person or a window.
    pub muted: usize,
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
        let words = self.parts().into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("  ");
        if self.muted > 0 { format!("{words}  {} muted", self.muted) } else { words }
    }
}

/// Counts the checks.
pub fn counts(world: &World) -> Counts {
    let count = |wanted: Status| {
        world.situation.counted().filter(|(_, card)| card.status == wanted).count()
    };
    Counts {
        ok: count(Status::Ok),
        warn: count(Status::Warn),
        fail: count(Status::Fail),
        unknown: count(Status::Unknown),
        muted: world.situation.muted_count(),
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

/// Whether a check is not well because what it looks at was stopped on purpose and is kept.
fn is_stopped(world: &World, id: &CheckId, card: &CheckCard) -> bool {
    card.status != Status::Ok && world.situation.stopped(id).is_some()
}

/// The pane.
pub fn content(view: &View<'_>, width: usize, height: usize) -> Content {
    let world = view.world;
    let list = listed(view.ui, world);
    let mut rows = Vec::new();
    if list.is_empty() {
        rows = empty(view);
    }
    // The sum is no reason to cut a check away.
    let groups = groups(view, width);
    if list.len() + groups.len() <= height {
        rows.extend(groups);
    }
    let height = height.saturating_sub(rows.len());
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
            .filter_map(|id| Some((id, world.situation.checks.get(id)?)))
            .all(|(id, card)| {
                card.status == Status::Ok || card.off() || is_stopped(world, id, card)
            });
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

/// The four groups of checks (P-86), each with what stands worst in it; on a wide screen.
fn groups(view: &View<'_>, width: usize) -> Vec<Row> {
    let situation = &view.world.situation;
    let declared = &situation.judging.declared;
    if view.ui.failing_only || Size::of(view.ui.size.0, view.ui.size.1) != Size::Wide {
        return Vec::new();
    }
    let mut row = Row::new();
    let mut shown = 0;
    for dimension in Dimension::ALL {
        let of = |id: &CheckId| declared.get(id).is_some_and(|one| one.dimension == dimension);
        let here = || situation.counted().filter(|(id, _)| of(id)).map(|(_, card)| card.status);
        let count = |wanted| here().filter(|status| *status == wanted).count();
        let worst = [
            (Status::Fail, Role::Fail, "FAIL"),
            (Status::Unknown, Role::Unknown, "UNKN"),
            (Status::Warn, Role::Warn, "WARN"),
            (Status::Ok, Role::Ok, "ok"),
        ];
        let worst = worst.into_iter().find(|(status, ..)| count(*status) > 0);
        let Some((status, role, word)) = worst else { continue };
        let text = match here().count() {
            all if all == count(status) => format!("{all} {word}"),
            all => format!("{} of {all} {word}", count(status)),
        };
        shown += 1;
        row = row.put(Role::Muted, format!("{} ", dimension.words())).put(role, text);
        row = row.put(Role::Base, "  ");
    }
    if shown > 1 { row.fold(width, 0) } else { Vec::new() }
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
