//! The last half hour of readings, in slots of a few seconds: what charts, strips and the
//! comparison are drawn from. Bounded; a slot that nobody looked in stays empty.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::ids::{CheckId, Time};
use crate::model::reading::{Finding, Reading};

/// Seconds of a slot of requests.
const SLOT: i64 = 5;
/// Seconds of a slot of one check.
const STRIP: i64 = 20;
/// How far back it goes.
pub const REACH: Duration = Duration::from_mins(30);
/// How far back a check's strip goes.
const STRIP_REACH: i64 = 15 * 60;
/// Latencies kept of a slot: more do not move its 95th percentile much.
const KEPT: usize = 200;
/// Checks that get a strip; more do not fit on a screen that anybody reads.
const CHECKS: usize = 200;

/// The worst that a check showed in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Well.
    Ok,
    /// Warned.
    Warn,
    /// Could not be looked at.
    Unknown,
    /// Failing.
    Fail,
}

impl Mark {
    fn of(finding: &Finding) -> Self {
        match finding {
            Finding::Good => Self::Ok,
            Finding::Warn { .. } => Self::Warn,
            Finding::Unknown { .. } => Self::Unknown,
            Finding::Bad { .. } => Self::Fail,
        }
    }
}

/// The requests of a slot.
#[derive(Clone, Debug, Default, PartialEq)]
struct Slot {
    asked: u32,
    failed: u32,
    /// In seconds.
    latencies: Vec<f32>,
}

/// Requests between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Span {
    /// How many were judged.
    pub asked: u32,
    /// How many of them failed.
    pub failed: u32,
    /// The 95th percentile of the answered ones in seconds, by nearest rank.
    pub p95: Option<f64>,
}

impl Span {
    /// Failed ones in percent; nothing when there were none at all.
    pub fn error_rate(&self) -> Option<f64> {
        (self.asked > 0).then(|| f64::from(self.failed) * 100.0 / f64::from(self.asked))
    }
}

/// The last half hour.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Shared with the copies that are drawn from: all but the last do not change any more.
    requests: BTreeMap<i64, Arc<Slot>>,
    checks: BTreeMap<CheckId, BTreeMap<i64, Mark>>,
}

impl History {
    /// Takes a reading; `counts` says whether its requests are of users' kind.
    pub fn take(&mut self, reading: &Reading, counts: bool) {
        let second = reading.at.timestamp();
        let known = self.checks.contains_key(&reading.check);
        if known || self.checks.len() < CHECKS {
            let strip = self.checks.entry(reading.check.clone()).or_default();
            let mark = strip.entry(second.div_euclid(STRIP)).or_insert(Mark::Ok);
            *mark = (*mark).max(Mark::of(&reading.finding));
        }
        if !counts || matches!(reading.finding, Finding::Unknown { .. }) {
            return;
        }
        let slot = Arc::make_mut(self.requests.entry(second.div_euclid(SLOT)).or_default());
        slot.failed = slot.failed.saturating_add(reading.failed_of.0);
        slot.asked = slot.asked.saturating_add(reading.failed_of.1);
        let room = KEPT.saturating_sub(slot.latencies.len());
        slot.latencies.extend(reading.latencies.iter().take(room).map(Duration::as_secs_f32));
    }

    /// Forgets what is out of reach.
    pub fn trim(&mut self, now: Time) {
        let now = now.timestamp();
        let reach = i64::try_from(REACH.as_secs()).unwrap_or(0);
        self.requests = self.requests.split_off(&(now - reach).div_euclid(SLOT));
        for strip in self.checks.values_mut() {
            *strip = strip.split_off(&(now - STRIP_REACH).div_euclid(STRIP));
        }
        self.checks.retain(|_, strip| !strip.is_empty());
    }

