//! `slo:` of a check: what it has to keep.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::checks::CheckSpec;
use crate::model::ids::CheckId;
use crate::model::slo::Objective;

use super::judging::Beside;
use super::take::Table;

const DAY: Duration = Duration::from_hours(24);

/// `slo: {objective: 99.9, window: 30d, min_volume: 10}`.
pub(super) fn objective(mut table: Table<'_>) -> Option<Objective> {
    let percent = table.need("objective").and_then(|item| {
        let percent = item.number()?;
        if !(50.0..=99.999).contains(&percent) {
            let hint = "write percent: 99.9 lets one of a thousand fail";
            item.wrong_with(&format!("{percent} is not between 50 and 99.999"), hint);
            return None;
        }
        Some(percent)
    });
    let window = table.span("window", DAY, DAY * 31).unwrap_or(DAY * 30);
    let min_volume = table.count("min_volume", 1, 1_000_000).unwrap_or(10).into();
    table.finish();
    Some(Objective { percent: percent?, window, min_volume })
}

/// What the checks have to keep that say so.
pub(super) fn objectives(checks: &[CheckSpec], beside: &[Beside]) -> BTreeMap<CheckId, Objective> {
    let named =
        |(spec, beside): (&CheckSpec, &Beside)| Some((spec.id.clone(), beside.slo.clone()?));
    checks.iter().zip(beside).filter(|(spec, _)| spec.live).filter_map(named).collect()
}
