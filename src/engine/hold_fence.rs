//! The fence around one hold: two journals must not hold and lift against each other.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::adapters::{Error, Fence, FenceTake, Kind};
use crate::clock::Clock;
use crate::model::ids::RunId;
use crate::text::SafeText;

use super::run::Engine;

/// How long a hold waits for another one of this engine; then it says who is at work.
const WAITS: Duration = Duration::from_secs(10);

/// Whose turn at the fence it is. The fence knows journals, and lets each take what it has: without
/// turns the last of two holds would have it alone, and would give it back for both.
#[derive(Clone)]
pub(super) struct Turn(Arc<Semaphore>);

impl Default for Turn {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

/// The fence, for as long as one hold is set or lifted.
pub(super) struct HoldFence {
    fence: Arc<dyn Fence>,
    take: FenceTake,
    turn: Turn,
    /// A run of ours has the fence, or is about to take it: it is only looked at then, as who
    /// takes it also gives it back.
    in_run: bool,
}

impl Engine {
    /// The fence for the hold that is done under this name; nothing where none is configured.
    pub(super) fn hold_fence(&self, hold: &RunId, by: &SafeText) -> Option<HoldFence> {
        let situation = &self.books.situation;
        Some(HoldFence {
            fence: self.stack.as_ref()?.fence.clone()?,
            take: FenceTake {
                run: hold.clone(),
                journal: situation.journal.clone(),
                epoch: situation.epoch,
                name: by.clone(),
                host: self.host.clone(),
                since: self.clock.now(),
            },
            turn: self.holding.turn.clone(),
            in_run: situation.open_run().is_some(),
        })
    }

    /// Gives back what an engine that died in the middle of this hold may have left taken.
    pub(super) fn leave_hold_fence(&self, hold: &RunId, by: &SafeText) {
        if let Some(fence) = self.hold_fence(hold, by) {
            tokio::spawn(async move { fence.leave().await });
        }
    }
}

impl HoldFence {
    /// Waits for its turn and takes it; refused with [`Kind::Held`] while another journal works on
    /// the target, or another hold of ours does not come to its end. The turn ends when what this
    /// gives is dropped.
    pub(super) async fn enter(&self, clock: &Clock) -> Result<OwnedSemaphorePermit, Error> {
        let turn = clock.timeout(WAITS, self.turn.0.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(self.busy().await) };
        if !self.in_run {
            self.fence.take(&self.take).await?;
            return Ok(turn);
        }
        match self.fence.holder().await? {
            Some(other) if other.journal != self.take.journal => Err(held_by(&other)),
            Some(_) | None => Ok(turn),
        }
    }

    /// Who is at work, for whoever waited for it in vain.
    async fn busy(&self) -> Error {
        match self.fence.holder().await {
            Ok(Some(other)) => held_by(&other),
            Ok(None) => Error::new(
                Kind::Held,
                "could not take the fence: another hold is at work; look again in a moment",
            ),
            Err(error) => error,
        }
    }

    /// Gives it back, when it was taken under this hold's name.
    pub(super) async fn leave(&self) {
        if let Err(error) = self.fence.release(&self.take.run).await {
            tracing::warn!("could not release the fence: {error}");
        }
    }
}

fn held_by(other: &FenceTake) -> Error {
    let since = other.since.format("%H:%M:%S UTC");
    let (run, name, host) = (&other.run, &other.name, &other.host);
    let text = format!("could not take the fence: {run} of {name} on {host} has it since {since}");
    Error::new(Kind::Held, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::fence_file::FenceFile;

    fn hold(folder: &tempfile::TempDir, turn: &Turn, run: &str, by: &str) -> HoldFence {
        let clock = Clock::real();
        HoldFence {
            take: FenceTake {
                run: run.into(),
                journal: "k7qd".into(),
                epoch: 3,
                name: by.into(),
                host: "bastion".into(),
                since: clock.now(),
            },
            fence: Arc::new(FenceFile::new(folder.path().join("fence.json"), clock)),
            turn: turn.clone(),
            in_run: false,
        }
    }

    #[tokio::test]
    async fn of_two_holds_at_once_the_second_sees_who_has_the_fence_and_gives_nothing_back() {
        let folder = tempfile::tempdir().unwrap();
        let (turn, clock) = (Turn::default(), Clock::real());
        let first = hold(&folder, &turn, "7-k7qd-hold", "alice");
        let second = hold(&folder, &turn, "9-k7qd-hold", "bob");
        let had = first.enter(&clock).await.unwrap();
        let holder = || async { first.fence.holder().await.unwrap().map(|take| take.name) };
        let error = second.busy().await;
        assert_eq!(error.kind, Kind::Held);
        assert!(error.message.contains("7-k7qd-hold of alice on bastion"), "{error}");
        assert!(second.turn.0.clone().try_acquire_owned().is_err(), "it waits for its turn");
        assert_eq!(holder().await, Some("alice".into()));
        first.leave().await;
        drop(had);
        let had = second.enter(&clock).await.unwrap();
        assert_eq!(holder().await, Some("bob".into()));
        second.leave().await;
        drop(had);
        assert_eq!(holder().await, None);
    }
}
