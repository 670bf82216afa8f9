//! What is held is said in every state; while nothing is, that something can be.

use std::time::Duration;

use crate::model::hold;
use crate::model::ids::Time;
use crate::model::situation::Situation;
use crate::text::width;

use super::words::{WIDTH, clock};
use super::{Lines, Seen};

/// `HELD writes. `, or nothing.
pub(super) fn head(situation: &Situation, now: Time) -> String {
    hold::chip(situation, now).map_or_else(String::new, |(held, _)| format!("{held}. "))
}

/// The rows with what is held in front, where it leaves most of them to be read.
pub(super) fn mark(seen: Seen<'_>, lines: Lines) -> Lines {
    let Some((held, since)) = hold::chip(seen.situation, seen.now) else {
        return offer(seen, lines);
    };
    let short = seen.head;
    let long = since.map_or_else(|| short.to_owned(), |since| format!("{held} {}. ", clock(since)));
    let Lines { what, next } = lines;
    let what = what.strip_prefix(short).unwrap_or(&what);
    let fits = |head: &str, row: &str| width(head) + width(row) <= WIDTH;
    if fits(&long, what) {
        Lines { what: long + what, next }
    } else if fits(short, what) {
        Lines { what: format!("{short}{what}"), next }
    } else if fits(&long, &next) {
        Lines { what: what.to_owned(), next: long + &next }
    } else if fits(short, &next) {
        Lines { what: what.to_owned(), next: format!("{short}{next}") }
    } else {
        // That something is held is never what is cut.
        Lines { what: format!("{short}{what}"), next }
    }
}

/// Something fails, no run is open and nothing is held: the bleeding can be stopped first.
fn offer(seen: Seen<'_>, mut lines: Lines) -> Lines {
    const WORDS: &str = "  Stop the bleeding: H";
    const CLOCK: &str = " Time for a fix: ";
    let situation = seen.situation;
    let bad = situation.assessment.as_ref().is_some_and(super::is_bad);
    let can = seen.live.is_some_and(|live| {
        let fresh = super::span(live.at, seen.now) < Duration::from_mins(1);
        fresh && live.can_hold.iter().any(|one| one.can)
    });
    if bad && can && situation.open_run().is_none() {
        // The clock stands beside the tree too; what stops the bleeding is said here only.
        let without = lines.next.find(CLOCK).and_then(|at| lines.next.get(..at));
        let rows = [Some(lines.next.as_str()), without];
        let fitting = rows.into_iter().flatten().find(|row| width(row) + width(WORDS) <= WIDTH);
        if let Some(row) = fitting.map(|row| format!("{row}{WORDS}")) {
            lines.next = row;
        }
    }
    lines
}
