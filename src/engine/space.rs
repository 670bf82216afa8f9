//! What the engine does when the disk of its state folder is full: the journal goes on from its
//! ballast, everything else that could fill the space stops, and people are told.

use std::path::Path;

use crate::journal::BALLAST;
use crate::model::entry::Event;
use crate::text::SafeText;

use super::books::Line;
use super::run::Engine;

/// Less free space than this counts as none, in bytes.
const LEAST: u64 = 1024 * 1024;
/// Between two looks at the disk.
const EVERY: chrono::Duration = chrono::Duration::seconds(2);

impl Engine {
    /// Looks whether there is space, stops or starts what is not needed, and says so once.
    pub(super) fn watch_space(&mut self, lines: &mut Vec<Line>) {
        let left = self.books.ballast_left();
        let short = *self.short.borrow();
        let now = self.clock.now();
        let looked = self.space_at.is_some_and(|at| now - at < EVERY);
        if looked && (short || left >= BALLAST) {
            return;
        }
        self.space_at = Some(now);
        let state = &self.start.state;
        let whole = left >= BALLAST || self.books.mend_ballast();
        let full = !whole || free(state).is_some_and(|free| free < LEAST);
        if full == short {
            return;
        }
        self.short.send_replace(full);
        let text = if full {
            format!(
                "the disk of {} is full: the journal goes on from what it kept back ({} KiB of it \
                 are left), log lines wait and readings are not kept; free some space, never \
                 restore points",
                state.display(),
                left / 1024
            )
        } else {
            format!("there is space again in {}: log lines and readings are kept", state.display())
        };
        let text = SafeText::new(&text);
        lines.push(Line::from(if full {
            Event::Trouble { text }
        } else {
            Event::Noted { by: "engine".into(), text }
        }));
        if !full {
            self.mend_history();
        }
    }
}

fn free(state: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(state).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
