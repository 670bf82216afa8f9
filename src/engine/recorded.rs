//! What is on record of the health of a restore point: last good is chosen by that, never by its
//! number or its age (S-17).

use chrono::TimeDelta;

use crate::model::deploys::ChangeState;
use crate::model::entry::Change;
use crate::model::ids::Time;
use crate::model::restore_point::{PointHealth, RestorePoint};
use crate::text::SafeText;

/// A version that was replaced sooner did not serve long enough to be called stable.
const SERVED: TimeDelta = TimeDelta::minutes(10);

/// Says of the backups what `changes` prove: one of a version that was deployed well, served until
/// another came, and is not the one that fails now. Whether a backup is whole is another question.
pub(super) fn health(points: &mut [RestorePoint], changes: &[Change]) {
    let failing: Vec<SafeText> = points
        .iter()
        .filter(|point| point.health == PointHealth::CurrentFailed)
        .map(|point| point.version.clone())
        .collect();
    for point in points.iter_mut() {
        let backup = point.color.is_none() && point.taken_at.is_some();
        if !backup || point.health != PointHealth::NotProven || failing.contains(&point.version) {
            continue;
        }
        if let Some(evidence) = point.taken_at.and_then(|at| served(point, at, changes)) {
            point.health = PointHealth::Stable { evidence };
        }
    }
}

/// `served 27 h before v2.5.0`, when that is on record.
fn served(point: &RestorePoint, taken_at: Time, changes: &[Change]) -> Option<SafeText> {
    if point.id.as_str().starts_with(crate::evidence::points::SAFETY) {
        return None;
    }
    let came = |change: &&Change| {
        matches!(change.state, ChangeState::Done | ChangeState::Noticed) && change.at <= taken_at
    };
    // What was deployed last before it was taken is what it holds.
    let deploy = changes.iter().filter(came).max_by_key(|change| change.at)?;
    if deploy.state != ChangeState::Done || deploy.version != point.version {
        return None;
    }
    let bad = |change: &Change| {
        change.state == ChangeState::Failed
            && change.version == point.version
            && change.at >= deploy.at
    };
    let next = changes
        .iter()
        .filter(|change| change.at > taken_at && change.version != point.version)
        .min_by_key(|change| change.at)?;
    let span = next.at - deploy.at;
    if changes.iter().any(bad) || span < SERVED {
        return None;
    }
    let span = match span.num_minutes() {
        minutes @ 0..=119 => format!("{minutes} min"),
        minutes => format!("{} h", minutes / 60),
    };
    Some(SafeText::new(&format!("served {span} before {}", next.version)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::PointId;

    fn at(hour: i64) -> Time {
        "2026-11-22T00:00:00Z".parse::<Time>().unwrap() + TimeDelta::hours(hour)
    }

    fn change(hour: i64, version: &str, state: ChangeState) -> Change {
        Change { at: at(hour), version: version.into(), state, ..Change::default() }
    }

    fn point(id: &str, hour: i64, version: &str) -> RestorePoint {
        RestorePoint {
            id: PointId(id.to_owned()),
            taken_at: Some(at(hour)),
            version: version.into(),
            ..RestorePoint::default()
        }
    }

    fn healths(changes: &[Change], points: &mut [RestorePoint]) -> Vec<String> {
        health(points, changes);
        let words = points.iter().map(|point| match &point.health {
            PointHealth::Stable { evidence } => evidence.to_string(),
            other => format!("{other:?}"),
        });
        words.collect()
    }

    #[test]
    fn a_version_that_served_until_the_next_came_is_stable_by_record() {
        use ChangeState::{Done, Failed, Noticed};
        let changes = [change(0, "v1", Done), change(10, "v2", Done), change(30, "v3", Done)];
        let mut points = [
            RestorePoint { health: PointHealth::CurrentFailed, ..point("live-green", 30, "v3") },
            point("20261123-050000", 29, "v2"),
            point("20261122-050000", 5, "v1"),
            point("20261122-060000", 6, "v2"),
            point("20261123-070000", 31, "v3"),
            point("rollback-safety-20261123-040000", 28, "v2"),
        ];
        assert_eq!(
            healths(&changes, &mut points),
            [
                "CurrentFailed",
                "served 20 h before v3",
                "served 10 h before v2",
                "NotProven",
                "NotProven",
                "NotProven"
            ],
        );
        for (changes, why) in [
            (vec![change(0, "v1", Done)], "nothing came after it"),
            (vec![change(0, "v1", Noticed), change(9, "v2", Done)], "nobody reported it"),
            (
                vec![change(0, "v1", Done), change(6, "v1", Failed), change(9, "v2", Done)],
                "it was reported as failed",
            ),
        ] {
            let mut points = [point("a", 5, "v1")];
            assert_eq!(healths(&changes, &mut points), ["NotProven"], "{why}");
        }
        let short = [
            change(5, "v1", Done),
            Change { at: at(5) + TimeDelta::minutes(9), ..change(0, "v2", Done) },
        ];
        let mut points = [point("a", 5, "v1")];
        assert_eq!(healths(&short, &mut points), ["NotProven"], "9 minutes are no service");
    }
}
