//! `drill: {inject: …, heal: …}`: how a failure is made on purpose, and taken away again (P-83).

use std::time::Duration;

use super::take::Table;

/// What a drill does here.
#[derive(Clone, Debug, PartialEq)]
pub struct Drill {
    /// The line of shell that makes something fail; on the embedded stack a fault is enough.
    pub inject: Option<String>,
    /// The line that takes it away again.
    pub heal: Option<String>,
    /// How long it may take until it is seen.
    pub detect_within: Duration,
}

pub(super) fn drill(root: &mut Table<'_>) -> Drill {
    let minutes = Duration::from_mins(2);
    let mut found = Drill { inject: None, heal: None, detect_within: minutes };
    let Some(mut table) = root.table("drill") else { return found };
    found.inject = table.take("inject").and_then(|item| item.raw());
    found.heal = table.take("heal").and_then(|item| item.raw());
    let within = table.span("detect_within", Duration::from_secs(1), Duration::from_hours(1));
    found.detect_within = within.unwrap_or(minutes);
    table.finish();
    found
}
