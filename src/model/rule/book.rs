//! What the journal knows of rules: where each stands, when it last acted, what is proposed, who
//! was told, and whether rules are frozen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::ids::Time;
use crate::model::plan::Level;
use crate::model::severity::Severity;
use crate::text::SafeText;

use super::{Action, Mode, Shown, Unknown};

/// Alerts that are kept, newest last.
pub const ALERTS: usize = 64;

/// What the journal knows of rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleBook {
    /// The rules that are configured.
    pub rules: Vec<RuleFace>,
    /// Where each stands.
    pub cards: BTreeMap<String, RuleCard>,
    /// What a rule wants to do and has not done yet.
    pub proposal: Option<Proposal>,
    /// Nothing starts by rules until then.
    pub frozen: Option<Freeze>,
    /// What people were to be told, newest last, at most [`ALERTS`].
    pub alerts: Vec<Alert>,
}

/// A rule as the journal shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleFace {
    /// Its name.
    pub id: String,
    /// What people call it.
    pub name: SafeText,
    /// What it does.
    pub action: Action,
    /// How far it goes.
    pub mode: Mode,
    /// 1 comes first.
    pub priority: u32,
    /// What it watches for, cut at 400 columns.
    pub condition: SafeText,
}

/// Where a rule stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleState {
    /// Its condition is not met.
    Quiet,
    /// It is met, not yet for long enough.
    Pending,
    /// It is met.
    Met,
    /// It cannot be told.
    Unknown(Unknown),
    /// It makes no sense with these values.
    Broken(SafeText),
}

impl RuleState {
    /// `quiet`, `pending`, `MET`, `unknown`, `BROKEN`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Pending => "pending",
            Self::Met => "MET",
            Self::Unknown(_) => "unknown",
            Self::Broken(_) => "BROKEN",
        }
    }
}

/// A rule over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleCard {
    /// Where it stands.
    pub state: RuleState,
    /// Since when.
    pub since: Time,
    /// What that rests on.
    pub evidence: Vec<Shown>,
    /// When it acted last: its cooldown counts from here, also after a restart.
    #[serde(default)]
    pub fired_at: Option<Time>,
    /// How often it acted since it was last quiet: the level of its alert, at most 3 (P-10).
    #[serde(default)]
    pub raised: u8,
    /// Why it does not act although it is met.
    #[serde(default)]
    pub held: Option<SafeText>,
}

/// A rule acts, or would.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fired {
    /// The rule.
    pub rule: String,
    /// What it does.
    pub action: Action,
    /// How far it goes now; less than is configured where something speaks against it.
    pub mode: Mode,
    /// The level of a rollback.
    pub level: Level,
    /// When it starts unless somebody vetoes.
    pub starts_at: Option<Time>,
    /// How bad it says it is.
    pub severity: Option<Severity>,
    /// For people.
    pub text: SafeText,
    /// Why it goes less far than is configured.
    pub less: Option<SafeText>,
    /// What it rests on.
    pub evidence: Vec<Shown>,
}

/// What a rule wants to do and has not done yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// When it fired.
    pub at: Time,
    /// What.
    pub fired: Fired,
}

impl Proposal {
    /// Whether it starts by itself.
    pub fn starts(&self) -> bool {
        self.fired.mode == Mode::Enforce
    }
}

/// Nothing starts by rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// Who said so.
    pub by: SafeText,
    /// Why.
    pub reason: SafeText,
    /// Since when.
    pub since: Time,
    /// Until when.
    pub until: Time,
}

/// What people are to be told: the outbox of whatever sends. Told once when it begins, and once
/// when it is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// When; with the rule its name for ever.
    pub at: Time,
    /// The rule.
    pub rule: String,
    /// What the rule does.
    pub action: Action,
    /// 1 to 3.
    pub level: u8,
    /// How bad it says it is.
    pub severity: Option<Severity>,
    /// For people.
    pub text: SafeText,
    /// When it was over.
    pub resolved_at: Option<Time>,
}

impl Alert {
    /// The key by which a repeated message is known as the same.
    pub fn key(&self) -> String {
        format!("alert {} {}", self.rule, self.at.timestamp())
    }
}
