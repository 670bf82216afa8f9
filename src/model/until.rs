//! How far the logs of a database are replayed (S-35, design 25): as people write it, as it is
//! shown, and what a server can be asked for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::ids::{PointId, Time};
use super::plan::{OnFailure, Plan};
use super::strategy::{Asked, Strategy};

/// What divides a point from the moment after it: `20261122-114417@2026-11-22 12:00:00Z`.
pub const AT: char = '@';
/// The longest name of a restore point that a server takes, in bytes.
const LONGEST_NAME: usize = 63;

/// Where a replay ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// At a moment: what was committed at it or before is there.
    Time(Time),
    /// At a restore point that the server was told to name.
    Name(String),
    /// At a place in the log, such as `0/3000148`.
    Lsn(Lsn),
    /// After a transaction.
    Xid(u64),
    /// Where the logs end.
    Latest,
}

/// A zone of times, as a database has it: how far it is from UTC at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Its name: `Europe/Berlin`.
    pub name: SafeText,
    /// Its distance from UTC in seconds then.
    pub shift: i32,
}

/// A place in a server's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

impl FromStr for Lsn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let no = || format!("{text:?} is no place in a log: write it as 0/3000148");
        let (high, low) = text.trim().split_once('/').ok_or_else(no)?;
        let part = |part: &str| {
            let hex = !part.is_empty() && part.chars().all(|c| c.is_ascii_hexdigit());
            u32::from_str_radix(part, 16).ok().filter(|_| hex).map(u64::from)
        };
        let (high, low) = (part(high).ok_or_else(no)?, part(low).ok_or_else(no)?);
        Ok(Self(high << 32 | low))
    }
}

impl Serialize for Lsn {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lsn {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Until {
    /// Reads `2026-11-22 14:30:22+01:00`, `name:before-v2.5.0`, `lsn:0/3000148`, `xid:812` or
    /// `latest`. A time names its zone (`Z`, `+01:00`): without one it is refused, for a server's
    /// zone and a person's are seldom the same.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("latest") {
            return Ok(Self::Latest);
        }
        if let Some(name) = text.strip_prefix("name:") {
            return named(name);
        }
        if let Some(lsn) = text.strip_prefix("lsn:") {
            return lsn.parse().map(Self::Lsn);
        }
        if let Some(xid) = text.strip_prefix("xid:") {
            let number = xid.trim().parse().ok().filter(|number| *number > 2);
            return number
                .map(Self::Xid)
                .ok_or_else(|| format!("{xid:?} is no transaction: write its number, from 3 on"));
        }
        time(text).map(Self::Time)
    }

    /// Reads what a person types in a hurry: an hour of the last day in UTC (`23:54`), a time ago
    /// (`-14m`), or as [`Until::parse`] does. A moment that is yet to come is refused.
    pub fn typed(text: &str, now: Time) -> Result<Self, String> {
        let text = text.trim();
        let until = match super::times::moment(text, now) {
            Some(at) => Self::Time(at),
            None => Self::parse(text)?,
        };
        if matches!(until, Self::Time(at) if at > now) {
            return Err(format!("{text} is yet to come"));
        }
        Ok(until)
    }

    /// As it is written on a command line.
    pub fn argument(&self) -> String {
        match self {
            Self::Time(at) => stamp(*at),
            Self::Name(name) => format!("name:{name}"),
            Self::Lsn(lsn) => format!("lsn:{lsn}"),
            Self::Xid(xid) => format!("xid:{xid}"),
            Self::Latest => "latest".to_owned(),
        }
    }

    /// The settings of a server that stops there. Every kind of target is set, for an old one that
    /// was left in its files would be a second one, with which it does not start.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("recovery_target", String::new()),
            ("recovery_target_time", String::new()),
            ("recovery_target_name", String::new()),
            ("recovery_target_lsn", String::new()),
            ("recovery_target_xid", String::new()),
        ];
        let set = match self {
            Self::Time(at) => {
                Some(("recovery_target_time", at.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string()))
            }
            Self::Name(name) => Some(("recovery_target_name", name.clone())),
            Self::Lsn(lsn) => Some(("recovery_target_lsn", lsn.to_string())),
            Self::Xid(xid) => Some(("recovery_target_xid", xid.to_string())),
            Self::Latest => None,
        };
        // An empty one first takes the old one away; the one that counts comes last.
        all.retain(|(key, _)| set.as_ref().is_none_or(|(new, _)| new != key));
        all.extend(set);
        all.push(("recovery_target_inclusive", "on".to_owned()));
        all
    }

    /// The moment, where it is one.
    pub fn time(&self) -> Option<Time> {
        match self {
            Self::Time(at) => Some(*at),
            Self::Name(_) | Self::Lsn(_) | Self::Xid(_) | Self::Latest => None,
        }
    }

    /// `up to and with 2026-11-22 13:30:22Z`, with the same moment in the database's zone where
    /// that is another.
    pub fn words(&self, zone: Option<&Zone>) -> String {
        match self {
            Self::Time(at) => {
                let local = zone.filter(|zone| zone.shift != 0).and_then(|zone| {
                    let offset = chrono::FixedOffset::east_opt(zone.shift)?;
                    let name = &zone.name;
                    let local = at.with_timezone(&offset).format("%Y-%m-%d %H:%M:%S%.f");
                    Some(format!(" ({local} in the database's zone {name})"))
                });
                format!("up to and with {}{}", stamp(*at), local.unwrap_or_default())
            }
            Self::Name(name) => format!("up to the restore point named {name}"),
            Self::Lsn(lsn) => format!("up to and with {lsn} of the log"),
            Self::Xid(xid) => format!("up to and with transaction {xid}"),
            Self::Latest => "up to the end of the logs".to_owned(),
        }
    }
}

