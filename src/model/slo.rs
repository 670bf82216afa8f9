//! Objectives: what part of its looks or requests a check may fail, how much of that error budget
//! is left, and how fast it burns over four pairs of windows.
//!
//! A pair burns when both of its windows do: the long one says that it matters, the short one that
//! it still goes on. Too few looks in a window are not known, which is neither good nor an alarm.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{CheckId, Time};
use super::reading::{Finding, Reading};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Windows up to this long are counted by the minute, longer ones by the hour.
const FINE: Duration = Duration::from_hours(6);

/// What a check has to keep (`slo: {objective: 99.9, window: 30d}`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// Percent that have to be good, below 100.
    pub percent: f64,
    /// Over which time.
    pub window: Duration,
    /// Looks or requests below which a window is not judged.
    pub min_volume: u64,
}

impl Objective {
    /// The part that may fail, 0 to 1.
    fn allowed(&self) -> f64 {
        (1.0 - self.percent / 100.0).max(f64::EPSILON)
    }
}

/// What an alarm of a pair is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alarm {
    /// Somebody looks in the next days.
    Ticket,
    /// Somebody is called.
    Page,
}

impl Alarm {
    /// `ticket`, `page`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Page => "page",
        }
    }
}

/// A pair of windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// It matters.
    pub long: Duration,
    /// It still goes on.
    pub short: Duration,
    /// Burning so many times faster than the budget allows is an alarm.
    pub factor: f64,
    /// Which.
    pub alarm: Alarm,
}

/// 2 % of a month's budget in an hour, 5 % in six hours, 10 % in one and in three days: the four
/// pairs of the site reliability workbook.
pub const PAIRS: [Pair; 4] = [
    Pair { long: HOUR, short: Duration::from_mins(5), factor: 14.4, alarm: Alarm::Page },
    Pair { long: FINE, short: Duration::from_mins(30), factor: 6.0, alarm: Alarm::Page },
    Pair { long: DAY, short: Duration::from_hours(2), factor: 3.0, alarm: Alarm::Ticket },
    Pair { long: Duration::from_hours(72), short: FINE, factor: 1.0, alarm: Alarm::Ticket },
];

/// What was counted, by check, with what each has to keep.
pub type Tallies = BTreeMap<CheckId, (Objective, Tally)>;

/// Failed ones and all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Failed ones.
    pub failed: u64,
    /// All that were judged.
    pub all: u64,
}

impl Count {
    fn add(&mut self, more: Self) {
        self.failed = self.failed.saturating_add(more.failed);
        self.all = self.all.saturating_add(more.all);
    }

    /// What a look counts for: its requests, or itself; nothing when it is not known.
    fn of(reading: &Reading) -> Option<Self> {
        let failed = match &reading.finding {
            Finding::Unknown { .. } => return None,
            Finding::Good | Finding::Warn { .. } => 0,
            Finding::Bad { .. } => 1,
        };
        let (bad, asked) = reading.failed_of;
        Some(match asked {
            0 => Self { failed, all: 1 },
            asked => Self { failed: bad.into(), all: asked.into() },
        })
    }
}

/// What was counted of one check: by the minute for six hours, by the hour for its window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The first look in it.
    pub from: Option<Time>,
    /// The last.
    pub until: Option<Time>,
    minutes: BTreeMap<i64, Count>,
    hours: BTreeMap<i64, Count>,
}

/// Which bucket of that width a moment is in.
fn bucket(at: Time, width: Duration) -> i64 {
    at.timestamp().div_euclid(i64::try_from(width.as_secs()).unwrap_or(1).max(1))
}

fn before(now: Time, span: Duration) -> Time {
    let span = chrono::Duration::from_std(span).unwrap_or_default();
    now.checked_sub_signed(span).unwrap_or(now)
}

impl Tally {
    /// Counts a look, and forgets what no window reaches any more.
    pub fn take(&mut self, reading: &Reading, objective: &Objective) {
        let Some(count) = Count::of(reading) else { return };
        let at = reading.at;
        self.minutes.entry(bucket(at, MINUTE)).or_default().add(count);
        self.hours.entry(bucket(at, HOUR)).or_default().add(count);
        self.from = Some(self.from.map_or(at, |from| from.min(at)));
        self.until = Some(at);
        let longest = objective.window.max(DAY * 3);
        let first = bucket(before(at, FINE), MINUTE);
        while self.minutes.first_key_value().is_some_and(|(one, _)| *one < first) {
            self.minutes.pop_first();
        }
        let first = bucket(before(at, longest), HOUR);
        while self.hours.first_key_value().is_some_and(|(one, _)| *one < first) {
            self.hours.pop_first();
        }
    }

