//! What people, or the calendar, leave out of the judgement for a while: always with an author,
//! a reason and an end. Looking goes on.

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::ids::{CheckId, Time};

/// The longest that anything is left out or changed: what is meant to last is configured.
pub const LONGEST: chrono::Duration = chrono::Duration::days(7);

/// A mute: some checks count for nothing until its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mute {
    /// As it was asked for: a check, a service, `all`, or the name of a window.
    pub name: SafeText,
    /// The checks it covers; with `all`, every one.
    pub checks: Vec<CheckId>,
    /// Whether it is maintenance of everything.
    #[serde(default)]
    pub all: bool,
    /// Who.
    pub by: SafeText,
    /// Why.
    pub reason: SafeText,
    /// Since when.
    pub since: Time,
    /// When it ends by itself.
    pub until: Time,
}

impl Mute {
    /// Whether `check` counts for nothing because of it.
    pub fn covers(&self, check: &CheckId) -> bool {
        self.all || self.checks.contains(check)
    }

    /// `api until 23:54Z (alice: deploy)`.
    pub fn words(&self) -> String {
        let until = self.until.format("%H:%M");
        format!("{} until {until}Z ({}: {})", self.name, self.by, self.reason)
    }
}

/// Values of a check that a person changed for a while (W-45).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// The check.
    pub check: CheckId,
    /// Key and value, as written.
    pub set: Vec<(String, String)>,
    /// Who.
    pub by: SafeText,
    /// Why.
    pub reason: SafeText,
    /// When it reverts by itself.
    pub until: Time,
}

impl Override {
    /// `api timeout=30s until 23:54Z (alice: slow disk)`.
    pub fn words(&self) -> String {
        let set: Vec<String> =
            self.set.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let until = self.until.format("%H:%M");
        format!("{} {} until {until}Z ({}: {})", self.check, set.join(" "), self.by, self.reason)
    }
}
