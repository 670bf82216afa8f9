//! Building rows that fit.

use std::time::Duration;

use crate::model::ids::Time;
use crate::text::{fit, width};

/// Columns of a row: 80 less one on each side.
pub const WIDTH: usize = 78;

/// `0:20`, `12:40`, `1:02:03`.
pub fn clock(span: Duration) -> String {
    let seconds = span.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// From `from` to `to`, nothing when that is backwards.
pub(super) fn span(from: Time, to: Time) -> Duration {
    (to - from).to_std().unwrap_or_default()
}

/// The first that fits, said best first; the last one cut when none does.
pub(super) fn first_fit(candidates: &[String]) -> String {
    let found = candidates.iter().find(|text| width(text) <= WIDTH);
    found.or(candidates.last()).map(|text| fit(text, WIDTH)).unwrap_or_default()
}

/// `text` without the full stop that the row adds, and short enough to leave room.
pub(super) fn part(text: &str, columns: usize) -> String {
    fit(text.trim_end_matches(['.', ' ']), columns)
}

/// `14 s`, `3 min`, `2 h`: how long, roughly, for people.
pub(super) fn roughly(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..=99 => format!("{seconds} s"),
        seconds @ 100..=5999 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}
