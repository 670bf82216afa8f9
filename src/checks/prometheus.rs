//! `prometheus`: a query to Prometheus, its value judged by thresholds of the same unit.
//!
//! Prometheus is the instrument here and not the target: that it keeps silent says nothing about
//! what it measures, so it reads unknown. Whoever wants to know of its own health asks `/-/ready`
//! with a check of HTTP.

use std::time::Duration;

use crate::adapters::prometheus::{Answer, No, Server};
use crate::adapters::secret::Secret;
use crate::clock::Clock;
use crate::model::reading::{Finding, Reason, WhyClass};

use super::seen::Seen;
use super::threshold::Thresholds;

/// Settings of this kind.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to ask.
    pub server: Server,
    /// What to ask, placeholders filled in.
    pub query: Secret,
    /// What its value counts; the thresholds carry the same.
    pub unit: Unit,
    /// One value of many series.
    pub reduce: Option<Reduce>,
    /// What no series at all means.
    pub empty: Empty,
    /// The oldest that the newest sample of a selector may be.
    pub max_age: Option<MaxAge>,
    /// The least traffic on which the value can be judged.
    pub min_volume: Option<MinVolume>,
    /// Thresholds on the value.
    pub thresholds: Thresholds,
}

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// 0 to 1.
    Ratio,
    /// 0 to 100.
    Percent,
    /// Events a second.
    PerSecond,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
    /// Things.
    Count,
}

impl Unit {
    /// All of them, as written.
    pub const ALL: [(&'static str, Self); 7] = [
        ("ratio", Self::Ratio),
        ("percent", Self::Percent),
        ("per_second", Self::PerSecond),
        ("seconds", Self::Seconds),
        ("ms", Self::Milliseconds),
        ("bytes", Self::Bytes),
        ("count", Self::Count),
    ];

    /// As written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ratio => "ratio",
            Self::Percent => "percent",
            Self::PerSecond => "per_second",
            Self::Seconds => "seconds",
            Self::Milliseconds => "ms",
            Self::Bytes => "bytes",
            Self::Count => "count",
        }
    }
}

/// How many series become one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// All together.
    Sum,
    /// The mean.
    Avg,
    /// 1 when one of them is not 0, else 0.
    Any,
    /// 1 when none of them is 0, else 0.
    All,
    /// How many there are, whatever their values: what an alert of Prometheus asks.
    Count,
}

impl Reduce {
    /// Those that a check may name, as written.
    pub const ALL: [(&'static str, Self); 6] = [
        ("max", Self::Max),
        ("min", Self::Min),
        ("sum", Self::Sum),
        ("avg", Self::Avg),
        ("any", Self::Any),
        ("all", Self::All),
    ];

    fn of(self, values: &[f64]) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a number of series")]
        let count = values.len() as f64;
        let truth = |is: bool| if is { 1.0 } else { 0.0 };
        match self {
            Self::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Self::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
            Self::Sum => values.iter().sum(),
            Self::Avg => values.iter().sum::<f64>() / count,
            Self::Any => truth(values.iter().any(|value| *value != 0.0)),
            Self::Count => count,
            Self::All => truth(values.iter().all(|value| *value != 0.0)),
        }
    }
}

/// What no series at all means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// Nothing is known.
    Unknown,
    /// The value is 0.
    Zero,
    /// It is well.
    Good,
    /// It fails.
    Fail,
}

/// The oldest that a sample may be.
#[derive(Clone, Debug)]
pub struct MaxAge {
    /// The selector whose newest sample counts.
    pub of: Secret,
    /// How old it may be.
    pub limit: Duration,
}

/// The least traffic on which a value can be judged.
#[derive(Clone, Debug)]
pub struct MinVolume {
    /// How much there is.
    pub query: Secret,
    /// How much there has to be.
    pub at_least: f64,
}

impl Settings {
    /// Its address and query; secrets are `***`.
    pub fn target(&self) -> String {
        format!("{} {}", self.server.url, self.query)
    }

    /// Looks once, within `limit`: the query, and beside it those for age and volume.
    pub async fn probe(&self, limit: Duration, clock: &Clock) -> Seen {
        let at = clock.now();
        let value = self.server.query(&self.query, at, limit, clock);
        let age = async {
            let age = self.max_age.as_ref()?;
            let of = |text: &str| format!("time() - max(timestamp({text}))");
            let query = Secret::parts(of(age.of.reveal()), &of(age.of.shown()));
            Some((age, self.server.query(&query, at, limit, clock).await))
        };
        let volume = async {
            let volume = self.min_volume.as_ref()?;
            Some((volume, self.server.query(&volume.query, at, limit, clock).await))
        };
        let (value, age, volume) = tokio::join!(value, age, volume);
        let mut facts =
            vec![format!("query: {}", self.query), format!("time: {}", at.to_rfc3339())];
        if let Ok(answer) = &value {
            facts.push(format!("series: {}", answer.series.len()));
            let shown = answer.series.iter().take(8);
            facts.extend(shown.map(|one| format!("{{{}}} {}", one.labels, one.value)));
        }
        let mut in_the_way = None;
        if let Some((age, answer)) = age {
            in_the_way = age.judge(answer, &mut facts);
        }
        if let Some((volume, answer)) = volume {
            let few = volume.judge(answer, &mut facts);
            in_the_way = in_the_way.or(few);
        }
        let seen = match (&value, in_the_way) {
            // What is wrong with the query itself comes first: it is what people can mend.
            (Ok(_), Some((reason, why))) => Seen::unknown(reason, &why),
            (Ok(_) | Err(_), _) => self.judge(value),
        };
        facts.iter().fold(seen, |seen, fact| seen.with_fact(fact))
    }

