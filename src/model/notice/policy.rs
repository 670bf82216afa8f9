//! Who is told what, and when once more: what a configuration says of it.

use std::time::Duration;

use crate::text::SafeText;

use super::super::severity::Severity;
use super::Occasion;

/// Who is told what.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// The first that fits counts, and the next ones where it says so.
    pub routes: Vec<Route>,
    /// After this time whoever heard of a thread that is open and that nobody looks after is told
    /// once more.
    pub repeat: Duration,
    /// Alerts wait so long for others, to go out in one message.
    pub group_wait: Duration,
    /// Who is told when nobody looks after it (S-77, P-72).
    pub ladder: Vec<Rung>,
}

/// One way from a notice to receivers.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Receivers, by name.
    pub to: Vec<String>,
    /// From this class on.
    pub severity: Severity,
    /// Only these; all when empty.
    pub occasions: Vec<Occasion>,
    /// Only in these environments, by name, or `production`; in all when empty.
    pub environments: Vec<String>,
    /// Whether the routes below it are looked at, too.
    pub go_on: bool,
}

/// One rung of the ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// When a thread has been open so long and nobody looks after it.
    pub after: Duration,
    /// Receivers, by name.
    pub to: Vec<String>,
    /// Who that is, for people.
    pub who: SafeText,
    /// When they are to be called, for people.
    pub when: SafeText,
}

impl Route {
    /// Whether a notice goes this way.
    pub fn takes(
        &self,
        occasion: Occasion,
        severity: Severity,
        (environment, production): (&str, bool),
    ) -> bool {
        let here = |name: &String| name == environment || (production && name == "production");
        severity >= self.severity
            && (self.occasions.is_empty() || self.occasions.contains(&occasion))
            && (self.environments.is_empty() || self.environments.iter().any(here))
    }
}
