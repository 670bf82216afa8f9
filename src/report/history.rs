//! The history line of S-74, its parser, and the report over it (S-75).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chrono::NaiveDateTime;
use thiserror::Error;

use crate::model::entry::Outcome;
use crate::model::ids::Time;
use crate::model::incident::Run;
use crate::model::situation::PastRun;

const TIME: &str = "%Y-%m-%d %H:%M:%S";

/// One rollback, as one line of the history file. Only the two words of the document stand for the
/// status; how it really ended is in the journal (W-20).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it ended, in UTC.
    pub at: NaiveDateTime,
    /// 1, 2 or 3.
    pub level: u8,
    /// The version that was left.
    pub from: String,
    /// The version gone to.
    pub to: String,
    /// Seconds from the confirmation until traffic was good, or until it ended.
    pub duration: u64,
    /// Whether it is `success`; everything else is `failed`.
    pub success: bool,
    /// Why it was done.
    pub reason: String,
}

impl Line {
    /// The line of a run that ends now. Where the copy was left beside the live data nothing has
    /// moved: it went to where it came from.
    pub fn of_run(run: &Run, outcome: Outcome, took: Duration, at: Time) -> Self {
        let (from, to) = (&run.plan.core.from, &run.plan.core.to);
        Self {
            at: at.naive_utc(),
            level: run.plan.core.level.number(),
            from: word(from.as_str()),
            to: word(if run.stays_beside() { from } else { to }.as_str()),
            duration: took.as_secs(),
            success: outcome == Outcome::Done,
            reason: run.reason.as_str().to_owned(),
        }
    }

    /// The line of a run that has ended.
    pub fn of_past(past: &PastRun) -> Self {
        Self {
            at: past.ended.at.naive_utc(),
            level: past.level.number(),
            from: word(past.from.as_str()),
            to: word(if past.beside { &past.from } else { &past.to }.as_str()),
            duration: past.ended.took.as_secs(),
            success: past.ended.outcome == Outcome::Done,
            reason: past.reason.as_str().to_owned(),
        }
    }

    /// Reads one line. What stands inside REASON is never taken for a field (W-19).
    pub fn parse(text: &str) -> Result<Self, Error> {
        let rest = text.strip_prefix('[').ok_or(Error::Missing("["))?;
        let (at, mut rest) = rest.split_once("] ").ok_or(Error::Missing("]"))?;
        let at = NaiveDateTime::parse_from_str(at, TIME).map_err(|_| Error::Bad("the time"))?;
        let mut field = |name: &'static str| {
            let value = rest.strip_prefix(name).ok_or(Error::Missing(name))?;
            let (value, after) = value.split_once(' ').ok_or(Error::Missing(name))?;
            rest = after;
            Ok::<&str, Error>(value)
        };
        let level = match field("LEVEL=")? {
            "1" => 1,
            "2" => 2,
            "3" => 3,
            _ => return Err(Error::Bad("LEVEL")),
        };
        let (from, to) = (field("FROM=")?.to_owned(), field("TO=")?.to_owned());
        let duration = field("DURATION=")?.parse();
        let duration = duration.map_err(|_| Error::Bad("DURATION"))?;
        let success = match field("STATUS=")? {
            "success" => true,
            "failed" => false,
            _ => return Err(Error::Bad("STATUS")),
        };
        let reason = rest.strip_prefix("REASON=").ok_or(Error::Missing("REASON="))?;
        Ok(Self {
            at,
            level,
            from,
            to,
            duration,
            success,
            reason: unquote(reason).ok_or(Error::Bad("REASON"))?,
        })
    }
}

/// The line of a run that ends now, as text: what `RunEnded` carries.
pub fn line(run: &Run, outcome: Outcome, took: Duration, at: Time) -> String {
    Line::of_run(run, outcome, took, at).to_string()
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = if self.success { "success" } else { "failed" };
        write!(
            f,
            "[{}] LEVEL={} FROM={} TO={} DURATION={} STATUS={status} REASON=\"{}\"",
            self.at.format(TIME),
            self.level,
            word(&self.from),
            word(&self.to),
            self.duration,
            escape(&self.reason)
        )
    }
}

