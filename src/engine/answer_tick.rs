//! Answers ticks of the checklist: pure. Nothing runs by them, so no lead is needed.

use crate::model::entry::Event;
use crate::model::situation::Situation;
use crate::report::checklist;

use super::answer::{Refusal, refuse};

/// Whether an item can be ticked, or opened again, now.
pub(super) fn tick(situation: &Situation, item: u8, done: bool) -> Result<Vec<Event>, Refusal> {
    if situation.to_follow_up().is_none() {
        return refuse("there was no rollback that could be followed up", "roll back first");
    }
    let Some(found) = checklist::item(item) else {
        return refuse(
            format!("the checklist has no item {item}"),
            "look at it: backout checklist",
        );
    };
    let is = situation.ticked().is_some_and(|ticked| ticked.contains_key(&item));
    match (is, done) {
        (false, false) => {
            refuse(format!("{item} {} is open", found.title), "nothing needs to be done")
        }
        // Doing it again tells more about it: the last word counts.
        (_, true) | (true, false) => Ok(Vec::new()),
    }
}
