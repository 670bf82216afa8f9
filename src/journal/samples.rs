//! `samples.db`: readings and the engine's last word. Disposable: nothing in it is needed to go
//! on, so nothing is synced and a damaged file is set aside.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, QueryBuilder, Row as _, Sqlite, SqliteConnection};

use crate::model::ids::{CheckId, Time};
use crate::model::live::Live;
use crate::model::reading::Reading;
use crate::model::slo::{Tallies, Tally};

use super::Error;
use super::folder::Folder;

const TABLES: &str = "
    PRAGMA user_version = 1;
    CREATE TABLE IF NOT EXISTS readings
        (at_ms INTEGER NOT NULL, check_id TEXT NOT NULL, json TEXT NOT NULL) STRICT;
    CREATE INDEX IF NOT EXISTS by_time ON readings (at_ms);
    CREATE TABLE IF NOT EXISTS latest
        (check_id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, json TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS tallies (check_id TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS live (one INTEGER PRIMARY KEY CHECK (one = 1), json TEXT) STRICT;
";

/// Readings of at most this many are written by one statement.
const CHUNK: usize = 256;

/// Readings and the engine's last word.
#[derive(Debug)]
pub struct Samples {
    connection: SqliteConnection,
    path: PathBuf,
    /// Whether this one writes, and may set a damaged file aside.
    writes: bool,
}

impl Samples {
    /// Opens for writing; a damaged file is renamed to `samples.db.damaged` and begun anew.
    pub async fn open(state: &Path) -> Result<Self, Error> {
        let folder = Folder::prepare(state)?;
        folder.own_file("samples.db")?;
        let path = folder.file("samples.db");
        let connection = match connect(&path).await {
            Ok(connection) => connection,
            Err(e) if is_damage(&e) => begin_anew(&folder, &path).await?,
            Err(e) => return Err(refused("open the samples")(e)),
        };
        Ok(Self { connection, path, writes: true })
    }

    /// Opens for reading; [`Error::Missing`] when there is none yet.
    pub async fn read(state: &Path) -> Result<Self, Error> {
        let path = state.join("samples.db");
        if !path.metadata().is_ok_and(|found| found.len() > 0) {
            return Err(Error::Missing { path });
        }
        let options = |settled| options(&path).read_only(true).immutable(settled);
        let mut connection = options(false).connect().await.map_err(refused("open the samples"))?;
        // Without its log a file that was left in log mode cannot be read by another user, unless
        // it is taken for what it then is: one that nobody writes.
        let probe = sqlx::query("SELECT count(*) FROM live").fetch_one(&mut connection).await;
        if probe.is_err() && !state.join("samples.db-wal").exists() {
            connection = options(true).connect().await.map_err(refused("open the samples"))?;
        }
        Ok(Self { connection, path, writes: false })
    }

    /// Writes in one transaction. When the file turns out damaged it is begun anew and the
    /// write repeated once.
    pub async fn write(&mut self, readings: &[Reading], live: Option<&Live>) -> Result<(), Error> {
        let rows = readings.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
        let live = match live {
            Some(live) => Some(json("the live state", live)?),
            None => None,
        };
        match self.put(&rows, live.as_deref()).await {
            Err(e) if is_damage(&e) && self.writes => {
                let state = self.path.parent().unwrap_or(&self.path).to_owned();
                self.connection = begin_anew(&Folder::prepare(&state)?, &self.path).await?;
                let again = self.put(&rows, live.as_deref()).await;
                again.map_err(refused("write the samples"))
            }
            other => other.map_err(refused("write the samples")),
        }
    }

    /// The engine's last word.
    pub async fn live(&mut self) -> Result<Option<Live>, Error> {
        let row = sqlx::query("SELECT json FROM live")
            .fetch_optional(&mut self.connection)
            .await
            .map_err(refused("read the live state"))?;
        Ok(row.as_ref().and_then(decode))
    }

    /// The last reading of each check.
    pub async fn latest(&mut self) -> Result<BTreeMap<CheckId, Reading>, Error> {
        let rows = sqlx::query("SELECT json FROM latest")
            .fetch_all(&mut self.connection)
            .await
            .map_err(refused("read the last readings"))?;
        let readings = rows.iter().filter_map(decode::<Reading>);
        Ok(readings.map(|reading| (reading.check.clone(), reading)).collect())
    }

    /// The readings since `from`, oldest first.
    pub async fn since(&mut self, from: Time) -> Result<Vec<Reading>, Error> {
        let rows = sqlx::query("SELECT json FROM readings WHERE at_ms >= ? ORDER BY at_ms, rowid")
            .bind(from.timestamp_millis())
            .fetch_all(&mut self.connection)
            .await
            .map_err(refused("read the readings"))?;
        Ok(rows.iter().filter_map(decode).collect())
    }

    /// The readings of one check since `from`, oldest first.
    pub async fn of(&mut self, check: &CheckId, from: Time) -> Result<Vec<Reading>, Error> {
        let query = "SELECT json FROM readings WHERE at_ms >= ? AND check_id = ? ORDER BY at_ms";
        let rows = sqlx::query(query)
            .bind(from.timestamp_millis())
            .bind(check.as_str())
            .fetch_all(&mut self.connection)
            .await
            .map_err(refused("read the readings"))?;
        Ok(rows.iter().filter_map(decode).collect())
    }

    /// What was counted for objectives, by check.
    pub async fn tallies(&mut self) -> Result<BTreeMap<CheckId, Tally>, Error> {
        let rows = sqlx::query("SELECT json, check_id FROM tallies")
            .fetch_all(&mut self.connection)
            .await
            .map_err(refused("read the tallies"))?;
        let named = |row: &SqliteRow| {
            let id: String = row.try_get(1).ok()?;
            Some((CheckId(id), decode(row)?))
        };
        Ok(rows.iter().filter_map(named).collect())
    }

    /// Keeps what was counted for objectives, which reaches further back than readings are kept.
    pub async fn keep(&mut self, tallies: &Tallies) -> Result<(), Error> {
        for (id, (_, tally)) in tallies {
            sqlx::query("INSERT OR REPLACE INTO tallies (check_id, json) VALUES (?, ?)")
                .bind(id.as_str())
                .bind(json("a tally", tally)?)
                .execute(&mut self.connection)
                .await
                .map_err(refused("write the tallies"))?;
        }
        Ok(())
    }

    /// The engine's last word, the last reading of each check, and the readings that were written
    /// after the row `after`: at most `most`, none that began before `from`. One question, since
    /// each wakes another thread.
    pub async fn news(&mut self, after: i64, from: Time, most: u32) -> Result<News, Error> {
        let rows = sqlx::query(
            "SELECT json, 0, 0 FROM live UNION ALL SELECT json, 0, 1 FROM latest UNION ALL \
             SELECT * FROM (SELECT json, rowid, 2 FROM readings WHERE rowid > ? AND at_ms >= ? \
             ORDER BY rowid LIMIT ?)",
        )
        .bind(after)
        .bind(from.timestamp_millis())
        .bind(most)
        .fetch_all(&mut self.connection)
        .await
        .map_err(refused("read the readings"))?;
        let mut news = News { row: after, ..News::default() };
        for row in &rows {
            match row.try_get::<i64, _>(2).map_err(refused("read the readings"))? {
                0 => news.live = decode(row),
                1 => {
                    let latest = decode::<Reading>(row);
                    news.latest.extend(latest.map(|reading| (reading.check.clone(), reading)));
                }
                _ => {
                    news.row = row.try_get(1).unwrap_or(news.row);
                    news.readings.extend(decode::<Reading>(row));
                }
            }
        }
        Ok(news)
    }

    /// Forgets the readings before `before`, also as the last of a check.
    pub async fn trim(&mut self, before: Time) -> Result<(), Error> {
        for query in ["DELETE FROM readings WHERE at_ms < ?", "DELETE FROM latest WHERE at_ms < ?"]
        {
            sqlx::query(query)
                .bind(before.timestamp_millis())
                .execute(&mut self.connection)
                .await
                .map_err(refused("trim the samples"))?;
        }
        Ok(())
    }

    /// Closes the file so that other users can read it.
    pub async fn close(mut self) -> Result<(), Error> {
        // Readers that are still there keep the log; it does not matter for what is disposable.
        let _mode = sqlx::query("PRAGMA journal_mode = DELETE").execute(&mut self.connection).await;
        let closed = self.connection.close().await;
        closed.map_err(refused("close the samples"))
    }

    async fn put(&mut self, rows: &[Encoded], live: Option<&str>) -> Result<(), sqlx::Error> {
        let mut transaction = self.connection.begin().await?;
        for chunk in rows.chunks(CHUNK) {
            let mut all =
                QueryBuilder::<Sqlite>::new("INSERT INTO readings (at_ms, check_id, json) ");
            all.push_values(chunk, |mut values, row| {
                values
                    .push_bind(row.at_ms)
                    .push_bind(row.check.as_str())
                    .push_bind(row.json.as_str());
            });
            all.build().execute(&mut *transaction).await?;
            let mut last =
                QueryBuilder::<Sqlite>::new("INSERT INTO latest (at_ms, check_id, json) ");
            last.push_values(chunk, |mut values, row| {
                values
                    .push_bind(row.at_ms)
                    .push_bind(row.check.as_str())
                    .push_bind(row.json.as_str());
            });
            last.push(
                " ON CONFLICT (check_id) DO UPDATE SET at_ms = excluded.at_ms, \
                 json = excluded.json WHERE excluded.at_ms >= latest.at_ms",
            );
            last.build().execute(&mut *transaction).await?;
        }
        if let Some(live) = live {
            sqlx::query("INSERT OR REPLACE INTO live (one, json) VALUES (1, ?)")
                .bind(live)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await
    }
}

/// What there is to know at one moment.
#[derive(Debug, Default)]
pub struct News {
    /// The engine's last word.
    pub live: Option<Live>,
    /// The last reading of each check.
    pub latest: BTreeMap<CheckId, Reading>,
    /// The last row of `readings`, to go on from.
    pub row: i64,
    /// The readings that were written since, in the order of writing.
    pub readings: Vec<Reading>,
}

struct Encoded {
    at_ms: i64,
    check: String,
    json: String,
}

fn encode(reading: &Reading) -> Result<Encoded, Error> {
    Ok(Encoded {
        at_ms: reading.at.timestamp_millis(),
        check: reading.check.0.clone(),
        json: json("a reading", reading)?,
    })
}

fn json<T: serde::Serialize>(what: &str, value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|source| Error::Encode { what: what.to_owned(), source })
}

/// What another version wrote and this one cannot read is left out: it is only a sample.
fn decode<T: DeserializeOwned>(row: &SqliteRow) -> Option<T> {
    let json: String = row.try_get(0).ok()?;
    serde_json::from_str(&json).ok()
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(2))
        .disable_statement_logging()
}

async fn connect(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = options(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Off)
        .connect()
        .await?;
    // Its log stays short: on a full disk it must not take what the journal needs.
    sqlx::raw_sql("PRAGMA wal_autocheckpoint = 200").execute(&mut connection).await?;
    sqlx::raw_sql(TABLES).execute(&mut connection).await?;
    let verdict = sqlx::query("PRAGMA quick_check(1)").fetch_one(&mut connection).await?;
    match verdict.try_get::<&str, _>(0)? {
        "ok" => Ok(connection),
        broken => Err(sqlx::Error::Decode(broken.into())),
    }
}

async fn begin_anew(folder: &Folder, path: &Path) -> Result<SqliteConnection, Error> {
    let aside = folder.file("samples.db.damaged");
    std::fs::rename(path, &aside).map_err(Error::file("set aside", path))?;
    for rest in ["samples.db-wal", "samples.db-shm", "samples.db-journal"] {
        let rest = folder.file(rest);
        match std::fs::remove_file(&rest) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::file("remove", &rest)(e));
            }
            Ok(()) | Err(_) => {}
        }
    }
    folder.own_file("samples.db")?;
    connect(path).await.map_err(refused("open the samples"))
}

fn is_damage(error: &sqlx::Error) -> bool {
    const ERROR: i32 = 1;
    const CORRUPT: i32 = 11;
    const NOT_A_DATABASE: i32 = 26;
    if matches!(error, sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. }) {
        return true;
    }
    let code = error.as_database_error().and_then(|error| {
        let code = error.code()?;
        code.parse::<i32>().ok()
    });
    matches!(code.map(|code| code & 0xFF), Some(ERROR | CORRUPT | NOT_A_DATABASE))
}

fn refused(what: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    move |source| Error::Store { what, source }
}

#[cfg(test)]
mod tests;
