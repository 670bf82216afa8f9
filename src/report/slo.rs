//! The table of objectives: budget left, and how fast each pair of windows burns.

use std::fmt::Write as _;
use std::time::Duration;

use crate::model::slo::{Burn, Burns, Standing};

/// `5m`, `6h`, `30d`.
pub fn span(span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    match minutes {
        0..60 => format!("{minutes}m"),
        60..1440 => format!("{}h", minutes / 60),
        _ => format!("{}d", minutes / 1440),
    }
}

/// `1h/5m 25.0x/24.1x of 14.4x`: the two windows, how fast each burns, and what is an alarm.
pub fn rates(burn: &Burn) -> String {
    let rate =
        |rate: Option<f64>| rate.map_or_else(|| "?".to_owned(), |rate| format!("{rate:.1}x"));
    let (long, short) = (span(burn.long), span(burn.short));
    let (in_long, in_short) = (rate(burn.in_long), rate(burn.in_short));
    format!("{long}/{short} {in_long}/{in_short} of {:.1}x", burn.factor)
}

fn pair(burn: &Burn) -> String {
    let word = match burn.burns {
        Burns::Yes => format!(" BURNS ({})", burn.alarm.word()),
        Burns::No => String::new(),
        Burns::Unknown => " unknown: too few looks".to_owned(),
    };
    format!("{}{word}", rates(burn))
}

/// All objectives, each with its four pairs.
pub fn table(standings: &[Standing]) -> String {
    let mut out = String::new();
    for one in standings {
        let (objective, count) = (&one.objective, one.count);
        let left = one.left.map_or_else(
            || "budget unknown".to_owned(),
            |left| format!("{:.1} % of the budget left", left * 100.0),
        );
        writeln!(
            out,
            "{}: {} % over {}: {left}; {} of {} failed in {} on record",
            one.check,
            objective.percent,
            span(objective.window),
            count.failed,
            count.all,
            span(one.covered)
        )
        .ok();
        for burn in &one.burns {
            writeln!(out, "  {}", pair(burn)).ok();
        }
    }
    if standings.is_empty() {
        out.push_str("no objectives: give a check slo: {objective: 99.9, window: 30d}\n");
    }
    out
}
