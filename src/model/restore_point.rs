//! Where to go back to.

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::ids::{Color, Digest, PointId, Time};

/// A state that was recorded and can be gone back to: a live second colour, or a backup in the
/// layout of S-80. Never called good without a recorded proof.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RestorePoint {
    /// `YYYYMMDD-HHMMSS`, or `live-<color>` for a running second colour.
    pub id: PointId,
    /// When it was taken; for a live colour, when it was deployed if that is known.
    pub taken_at: Option<Time>,
    /// The version it holds.
    pub version: SafeText,
    /// The live colour it stands for, if it is one.
    pub color: Option<Color>,
    /// Image references or release identities, one per service.
    pub images: Vec<SafeText>,
    /// Schema version recorded with it.
    pub schema: Option<i64>,
    /// What is known of its health.
    pub health: PointHealth,
    /// Hash over the manifest, when there is one.
    pub manifest: Option<Digest>,
    /// Why it is refused, when it is.
    pub refused: Option<SafeText>,
    /// What is known of it beside its health.
    #[serde(default)]
    pub known: Known,
}

/// Where a restore point is known from, and what holds it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// What there is to show for it.
    pub evidence: Evidence,
    /// Who brought it, as far as that is on record: `deployed by dana, ci#4711`.
    pub by: SafeText,
    /// Whether it runs now.
    pub runs: bool,
    /// Why it is never trimmed, when it is pinned.
    pub pinned: Option<SafeText>,
}

/// What there is to show for a restore point. None of it says that it is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// A deploy of its version is on record.
    Recorded,
    /// Its version was found there; nobody reported it.
    Noticed,
    /// It still exists, and that is all that is known.
    #[default]
    Exists,
}

impl Evidence {
    /// `recorded`, `noticed`, `still exists`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Noticed => "noticed",
            Self::Exists => "still exists",
        }
    }
}

/// What is known of a restore point, with where that is known from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum PointHealth {
    /// It is what runs now, and it fails.
    CurrentFailed,
    /// Recorded healthy.
    Stable {
        /// The evidence: `answers 20/20 now`, `served 2 h before v2.5.0`.
        evidence: SafeText,
    },
    /// No record.
    #[default]
    NotProven,
    /// Recorded as failed.
    Failed,
}
