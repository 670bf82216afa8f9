//! What a number of looks come to: errors apart, times with a failed request counting as endless
//! (M-20).

use serde::{Deserialize, Serialize};

use super::reading::{Finding, Reading};

/// A response time, or that the request at this place was never answered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    /// Answered, in seconds.
    Seconds(f64),
    /// Failed: longer than any limit.
    Never,
}

impl Reached {
    /// Whether it is within `limit` seconds; what was never answered is not.
    pub fn within(self, limit: f64) -> bool {
        match self {
            Self::Seconds(seconds) => seconds <= limit,
            Self::Never => false,
        }
    }

    /// `0.4 ms`, `38 ms`, `0.21 s`, `failed`.
    pub fn words(self) -> String {
        match self {
            Self::Seconds(seconds) if seconds < 0.0095 => format!("{:.1} ms", seconds * 1000.0),
            Self::Seconds(seconds) if seconds < 0.1 => format!("{:.0} ms", seconds * 1000.0),
            Self::Seconds(seconds) => format!("{seconds:.2} s"),
            Self::Never => "failed".to_owned(),
        }
    }
}

/// What a number of looks of one check come to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Looks that could be judged.
    pub looks: u32,
    /// Those of them that were bad.
    pub bad: u32,
    /// Requests sent.
    pub requests: u32,
    /// Requests that failed.
    pub errors: u32,
    /// Average time of a request.
    pub avg: Option<Reached>,
    /// 95th percentile by nearest rank.
    pub p95: Option<Reached>,
    /// The slowest.
    pub max: Option<Reached>,
    /// The 95th percentile of the answered ones alone, in seconds.
    pub p95_answered: Option<f64>,
    /// Average of the value that thresholds judge, in `unit`.
    pub value: Option<f64>,
    /// `ms`, `percent`, `rows` …
    pub unit: String,
}

impl Figures {
    /// Adds up `readings`; nothing when none of them could be judged.
    pub fn of<'a>(readings: impl Iterator<Item = &'a Reading>) -> Option<Self> {
        let mut sum = Self::default();
        let (mut times, mut values, mut timed) = (Vec::new(), Vec::new(), false);
        for reading in readings {
            let bad = match &reading.finding {
                Finding::Unknown { .. } => continue,
                Finding::Bad { .. } => 1,
                Finding::Good | Finding::Warn { .. } => 0,
            };
            sum.looks += 1;
            sum.bad += bad;
            timed |= !reading.latencies.is_empty() || reading.failed_of.1 > 1;
            sum.errors = sum.errors.saturating_add(reading.failed_of.0);
            sum.requests = sum.requests.saturating_add(reading.failed_of.1);
            times.extend(reading.latencies.iter().map(std::time::Duration::as_secs_f64));
            values.extend(reading.value.filter(|value| value.is_finite()));
            if !reading.unit.is_empty() {
                sum.unit.clone_from(&reading.unit);
            }
        }
        if sum.looks == 0 {
            return None;
        }
        times.sort_unstable_by(f64::total_cmp);
        sum.value = average(&values);
        sum.p95_answered = ranked(&times, times.len());
        // Kinds without requests have looks only: a file is not 0 % errors.
        if timed {
            let all = sum.requests.max(u32::try_from(times.len()).unwrap_or(u32::MAX)) as usize;
            let or_never = |time: Option<f64>| Some(time.map_or(Reached::Never, Reached::Seconds));
            let whole = sum.errors == 0;
            sum.avg = or_never(average(&times).filter(|_| whole));
            sum.p95 = or_never(ranked(&times, all));
            sum.max = or_never(times.last().copied().filter(|_| whole));
        } else {
            (sum.errors, sum.requests) = (0, 0);
        }
        Some(sum)
    }

    /// Failed requests in percent; nothing without requests.
    pub fn error_percent(&self) -> Option<f64> {
        (self.requests > 0).then(|| f64::from(self.errors) * 100.0 / f64::from(self.requests))
    }

    /// `avg 41 ms  p95 60 ms  max 90 ms  0 of 20 failed`.
    pub fn words(&self) -> String {
        let said = |name: &str, time: Option<Reached>| {
            time.map_or_else(String::new, |time| format!("{name} {}  ", time.words()))
        };
        format!(
            "{}{}{}{} of {} failed",
            said("avg", self.avg),
            said("p95", self.p95),
            said("max", self.max),
            self.errors,
            self.requests
        )
    }
}

fn average(values: &[f64]) -> Option<f64> {
    let count = u32::try_from(values.len()).ok().filter(|count| *count > 0)?;
    Some(values.iter().sum::<f64>() / f64::from(count))
}

/// The 95th percentile of `all` requests of which the sorted `times` were answered.
fn ranked(times: &[f64], all: usize) -> Option<f64> {
    let rank = (all * 95).div_ceil(100).checked_sub(1)?;
    times.get(rank).copied()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::reading::Reason;
    use super::super::sample::*;
    use super::*;

    #[test]
    fn one_slow_answer_fails_on_the_maximum_only() {
        let mut look = burst("api", 1, (0, 20), 40);
        look.latencies[7] = Duration::from_millis(2500);
        let figures = Figures::of([&look].into_iter()).unwrap();
        assert!(figures.avg.unwrap().within(0.5), "{figures:?}");
        assert!(figures.p95.unwrap().within(1.0));
        assert!(!figures.max.unwrap().within(2.0));
        assert_eq!((figures.errors, figures.requests), (0, 20));
    }

    #[test]
    fn a_refused_request_is_counted_apart_and_longer_than_every_limit() {
        let figures = Figures::of([&burst("api", 1, (1, 10), 40)].into_iter()).unwrap();
        assert_eq!((figures.errors, figures.requests), (1, 10));
        assert_eq!(figures.avg, Some(Reached::Never));
        assert_eq!(figures.p95, Some(Reached::Never));
        assert_eq!(figures.max, Some(Reached::Never));
        assert_eq!(figures.p95_answered, Some(0.04));
        assert_eq!(figures.words(), "avg failed  p95 failed  max failed  1 of 10 failed");
    }

    #[test]
    fn a_check_without_requests_has_looks_and_a_value_only() {
        let look =
            Reading { latencies: Vec::new(), value: Some(45.0), ..reading("disk", 1, good()) };
        let figures = Figures::of([&look, &look].into_iter()).unwrap();
        assert_eq!((figures.looks, figures.bad, figures.requests), (2, 0, 0));
        assert_eq!((figures.p95, figures.value), (None, Some(45.0)));
    }

    #[test]
    fn what_could_not_be_judged_is_in_no_figure() {
        let unseen = reading("api", 1, unknown(Reason::NoTool));
        assert_eq!(Figures::of([&unseen].into_iter()), None);
    }
}
