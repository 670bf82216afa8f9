//! Where entries lie. One store so far: a SQLite file.

use crate::model::ids::{Epoch, Seq};

pub(super) mod sqlite;

/// An entry as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Its place.
    pub(super) seq: Seq,
    /// The lease it was written under.
    pub(super) epoch: Epoch,
    /// The name of its event or command.
    pub(super) kind: String,
    /// SHA-256 of `bytes`.
    pub(super) hash: Vec<u8>,
    /// The exact JSON.
    pub(super) bytes: Vec<u8>,
}
