//! What is wrong with a file: where, what, and what to do.

use std::fmt;
use std::path::PathBuf;

use crate::text::SafeText;

use super::node::Position;

/// One mistake in a file. Shown as `file:line:column path: message`, the hint on its own line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where in the tree: `health_checks[2].interval_seconds`; empty for the file as a whole.
    pub path: String,
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do, starting with a verb or a question.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of the file as a whole.
    pub fn whole(file: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            file: file.into(),
            line: 0,
            column: 0,
            message: message.into(),
            hint: None,
        }
    }

    /// A problem at `at`.
    pub fn at(file: impl Into<PathBuf>, at: Position, path: &str, message: &str) -> Self {
        Self {
            path: path.to_owned(),
            line: at.line,
            column: at.column,
            ..Self::whole(file, message)
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let safe = |text: &str| SafeText::new(text).to_string();
        write!(f, "{}", safe(&self.file.to_string_lossy()))?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if self.path.is_empty() {
            write!(f, ":")?;
        } else {
            write!(f, " {}:", safe(&self.path))?;
        }
        // What is shown under the message, such as a condition and a caret, has lines of its own.
        let mut lines = self.message.split('\n');
        write!(f, " {}", safe(lines.next().unwrap_or_default()))?;
        for line in lines {
            write!(f, "\n    {}", safe(line))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {}", safe(hint))?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// The one of `known` that `word` was probably meant to be.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Letters to change, add or remove, a swap of neighbours counting once.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let one: Vec<char> = one.chars().take(64).collect();
    let get = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 2);
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, c) in one.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, d) in other.iter().enumerate() {
            let change = get(&row, j) + usize::from(c != d);
            let mut best = change.min(get(&row, j + 1) + 1).min(get(&next, j) + 1);
            let swapped =
                i > 0 && j > 0 && one.get(i - 1) == Some(d) && other.get(j - 1) == Some(c);
            if swapped {
                best = best.min(get(&before, j - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let known = ["interval_seconds", "timeout_seconds", "command"];
        assert_eq!(did_you_mean("intervall_seconds", known), Some("interval_seconds"));
        assert_eq!(did_you_mean("timeout_secnods", known), Some("timeout_seconds"));
        assert_eq!(did_you_mean("comand", known), Some("command"));
        assert_eq!(did_you_mean("colour", known), None);
        assert_eq!(did_you_mean("", known), None);
    }

    #[test]
    fn no_control_character_of_a_file_is_printed() {
        let problem = Problem::whole("a\x1b[2J.yaml", "key \"\x1b]0;x\x07\" is not known");
        assert!(!problem.to_string().contains('\x1b'));
    }
}
