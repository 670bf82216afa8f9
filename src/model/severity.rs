//! How bad it is, and how long a forward fix may be tried: the table of S-05 to S-08.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The classes, best first, so that the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is wrong.
    None,
    /// Monitor, log an issue (S-08).
    Low,
    /// Consider a rollback if not resolved in 15 minutes (S-07).
    Medium,
    /// Roll back if not resolved in 5 minutes (S-06).
    High,
    /// Roll back immediately (S-05).
    Critical,
}

impl Severity {
    /// How long a forward fix may be tried; nothing where no clock runs.
    pub fn clock(self) -> Option<Duration> {
        match self {
            Self::Critical => Some(Duration::ZERO),
            Self::High => Some(Duration::from_mins(5)),
            Self::Medium => Some(Duration::from_mins(15)),
            Self::Low | Self::None => None,
        }
    }

    /// As the header shows it.
    pub fn label(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }

    /// The class of an error rate in percent: 0 none, < 5 low, < 10 medium, <= 50 high.
    pub fn of_error_rate(percent: f64) -> Self {
        if percent > 50.0 {
            Self::Critical
        } else if percent >= 10.0 {
            Self::High
        } else if percent >= 5.0 {
            Self::Medium
        } else if percent > 0.0 {
            Self::Low
        } else {
            Self::None
        }
    }

    /// The class of a sustained p95 in seconds: <= 5 medium from 2 on, above high.
    pub fn of_response_time(seconds: f64) -> Self {
        if seconds > 5.0 {
            Self::High
        } else if seconds >= 2.0 {
            Self::Medium
        } else {
            Self::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_of_the_error_rate_belong_to_the_worse_class() {
        let edges = [
            (0.0, Severity::None),
            (0.1, Severity::Low),
            (4.99, Severity::Low),
            (5.0, Severity::Medium),
            (9.99, Severity::Medium),
            (10.0, Severity::High),
            (50.0, Severity::High),
            (50.01, Severity::Critical),
        ];
        for (percent, class) in edges {
            assert_eq!(Severity::of_error_rate(percent), class, "{percent} %");
        }
    }

    #[test]
    fn exactly_five_seconds_is_medium() {
        let edges = [
            (1.99, Severity::None),
            (2.0, Severity::Medium),
            (5.0, Severity::Medium),
            (5.01, Severity::High),
        ];
        for (seconds, class) in edges {
            assert_eq!(Severity::of_response_time(seconds), class, "{seconds} s");
        }
    }
}
