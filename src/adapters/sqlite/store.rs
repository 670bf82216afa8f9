//! One file of `SQLite` as an application's database. A copy beside it is a file beside it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::adapters::database::{Applied, Database, Limits, Script, Told};
use crate::adapters::{Error, Kind};
use crate::model::ids::Time;
use crate::model::tables::TableFacts;
use crate::text::SafeText;

use super::swap::{sync_folder_of, with_sidecars};
use super::{copy_back, dump, facts, identifier, ledgers, one_transaction, only, swap, translate};

mod opening;

/// How long a look waits for a lock.
const LOOK: Duration = Duration::from_secs(2);

/// A database file.
#[derive(Clone, Debug)]
pub struct SqliteDatabase {
    path: PathBuf,
}

impl SqliteDatabase {
    /// The database in the file `path`, which need not be there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn thing(&self) -> String {
        self.path.display().to_string()
    }

    fn named(&self, name: &str) -> PathBuf {
        let mut file = self.path.file_name().unwrap_or_default().to_owned();
        file.push(".");
        file.push(name);
        self.path.with_file_name(file)
    }
}

/// A time as ledgers write it: with its zone, or as `SQLite` does, which means UTC.
fn time(text: &str) -> Option<Time> {
    let plain = || format!("{}Z", text.trim().replacen(' ', "T", 1));
    text.trim().parse().or_else(|_| plain().parse()).ok()
}

#[async_trait]
impl Database for SqliteDatabase {
    async fn identity(&self) -> Result<String, Error> {
        // One that is gone is still the one that was to be restored there.
        let folder = self.path.parent().unwrap_or(&self.path);
        let path = fs::canonicalize(&self.path).or_else(|e| {
            let name = self.path.file_name().filter(|_| e.kind() == std::io::ErrorKind::NotFound);
            name.map_or(Err(e), |name| Ok(fs::canonicalize(folder)?.join(name)))
        });
        let path = path.map_err(|e| Error::io("open", self.thing(), &e))?;
        Ok(format!("sqlite:{}", path.display()))
    }

    fn name(&self) -> String {
        self.thing()
    }

