//! The decision tree of S-04 with node 0 for a breach, and the assessment that stands beside it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::ids::{Color, NodeId, Time};
use super::plan::Level;
use super::reading::Reason;
use super::severity::Severity;

pub use super::assess::assess;

/// One node: a question, or a verdict that ends the walk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// A question.
    Ask {
        /// Its name.
        id: NodeId,
        /// `Service down?`.
        question: String,
        /// What answers it by itself.
        when: Condition,
        /// What a person may add.
        human: Human,
        /// Where yes leads.
        yes: NodeId,
        /// Where no leads.
        no: NodeId,
    },
    /// The end.
    Verdict {
        /// Its name.
        id: NodeId,
        /// What is to be done.
        verdict: TreeVerdict,
    },
}

/// What answers a question by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Only a person can say.
    Person,
    /// A signal is above a number, in thousandths so that it compares exactly.
    Above {
        /// The signal.
        signal: String,
        /// The number, times 1000.
        thousandths: i64,
    },
    /// A flag is up.
    Up {
        /// The signal.
        signal: String,
    },
}

/// What a person may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Human {
    /// Anything; it overrides the signal for ten minutes.
    Any,
    /// A signal's no must be confirmed, because a missing marker proves little.
    ConfirmNo,
}

/// The answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Not known. Never the same as no.
    Unknown,
}

impl Answer {
    /// `YES`, `no`, `UNKN`: the loud one is loud without colour.
    pub fn words(self) -> &'static str {
        match self {
            Self::Yes => "YES",
            Self::No => "no",
            Self::Unknown => "UNKN",
        }
    }
}

/// What the tree says is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TreeVerdict {
    /// Any yes but a breach.
    RollBack,
    /// A breach: preserve, isolate, wait. Never a level.
    Isolate,
    /// All no.
    Monitor,
    /// A question is open.
    Open,
}

impl TreeVerdict {
    /// As the decide pane shows it.
    pub fn words(self) -> &'static str {
        match self {
            Self::RollBack => "ROLL BACK NOW",
            Self::Isolate => "PRESERVE, ISOLATE, WAIT",
            Self::Monitor => "monitor, continue",
            Self::Open => "open question",
        }
    }
}

/// A person's answer to a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// What.
    pub answer: Answer,
    /// Who.
    pub by: SafeText,
    /// Their uid as attested: a breach is released by another one only.
    #[serde(default)]
    pub uid: u32,
    /// When; ten minutes later it no longer counts, but a reported breach holds until released.
    pub at: Time,
}

/// The built-in tree's node for a breach.
pub const BREACH: &str = "0";

/// How long a person's answer counts.
pub const ANSWER_HOLDS: Duration = Duration::from_mins(10);

/// One answered question on the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// The node.
    pub node: NodeId,
    /// Its question.
    pub question: String,
    /// The answer.
    pub answer: Answer,
    /// Who gave it when it was a person.
    pub by: Option<SafeText>,
    /// The number a signal gave, when it was one.
    pub value: Option<f64>,
    /// Why it is not known.
    pub reason: Option<Reason>,
    /// What it rests on.
    pub evidence: Vec<SafeText>,
    /// Whether the walk came through here.
    pub on_path: bool,
    /// Whether a person is asked.
    pub asks: bool,
    /// What the signal says, where that is against the person's answer.
    #[serde(default)]
    pub against: Option<Answer>,
}

/// A severity clock. It starts when its class is reached, starts anew on a worse class only, and
/// goes on through a better one until that has held for [`BETTER_HOLDS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The class whose time runs.
    pub class: Severity,
    /// When that class was reached.
    pub since: Time,
    /// Since when it has been better without a break.
    pub better_since: Option<Time>,
}

/// How long a better class must hold before it ends the clock of a worse one.
pub const BETTER_HOLDS: Duration = Duration::from_secs(30);

/// Severity and tree side by side: *how long a fix may be tried*, and *whether*.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// Counts up with each change; answers name the one they were given to.
    pub number: u64,
    /// The class of the worst known signal.
    pub severity: Severity,
    /// The worst class that what is unknown could make of it.
    pub could_be: Severity,
    /// When the class was reached: its clock runs from here.
    pub since: Time,
    /// When the clock runs out.
    pub deadline: Option<Time>,
    /// The clock behind the deadline: of a worse class for a while after that has passed.
    #[serde(default)]
    pub clock: Option<Running>,
    /// What made the class.
    pub because: Vec<SafeText>,
    /// What the tree says.
    pub verdict: TreeVerdict,
    /// The level that is suggested.
    pub suggests: Option<Level>,
    /// All questions in order.
    pub path: Vec<Answered>,
}

