//! Which points can still be gone back to when one did not help (S-54).

use super::ids::Time;
use super::restore_point::RestorePoint;

/// Points that are named at most.
const SHOWN: usize = 3;

/// Backups that could be restored, newest first.
fn backups(points: &[RestorePoint]) -> impl Iterator<Item = &RestorePoint> {
    points.iter().filter(|point| {
        point.color.is_none()
            && point.refused.is_none()
            && point.manifest.is_some()
            && !point.id.as_str().starts_with("rollback-safety-")
    })
}

/// Points of versions at least two before `failed`, newest first: what the version directly before
/// it was restored from has not helped.
pub fn two_versions_older<'a>(points: &'a [RestorePoint], failed: &str) -> Vec<&'a RestorePoint> {
    let mut versions = vec![failed];
    let mut found = Vec::new();
    for point in backups(points) {
        let version = point.version.as_str();
        let at = versions.iter().position(|known| *known == version).unwrap_or(versions.len());
        if at == versions.len() {
            versions.push(version);
        }
        if at >= 2 {
            found.push(point);
        }
    }
    found
}

/// Points that were taken before `moment`, newest first.
pub fn before(points: &[RestorePoint], moment: Time) -> Vec<&RestorePoint> {
    backups(points).filter(|point| point.taken_at.is_some_and(|at| at < moment)).collect()
}

/// `20261120-010203 (v2.4.8), 20261119-010203 (v2.4.8)`, and the command that takes the first.
pub fn words(points: &[&RestorePoint]) -> Option<String> {
    let first = points.first()?;
    let names: Vec<String> = points
        .iter()
        .take(SHOWN)
        .map(|point| format!("{} ({})", point.id, point.version))
        .collect();
    let more = points.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let names = names.join(", ");
    Some(format!("{names}{more}: backout rollback --level 3 --target {}", first.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::Digest;

    fn point(id: &str, version: &str) -> RestorePoint {
        RestorePoint {
            id: id.into(),
            version: version.into(),
            taken_at: format!("2026-11-{}T00:00:00Z", &id[6..8]).parse().ok(),
            manifest: Some(Digest::of(id.as_bytes())),
            ..RestorePoint::default()
        }
    }

    #[test]
    fn only_points_two_versions_older_and_whole_are_offered() {
        let mut points = vec![
            point("20261122-1", "v5"),
            point("20261121-1", "v4"),
            point("20261120-1", "v4"),
            point("20261119-1", "v3"),
            point("20261118-1", "v2"),
        ];
        let ids = |found: Vec<&RestorePoint>| -> Vec<String> {
            found.iter().map(|point| point.id.to_string()).collect()
        };
        assert_eq!(ids(two_versions_older(&points, "v5")), ["20261119-1", "20261118-1"]);
        points[3].refused = Some("damaged".into());
        assert_eq!(ids(two_versions_older(&points, "v5")), ["20261118-1"]);
        let moment = "2026-11-20T00:00:00Z".parse().unwrap();
        assert_eq!(ids(before(&points, moment)), ["20261118-1"]);
        assert_eq!(
            words(&before(&points, moment)).unwrap(),
            "20261118-1 (v2): backout rollback --level 3 --target 20261118-1"
        );
        assert_eq!(words(&[]), None);
    }
}
