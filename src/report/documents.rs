//! The documents as types: every key of the JSON that `status` gives. They are stable: a new key
//! may come, none goes or changes its type. A value that is not known is `null` or the word
//! `unknown`, never a guess.

mod assess;
mod check;
mod past;
mod plan;
mod rollback;
mod status;
mod targets;

pub use assess::{Assess, LevelLine, PathStep, assess};
pub use check::{Check, CheckLine, Failed, Health, Requests, check, failed, lines};
pub use past::{HistoryDocument, HistoryLine, Validation, history, validation};
pub use plan::{PlanDocument, PlanStep, PreflightLine, plan};
pub use rollback::{CriterionLine, Rollback, StepLine, exit_of, rollback};
pub use status::{ChangeLine, Deployment, Standing, deployment, status};
pub use targets::{Target, default_target, shown_for, targets};

#[cfg(test)]
mod tests;
