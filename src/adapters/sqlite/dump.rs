//! A database as a compressed script of INSERT lines, and back (S-80).

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::adapters::database::Told;
use crate::adapters::{Error, Kind};
use crate::model::tables::TableFacts;

use super::split::Splitter;
use super::{facts, identifier, translate};

/// The last line: without it a script is only a part of one (W-58).
pub(super) const TRAILER: &str = "-- backout: the dump is complete\n";
/// Statements run together, for speed.
const BATCH: usize = 64 * 1024;

/// Writes all of `connection`'s database of one moment to the fresh file `into`.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    thing: &str,
    into: &Path,
    told: Told<'_>,
) -> Result<Vec<TableFacts>, Error> {
    let io = |e: std::io::Error| Error::io("write", into.display(), &e);
    let sql = |e: sqlx::Error| translate("dump", thing, &e);
    let mut moment = connection.begin().await.map_err(sql)?;
    let tables = facts::read(&mut moment).await.map_err(sql)?;
    let all: u64 = tables.iter().map(|table| table.rows).sum();
    let things: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND tbl_name NOT LIKE 'backout\\_%' ESCAPE '\\' \
         ORDER BY rowid",
    )
    .fetch_all(&mut *moment)
    .await
    .map_err(sql)?;

    let file = File::options().write(true).create_new(true).open(into).map_err(io)?;
    let mut out = BufWriter::new(GzEncoder::new(file, Compression::fast()));
    out.write_all(b"PRAGMA foreign_keys = OFF;\nBEGIN;\n").map_err(io)?;
    let mut done = 0;
    told(done, all);
    for (_, name, create) in things.iter().filter(|(kind, ..)| kind == "table") {
        writeln!(out, "{create};").map_err(io)?;
        let columns = facts::columns(&mut moment, name).await.map_err(sql)?;
        let quoted: Vec<String> =
            columns.iter().map(|column| format!("quote({})", identifier(column))).collect();
        let table = identifier(name);
        let query = format!("SELECT {} FROM {table}", quoted.join(" || ', ' || "));
        let mut rows = sqlx::query_scalar::<_, String>(AssertSqlSafe(query)).fetch(&mut *moment);
        while let Some(row) = rows.try_next().await.map_err(sql)? {
            writeln!(out, "INSERT INTO {table} VALUES ({row});").map_err(io)?;
            done += 1;
            if done % 1000 == 0 {
                told(done, all);
            }
        }
    }
    for (_, _, create) in things.iter().filter(|(kind, ..)| kind != "table") {
        writeln!(out, "{create};").map_err(io)?;
    }
    out.write_all(b"COMMIT;\n").map_err(io)?;
    out.write_all(TRAILER.as_bytes()).map_err(io)?;
    let encoder = out.into_inner().map_err(|e| io(e.into_error()))?;
    encoder.finish().and_then(|file| file.sync_all()).map_err(io)?;
    told(all, all);
    Ok(tables)
}

/// Runs the compressed script `dump` on an empty database, in the transactions that it has.
pub(super) async fn read(
    connection: &mut SqliteConnection,
    dump: &Path,
    told: Told<'_>,
) -> Result<(), Error> {
    let io = |e: std::io::Error| Error::io("read", dump.display(), &e);
    let file = File::open(dump).map_err(io)?;
    let all = file.metadata().map_err(io)?.len();
    let packed = Counted { inner: file, read: 0 };
    let mut script = BufReader::with_capacity(256 * 1024, MultiGzDecoder::new(packed));
    let mut splitter = Splitter::default();
    let mut buffer = vec![0; 64 * 1024];
    let mut batch = String::new();
    loop {
        let count = script.read(&mut buffer).map_err(io)?;
        let part = buffer.get(..count).unwrap_or_default();
        for statement in splitter.feed(part).map_err(|why| unreadable(dump, &why))? {
            batch.push_str(&statement);
            batch.push_str(";\n");
        }
        if batch.len() >= BATCH || count == 0 {
            if count == 0 {
                batch.push_str(
                    &std::mem::take(&mut splitter)
                        .finish()
                        .map_err(|why| unreadable(dump, &why))?,
                );
            }
            run(connection, std::mem::take(&mut batch), dump).await?;
            told(script.get_ref().get_ref().read, all);
        }
        if count == 0 {
            return Ok(());
        }
    }
}

async fn run(connection: &mut SqliteConnection, batch: String, dump: &Path) -> Result<(), Error> {
    if batch.trim().is_empty() {
        return Ok(());
    }
    let done = sqlx::raw_sql(AssertSqlSafe(batch)).execute(connection).await;
    done.map(drop).map_err(|e| translate("restore", &dump.display().to_string(), &e))
}

fn unreadable(dump: &Path, why: &str) -> Error {
    Error::new(Kind::Rejected, format!("could not read {}: {why}", dump.display()))
}

/// Counts what was read of a file.
struct Counted {
    inner: File,
    read: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read += count as u64;
        Ok(count)
    }
}
