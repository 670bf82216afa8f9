//! The only place that reads the time or waits for it to pass.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
    Steady(Arc<Steady>),
    /// Wall time that moves by `by` once, `after` the first look at it.
    #[cfg(feature = "faults")]
    Jumping {
        by: chrono::Duration,
        after: Duration,
    },
}

#[derive(Debug)]
struct Manual {
    now: Mutex<DateTime<Utc>>,
    moved: Notify,
}

/// A clock that takes wall time once and goes on by monotonic time.
#[derive(Debug)]
struct Steady {
    wall: Clock,
    /// Wall time, and the ticks at which it was taken.
    from: Mutex<(DateTime<Utc>, Duration)>,
}

impl Steady {
    fn now(&self) -> DateTime<Utc> {
        let (at, ticks) = *self.from.lock().unwrap_or_else(PoisonError::into_inner);
        let since = self.wall.ticks().saturating_sub(ticks);
        at + chrono::Duration::from_std(since).unwrap_or_default()
    }
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

    /// The same clock, deaf to whoever sets it: its time goes forward and never jumps.
    #[must_use]
    pub fn steady(self) -> Self {
        let from = Mutex::new((self.now(), self.ticks()));
        Self(Source::Steady(Arc::new(Steady { wall: self, from })))
    }

    /// How far wall time is ahead of a steady clock; nothing for any other.
    pub fn drift(&self) -> chrono::Duration {
        match &self.0 {
            Source::Steady(steady) => steady.wall.now() - steady.now(),
            Source::Real | Source::Manual(_) => chrono::Duration::zero(),
            #[cfg(feature = "faults")]
            Source::Jumping { .. } => chrono::Duration::zero(),
        }
    }

    /// Lets a steady clock take wall time anew.
    pub fn take_wall_time(&self) {
        if let Source::Steady(steady) = &self.0 {
            *steady.from.lock().unwrap_or_else(PoisonError::into_inner) =
                (steady.wall.now(), steady.wall.ticks());
        }
    }

    /// The machine's clock, whose wall time jumps by `by` when `after` has passed.
    #[cfg(feature = "faults")]
    pub fn jumping(by: chrono::Duration, after: Duration) -> Self {
        Self(Source::Jumping { by, after })
    }

    /// Wall time in UTC.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::Real => Utc::now(),
            #[cfg(feature = "faults")]
            Source::Jumping { by, after } => {
                let past = Self::real().ticks() >= *after;
                Utc::now() + if past { *by } else { chrono::Duration::zero() }
            }
            Source::Manual(manual) => *manual.now.lock().unwrap_or_else(PoisonError::into_inner),
            Source::Steady(steady) => steady.now(),
        }
    }

    /// Monotonic time since some moment before the first call: for measuring, whatever becomes of
    /// wall time. A manual clock gives its own time.
    pub fn ticks(&self) -> Duration {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        match &self.0 {
            Source::Real => BEGAN.elapsed(),
            Source::Steady(steady) => steady.wall.ticks(),
            #[cfg(feature = "faults")]
            Source::Jumping { .. } => BEGAN.elapsed(),
            Source::Manual(_) => (self.now() - DateTime::UNIX_EPOCH).to_std().unwrap_or_default(),
        }
    }

    /// Waits for `span` of monotonic time.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that waits")]
    pub async fn sleep(&self, span: Duration) {
        match self.waits() {
            None => tokio::time::sleep(span).await,
            Some(manual) => {
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

    /// What a test moves by hand, where waiting waits for that.
    fn waits(&self) -> Option<&Manual> {
        match &self.0 {
            Source::Real => None,
            Source::Manual(manual) => Some(manual),
            Source::Steady(steady) => steady.wall.waits(),
            #[cfg(feature = "faults")]
            Source::Jumping { .. } => None,
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