/// What is wrong with a line of the history file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// Something that each line has is not where it belongs.
    #[error("could not read the history line: {0} is missing")]
    Missing(&'static str),
    /// A field holds what it cannot.
    #[error("could not read the history line: {0} is not readable")]
    Bad(&'static str),
}

/// The run of the journal that wrote this line; the file knows no names.
pub fn run_of<'a>(line: &Line, known: &'a [PastRun]) -> Option<&'a PastRun> {
    let text = line.to_string();
    known.iter().find(|past| Line::of_past(past).to_string() == text)
}

/// The names of the runs, oldest first like the lines, for `rollback --undo`; empty without any.
pub fn names(history: &History, known: &[PastRun]) -> String {
    let mut lines: Vec<String> = history
        .lines
        .iter()
        .filter_map(|line| {
            let past = run_of(line, known)?;
            let status = if line.success { "success" } else { "failed" };
            Some(format!(
                "  {}  {}  {} -> {}  {status}",
                past.run,
                line.at.format(TIME),
                line.from,
                line.to
            ))
        })
        .collect();
    if !lines.is_empty() {
        lines.insert(0, "Runs, for backout rollback --undo RUN:".to_owned());
        lines.push(String::new());
    }
    lines.join("\n")
}

/// A version as one word: the line is read by its blanks.
fn word(text: &str) -> String {
    let word: String = text.chars().map(|c| if c.is_whitespace() { '_' } else { c }).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

fn escape(reason: &str) -> String {
    let mut escaped = String::with_capacity(reason.len());
    for c in reason.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The text between the quotes; nothing when a quote is missing or something follows the last one.
fn unquote(text: &str) -> Option<String> {
    let mut chars = text.strip_prefix('"')?.chars();
    let mut reason = String::new();
    loop {
        match chars.next()? {
            '"' => return chars.as_str().trim_end().is_empty().then_some(reason),
            '\\' => match chars.next()? {
                'n' => reason.push('\n'),
                'r' => reason.push('\r'),
                other => reason.push(other),
            },
            c => reason.push(c),
        }
    }
}

/// A history file, line by line; lines that cannot be read are counted, not dropped in silence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The lines in the order of the file.
    pub lines: Vec<Line>,
    /// Number (from 1) of each line that could not be read, and why.
    pub unread: Vec<(usize, Error)>,
}

impl History {
    /// Reads a whole file.
    pub fn parse(text: &str) -> Self {
        let mut history = Self::default();
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            match Line::parse(line) {
                Ok(line) => history.lines.push(line),
                Err(error) => history.unread.push((at + 1, error)),
            }
        }
        history
    }

    /// Rollbacks per level.
    pub fn by_level(&self) -> BTreeMap<u8, usize> {
        let mut count = BTreeMap::new();
        for line in &self.lines {
            *count.entry(line.level).or_default() += 1;
        }
        count
    }

    /// Mean duration in seconds; nothing without a rollback.
    pub fn average(&self) -> Option<f64> {
        let all = u32::try_from(self.lines.len()).ok().filter(|all| *all > 0)?;
        let sum: f64 = self.lines.iter().map(|line| seconds(line.duration)).sum();
        Some(sum / f64::from(all))
    }

    /// Percent of rollbacks that succeeded; nothing without a rollback.
    pub fn success_rate(&self) -> Option<f64> {
        let all = u32::try_from(self.lines.len()).ok().filter(|all| *all > 0)?;
        let good = self.lines.iter().filter(|line| line.success).count();
        Some(f64::from(u32::try_from(good).ok()?) * 100.0 / f64::from(all))
    }

    /// The report of S-75.
    pub fn report(&self) -> String {
        let (Some(average), Some(rate)) = (self.average(), self.success_rate()) else {
            return "no rollbacks\n".to_owned();
        };
        let mut lines: Vec<String> = self
            .by_level()
            .into_iter()
            .map(|(level, count)| format!("Level {level}: {count}"))
            .collect();
        lines.push(format!("Average: {} seconds", short(average)));
        lines.push(format!("Success rate: {}%", short(rate)));
        if let Some((line, error)) = self.unread.first() {
            let count = self.unread.len();
            lines.push(format!("Lines not read: {count}, first line {line}: {error}"));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

/// A duration for averaging; beyond a century of seconds precision does not matter.
fn seconds(duration: u64) -> f64 {
    Duration::from_secs(duration).as_secs_f64()
}

/// One decimal, and none where it would be a nought.
fn short(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLES: &str = "\
[2025-12-02 15:30:45] LEVEL=1 FROM=v2.5.0 TO=v2.4.9 DURATION=245 STATUS=success REASON=\"Application crash due to null pointer\"
[2025-12-01 14:20:15] LEVEL=2 FROM=v2.4.8 TO=v2.4.7 DURATION=780 STATUS=success REASON=\"Database migration failure\"
";

    #[test]
    fn the_documents_two_lines_are_read_and_written_alike() {
        let history = History::parse(EXAMPLES);
        assert_eq!(history.unread, Vec::new());
        let written: Vec<String> = history.lines.iter().map(Line::to_string).collect();
        assert_eq!(written, EXAMPLES.lines().collect::<Vec<_>>());
    }

    #[test]
    fn the_report_has_the_documents_numbers() {
        let report = History::parse(EXAMPLES).report();
        let expected = "Level 1: 1\nLevel 2: 1\nAverage: 512.5 seconds\nSuccess rate: 100%\n";
        assert_eq!(report, expected);
        assert_eq!(History::parse("\n").report(), "no rollbacks\n");
    }

    #[test]
    fn words_inside_the_reason_are_not_counted() {
        let text = "[2025-12-02 15:30:45] LEVEL=1 FROM=a TO=b DURATION=3 STATUS=failed \
                    REASON=\"STATUS=success LEVEL=3 \\\"quoted\\\"\"\nnonsense\n";
        let history = History::parse(text);
        assert_eq!(history.lines[0].reason, "STATUS=success LEVEL=3 \"quoted\"");
        assert_eq!(history.unread, vec![(2, Error::Missing("["))]);
        assert_eq!(
            history.report(),
            "Level 1: 1\nAverage: 3 seconds\nSuccess rate: 0%\n\
             Lines not read: 1, first line 2: could not read the history line: [ is missing\n"
        );
    }

    #[test]
    fn each_field_is_held_to_what_it_may_be() {
        let good = EXAMPLES.lines().next().unwrap();
        for (from, to) in [
            ("LEVEL=1", "LEVEL=4"),
            ("LEVEL=1 ", ""),
            ("DURATION=245", "DURATION=-1"),
            ("STATUS=success", "STATUS=partial"),
            ("15:30:45", "25:30:45"),
            ("pointer\"", "pointer"),
            ("pointer\"", "pointer\" AND=more"),
        ] {
            assert!(Line::parse(&good.replace(from, to)).is_err(), "{from} -> {to}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_one_line_and_comes_back(
            reason: String, from in "\\PC{0,12}", level in 1..4u8, duration: u64, success: bool,
        ) {
            let line = Line {
                at: NaiveDateTime::parse_from_str("2025-12-02 15:30:45", TIME).unwrap(),
                level,
                from: word(&from),
                to: "v2.4.9".into(),
                duration,
                success,
                reason,
            };
            let text = line.to_string();
            prop_assert_eq!(text.lines().count(), 1);
            prop_assert_eq!(Line::parse(&text), Ok(line));
        }
    }
}
