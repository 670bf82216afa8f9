//! The logs of a database: up to where they are replayed, and what they could reach (S-30, S-35).

use std::path::Path;

use crate::adapters::database::{BASE, REPOSITORY};
use crate::adapters::{Error, Kind};
use crate::config::Config;
use crate::model::ids::{PointId, Time};
use crate::model::plan::{Level, Way};
use crate::model::restore_point::RestorePoint;
use crate::model::until::{AT, Until, Zone};
use crate::model::window::Window;
use crate::text::SafeText;

use super::super::planner::Facts;
use super::super::stack::Stack;

/// What the logs are used for.
pub(super) struct Logs {
    /// Up to where they are replayed; nothing where the point's own moment is restored.
    pub(super) until: Option<Until>,
    /// What can be reached from the point's base backup, or why that is not known.
    window: Option<Result<Window, SafeText>>,
    /// The database's zone of times at that moment, where it says one.
    pub(super) zone: Option<Zone>,
}

/// The point and the moment that were asked for.
pub(super) fn goal(facts: &Facts) -> Result<(Option<PointId>, Option<Until>), Error> {
    let Some(target) = &facts.target else { return Ok((None, None)) };
    let Some((point, until)) = target.as_str().split_once(AT) else {
        return Ok((Some(target.clone()), None));
    };
    let rejected = |why: String| Error::new(Kind::Rejected, why);
    if facts.level != Level::PointInTime {
        return Err(rejected(format!("only level 3 goes back to a moment ({until})")));
    }
    let until = Until::parse(until).map_err(rejected)?;
    let point = Some(point).filter(|point| !point.is_empty()).map(PointId::from);
    Ok((point, Some(until)))
}

/// Whether a point has a base backup that was finished before the moment.
pub(super) fn begins_before(point: &RestorePoint, until: Option<&Until>, config: &Config) -> bool {
    let folder = config.restore_points.as_ref().map(|points| points.join(point.id.as_str()));
    let held = folder
        .is_some_and(|folder| [BASE, REPOSITORY].iter().any(|name| folder.join(name).is_file()));
    let at = until.and_then(Until::time);
    held && at.is_none_or(|at| point.taken_at.is_some_and(|taken| taken <= at))
}

impl Logs {
    /// Looks at what can be reached; a target outside is refused with both ends.
    pub(super) async fn look(
        stack: &Stack,
        level: Level,
        folder: &Path,
        until: Option<Until>,
    ) -> Result<Self, Error> {
        let name = stack.database.as_ref().map_or(BASE, |database| database.base_name());
        let base = folder.join(name);
        let window = match (&stack.database, level) {
            (Some(database), Level::PointInTime) => database.window(&base).await.transpose(),
            (Some(_), Level::Switch | Level::Full) | (None, _) => None,
        };
        if let Some(until) = &until {
            let rejected = |why: String| Error::new(Kind::Rejected, why);
            match &window {
                Some(Ok(window)) => window.admit(until).map_err(rejected)?,
                Some(Err(error)) => return Err(error.clone()),
                None => {
                    return Err(rejected(format!(
                        "could not go back {}: the point has no {name}, or no archive of logs is \
                         configured (database.postgres.recovery)",
                        until.words(None)
                    )));
                }
            }
        }
        let window = window.map(|found| found.map_err(|error| SafeText::new(&error.message)));
        let zone = match (&stack.database, &window) {
            (Some(database), Some(Ok(window))) => {
                let at = until.as_ref().and_then(Until::time).unwrap_or(window.until);
                // Only words depend on it.
                database.zone(at).await.ok().flatten()
            }
            (Some(_), Some(Err(_)) | None) | (None, _) => None,
        };
        Ok(Self { until, window, zone })
    }

    /// What can be reached.
    pub(super) fn window(&self) -> Option<&Window> {
        self.window.as_ref().and_then(|window| window.as_ref().ok())
    }

    /// From when on something is lost; nothing where the point's own moment is restored.
    pub(super) fn from(&self, now: Time) -> Option<Time> {
        let window = self.window();
        match self.until.as_ref()? {
            Until::Time(at) => Some(*at),
            Until::Latest => Some(window.map_or(now, |window| window.until)),
            // The server alone knows when that was: at the worst the backup's end.
            Until::Name(_) | Until::Lsn(_) | Until::Xid(_) => window.map(|window| window.from),
        }
    }

    /// What they are, and what is done with them.
    pub(super) fn words(&self) -> (String, String, Way) {
        match (&self.window, &self.until) {
            (Some(Ok(window)), Some(until)) => {
                let words = format!("replayed {}", until.words(self.zone.as_ref()));
                (format!("available: {}", window.words()), words, Way::Back)
            }
            (Some(Ok(window)), None) => (
                format!("available: {}", window.words()),
                "not used: --to TIME replays them".to_owned(),
                Way::Stays,
            ),
            (Some(Err(why)), _) => {
                ("not usable".to_owned(), format!("no replay: {why}"), Way::Cannot)
            }
            (None, _) => (
                "absent".to_owned(),
                "no replay: the point has no base backup, or no logs are kept".to_owned(),
                Way::Cannot,
            ),
        }
    }
}
