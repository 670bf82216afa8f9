//! `console: {presets: {1: [checks, logs]}}`: sets of panes by the number key that shows them.

use std::collections::BTreeMap;

use super::did_you_mean;
use super::take::Table;

/// The panes of the console, by the names that a set lists.
pub const PANES: [&str; 14] = [
    "checks", "decide", "levels", "plan", "steps", "logs", "watch", "report", "timeline",
    "waiting", "errors", "latency", "compare", "slo",
];

/// More panes than this fit on no screen.
const MOST: usize = 8;

/// The sets, checked: numbers 1 to 9, panes that there are, each once.
pub(super) fn presets(console: &mut Table<'_>) -> BTreeMap<u8, Vec<String>> {
    let mut presets = BTreeMap::new();
    if let Some(mut table) = console.table("presets") {
        let keys = table.names();
        for key in keys {
            let number = key.parse::<u8>().ok().filter(|number| (1..=9).contains(number));
            let Some(number) = number else {
                if let Some(item) = table.take(&key) {
                    item.wrong_with(
                        &format!("{key:?} is not a number key"),
                        "number the sets 1 to 9",
                    );
                }
                continue;
            };
            let panes = panes(&mut table, &key);
            if !panes.is_empty() {
                presets.insert(number, panes);
            }
        }
        table.finish();
    }
    presets
}

fn panes(table: &mut Table<'_>, key: &str) -> Vec<String> {
    let mut panes: Vec<String> = Vec::new();
    for item in table.list(key) {
        let Some(name) = item.text() else {
            continue;
        };
        if !PANES.contains(&name.as_str()) {
            let hint = did_you_mean(&name, PANES).map_or_else(
                || format!("choose of {}", PANES.join(", ")),
                |near| format!("did you mean {near}?"),
            );
            item.wrong_with(&format!("{name:?} is no pane"), &hint);
        } else if panes.contains(&name) {
            item.wrong_with(&format!("{name:?} is in this set already"), "name each pane once");
        } else if panes.len() == MOST {
            item.wrong_with(&format!("is more than {MOST} panes"), "make a second set");
            break;
        } else {
            panes.push(name);
        }
    }
    panes
}
