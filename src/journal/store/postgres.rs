//! The journal in `PostgreSQL`: every question is one simple query, which is one transaction, so
//! that a pooler in transaction mode may stand in between, and a lost line is come back over.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Row as _};

use crate::model::ids::{Epoch, Seq};

use super::super::Error;
use super::super::chain::{Link, damaged};
use super::super::place::{Server, timed_out};
use super::{COLUMNS, Inserted, Row, Store, is_malformed, known_format, row};

mod lease;
mod words;

use lease::Holder;
pub(in super::super) use lease::held_elsewhere;
use words::{append, code};
pub(in super::super) use words::{is_lost, literal};

/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a writer tries to come back over a lost line (G10).
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a reader does: it is asked again soon.
const GLANCE: Duration = Duration::from_millis(600);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(250);

/// A connection to a journal on a server; it is opened anew when it was lost.
#[derive(Debug)]
pub(in super::super) struct PostgresStore {
    server: Server,
    connection: Option<PgConnection>,
    patience: Duration,
    /// Who holds the lease, when it is this one.
    holder: Option<Holder>,
}

impl PostgresStore {
    /// A reader.
    pub(in super::super) async fn open_read(server: &Server) -> Result<Self, Error> {
        Self::open(server, GLANCE).await
    }

    /// The writer: it takes the lease, or says who has it ([`Error::HeldElsewhere`]).
    pub(in super::super) async fn open_write(server: &Server, id: &str) -> Result<Self, Error> {
        let mut store = Self::open(server, PATIENCE).await?;
        store.identify().await?;
        store.take(id).await?;
        Ok(store)
    }

    async fn open(server: &Server, patience: Duration) -> Result<Self, Error> {
        let mut store = Self { server: server.clone(), connection: None, patience, holder: None };
        store.ask("open the journal", "SELECT 1").await?;
        Ok(store)
    }

    /// One question, again over a new line when the line was lost, until patience is over. Only for
    /// what may be asked twice.
    pub(in super::super) async fn ask(
        &mut self,
        what: &'static str,
        query: &str,
    ) -> Result<Vec<PgRow>, Error> {
        let mut wait = self.wait();
        loop {
            match self.once(query).await {
                Ok(rows) => return Ok(rows),
                Err(e) if is_lost(&e) && wait.again(&e).await => {}
                Err(e) => return Err(self.refused(what)(e)),
            }
        }
    }

    fn wait(&self) -> Wait {
        let server = self.server.clone();
        let until = server.clock().ticks() + self.patience;
        Wait { server, until, writes: self.patience >= PATIENCE, told: false }
    }

    /// One question over one line. A line on which something went wrong is not used again.
    async fn once(&mut self, query: &str) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.server.connect().await?,
        };
        let asked = sqlx::raw_sql(AssertSqlSafe(query.to_owned())).fetch_all(&mut connection);
        let answered = self.server.clock().timeout(ANSWER, asked).await;
        let rows = answered.unwrap_or_else(|_| Err(timed_out()))?;
        self.connection = Some(connection);
        Ok(rows)
    }

    /// The one number that a question gives.
    pub(in super::super) async fn scalar(
        &mut self,
        what: &'static str,
        query: &str,
    ) -> Result<Option<i64>, Error> {
        let rows = self.ask(what, query).await?;
        let value = rows.first().map(|row| row.try_get::<Option<i64>, _>(0)).transpose();
        Ok(value.map_err(self.refused(what))?.flatten())
    }

    async fn entries(&mut self, rest: &str) -> Result<Vec<Row>, Error> {
        let query = format!("SELECT {COLUMNS} FROM backout.entries {rest}");
        let rows = self.ask("read entries", &query).await?;
        rows.iter().map(|found| row(found).map_err(self.refused("read an entry"))).collect()
    }

    /// What an append whose answer was lost came to: its rows are the last ones, or nothing came of
    /// it and it may be asked again (`None`), or somebody else has written.
    async fn look(&mut self, head: &Link, rows: &[Row]) -> Result<Option<Inserted>, Error> {
        let last = self.last().await?;
        let at = |row: &Row| (row.seq, row.hash.clone());
        if last.as_ref().map(at) == rows.last().map(at) {
            return Ok(Some(Inserted::All));
        }
        let before = last.as_ref().map(Link::start).transpose()?.unwrap_or_default();
        Ok(((before.seq, &before.hash) != (head.seq, &head.hash)).then_some(Inserted::Fenced))
    }

    /// Translates the server's no.
    pub(in super::super) fn refused(
        &self,
        what: &'static str,
    ) -> impl Fn(sqlx::Error) -> Error + use<> {
        let server = self.server.shown().to_owned();
        move |source| {
            match code(&source).as_deref() {
                // No such schema or table.
                Some("3F000" | "42P01") => Error::NoTables { server: server.clone() },
                _ if is_malformed(&source) => {
                    damaged(0, format!("could not {what} on {server}: {source}"))
                }
                _ => Error::Server { what, server: server.clone(), source },
            }
        }
    }
}

