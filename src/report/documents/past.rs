//! `history` and `validate`: what was.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::criteria::Criterion;
use crate::model::ids::RunId;
use crate::model::situation::PastRun;
use crate::report::execution::Execution;
use crate::report::history::{self, History, Line};
use crate::report::validate;
use crate::text::SafeText;

use super::rollback::{CriterionLine, criterion_line};

/// `history --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HistoryDocument {
    /// In the order of the file.
    pub rollbacks: Vec<HistoryLine>,
    /// Per level.
    pub by_level: BTreeMap<u8, usize>,
    /// Mean duration.
    pub average_seconds: Option<f64>,
    /// Percent that succeeded.
    pub success_rate: Option<f64>,
    /// Lines of the file that could not be read.
    pub unread: usize,
}

/// One rollback.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HistoryLine {
    /// When, RFC 3339 with Z.
    pub at: String,
    /// 1, 2 or 3.
    pub level: u8,
    /// The version that was left.
    pub from: String,
    /// The version gone to.
    pub to: String,
    /// How long it took.
    pub duration_seconds: u64,
    /// `success` or `failed`.
    pub status: &'static str,
    /// Why.
    pub reason: SafeText,
    /// The name that `rollback --undo` takes; none where the journal does not know the run.
    pub run: Option<RunId>,
    /// What the journal knows of the run beside: its trigger, its services.
    pub execution: Option<Execution>,
}

/// The document of `history`; `known` are the runs of the journal.
pub fn history(history: &History, known: &[PastRun]) -> HistoryDocument {
    HistoryDocument {
        rollbacks: history.lines.iter().map(|line| history_line(line, known)).collect(),
        by_level: history.by_level(),
        average_seconds: history.average(),
        success_rate: history.success_rate(),
        unread: history.unread.len(),
    }
}

fn history_line(line: &Line, known: &[PastRun]) -> HistoryLine {
    let past = history::run_of(line, known);
    HistoryLine {
        at: line.at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        level: line.level,
        from: line.from.clone(),
        to: line.to.clone(),
        duration_seconds: line.duration,
        status: if line.success { "success" } else { "failed" },
        reason: SafeText::new(&line.reason),
        run: past.map(|past| past.run.clone()),
        execution: past.map(Execution::of),
    }
}

/// `validate --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Validation {
    /// Whether all that is configured holds; what is not known does not.
    pub passed: bool,
    /// Lines that nothing is configured for: neither passed nor failed.
    pub left_out: Vec<SafeText>,
    /// In order.
    pub checks: Vec<CriterionLine>,
}

/// The document of `validate`.
pub fn validation(criteria: &[Criterion]) -> Validation {
    Validation {
        passed: validate::all_good(criteria),
        left_out: criteria
            .iter()
            .filter(|line| validate::is_left_out(line))
            .map(|line| line.name.clone())
            .collect(),
        checks: criteria.iter().map(criterion_line).collect(),
    }
}
