//! Opens a database file: to look, or to change it.

use std::fs::File;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use crate::adapters::Error;
use crate::adapters::sqlite::{left_half_done, translate};

use super::{LOOK, SqliteDatabase};

impl SqliteDatabase {
    pub(super) async fn reading(&self) -> Result<SqliteConnection, Error> {
        File::open(&self.path).map_err(|e| Error::io("open", self.thing(), &e))?;
        let sql = |e: sqlx::Error| translate("open", &self.thing(), &e);
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .read_only(true)
            .create_if_missing(false)
            .busy_timeout(LOOK)
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(sql)?;
        match first_page(&mut connection).await {
            Err(error) if left_half_done(&error) => {
                connection.close().await.ok();
                self.take_back().await?;
                options.connect().await.map_err(sql)
            }
            // What else is wrong is said by whoever asks, who knows what was wanted.
            Ok(()) | Err(_) => Ok(connection),
        }
    }

    /// Takes back a transaction whose process was killed, as the next program that writes there
    /// would: until then nobody can see what holds.
    async fn take_back(&self) -> Result<(), Error> {
        let mut connection = self.writing(LOOK).await?;
        let seen = first_page(&mut connection).await;
        connection.close().await.ok();
        seen.map_err(|e| translate("open", &self.thing(), &e))
    }

    pub(super) async fn writing(&self, lock: Duration) -> Result<SqliteConnection, Error> {
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(false)
            .busy_timeout(lock)
            .foreign_keys(false)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        options.connect().await.map_err(|e| translate("open", &self.thing(), &e))
    }
}

/// Reads the first page, and with it whether a journal lies beside the file that nobody holds.
async fn first_page(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA schema_version").execute(connection).await.map(drop)
}
