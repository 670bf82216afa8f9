//! Says how far long work is: one line that changes on a terminal, a line every two seconds
//! elsewhere, nothing beside a JSON document.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::Duration;

use crate::clock::Clock;
use crate::evidence::pace::Pace;

use super::super::World;

/// Time between two lines where lines stay.
const EVERY: Duration = Duration::from_secs(2);

/// Says it to standard error.
pub(in crate::cli) struct Teller {
    clock: Clock,
    pace: Pace,
    quiet: bool,
    terminal: bool,
    last: Mutex<Option<Duration>>,
}

impl Teller {
    pub(in crate::cli) fn of(world: &World) -> Self {
        Self {
            clock: world.clock.clone(),
            pace: Pace::default(),
            quiet: world.json,
            terminal: std::io::stderr().is_terminal(),
            last: Mutex::new(None),
        }
    }

    /// `done` of `all` of `what`; rows when its name begins so, else bytes.
    pub(in crate::cli) fn say(&self, what: &str, done: u64, all: u64) {
        if self.quiet {
            return;
        }
        let now = self.clock.ticks();
        let Some(word) = self.pace.word(what, (done, all), now) else { return };
        let left =
            word.left.map_or_else(String::new, |left| format!(", {} s left", left.as_secs()));
        let mut err = std::io::stderr().lock();
        if self.terminal {
            let end = if done >= all { "\n" } else { "" };
            write!(err, "\r\x1b[K{}{left}{end}", word.text).ok();
            return;
        }
        let Ok(mut last) = self.last.lock() else { return };
        if last.is_none_or(|last| now >= last + EVERY) || (done >= all && all > 0) {
            *last = Some(now);
            writeln!(err, "{}{left}", word.text).ok();
        }
    }
}
