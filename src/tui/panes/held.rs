//! What is held, locked and left over, as rows of other panes.

use crate::model::entry::Leftover;
use crate::model::hold::{self, HoldPart};
use crate::model::lock::LockKind;
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{self, Row};
use crate::tui::words;

/// One row for each hold; none while nothing is held.
pub fn held(view: &View<'_>, width: usize) -> Vec<Row> {
    let said = |part| hold::sentence(&view.world.situation, part, view.now);
    HoldPart::ALL
        .into_iter()
        .filter_map(said)
        .map(|text| {
            let sign = format!("{} ", view.glyphs().warn);
            Row::of(Role::Danger, sign)
                .put(Role::Title, crate::text::fit(&text, width.saturating_sub(3)))
        })
        .collect()
}

/// One row or two for each lock that keeps people from starting: whose, why, until when, and what
/// ends it. A run's own lock says nothing that the run does not.
pub fn locked(view: &View<'_>, width: usize) -> Vec<Row> {
    let locks = view.world.situation.locks.all().filter(|lock| lock.kind != LockKind::Run);
    locks
        .flat_map(|lock| {
            let (role, word) = match lock.kind {
                LockKind::Emergency => (Role::Danger, "EMERGENCY STOP"),
                LockKind::Person | LockKind::Run => (Role::Warn, "LOCKED"),
            };
            let ends = lock.kind.undo();
            Row::of(role, format!("{} {word} ", view.glyphs().warn))
                .put(Role::Base, format!("by {}.  ", lock.words(view.now)))
                .put(Role::Muted, format!("ends it: {ends}"))
                .fold(width, 2)
        })
        .collect()
}

/// One thing left over: whose, until when, and what takes it back.
pub fn left_over(leftover: &Leftover, view: &View<'_>, width: usize) -> Vec<Row> {
    let mut row = Row::of(Role::Base, format!("  {}", leftover.name));
    let who = match &leftover.handed_to {
        Some(to) => format!(" (handed to {to})"),
        None => format!(" ({})", leftover.owner),
    };
    row = row.put(Role::Muted, who);
    if let Some(due) = leftover.due.filter(|_| leftover.is_open()) {
        row = if leftover.overdue(view.now) {
            let late = words::age(words::since(due, view.now));
            row.put(Role::Fail, format!(" OVERDUE {late}"))
        } else {
            let left = words::age(words::since(view.now, due));
            row.put(Role::Muted, format!(" due in {left}"))
        };
    }
    let mut rows = vec![row];
    let undo = format!("undo: {}", leftover.undo);
    rows.extend(
        widgets::wrap(&undo, width.saturating_sub(4))
            .into_iter()
            .map(|line| Row::of(Role::Muted, format!("    {line}"))),
    );
    rows
}
