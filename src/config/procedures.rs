//! Rollbacks of one's own making, each a list of steps: `procedures: {database: {level: 2, steps:
//! [...]}}`. They are what `--type NAME` starts (M-29).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::ids::Time;
use crate::model::plan::Level;
use crate::text::SafeText;

use super::node;
use super::take::{Item, Table};

/// A list of steps that stands for a rollback.
#[derive(Clone, Debug, PartialEq)]
pub struct Procedure {
    /// Which level it counts as: its time objective and who must approve it.
    pub level: Level,
    /// What it does, for people.
    pub title: SafeText,
    /// What people are told that it is: `Emergency database rollback` (M-17).
    pub called: Option<SafeText>,
    /// What it goes back to, for people: the file of a dump.
    pub source: Option<SafeText>,
    /// The moment that its data goes back to, where it loses data.
    pub taken_at: Option<Time>,
    /// Its steps, as a playbook has them; a path in `files` is the configuration's.
    pub steps: Value,
}

/// `procedures: {NAME: {title: …, level: 2, taken_at: …, steps: [{id, do, needs, budget}]}}`.
pub(super) fn procedures(root: &mut Table<'_>) -> BTreeMap<String, Procedure> {
    let mut found = BTreeMap::new();
    let Some(mut table) = root.table("procedures") else { return found };
    let names = table.names();
    for name in names {
        let Some(mut inner) = table.table(&name) else { continue };
        let level = inner.need("level").and_then(|item| {
            let number = item.count(1, 3)?;
            Level::from_number(u8::try_from(number).unwrap_or_default())
        });
        let title = inner.text("title").unwrap_or_else(|| name.clone());
        let called = inner.text("called").map(|text| SafeText::new(&text));
        let source = inner.text("source").map(|text| SafeText::new(&text));
        let taken_at = inner.take("taken_at").and_then(|item| moment(&item));
        let steps = inner.need("steps").map(|item| (item.list(), plain(item.node)));
        inner.finish();
        let (Some(level), Some((Some(_), steps))) = (level, steps) else { continue };
        let title = SafeText::new(&title);
        found.insert(name, Procedure { level, title, called, source, taken_at, steps });
    }
    table.finish();
    found
}

fn moment(item: &Item<'_>) -> Option<Time> {
    let text = item.text()?;
    let read = chrono::DateTime::parse_from_rfc3339(&text).ok();
    if read.is_none() {
        item.wrong_with(&format!("{text:?} is no moment"), "write 2026-11-22T12:00:00Z");
    }
    Some(read?.to_utc())
}

/// The tree as plain values; a scalar that is not in quotes is what YAML says it is.
fn plain(node: &node::Node) -> Value {
    match &node.value {
        node::Value::Scalar { text, plain: false } => Value::String(text.clone()),
        node::Value::Scalar { text, plain: true } => match text.as_str() {
            "" | "~" | "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            text => match serde_json::from_str::<serde_json::Number>(text) {
                Ok(number) => Value::Number(number),
                Err(_) => Value::String(text.to_owned()),
            },
        },
        node::Value::List(list) => Value::Array(list.iter().map(plain).collect()),
        node::Value::Map(map) => {
            let all = map.iter().map(|(key, value)| (key.name.clone(), plain(value)));
            Value::Object(all.collect::<Map<_, _>>())
        }
    }
}
