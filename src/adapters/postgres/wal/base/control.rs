//! The control file of a server: which server it is, and where it stands.

use std::path::Path;

use crate::adapters::Error;
use crate::model::until::Lsn;

use super::no;

/// The beginning of `global/pg_control`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    /// The server.
    pub system: u64,
    /// Whether it was shut down cleanly.
    pub clean: bool,
    /// The timeline of its last checkpoint.
    pub timeline: u32,
    /// That checkpoint.
    pub checkpoint: Lsn,
}

impl Control {
    /// Reads it, of servers from version 11 on.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let at = |from: usize, count: usize| {
            let slice = bytes.get(from..from + count)?;
            Some(slice.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
        };
        let known = at(8, 4)? >= 1100;
        let timeline = u32::try_from(at(48, 4)?).ok()?;
        known.then_some(Self {
            system: at(0, 8)?,
            clean: at(16, 4)? == 1,
            timeline,
            checkpoint: Lsn(at(32, 8)?),
        })
    }

    /// Reads that of a data folder.
    pub fn of(data: &Path) -> Result<Self, Error> {
        let path = data.join("global/pg_control");
        let bytes = std::fs::read(&path).map_err(|e| Error::io("read", path.display(), &e))?;
        Self::parse(&bytes).ok_or_else(|| no(&path, "its version is not known"))
    }
}
