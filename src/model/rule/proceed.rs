//! What becomes of a proposal: it starts, waits, or is withdrawn. Looked at anew every turn, so
//! that a veto, a freeze or a doubt counts within a second.

use std::time::Duration;

use crate::model::ids::{Digest, Time};
use crate::model::plan::{Level, PreflightAnswer};
use crate::model::severity::Severity;
use crate::model::situation::Situation;
use crate::text::SafeText;

use super::decide::{clock, forbids};
use super::{Mode, Rule, is_author};

/// How long the logs are waited for before a rollback; then it goes on beside them.
pub const PRESERVE: chrono::Duration = chrono::Duration::seconds(20);
/// What could not start for so long is a person's.
const GIVES_UP: Duration = Duration::from_mins(15);

/// What becomes of a proposal now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proceed {
    /// There is none, or nothing changed.
    Nothing,
    /// It goes its way, and waits for that.
    Wait(String),
    /// Something keeps it from starting.
    Stuck(String),
    /// A plan is missing.
    Plan(Level),
    /// It starts: this plan was made for it.
    Start(Digest),
    /// It is taken back.
    Withdraw(String),
}

/// What is known besides the journal.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    /// Whether the rule still holds; nothing while that cannot be told.
    pub holds: Option<bool>,
    /// Whether the logs are being preserved, for less than [`PRESERVE`].
    pub preserving: bool,
    /// Whether a plan is being made.
    pub planning: bool,
    /// The moment.
    pub now: Time,
}

/// Looks at the proposal.
pub fn proceed(rule: Option<&Rule>, situation: &Situation, around: Around) -> Proceed {
    let Some(proposal) = &situation.rules.proposal else { return Proceed::Nothing };
    let Some(rule) = rule else {
        return Proceed::Withdraw("the rule is no longer configured".to_owned());
    };
    if let Some(why) = forbids(situation) {
        return Proceed::Withdraw(why);
    }
    if let Some(run) = situation.open_run() {
        return Proceed::Withdraw(format!("run {} is open", run.id));
    }
    if around.holds == Some(false) && proposal.starts() {
        return Proceed::Withdraw("its condition is not met any more".to_owned());
    }
    let due = proposal.fired.starts_at.unwrap_or(proposal.at);
    let late = (around.now - due).to_std().unwrap_or_default();
    if proposal.starts() && late > GIVES_UP {
        return Proceed::Withdraw("it could not start for 15 min: a person decides".to_owned());
    }
    let open = situation.plan.as_ref();
    if open.is_some_and(|open| !is_author(&open.by)) {
        return Proceed::Stuck("a person has a plan on the table".to_owned());
    }
    let open = open.filter(|open| open.plan.core.level == proposal.fired.level);
    let refused = situation.refused.as_ref().filter(|refused| refused.at >= proposal.at);
    let Some(open) = open else {
        return match refused {
            Some(refused) => Proceed::Stuck(format!("there is no plan: {}", refused.why)),
            None if around.planning => Proceed::Wait("the plan is being made".to_owned()),
            None => Proceed::Plan(proposal.fired.level),
        };
    };
    if proposal.fired.mode != Mode::Enforce {
        return Proceed::Nothing;
    }
    if open.plan.core.level != Level::Switch {
        return Proceed::Withdraw("levels 2 and 3 are started by people".to_owned());
    }
    if around.holds.is_none() {
        return Proceed::Stuck("its condition cannot be told now".to_owned());
    }
    if around.now < due {
        return Proceed::Wait("anybody may veto".to_owned());
    }
    if let Some(why) = not_yet(rule, situation) {
        return Proceed::Stuck(why);
    }
    let no = open
        .preflight
        .iter()
        .find(|line| matches!(line.answer, PreflightAnswer::Block | PreflightAnswer::Unknown));
    if let Some(line) = no {
        return Proceed::Stuck(format!("blocked: {}: {}", line.name, line.text));
    }
    if open.plan.face.two_person {
        return Proceed::Stuck("this level takes two people".to_owned());
    }
    if around.preserving {
        return Proceed::Wait("the logs are being preserved".to_owned());
    }
    Proceed::Start(open.digest.clone())
}

/// Why the severity does not let it act yet.
fn not_yet(rule: &Rule, situation: &Situation) -> Option<String> {
    let severity = situation.assessment.as_ref().map_or(Severity::None, |known| known.severity);
    if severity < Severity::High {
        return Some(format!("severity is {}", severity.label()));
    }
    clock(rule, situation)
        .map(|at| format!("the time for a forward fix runs to {}", at.format("%H:%M:%SZ")))
}

/// The reason that stands in the history.
pub fn reason(situation: &Situation) -> SafeText {
    let proposal = situation.rules.proposal.as_ref();
    proposal.map(|proposal| proposal.fired.text.clone()).unwrap_or_default()
}
