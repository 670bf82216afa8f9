//! A note for the timeline.

use crate::model::entry::Command;
use crate::text::SafeText;
use crate::tui::input::{Code, Key};
use crate::tui::state::{Effect, Field};
use crate::tui::theme::Role;
use crate::tui::widgets::Row;

use super::{Sheet, Turn, field};

/// Takes a key.
pub fn key(note: &mut Field, key: Key) -> Turn {
    if key.code == Code::Enter {
        let text = note.text.trim();
        if text.is_empty() {
            return Turn::Close;
        }
        return Turn::Do(vec![Effect::Send(Command::Note { text: SafeText::new(text) })]);
    }
    note.key(key);
    Turn::Stay
}

/// What it shows.
pub fn sheet(note: &Field, width: usize) -> Sheet {
    let cells = width.saturating_sub(4).clamp(8, 100);
    let (row, column) = field("", &note.text, cells);
    Sheet {
        title: "Note for the timeline".to_owned(),
        facts: vec![Row::of(
            Role::Muted,
            "written with your name and the time; everyone attached sees it",
        )],
        pinned: vec![row, Row::of(Role::Muted, "Enter = write.  Esc = nothing is written")],
        cursor: Some((0, column)),
        ..Sheet::default()
    }
}
