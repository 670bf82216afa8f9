//! Whole commands about what is left over or left to do.

use crate::model::entry::Command;
use crate::model::leftover;
use crate::report::checklist;
use crate::text::SafeText;
use crate::tui::world::World;

use super::{Read, Verb, first, reason, word};

/// Something left over: its whole name, or one word that only one has.
fn left<'a>(verb: Verb, rest: &'a str, world: &World) -> Result<(SafeText, &'a str), String> {
    if let Ok((name, rest)) = first(verb, rest, world) {
        return Ok((SafeText::new(&name), rest));
    }
    let (name, more) = word(rest);
    if name.is_empty() {
        return first(verb, rest, world).map(|(name, more)| (SafeText::new(&name), more));
    }
    leftover::named(&world.situation, name).map(|found| (found.name.clone(), more))
}

/// Something left over is gone.
pub(super) fn release(rest: &str, world: &World) -> Read {
    let (name, why) = left(Verb::Release, rest, world)?;
    Ok(Command::Release { name, reason: reason(why)? })
}

/// Somebody else looks after it.
pub(super) fn hand_over(rest: &str, world: &World) -> Read {
    let (name, rest) = left(Verb::HandOver, rest, world)?;
    let (to, rest) = word(rest);
    let (who, why) = word(rest);
    if to != "to" || who.is_empty() {
        return Err(format!("say to whom: hand-over {name} to WHO WHY"));
    }
    Ok(Command::HandOver { name, to: SafeText::new(who), reason: reason(why)? })
}

/// The numbers of the checklist's items that nobody has done yet; none before a rollback.
pub(super) fn open_items(world: &World) -> Vec<String> {
    let Some(_) = world.situation.to_follow_up() else { return Vec::new() };
    let ticked = world.situation.ticked();
    let items = checklist::windows().into_iter().flat_map(|window| window.items);
    let open = items.filter(|item| ticked.is_none_or(|done| !done.contains_key(&item.number)));
    open.map(|item| item.number.to_string()).collect()
}

/// An item of the checklist is done.
pub(super) fn tick(rest: &str, world: &World) -> Read {
    let (number, note) = first(Verb::Tick, rest, world)?;
    let item = number.parse().map_err(|_| format!("{number} is no item"))?;
    Ok(Command::Tick { item, done: true, note: SafeText::new(note) })
}
