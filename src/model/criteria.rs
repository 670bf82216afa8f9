//! Success criteria: each with a target, a measured value and an answer (S-14).

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

/// One criterion as measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Criterion {
    /// `switch < 10 s`.
    pub name: SafeText,
    /// What was measured: `0.4 s`.
    pub measured: SafeText,
    /// Whether it holds. An unknown one is never counted as pass.
    pub answer: Passed,
}

/// Whether a criterion holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passed {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Not known.
    Unknown,
}

/// Whether all hold: no wins over not known, not known over yes.
pub fn all(criteria: &[Criterion]) -> Passed {
    if criteria.iter().any(|criterion| criterion.answer == Passed::No) {
        Passed::No
    } else if criteria.is_empty() || criteria.iter().any(|c| c.answer == Passed::Unknown) {
        Passed::Unknown
    } else {
        Passed::Yes
    }
}
