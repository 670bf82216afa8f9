//! Timelines: each promotion begins one, and its history says where the one before was left.

use crate::model::until::Lsn;

use super::Archive;

/// The timelines that lead from a base backup to where it is to be brought, and where in the log
/// each is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage(Vec<(u32, Lsn)>);

/// The lines of a history file: older timelines, and where each was left. What cannot be read is
/// left out, as a server does with its comments.
pub(super) fn history(text: &str) -> Vec<(u32, Lsn)> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

impl Lineage {
    /// From a base backup of timeline `from` that begins at `start`, to the timeline `to`; without
    /// one, to the newest that came from it.
    pub fn of(
        archive: &Archive,
        (from, start): (u32, Lsn),
        to: Option<u32>,
    ) -> Result<Self, String> {
        let down_to = |line: u32| {
            if line == from {
                return Some(vec![(from, Lsn(u64::MAX))]);
            }
            let history = archive.histories.get(&line)?;
            let at = history.iter().position(|(older, left)| *older == from && *left >= start)?;
            let mut all = history.get(at..)?.to_vec();
            all.push((line, Lsn(u64::MAX)));
            Some(all)
        };
        if let Some(line) = to {
            return down_to(line).map(Self).ok_or_else(|| {
                format!(
                    "the base backup is of timeline {from}, and no history says that timeline \
                     {line} came from it after {start}"
                )
            });
        }
        let newest = archive.histories.keys().rev().find_map(|line| down_to(*line));
        Ok(Self(newest.unwrap_or_else(|| vec![(from, Lsn(u64::MAX))])))
    }

    /// The timeline at its end.
    pub fn timeline(&self) -> u32 {
        self.0.last().map_or(1, |(line, _)| *line)
    }

    /// Whether it goes through `line`.
    pub fn holds(&self, line: u32) -> bool {
        self.0.iter().any(|(known, _)| *known == line)
    }

    /// The names under which segment `number` may lie, newest timeline first: one that holds the
    /// end of a timeline was begun on that one, and goes on under the name of the next.
    pub(super) fn names(&self, number: u64, size: u64) -> impl Iterator<Item = (u32, u64)> + '_ {
        let begins = move |at: usize| {
            let before = at.checked_sub(1).and_then(|at| self.0.get(at));
            before.map_or(0, |(_, left)| left.0 / size.max(1))
        };
        let through =
            self.0.iter().enumerate().rev().filter(move |(at, (_, left))| {
                number >= begins(*at) && number <= left.0 / size.max(1)
            });
        through.map(move |(_, (line, _))| (*line, number))
    }

    /// The timeline under whose name segment `number` is looked for first.
    pub(super) fn line_of(&self, number: u64, size: u64) -> u32 {
        self.names(number, size).next().map_or_else(|| self.timeline(), |(line, _)| line)
    }
}
