//! One value of a file, read as what its place asks for.

use std::path::PathBuf;

use super::super::node::{Node, Value};
use super::super::problem::did_you_mean;
use super::super::shape::{Asked, ENTRY};
use super::desk::Desk;
use super::table::Table;

/// A value and the way to it.
#[derive(Clone)]
pub(in crate::config) struct Item<'a> {
    pub(in crate::config) desk: &'a Desk<'a>,
    pub(in crate::config) path: String,
    /// Its place among the [`Shapes`](super::super::shape::Shapes).
    pub(in crate::config) place: String,
    pub(in crate::config) node: &'a Node,
}

impl<'a> Item<'a> {
    /// The whole of a file.
    pub(in crate::config) fn whole(desk: &'a Desk<'a>, node: &'a Node) -> Self {
        Self { desk, path: String::new(), place: String::new(), node }
    }

    /// Puts on record what this place is asked for.
    pub(in crate::config) fn ask(&self, asked: Asked) {
        self.desk.shapes.borrow_mut().asked(&self.place, asked);
    }

    /// What the word stands for, or a problem with the nearest of them.
    pub(in crate::config) fn one_of<T: Copy>(&self, what: &str, words: &[(&str, T)]) -> Option<T> {
        let names = words.iter().map(|(word, _)| *word);
        let text = self.word_of(names.clone())?;
        if let Some((_, found)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*found);
        }
        let hint = match did_you_mean(&text, names.clone()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("it is one of {}", names.collect::<Vec<_>>().join(", ")),
        };
        self.wrong_with(&format!("{text:?} is not {what}"), hint);
        None
    }

    /// Text that is one of `words`, or should be.
    pub(in crate::config) fn word_of<'w>(
        &self,
        words: impl IntoIterator<Item = &'w str>,
    ) -> Option<String> {
        self.desk.shapes.borrow_mut().words(&self.place, words);
        self.text_of(Asked::Word)
    }

    pub(in crate::config) fn wrong(&self, message: &str) {
        self.desk.problem(self.node.at, &self.path, message, None);
    }

    pub(in crate::config) fn wrong_with(&self, message: &str, hint: impl Into<String>) {
        self.desk.problem(self.node.at, &self.path, message, Some(hint.into()));
    }

    /// Whether it holds keys and values, as it may.
    pub(in crate::config) fn is_map(&self) -> bool {
        self.ask(Asked::Table);
        matches!(&self.node.value, Value::Map(_))
    }

    /// Whether it is this word; says nothing when it is not.
    pub(in crate::config) fn scalar_is(&self, word: &str) -> bool {
        self.ask(Asked::Text);
        matches!(&self.node.value, Value::Scalar { text, .. } if text == word)
    }

    /// The scalar as written.
    pub(in crate::config) fn scalar(&self) -> Option<&'a str> {
        self.scalar_of(Asked::Text)
    }

    /// The scalar as written, which is to be read as `asked`.
    pub(in crate::config) fn scalar_of(&self, asked: Asked) -> Option<&'a str> {
        self.ask(asked);
        match &self.node.value {
            Value::Scalar { text, .. } => Some(text),
            Value::List(_) => {
                self.wrong("is a list, one value is expected");
                None
            }
            Value::Map(_) => {
                self.wrong("is a map, one value is expected");
                None
            }
        }
    }

    /// Text, not empty, with the environment's values in place of `${NAME}`.
    pub(in crate::config) fn text(&self) -> Option<String> {
        self.text_of(Asked::Text)
    }

    fn text_of(&self, asked: Asked) -> Option<String> {
        let (value, _) = self.expanded(asked)?;
        if value.trim().is_empty() {
            self.wrong("is empty");
            return None;
        }
        Some(value)
    }

    /// Text exactly as written: commands and queries, whose `$` is not ours.
    pub(in crate::config) fn raw(&self) -> Option<String> {
        let text = self.scalar()?;
        if text.trim().is_empty() {
            self.wrong("is empty");
            return None;
        }
        Some(text.to_owned())
    }

    /// A word of a command that becomes a step: it is looked at again when every secret is known.
    pub(in crate::config) fn word(&self) -> Option<String> {
        let word = self.text()?;
        let told = (self.node.at, self.path.clone(), word.clone());
        self.desk.words.borrow_mut().push(told);
        Some(word)
    }

    pub(in crate::config) fn path(&self) -> Option<PathBuf> {
        self.text().map(|text| self.desk.resolve(&text))
    }

    pub(in crate::config) fn truth(&self) -> Option<bool> {
        let plain = matches!(self.node.value, Value::Scalar { plain: true, .. });
        match self.scalar_of(Asked::Truth)? {
            "true" if plain => Some(true),
            "false" if plain => Some(false),
            other => {
                self.wrong_with(&format!("{other:?} is not true or false"), "write true or false");
                None
            }
        }
    }

    pub(in crate::config) fn number(&self) -> Option<f64> {
        let text = self.scalar_of(Asked::Number)?;
        let number = text.parse::<f64>().ok().filter(|n| n.is_finite());
        if number.is_none() {
            self.not_a(text, "a number");
        }
        number
    }

    /// A whole number between `low` and `high`.
    pub(in crate::config) fn count(&self, low: u32, high: u32) -> Option<u32> {
        let text = self.scalar_of(Asked::Count(low, high))?;
        let Ok(number) = text.parse::<u32>() else {
            self.not_a(text, "a whole number");
            return None;
        };
        if !(low..=high).contains(&number) {
            self.wrong(&format!("{number} is not between {low} and {high}"));
            return None;
        }
        Some(number)
    }

    pub(in crate::config) fn not_a(&self, text: &str, what: &str) {
        let message = format!("{text:?} is not {what}");
        match meant_number(text).filter(|number| number != text) {
            Some(number) => self.wrong_with(&message, format!("did you mean {number}?")),
            None => self.wrong(&message),
        }
    }

    pub(in crate::config) fn list(&self) -> Option<Vec<Self>> {
        self.ask(Asked::List);
        self.entries()
    }

    fn entries(&self) -> Option<Vec<Self>> {
        match &self.node.value {
            Value::List(nodes) => Some(
                nodes
                    .iter()
                    .enumerate()
                    .map(|(at, node)| Item {
                        desk: self.desk,
                        path: format!("{}[{at}]", self.path),
                        place: format!("{}/{ENTRY}", self.place),
                        node,
                    })
                    .collect(),
            ),
            Value::Scalar { .. } | Value::Map(_) => {
                self.wrong_with("is not a list", "begin each entry with \"- \"");
                None
            }
        }
    }

    /// A list, or one value in place of it.
    pub(in crate::config) fn one_or_list(&self) -> Option<Vec<Self>> {
        self.ask(Asked::OneOrList);
        match &self.node.value {
            Value::Scalar { .. } => {
                Some(vec![Item { place: format!("{}/{ENTRY}", self.place), ..self.clone() }])
            }
            Value::List(_) | Value::Map(_) => self.entries(),
        }
    }

    pub(in crate::config) fn table(&self) -> Option<Table<'a>> {
        self.ask(Asked::Table);
        match &self.node.value {
            Value::Map(entries) => Some(Table::of(self, entries)),
            Value::Scalar { .. } | Value::List(_) => {
                self.wrong("is not a map of keys and values");
                None
            }
        }
    }
}

/// The number that `3os` or `30 s` was probably meant to be.
fn meant_number(text: &str) -> Option<String> {
    let mut digits = String::new();
    let mut rest = text.trim();
    while let Some(c) = rest.chars().next() {
        match c {
            'o' | 'O' => digits.push('0'),
            'l' | 'I' => digits.push('1'),
            c if c.is_ascii_digit() => digits.push(c),
            _ => break,
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    let unit = rest.chars().all(|c| c.is_ascii_alphabetic() || c == ' ' || c == '%');
    (unit && !digits.is_empty() && text.contains(|c: char| c.is_ascii_digit())).then_some(digits)
}