    async fn ledger(&self) -> Result<Vec<Applied>, Error> {
        let mut connection = self.reading().await?;
        let known: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'",
        )
        .fetch_optional(&mut connection)
        .await
        .map_err(|e| translate("read", &self.thing(), &e))?;
        if known.is_none() {
            return Ok(Vec::new());
        }
        let known = facts::columns(&mut connection, "schema_migrations").await;
        let known = known.map_err(|e| translate("read", &self.thing(), &e))?;
        let or_null = |name: &str| {
            let there = known.iter().any(|column| column == name);
            if there { format!("CAST({name} AS TEXT)") } else { "NULL".to_owned() }
        };
        let query = format!(
            "SELECT version, {}, {} FROM schema_migrations ORDER BY version",
            or_null("checksum"),
            or_null("applied_at")
        );
        let rows: Vec<(i64, Option<String>, Option<String>)> = sqlx::query_as(AssertSqlSafe(query))
            .fetch_all(&mut connection)
            .await
            .map_err(|e| translate("read", &self.thing(), &e))?;
        connection.close().await.ok();
        let applied = |(version, checksum, at): (i64, Option<String>, Option<String>)| Applied {
            version,
            checksum: checksum.map(|text| SafeText::new(&text)),
            at: at.and_then(|text| time(&text)),
        };
        Ok(rows.into_iter().map(applied).collect())
    }

    async fn revisions(&self) -> Result<BTreeMap<String, String>, Error> {
        let mut connection = self.reading().await?;
        let found = ledgers::revisions(&mut connection).await;
        connection.close().await.ok();
        found.map_err(|e| translate("read", &self.thing(), &e))
    }

    fn url(&self) -> String {
        let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        format!("sqlite:///{}", path.display())
    }

    async fn tables(&self) -> Result<Vec<TableFacts>, Error> {
        let mut connection = self.reading().await?;
        let sql = |e: sqlx::Error| translate("count", &self.thing(), &e);
        let mut moment = connection.begin().await.map_err(sql)?;
        let tables = facts::read(&mut moment).await.map_err(sql)?;
        drop(moment);
        connection.close().await.ok();
        Ok(tables)
    }

    async fn problems(&self) -> Result<Vec<SafeText>, Error> {
        let sql = |e: sqlx::Error| translate("check", &self.thing(), &e);
        let mut connection = self.reading().await?;
        let pages: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(20)")
            .fetch_all(&mut connection)
            .await
            .map_err(sql)?;
        let keys: Vec<(String, Option<i64>, String)> = sqlx::query_as(
            "SELECT \"table\", rowid, \"parent\" FROM pragma_foreign_key_check LIMIT 20",
        )
        .fetch_all(&mut connection)
        .await
        .map_err(sql)?;
        connection.close().await.ok();
        let pages = pages.iter().filter(|line| *line != "ok").map(|line| SafeText::new(line));
        let keys = keys.iter().map(|(table, row, parent)| {
            let row = row.map_or_else(String::new, |row| format!(" {row}"));
            SafeText::new(&format!("row{row} of {table} names a row that {parent} does not have"))
        });
        Ok(pages.chain(keys).collect())
    }

    async fn size(&self) -> Result<u64, Error> {
        let length = |path: &PathBuf| path.metadata().map_or(0, |found| found.len());
        self.path.metadata().map_err(|e| Error::io("open", self.thing(), &e))?;
        Ok(with_sidecars(&self.path).iter().map(length).sum())
    }

    async fn table_sizes(&self) -> Result<Vec<(String, u64)>, Error> {
        let mut connection = self.reading().await?;
        let sizes = facts::sizes(&mut connection).await;
        connection.close().await.ok();
        sizes.map_err(|e| translate("measure", &self.thing(), &e))
    }

    async fn dump(&self, into: &Path, told: Told<'_>) -> Result<Vec<TableFacts>, Error> {
        let mut connection = self.reading().await?;
        let tables = dump::write(&mut connection, &self.thing(), into, told).await?;
        connection.close().await.ok();
        Ok(tables)
    }

    async fn run_script(
        &self,
        script: &Script,
        limits: Limits,
        effect: &str,
    ) -> Result<SafeText, Error> {
        let mut connection = self.writing(limits.lock).await?;
        let note = one_transaction::run(&mut connection, script, limits, effect).await;
        connection.close().await.ok();
        note
    }

    async fn has_effect(&self, effect: &str) -> Result<bool, Error> {
        let sql = |e: sqlx::Error| translate("read", &self.thing(), &e);
        let mut connection = self.reading().await?;
        let table: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM sqlite_master WHERE name = 'backout_effects'")
                .fetch_optional(&mut connection)
                .await
                .map_err(sql)?;
        let found: Option<i64> = if table.is_some() {
            sqlx::query_scalar("SELECT 1 FROM backout_effects WHERE effect = ?")
                .bind(effect)
                .fetch_optional(&mut connection)
                .await
                .map_err(sql)?
        } else {
            None
        };
        connection.close().await.ok();
        Ok(found.is_some())
    }

    async fn restore_beside(
        &self,
        dump: &Path,
        name: &str,
        effect: &str,
        told: Told<'_>,
    ) -> Result<(), Error> {
        self.remove_beside(name).await?;
        let path = self.named(name);
        let thing = path.display().to_string();
        let sql = |e: sqlx::Error| translate("restore", &thing, &e);
        // Nobody reads it before it is whole: speed now, one sync at the end.
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Memory)
            .synchronous(SqliteSynchronous::Off)
            .foreign_keys(false)
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(sql)?;
        dump::read(&mut connection, dump, told).await?;
        one_transaction::record(&mut connection, effect).await.map_err(sql)?;
        connection.close().await.map_err(sql)?;
        let synced = File::open(&path).and_then(|file| file.sync_all());
        synced.and_then(|()| sync_folder_of(&path)).map_err(|e| Error::io("sync", &thing, &e))
    }

    fn beside(&self, name: &str) -> Arc<dyn Database> {
        Arc::new(Self::new(self.named(name)))
    }

    async fn exists(&self) -> Result<bool, Error> {
        // What lies beside a file is a part of it, also while a swap is half-way.
        for path in with_sidecars(&self.path) {
            if path.try_exists().map_err(|e| Error::io("look for", self.thing(), &e))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn only_here(
        &self,
        name: &str,
        into: Option<&Path>,
    ) -> Result<Vec<(String, u64)>, Error> {
        let other = self.named(name);
        if !other.exists() {
            let message = format!("could not compare with {}: it is not there", other.display());
            return Err(Error::new(Kind::NotFound, message));
        }
        let mut connection = self.reading().await?;
        let found = only::read(&mut connection, &self.thing(), &other, into).await?;
        connection.close().await.ok();
        Ok(found)
    }

    async fn swap(&self, name: &str, keep: &str) -> Result<SafeText, Error> {
        let (new, kept) = (self.named(name), self.named(keep));
        let kept_as = kept.display();
        Ok(SafeText::new(&if swap::swap(&self.path, &new, &kept)? {
            format!("the one before is kept as {kept_as}")
        } else {
            format!("there was none before: the empty {kept_as} says so")
        }))
    }

    async fn copy_cold(&self, into: &Path) -> Result<Vec<String>, Error> {
        swap::copy_cold(&self.path, into)
    }

    fn remove_by_hand(&self, name: &str) -> String {
        let path = self.named(name);
        let path = path.display();
        format!("rm -f -- {path} {path}-wal {path}-shm {path}-journal")
    }

    fn place_of(&self, name: &str) -> Option<PathBuf> {
        Some(self.named(name))
    }

    async fn copy_command(&self, name: &str, table: &str) -> String {
        let (live, copy) = (self.path.display(), self.named(name));
        let copy = copy.display();
        let columns = async |path: &Path| -> Vec<String> {
            let Ok(mut connection) = Self::new(path).reading().await else { return Vec::new() };
            let found = facts::columns(&mut connection, table).await.unwrap_or_default();
            connection.close().await.ok();
            found
        };
        let (here, there) = (columns(&self.path).await, columns(&self.named(name)).await);
        let both = there.iter().filter(|column| here.contains(column));
        let both: Vec<String> = both.map(|column| identifier(column)).collect();
        if both.is_empty() {
            return format!("sqlite3 {copy} '.dump {table}' | sqlite3 -bail {live}");
        }
        let (list, table) = (both.join(", "), identifier(table));
        format!(
            "sqlite3 -bail -cmd \"ATTACH '{copy}' AS copy\" {live} \
             'INSERT OR IGNORE INTO main.{table} ({list}) SELECT {list} FROM copy.{table}'"
        )
    }

    async fn remove_beside(&self, name: &str) -> Result<(), Error> {
        for path in with_sidecars(&self.named(name)) {
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(Error::io("remove", path.display(), &e)),
            }
        }
        Ok(())
    }

    async fn copy_back(
        &self,
        name: &str,
        table: &str,
        column: Option<&str>,
    ) -> Result<Vec<String>, Error> {
        let copy = self.named(name);
        let wanted = copy_back::Wanted { copy: &copy, table, column };
        let mut connection = self.reading().await?;
        let found = copy_back::by_hand(&mut connection, &wanted).await;
        connection.close().await.ok();
        let found =
            found.map_err(|e| translate("compare with", &copy.display().to_string(), &e))?;
        let no = |why| format!("could not copy back from {}: {why}", copy.display());
        found.map_err(|why| Error::new(Kind::NotFound, no(why)))
    }

    fn restore_by_hand(&self, dump: &Path, name: &str, keep: &str) -> Vec<String> {
        let (live, new, kept) = (self.path.display(), self.named(name), self.named(keep));
        let new = new.display();
        vec![
            format!("gunzip -c {} | sqlite3 -bail {new}", dump.display()),
            format!("sqlite3 {new} 'PRAGMA integrity_check; PRAGMA foreign_key_check'"),
            format!("mv {live} {} && mv {new} {live}", kept.display()),
        ]
    }

    fn script_by_hand(&self, script: &Path) -> String {
        format!("sqlite3 -bail {} < {}", self.path.display(), script.display())
    }

    fn dump_by_hand(&self) -> String {
        format!("sqlite3 -readonly {} .dump", self.path.display())
    }

    fn drop_by_hand(&self, table: &str) -> String {
        let table = identifier(table);
        format!("sqlite3 -bail {} 'DROP TABLE IF EXISTS {table}'", self.path.display())
    }
}

#[cfg(test)]
mod tests;
