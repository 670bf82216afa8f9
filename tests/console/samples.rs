//! Situations made the way the real ones are: by folding entries, one after the other.

mod budgets;
mod gates;
mod holds;
mod plans;
mod rules;
mod runs;
mod story;
mod worlds;

use backout::model::ids::Time;
use backout::model::verdict::Lines;
use backout::tui::world::World;
use chrono::TimeZone;

pub(crate) use plans::{RUN, plan};
pub(crate) use story::{Story, check};

/// The story up to a plan that is on the table.
pub(crate) fn planned_story() -> Story {
    plans::planned(false)
}

/// The story of a whole run of level 1, with its end.
pub(crate) fn ended_story(outcome: backout::model::entry::Outcome) -> Story {
    runs::ended(outcome)
}

pub(crate) use worlds::{HOSTILE, all, named};

/// 23:54:00 on a November night, plus so many seconds.
pub(crate) fn at(second: i64) -> Time {
    chrono::Utc.with_ymd_and_hms(2025, 11, 21, 23, 54, 0).unwrap()
        + chrono::Duration::seconds(second)
}

/// A world with its time and its verdict line.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) world: World,
    pub(crate) lines: Lines,
    pub(crate) now: Time,
}
