//! Which panes there are. What each shows is in [`super::panes`].

/// The panes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PaneKind {
    /// The checks, worst first.
    Checks,
    /// The tree, severity, what changed, whether a rollback helps.
    Decide,
    /// The three levels.
    Levels,
    /// The plan on the table.
    Plan,
    /// The run's steps.
    Steps,
    /// Log lines.
    Logs,
    /// Criteria and watch window.
    Watch,
    /// How it ended.
    Report,
    /// What happened when.
    Timeline,
    /// What a waiting run, or a rule, asks.
    Waiting,
    /// Failed requests over time.
    Errors,
    /// Response times over time.
    Latency,
    /// The same numbers before, during and now.
    Compare,
    /// Error budgets, and how fast they burn.
    Slo,
}

impl PaneKind {
    /// All.
    pub const ALL: [Self; 14] = [
        Self::Checks,
        Self::Decide,
        Self::Levels,
        Self::Plan,
        Self::Steps,
        Self::Logs,
        Self::Watch,
        Self::Report,
        Self::Timeline,
        Self::Waiting,
        Self::Errors,
        Self::Latency,
        Self::Compare,
        Self::Slo,
    ];

    /// Its name in a set of panes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Checks => "checks",
            Self::Decide => "decide",
            Self::Levels => "levels",
            Self::Plan => "plan",
            Self::Steps => "steps",
            Self::Logs => "logs",
            Self::Watch => "watch",
            Self::Report => "report",
            Self::Timeline => "timeline",
            Self::Waiting => "waiting",
            Self::Errors => "errors",
            Self::Latency => "latency",
            Self::Compare => "compare",
            Self::Slo => "slo",
        }
    }

    /// The pane of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pane| pane.name() == name)
    }
}
