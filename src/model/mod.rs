//! Pure: data, the fold over the journal, and every decision. No I/O, no clock, no environment.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod criteria;
pub mod entry;
pub mod ids;
pub mod incident;
pub mod next;
pub mod plan;
pub mod reading;
pub mod restore_point;
pub mod severity;
pub mod signal;
pub mod situation;
pub mod tree;
pub mod verdict;
pub mod watch;
