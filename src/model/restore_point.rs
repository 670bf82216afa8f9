//! Where to go back to.

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::ids::{Color, Digest, PointId, Time};

/// A state that was recorded and can be gone back to: a live second colour, or a backup in the
/// layout of S-80. Never called good without a recorded proof.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
}

/// What is known of a restore point, with where that is known from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    NotProven,
    /// Recorded as failed.
    Failed,
}
