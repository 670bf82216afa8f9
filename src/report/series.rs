//! Error rate and latency over the time of an incident, out of the samples: what the charts of a
//! page are drawn from. Time in which nobody looked stays a gap.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::ids::{CheckId, Time};
use crate::model::reading::{Finding, Reading};

/// Points of a curve at most.
const POINTS: u32 = 160;
/// Looks further apart than this leave a gap, whatever the pace (as in the watch window).
const GAP: Duration = Duration::from_secs(15);

/// What was seen in one slot of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The middle of the slot.
    pub at: Time,
    /// Failed requests in percent.
    pub errors: f64,
    /// The 95th percentile of the answered ones in seconds; nothing where none was answered.
    pub p95: Option<f64>,
    /// How many requests that is of.
    pub asked: u32,
}

/// The points of a time, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Where the picture begins.
    pub from: Time,
    /// Where it ends.
    pub to: Time,
    /// Slots in which somebody looked.
    pub points: Vec<Point>,
    /// Two points further apart than this are not joined.
    pub gap: Duration,
    /// Times in which it is known that nobody looked: points on both sides are not joined.
    pub blind: Vec<(Time, Time)>,
}

#[derive(Default)]
struct Slot {
    asked: u32,
    failed: u32,
    latencies: Vec<Duration>,
}

impl Series {
    /// Of the readings of those checks whose requests are of users' kind.
    pub fn of(readings: &[Reading], counting: &[CheckId], (from, to): (Time, Time)) -> Self {
        let span = (to - from).to_std().unwrap_or_default();
        let step = (span / POINTS).max(Duration::from_secs(1));
        let mut slots: BTreeMap<u128, Slot> = BTreeMap::new();
        for reading in readings {
            let counts = counting.contains(&reading.check)
                && !matches!(reading.finding, Finding::Unknown { .. })
                && reading.failed_of.1 > 0;
            let Ok(since) = (reading.at - from).to_std() else { continue };
            if !counts || reading.at > to {
                continue;
            }
            let slot = slots.entry(since.as_nanos() / step.as_nanos()).or_default();
            slot.failed = slot.failed.saturating_add(reading.failed_of.0);
            slot.asked = slot.asked.saturating_add(reading.failed_of.1);
            slot.latencies.extend(&reading.latencies);
        }
        let points: Vec<Point> = slots
            .into_iter()
            .map(|(at, slot)| slot.point(from, step, u32::try_from(at).unwrap_or(u32::MAX)))
            .collect();
        let gap = gap(&points).max(step * 2);
        Self { from, to, points, gap, blind: Vec::new() }
    }

    /// The same, knowing when nobody looked.
    #[must_use]
    pub fn blind(self, blind: Vec<(Time, Time)>) -> Self {
        Self { blind, ..self }
    }

    /// Whether a line from one point to another would say something that nobody saw.
    fn joined(&self, from: Time, to: Time) -> bool {
        let unseen = |(since, until): &(Time, Time)| *since < to && *until > from;
        (to - from).to_std().unwrap_or_default() <= self.gap && !self.blind.iter().any(unseen)
    }

    /// The points in stretches without a gap, by what `value` takes of them.
    pub fn stretches(&self, value: impl Fn(&Point) -> Option<f64>) -> Vec<Vec<(Time, f64)>> {
        let mut all: Vec<Vec<(Time, f64)>> = Vec::new();
        for point in &self.points {
            let Some(value) = value(point) else { continue };
            let open = all.last_mut().filter(|open| {
                let before = open.last().map(|(at, _)| *at);
                before.is_some_and(|at| self.joined(at, point.at))
            });
            match open {
                Some(open) => open.push((point.at, value)),
                None => all.push(vec![(point.at, value)]),
            }
        }
        all
    }
}

impl Slot {
    fn point(mut self, from: Time, step: Duration, at: u32) -> Point {
        let middle = step.saturating_mul(at) + step / 2;
        self.latencies.sort_unstable();
        let rank = (self.latencies.len() * 95).div_ceil(100).checked_sub(1);
        let p95 = rank.and_then(|at| self.latencies.get(at));
        Point {
            at: from + chrono::Duration::from_std(middle).unwrap_or_default(),
            errors: f64::from(self.failed) * 100.0 / f64::from(self.asked.max(1)),
            p95: p95.map(Duration::as_secs_f64),
            asked: self.asked,
        }
    }
}

/// Three times the usual distance of two points: a slow pace is no gap, a look left out is none
/// either.
fn gap(points: &[Point]) -> Duration {
    let next = points.iter().skip(1);
    let mut apart: Vec<Duration> =
        points.iter().zip(next).filter_map(|(a, b)| (b.at - a.at).to_std().ok()).collect();
    apart.sort_unstable();
    let usual = apart.get(apart.len() / 2).copied().unwrap_or_default();
    (usual * 3).max(GAP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::reading::{Phases, Reason};

    fn at(second: i64) -> Time {
        Time::UNIX_EPOCH + chrono::Duration::seconds(second)
    }

    fn reading(second: i64, failed: u32, millis: u64) -> Reading {
        Reading {
            check: "api".into(),
            at: at(second),
            took: Duration::from_millis(3),
            phases: Phases::default(),
            finding: Finding::Good,
            value: None,
            unit: String::new(),
            note: "".into(),
            failed_of: (failed, 10),
            latencies: vec![Duration::from_millis(millis); 3],
            facts: Vec::new(),
        }
    }

    #[test]
    fn a_time_in_which_nobody_looked_is_a_gap() {
        let seconds = (0..60).chain(120..160).step_by(5);
        let readings: Vec<Reading> = seconds.map(|second| reading(second, 1, 100)).collect();
        let series = Series::of(&readings, &["api".into()], (at(0), at(160)));
        let stretches = series.stretches(|point| Some(point.errors));
        assert_eq!(stretches.len(), 2, "{stretches:?}");
        assert!(stretches.iter().flatten().all(|(_, errors)| (errors - 10.0).abs() < 1e-9));
        // An engine that was away for seconds leaves a gap too.
        let known = series.blind(vec![(at(21), at(24))]);
        assert_eq!(known.stretches(|point| Some(point.errors)).len(), 3);
    }

    #[test]
    fn what_was_not_looked_at_by_users_requests_or_not_known_is_not_drawn() {
        let blind = Finding::Unknown { reason: Reason::NoTool };
        let readings = [
            reading(1, 10, 1),
            Reading { finding: blind, ..reading(2, 10, 1) },
            reading(900, 1, 1),
        ];
        let none = Series::of(&readings, &["disk".into()], (at(0), at(60)));
        assert_eq!(none.points, Vec::new());
        let one = Series::of(&readings, &["api".into()], (at(0), at(60)));
        assert_eq!(one.points.len(), 1);
        assert_eq!((one.points[0].asked, one.points[0].p95), (10, Some(0.001)));
    }
}
