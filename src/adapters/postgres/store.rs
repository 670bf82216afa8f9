//! One database of a server as an application's. A copy beside it is another database there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Connection;

use crate::adapters::database::{Applied, Database, Limits, Script, Told};
use crate::adapters::process::quoted;
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::model::activity::Activity;
use crate::model::tables::TableFacts;
use crate::text::SafeText;

use super::activity;
use super::dump::LONG;
use super::facts::Table;
use super::tools::PgTools;
use super::{
    PostgresPlace, by_hand, dump, facts, fitting, identifier, ledgers, one_transaction, only,
    problems, read_only, swap, translate,
};

mod sessions;
mod sizes;

/// How long a look may take that reads no rows.
const LOOK: Duration = Duration::from_secs(20);

/// A database of a server.
#[derive(Clone)]
pub struct PostgresDatabase {
    place: PostgresPlace,
    tools: Arc<dyn PgTools>,
    clock: Clock,
}

impl std::fmt::Debug for PostgresDatabase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresDatabase").field("place", &self.place).finish_non_exhaustive()
    }
}

impl PostgresDatabase {
    /// The database of `place`, which need not be there; `tools` work on the same server.
    pub fn new(place: PostgresPlace, tools: Arc<dyn PgTools>, clock: Clock) -> Self {
        Self { place, tools, clock }
    }

    /// What goes on in it and its server just now (P-54).
    pub async fn now(&self) -> Result<Activity, Error> {
        self.looked("look into", LOOK, async {
            let mut connection = self.reading().await?;
            let found = activity::read(&mut connection, &self.thing()).await;
            connection.close().await.ok();
            found
        })
        .await
    }

    fn thing(&self) -> String {
        self.place.shown()
    }

    fn named(&self, name: &str) -> String {
        let between = if name.starts_with('_') { "" } else { "_" };
        fitting(&format!("{}{between}{name}", self.place.database))
    }

    /// Per table, how many rows this one has that `other`, on whichever server, does not have just
    /// so.
    pub(super) async fn only_against(
        &self,
        other: &Self,
        into: Option<&Path>,
    ) -> Result<Vec<(String, u64)>, Error> {
        if !other.exists().await? {
            let message = format!("could not compare with {}: it is not there", other.thing());
            return Err(Error::new(Kind::NotFound, message));
        }
        self.looked("compare", LONG, async {
            let (mut live, mut copy) = (self.reading().await?, other.reading().await?);
            let both = only::Both { live: &mut live, copy: &mut copy, thing: &self.thing() };
            let found = only::read(both, into).await?;
            live.close().await.ok();
            copy.close().await.ok();
            Ok(found)
        })
        .await
    }
}

#[async_trait]
impl Database for PostgresDatabase {
    fn called(&self, effect: &str) -> Option<Arc<dyn Database>> {
        Some(Arc::new(self.with_sessions_called(effect)))
    }

    async fn end_sessions(&self) -> Result<Vec<SafeText>, Error> {
        self.looked("end the sessions of", LOOK, self.kill_sessions()).await
    }

    async fn identity(&self) -> Result<String, Error> {
        self.looked("identify", LOOK, self.identified()).await
    }

    fn name(&self) -> String {
        self.thing()
    }

    async fn activity(&self) -> Result<Option<Activity>, Error> {
        self.now().await.map(Some)
    }

    async fn operations(&self) -> Result<Vec<SafeText>, Error> {
        self.looked("look into", LOOK, self.ongoing()).await
    }

    async fn ledger(&self) -> Result<Vec<Applied>, Error> {
        self.looked("read", LOOK, async {
            let mut connection = self.reading().await?;
            let found = ledgers::applied(&mut connection, &self.thing()).await;
            connection.close().await.ok();
            found
        })
        .await
    }

    async fn revisions(&self) -> Result<BTreeMap<String, String>, Error> {
        self.looked("read", LOOK, async {
            let mut connection = self.reading().await?;
            let found = ledgers::revisions(&mut connection).await;
            connection.close().await.ok();
            found.map_err(|e| translate("read", &self.thing(), &e))
        })
        .await
    }

    fn url(&self) -> String {
        self.place.url().reveal().to_owned()
    }

