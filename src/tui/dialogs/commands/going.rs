//! Whole commands that make a plan: of the way back of a run, or to a moment.

use crate::model::entry::Command;
use crate::model::ids::{PointId, RunId, Time};
use crate::model::plan::{Level, TYPE};
use crate::model::until::Until;
use crate::tui::world::World;

use super::{Read, Verb, known};

/// A plan that takes a run back.
pub(super) fn undo(rest: &str, world: &World) -> Read {
    let named = known(Verb::Undo, rest, world)?;
    let last = world.situation.history.first().map(|past| past.run.clone());
    let run = match (named.as_str(), last) {
        ("last", Some(last)) => last,
        ("last", None) => return Err("there is no run to take back".to_owned()),
        (run, _) => RunId::from(run),
    };
    world.situation.taken_back(&run).map_err(|why| why.to_string())?;
    Ok(Command::PlanUndo { run })
}

/// A plan of level 3 to a moment: as `rollback --to` takes it, or an hour of the last day in UTC.
pub(super) fn to(rest: &str, now: Time) -> Read {
    let text = rest.trim();
    if text.is_empty() {
        return Err(
            "say to when: 23:54 (UTC), -14m, 2026-11-21 23:54:00Z, name:X, latest".to_owned()
        );
    }
    let until = Until::typed(text, now)?;
    let target = PointId(format!("@{}", until.argument()));
    Ok(Command::Plan { level: Level::PointInTime, target: Some(target) })
}

/// A plan of a procedure; the engine says which there are when it knows none of that name.
pub(super) fn of_type(rest: &str) -> Read {
    match rest.trim() {
        "" => Err("say which: its name under procedures: in the configuration".to_owned()),
        name if name.contains(char::is_whitespace) => Err(format!("{name} is not one name")),
        // Its level is its own.
        name => {
            let target = PointId(format!("{TYPE}{name}"));
            Ok(Command::Plan { level: Level::Switch, target: Some(target) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_of_a_type_is_one_name() {
        let Command::Plan { target: Some(target), .. } = of_type(" redis ").unwrap() else {
            panic!("no plan")
        };
        assert_eq!(target.as_str(), "type:redis");
        assert!(of_type("").unwrap_err().contains("say which"));
        assert!(of_type("redis now").unwrap_err().contains("not one name"));
    }

    fn target(text: &str) -> Result<String, String> {
        let now = "2026-11-22T03:00:00Z".parse().unwrap();
        match to(text, now)? {
            Command::Plan { level: Level::PointInTime, target: Some(target) } => Ok(target.0),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_moment_is_an_hour_a_time_ago_a_date_with_its_zone_or_a_name() {
        assert_eq!(target("02:50").unwrap(), "@2026-11-22 02:50:00Z");
        assert_eq!(target("23:54").unwrap(), "@2026-11-21 23:54:00Z");
        assert_eq!(target("-10m").unwrap(), "@2026-11-22 02:50:00Z");
        assert_eq!(target("2026-11-22 03:50:00+01:00").unwrap(), "@2026-11-22 02:50:00Z");
        assert_eq!(target("name:before-v2.5.0").unwrap(), "@name:before-v2.5.0");
        assert_eq!(target("latest").unwrap(), "@latest");
        assert!(target("2026-11-22 03:50:00").unwrap_err().contains("zone"));
        assert!(target("+10m").unwrap_err().contains("yet to come"));
        assert!(target("").unwrap_err().contains("say to when"));
    }
}
