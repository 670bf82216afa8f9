//! `document_templates: {internal: FILE, …}`: documents about an incident in one's own words, read at
//! once, so that a place that nobody can fill in is said when the configuration is.

use std::collections::BTreeMap;

use crate::model::notice::DOCUMENT_PLACES;

use super::did_you_mean;
use super::notifications::places;
use super::take::Table;

/// The documents, by the names that `report` has for them.
const DOCUMENTS: [&str; 5] = ["incident", "postmortem", "internal", "customer", "meeting"];

pub(super) fn templates(root: &mut Table<'_>) -> BTreeMap<String, String> {
    let mut templates = BTreeMap::new();
    let Some(mut table) = root.table("document_templates") else { return templates };
    for name in DOCUMENTS {
        let Some(item) = table.take(name) else { continue };
        let Some(path) = item.path() else { continue };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("could not read {}: {error}", path.display());
                item.wrong_with(&message, "name a file, or leave it out: there is a built-in one");
                continue;
            }
        };
        for place in places(&text).into_iter().filter(|place| !DOCUMENT_PLACES.contains(place)) {
            let hint = match did_you_mean(place, DOCUMENT_PLACES) {
                Some(meant) => format!("did you mean {{{meant}}}?"),
                None => format!("known are {}", DOCUMENT_PLACES.join(", ")),
            };
            item.wrong_with(&format!("{{{place}}} is nothing that is known"), hint);
        }
        templates.insert(name.to_owned(), text);
    }
    table.finish();
    templates
}
