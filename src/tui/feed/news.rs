//! What wakes the feed.

/// What there is to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The engine said something, or is to be looked for again.
    Engine,
    /// Log lines came.
    Logs,
    /// The console is gone.
    Gone,
}
