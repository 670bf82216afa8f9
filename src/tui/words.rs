//! Times and ages in the few columns a screen has.

use std::time::Duration;

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

/// A moment as asked: absolute in UTC, or as an age.
pub fn moment(at: Time, now: Time, relative: bool) -> String {
    if relative { format!("{:>8}", format!("-{}", age(since(at, now)))) } else { hour(at) }
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
    fn spans_read_as_minutes_and_seconds() {
        assert_eq!(clock(Duration::from_secs(251)), "04:11");
        assert_eq!(clock(Duration::from_secs(3_851)), "1:04:11");
        assert_eq!(short(Duration::from_secs(5)), "0:05");
    }
}
