//! A wall clock that is set while something is open (G9): the engine goes on by the time it had,
//! which only ever goes forward, so that no window ends early or never and no age is negative. It
//! takes the new time when neither an incident nor a run is open.

use crate::model::entry::Event;
use crate::model::signal::Recent;
use crate::text::SafeText;

use super::books::Line;
use super::run::Engine;

/// How far the wall clock may be off before it counts as set, in seconds.
const OFF: i64 = 2;

impl Engine {
    /// Says that the wall clock was set, and takes its time when nothing rests on the old one.
    pub(super) fn watch_clock(&mut self, lines: &mut Vec<Line>) {
        let off = self.clock.drift().num_seconds();
        let same = (off - self.clock_off).abs() < OFF;
        let situation = &self.books.situation;
        let open = situation.incident.is_some() || situation.open_run().is_some();
        if off.abs() < OFF {
            self.clock_off = 0;
            return;
        }
        if open && same {
            return;
        }
        let way = if off > 0 { "forward" } else { "back" };
        let until = if open { "until the incident is closed" } else { "no longer" };
        let text = format!(
            "the wall clock was set {way} by {} s: times are told by the old one {until}; look \
             why (chronyc tracking, timedatectl)",
            off.abs()
        );
        lines.push(Line::from(Event::Trouble { text: SafeText::new(&text) }));
        self.clock_off = off;
        if !open {
            self.take_wall_time();
        }
    }

    /// What was timed by the old clock is begun anew.
    fn take_wall_time(&mut self) {
        self.clock.take_wall_time();
        self.clock_off = 0;
        let now = self.clock.now();
        self.recent = Recent::default();
        self.alone_since = self.alone_since.map(|_| now);
        for at in [
            &mut self.helped_at,
            &mut self.observed_at,
            &mut self.looked_at,
            &mut self.refreshed_at,
            &mut self.calm_since,
            &mut self.live_at,
            &mut self.space_at,
            &mut self.trimmed_at,
        ] {
            *at = None;
        }
    }
}
