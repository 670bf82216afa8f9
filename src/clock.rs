//! The only place that reads the time or waits for it to pass.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

/// A source of time: the machine's, or one that a test moves by hand.
///
/// Wall time is for showing and storing; waiting uses the monotonic clock, so a stepped wall
/// clock neither shortens nor lengthens a wait.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    Real,
    Manual(Arc<Manual>),
}

#[derive(Debug)]
struct Manual {
    now: Mutex<DateTime<Utc>>,
    moved: Notify,
}

/// The wait ended because its time was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl Clock {
    /// The machine's clock.
    pub fn real() -> Self {
        Self(Source::Real)
    }

    /// A clock that stands at `start` until [`Clock::advance`] moves it.
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self(Source::Manual(Arc::new(Manual { now: Mutex::new(start), moved: Notify::new() })))
    }

    /// Wall time in UTC.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::Real => Utc::now(),
            Source::Manual(manual) => *manual.now.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Waits for `span` of monotonic time.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that waits")]
    pub async fn sleep(&self, span: Duration) {
        match &self.0 {
            Source::Real => tokio::time::sleep(span).await,
            Source::Manual(manual) => {
                let until = self.now() + span;
                loop {
                    let moved = manual.moved.notified();
                    if self.now() >= until {
                        return;
                    }
                    moved.await;
                }
            }
        }
    }

    /// Runs `work` for at most `span`. The work is dropped when the time is up.
    pub async fn timeout<F: Future>(&self, span: Duration, work: F) -> Result<F::Output, Elapsed> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = self.sleep(span) => Err(Elapsed),
        }
    }

    /// Moves a manual clock forward; a real one is left alone.
    pub fn advance(&self, span: Duration) {
        if let Source::Manual(manual) = &self.0 {
            *manual.now.lock().unwrap_or_else(PoisonError::into_inner) += span;
            manual.moved.notify_waiters();
        }
    }
}
