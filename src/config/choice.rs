//! Sections that hold one of several things: `platform`, `traffic`, `database`.

use super::did_you_mean;
use super::take::{Item, Table};

/// A section that holds one key which says what it is. One that comes later is noted.
pub(super) fn choice<'a>(
    root: &mut Table<'a>,
    key: &str,
    known: &[&str],
    later: &[&str],
) -> Option<(String, Item<'a>)> {
    let item = root.take(key)?;
    let mut table = item.table()?;
    table.may_hold(known.iter().chain(later));
    let names: Vec<String> = table.keys().map(|key| key.name.clone()).collect();
    let [name] = names.as_slice() else {
        item.wrong_with(
            &format!("holds {} keys, one is expected", names.len()),
            format!("it is one of {}", known.join(", ")),
        );
        return None;
    };
    if later.contains(&name.as_str()) {
        root.desk.note(format!("not used yet: {}", table.below(name)));
        return None;
    }
    if !known.contains(&name.as_str()) {
        let all = known.iter().chain(later).copied();
        let hint = match did_you_mean(name, all) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("it is one of {}", known.join(", ")),
        };
        let at = table.keys().next().map_or(table.at, |key| key.at);
        let message = "is not known here";
        root.desk.problem(at, &table.below(name), message, Some(hint));
        return None;
    }
    let inner = table.take(name)?;
    Some((name.clone(), inner))
}
