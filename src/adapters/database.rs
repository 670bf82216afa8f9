//! What can be done with the data of an application: counted, dumped, taken back by its own
//! scripts, restored beside and swapped. Whoever calls keeps the writers away.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::model::activity::Activity;
use crate::model::ids::{Digest, Time};
use crate::model::tables::TableFacts;
use crate::model::until::{Until, Zone};
use crate::model::window::Window;
use crate::text::SafeText;

use super::Error;

/// What begins the name of every table of ours in somebody's database; they are never counted as
/// the application's.
pub const OURS: &str = "backout_";

/// Says how much is done of how much: rows or bytes.
pub type Told<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

/// A migration that the database says was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Its number.
    pub version: i64,
    /// Checksum of its script as it was applied, where the ledger keeps one.
    pub checksum: Option<SafeText>,
    /// When, where the ledger says so.
    pub at: Option<Time>,
}

/// A change of the schema to carry out in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The version that it takes back or brings.
    pub version: i64,
    /// Whether it takes it back.
    pub down: bool,
    /// Its file.
    pub path: PathBuf,
    /// What the file must be: a changed one is refused.
    pub digest: Digest,
    /// What is copied away in the same transaction before a down script runs, and filled in again
    /// after an up script.
    pub rescue: Vec<Column>,
    /// Where to: begins with [`OURS`].
    pub rescue_to: String,
}

/// A column, or with no name every column of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The table.
    pub table: String,
    /// The column.
    pub column: Option<String>,
}

impl Column {
    /// The table that what is dropped is copied to, where all that is copied goes to `to`.
    pub fn rescued_in(&self, to: &str) -> String {
        match &self.column {
            Some(column) => format!("{to}_{}_{column}", self.table),
            None => format!("{to}_{}", self.table),
        }
    }
}

impl std::fmt::Display for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.column {
            Some(column) => write!(f, "{}.{column}", self.table),
            None => write!(f, "{}", self.table),
        }
    }
}

/// How long a statement may wait for a lock, and how long it may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Wait for a lock at most.
    pub lock: std::time::Duration,
    /// Run at most.
    pub statement: std::time::Duration,
}

/// The file of a base backup in a restore point.
pub const BASE: &str = "base.tar.gz";
/// The file of a restore point that names a base backup kept in a repository of its own.
pub const REPOSITORY: &str = "pgbackrest.json";

/// A server to be brought back beside the live one.
#[derive(Clone, Copy, Debug)]
pub struct Recovery<'a> {
    /// The base backup.
    pub base: &'a Path,
    /// Up to where its logs are replayed.
    pub until: &'a Until,
    /// The name that it has beside.
    pub name: &'a str,
    /// What makes it.
    pub effect: &'a str,
}

