//! Which restore points may go (P-82, P-84): by the age that their manifest says and by count,
//! never by the age of a folder (W-08).

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::adapters::{Error, Kind};
use crate::model::ids::{PointId, Time};

use super::super::index::sync_folder;
use super::super::manifest::PointKind;
use super::Point;

/// What keeps points.
#[derive(Clone, Debug, Default)]
pub struct Keep {
    /// How long a point is kept.
    pub age: Duration,
    /// How many of the newest are kept, however old.
    pub count: usize,
    /// Pinned by a person.
    pub pinned: Vec<PointId>,
    /// The last that is recorded good.
    pub last_good: Option<PointId>,
    /// Planned with, or run with.
    pub held: Vec<PointId>,
}

/// What becomes of a point, and why it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// Which.
    pub id: PointId,
    /// Why it stays; nothing when it may go.
    pub kept: Option<&'static str>,
}

/// What becomes of each of `points`, which are listed newest first.
pub fn fates(points: &[Point], keep: &Keep, now: Time) -> Vec<Fate> {
    let age = chrono::TimeDelta::from_std(keep.age).unwrap_or(chrono::TimeDelta::MAX);
    let mut counted = 0;
    points
        .iter()
        .map(|point| {
            let mine = point.manifest.is_some();
            if point.kind == PointKind::Backup && mine {
                counted += 1;
            }
            let old = point.taken_at.is_some_and(|at| now - at > age);
            let kept = if point.kind == PointKind::Safety {
                Some("a safety backup")
            } else if !mine {
                Some("no manifest says what it is")
            } else if keep.pinned.contains(&point.id) {
                Some("pinned")
            } else if keep.last_good.as_ref() == Some(&point.id) {
                Some("the last good")
            } else if keep.held.contains(&point.id) {
                Some("a plan or a run holds it")
            } else if counted <= keep.count {
                Some("one of the newest")
            } else if !old {
                Some("not old enough")
            } else {
                None
            };
            Fate { id: point.id.clone(), kept }
        })
        .collect()
}

/// Removes `point` from `folder`: it is no point any more from the first moment on.
pub fn remove(folder: &Path, point: &Point) -> Result<(), Error> {
    if point.path.parent() != Some(folder) {
        let message = format!("could not remove {}: it is not in {}", point.id, folder.display());
        return Err(Error::new(Kind::Rejected, message));
    }
    let gone = folder.join(format!(".{}.gone", point.id));
    let failed = |e: std::io::Error| Error::io("remove", point.path.display(), &e);
    if gone.exists() {
        fs::remove_dir_all(&gone).map_err(failed)?;
    }
    fs::rename(&point.path, &gone).map_err(failed)?;
    sync_folder(folder)?;
    fs::remove_dir_all(&gone).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::super::super::manifest::Manifest;
    use super::*;

    fn point(id: &str, days: i64, kind: PointKind) -> Point {
        let now: Time = "2026-11-22T00:00:00Z".parse().unwrap();
        Point {
            id: id.into(),
            kind,
            manifest: Some(Manifest::default()),
            taken_at: Some(now - chrono::TimeDelta::days(days)),
            ..Point::default()
        }
    }

    #[test]
    fn only_what_is_old_and_nobodys_goes() {
        use PointKind::{Backup, Safety};
        let mut by_hand = point("by-hand", 400, Backup);
        by_hand.manifest = None;
        let points = [
            point("new", 1, Backup),
            point("second", 29, Backup),
            point("a-day-too-old", 31, Backup),
            point("pinned", 50, Backup),
            point("rollback-safety-1", 60, Safety),
            point("good", 70, Backup),
            point("held", 80, Backup),
            point("old", 90, Backup),
            by_hand,
        ];
        let keep = Keep {
            age: Duration::from_hours(24 * 30),
            count: 1,
            pinned: vec!["pinned".into()],
            last_good: Some("good".into()),
            held: vec!["held".into()],
        };
        let now = "2026-11-22T00:00:00Z".parse().unwrap();
        let gone = |keep: &Keep| -> Vec<String> {
            let fates = fates(&points, keep, now).into_iter();
            fates.filter(|fate| fate.kept.is_none()).map(|fate| fate.id.0).collect()
        };
        assert_eq!(gone(&keep), ["a-day-too-old", "old"]);
        assert_eq!(gone(&Keep { count: 3, ..keep.clone() }), ["old"]);
        assert_eq!(gone(&Keep { age: Duration::from_hours(24 * 100), ..keep }), [""; 0]);
    }

    #[test]
    fn a_removed_point_takes_nothing_else_with_it() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["20260101-000000", "20260102-000000"] {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("images.txt"), "app:v1\n").unwrap();
        }
        let found = super::super::list(dir.path()).unwrap();
        remove(dir.path(), &found[1]).unwrap();
        let left = super::super::list(dir.path()).unwrap();
        assert_eq!(left, found[..1]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let elsewhere = Point { path: "/tmp".into(), ..found[0].clone() };
        assert!(remove(dir.path(), &elsewhere).is_err());
    }
}
