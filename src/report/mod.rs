//! Outgoing documents: pure functions of what the journal and the samples say.

pub mod activity;
pub mod brief;
pub mod checklist;
pub mod chronicle;
pub mod compare;
pub mod documents;
pub mod endpoints;
pub mod execution;
pub mod explain;
pub mod facts;
pub mod fill;
pub mod health;
pub mod history;
pub mod leftovers;
pub mod log_analysis;
pub mod log_files;
pub mod loss;
pub mod metrics;
pub mod notice;
pub mod own;
pub mod page;
pub mod paper;
pub mod series;
pub mod slo;
pub mod text;
pub mod validate;
