//! What is looked for in lines.

use regex::bytes::{Regex, RegexBuilder};

/// What to look for in lines. Small letters match capitals too, unless there is a capital.
#[derive(Clone, Debug)]
pub struct Find {
    pub(super) regex: Regex,
    /// The same, for a block of lines: each has its own begin and end.
    pub(super) lines: Regex,
    /// Whether a block without a match has no line with a match.
    pub(super) plain: bool,
    /// What is looked for, when it is exactly these bytes.
    pub(super) literal: Option<Vec<u8>>,
}

impl Find {
    /// Looks for exactly this text.
    pub fn text(text: &str) -> Result<Self, String> {
        Self::build(&regex::escape(text), text, true)
    }

    /// Looks for a regular expression. The error says what is wrong with it.
    pub fn pattern(pattern: &str) -> Result<Self, String> {
        Self::build(pattern, pattern, false)
    }

    fn build(pattern: &str, typed: &str, plain: bool) -> Result<Self, String> {
        let exact = typed.chars().any(char::is_uppercase);
        let regex = |of_lines: bool| {
            RegexBuilder::new(pattern)
                .case_insensitive(!exact)
                .multi_line(of_lines)
                .size_limit(1 << 20)
                .dfa_size_limit(2 << 20)
                .build()
                .map_err(|e| format!("could not understand {typed}: {e}"))
        };
        let (regex, lines) = (regex(false)?, regex(true)?);
        let literal = (plain && exact).then(|| typed.as_bytes().to_owned());
        Ok(Self { regex, lines, plain, literal })
    }

    /// What a person types: a regular expression after `~`, else exactly this text.
    pub fn typed(text: &str) -> Result<Self, String> {
        match text.strip_prefix('~') {
            Some(pattern) => Self::pattern(pattern),
            None => Self::text(text),
        }
    }

    /// Whether it is in a line.
    pub fn is_in(&self, line: &[u8]) -> bool {
        match &self.literal {
            Some(literal) => memchr::memmem::find(line, literal).is_some(),
            None => self.regex.is_match(line),
        }
    }

    /// Where it is in a line: begin and end of each place, in bytes.
    pub fn places(&self, line: &str) -> Vec<(usize, usize)> {
        let found = self.regex.find_iter(line.as_bytes());
        found.filter(|place| !place.is_empty()).map(|place| (place.start(), place.end())).collect()
    }
}
