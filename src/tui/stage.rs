//! The eight stages of the flow, and which one an environment is in.

use crate::model::situation::Situation;

/// A stage of the flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Is something wrong?
    #[default]
    Detect,
    /// How bad is it?
    Assess,
    /// How deep to go back?
    Level,
    /// What exactly will happen?
    Plan,
    /// It happens.
    Run,
    /// Did it work?
    Validate,
    /// Does it stay good?
    Watch,
    /// What is to be said of it.
    Report,
}

impl Stage {
    /// All, in order.
    pub const ALL: [Self; 8] = [
        Self::Detect,
        Self::Assess,
        Self::Level,
        Self::Plan,
        Self::Run,
        Self::Validate,
        Self::Watch,
        Self::Report,
    ];

    /// Its name in the stage bar.
    pub fn words(self) -> &'static str {
        match self {
            Self::Detect => "Detect",
            Self::Assess => "Assess",
            Self::Level => "Level",
            Self::Plan => "Plan",
            Self::Run => "Run",
            Self::Validate => "Validate",
            Self::Watch => "Watch",
            Self::Report => "Report",
        }
    }

    /// The stage after this, if there is one.
    pub fn next(self) -> Option<Self> {
        let at = Self::ALL.iter().position(|stage| *stage == self)?;
        Self::ALL.get(at + 1).copied()
    }

    /// The stage before this, if there is one.
    pub fn before(self) -> Option<Self> {
        let at = Self::ALL.iter().position(|stage| *stage == self)?;
        Self::ALL.get(at.checked_sub(1)?).copied()
    }

    /// Where the environment is. Level is never reached by itself: a person goes there.
    pub fn of(situation: &Situation) -> Self {
        if let Some(run) = situation.open_run() {
            return match &run.watch {
                Some(_) => Self::Watch,
                None if !run.criteria.is_empty() => Self::Validate,
                None => Self::Run,
            };
        }
        if situation.plan.is_some() {
            Self::Plan
        } else if situation.run.is_some() {
            Self::Report
        } else if situation.incident.is_some() {
            Self::Assess
        } else {
            Self::Detect
        }
    }
}
