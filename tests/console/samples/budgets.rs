//! Three error budgets: one burns, one is spent and one is not known.

use std::time::Duration;

use backout::model::ids::CheckId;
use backout::model::slo::{Burn, Burns, Count, Objective, PAIRS, Standing};

fn standing(check: &str, left: Option<f64>, failed: u64, rates: [Option<f64>; 4]) -> Standing {
    let burns = PAIRS.into_iter().zip(rates).map(|(pair, rate)| Burn {
        long: pair.long,
        short: pair.short,
        factor: pair.factor,
        in_long: rate,
        in_short: rate,
        burns: match rate {
            None => Burns::Unknown,
            Some(rate) if rate > pair.factor => Burns::Yes,
            Some(_) => Burns::No,
        },
        alarm: pair.alarm,
    });
    let window = Duration::from_hours(24 * 30);
    Standing {
        check: CheckId::from(check),
        objective: Objective { percent: 99.9, window, min_volume: 100 },
        count: Count { failed, all: 412_000 },
        covered: Duration::from_hours(24 * 12),
        left,
        burns: burns.collect(),
    }
}

pub(super) fn all() -> Vec<Standing> {
    vec![
        standing("checkout", Some(0.61), 161, [Some(22.4), Some(6.2), Some(2.1), Some(0.8)]),
        standing("search", Some(-0.25), 515, [Some(0.2), Some(0.3), Some(1.9), Some(1.2)]),
        standing("mail", None, 0, [None; 4]),
    ]
}