    /// Whether nothing was seen yet.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.checks.is_empty()
    }

    /// The requests from `from` up to, and without, `to`; slots are not split.
    pub fn between(&self, from: Time, to: Time) -> Span {
        let (from, to) = (from.timestamp().div_euclid(SLOT), to.timestamp().div_euclid(SLOT));
        if from >= to {
            return Span::default();
        }
        let mut span = Span::default();
        let mut latencies: Vec<f32> = Vec::new();
        for slot in self.requests.range(from..to).map(|(_, slot)| slot) {
            span.asked = span.asked.saturating_add(slot.asked);
            span.failed = span.failed.saturating_add(slot.failed);
            latencies.extend(&slot.latencies);
        }
        let rank = (latencies.len() * 95).div_ceil(100).checked_sub(1);
        // Each picture asks this for each of its columns: not all of it is sorted for one number.
        span.p95 = rank.map(|at| {
            let (_, seconds, _) = latencies.select_nth_unstable_by(at, f32::total_cmp);
            f64::from(*seconds)
        });
        span
    }

    /// So many equal parts of the time up to `now`, oldest first. A part in which nobody looked
    /// takes the value of the one before for as long as that counts as fresh, then is empty.
    pub fn columns(
        &self,
        (now, reach): (Time, Duration),
        columns: usize,
        fresh: Duration,
        value: impl Fn(&Span) -> Option<f64>,
    ) -> Vec<Option<f64>> {
        let mut last: Option<(Time, f64)> = None;
        edges(now, reach, columns, SLOT)
            .map(|(from, to)| {
                let own = value(&self.between(from, to));
                if let Some(own) = own {
                    last = Some((to, own));
                }
                let kept = last.filter(|(at, _)| (to - *at).to_std().unwrap_or_default() <= fresh);
                kept.map(|(_, value)| value)
            })
            .collect()
    }

    /// A check's marks in so many equal parts of the last quarter of an hour, oldest first; what
    /// nobody looked at takes the mark before for as long as that counts as fresh.
    pub fn strip(
        &self,
        check: &CheckId,
        now: Time,
        columns: usize,
        fresh: Duration,
    ) -> Vec<Option<Mark>> {
        let empty = BTreeMap::new();
        let marks = self.checks.get(check).unwrap_or(&empty);
        let reach = Duration::from_secs(STRIP_REACH.unsigned_abs());
        let mut last: Option<(Time, Mark)> = None;
        edges(now, reach, columns, STRIP)
            .map(|(from, to)| {
                let range = from.timestamp().div_euclid(STRIP)..to.timestamp().div_euclid(STRIP);
                let own = marks.range(range).map(|(_, mark)| *mark).max();
                if let Some(own) = own {
                    last = Some((to, own));
                }
                let kept = last.filter(|(at, _)| (to - *at).to_std().unwrap_or_default() <= fresh);
                kept.map(|(_, mark)| mark)
            })
            .collect()
    }
}

/// The parts' beginnings and ends. They stand on whole multiples of their own length, so that a
/// picture moves by a column at a time instead of shimmering every second.
fn edges(
    now: Time,
    reach: Duration,
    columns: usize,
    least: i64,
) -> impl Iterator<Item = (Time, Time)> {
    let (step, first) = grid(now, reach, columns, least);
    let count = i64::try_from(columns).unwrap_or(0);
    let at = move |part: i64| {
        chrono::DateTime::from_timestamp(first + part * step, 0).unwrap_or(Time::UNIX_EPOCH)
    };
    (0..count).map(move |part| (at(part), at(part + 1)))
}

/// Seconds of a part, and when the first one begins.
fn grid(now: Time, reach: Duration, columns: usize, least: i64) -> (i64, i64) {
    let columns = i64::try_from(columns).unwrap_or(1).max(1);
    let seconds = i64::try_from(reach.as_secs()).unwrap_or(0);
    let step = ((seconds / columns).max(least) + least - 1) / least * least;
    // The part that runs now is in the picture, as far as it has come.
    let end = (now.timestamp().div_euclid(step) + 1) * step;
    (step, end - columns * step)
}

/// In which of so many parts a moment lies, as [`History::columns`] cuts them.
pub fn column_of(at: Time, (now, reach): (Time, Duration), columns: usize) -> Option<usize> {
    let (step, first) = grid(now, reach, columns, SLOT);
    let part = (at.timestamp() - first).div_euclid(step);
    usize::try_from(part).ok().filter(|part| *part < columns)
}

