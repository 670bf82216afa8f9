//! Takes values out of a tree and collects every problem on the way.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::adapters::secret::Secret;
use crate::redact::SHORTEST;

use super::environment::Environment;
use super::node::{Key, Node, Position, Value};
use super::problem::{Problem, did_you_mean};

/// What is shared while one file is read: where problems and notes go.
pub(super) struct Desk<'a> {
    pub(super) file: &'a Path,
    /// The folder of the file, absolute: relative paths begin there.
    pub(super) dir: PathBuf,
    pub(super) environment: &'a Environment,
    pub(super) problems: RefCell<Vec<Problem>>,
    pub(super) notes: RefCell<Vec<String>>,
    pub(super) credentials: RefCell<Vec<super::credentials::Credential>>,
    /// What the file and the environment gave where a secret may stand.
    pub(super) secrets: RefCell<Vec<String>>,
    /// The file of a Compose project's variables and what it says; known once its section is read.
    pub(super) project: OnceCell<(PathBuf, BTreeMap<String, String>)>,
    /// Words of commands that become steps: where each stands, and what it is.
    pub(super) words: RefCell<Vec<(Position, String, String)>>,
}

impl Desk<'_> {
    pub(super) fn problem(&self, at: Position, path: &str, message: &str, hint: Option<String>) {
        let problem = Problem::at(self.file, at, path, message);
        self.problems.borrow_mut().push(Problem { hint, ..problem });
    }

    pub(super) fn note(&self, note: String) {
        let mut notes = self.notes.borrow_mut();
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// Refuses the words of commands that hold one of `secrets`: a plan is kept as it was approved,
    /// and who lists processes reads them too.
    pub(super) fn refuse_told(&self, secrets: &[Secret]) {
        for (at, path, word) in self.words.take() {
            let known = |secret: &Secret| {
                let secret = secret.reveal();
                secret.len() >= SHORTEST && word.contains(secret)
            };
            if secrets.iter().any(known) {
                let hint = "let the command read it from its environment or from a file";
                let message = "holds a secret, which a plan and a list of processes would show";
                self.problem(at, &path, message, Some(hint.to_owned()));
            }
        }
    }

    /// `path` from the folder of the file.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        let joined = self.dir.join(path);
        joined.components().collect()
    }
}

/// A value and the way to it.
#[derive(Clone)]
pub(super) struct Item<'a> {
    pub(super) desk: &'a Desk<'a>,
    pub(super) path: String,
    pub(super) node: &'a Node,
}

impl<'a> Item<'a> {
    pub(super) fn wrong(&self, message: &str) {
        self.desk.problem(self.node.at, &self.path, message, None);
    }

    pub(super) fn wrong_with(&self, message: &str, hint: impl Into<String>) {
        self.desk.problem(self.node.at, &self.path, message, Some(hint.into()));
    }

    /// Whether it holds keys and values.
    pub(super) fn is_map(&self) -> bool {
        matches!(&self.node.value, Value::Map(_))
    }

    /// Whether it is this word; says nothing when it is not.
    pub(super) fn scalar_is(&self, word: &str) -> bool {
        matches!(&self.node.value, Value::Scalar { text, .. } if text == word)
    }

    /// The scalar as written.
    pub(super) fn scalar(&self) -> Option<&'a str> {
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
    pub(super) fn text(&self) -> Option<String> {
        let (value, _) = self.expanded()?;
        if value.trim().is_empty() {
            self.wrong("is empty");
            return None;
        }
        Some(value)
    }

    /// Text exactly as written: commands and queries, whose `$` is not ours.
    pub(super) fn raw(&self) -> Option<String> {
        let text = self.scalar()?;
        if text.trim().is_empty() {
            self.wrong("is empty");
            return None;
        }
        Some(text.to_owned())
    }

    /// A word of a command that becomes a step: it is looked at again when every secret is known.
    pub(super) fn word(&self) -> Option<String> {
        let word = self.text()?;
        let told = (self.node.at, self.path.clone(), word.clone());
        self.desk.words.borrow_mut().push(told);
        Some(word)
    }

    pub(super) fn path(&self) -> Option<PathBuf> {
        self.text().map(|text| self.desk.resolve(&text))
    }

