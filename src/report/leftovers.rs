//! What is left over, for people and for scripts.

use std::fmt::Write as _;

use serde::Serialize;

use crate::model::entry::Leftover;
use crate::model::ids::Time;
use crate::model::verdict::clock;
use crate::text::SafeText;

/// One thing left over, as `leftovers --json` says it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Left {
    /// Its name.
    pub name: SafeText,
    /// Who left it.
    pub owner: SafeText,
    /// Who looks after it beyond the incident.
    pub handed_to: Option<SafeText>,
    /// What takes it back.
    pub undo: SafeText,
    /// Since when.
    pub since: Option<Time>,
    /// When it should be gone.
    pub due: Option<Time>,
    /// Whether it should be gone by now.
    pub overdue: bool,
}

/// The document of `leftovers`.
pub fn document(leftovers: &[Leftover], now: Time) -> Vec<Left> {
    let one = |left: &Leftover| Left {
        name: left.name.clone(),
        owner: left.owner.clone(),
        handed_to: left.handed_to.clone(),
        undo: left.undo.clone(),
        since: left.since,
        due: left.due,
        overdue: left.overdue(now),
    };
    leftovers.iter().map(one).collect()
}

/// Two lines for each: whose and until when, and what takes it back.
pub fn table(leftovers: &[Leftover], now: Time) -> String {
    if leftovers.is_empty() {
        return "nothing is left over\n".to_owned();
    }
    let open = leftovers.iter().filter(|left| left.is_open()).count();
    let overdue = leftovers.iter().filter(|left| left.overdue(now)).count();
    let mut text = format!(
        "{} left over, {open} neither released nor handed over, {overdue} overdue\n",
        leftovers.len()
    );
    for left in leftovers {
        let who = match &left.handed_to {
            Some(to) => format!("handed to {to}"),
            None => left.owner.to_string(),
        };
        let span = |from: Time, to: Time| clock((to - from).to_std().unwrap_or_default());
        let due = match left.due {
            Some(due) if left.overdue(now) => format!("OVERDUE by {}", span(due, now)),
            Some(due) if left.is_open() => format!("due in {}", span(now, due)),
            Some(_) | None => "no due time".to_owned(),
        };
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "  {}  ({who})  {due}\n    undo: {}", left.name, left.undo);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::at;

    #[test]
    fn each_has_its_owner_its_due_time_and_its_undo() {
        let left = |name: &str, due, handed_to: Option<&str>| Leftover {
            name: name.into(),
            owner: "alice".into(),
            undo: "backout unhold writers --reason WHY".into(),
            due: Some(at(due)),
            handed_to: handed_to.map(SafeText::from),
            ..Leftover::default()
        };
        let all = [
            left("writers held", 40, None),
            left("green stopped, kept", 160, None),
            left("lock", 10, Some("dana")),
        ];
        assert_eq!(
            table(&all, at(100)),
            "3 left over, 2 neither released nor handed over, 1 overdue\n\
             \x20 writers held  (alice)  OVERDUE by 1:00\n    undo: backout unhold writers --reason WHY\n\
             \x20 green stopped, kept  (alice)  due in 1:00\n    undo: backout unhold writers --reason WHY\n\
             \x20 lock  (handed to dana)  no due time\n    undo: backout unhold writers --reason WHY\n"
        );
        let overdue: Vec<bool> = document(&all, at(100)).iter().map(|one| one.overdue).collect();
        assert_eq!(overdue, [true, false, false]);
    }
}
