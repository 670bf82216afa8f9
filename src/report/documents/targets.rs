//! `targets`: where one can go back to.

use serde::Serialize;

use crate::model::ids::{PointId, Time};
use crate::model::restore_point::{PointHealth, RestorePoint};
use crate::text::SafeText;

/// One entry of `targets --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Target {
    /// From 1, newest first.
    pub index: usize,
    /// `YYYYMMDD-HHMMSS`, or `live-<color>`.
    pub id: PointId,
    /// The version it holds.
    pub version: SafeText,
    /// `current_failed`, `stable`, `not_proven` or `failed`.
    pub health: &'static str,
    /// What that is known from.
    pub evidence: Option<SafeText>,
    /// The schema recorded with it.
    pub schema: Option<i64>,
    /// When it was taken.
    pub taken_at: Option<Time>,
    /// Whether a rollback without a target goes here.
    pub target: bool,
    /// Why it is refused.
    pub refused: Option<SafeText>,
}

/// Where a rollback without a target goes: the newest point that is recorded stable and not
/// refused. One that was never proven is not chosen by itself.
pub fn default_target(points: &[RestorePoint]) -> Option<&RestorePoint> {
    points
        .iter()
        .find(|point| matches!(point.health, PointHealth::Stable { .. }) && point.refused.is_none())
}

/// The document of `targets`.
pub fn targets(points: &[RestorePoint]) -> Vec<Target> {
    let chosen = default_target(points).map(|point| &point.id);
    points
        .iter()
        .enumerate()
        .map(|(at, point)| {
            let (health, evidence) = match &point.health {
                PointHealth::CurrentFailed => ("current_failed", None),
                PointHealth::Stable { evidence } => ("stable", Some(evidence.clone())),
                PointHealth::NotProven => ("not_proven", None),
                PointHealth::Failed => ("failed", None),
            };
            Target {
                index: at + 1,
                id: point.id.clone(),
                version: point.version.clone(),
                health,
                evidence,
                schema: point.schema,
                taken_at: point.taken_at,
                target: chosen == Some(&point.id),
                refused: point.refused.clone(),
            }
        })
        .collect()
}
