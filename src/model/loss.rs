//! What a recovery to a point in time loses, in minutes and in rows, and what a person chooses
//! once that is known (S-41, W-18, design 17).

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::ids::Time;
use super::tables::grouped;

/// What is lost when the restored copy takes the place of the live data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// The moment that the copy holds.
    pub from: Time,
    /// When writes were held; nothing before that, and the loss still grows.
    pub until: Option<Time>,
    /// Whether logs were replayed up to a later moment.
    pub logs: bool,
    /// Per table, where it was counted.
    pub tables: Vec<LostRows>,
    /// Each store's own moment.
    pub stores: Vec<StoreTime>,
    /// The folder where the rows lie that only the live data has, a file a table.
    #[serde(default, skip_serializing_if = "SafeText::is_empty")]
    pub kept_in: SafeText,
    /// Why rows were not counted, where they were not.
    #[serde(default, skip_serializing_if = "SafeText::is_empty")]
    pub not_counted: SafeText,
}

/// One table at the point, now, and what only the live one has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostRows {
    /// Which.
    pub table: SafeText,
    /// Its rows in the copy.
    pub then: u64,
    /// Its rows in the live database; nothing when it is not there.
    pub now: Option<u64>,
    /// Rows that only the live database has, new or changed; nothing where it cannot be counted.
    pub lost: Option<u64>,
    /// The exact command that copies this table from the copy into the live data by hand.
    #[serde(default, skip_serializing_if = "SafeText::is_empty")]
    pub by_hand: SafeText,
}

/// The moment that one store goes back to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoreTime {
    /// `database`, `redis`, `files`.
    pub store: SafeText,
    /// Its own moment.
    pub at: Time,
}

/// How a run ends after which both are up.
pub const BESIDE: &str = "BESIDE: the live data stays";

/// What a person decides when the copy is up beside the live data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The copy takes the place of the live data, which is kept.
    Swap {
        /// The minutes of data that are lost, as the person typed them.
        minutes: u64,
    },
    /// Both stay; single tables are copied by hand.
    Beside,
    /// Another point: the copy is removed and the holds are lifted.
    NewTime,
    /// The same, and a plan to another moment is made as soon as that is done.
    NewMoment {
        /// The moment, as a command line takes it: `2026-11-22 02:50:00Z`, `name:before-v2.5.0`.
        to: String,
    },
}

impl Choice {
    /// `SWAP`, `BESIDE`, `NEW TIME`.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Swap { .. } => "SWAP",
            Self::Beside => "BESIDE",
            Self::NewTime | Self::NewMoment { .. } => "NEW TIME",
        }
    }
}

impl Loss {
    /// Whole minutes, begun ones counted, from the point to the moment when writes stopped.
    pub fn minutes(&self, now: Time) -> u64 {
        let span = self.until.unwrap_or(now) - self.from;
        u64::try_from(span.num_seconds()).unwrap_or_default().div_ceil(60)
    }

    /// Rows that only the live data has, where all tables could be counted.
    pub fn rows(&self) -> Option<u64> {
        if self.tables.is_empty() {
            return None;
        }
        self.tables.iter().map(|table| table.lost).sum()
    }

    /// The two sentences of S-41.
    pub fn sentences(&self, now: Time) -> [String; 2] {
        let logs = if self.logs {
            "Transaction logs available - data loss minimized"
        } else {
            "No transaction logs - full RPO data loss possible"
        };
        [format!("Potential data loss window: {} minutes", self.minutes(now)), logs.to_owned()]
    }

    /// Both ends of the window: what was written between them is lost.
    pub fn ends(&self) -> String {
        let from = self.from.format("%Y-%m-%d %H:%M:%SZ");
        match self.until {
            Some(until) => format!("from {from} to {}", until.format("%Y-%m-%d %H:%M:%SZ")),
            None => format!("from {from} until writes stop"),
        }
    }

    /// A line a store, where its own moment is another than the newest one: `files: …  ! -3 min`.
    pub fn store_lines(&self) -> Vec<String> {
        let newest = self.stores.iter().map(|store| store.at).max();
        let line = |store: &StoreTime| {
            let skew = newest.map_or(0, |newest| (newest - store.at).num_seconds());
            let skew = match skew {
                ..1 => String::new(),
                1..120 => format!("  ! {skew} s behind"),
                _ => format!("  ! {} min behind", skew / 60),
            };
            format!("{}: {}{skew}", store.store, store.at.format("%Y-%m-%d %H:%M:%SZ"))
        };
        self.stores.iter().map(line).collect()
    }

