//! What goes on in the database, for whoever is attached (P-54): one short look every few seconds,
//! none while nobody would see it.

use std::sync::Arc;

use crate::model::activity::DatabaseNow;
use crate::model::ids::Time;
use crate::text::SafeText;

use super::run::{Engine, Seen};

/// Between two looks.
const EVERY: chrono::Duration = chrono::Duration::seconds(5);

/// The last look, and whether there is one under way.
#[derive(Default)]
pub(super) struct Activity {
    last: Option<Box<DatabaseNow>>,
    begun: Option<Time>,
    busy: bool,
    /// It is no server: there is nothing to look at.
    none: bool,
}

impl Activity {
    /// The last look.
    pub(super) fn last(&self) -> Option<Box<DatabaseNow>> {
        self.last.clone()
    }
}

impl Engine {
    /// Begins a look when one is due.
    pub(super) fn look_into_database(&mut self) {
        let (now, activity) = (self.clock.now(), &mut self.activity);
        let due = activity.begun.is_none_or(|at| now - at >= EVERY);
        if self.clients.is_empty() || activity.busy || activity.none || !due {
            return;
        }
        let Some(database) = self.stack.as_ref().and_then(|stack| stack.database.clone()) else {
            return;
        };
        (activity.begun, activity.busy) = (Some(now), true);
        let (seen, clock, redactor) =
            (self.seen.clone(), self.clock.clone(), Arc::new(self.config.redactor()));
        tokio::spawn(async move {
            let looked = database.activity().await;
            let clean = |text: &SafeText| {
                let book = &mut crate::redact::Book::new("");
                SafeText::new(&redactor.text(text.as_str(), book))
            };
            let found = match looked {
                Ok(None) => None,
                Ok(Some(mut activity)) => {
                    for statement in activity.statements.iter_mut().flatten() {
                        statement.text = clean(&statement.text);
                    }
                    Some((Some(activity), None))
                }
                Err(error) => Some((None, Some(clean(&SafeText::new(&error.message))))),
            };
            let now = found.map(|(activity, error)| DatabaseNow {
                at: clock.now(),
                name: SafeText::new(&database.name()),
                activity,
                error,
            });
            seen.send(Seen::Database(now.map(Box::new))).await.ok();
        });
    }

    /// Takes what was seen. What was seen before a look that failed is said to be old.
    pub(super) fn database_seen(&mut self, now: Option<Box<DatabaseNow>>) {
        self.activity.busy = false;
        self.activity.none = now.is_none();
        let before = self.activity.last.take();
        self.activity.last = now.map(|mut now| {
            if let (None, Some(before)) = (&now.activity, before) {
                (now.at, now.activity) = (before.at, before.activity);
            }
            now
        });
        self.live_at = None;
    }
}
