//! Spans of time: `30s`, or the documents' `_seconds` and `_minutes` keys.

use std::time::Duration;

use super::shape::Asked;
use super::take::{Item, Table};

impl Item<'_> {
    /// A number of seconds, minutes …; `unit` in seconds.
    fn span(&self, unit: f64, word: &str) -> Option<Duration> {
        let text = self.scalar_of(Asked::Number)?;
        let span = text.parse::<f64>().ok().and_then(|n| span_of(n * unit));
        if span.is_none() {
            self.not_a(text, &format!("a number of {word}"));
        }
        span
    }

    /// `30s`, `2m`, `1h`, `500ms`, `7d`.
    fn worded_span(&self) -> Option<Duration> {
        let text = self.scalar_of(Asked::Span)?.trim();
        let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let unit = match unit {
            "ms" => Some(0.001),
            "s" => Some(1.0),
            "m" | "min" => Some(60.0),
            "h" => Some(3600.0),
            "d" => Some(86400.0),
            _ => None,
        };
        let number: Option<f64> = number.trim().parse().ok();
        match (number, unit) {
            (Some(number), Some(unit)) if span_of(number * unit).is_some() => {
                span_of(number * unit)
            }
            (Some(_), None) if end == text.len() => {
                self.wrong_with(
                    &format!("{text:?} says no unit"),
                    format!("write {text}s or {text}m"),
                );
                None
            }
            _ => {
                self.wrong_with(
                    &format!("{text:?} is not a span of time"),
                    "write it as 500ms, 30s, 2m, 1h or 7d",
                );
                None
            }
        }
    }
}

impl<'a> Table<'a> {
    /// A span of time: `interval: 30s`, `interval_seconds: 30` or `interval_minutes: 2`, between
    /// `low` and `high`.
    pub(super) fn span(&mut self, stem: &str, low: Duration, high: Duration) -> Option<Duration> {
        let mut found: Option<(Item<'a>, Option<Duration>)> = None;
        for (ending, unit, word) in SPANS {
            let key = format!("{stem}{ending}");
            self.ask(&key, if unit.is_some() { Asked::Number } else { Asked::Span });
            let Some(item) = self.take(&key) else {
                continue;
            };
            if let Some((first, _)) = &found {
                item.wrong_with(
                    &format!("says again what {} says", first.path),
                    "keep one of them",
                );
                continue;
            }
            let span = match unit {
                Some(unit) => item.span(unit, word),
                None => item.worded_span(),
            };
            found = Some((item, span));
        }
        let (item, span) = found?;
        let span = span?;
        if span < low || span > high {
            let (low, high) = (shown_span(low), shown_span(high));
            item.wrong(&format!("{} is not between {low} and {high}", shown_span(span)));
            return None;
        }
        Some(span)
    }
}

/// The endings of a key for a span of time, and what its number counts.
const SPANS: [(&str, Option<f64>, &str); 3] =
    [("_seconds", Some(1.0), "seconds"), ("_minutes", Some(60.0), "minutes"), ("", None, "")];

fn span_of(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

/// A span as people write it.
pub(super) fn shown_span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        _ if span.subsec_millis() > 0 => format!("{}s", span.as_secs_f64()),
        0 => "0s".into(),
        _ if seconds.is_multiple_of(86400) => format!("{}d", seconds / 86400),
        _ if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}