    /// The exact commands that copy single tables into the live data, where both stay.
    pub fn by_hand(&self) -> Vec<String> {
        let lines = self.tables.iter().filter(|table| !table.by_hand.is_empty());
        lines.map(|table| table.by_hand.to_string()).collect()
    }

    /// What was lost, in the result of a run: the sentences, the window, the rows and where they
    /// are kept, and where there are several stores, each one's own moment.
    pub fn result(&self) -> String {
        let until = self.until.unwrap_or(self.from);
        let [window, logs] = self.sentences(until);
        let kept = if self.kept_in.is_empty() {
            String::new()
        } else {
            format!("; the rows are kept in {}", self.kept_in)
        };
        let stores = match self.stores.as_slice() {
            [] | [_] => String::new(),
            _ => format!("; goes back to {}", self.store_lines().join(", ").replace("  ", " ")),
        };
        format!("{window}; {logs}; {}, {}{kept}{stores}", self.words(until), self.ends())
    }

    /// `41 min of writes, 4,140 rows of 2 tables`.
    pub fn words(&self, now: Time) -> String {
        let minutes = self.minutes(now);
        let tables = self.tables.iter().filter(|table| table.lost.is_some_and(|rows| rows > 0));
        match (self.rows(), tables.count()) {
            (None, _) if !self.not_counted.is_empty() => {
                format!("{minutes} min of writes, rows not counted ({})", self.not_counted)
            }
            (None, _) => format!("{minutes} min of writes, rows not counted yet"),
            (Some(0), _) => format!("{minutes} min, and no row that only the live data has"),
            (Some(rows), 1) => {
                format!("{minutes} min of writes, {} rows of 1 table", grouped(rows))
            }
            (Some(rows), count) => {
                format!("{minutes} min of writes, {} rows of {count} tables", grouped(rows))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn the_window_is_from_the_point_to_the_moment_when_writes_stopped() {
        let mut loss = Loss { from: at("2026-11-22T02:00:00Z"), ..Loss::default() };
        let now = at("2026-11-22T03:00:00Z");
        assert_eq!(loss.minutes(now), 60, "it still grows");
        loss.until = Some(at("2026-11-22T02:40:01Z"));
        assert_eq!(loss.minutes(now), 41, "a begun minute counts");
        assert_eq!(
            loss.sentences(now),
            [
                "Potential data loss window: 41 minutes",
                "No transaction logs - full RPO data loss possible"
            ]
        );
        assert_eq!(loss.words(now), "41 min of writes, rows not counted yet");
    }

    #[test]
    fn each_store_has_its_own_moment_and_one_that_is_behind_says_how_far() {
        let store = |name: &str, text| StoreTime { store: name.into(), at: at(text) };
        let loss = Loss {
            from: at("2026-11-22T02:00:00Z"),
            until: Some(at("2026-11-22T02:40:01Z")),
            stores: vec![
                store("database", "2026-11-22T02:00:00Z"),
                store("files", "2026-11-22T02:03:00Z"),
            ],
            kept_in: "/e/lost-rows".into(),
            ..Loss::default()
        };
        assert_eq!(
            loss.store_lines(),
            ["database: 2026-11-22 02:00:00Z  ! 3 min behind", "files: 2026-11-22 02:03:00Z"]
        );
        assert_eq!(
            loss.result(),
            "Potential data loss window: 41 minutes; \
             No transaction logs - full RPO data loss possible; \
             41 min of writes, rows not counted yet, \
             from 2026-11-22 02:00:00Z to 2026-11-22 02:40:01Z; the rows are kept in /e/lost-rows; \
             goes back to database: 2026-11-22 02:00:00Z ! 3 min behind, \
             files: 2026-11-22 02:03:00Z"
        );
    }

    #[test]
    fn rows_that_could_not_be_counted_are_not_called_none() {
        let table = |lost| LostRows {
            table: "users".into(),
            then: 1,
            now: Some(2),
            lost,
            ..LostRows::default()
        };
        let with = |tables| Loss { tables, ..Loss::default() };
        assert_eq!(with(vec![table(Some(3)), table(None)]).rows(), None);
        assert_eq!(with(vec![table(Some(3)), table(Some(0))]).rows(), Some(3));
    }
}
