//! Traffic that cannot turn writers away itself, with a database that can.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::model::hold::HoldPart;
use crate::model::ids::Color;
use crate::text::SafeText;

use super::database::Database;
use super::{Error, Traffic, TrafficState};

/// How long the database may take to say whether it holds them: a look at traffic waits for it.
const LOOK: Duration = Duration::from_secs(2);

/// Traffic as before, but for writers: those are held in the database.
pub struct WritersInDatabase {
    traffic: Arc<dyn Traffic>,
    database: Arc<dyn Database>,
    clock: Clock,
}

impl WritersInDatabase {
    /// `traffic`, with its writers held by `database` where only that can.
    pub fn over(
        traffic: Arc<dyn Traffic>,
        database: Option<&Arc<dyn Database>>,
        clock: &Clock,
    ) -> Arc<dyn Traffic> {
        match database {
            Some(database)
                if database.can_hold_writers() && !traffic.can_hold(HoldPart::Writers) =>
            {
                let (database, clock) = (Arc::clone(database), clock.clone());
                Arc::new(Self { traffic, database, clock })
            }
            Some(_) | None => traffic,
        }
    }
}

#[async_trait]
impl Traffic for WritersInDatabase {
    async fn look(&self) -> Result<TrafficState, Error> {
        let asked = self.clock.timeout(LOOK, self.database.writers_held());
        let (state, held) = tokio::join!(self.traffic.look(), Box::pin(asked));
        let mut state = state?;
        // A database that does not answer holds nobody: what it says when it is back counts.
        let held = held.is_ok_and(|held| held.unwrap_or(false));
        let parts = state.held.get_or_insert_with(BTreeSet::new);
        if held {
            parts.insert(HoldPart::Writers);
        }
        Ok(state)
    }

    async fn switch(&self, to: &Color, effect: &str) -> Result<(), Error> {
        self.traffic.switch(to, effect).await
    }

    async fn drain(&self, color: &Color, deadline: Duration) -> Result<u32, Error> {
        self.traffic.drain(color, deadline).await
    }

    async fn residue(&self, color: &Color) -> Option<SafeText> {
        self.traffic.residue(color).await
    }

    async fn in_between(&self) -> Option<SafeText> {
        self.traffic.in_between().await
    }

    async fn refresh(&self) -> Result<(), Error> {
        self.traffic.refresh().await
    }

    fn by_hand(&self, to: &Color) -> String {
        self.traffic.by_hand(to)
    }

    fn can_hold(&self, part: HoldPart) -> bool {
        part == HoldPart::Writers || self.traffic.can_hold(part)
    }

    async fn hold(&self, part: HoldPart, held: bool, effect: &str) -> Result<(), Error> {
        if part == HoldPart::Writers {
            return self.database.hold_writers(held).await;
        }
        self.traffic.hold(part, held, effect).await
    }

    fn hold_by_hand(&self, part: HoldPart, held: bool) -> String {
        if part == HoldPart::Writers {
            return self.database.hold_writers_by_hand(held);
        }
        self.traffic.hold_by_hand(part, held)
    }
}