    async fn tables(&self) -> Result<Vec<TableFacts>, Error> {
        let sql = |e: sqlx::Error| translate("count", &self.thing(), &e);
        self.looked("count", LONG, async {
            let mut connection = self.reading().await?;
            self.set(&mut connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            let tables = facts::read(&mut connection).await.map_err(sql)?;
            connection.close().await.ok();
            Ok(tables)
        })
        .await
    }

    async fn problems(&self) -> Result<Vec<SafeText>, Error> {
        self.looked("check", LONG, async {
            let mut connection = self.reading().await?;
            let found = problems::find(&mut connection, &self.thing()).await;
            connection.close().await.ok();
            found
        })
        .await
    }

    async fn size(&self) -> Result<u64, Error> {
        self.looked("measure", LOOK, self.measured()).await
    }

    async fn table_sizes(&self) -> Result<Vec<(String, u64)>, Error> {
        self.looked("measure", LOOK, self.measured_tables()).await
    }

    async fn dump(&self, into: &Path, told: Told<'_>) -> Result<Vec<TableFacts>, Error> {
        self.looked("dump", LONG, async {
            let mut connection = self.reading().await?;
            let with = (self.tools.as_ref(), &self.clock);
            let tables = dump::write(&mut connection, with, &self.place.database, into, told).await;
            connection.close().await.ok();
            tables
        })
        .await
    }

    async fn run_script(
        &self,
        script: &Script,
        limits: Limits,
        effect: &str,
    ) -> Result<SafeText, Error> {
        one_transaction::run((&self.place, &self.clock), script, limits, effect).await
    }

    async fn has_effect(&self, effect: &str) -> Result<bool, Error> {
        self.looked("read", LOOK, async {
            let mut connection = self.reading().await?;
            let found = one_transaction::recorded(&mut connection, effect).await;
            connection.close().await.ok();
            found.map_err(|e| translate("read", &self.thing(), &e))
        })
        .await
    }

    async fn restore_beside(
        &self,
        dump: &Path,
        name: &str,
        effect: &str,
        told: Told<'_>,
    ) -> Result<(), Error> {
        self.looked("restore beside", LONG, self.restored(dump, name, effect, told)).await
    }

    fn beside(&self, name: &str) -> Arc<dyn Database> {
        Arc::new(self.at(name))
    }

    async fn exists(&self) -> Result<bool, Error> {
        self.looked("look for", LOOK, async {
            let mut server = self.server().await?;
            let found = swap::exists(&mut server, &self.place.database).await;
            server.close().await.ok();
            found
        })
        .await
    }

    async fn only_here(
        &self,
        name: &str,
        into: Option<&Path>,
    ) -> Result<Vec<(String, u64)>, Error> {
        self.only_against(&self.at(name), into).await
    }

    async fn swap(&self, name: &str, keep: &str) -> Result<SafeText, Error> {
        let (new, kept) = (self.named(name), self.named(keep));
        let names = swap::Names { live: &self.place.database, new: &new, kept: &kept };
        let there = self
            .looked("swap", Duration::from_mins(5), async {
                let mut server = self.server().await?;
                let there = swap::swap(&mut server, &self.clock, names).await;
                server.close().await.ok();
                there
            })
            .await?;
        Ok(SafeText::new(&if there {
            format!("the one before is kept as {kept}")
        } else {
            format!("there was none before: the empty {kept} says so")
        }))
    }

    async fn remove_beside(&self, name: &str) -> Result<(), Error> {
        let copy = self.at(name);
        let database = copy.place.database.as_str();
        self.looked("remove", Duration::from_mins(2), async {
            let mut server = self.server().await?;
            if !swap::exists(&mut server, database).await? {
                return Ok(());
            }
            // What was cut off just after it was made bears no mark yet, and holds nothing.
            let tables = match copy.reading().await {
                Ok(mut connection) => {
                    let found = facts::tables(&mut connection).await.ok();
                    connection.close().await.ok();
                    found.map(|tables| tables.len())
                }
                Err(_) => None,
            };
            let removed = swap::remove(&mut server, database, tables).await;
            server.close().await.ok();
            removed
        })
        .await
    }

    async fn copy_back(
        &self,
        name: &str,
        table: &str,
        column: Option<&str>,
    ) -> Result<Vec<String>, Error> {
        let copy = self.at(name);
        let no = |why: String| {
            let message = format!("could not copy back from {}: {why}", copy.thing());
            Err(Error::new(Kind::NotFound, message))
        };
        let Some((found, here, there)) = self.sides(&copy, table).await? else {
            return no(format!("the point has no table {table}"));
        };
        let (live, copied) = (&self.place, &copy.place);
        let sides =
            by_hand::Sides { live, copy: copied, table: &found, here: &here, there: &there };
        match column {
            None => Ok(vec![by_hand::rows(&sides)]),
            Some(column) => by_hand::column(&sides, column).map_or_else(no, |line| Ok(vec![line])),
        }
    }

    fn restore_by_hand(&self, dump: &Path, name: &str, keep: &str) -> Vec<String> {
        let (new, kept) = (self.named(name), self.named(keep));
        by_hand::restore(&self.place, self.other(), dump, (&new, &kept))
    }

    async fn copy_cold(&self, _into: &Path) -> Result<Vec<String>, Error> {
        if !self.exists().await? {
            return Ok(Vec::new());
        }
        let message = format!(
            "could not copy {} as it lies: its files are the server's; stop the server and copy \
             its data folder",
            self.thing()
        );
        Err(Error::new(Kind::Rejected, message))
    }

    fn remove_by_hand(&self, name: &str) -> String {
        let remove = format!("DROP DATABASE {} WITH (FORCE)", identifier(&self.named(name)));
        format!("{} -c {}", by_hand::psql(&self.place.at(self.other())), quoted(&remove))
    }

    fn place_of(&self, _name: &str) -> Option<PathBuf> {
        None
    }

    async fn copy_command(&self, name: &str, table: &str) -> String {
        let copy = self.at(name);
        let sides = self.looked("read", LOOK, self.sides(&copy, table)).await;
        let (live, copied) = (&self.place, &copy.place);
        let none = || {
            let (schema, name) = table.split_once('.').unwrap_or(("public", table));
            let (schema, name) = (schema.to_owned(), name.to_owned());
            (Table { schema, name, partitioned: false }, Vec::new(), Vec::new())
        };
        let (table, here, there) = sides.ok().flatten().unwrap_or_else(none);
        by_hand::rows(&by_hand::Sides {
            live,
            copy: copied,
            table: &table,
            here: &here,
            there: &there,
        })
    }

    fn can_hold_writers(&self) -> bool {
        true
    }

    async fn writers_held(&self) -> Result<bool, Error> {
        self.looked("look at", LOOK, async {
            let mut connection = self.reading().await?;
            let held = read_only::held(&mut connection).await;
            connection.close().await.ok();
            held.map_err(|e| translate("look at", &self.thing(), &e))
        })
        .await
    }

    async fn hold_writers(&self, held: bool) -> Result<(), Error> {
        let what = if held { "hold the writers of" } else { "let writers back into" };
        self.looked(what, LOOK, async {
            let mut connection = super::connect(&self.place, &self.clock).await?;
            let done = read_only::hold(&mut connection, &self.place.database, held).await;
            connection.close().await.ok();
            done.map(drop).map_err(|e| translate(what, &self.thing(), &e))
        })
        .await
    }

    fn hold_writers_by_hand(&self, held: bool) -> String {
        let statement = quoted(&read_only::statement(&self.place.database, held));
        format!("{} -c {statement}", by_hand::psql(&self.place))
    }

    fn script_by_hand(&self, script: &Path) -> String {
        let script = quoted(&script.display().to_string());
        format!("{} --single-transaction -f {script}", by_hand::psql(&self.place))
    }

    fn dump_by_hand(&self) -> String {
        by_hand::dump(&self.place)
    }

    fn drop_by_hand(&self, table: &str) -> String {
        let table = format!("{}.{}", identifier(super::SCHEMA), identifier(&fitting(table)));
        let statement = quoted(&format!("DROP TABLE IF EXISTS {table}"));
        format!("{} -c {statement}", by_hand::psql(&self.place))
    }
}