    pub(super) fn truth(&self) -> Option<bool> {
        let plain = matches!(self.node.value, Value::Scalar { plain: true, .. });
        match self.scalar()? {
            "true" if plain => Some(true),
            "false" if plain => Some(false),
            other => {
                self.wrong_with(&format!("{other:?} is not true or false"), "write true or false");
                None
            }
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        let text = self.scalar()?;
        let number = text.parse::<f64>().ok().filter(|n| n.is_finite());
        if number.is_none() {
            self.not_a(text, "a number");
        }
        number
    }

    /// A whole number between `low` and `high`.
    pub(super) fn count(&self, low: u32, high: u32) -> Option<u32> {
        let text = self.scalar()?;
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

    pub(super) fn not_a(&self, text: &str, what: &str) {
        let message = format!("{text:?} is not {what}");
        match meant_number(text).filter(|number| number != text) {
            Some(number) => self.wrong_with(&message, format!("did you mean {number}?")),
            None => self.wrong(&message),
        }
    }

    pub(super) fn list(&self) -> Option<Vec<Self>> {
        match &self.node.value {
            Value::List(nodes) => Some(
                nodes
                    .iter()
                    .enumerate()
                    .map(|(at, node)| Item {
                        desk: self.desk,
                        path: format!("{}[{at}]", self.path),
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
    pub(super) fn one_or_list(&self) -> Option<Vec<Self>> {
        match &self.node.value {
            Value::Scalar { .. } => Some(vec![self.clone()]),
            Value::List(_) | Value::Map(_) => self.list(),
        }
    }

    pub(super) fn table(&self) -> Option<Table<'a>> {
        match &self.node.value {
            Value::Map(entries) => Some(Table {
                desk: self.desk,
                path: self.path.clone(),
                at: self.node.at,
                entries,
                known: Vec::new(),
            }),
            Value::Scalar { .. } | Value::List(_) => {
                self.wrong("is not a map of keys and values");
                None
            }
        }
    }
}

/// A variable of the environment that stands for a value which is not written.
pub(super) struct Variable {
    name: &'static str,
    /// As if it were written: `${NAME}`.
    node: Node,
}

impl Variable {
    pub(super) fn new(name: &'static str) -> Self {
        let value = Value::Scalar { text: format!("${{{name}}}"), plain: true };
        Self { name, node: Node { at: Position::default(), value } }
    }
}

/// A map whose keys are taken one by one; [`Table::finish`] reports what nobody took.
pub(super) struct Table<'a> {
    pub(super) desk: &'a Desk<'a>,
    pub(super) path: String,
    pub(super) at: Position,
    entries: &'a [(Key, Node)],
    known: Vec<String>,
}

impl<'a> Table<'a> {
    pub(super) fn below(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &'a Key> {
        self.entries.iter().map(|(key, _)| key)
    }

    /// Whether the file gives `key`; does not take it.
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys().any(|known| known.name == key)
    }

    /// Whether the file gives `check_type: name`; does not take it.
    pub(super) fn kind_is(&self, name: &str) -> bool {
        self.entries.iter().any(|(key, node)| {
            key.name == "check_type"
                && matches!(&node.value, Value::Scalar { text, .. } if text == name)
        })
    }

    /// The value of `key`; one without a value is a problem.
    pub(super) fn take(&mut self, key: &str) -> Option<Item<'a>> {
        self.known.push(key.to_owned());
        let (_, node) = self.entries.iter().find(|(known, _)| known.name == key)?;
        let item = Item { desk: self.desk, path: self.below(key), node };
        let empty = matches!(&node.value, Value::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"));
        if empty {
            item.wrong_with("has no value", "give it one or remove the key");
            return None;
        }
        Some(item)
    }

    /// The value of `key`, which has to be there.
    pub(super) fn need(&mut self, key: &str) -> Option<Item<'a>> {
        if !self.has(key) {
            let message = format!("{key} is missing");
            self.desk.problem(self.at, &self.path, &message, None);
        }
        self.take(key)
    }

    /// The address under `key`; where there is none, what the documents' variable for it holds
    /// (P-19): a part of the configuration without its address asks for that by being there.
    pub(super) fn address(&mut self, key: &str, of: &'static Variable) -> Option<Item<'a>> {
        let environment = self.desk.environment;
        let set = environment.get(of.name).is_some();
        if self.has(key) || !(set || environment.is_without_secrets()) {
            if !self.has(key) {
                let message = format!("{key} is missing, and {} is not set", of.name);
                self.desk.problem(self.at, &self.path, &message, None);
            }
            return self.take(key);
        }
        let path = self.below(key);
        self.desk.note(format!("{path} comes from {}", of.name));
        Some(Item { desk: self.desk, path, node: &of.node })
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        self.take(key)?.text()
    }

    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.take(key)?.path()
    }

    pub(super) fn truth(&mut self, key: &str) -> Option<bool> {
        self.take(key)?.truth()
    }

    pub(super) fn count(&mut self, key: &str, low: u32, high: u32) -> Option<u32> {
        self.take(key)?.count(low, high)
    }

    pub(super) fn table(&mut self, key: &str) -> Option<Self> {
        self.take(key)?.table()
    }

    pub(super) fn list(&mut self, key: &str) -> Vec<Item<'a>> {
        let list = self.take(key).and_then(|item| item.list());
        list.unwrap_or_default()
    }

    /// Marks keys as known although nothing reads them: they belong to something that comes later,
    /// and the file is told so.
    pub(super) fn later(&mut self, keys: &[&str]) {
        for key in keys {
            let taken = self.known.iter().any(|known| known == key);
            if self.has(key) && !taken {
                self.desk.note(format!("not used yet: {}", self.below(key)));
            }
            self.known.push((*key).to_owned());
        }
    }

    /// Reports every key that was not taken.
    pub(super) fn finish(self) {
        for key in self.keys() {
            if self.known.contains(&key.name) {
                continue;
            }
            let known = self.known.iter().map(String::as_str);
            let hint = match did_you_mean(&key.name, known) {
                Some(meant) => Some(format!("did you mean {meant}?")),
                None if self.known.len() <= 12 => {
                    Some(format!("the keys here are {}", self.known.join(", ")))
                }
                None => None,
            };
            let message = "is not a key that is known here";
            self.desk.problem(key.at, &self.below(&key.name), message, hint);
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
