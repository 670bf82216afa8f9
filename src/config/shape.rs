//! What the reader asks of each place of a file. The JSON schema of the configuration is made of
//! it, so it can never know another key than the reader.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// The places that were asked for: `/rollback/drain`, `/health_checks/[]/name`, `/colors/*/url`.
#[derive(Clone, Debug, Default)]
pub(super) struct Shapes(BTreeMap<String, Shape>);

#[derive(Clone, Debug, Default)]
struct Shape {
    asked: BTreeSet<Asked>,
    keys: BTreeSet<String>,
    words: BTreeSet<String>,
    /// Its keys are names of people's own.
    named: bool,
    /// A key that nobody took is a mistake.
    closed: bool,
}

/// What a place was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    /// For something that only its reader knows.
    Anything,
    Text,
    /// For one of some words.
    Word,
    Truth,
    Number,
    /// A whole number from, up to.
    Count(u32, u32),
    /// `30s`.
    Span,
    List,
    /// A list, or one entry in place of it.
    OneOrList,
    Table,
}

/// The place of a list's entries.
pub(super) const ENTRY: &str = "[]";
/// The place of what people name themselves.
const NAMED: &str = "*";

/// What [`Item::worded_span`](super::take::Item) reads.
const SPAN: &str = r"^\s*[0-9.]+\s*(ms|s|m|min|h|d)\s*$";

impl Shapes {
    fn at(&mut self, place: &str) -> &mut Shape {
        self.0.entry(place.to_owned()).or_default()
    }

    pub(super) fn asked(&mut self, place: &str, asked: Asked) {
        self.at(place).asked.insert(asked);
    }

    pub(super) fn words<'a>(&mut self, place: &str, words: impl IntoIterator<Item = &'a str>) {
        self.at(place).words.extend(words.into_iter().map(str::to_owned));
    }

    pub(super) fn named(&mut self, place: &str) {
        self.at(place).named = true;
    }

    pub(super) fn closed(&mut self, place: &str) {
        self.at(place).closed = true;
    }

    /// The place of `key` below `place`; `own` when it is one of people's own names.
    pub(super) fn below(&mut self, place: &str, key: &str, own: bool) -> String {
        if own {
            return format!("{place}/{NAMED}");
        }
        self.at(place).keys.insert(key.to_owned());
        format!("{place}/{key}")
    }

    /// Adds what was asked while another file was read.
    pub(super) fn add(&mut self, other: Self) {
        for (place, more) in other.0 {
            let shape = self.0.entry(place).or_default();
            shape.asked.extend(more.asked);
            shape.keys.extend(more.keys);
            shape.words.extend(more.words);
            shape.named |= more.named;
            shape.closed |= more.closed;
        }
    }

    /// What a file may be: a configuration, or a bare list of checks.
    pub(super) fn schema(&self) -> Value {
        let mut whole = Map::new();
        whole.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        whole.insert("title".to_owned(), json!("Configuration of backout"));
        let checks = self.of("/health_checks");
        whole.insert("if".to_owned(), json!({"type": "array"}));
        whole.insert("then".to_owned(), checks);
        whole.insert("else".to_owned(), self.of(""));
        Value::Object(whole)
    }

    fn of(&self, place: &str) -> Value {
        let Some(shape) = self.0.get(place) else { return json!({}) };
        let has = |asked| shape.asked.contains(&asked);
        if has(Asked::Anything) || shape.asked.is_empty() {
            return json!({});
        }
        let mut ways: Vec<Value> = Vec::new();
        let mut scalar: Vec<&str> = Vec::new();
        if has(Asked::Text) {
            // Whatever is written there is taken as its text.
            scalar.extend(["string", "number", "boolean"]);
        } else if has(Asked::Word) {
            ways.push(json!({"enum": shape.words}));
        }
        if has(Asked::Truth) && !scalar.contains(&"boolean") {
            scalar.push("boolean");
        }
        if has(Asked::Number) && !scalar.contains(&"number") {
            scalar.push("number");
        }
        if !scalar.is_empty() {
            ways.push(json!({"type": scalar}));
        }
        if has(Asked::Span) {
            ways.push(json!({"type": "string", "pattern": SPAN}));
        }
        ways.extend(shape.asked.iter().filter_map(|asked| match asked {
            Asked::Count(low, high) => {
                Some(json!({"type": "integer", "minimum": low, "maximum": high}))
            }
            Asked::List => Some(json!({"type": "array", "items": self.entry(place)})),
            Asked::OneOrList => {
                let one = self.entry(place);
                Some(json!({"anyOf": [one, {"type": "array", "items": one}]}))
            }
            Asked::Table => Some(self.table(place, shape)),
            _ => None,
        }));
        match ways.len() {
            1 => ways.swap_remove(0),
            _ => json!({"anyOf": ways}),
        }
    }

    fn entry(&self, place: &str) -> Value {
        self.of(&format!("{place}/{ENTRY}"))
    }

    fn table(&self, place: &str, shape: &Shape) -> Value {
        let below = |key: &String| (key.clone(), self.of(&format!("{place}/{key}")));
        let mut table = Map::new();
        table.insert("type".to_owned(), json!("object"));
        if !shape.keys.is_empty() {
            table.insert("properties".to_owned(), shape.keys.iter().map(below).collect());
        }
        if shape.named {
            table.insert("additionalProperties".to_owned(), self.of(&format!("{place}/{NAMED}")));
        } else if shape.closed {
            table.insert("additionalProperties".to_owned(), json!(false));
        }
        Value::Object(table)
    }
}
