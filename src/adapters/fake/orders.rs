//! Failures and delays that are ordered of the fake.

use std::time::Duration;

use super::super::Error;

/// What can be asked of the fake, to order a failure of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// [`Traffic::look`](crate::adapters::Traffic::look).
    Traffic,
    /// [`Workload::look`](crate::adapters::Workload::look).
    Workload,
    /// [`Traffic::switch`](crate::adapters::Traffic::switch).
    Switch,
    /// [`Traffic::drain`](crate::adapters::Traffic::drain).
    Drain,
    /// [`Workload::stop`](crate::adapters::Workload::stop).
    Stop,
    /// [`Workload::start`](crate::adapters::Workload::start).
    Start,
    /// [`Workload::preserve`](crate::adapters::Workload::preserve).
    Preserve,
    /// [`Traffic::hold`](crate::adapters::Traffic::hold).
    Hold,
    /// [`Workload::stop_workers`](crate::adapters::Workload::stop_workers) and [`Workload::start_workers`](crate::adapters::Workload::start_workers).
    Workers,
    /// [`Workload::deploy`](crate::adapters::Workload::deploy).
    Deploy,
}

/// What happens to the next call of an operation; each order is used once.
#[derive(Clone, Debug)]
pub struct Order {
    /// Which call.
    pub operation: Operation,
    /// How long it takes before anything happens.
    pub delay: Duration,
    /// What it answers instead of success.
    pub error: Option<Error>,
    /// Whether the effect happens although it answers with an error.
    pub applies: bool,
}
