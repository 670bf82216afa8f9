//! What log files tell of rollbacks: the six queries of the documents (P-63, 000:946-966), without
//! grep and awk. Pure; each line is looked at once, and what is kept of them is bounded.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::model::ids::Time;
use crate::text::{SafeText, fit};

/// Lines that are shown of each kind, the newest.
const SHOWN: usize = 50;
/// Slower than this is worth showing, in milliseconds: the documents look for three digits.
const SLOW: u64 = 100;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Analysis {
    #[serde(skip)]
    hour: [String; 2],
    /// Lines with ERROR or CRITICAL of the last hour.
    pub errors_last_hour: usize,
    /// Rollbacks that were begun.
    pub rollbacks_initiated: usize,
    /// How those that ended did, by the last word of the line.
    pub ended: BTreeMap<String, usize>,
    /// Operations that took 100 or more.
    pub slow_operations: usize,
    /// The last errors, with their file.
    pub errors: Vec<SafeText>,
    /// The last slow operations.
    pub slow: Vec<SafeText>,
    /// Begin and end of rollbacks, in order of time.
    pub timeline: Vec<SafeText>,
    /// Files that could not be read.
    pub absent: Vec<SafeText>,
}

impl Analysis {
    /// Nothing yet; the last hour is the one before `now`, in this hour or the one before.
    pub fn new(now: Time) -> Self {
        let hour = |at: Time| at.format("%Y-%m-%d %H:%M:%S").to_string();
        Self {
            hour: [hour(now - chrono::Duration::hours(1)), hour(now)],
            errors_last_hour: 0,
            rollbacks_initiated: 0,
            ended: BTreeMap::new(),
            slow_operations: 0,
            errors: Vec::new(),
            slow: Vec::new(),
            timeline: Vec::new(),
            absent: Vec::new(),
        }
    }

    /// Takes one line of the file `name`.
    pub fn take(&mut self, name: &str, line: &SafeText) {
        let text = line.as_str();
        let at = text.get(..19).unwrap_or_default().replace('T', " ");
        let loud = text.contains("ERROR") || text.contains("CRITICAL");
        let [from, to] = &self.hour;
        if loud && *from <= at && at <= *to {
            self.errors_last_hour += 1;
            keep(&mut self.errors, SafeText::new(&fit(&format!("{name}: {text}"), 300)));
        }
        if took(text).is_some_and(|took| took >= SLOW) {
            self.slow_operations += 1;
            keep(&mut self.slow, SafeText::new(&fit(&format!("{name}: {text}"), 300)));
        }
        let Some((_, after)) = text.split_once("rollback") else { return };
        let (begun, good, bad) =
            (after.contains("initiated"), after.contains("completed"), after.contains("failed"));
        // The same line is in two of the files.
        let line = SafeText::new(&fit(text, 300));
        if !(begun || good || bad) || self.timeline.contains(&line) {
            return;
        }
        self.rollbacks_initiated += usize::from(begun);
        if good || bad {
            let word = text.split_whitespace().last().unwrap_or_default();
            *self.ended.entry(fit(word, 40)).or_default() += 1;
        }
        keep(&mut self.timeline, line);
        self.timeline.sort();
    }

    /// Ended well, of all that ended, in percent.
    pub fn success_rate(&self) -> Option<usize> {
        let all: usize = self.ended.values().sum();
        let good = ["SUCCESS", "success", "successfully", "done"];
        let good: usize = good.iter().filter_map(|word| self.ended.get(*word)).sum();
        (good * 100).checked_div(all)
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        writeln!(out, "Errors in the last hour: {}", self.errors_last_hour).ok();
        part(&mut out, &self.errors);
        writeln!(out, "Rollbacks initiated: {}", self.rollbacks_initiated).ok();
        writeln!(out, "Slow operations (took {SLOW} or more): {}", self.slow_operations).ok();
        part(&mut out, &self.slow);
        let rate =
            self.success_rate().map_or_else(|| "none ended".to_owned(), |rate| format!("{rate} %"));
        writeln!(out, "Success rate: {rate}").ok();
        for (word, count) in &self.ended {
            writeln!(out, "  {count} {word}").ok();
        }
        writeln!(out, "Timeline:").ok();
        part(&mut out, &self.timeline);
        if !self.absent.is_empty() {
            writeln!(out, "Absent:").ok();
            part(&mut out, &self.absent);
        }
        writeln!(out, "To follow them all as they are written: backout logs FILE FILE").ok();
        out
    }
}

fn keep(lines: &mut Vec<SafeText>, line: SafeText) {
    if lines.len() == SHOWN {
        lines.remove(0);
    }
    lines.push(line);
}

fn part(out: &mut String, lines: &[SafeText]) {
    for line in lines {
        writeln!(out, "  {line}").ok();
    }
}

/// The number behind `took`.
fn took(text: &str) -> Option<u64> {
    let (_, after) = text.split_once("took ")?;
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after.get(..digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_six_queries_of_the_documents_find_what_a_known_file_holds() {
        let now = "2024-01-15T14:30:00Z".parse().unwrap();
        let mut analysis = Analysis::new(now);
        let file = "2024-01-15 13:20:00 ERROR too old\n\
            2024-01-15 13:40:00 CRITICAL check api is FAIL\n\
            2024-01-15 14:00:00 INFO rollback 1-a-1 initiated by alice: errors\n\
            2024-01-15 14:00:01 INFO rollback 1-a-1: step switch took 99 ms: done\n\
            2024-01-15 14:00:09 INFO rollback 1-a-1: step verify took 8000 ms: done\n\
            2024-01-15 14:00:10 INFO rollback 1-a-1 completed, took 9000 ms, status: SUCCESS\n\
            2024-01-15 14:10:00 INFO rollback 2-a-1 initiated by bob: slow\n\
            2024-01-15 14:10:10 CRITICAL rollback 2-a-1 failed, took 50 ms: no, status: FAILED\n";
        for name in ["integration.log", "rollback_execution.log"] {
            for line in file.lines() {
                let shared = line.contains("initiated") || line.contains("status:");
                if shared || name == "integration.log" {
                    analysis.take(name, &SafeText::new(line));
                }
            }
        }
        assert_eq!(analysis.rollbacks_initiated, 2);
        assert_eq!(analysis.ended, [("FAILED".to_owned(), 1), ("SUCCESS".to_owned(), 1)].into());
        assert_eq!(analysis.success_rate(), Some(50));
        assert_eq!(analysis.timeline.len(), 4);
        assert!(analysis.timeline.is_sorted());
        // One of them is in both files, as grep would count it.
        assert_eq!((analysis.errors_last_hour, analysis.slow_operations), (3, 3));
        let text = analysis.text();
        assert!(text.contains("Rollbacks initiated: 2\n") && text.contains("Success rate: 50 %"));
    }
}
