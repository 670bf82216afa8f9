//! Rows that one database has and another has not: what a swap would lose. A server answers for
//! one database at a time, so both give the hashes of their rows in one order, and these are
//! compared here.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use crate::adapters::{Error, Kind};

use super::facts::{self, Table};
use super::{identifier, translate};

/// The lines to the two databases, and what is said of them.
pub(super) struct Both<'a> {
    /// The live one.
    pub(super) live: &'a mut PgConnection,
    /// The one beside it.
    pub(super) copy: &'a mut PgConnection,
    /// How the live one is called in messages.
    pub(super) thing: &'a str,
}

/// Counts, per table, the rows of the live one that the copy does not have just so; with `into`
/// they are written as JSON lines to `into/<table>.jsonl.gz`.
pub(super) async fn read(both: Both<'_>, into: Option<&Path>) -> Result<Vec<(String, u64)>, Error> {
    let Both { live, copy, thing } = both;
    let sql = |e: sqlx::Error| translate("compare", thing, &e);
    for line in [&mut *live, &mut *copy] {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        sqlx::raw_sql(begin).execute(line).await.map_err(sql)?;
    }
    let there = facts::tables(copy).await.map_err(sql)?;
    let mut found = Vec::new();
    for table in facts::tables(live).await.map_err(sql)? {
        let here: Vec<String> = names(live, &table).await.map_err(sql)?;
        let same = there.iter().find(|other| other.shown() == table.shown());
        let (list, other) = match same {
            // A column that only one of them has makes no row another one.
            Some(other) => {
                let of_copy = names(copy, other).await.map_err(sql)?;
                let common: Vec<String> =
                    here.iter().filter(|name| of_copy.contains(name)).cloned().collect();
                if common.is_empty() { (here, None) } else { (common, Some(other)) }
            }
            None => (here, None),
        };
        let mut rows = 0;
        compare(live, copy, &list, (&table, other), None, &mut rows)
            .await
            .map_err(|e| e.of(thing))?;
        if let Some(into) = into.filter(|_| rows > 0) {
            let path = file(into, &table.shown())?;
            let mut again = 0;
            let out = Some(path.as_path());
            compare(live, copy, &list, (&table, other), out, &mut again)
                .await
                .map_err(|e| e.of(thing))?;
        }
        found.push((table.shown(), rows));
    }
    for line in [live, copy] {
        sqlx::raw_sql("COMMIT").execute(line).await.map_err(sql)?;
    }
    Ok(found)
}

async fn names(connection: &mut PgConnection, table: &Table) -> Result<Vec<String>, sqlx::Error> {
    let columns = facts::columns(connection, table).await?;
    Ok(columns.into_iter().map(|column| column.name).collect())
}

/// What ended a comparison.
enum Ended {
    Sql(sqlx::Error),
    Ours(Error),
}

impl Ended {
    fn of(self, thing: &str) -> Error {
        match self {
            Self::Sql(error) => translate("compare", thing, &error),
            Self::Ours(error) => error,
        }
    }
}

impl From<sqlx::Error> for Ended {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// The hash of each row's text, in its order, and the row as JSON where it is wanted.
fn query(table: &Table, columns: &[String], rows: bool) -> String {
    let list = columns.iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", ");
    let row = if rows { "row_to_json(backout_row)::text" } else { "NULL::text" };
    format!(
        "SELECT sha256(convert_to(backout_row::text, 'UTF8')), {row} \
         FROM (SELECT {list} FROM {}) backout_row ORDER BY 1",
        table.rows()
    )
}

async fn compare(
    live: &mut PgConnection,
    copy: &mut PgConnection,
    columns: &[String],
    (table, other): (&Table, Option<&Table>),
    into: Option<&Path>,
    count: &mut u64,
) -> Result<(), Ended> {
    let mut out = into.map(Out::create).transpose().map_err(Ended::Ours)?;
    let of = |table: &Table, rows| AssertSqlSafe(query(table, columns, rows));
    let mut here =
        sqlx::query_as::<_, (Vec<u8>, Option<String>)>(of(table, out.is_some())).fetch(live);
    let mut there = other
        .map(|other| sqlx::query_as::<_, (Vec<u8>, Option<String>)>(of(other, false)).fetch(copy));
    let mut next = match &mut there {
        Some(rows) => rows.try_next().await?,
        None => None,
    };
    while let Some((hash, row)) = here.try_next().await? {
        loop {
            let order = next.as_ref().map_or(Ordering::Greater, |(other, _)| other.cmp(&hash));
            if order == Ordering::Greater {
                *count += 1;
                if let (Some(out), Some(row)) = (&mut out, row) {
                    out.line(&row).map_err(Ended::Ours)?;
                }
                break;
            }
            next = match &mut there {
                Some(rows) => rows.try_next().await?,
                None => None,
            };
            // Each row of the copy stands for one of the live ones.
            if order == Ordering::Equal {
                break;
            }
        }
    }
    if let Some(out) = out {
        out.end().map_err(Ended::Ours)?;
    }
    Ok(())
}

fn file(into: &Path, table: &str) -> Result<PathBuf, Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if table.is_empty() || table.starts_with('.') || !table.chars().all(plain) {
        let message = format!("could not export table {table:?}: its name is no plain file name");
        return Err(Error::new(Kind::Rejected, message));
    }
    Ok(into.join(format!("{table}.jsonl.gz")))
}

/// A file of lines.
struct Out {
    path: PathBuf,
    file: BufWriter<GzEncoder<File>>,
}

impl Out {
    fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(|e| Error::io("write", path.display(), &e))?;
        let file = BufWriter::new(GzEncoder::new(file, Compression::fast()));
        Ok(Self { path: path.to_owned(), file })
    }

    fn line(&mut self, row: &str) -> Result<(), Error> {
        writeln!(self.file, "{row}").map_err(|e| Error::io("write", self.path.display(), &e))
    }

    fn end(self) -> Result<(), Error> {
        let io = |e: std::io::Error| Error::io("write", self.path.display(), &e);
        let encoder = self.file.into_inner().map_err(|e| io(e.into_error()))?;
        encoder.finish().and_then(|file| file.sync_all()).map_err(io)
    }
}
