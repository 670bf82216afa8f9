//! The list of what to do after a rollback, in three windows of time (S-56).

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::model::ids::Time;
use crate::model::situation::Situation;

const LIST: &str = include_str!("../../assets/checklist.yaml");

/// One window with its items.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// `Immediate`, `Short-term`, `Long-term`.
    pub name: String,
    /// Minutes after traffic was good at which it begins.
    pub from_minutes: i64,
    /// Minutes at which it ends; none for the last one.
    pub to_minutes: Option<i64>,
    /// What is to be done in it.
    pub items: Vec<Item>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its number, over all windows.
    pub number: u8,
    /// In a few words.
    pub title: String,
    /// How, and with which command.
    pub how: String,
    /// What backout can do of it by itself.
    pub run: Option<Doable>,
}

/// What an item can be done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doable {
    /// The validation of `backout validate`.
    Validate,
}

/// The windows; a test holds that the built-in file can be read.
pub fn windows() -> Vec<Window> {
    crate::yaml::one(LIST).unwrap_or_default()
}

/// The item of that number.
pub fn item(number: u8) -> Option<Item> {
    windows().into_iter().flat_map(|window| window.items).find(|item| item.number == number)
}

impl Window {
    /// `0-15 min`, `1+ h`.
    pub fn span(&self) -> String {
        match self.to_minutes {
            Some(to) => format!("{}-{to} min", self.from_minutes),
            None => format!("{}+ h", self.from_minutes / 60),
        }
    }

    /// Whether what is open in it is late.
    pub fn is_over(&self, since: Time, now: Time) -> bool {
        self.to_minutes.is_some_and(|to| now - since > chrono::Duration::minutes(to))
    }
}

/// One line of the list, as it stands now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Its number.
    pub number: u8,
    /// Its window.
    pub window: String,
    /// What is to be done.
    pub title: String,
    /// How.
    pub how: String,
    /// Who did it, when, with which words.
    pub done: Option<crate::model::checklist::Tick>,
    /// Whether its window is over and it is not done.
    pub late: bool,
}

/// The list as it stands; empty when there was no rollback to follow up.
pub fn lines(situation: &Situation, now: Time) -> Vec<Line> {
    let Some((_, since)) = situation.to_follow_up() else { return Vec::new() };
    let ticked = situation.ticked();
    let mut lines = Vec::new();
    for window in windows() {
        let over = window.is_over(since, now);
        let name = format!("{} ({})", window.name, window.span());
        lines.extend(window.items.into_iter().map(|item| {
            let done = ticked.and_then(|ticked| ticked.get(&item.number)).cloned();
            Line {
                number: item.number,
                window: name.clone(),
                title: item.title,
                how: item.how,
                late: over && done.is_none(),
                done,
            }
        }));
    }
    lines
}

/// The list for people.
pub fn text(situation: &Situation, now: Time) -> String {
    let Some((run, since)) = situation.to_follow_up() else {
        return "nothing to follow up: no rollback yet\n".to_owned();
    };
    let lines = lines(situation, now);
    let done = lines.iter().filter(|line| line.done.is_some()).count();
    let at = since.format("%Y-%m-%d %H:%M:%SZ");
    let mut text = format!("After run {run}, since {at}: {done} of {} done\n", lines.len());
    let mut window = "";
    for line in &lines {
        if line.window != window {
            window = &line.window;
            writeln!(text, "\n{window}").ok();
        }
        let mark = if line.done.is_some() { 'x' } else { ' ' };
        let late = if line.late { "  LATE" } else { "" };
        writeln!(text, "[{mark}] {:>2} {}{late}", line.number, line.title).ok();
        match &line.done {
            Some(tick) => {
                let at = tick.at.format("%Y-%m-%d %H:%M:%SZ");
                writeln!(text, "       {} at {at}: {}", tick.by, tick.note).ok();
            }
            None => {
                writeln!(text, "       {}", line.how).ok();
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_items_stand_in_three_windows_without_a_gap() {
        let windows = windows();
        let spans: Vec<String> = windows.iter().map(Window::span).collect();
        assert_eq!(spans, ["0-15 min", "15-60 min", "1+ h"]);
        let counts: Vec<usize> = windows.iter().map(|window| window.items.len()).collect();
        assert_eq!(counts, [4, 3, 3]);
        let numbers = windows.iter().flat_map(|window| &window.items).map(|item| item.number);
        assert!(numbers.eq(1..=10));
        assert_eq!(item(1).unwrap().run, Some(Doable::Validate));
        assert_eq!(item(11), None);
    }
}