/// Whether a rollback would help: the same bounded burst of reads at both own addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HelpTest {
    /// When.
    pub at: Time,
    /// The version that fails, and how it answered.
    pub failing: Burst,
    /// The version to go back to, and how it answered.
    pub target: Option<Burst>,
    /// A dependency that both share and that fails.
    pub shared_failing: Option<SafeText>,
}

impl HelpTest {
    /// What it comes to.
    pub fn says(&self) -> Helps {
        match &self.target {
            _ if self.shared_failing.is_some() => Helps::No,
            None => Helps::NoTarget,
            Some(target) if target.answered == target.asked && target.asked > 0 => {
                let fails = self.failing.answered < self.failing.asked;
                if fails || much_faster(self.failing.p95, target.p95) {
                    Helps::Yes
                } else {
                    Helps::NotProven
                }
            }
            Some(target) if target.answered == 0 => Helps::No,
            Some(_) => Helps::NotProven,
        }
    }
}

/// Whether the failing side is slow enough to matter (2 s, S-07) and the target is not and takes
/// half its time at most.
fn much_faster(failing: Option<Duration>, target: Option<Duration>) -> bool {
    let slow = Duration::from_secs(2);
    matches!((failing, target), (Some(failing), Some(target))
        if failing >= slow && target < slow && target * 2 <= failing)
}

/// One side of the help test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Burst {
    /// Its colour.
    pub color: Color,
    /// Its version, as it says itself.
    pub version: SafeText,
    /// Requests sent.
    pub asked: u32,
    /// Answered well.
    pub answered: u32,
    /// The 95th percentile of those.
    pub p95: Option<Duration>,
}

/// Whether going back would help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Helps {
    /// The target answers what the failing version does not.
    Yes,
    /// The target fails too, or something both share does.
    No,
    /// There is nothing live to go back to.
    NoTarget,
    /// The test cannot tell.
    NotProven,
}

/// The built-in tree: 0 breach, 1 down, 2 errors > 10 %, 3 p95 > 5 s, 4 corruption.
pub fn built_in() -> Vec<Node> {
    let ask = |id: &str, question: &str, when, human, yes: &str, no: &str| Node::Ask {
        id: id.into(),
        question: question.to_owned(),
        when,
        human,
        yes: yes.into(),
        no: no.into(),
    };
    let above = |signal: &str, thousandths| Condition::Above { signal: signal.into(), thousandths };
    let up = Condition::Up { signal: "corruption".into() };
    vec![
        ask(BREACH, "Breach?", Condition::Person, Human::Any, "isolate", "1"),
        ask("1", "Down?", above("outage", 1500), Human::Any, "rollback", "2"),
        ask("2", "Errors > 10 %?", above("error_rate", 10_000), Human::Any, "rollback", "3"),
        ask("3", "Slow > 5 s?", above("p95", 5_000), Human::Any, "rollback", "4"),
        ask("4", "Corrupt data?", up, Human::ConfirmNo, "rollback", "monitor"),
        Node::Verdict { id: "isolate".into(), verdict: TreeVerdict::Isolate },
        Node::Verdict { id: "rollback".into(), verdict: TreeVerdict::RollBack },
        Node::Verdict { id: "monitor".into(), verdict: TreeVerdict::Monitor },
    ]
}

impl Assessment {
    /// Whether `other` says the same, whatever its numbers.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let answers = |assessment: &Self| {
            assessment
                .path
                .iter()
                .map(|step| {
                    (
                        step.node.clone(),
                        step.answer,
                        step.reason,
                        step.by.clone(),
                        step.on_path,
                        (step.asks, step.against),
                    )
                })
                .collect::<Vec<_>>()
        };
        self.severity == other.severity
            && self.could_be == other.could_be
            && self.deadline == other.deadline
            && self.verdict == other.verdict
            && self.suggests == other.suggests
            && answers(self) == answers(other)
    }

    /// The first yes on the way, if there is one.
    pub fn decided_by(&self) -> Option<&Answered> {
        self.path.iter().find(|step| step.on_path && step.answer == Answer::Yes)
    }
}

#[cfg(test)]
mod tests;
