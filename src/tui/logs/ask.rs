//! What a person asks of the logs, and the choice of lines that they have made.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::journal::spool::{Find, LogSeverity, Query, Rule};
use crate::model::ids::Time;
use crate::tui::state::Least;

/// One thing that is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A page of so many rows.
    Rows(usize),
    /// Other lines.
    Choose(Choice),
    /// The selection moves so many rows, up when negative.
    Move(isize),
    /// To the first line.
    Top,
    /// To the last line, and follow.
    Follow,
    /// Stand still.
    Hold,
    /// Look for this; nothing ends the search.
    Find(Option<String>),
    /// The next place, or the one before.
    Step(bool),
    /// Mark the selected line, or take its mark away.
    Mark,
}

/// Which lines are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The least severity.
    pub least: Least,
    /// How far back.
    pub since: Since,
    /// Sources that are left out.
    pub without: BTreeSet<String>,
    /// The filter stack.
    pub stack: Vec<Layer>,
}

/// One layer of the filter stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Whether it keeps what matches, or leaves it out.
    pub keep: bool,
    /// What it looks for; a regular expression after `~`.
    pub word: String,
    /// Whether it counts now.
    pub on: bool,
}

impl Layer {
    /// What a person types: `-word` leaves out, `word` or `+word` keeps.
    pub fn typed(text: &str) -> Option<Self> {
        let (keep, word) = match text.strip_prefix('-') {
            Some(word) => (false, word),
            None => (true, text.strip_prefix('+').unwrap_or(text)),
        };
        (!word.is_empty()).then(|| Self { keep, word: word.to_owned(), on: true })
    }
}

/// How far back lines are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Since {
    /// All there are, at their end.
    #[default]
    Tail,
    /// All there are, at their beginning.
    Head,
    /// The last so many minutes.
    Minutes(u16),
}

impl Since {
    /// What `Alt-0` to `Alt-6` mean.
    pub const KEYS: [Self; 7] = [
        Self::Tail,
        Self::Head,
        Self::Minutes(1),
        Self::Minutes(5),
        Self::Minutes(15),
        Self::Minutes(30),
        Self::Minutes(60),
    ];

    /// As the title says it.
    pub fn words(self) -> String {
        match self {
            Self::Tail | Self::Head => String::new(),
            Self::Minutes(60) => "1h".to_owned(),
            Self::Minutes(minutes) => format!("{minutes}m"),
        }
    }
}

impl Choice {
    /// The query for it; the error names the layer that cannot be understood.
    pub fn query(&self, sources: &[String], now: Time) -> Result<Query, String> {
        let mut rules = Vec::new();
        for layer in self.stack.iter().filter(|layer| layer.on) {
            rules.push(Rule { keep: layer.keep, find: Find::typed(&layer.word)? });
        }
        let only = (!self.without.is_empty()).then(|| {
            let kept = sources.iter().filter(|source| !self.without.contains(*source));
            kept.cloned().collect()
        });
        let since = match self.since {
            Since::Tail | Since::Head => None,
            Since::Minutes(minutes) => Some(now - Duration::from_mins(u64::from(minutes))),
        };
        Ok(Query {
            sources: only,
            min_severity: match self.least {
                Least::All => LogSeverity::Debug,
                Least::Warn => LogSeverity::Warn,
                Least::Error => LogSeverity::Error,
            },
            since,
            rules,
            ..Query::default()
        })
    }

    /// In a few words, empty when nothing is left out.
    pub fn words(&self) -> String {
        let mut words = Vec::new();
        match self.least {
            Least::All => {}
            Least::Warn => words.push("s>=W".to_owned()),
            Least::Error => words.push("s>=E".to_owned()),
        }
        words.extend(Some(self.since.words()).filter(|since| !since.is_empty()));
        let on = self.stack.iter().filter(|layer| layer.on).count();
        if !self.stack.is_empty() {
            words.push(format!("|{on}/{}", self.stack.len()));
        }
        if !self.without.is_empty() {
            words.push(format!("S-{}", self.without.len()));
        }
        words.join(" ")
    }
}

/// The next choice of sources: all, then each alone, then all.
pub fn next_source(without: &BTreeSet<String>, sources: &[String]) -> BTreeSet<String> {
    let alone = |at: usize| {
        let others = sources.iter().enumerate().filter(|(other, _)| *other != at);
        others.map(|(_, source)| source.clone()).collect()
    };
    if sources.len() < 2 {
        return BTreeSet::new();
    }
    if without.is_empty() {
        return alone(0);
    }
    let shown = sources.iter().position(|source| !without.contains(source));
    match shown.map(|at| at + 1).filter(|next| *next < sources.len()) {
        Some(next) => alone(next),
        None => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_shown_one_after_the_other_and_then_all() {
        let sources: Vec<String> = ["api", "db", "web"].map(String::from).to_vec();
        let mut without = BTreeSet::new();
        let mut seen = Vec::new();
        for _ in 0..5 {
            without = next_source(&without, &sources);
            let shown: Vec<&str> =
                sources.iter().filter(|s| !without.contains(*s)).map(String::as_str).collect();
            seen.push(shown.join("+"));
        }
        assert_eq!(seen, ["api", "db", "web", "api+db+web", "api"]);
    }

    #[test]
    fn a_layer_is_typed_with_its_sign() {
        let layer = |keep, word: &str| Some(Layer { keep, word: word.to_owned(), on: true });
        assert_eq!(Layer::typed("-GET /health"), layer(false, "GET /health"));
        assert_eq!(Layer::typed("+~5\\d\\d"), layer(true, "~5\\d\\d"));
        assert_eq!(Layer::typed("api"), layer(true, "api"));
        assert_eq!(Layer::typed("-"), None);
    }
}