/// How far back so many columns really reach: they stand on whole slots.
pub fn reach_of((now, reach): (Time, Duration), columns: usize) -> Duration {
    let (step, _) = grid(now, reach, columns, SLOT);
    let columns = u64::try_from(columns).unwrap_or(0);
    Duration::from_secs(step.unsigned_abs() * columns)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;
    use crate::model::reading::{Phases, Reason};

    fn at(second: i64) -> Time {
        chrono::Utc.timestamp_opt(1_764_000_000 + second, 0).unwrap()
    }

    fn reading(second: i64, failed: u32, millis: &[u64]) -> Reading {
        Reading {
            check: "api".into(),
            at: at(second),
            took: Duration::from_millis(3),
            phases: Phases::default(),
            finding: Finding::Good,
            value: None,
            unit: String::new(),
            note: crate::text::SafeText::default(),
            failed_of: (failed, 10),
            latencies: millis.iter().map(|millis| Duration::from_millis(*millis)).collect(),
            facts: Vec::new(),
        }
    }

    const QUARTER: Duration = Duration::from_mins(15);

    #[test]
    fn rates_and_percentiles_are_of_the_time_between() {
        let mut history = History::default();
        history.take(&reading(0, 10, &[]), true);
        history.take(&reading(60, 1, &[100, 200]), true);
        history.take(&reading(65, 1, &[300]), true);
        let span = history.between(at(55), at(70));
        assert_eq!((span.asked, span.failed), (20, 2));
        assert!((span.p95.unwrap() - 0.3).abs() < 1e-6);
        assert_eq!(span.error_rate(), Some(10.0));
        assert_eq!(history.between(at(70), at(55)).error_rate(), None);
    }

    #[test]
    fn nobody_looked_is_a_gap_and_not_a_line() {
        let mut history = History::default();
        for second in (0..300).chain(600..900).step_by(5) {
            history.take(&reading(second, 1, &[]), true);
        }
        let fresh = Duration::from_secs(10);
        let columns = history.columns((at(899), QUARTER), 30, fresh, Span::error_rate);
        assert_eq!(columns.len(), 30);
        let gaps = columns.iter().filter(|value| value.is_none()).count();
        assert!((9..=11).contains(&gaps), "{columns:?}");
        assert_eq!(columns.last().unwrap(), &Some(10.0));
    }

    #[test]
    fn a_slow_check_is_a_line_as_long_as_its_value_is_fresh() {
        let mut history = History::default();
        for second in (0..900).step_by(60) {
            history.take(&reading(second, 1, &[]), true);
        }
        let view = (at(899), QUARTER);
        let fresh = history.columns(view, 60, Duration::from_mins(2), Span::error_rate);
        assert!(fresh.iter().skip(4).all(Option::is_some), "{fresh:?}");
        let stale = history.columns(view, 60, Duration::ZERO, Span::error_rate);
        assert!(stale.iter().filter(|value| value.is_none()).count() > 30);
    }

    #[test]
    fn unknown_readings_are_marked_and_never_counted() {
        let mut history = History::default();
        let blind = Finding::Unknown { reason: Reason::NoTool };
        history.take(&Reading { finding: blind, ..reading(0, 10, &[1]) }, true);
        assert_eq!(history.between(at(-10), at(10)).asked, 0);
        let strip = history.strip(&"api".into(), at(10), 22, Duration::from_secs(10));
        assert!(strip.contains(&Some(Mark::Unknown)) && strip.contains(&None), "{strip:?}");
    }

    #[test]
    fn it_holds_half_an_hour_and_no_more() {
        let mut history = History::default();
        for second in 0..7_200 {
            history.take(&reading(second, 0, &[5; 50]), true);
            if second % 60 == 0 {
                history.trim(at(second));
            }
        }
        history.trim(at(7_200));
        assert!(history.requests.len() <= 361, "{}", history.requests.len());
        assert!(history.requests.values().all(|slot| slot.latencies.len() <= KEPT));
        assert!(history.checks.values().all(|strip| strip.len() <= 46));
        history.trim(at(20_000));
        assert!(history.is_empty());
    }

    #[test]
    fn a_moment_lies_in_the_column_that_is_drawn_for_it() {
        let mut history = History::default();
        history.take(&reading(450, 5, &[]), true);
        let view = (at(899), QUARTER);
        let columns = history.columns(view, 30, Duration::ZERO, Span::error_rate);
        let drawn = columns.iter().position(Option::is_some);
        assert_eq!(column_of(at(450), view, 30), drawn);
        assert_eq!(column_of(at(-5_000), view, 30), None);
    }
}
