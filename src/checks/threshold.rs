//! From which value on something is a warning, or critical.

use std::fmt;

use crate::model::reading::{Finding, WhyClass};

use super::seen::{bad, warn};

/// The values that raise an alarm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// This value and all above it (`threshold_critical: 95`).
    From(f64),
    /// This value and all below it (`direction: below`).
    UpTo(f64),
    /// Outside of both ends (the plugins' `10:20`).
    Outside(f64, f64),
    /// Between both ends, these included (the plugins' `@10:20`).
    Inside(f64, f64),
}

impl Range {
    /// Reads a range as the monitoring plugins write it: `10`, `10:`, `~:10`, `10:20`, `@10:20`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a range such as 10, 10:, ~:10, 10:20 or @10:20");
        let (inside, rest) = match text.trim().strip_prefix('@') {
            Some(rest) => (true, rest),
            None => (false, text.trim()),
        };
        let number = |text: &str| {
            let number: Option<f64> = text.trim().parse().ok();
            number.filter(|n| n.is_finite()).ok_or_else(wrong)
        };
        let (low, high) = match rest.split_once(':') {
            None => (0.0, number(rest)?),
            Some(("~", "")) => (f64::NEG_INFINITY, f64::INFINITY),
            Some(("~", high)) => (f64::NEG_INFINITY, number(high)?),
            Some((low, "")) => (number(low)?, f64::INFINITY),
            Some((low, high)) => (number(low)?, number(high)?),
        };
        if low > high {
            return Err(format!("{text:?} begins above its end"));
        }
        Ok(if inside { Self::Inside(low, high) } else { Self::Outside(low, high) })
    }

    /// Whether `value` raises the alarm.
    pub fn hit(&self, value: f64) -> bool {
        match *self {
            Self::From(low) => value >= low,
            Self::UpTo(high) => value <= high,
            Self::Outside(low, high) => value < low || value > high,
            Self::Inside(low, high) => (low..=high).contains(&value),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From(low) => write!(f, "{low} or more"),
            Self::UpTo(high) => write!(f, "{high} or less"),
            Self::Outside(low, high) => write!(f, "outside {low} to {high}"),
            Self::Inside(low, high) => write!(f, "{low} to {high}"),
        }
    }
}

/// The value that ends an alarm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clear {
    /// Anything less (`clear_below`).
    Below(f64),
    /// Anything more (`clear_above`, with `direction: below`).
    Above(f64),
}

impl Clear {
    /// Whether `value` ends the alarm.
    pub fn done(&self, value: f64) -> bool {
        match *self {
            Self::Below(limit) => value < limit,
            Self::Above(limit) => value > limit,
        }
    }
}

impl fmt::Display for Clear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Below(limit) => write!(f, "it is below {limit}"),
            Self::Above(limit) => write!(f, "it is above {limit}"),
        }
    }
}

/// The two thresholds of a check; neither is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Thresholds {
    /// `threshold_warning`.
    pub warning: Option<Range>,
    /// `threshold_critical`.
    pub critical: Option<Range>,
}

impl Thresholds {
    /// Whether there is one.
    pub fn any(&self) -> bool {
        self.warning.is_some() || self.critical.is_some()
    }

    /// Judges `value`, shown in `unit`.
    pub fn judge(&self, value: f64, unit: &str) -> Finding {
        let said = |range: Range, word: &str| {
            let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
            format!("{value}{unit}, {word} at {range}")
        };
        match (self.critical, self.warning) {
            (Some(range), _) if range.hit(value) => {
                bad(WhyClass::Threshold, &said(range, "critical"))
            }
            (_, Some(range)) if range.hit(value) => {
                warn(WhyClass::Threshold, &said(range, "warning"))
            }
            (_, _) => Finding::Good,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugin_ranges_mean_what_the_plugins_mean() {
        for (text, quiet, alarm) in [
            ("10", 10.0, 10.1),
            ("10", 0.0, -0.1),
            ("10:", 10.0, 9.9),
            ("~:10", -5.0, 10.1),
            ("10:20", 20.0, 20.1),
            ("@10:20", 9.9, 10.0),
        ] {
            let range = Range::parse(text).unwrap();
            assert!(!range.hit(quiet), "{text} on {quiet}");
            assert!(range.hit(alarm), "{text} on {alarm}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "x", "20:10", "nan", "1:2:3", "@"] {
            assert!(Range::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_threshold_itself_is_over_it() {
        let thresholds =
            Thresholds { warning: Some(Range::From(80.0)), critical: Some(Range::From(95.0)) };
        assert_eq!(thresholds.judge(79.9, ""), Finding::Good);
        assert!(matches!(thresholds.judge(80.0, ""), Finding::Warn { .. }));
        assert!(matches!(thresholds.judge(95.0, ""), Finding::Bad { .. }));
    }
}