    fn judge(&self, answer: Result<Answer, No>) -> Seen {
        let answer = match answer {
            Ok(answer) => answer,
            Err(no) => {
                let (reason, why) = reason_of(no);
                return Seen::unknown(reason, &why);
            }
        };
        if let Some(warning) = answer.warnings.first() {
            return Seen::unknown(Reason::Ambiguous, &format!("partial answer: {warning}"));
        }
        let values: Vec<f64> = answer.series.iter().map(|one| one.value).collect();
        let value = match (values.as_slice(), self.reduce) {
            ([], _) => match self.empty {
                Empty::Unknown => return Seen::unknown(Reason::NoData, "no series"),
                Empty::Good => return Seen::good("no series"),
                Empty::Fail => {
                    return Seen::bad(WhyClass::Content, "no series", "the query gave no series");
                }
                Empty::Zero => 0.0,
            },
            (all, Some(Reduce::Count)) => Reduce::Count.of(all),
            // The smallest or largest of a number and of none is not known.
            (all, _) if all.iter().any(|value| !value.is_finite()) => {
                let odd = all.iter().find(|value| !value.is_finite()).copied().unwrap_or_default();
                return Seen::unknown(Reason::NoData, &format!("the value is {odd}"));
            }
            ([one], None) => *one,
            (all, Some(reduce)) => reduce.of(all),
            (all, None) => {
                let text = format!("{} series, one is needed; reduce makes one", all.len());
                return Seen::unknown(Reason::Ambiguous, &text);
            }
        };
        let unit = self.unit.name();
        let finding =
            if self.thresholds.any() { self.thresholds.judge(value, unit) } else { Finding::Good };
        Seen::new(finding, &format!("{} {unit}", shown(value))).with_value(value, unit)
    }
}

/// Three digits behind the point at most; the value itself is kept as it came.
fn shown(value: f64) -> f64 {
    if value.abs() < 0.01 { value } else { (value * 1000.0).round() / 1000.0 }
}

impl MaxAge {
    /// Why the value says nothing, when its samples are too old.
    fn judge(
        &self,
        answer: Result<Answer, No>,
        facts: &mut Vec<String>,
    ) -> Option<(Reason, String)> {
        let age = match single(answer) {
            Ok(age) => age,
            Err(no) => return Some(no),
        };
        let (of, limit) = (&self.of, self.limit.as_secs());
        let Some(age) = age else {
            return Some((Reason::NoData, format!("{of} has no sample")));
        };
        facts.push(format!("age of {of}: {age:.1} s"));
        (age > self.limit.as_secs_f64()).then(|| {
            (Reason::Stale, format!("the newest sample is {age:.0} s old, at most {limit}"))
        })
    }
}

impl MinVolume {
    /// Why the value says nothing, when there is too little to judge it on.
    fn judge(
        &self,
        answer: Result<Answer, No>,
        facts: &mut Vec<String>,
    ) -> Option<(Reason, String)> {
        let volume = match single(answer) {
            Ok(volume) => volume.unwrap_or_default(),
            Err(no) => return Some(no),
        };
        let (query, least) = (&self.query, self.at_least);
        facts.push(format!("volume {query}: {volume}"));
        // A volume that is not a number is not enough.
        let enough = volume >= least;
        (!enough)
            .then(|| (Reason::TooFewSamples, format!("volume {}, at least {least}", shown(volume))))
    }
}

/// The one value of an answer; nothing when it is empty.
fn single(answer: Result<Answer, No>) -> Result<Option<f64>, (Reason, String)> {
    let answer = answer.map_err(reason_of)?;
    match answer.series.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.value)),
        many => Err((Reason::Ambiguous, format!("{} series where one is needed", many.len()))),
    }
}

fn reason_of(no: No) -> (Reason, String) {
    match no {
        No::Silent(error) => (Reason::NoData, error.message),
        No::Denied(why) => (Reason::NoPermission, why),
        No::Throttled(why) => (Reason::Throttled, why),
        No::Query(why) => (Reason::BadConfig, why),
        No::Data(why) => (Reason::NoData, why),
        No::Unreadable(why) => (Reason::Parse, why),
        No::TooMuch(why) => (Reason::Ambiguous, why),
    }
}

#[cfg(test)]
mod tests;