/// A database of an application.
#[async_trait]
pub trait Database: Send + Sync {
    /// What identifies it; a changed one is another plan.
    async fn identity(&self) -> Result<String, Error>;
    /// Where it is, for people: `data/app.db`.
    fn name(&self) -> String;
    /// The migrations that are applied, oldest first; none where no ledger is known.
    async fn ledger(&self) -> Result<Vec<Applied>, Error>;
    /// The newest revision of each migration tool that keeps its ledger in it, by what it is of:
    /// `alembic`, `django.shop`, `sql`.
    async fn revisions(&self) -> Result<BTreeMap<String, String>, Error>;
    /// What goes on in it and its server just now (P-54); nothing where it is no server.
    async fn activity(&self) -> Result<Option<Activity>, Error> {
        Ok(None)
    }
    /// What goes on in it that changing it would run into (S-43): dumps, restores, statements that
    /// write tables anew. Nothing where it is no server.
    async fn operations(&self) -> Result<Vec<SafeText>, Error> {
        Ok(Vec::new())
    }
    /// The same with sessions that are called after `effect`, so that
    /// [`Database::end_sessions`] finds them; nothing where there are no sessions.
    fn called(&self, _effect: &str) -> Option<std::sync::Arc<dyn Database>> {
        None
    }
    /// Ends every session of this name at once, each by its process and start; which they were.
    async fn end_sessions(&self) -> Result<Vec<SafeText>, Error> {
        Ok(Vec::new())
    }
    /// The address that tools are given in their environment; it may hold a password.
    fn url(&self) -> String;
    /// Every table of the application, in order of their names, read at one moment.
    async fn tables(&self) -> Result<Vec<TableFacts>, Error>;
    /// What is wrong inside: pages, indexes, foreign keys. Nothing when it is sound.
    async fn problems(&self) -> Result<Vec<SafeText>, Error>;
    /// How many bytes a copy of it takes.
    async fn size(&self) -> Result<u64, Error>;
    /// How large each table is with all that belongs to it (S-38), in bytes; none where that
    /// cannot be told.
    async fn table_sizes(&self) -> Result<Vec<(String, u64)>, Error> {
        Ok(Vec::new())
    }
    /// Writes all of it, of one moment, to the fresh file `into` as compressed SQL, and returns
    /// what it held at that moment.
    async fn dump(&self, into: &Path, told: Told<'_>) -> Result<Vec<TableFacts>, Error>;
    /// Runs a script, its rescue copies and the record of `effect` in one transaction.
    async fn run_script(
        &self,
        script: &Script,
        limits: Limits,
        effect: &str,
    ) -> Result<SafeText, Error>;
    /// Whether `effect` is on record in it.
    async fn has_effect(&self, effect: &str) -> Result<bool, Error>;
    /// Restores `dump` into a new database beside this one under `name`, with the record of
    /// `effect` as its last word. What a cut-off attempt left under that name is removed first.
    async fn restore_beside(
        &self,
        dump: &Path,
        name: &str,
        effect: &str,
        told: Told<'_>,
    ) -> Result<(), Error>;
    /// The database beside this one under `name`, whether it is there or not.
    fn beside(&self, name: &str) -> std::sync::Arc<dyn Database>;
    /// Whether it is there.
    async fn exists(&self) -> Result<bool, Error>;
    /// Per table, how many rows this one has that the one beside under `name` does not have just
    /// so: new ones and changed ones. With `into`, they are also written there, a file a table.
    async fn only_here(&self, name: &str, into: Option<&Path>)
    -> Result<Vec<(String, u64)>, Error>;
    /// Puts the one beside under `name` in this one's place, and keeps this one as `keep`.
    async fn swap(&self, name: &str, keep: &str) -> Result<SafeText, Error>;
    /// Removes the one beside under `name`: only ever a half-made or refused copy of ours.
    async fn remove_beside(&self, name: &str) -> Result<(), Error>;
    /// What copies a table's missing rows, or one column's missing values, back from the one beside
    /// under `name`, for a person to read and run: statements, or commands where one database
    /// cannot read another.
    async fn copy_back(
        &self,
        name: &str,
        table: &str,
        column: Option<&str>,
    ) -> Result<Vec<String>, Error>;
    /// The exact commands that would restore `dump` beside it and swap by hand.
    fn restore_by_hand(&self, dump: &Path, name: &str, keep: &str) -> Vec<String>;
    /// Copies it as it lies, without reading it, into the folder `into`, and names what was copied:
    /// for one that is too damaged to be dumped. Nothing where it is not there.
    async fn copy_cold(&self, into: &Path) -> Result<Vec<String>, Error>;
    /// The exact command that removes the one beside under `name`.
    fn remove_by_hand(&self, name: &str) -> String;
    /// The path of the one beside under `name`, where it is a file.
    fn place_of(&self, name: &str) -> Option<PathBuf>;
    /// The exact command that copies the rows of a table that this one lacks from the one beside
    /// under `name`, or the whole table where this one has none.
    async fn copy_command(&self, name: &str, table: &str) -> String;
    /// Whether it can turn writers away by itself.
    fn can_hold_writers(&self) -> bool {
        false
    }
    /// Whether it does.
    async fn writers_held(&self) -> Result<bool, Error> {
        Ok(false)
    }
    /// Turns writers away, or lets them in again; our own work still writes.
    async fn hold_writers(&self, _held: bool) -> Result<(), Error> {
        let message = format!("could not hold the writers of {}: it has no such", self.name());
        Err(Error::new(super::Kind::Rejected, message))
    }
    /// The exact command that would do so by hand.
    fn hold_writers_by_hand(&self, _held: bool) -> String {
        "# the writers cannot be held here".to_owned()
    }
    /// The exact command that would run a script by hand.
    fn script_by_hand(&self, script: &Path) -> String;
    /// The exact command that writes all of it as SQL to its standard output.
    fn dump_by_hand(&self) -> String;
    /// From when to when the base backup at `base` can be brought forward by the server's logs;
    /// nothing where there is no such file, or no logs are kept.
    async fn window(&self, _base: &Path) -> Result<Option<Window>, Error> {
        Ok(None)
    }
    /// Brings the server's state up to `order.until` back beside this one: base backup, logs, and
    /// the place that was reached. What a cut-off attempt left under that name is removed first.
    /// Refused where the target is outside the window.
    async fn recover_beside(
        &self,
        order: &Recovery<'_>,
        _told: Told<'_>,
    ) -> Result<SafeText, Error> {
        Err(Error::new(
            super::Kind::Rejected,
            format!(
                "could not recover {}: no archived logs are configured",
                order.until.words(None)
            ),
        ))
    }
    /// The moment up to which this one was recovered; nothing where it was not.
    async fn reached(&self) -> Result<Option<Time>, Error> {
        Ok(None)
    }
    /// Its zone of times at a moment; nothing where it has none.
    async fn zone(&self, _at: Time) -> Result<Option<Zone>, Error> {
        Ok(None)
    }
    /// The file of a restore point that is, or names, its base backup.
    fn base_name(&self) -> &'static str {
        BASE
    }
    /// Writes a base backup of the server to the fresh file `into` and reads it through; what it
    /// is. Nothing where no logs are kept that could bring it forward.
    async fn base_backup(&self, _into: &Path, _told: Told<'_>) -> Result<Option<SafeText>, Error> {
        Ok(None)
    }
    /// Has the server name this moment in its logs, so that a recovery can end there; nothing where
    /// no logs are kept.
    async fn name_point(&self, _name: &str) -> Result<Option<SafeText>, Error> {
        Ok(None)
    }
    /// The exact command that removes one table of ours; the statement, where no tool is named.
    fn drop_by_hand(&self, table: &str) -> String {
        format!("DROP TABLE IF EXISTS \"{}\";", table.replace('"', "\"\""))
    }
}
