//! What is wrong with a condition, and where.

use std::fmt;

/// A mistake in a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The byte of the condition where it is.
    pub at: usize,
    /// What is wrong.
    pub message: String,
    /// What to do, starting with a verb or a question.
    pub hint: Option<String>,
}

impl Mistake {
    pub(super) fn at(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), hint: None }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The line of the condition with the mistake, and a caret under it; a long line is cut.
    pub fn caret(&self, source: &str) -> [String; 2] {
        const BEFORE: usize = 40;
        const SHOWN: usize = 70;
        let at = (0..=self.at.min(source.len())).rev().find(|at| source.is_char_boundary(*at));
        let (before, _) = source.split_at(at.unwrap_or_default());
        let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(begin..).unwrap_or_default().chars().count();
        let line = source.get(begin..).unwrap_or_default().lines().next().unwrap_or_default();
        let skip = if line.chars().count() > SHOWN { column.saturating_sub(BEFORE) } else { 0 };
        let shown: String = line.chars().skip(skip).take(SHOWN).collect();
        [shown, format!("{}^", " ".repeat(column - skip))]
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The known name that `word` was probably meant to be.
pub(super) fn meant<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let best = known.into_iter().map(|name| (distance(word, name), name)).min()?;
    (best.0 <= 1 + word.chars().count() / 5).then_some(best.1)
}

/// How many letters differ, at most 40 letters of each being looked at.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(40).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, c) in one.chars().take(40).enumerate() {
        let mut corner = at;
        let mut left = at + 1;
        let mut next = vec![left];
        for (known, above) in other.iter().zip(row.iter().skip(1)) {
            let changed = corner + usize::from(!c.eq_ignore_ascii_case(known));
            left = changed.min(left + 1).min(above + 1);
            corner = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
