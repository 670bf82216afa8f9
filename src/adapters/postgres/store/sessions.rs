//! How a database is come to: sessions that only read, and one of the server beside it.

use std::path::Path;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::adapters::database::{Database, Told};
use crate::adapters::{Error, Kind};
use crate::text::SafeText;

use super::super::facts::{self, Table};
use super::super::{connect, one_transaction, operations, restore, translate};
use super::PostgresDatabase;

/// How often it is looked whether another session has come, and how long after the last look.
const ROUNDS: usize = 10;
const ROUND: Duration = Duration::from_millis(200);

impl PostgresDatabase {
    /// The database of the server that is none of the application's.
    pub(super) fn other(&self) -> &'static str {
        if self.place.database == "postgres" { "template1" } else { "postgres" }
    }

    /// The same with sessions that are called after `effect`, also those of its tools.
    pub(in super::super) fn with_sessions_called(&self, effect: &str) -> Self {
        let (place, tools) = (self.place.called(effect), self.tools.called(effect));
        Self { place, tools, ..self.clone() }
    }

    /// What goes on in it that changing it would run into.
    pub(super) async fn ongoing(&self) -> Result<Vec<SafeText>, Error> {
        let mut connection = self.reading().await?;
        let found = operations::read(&mut connection).await;
        connection.close().await.ok();
        found.map_err(|e| translate("look into", &self.thing(), &e))
    }

    /// Ends every session of this name: by its process and its start, because a process number alone
    /// may be another's by then (W-25). Those that come meanwhile are ended too.
    pub(super) async fn kill_sessions(&self) -> Result<Vec<SafeText>, Error> {
        let sql = |e: sqlx::Error| translate("end the sessions of", &self.thing(), &e);
        let mut connection = self.server().await?;
        let mut ended = Vec::new();
        for _ in 0..ROUNDS {
            let found: Vec<(i32, String, String)> = sqlx::query_as(
                "SELECT pid, backend_start::text, coalesce(datname, '-') FROM pg_stat_activity \
                 WHERE application_name = $1 AND usename = current_user \
                 AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
            )
            .bind(&self.place.session)
            .fetch_all(&mut connection)
            .await
            .map_err(sql)?;
            if found.is_empty() {
                break;
            }
            for (pid, start, database) in found {
                let killed: Vec<bool> = sqlx::query_scalar(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE pid = $1 AND backend_start::text = $2 AND application_name = $3",
                )
                .bind(pid)
                .bind(&start)
                .bind(&self.place.session)
                .fetch_all(&mut connection)
                .await
                .map_err(sql)?;
                if killed.contains(&true) {
                    let text = format!("session {pid} in {database} (begun {start})");
                    ended.push(SafeText::new(&text));
                }
            }
            self.clock.sleep(ROUND).await;
        }
        connection.close().await.ok();
        Ok(ended)
    }

    pub(super) async fn server(&self) -> Result<PgConnection, Error> {
        match connect(&self.place.at(self.other()), &self.clock).await {
            Err(error) if matches!(error.kind, Kind::NotFound | Kind::Denied) => {
                let second = connect(&self.place.at("template1"), &self.clock).await;
                second.map_err(|_| error)
            }
            opened => opened,
        }
    }

    pub(super) async fn set(
        &self,
        connection: &mut PgConnection,
        set: &'static str,
    ) -> Result<(), Error> {
        let done = sqlx::raw_sql(set).execute(connection).await;
        done.map(drop).map_err(|e| translate("open", &self.thing(), &e))
    }

    /// A session that only reads, and waits for nobody long.
    pub(super) async fn reading(&self) -> Result<PgConnection, Error> {
        let mut connection = connect(&self.place, &self.clock).await?;
        let set = "SET default_transaction_read_only = on; SET lock_timeout = '5s'; \
                   SET idle_in_transaction_session_timeout = 0; SET statement_timeout = '6h'";
        self.set(&mut connection, set).await?;
        Ok(connection)
    }

    pub(super) async fn looked<T>(
        &self,
        verb: &str,
        limit: Duration,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let ended = self.clock.timeout(limit, work).await;
        ended.unwrap_or_else(|_| Err(Error::timed_out(format!("{verb} {}", self.thing()), limit)))
    }

    pub(super) fn at(&self, name: &str) -> Self {
        Self { place: self.place.at(&self.named(name)), ..self.clone() }
    }

    /// The columns of a table here; none where it is not there.
    pub(super) async fn columns(&self, table: &Table) -> Result<Vec<facts::Column>, Error> {
        let mut connection = self.reading().await?;
        let found = facts::columns_if_there(&mut connection, table).await;
        connection.close().await.ok();
        found.map_err(|e| translate("read", &self.thing(), &e))
    }

    pub(super) async fn table(&self, shown: &str) -> Result<Option<Table>, Error> {
        let mut connection = self.reading().await?;
        let found = facts::find(&mut connection, shown).await;
        connection.close().await.ok();
        found.map_err(|e| translate("read", &self.thing(), &e))
    }

    /// The table as the copy has it, and its columns in both.
    pub(super) async fn sides(
        &self,
        copy: &Self,
        table: &str,
    ) -> Result<Option<(Table, Vec<facts::Column>, Vec<facts::Column>)>, Error> {
        let Some(table) = copy.table(table).await? else { return Ok(None) };
        let (here, there) = (self.columns(&table).await?, copy.columns(&table).await?);
        Ok(Some((table, here, there)))
    }

    pub(super) async fn identified(&self) -> Result<String, Error> {
        let mut connection = match connect(&self.place, &self.clock).await {
            // One that is gone is still the one that was to be restored there.
            Err(error) if error.kind == Kind::NotFound => self.server().await?,
            opened => opened?,
        };
        let system: Result<i64, sqlx::Error> =
            sqlx::query_scalar("SELECT system_identifier FROM pg_control_system()")
                .fetch_one(&mut connection)
                .await;
        connection.close().await.ok();
        let database = &self.place.database;
        match system.map_err(|e| translate("identify", &self.thing(), &e)) {
            Ok(system) => Ok(format!("postgres:{}/{database}", system.cast_unsigned())),
            // Not everybody may ask the server who it is.
            Err(error) if error.kind == Kind::Denied => {
                Ok(format!("postgres:{}:{}/{database}", self.place.host, self.place.port))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn restored(
        &self,
        dump: &Path,
        name: &str,
        effect: &str,
        told: Told<'_>,
    ) -> Result<(), Error> {
        let copy = self.at(name);
        let new = copy.place.database.as_str();
        let format = restore::verified(self.tools.as_ref(), dump, self.other()).await?;
        self.remove_beside(name).await?;
        let mut server = self.server().await?;
        restore::create(&mut server, new, &self.place.database).await?;
        server.close().await.ok();
        let with = (self.tools.as_ref(), &self.clock);
        restore::fill(with, dump, format, new, told).await?;
        let sql = |e: sqlx::Error| translate("restore", new, &e);
        let mut connection = connect(&copy.place, &self.clock).await?;
        // Without figures on its rows the server would answer slowly after the swap.
        sqlx::raw_sql("ANALYZE").execute(&mut connection).await.map_err(sql)?;
        one_transaction::record(&mut connection, effect).await.map_err(sql)?;
        connection.close().await.ok();
        Ok(())
    }
}
