//! Rules: what is watched for without a person, and what follows (P-25 to P-27, M-22).
//!
//! A condition is a small, pure, bounded language: expressions of Python, as the documents write
//! them, with a third truth value. It sees one frozen moment of the readings and asks nobody.

mod ask;
pub mod book;
mod builtin;
mod compare;
mod count;
pub mod decide;
mod evaluate;
mod kept;
mod member;
mod parse;
mod problem;
pub mod proceed;
pub mod pulse;
pub mod rehearse;
mod snapshot;
mod syntax;
pub mod text;
mod token;
mod value;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::ids::Time;
use super::plan::Level;
use super::severity::Severity;

pub use problem::Mistake;
pub use snapshot::{SERIES, Seen, Snapshot};
pub use value::Unknown;

use syntax::{Function, Kind, Node};

/// A condition that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// As written.
    pub source: String,
    tree: Arc<Node>,
}

/// What a condition names: a check, a service, or a query of Prometheus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// Whether it is asked as a query of Prometheus.
    pub query: bool,
    /// Whether it has to have an objective.
    pub objective: bool,
    /// The byte of the condition where it stands.
    pub at: usize,
}

impl Condition {
    /// Reads a condition; everything that can be wrong with it is told now, not at night.
    pub fn parse(source: &str) -> Result<Self, Mistake> {
        let tree = Arc::new(parse::parse(source)?);
        Ok(Self { source: source.to_owned(), tree })
    }

    /// Judges it against one moment. Never panics, never waits; at most some 20 000 steps.
    pub fn evaluate(&self, snapshot: &Snapshot<'_>) -> Evaluation {
        evaluate::evaluate(&self.source, &self.tree, snapshot)
    }

    /// The names in it, so that those of nothing are told when it is read.
    pub fn names(&self) -> Vec<Named> {
        let mut found = Vec::new();
        named(&self.tree, &mut found);
        found
    }
}

/// Collects what is asked for by name.
fn named(node: &Node, found: &mut Vec<Named>) {
    if let Kind::Call(function, arguments) = &node.kind
        && function.asks()
        && let Some(Node { kind: Kind::Text(name), from, .. }) = arguments.first()
    {
        let query = *function == Function::Prometheus;
        let objective = matches!(function, Function::BurnRate | Function::ErrorBudget);
        found.push(Named { name: name.to_string(), query, objective, at: *from });
    }
    for part in node.parts() {
        named(part, found);
    }
}

/// What a condition came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The answer.
    pub verdict: Verdict,
    /// Each part with its value, in the order in which they were judged.
    pub evidence: Vec<Shown>,
    /// The newest reading that it rests on.
    pub newest: Option<Time>,
    /// What it cost.
    pub steps: usize,
}

/// A part of a condition and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// As written.
    pub text: SafeText,
    /// What it came to.
    pub value: SafeText,
}

impl Shown {
    /// `get_failure_count('backend', 5) = 3`.
    pub fn words(&self) -> String {
        format!("{} = {}", self.text, self.value)
    }
}

/// The answer of a condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is met.
    Met,
    /// It is not.
    NotMet,
    /// It cannot be told: never a trigger, and never an all-clear.
    Unknown(Unknown),
    /// It makes no sense with these values: told, and never a trigger.
    Broken(SafeText),
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Go back to the last good version; preserves logs first.
    Rollback,
    /// Tell people.
    Alert,
    /// Keep what is known in one archive.
    PreserveLogs,
    /// Tell people, one step up the ladder.
    Escalate,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rollback, Self::Alert, Self::PreserveLogs, Self::Escalate];

    /// As the files name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Alert => "alert",
            Self::PreserveLogs => "preserve_logs",
            Self::Escalate => "escalate",
        }
    }
}

/// How far a rule goes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It acts, after a countdown in which anybody may veto; level 1 only.
    Enforce,
    /// It makes the plan and asks a person.
    Propose,
    /// It only says that it would have acted.
    DryRun,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Enforce, Self::Propose, Self::DryRun];

    /// As the files name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Propose => "propose",
            Self::DryRun => "dry_run",
        }
    }
}

/// How often a condition must be met among the last judgements, each on a newer reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// So often.
    pub times: u32,
    /// Of so many.
    pub of: u32,
}

/// A rule, as configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name, the only one of that name.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it watches for.
    pub condition: Condition,
    /// It does not act while this is met, or not known.
    pub unless: Option<Condition>,
    /// What it does.
    pub action: Action,
    /// How far it goes by itself.
    pub mode: Mode,
    /// The level that it starts (1) or proposes.
    pub level: Level,
    /// 1 comes first.
    pub priority: u32,
    /// After it acted, it does not for so long.
    pub cooldown: Duration,
    /// The condition must hold without a break for so long (Prometheus' `for`).
    pub lasting: Duration,
    /// How often the condition must be met.
    pub confirm: Confirm,
    /// How long anybody can veto before it acts.
    pub veto: Duration,
    /// It acts within so long after a deploy only.
    pub only_within: Option<Duration>,
    /// The severity it stands for: the assessment is at least that while it is met (P-27).
    pub severity: Option<Severity>,
    /// With HIGH it waits until the severity's clock has run out (design 26).
    pub wait_for_clock: bool,
    /// What people are told, with `{{ $value }}` and `{{ $labels.x }}` of its query filled in.
    pub text: Option<String>,
    /// The query whose series fill the text.
    pub query: Option<super::ids::CheckId>,
}

impl Rule {
    /// Who acts, in plans and histories.
    pub fn author(&self) -> SafeText {
        author(&self.id)
    }
}

/// Who acts when a rule does: `rule auto_rollback`.
pub fn author(rule: &str) -> SafeText {
    SafeText::new(&format!("rule {rule}"))
}

/// Whether that author is a rule.
pub fn is_author(by: &SafeText) -> bool {
    by.as_str().starts_with("rule ")
}

#[cfg(test)]
mod tests;
