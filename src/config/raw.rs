//! The list of checks as written, with overrides laid over the entries they change.

use super::node::{Key, Node, Value};
use super::problem::did_you_mean;
use super::take::{Desk, Item, Table};

/// An entry of `health_checks`, overrides already in it.
pub(super) struct RawCheck {
    /// Where the entry is: `health_checks[2]`.
    pub(super) path: String,
    pub(super) id: String,
    pub(super) node: Node,
    place: String,
}

impl RawCheck {
    /// The entry as an item.
    pub(super) fn item<'a>(&'a self, desk: &'a Desk<'a>) -> Item<'a> {
        Item { desk, path: self.path.clone(), place: self.place.clone(), node: &self.node }
    }
}

/// Keys that an override may not hold: with one of them an entry is a check of its own.
const MAKE_A_CHECK: [&str; 6] =
    ["check_type", "endpoint_url", "query", "command", "path", "expected_status"];

/// Reads the entries. An entry with only `check_id` and values is laid over the earlier entry of
/// that name; with no such entry it is kept dormant, and a note says so (P-18).
pub(super) fn entries(items: Vec<Item<'_>>) -> Vec<RawCheck> {
    let mut checks: Vec<RawCheck> = Vec::new();
    for item in items {
        let Some(mut table) = item.table() else {
            continue;
        };
        let Some(id) = name_of(&mut table) else {
            continue;
        };
        let own = MAKE_A_CHECK.iter().any(|key| table.has(key));
        let earlier = checks.iter_mut().find(|check| check.id == id);
        match earlier {
            Some(check) if own => item.wrong_with(
                &format!("{id:?} is the name of {} already", check.path),
                "give it another check_id, or leave out check_type to change values of that one",
            ),
            Some(check) => {
                let changed = lay_over(check, &item);
                let note = format!("{} changes {changed} of {id} ({})", item.path, check.path);
                item.desk.note(note);
            }
            None if own => {
                let (path, place) = (item.path.clone(), item.place.clone());
                checks.push(RawCheck { path, id, node: item.node.clone(), place });
            }
            None => item.desk.note(format!(
                "{} changes values of {id}, which is not a check of this file: not used",
                item.path
            )),
        }
    }
    checks
}

fn name_of(table: &mut Table<'_>) -> Option<String> {
    if !table.has("check_id") {
        let meant = table
            .keys()
            .find(|key| key.name == "id" || did_you_mean(&key.name, ["check_id"]).is_some());
        let hint = meant.map(|key| format!("did you mean check_id instead of {}?", key.name));
        let hint = hint.or_else(|| Some("give the check a name of its own".into()));
        table.desk.problem(table.at, &table.path, "check_id is missing", hint);
        return None;
    }
    let item = table.take("check_id")?;
    let id = item.text()?;
    let good = id.len() <= 128
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if !good {
        item.wrong_with(
            &format!("{id:?} is not a name"),
            "use letters, digits, _ . and -, beginning with a letter or digit",
        );
        return None;
    }
    Some(id)
}

/// Replaces or adds the override's keys; each keeps its own place. Returns their names.
fn lay_over(check: &mut RawCheck, item: &Item<'_>) -> String {
    let (Value::Map(entries), Value::Map(changes)) = (&mut check.node.value, &item.node.value)
    else {
        return String::new();
    };
    let mut names = Vec::new();
    for (key, value) in changes.iter().filter(|(key, _)| key.name != "check_id") {
        names.push(key.name.clone());
        // `timeout: 30s` over `timeout_seconds: 10` says the same thing anew.
        entries.retain(|(known, _)| stem(known) != stem(key));
        entries.push((key.clone(), value.clone()));
    }
    names.join(", ")
}

fn stem(key: &Key) -> &str {
    key.name
        .strip_suffix("_seconds")
        .or_else(|| key.name.strip_suffix("_minutes"))
        .unwrap_or(&key.name)
}