/// The wait for a server that is away.
struct Wait {
    server: Server,
    until: Duration,
    /// Whether a writer waits.
    writes: bool,
    told: bool,
}

impl Wait {
    /// Waits for a moment, unless the time is over.
    async fn again(&mut self, error: &sqlx::Error) -> bool {
        let clock = self.server.clock();
        let left = self.until.saturating_sub(clock.ticks());
        if left.is_zero() {
            return false;
        }
        if self.writes {
            self.server.set_away(true);
        }
        if self.writes && !std::mem::replace(&mut self.told, true) {
            tracing::warn!(
                "{} does not answer ({error}): it is waited for, for up to {} s, and nothing is \
                 begun meanwhile",
                self.server.shown(),
                left.as_secs()
            );
        }
        clock.sleep(PAUSE).await;
        true
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if self.told {
            self.server.set_away(false);
        }
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn is_new(&mut self) -> Result<bool, Error> {
        let query = "SELECT count(*) FROM (SELECT 1 FROM backout.entries LIMIT 1) AS first";
        Ok(self.scalar("read the journal", query).await? == Some(0))
    }

    async fn identify(&mut self) -> Result<(), Error> {
        let query = "SELECT max(format)::bigint FROM backout.journal";
        let found = self.scalar("read the journal's format", query).await?;
        known_format(found, self.server.shown().as_ref())
    }

    async fn inspect_tables(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn inspect_pages(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn insert(&mut self, head: &Link, epoch: Epoch, rows: &[Row]) -> Result<Inserted, Error> {
        let Some(holder) = self.holder.clone() else { return Ok(Inserted::Fenced) };
        let query = append(&holder, head, epoch, rows);
        let mut wait = self.wait();
        loop {
            match self.once(&query).await {
                Ok(told) => {
                    let all = told.len() == rows.len();
                    return Ok(if all { Inserted::All } else { Inserted::Fenced });
                }
                // Somebody has written there: what came of it is looked at as after a lost line.
                Err(e) if is_lost(&e) || code(&e).as_deref() == Some("23505") => {
                    if !wait.again(&e).await {
                        return Err(self.refused("append to the journal")(e));
                    }
                    match self.look(head, rows).await {
                        Ok(Some(came)) => return Ok(came),
                        Ok(None) => {}
                        // What was tried is the append, whichever question found nobody.
                        Err(look) if look.is_lost() => {
                            return Err(self.refused("append to the journal")(e));
                        }
                        Err(look) => return Err(look),
                    }
                }
                Err(e) => return Err(self.refused("append to the journal")(e)),
            }
        }
    }

    async fn rows(&mut self, from: Option<Seq>, limit: u32) -> Result<Vec<Row>, Error> {
        let from = from.map_or(i64::MIN, u64::cast_signed);
        self.entries(&format!("WHERE seq >= {from} ORDER BY seq LIMIT {limit}")).await
    }

    async fn last(&mut self) -> Result<Option<Row>, Error> {
        Ok(self.entries("ORDER BY seq DESC LIMIT 1").await?.pop())
    }

    async fn last_carried(&mut self) -> Result<Option<Seq>, Error> {
        let query = "SELECT max(seq) FROM backout.entries WHERE kind = 'carried'";
        Ok(self.scalar("read the journal", query).await?.map(i64::cast_unsigned))
    }

    async fn of_kind(&mut self, kind: &'static str) -> Result<Vec<Row>, Error> {
        self.entries(&format!("WHERE kind = {} ORDER BY seq", literal(kind))).await
    }

    async fn renew(&mut self) -> Result<bool, Error> {
        self.say_here().await
    }

    fn wait_for(&mut self, patience: Duration) {
        self.patience = patience;
    }

    async fn is_still_ours(&mut self) -> Result<bool, Error> {
        self.say_here().await
    }

    async fn settle(mut self: Box<Self>) -> Result<(), Error> {
        self.give_back().await?;
        self.close().await
    }

    async fn close(mut self: Box<Self>) -> Result<(), Error> {
        if let Some(connection) = self.connection.take() {
            // A server that is gone has nothing to close.
            connection.close().await.ok();
        }
        Ok(())
    }

    #[cfg(test)]
    async fn run_test(&mut self, sql: &'static str) {
        self.once(sql).await.unwrap();
    }
}