    /// What was counted in the last `span` before `now`.
    pub fn counted(&self, span: Duration, now: Time) -> Count {
        let (buckets, width) =
            if span <= FINE { (&self.minutes, MINUTE) } else { (&self.hours, HOUR) };
        // A bucket more rather than one less: the first minute of a short window counts.
        let (first, last) = (bucket(before(now, span), width), bucket(now, width));
        let mut sum = Count::default();
        if first <= last {
            buckets.range(first..=last).for_each(|(_, count)| sum.add(*count));
        }
        sum
    }
}

/// How many times faster than allowed the budget burns in that window; nothing when too little was
/// seen in it.
pub fn burn_rate(objective: &Objective, tally: &Tally, span: Duration, now: Time) -> Option<f64> {
    part(tally.counted(span, now), objective.min_volume).map(|part| part / objective.allowed())
}

/// The part of the error budget that is left over the whole window: 1 is all of it, below 0 it is
/// overspent; nothing when too little was seen.
pub fn budget_left(objective: &Objective, tally: &Tally, now: Time) -> Option<f64> {
    burn_rate(objective, tally, objective.window, now).map(|burnt| 1.0 - burnt)
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
fn part(count: Count, least: u64) -> Option<f64> {
    (count.all >= least.max(1)).then(|| count.failed as f64 / count.all as f64)
}

/// Whether a pair burns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Burns {
    /// Both windows do.
    Yes,
    /// One does not.
    No,
    /// Too little was seen.
    Unknown,
}

/// One pair, as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Burn {
    /// The long window.
    pub long: Duration,
    /// The short one.
    pub short: Duration,
    /// The factor that is an alarm.
    pub factor: f64,
    /// The burn rate of the long window, where it is known.
    pub in_long: Option<f64>,
    /// The same of the short one.
    pub in_short: Option<f64>,
    /// What it comes to.
    pub burns: Burns,
    /// What it would be an alarm for.
    pub alarm: Alarm,
}

/// Where an objective stands: what a pane or a line shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The check.
    pub check: CheckId,
    /// What it has to keep.
    pub objective: Objective,
    /// What was counted in the window.
    pub count: Count,
    /// For how much of the window there are counts.
    pub covered: Duration,
    /// The part of the error budget that is left: 1 all, below 0 overspent; nothing when not known.
    pub left: Option<f64>,
    /// The four pairs, the quickest first.
    pub burns: Vec<Burn>,
}

impl Standing {
    /// The worst alarm of the pairs that burn.
    pub fn alarm(&self) -> Option<Alarm> {
        let burning = self.burns.iter().filter(|burn| burn.burns == Burns::Yes);
        burning.map(|burn| burn.alarm).max()
    }
}

/// Where the objective of `check` stands at `now`.
pub fn standing(check: &CheckId, objective: &Objective, tally: &Tally, now: Time) -> Standing {
    let burns = PAIRS.map(|pair| burn(pair, objective, tally, now));
    let covered = tally.from.and_then(|from| (now - from).to_std().ok()).unwrap_or_default();
    Standing {
        check: check.clone(),
        objective: objective.clone(),
        count: tally.counted(objective.window, now),
        covered: covered.min(objective.window),
        left: budget_left(objective, tally, now),
        burns: burns.into(),
    }
}

fn burn(pair: Pair, objective: &Objective, tally: &Tally, now: Time) -> Burn {
    let rate = |span| burn_rate(objective, tally, span, now);
    let (in_long, in_short) = (rate(pair.long), rate(pair.short));
    let over = |rate: Option<f64>| rate.map(|rate| rate > pair.factor);
    let burns = match (over(in_long), over(in_short)) {
        (Some(false), _) | (_, Some(false)) => Burns::No,
        (Some(true), Some(true)) => Burns::Yes,
        (None, _) | (_, None) => Burns::Unknown,
    };
    let Pair { long, short, factor, alarm } = pair;
    Burn { long, short, factor, in_long, in_short, burns, alarm }
}

#[cfg(test)]
mod tests;
