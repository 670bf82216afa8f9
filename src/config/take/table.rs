//! A map of a file, its keys taken one by one.

use std::cell::Cell;
use std::path::PathBuf;

use super::super::node::{Key, Node, Position, Value};
use super::super::problem::did_you_mean;
use super::super::shape::Asked;
use super::desk::Desk;
use super::item::Item;

/// A variable of the environment that stands for a value which is not written.
pub(in crate::config) struct Variable {
    name: &'static str,
    /// As if it were written: `${NAME}`.
    node: Node,
}

impl Variable {
    pub(in crate::config) fn new(name: &'static str) -> Self {
        let value = Value::Scalar { text: format!("${{{name}}}"), plain: true };
        Self { name, node: Node { at: Position::default(), value } }
    }
}

/// A map whose keys are taken one by one; [`Table::finish`] reports what nobody took.
pub(in crate::config) struct Table<'a> {
    pub(in crate::config) desk: &'a Desk<'a>,
    pub(in crate::config) path: String,
    place: String,
    pub(in crate::config) at: Position,
    entries: &'a [(Key, Node)],
    known: Vec<String>,
    /// Its keys are names of people's own.
    own: Cell<bool>,
}

impl<'a> Table<'a> {
    /// The keys and values of an item.
    pub(super) fn of(item: &Item<'a>, entries: &'a [(Key, Node)]) -> Self {
        Self {
            desk: item.desk,
            path: item.path.clone(),
            place: item.place.clone(),
            at: item.node.at,
            entries,
            known: Vec::new(),
            own: Cell::new(false),
        }
    }

    pub(in crate::config) fn below(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(in crate::config) fn keys(&self) -> impl Iterator<Item = &'a Key> {
        self.entries.iter().map(|(key, _)| key)
    }

    /// The keys where they are names of people's own, in the order of the file.
    pub(in crate::config) fn names(&self) -> Vec<String> {
        self.own_names();
        self.keys().map(|key| key.name.clone()).collect()
    }

    /// Puts on record that the keys are names of people's own.
    pub(in crate::config) fn own_names(&self) {
        self.own.set(true);
        self.desk.shapes.borrow_mut().named(&self.place);
    }

    /// Puts on record that it holds some of these keys and no others.
    pub(in crate::config) fn may_hold<'k>(&self, keys: impl IntoIterator<Item = &'k &'k str>) {
        for key in keys {
            self.place_of(key);
        }
        self.desk.shapes.borrow_mut().closed(&self.place);
    }

    fn place_of(&self, key: &str) -> String {
        self.desk.shapes.borrow_mut().below(&self.place, key, self.own.get())
    }

    /// Whether the file gives `key`; does not take it.
    pub(in crate::config) fn has(&self, key: &str) -> bool {
        self.keys().any(|known| known.name == key)
    }

    /// Whether the file gives `check_type: name`; does not take it.
    pub(in crate::config) fn kind_is(&self, name: &str) -> bool {
        self.entries.iter().any(|(key, node)| {
            key.name == "check_type"
                && matches!(&node.value, Value::Scalar { text, .. } if text == name)
        })
    }

    /// The value of `key`; one without a value is a problem.
    pub(in crate::config) fn take(&mut self, key: &str) -> Option<Item<'a>> {
        self.known.push(key.to_owned());
        let place = self.place_of(key);
        let (_, node) = self.entries.iter().find(|(known, _)| known.name == key)?;
        let item = Item { desk: self.desk, path: self.below(key), place, node };
        let empty = matches!(&node.value, Value::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"));
        if empty {
            item.wrong_with("has no value", "give it one or remove the key");
            return None;
        }
        Some(item)
    }

    /// The value of `key`, which has to be there.
    pub(in crate::config) fn need(&mut self, key: &str) -> Option<Item<'a>> {
        if !self.has(key) {
            let message = format!("{key} is missing");
            self.desk.problem(self.at, &self.path, &message, None);
        }
        self.take(key)
    }

    /// The address under `key`; where there is none, what the documents' variable for it holds
    /// (P-19): a part of the configuration without its address asks for that by being there.
    pub(in crate::config) fn address(
        &mut self,
        key: &str,
        of: &'static Variable,
    ) -> Option<Item<'a>> {
        let environment = self.desk.environment;
        let set = environment.get(of.name).is_some();
        if self.has(key) || !(set || environment.is_without_secrets()) {
            if !self.has(key) {
                let message = format!("{key} is missing, and {} is not set", of.name);
                self.desk.problem(self.at, &self.path, &message, None);
            }
            return self.take(key);
        }
        let (path, place) = (self.below(key), self.place_of(key));
        self.desk.note(format!("{path} comes from {}", of.name));
        Some(Item { desk: self.desk, path, place, node: &of.node })
    }

    /// Puts on record what `key` is asked for, wherever it is given.
    pub(in crate::config) fn ask(&self, key: &str, asked: Asked) {
        let place = self.place_of(key);
        self.desk.shapes.borrow_mut().asked(&place, asked);
    }

    pub(in crate::config) fn text(&mut self, key: &str) -> Option<String> {
        self.ask(key, Asked::Text);
        self.take(key)?.text()
    }

    pub(in crate::config) fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.ask(key, Asked::Text);
        self.take(key)?.path()
    }

    pub(in crate::config) fn truth(&mut self, key: &str) -> Option<bool> {
        self.ask(key, Asked::Truth);
        self.take(key)?.truth()
    }

    pub(in crate::config) fn count(&mut self, key: &str, low: u32, high: u32) -> Option<u32> {
        self.ask(key, Asked::Count(low, high));
        self.take(key)?.count(low, high)
    }

    pub(in crate::config) fn table(&mut self, key: &str) -> Option<Self> {
        self.ask(key, Asked::Table);
        self.take(key)?.table()
    }

    pub(in crate::config) fn list(&mut self, key: &str) -> Vec<Item<'a>> {
        self.ask(key, Asked::List);
        let list = self.take(key).and_then(|item| item.list());
        list.unwrap_or_default()
    }

    /// Marks keys as known although nothing reads them: they belong to something that comes later,
    /// and the file is told so.
    pub(in crate::config) fn later(&mut self, keys: &[&str]) {
        for key in keys {
            let taken = self.known.iter().any(|known| known == key);
            if self.has(key) && !taken {
                self.desk.note(format!("not used yet: {}", self.below(key)));
            }
            self.place_of(key);
            self.known.push((*key).to_owned());
        }
    }

    /// Reports every key that was not taken.
    pub(in crate::config) fn finish(self) {
        self.desk.shapes.borrow_mut().closed(&self.place);
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