impl Plan {
    /// What it was asked for: its point, and the moment after it up to which logs are replayed.
    pub fn asked(&self) -> PointId {
        let point = &self.core.point;
        // A switch that takes itself back was asked for by its strategy.
        if self.core.steps.iter().any(|step| step.on_failure == OnFailure::TakeBack) {
            let (strategy, to) = (Some(Strategy::BlueGreen), point.0.clone());
            return PointId(Asked { names: Vec::new(), strategy, to }.target());
        }
        let until = self.core.steps.iter().find_map(|step| {
            let until = step.action.get("restore_database")?.get("until")?;
            serde_json::from_value::<Until>(until.clone()).ok()
        });
        until.map_or_else(
            || point.clone(),
            |until| PointId(format!("{point}{AT}{}", until.argument())),
        )
    }
}

/// A moment in UTC, with fractions only where it has some.
pub fn stamp(at: Time) -> String {
    at.format("%Y-%m-%d %H:%M:%S%.fZ").to_string()
}

fn named(name: &str) -> Result<Until, String> {
    let name = name.trim();
    let good =
        !name.is_empty() && name.len() <= LONGEST_NAME && !name.chars().any(char::is_control);
    if good {
        return Ok(Until::Name(name.to_owned()));
    }
    Err(format!("{name:?} is no name of a restore point: 1 to {LONGEST_NAME} bytes are taken"))
}

fn time(text: &str) -> Result<Time, String> {
    let forms = ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M%#z"];
    // `Z`, and a space before the zone, as people write them.
    let zoned = match text.strip_suffix(['Z', 'z']) {
        Some(rest) => format!("{}+00:00", rest.trim_end()),
        None => match text.strip_suffix("UTC") {
            Some(rest) => format!("{}+00:00", rest.trim_end()),
            None => text.replace(" +", "+").replace(" -", "-"),
        },
    };
    let read = |form: &&str| chrono::DateTime::parse_from_str(&zoned, form).ok();
    if let Some(at) = forms.iter().find_map(read) {
        return Ok(at.to_utc());
    }
    let bare = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    if bare.iter().any(|form| chrono::NaiveDateTime::parse_from_str(text, form).is_ok()) {
        return Err(format!("{text:?} names no zone: write {text}Z for UTC, or {text}+01:00"));
    }
    Err(format!(
        "{text:?} is no target: write 2026-11-22 14:30:22Z, name:NAME, lsn:0/3000148, xid:812 or latest"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_needs_its_zone_and_is_kept_in_utc() {
        let wanted = Until::Time("2026-11-22T13:30:22.5Z".parse().unwrap());
        for text in [
            "2026-11-22 13:30:22.5Z",
            "2026-11-22T14:30:22.5+01:00",
            "2026-11-22 14:30:22.5 +0100",
            "2026-11-22 14:30:22.5+01",
            "2026-11-22 13:30:22.5 UTC",
        ] {
            assert_eq!(Until::parse(text).as_ref(), Ok(&wanted), "{text}");
        }
        assert_eq!(Until::parse(&wanted.argument()), Ok(wanted.clone()));
        let why = Until::parse("2026-11-22 14:30:22").unwrap_err();
        assert!(why.contains("names no zone") && why.contains("14:30:22Z"), "{why}");
        assert!(Until::parse("yesterday").is_err());
        assert_eq!(
            wanted.words(Some(&Zone { name: "Europe/Berlin".into(), shift: 3600 })),
            "up to and with 2026-11-22 13:30:22.500Z \
             (2026-11-22 14:30:22.500 in the database's zone Europe/Berlin)"
        );
    }

    #[test]
    fn names_places_and_transactions_are_read_as_they_are_written() {
        for text in ["name:before v2.5.0", "lsn:16/B374D848", "xid:812", "latest"] {
            assert_eq!(Until::parse(text).unwrap().argument(), text);
        }
        for text in ["name:", "lsn:3000", "lsn:0/+1", "lsn:g/1", "xid:2", "xid:-1", "xid:x"] {
            assert!(Until::parse(text).is_err(), "{text}");
        }
        let json = serde_json::to_string(&Until::Lsn(Lsn(0x300_0148))).unwrap();
        assert_eq!(json, r#"{"lsn":"0/3000148"}"#);
        assert_eq!(serde_json::from_str::<Until>(&json).unwrap(), Until::Lsn(Lsn(0x300_0148)));
    }

    #[test]
    fn a_server_gets_one_target_and_no_old_one() {
        let settings = Until::Xid(812).settings();
        let set: Vec<_> = settings.iter().filter(|(_, value)| !value.is_empty()).collect();
        assert_eq!(set.len(), 2, "{set:?}");
        assert_eq!(settings.len(), 6);
        assert!(Until::Latest.settings().iter().filter(|(_, v)| v.is_empty()).count() == 5);
    }

    #[test]
    fn a_plan_knows_the_moment_that_it_was_asked_for() {
        let mut plan = super::super::sample::level_one();
        let point = plan.core.point.clone();
        assert_eq!(plan.asked(), point);
        let mut step = plan.core.steps[0].clone();
        step.action = serde_json::json!({"restore_database": {"until": {"name": "x"}}});
        plan.core.steps.push(step.clone());
        assert_eq!(plan.asked().as_str(), format!("{point}@name:x"));
        plan.core.steps.pop();
        step.action = serde_json::json!({"restore_database": {"until": null}});
        plan.core.steps.push(step);
        assert_eq!(plan.asked(), point);
    }
}
