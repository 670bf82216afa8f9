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
    /// What there is to show for it: `recorded`, `noticed` or `still exists`.
    pub known: &'static str,
    /// Who brought it, where that is on record.
    pub by: Option<SafeText>,
    /// Whether it runs now.
    pub runs: bool,
    /// Why it is never trimmed, when it is pinned.
    pub pinned: Option<SafeText>,
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
                known: point.known.evidence.words(),
                by: Some(point.known.by.clone()).filter(|by| !by.is_empty()),
                runs: point.known.runs,
                pinned: point.known.pinned.clone(),
            }
        })
        .collect()
}

/// What there is to show for a point, in one line: version, schema, age, evidence, whether it runs.
pub fn shown_for(point: &RestorePoint, now: Time) -> String {
    let mut parts = vec![point.version.to_string()];
    parts.extend(point.schema.map(|schema| format!("schema {schema}")));
    parts.extend(point.taken_at.map(|at| format!("{} old", age(at, now))));
    let known = &point.known;
    parts.push(if known.by.is_empty() {
        known.evidence.words().to_owned()
    } else {
        format!("{} ({})", known.evidence.words(), known.by)
    });
    if known.runs {
        parts.push("runs".to_owned());
    }
    parts.extend(known.pinned.as_ref().map(|why| format!("PINNED: {why}")));
    parts.join(", ")
}

fn age(at: Time, now: Time) -> String {
    let minutes = (now - at).num_minutes().max(0);
    match minutes {
        0..=119 => format!("{minutes} min"),
        120..=2879 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}
