//! What a check stands beside: its parents, the host it looks at, what it measures.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::CheckId;

/// What a check measures: the four groups of the health pane (P-86).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// API response time and error rate.
    #[default]
    Api,
    /// Database connection and query performance.
    Database,
    /// Memory, CPU, disks.
    Resources,
    /// What others run: external dependencies.
    External,
}

impl Dimension {
    /// All four, in the order of the document.
    pub const ALL: [Self; 4] = [Self::Api, Self::Database, Self::Resources, Self::External];

    /// `api`, `database`, `resources`, `external`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Database => "database",
            Self::Resources => "resources",
            Self::External => "external",
        }
    }

    /// The dimension of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.words() == name)
    }
}

/// What a check stands beside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bearing {
    /// What it measures.
    pub dimension: Dimension,
    /// The checks that it depends on: while one fails, this one cannot be judged.
    pub depends_on: Vec<CheckId>,
    /// The host it looks at over our own line; nothing when it stays on this machine.
    pub host: Option<String>,
    /// Time between its looks while all is well.
    pub interval: Duration,
    /// How long it may be unknown before that is said aloud (`unknown_after`).
    pub unknown_after: Duration,
}
