//! What a service manager sees: that the engine is up, that it is alive, and that it reads its
//! configuration again.

use std::sync::atomic::Ordering;

use crate::model::entry::Event;
use crate::text::{SafeText, fit};

use super::books::Line;
use super::run::Engine;

impl Engine {
    /// SIGHUP: reads the configuration again. One with mistakes changes nothing; a good one is
    /// taken as soon as no run is open, because a plan rests on the configuration it was made with.
    pub(super) fn hung_up(&mut self, lines: &mut Vec<Line>) {
        let Some(reload) = self.start.reload.clone() else { return };
        let now = self.config.digest.clone();
        match (reload.read)() {
            Err(why) => {
                let text = format!("the new configuration is refused, the old one stays: {why}");
                let text = SafeText::new(&fit(&text, 400));
                lines
                    .push(Line::from(Event::ConfigurationRead { config: now, note: text.clone() }));
                lines.push(Line::from(Event::Trouble { text }));
            }
            Ok(config) if config.digest == now => {
                let note = "the configuration was read again: nothing in it changed".into();
                lines.push(Line::from(Event::ConfigurationRead { config: now, note }));
            }
            Ok(config) => {
                let open = self.books.situation.open_run().is_some();
                let when = if open { ", in force when the run is over" } else { "" };
                let note = format!("a new configuration was read{when}");
                let note = SafeText::new(&note);
                lines.push(Line::from(Event::ConfigurationRead { config: config.digest, note }));
                self.reloads = true;
            }
        }
    }

    /// Tells the service manager that it lives, and ends for a new configuration.
    pub(super) fn say_alive(&mut self) {
        if self.reloads && self.books.situation.open_run().is_none() {
            if let Some(reload) = &self.start.reload {
                reload.asked.store(true, Ordering::SeqCst);
            }
            self.ending = Some("a new configuration".into());
        }
        let Some(notify) = &self.start.notify else { return };
        let now = self.clock.now();
        let Some(every) = notify.every() else {
            if self.notified_at.is_none() {
                notify.say("READY=1");
                self.notified_at = Some(now);
            }
            return;
        };
        let every = chrono::Duration::from_std(every).unwrap_or_default();
        match self.notified_at {
            None => notify.say("READY=1\nWATCHDOG=1"),
            Some(at) if (now - at).abs() >= every => notify.say("WATCHDOG=1"),
            Some(_) => return,
        }
        self.notified_at = Some(now);
    }
}
