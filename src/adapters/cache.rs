//! What can be done with a store of keys beside the database: counted, dumped, restored beside
//! and swapped. Whoever calls keeps the writers away.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::model::keys::{KeyFacts, Keys};
use crate::text::SafeText;

use super::Error;
use super::database::Told;

/// A dump to be restored beside the live store.
#[derive(Clone, Copy, Debug)]
pub struct CacheCopy<'a> {
    /// The dump.
    pub dump: &'a Path,
    /// The name that it has beside.
    pub name: &'a str,
    /// What makes it.
    pub effect: &'a str,
}

/// What lies beside a store under a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiesBeside {
    /// What made it whole; nothing while it is half-made, or where it once was the live one.
    pub made_by: Option<String>,
}

/// A store of keys.
#[async_trait]
pub trait Cache: Send + Sync {
    /// What identifies it; a changed one is another plan.
    async fn identity(&self) -> Result<String, Error>;
    /// How many keys it holds now.
    async fn keys(&self) -> Result<Vec<KeyFacts>, Error>;
    /// How many bytes a dump of it takes at most.
    async fn size(&self) -> Result<u64, Error>;
    /// Writes all of it, of one moment, to the fresh file `into`, reads that through, and returns
    /// the counts around that moment.
    async fn dump(&self, into: &Path, told: Told<'_>) -> Result<Keys, Error>;
    /// Why a dump cannot be restored beside it and swapped here; nothing where it can.
    fn stays(&self) -> Option<String>;
    /// Restores a dump beside it, so that it is started with these keys whatever it keeps them in,
    /// and returns what the copy holds. What a cut-off attempt left under that name is removed
    /// first.
    async fn restore_beside(
        &self,
        order: &CacheCopy<'_>,
        told: Told<'_>,
    ) -> Result<Vec<KeyFacts>, Error>;
    /// What of ours lies beside it under `name`.
    async fn beside(&self, name: &str) -> Result<Option<LiesBeside>, Error>;
    /// Puts the one beside under `name` in this one's place, and keeps this one as `keep`. It is
    /// started and its keys are held against those that were counted beside.
    async fn swap(&self, name: &str, keep: &str) -> Result<SafeText, Error>;
    /// Removes the one beside under `name`: only ever a half-made or refused copy of ours.
    async fn remove_beside(&self, name: &str) -> Result<(), Error>;
    /// The path of the one beside under `name`, where it is known.
    fn place_of(&self, name: &str) -> Option<PathBuf>;
    /// The exact command that writes a dump to the file `into`.
    fn dump_by_hand(&self, into: &str) -> String;
    /// The exact commands that would restore `dump` beside it, and the one that would swap.
    fn restore_by_hand(&self, dump: &Path, name: &str, keep: &str) -> (Vec<String>, String);
    /// The exact command that removes the one beside under `name`.
    fn remove_by_hand(&self, name: &str) -> String;
}
