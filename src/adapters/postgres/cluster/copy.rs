//! What lies beside the live server under a name: a recovered or kept server of its own, or, where
//! there is none, another database on the live one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use crate::adapters::database::{Applied, Database, Limits, Script, Told};
use crate::adapters::{Error, Kind};
use crate::model::ids::Time;
use crate::model::tables::TableFacts;
use crate::text::SafeText;

use super::PostgresCluster;
use super::place::Note;

/// The one beside under a name.
pub(super) struct ClusterCopy {
    cluster: PostgresCluster,
    name: String,
    plain: Arc<dyn Database>,
}

impl ClusterCopy {
    /// `plain` is the database that it is where no server of that name is there.
    pub(super) fn new(cluster: PostgresCluster, name: &str, plain: Arc<dyn Database>) -> Self {
        Self { cluster, name: name.to_owned(), plain }
    }

    /// Where it is to be asked.
    async fn side(&self) -> Result<Arc<dyn Database>, Error> {
        let (_, store) = self.cluster.live().await?;
        if store.holds(&self.name) {
            return Ok(Arc::new(self.cluster.on_copy(&self.name).await?));
        }
        Ok(Arc::clone(&self.plain))
    }

    fn no(what: &str) -> Error {
        Error::new(Kind::Rejected, format!("could not {what}: this is a copy, not the live server"))
    }
}

#[async_trait]
impl Database for ClusterCopy {
    async fn identity(&self) -> Result<String, Error> {
        self.side().await?.identity().await
    }

    fn name(&self) -> String {
        format!("{} ({})", self.plain.name(), self.name)
    }

    async fn ledger(&self) -> Result<Vec<Applied>, Error> {
        self.side().await?.ledger().await
    }

    async fn revisions(&self) -> Result<BTreeMap<String, String>, Error> {
        self.side().await?.revisions().await
    }

    fn url(&self) -> String {
        self.plain.url()
    }

    async fn tables(&self) -> Result<Vec<TableFacts>, Error> {
        self.side().await?.tables().await
    }

    async fn problems(&self) -> Result<Vec<SafeText>, Error> {
        self.side().await?.problems().await
    }

    async fn size(&self) -> Result<u64, Error> {
        self.side().await?.size().await
    }

    async fn dump(&self, into: &Path, told: Told<'_>) -> Result<Vec<TableFacts>, Error> {
        self.side().await?.dump(into, told).await
    }

    async fn run_script(
        &self,
        _script: &Script,
        _limits: Limits,
        _effect: &str,
    ) -> Result<SafeText, Error> {
        Err(Self::no("run a script"))
    }

    async fn has_effect(&self, effect: &str) -> Result<bool, Error> {
        let (_, store) = self.cluster.live().await?;
        if store.holds(&self.name) {
            let note = Note::read(&store.data_beside(&self.name));
            return Ok(note.is_some_and(|note| note.effect == effect && note.reached.is_some()));
        }
        self.plain.has_effect(effect).await
    }

    async fn restore_beside(
        &self,
        _dump: &Path,
        _name: &str,
        _effect: &str,
        _told: Told<'_>,
    ) -> Result<(), Error> {
        Err(Self::no("restore beside it"))
    }

    fn beside(&self, name: &str) -> Arc<dyn Database> {
        self.cluster.beside(name)
    }

    async fn exists(&self) -> Result<bool, Error> {
        let (live, store) = self.cluster.live().await?;
        if store.holds(&self.name) {
            return Ok(true);
        }
        // Of a run that brought a server back there are no copies inside the live one.
        if store.holds_of_run(&self.name) {
            return Ok(false);
        }
        match self.plain.exists().await {
            // Nor is there one to be used inside a server that is down.
            Err(error) if !live.up && error.kind == Kind::Refused => Ok(false),
            found => found,
        }
    }

    async fn only_here(
        &self,
        _name: &str,
        _into: Option<&Path>,
    ) -> Result<Vec<(String, u64)>, Error> {
        Err(Self::no("compare it"))
    }

    async fn swap(&self, _name: &str, _keep: &str) -> Result<SafeText, Error> {
        Err(Self::no("swap it"))
    }

    async fn remove_beside(&self, _name: &str) -> Result<(), Error> {
        Err(Self::no("remove what lies beside it"))
    }

    async fn copy_back(
        &self,
        _name: &str,
        _table: &str,
        _column: Option<&str>,
    ) -> Result<Vec<String>, Error> {
        Err(Self::no("copy back into it"))
    }

    fn restore_by_hand(&self, _dump: &Path, _name: &str, _keep: &str) -> Vec<String> {
        Vec::new()
    }

    async fn copy_cold(&self, _into: &Path) -> Result<Vec<String>, Error> {
        Err(Self::no("copy its files"))
    }

    fn remove_by_hand(&self, name: &str) -> String {
        self.cluster.remove_by_hand(name)
    }

    fn place_of(&self, _name: &str) -> Option<PathBuf> {
        None
    }

    async fn copy_command(&self, name: &str, table: &str) -> String {
        self.cluster.copy_command(name, table).await
    }

    fn script_by_hand(&self, script: &Path) -> String {
        self.plain.script_by_hand(script)
    }

    fn dump_by_hand(&self) -> String {
        self.plain.dump_by_hand()
    }

    fn drop_by_hand(&self, table: &str) -> String {
        self.plain.drop_by_hand(table)
    }

    async fn reached(&self) -> Result<Option<Time>, Error> {
        let (_, store) = self.cluster.live().await?;
        let note = Note::read(&store.data_beside(&self.name));
        let Some(note) = note else { return Ok(None) };
        let at = note.reached.and_then(|reached| reached.at);
        // Nothing was committed between the last transaction and the moment that was asked for.
        Ok(note.until.time().or(at))
    }
}
