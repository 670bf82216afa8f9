//! Pure: data, the fold over the journal, and every decision. No I/O, no clock, no environment.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod assess;
pub mod command;
pub mod criteria;
pub mod entry;
pub mod event;
mod fold;
mod fold_run;
pub mod ids;
pub mod incident;
pub mod live;
pub mod next;
pub mod plan;
mod rates;
pub mod reading;
pub mod restore_point;
#[cfg(test)]
pub(crate) mod sample;
pub mod severity;
pub mod signal;
pub mod situation;
pub mod tree;
pub mod verdict;
pub mod watch;
