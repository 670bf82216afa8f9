//! Times and ages in the few columns a screen has.

use std::time::Duration;

use chrono::FixedOffset;

use crate::model::ids::Time;

/// From `from` to `now`; nothing when the clocks disagree.
pub fn since(from: Time, now: Time) -> Duration {
    (now - from).to_std().unwrap_or_default()
}

/// `04:11`, `1:04:11`.
pub fn clock(span: Duration) -> String {
    let (hours, minutes, seconds) = parts(span);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

/// `0:05`, `12:30`, `1:04:11`.
pub fn short(span: Duration) -> String {
    let (hours, minutes, seconds) = parts(span);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// `3s`, `2m`, `5h`, `12d`: the age of a value.
pub fn age(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..=99 => format!("{seconds}s"),
        seconds @ 100..=5_999 => format!("{}m", seconds / 60),
        seconds @ 6_000..=172_799 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// `38 ms`, `1.2 s`: how long something took to answer.
pub fn took(span: Duration) -> String {
    let millis = span.as_millis();
    if millis < 1_000 { format!("{millis} ms") } else { format!("{:.1} s", span.as_secs_f64()) }
}

/// `23:58:04`, in UTC.
pub fn hour(at: Time) -> String {
    at.format("%H:%M:%S").to_string()
}

/// How moments are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Times {
    /// In UTC.
    #[default]
    Utc,
    /// In this machine's zone.
    Local(FixedOffset),
    /// As ages.
    Ages,
}

impl Times {
    /// The next way; `zone` is this machine's, so far to the east.
    #[must_use]
    pub fn next(self, zone: FixedOffset) -> Self {
        match self {
            Self::Utc => Self::Local(zone),
            Self::Local(_) => Self::Ages,
            Self::Ages => Self::Utc,
        }
    }

    /// For the title of a pane; nothing for UTC, which is what a moment without a word is in.
    pub fn words(self) -> String {
        match self {
            Self::Utc => String::new(),
            Self::Local(zone) => format!("local {zone}"),
            Self::Ages => "ages".to_owned(),
        }
    }
}

/// A moment in eight columns, as asked; one of another day with its day instead of its seconds.
pub fn moment(at: Time, now: Time, times: Times) -> String {
    let long_ago = since(at, now) > Duration::from_hours(20);
    let form = if long_ago { "%d %H:%M" } else { "%H:%M:%S" };
    match times {
        Times::Utc => at.format(form).to_string(),
        Times::Local(zone) => at.with_timezone(&zone).format(form).to_string(),
        Times::Ages => format!("{:>8}", format!("-{}", age(since(at, now)))),
    }
}

/// `1` as `1 step`, `2` as `2 steps`.
pub fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

fn parts(span: Duration) -> (u64, u64, u64) {
    let seconds = span.as_secs();
    (seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_never_takes_more_than_four_columns() {
        let ages = [0, 99, 100, 5_999, 6_000, 172_799, 172_800, 86_400 * 99];
        for seconds in ages {
            assert!(age(Duration::from_secs(seconds)).len() <= 4, "{seconds} seconds");
        }
    }

    #[test]
    fn a_moment_takes_eight_columns_in_every_way() {
        let at = chrono::DateTime::from_timestamp(1_764_000_000, 0).unwrap();
        let now = at + chrono::Duration::seconds(75);
        let zone = FixedOffset::east_opt(2 * 3_600).unwrap();
        let mut times = Times::Utc;
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(moment(at, now, times));
            times = times.next(zone);
        }
        assert_eq!(seen, ["16:00:00", "18:00:00", "    -75s", "16:00:00"]);
        let later = now + chrono::Duration::days(1);
        assert_eq!(moment(at, later, Times::Utc), "24 16:00");
    }

    #[test]
    fn spans_read_as_minutes_and_seconds() {
        assert_eq!(clock(Duration::from_secs(251)), "04:11");
        assert_eq!(clock(Duration::from_secs(3_851)), "1:04:11");
        assert_eq!(short(Duration::from_secs(5)), "0:05");
    }
}
