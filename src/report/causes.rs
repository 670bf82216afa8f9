//! Errors of log lines grouped by what they say (S-61, 003:1053-1064): what `grep -i error | sort |
//! uniq -c` shows, with numbers and ids taken out so that equal errors are one. Pure; what is kept is
//! bounded.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use serde::Serialize;

use crate::model::ids::Time;
use crate::text::{SafeText, fit};

/// How many different errors are kept; more are only counted.
const KINDS: usize = 2000;
/// How many of them are shown.
const SHOWN: usize = 20;
/// A run of hexadecimal digits that is at least so long is an id.
const ID: usize = 8;

/// Lines that say the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// How many.
    pub count: u64,
    /// The text that they share, with `#` for what differs.
    pub says: SafeText,
    /// Where they came from.
    pub sources: BTreeSet<String>,
    /// The first of them.
    pub first: Time,
    /// The last of them.
    pub last: Time,
    /// One of them as it was written.
    pub example: SafeText,
}

/// What lines say.
#[derive(Clone, Debug, Default)]
pub struct Causes {
    groups: HashMap<String, Group>,
    total: u64,
    other: u64,
}

impl Causes {
    /// Takes `count` equal lines of `source`, the newest of them at `at`.
    pub fn take(&mut self, source: &str, at: Time, line: &SafeText, count: u64) {
        self.total += count;
        let says = pattern(line.as_str());
        let full = self.groups.len() >= KINDS;
        let group = match self.groups.get_mut(&says) {
            Some(group) => group,
            None if full => {
                self.other += count;
                return;
            }
            None => self.groups.entry(says.clone()).or_insert_with(|| Group {
                count: 0,
                says: SafeText::new(&says),
                sources: BTreeSet::new(),
                first: at,
                last: at,
                example: line.clone(),
            }),
        };
        group.count += count;
        group.first = group.first.min(at);
        group.last = group.last.max(at);
        if !group.sources.contains(source) {
            group.sources.insert(source.to_owned());
        }
    }

    /// All lines that were taken.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The groups, the most frequent first; of equals, what began first.
    pub fn groups(&self) -> Vec<&Group> {
        let mut all: Vec<&Group> = self.groups.values().collect();
        all.sort_by(|a, b| (b.count, a.first, &a.says).cmp(&(a.count, b.first, &b.says)));
        all
    }

    /// The table, one line a group.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let all = self.groups();
        for group in all.iter().take(SHOWN) {
            let sources: Vec<&str> = group.sources.iter().map(String::as_str).collect();
            let when = group.first.format("%H:%M:%S");
            let text = fit(group.says.as_str(), 140);
            writeln!(out, "{:>7}  since {when}  {}  {text}", group.count, sources.join(",")).ok();
        }
        let more = all.len().saturating_sub(SHOWN);
        let rest: u64 = all.iter().skip(SHOWN).map(|group| group.count).sum::<u64>() + self.other;
        if rest > 0 {
            writeln!(out, "{rest:>7}  in {more} other kinds").ok();
        }
        out
    }
}

/// The line without what tells equal errors apart: times, numbers, ids.
fn pattern(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for word in line.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let rest = word.get(bare.len()..).unwrap_or_default();
        let digits = bare.bytes().any(|b| b.is_ascii_digit());
        let id = bare.len() >= ID && bare.bytes().all(|b| b.is_ascii_hexdigit());
        if digits && id || bare.bytes().all(|b| b.is_ascii_digit()) && !bare.is_empty() {
            out.push('#');
        } else if digits {
            // `v2.5`, `took 12ms`: the letters stay.
            let mut inside = false;
            for c in bare.chars() {
                if !c.is_ascii_digit() {
                    out.push(c);
                } else if !inside {
                    out.push('#');
                }
                inside = c.is_ascii_digit();
            }
        } else {
            out.push_str(bare);
        }
        out.push_str(rest);
    }
    fit(&out, 400)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::at;

    #[test]
    fn equal_errors_are_one_whatever_their_numbers_and_the_most_frequent_comes_first() {
        let mut causes = Causes::default();
        for second in 0..30 {
            let line = format!(
                "2026-11-22 02:50:{second:02} ERROR request_id=a567a6{second:02} preferences of user {} are not a map",
                290 + second
            );
            causes.take("green", at(second), &SafeText::new(&line), 1);
        }
        causes.take("proxy", at(4), &"ERROR upstream timed out after 60s".into(), 2);
        causes.take("blue", at(9), &"ERROR upstream timed out after 7s".into(), 1);
        let groups = causes.groups();
        assert_eq!(causes.total(), 33);
        let found: Vec<(u64, &str)> =
            groups.iter().map(|group| (group.count, group.says.as_str())).collect();
        assert_eq!(
            found,
            [
                (30, "#-#-# #:#:# ERROR request_id=# preferences of user # are not a map"),
                (3, "ERROR upstream timed out after #s"),
            ]
        );
        assert_eq!((groups[0].first, groups[0].last), (at(0), at(29)));
        assert_eq!(groups[1].sources, BTreeSet::from(["blue".to_owned(), "proxy".to_owned()]));
        assert!(causes.table().starts_with("     30  since "), "{}", causes.table());
    }

    #[test]
    fn an_id_is_one_sign_and_a_word_stays() {
        assert_eq!(pattern("deadbeef01 faded v2.5.0"), "# faded v#.#.#");
        assert_eq!(pattern("decade feedface"), "decade feedface");
    }

    #[test]
    fn a_flood_of_different_errors_is_counted_and_does_not_grow() {
        let mut causes = Causes::default();
        let word = |n: usize| -> String {
            n.to_string().bytes().map(|b| char::from(b - b'0' + b'g')).collect()
        };
        for n in 0..KINDS + 500 {
            causes.take("app", at(0), &SafeText::new(&word(n)), 1);
        }
        assert_eq!(causes.groups().len(), KINDS);
        assert_eq!(causes.total(), 2500);
        assert!(causes.table().contains("2480  in 1980 other kinds"), "{}", causes.table());
    }
}
