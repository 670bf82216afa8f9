//! What tells whether an application's data is whole: `corruption_marker` and `smoke_command`.

use std::path::PathBuf;

use super::take::Table;

/// What is looked at when a rollback is validated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proofs {
    /// A file that is there when the application has found its data damaged (S-31).
    pub marker: Option<PathBuf>,
    /// A command whose end says whether the application works (S-25).
    pub smoke: Vec<String>,
}

pub(super) fn proofs(root: &mut Table<'_>) -> Proofs {
    let marker = root.path("corruption_marker");
    let smoke = root.list("smoke_command").iter().filter_map(super::take::Item::word).collect();
    Proofs { marker, smoke }
}
