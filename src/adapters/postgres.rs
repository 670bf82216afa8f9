//! Servers of `PostgreSQL`: a question to one, and one of its databases as an application's.

use std::time::Duration;

use futures_util::TryStreamExt;
use sha2::{Digest as _, Sha256};
use sqlx::postgres::{PgConnection, PgDatabaseError, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, ValueRef};

use crate::clock::Clock;

use super::sqlite::{ROWS, Rows};
use super::{Error, Kind};

pub mod activity;
mod by_hand;
pub mod cluster;
mod container;
mod dump;
mod facts;
mod ledgers;
mod one_transaction;
mod only;
mod operations;
mod place;
mod problems;
mod read_only;
mod rescue;
mod restore;
mod scan;
pub mod split;
mod store;
mod swap;
pub mod tools;
pub mod wal;

pub use container::ContainerTools;
pub use place::PostgresPlace;
pub use store::PostgresDatabase;

/// The schema that holds every table of ours; it is never dumped or counted.
const SCHEMA: &str = "backout_kept";
/// The longest name that a server keeps, in bytes: it cuts a longer one without a word.
const LONGEST: usize = 63;
/// How long coming to a server may take, unless it is said otherwise.
const CONNECT: Duration = Duration::from_secs(10);

/// A name as SQL writes it, whatever is in it.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL writes it, whatever is in it.
fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!(" E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// A name that fits: a longer one is cut, and ends in what tells it from others that were cut.
fn fitting(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let hash = Sha256::digest(name.as_bytes());
    let mark = hash.iter().take(4).fold(0_u32, |mark, byte| mark << 8 | u32::from(*byte));
    let mark = format!("{mark:08x}");
    let mut end = LONGEST - mark.len() - 1;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}_{mark}", name.get(..end).unwrap_or_default())
}

/// Opens a connection, within the time that this may take.
async fn connect(place: &PostgresPlace, clock: &Clock) -> Result<PgConnection, Error> {
    let shown = place.shown();
    let options = place.options().map_err(|e| translate("open", &shown, &e))?;
    let open = async {
        let mut connection = options.connect().await?;
        // Where writers are held, that is meant for others.
        let ours = "SET default_transaction_read_only = off";
        sqlx::raw_sql(ours).execute(&mut connection).await?;
        Ok(connection)
    };
    match clock.timeout(place.connect, Box::pin(open)).await {
        Ok(opened) => opened.map_err(|e| unreachable_is_refused(translate("open", &shown, &e))),
        Err(_) => Err(Error::timed_out(format!("open {shown}"), place.connect)),
    }
}

/// Where there is no socket, nobody listens; a database that is not there has its own error.
fn unreachable_is_refused(error: Error) -> Error {
    let no_socket = error.kind == Kind::NotFound && !error.message.contains("does not exist");
    if no_socket { Error { kind: Kind::Refused, ..error } } else { error }
}

/// Runs `query` in a session that only reads. All of it takes at most `limit`.
///
/// Fails with `Refused` (nobody listens), `NotResolved`, `Tls`, `TimedOut`, `Denied` (the user may
/// not), `NotFound` (no such database), `Reset` (it broke off, or its pages are damaged), `Local`
/// (the query is not SQL) or `Rejected` (it said no).
pub async fn ask(
    place: &PostgresPlace,
    query: &str,
    limit: Duration,
    clock: &Clock,
) -> Result<Rows, Error> {
    let shown = place.shown();
    let work = async {
        let mut connection = connect(place, clock).await?;
        let sql = |e: sqlx::Error| translate("query", &shown, &e);
        // A server goes on with what nobody waits for: it looks at the time itself.
        let first = format!(
            "SET default_transaction_read_only = on; SET statement_timeout = {}",
            limit.as_millis().max(1)
        );
        sqlx::raw_sql(AssertSqlSafe(first)).execute(&mut connection).await.map_err(sql)?;
        let rows = rows(&mut connection, query).await.map_err(sql)?;
        if rows.count < ROWS {
            connection.close().await.ok();
        }
        Ok(rows)
    };
    let ended = clock.timeout(limit, work).await;
    ended.unwrap_or_else(|_| Err(Error::timed_out(format!("query {shown}"), limit)))
}

async fn rows(connection: &mut PgConnection, query: &str) -> Result<Rows, sqlx::Error> {
    let mut stream = sqlx::raw_sql(AssertSqlSafe(query.to_owned())).fetch(connection);
    let mut found = Rows { count: 0, number: None, first: None };
    while found.count < ROWS {
        let Some(row) = stream.try_next().await? else { break };
        if found.count == 0 {
            found.first = first_column(&row);
        }
        found.count += 1;
    }
    if found.count == 1 {
        found.number = found.first.as_deref().and_then(|text| text.parse().ok());
    }
    Ok(found)
}

/// The first column as text; nothing when it is NULL.
fn first_column(row: &PgRow) -> Option<String> {
    let value = row.try_get_raw(0).ok()?;
    if value.is_null() { None } else { value.as_str().ok().map(str::to_owned) }
}

/// What the server or the way to it said.
fn translate(verb: &str, thing: &str, error: &sqlx::Error) -> Error {
    let no = |kind: Kind, why: &str| Error::new(kind, format!("could not {verb} {thing}: {why}"));
    match error {
        sqlx::Error::Database(said) => {
            let said = said.try_downcast_ref::<PgDatabaseError>();
            let Some(said) = said else { return no(Kind::Rejected, &error.to_string()) };
            let code = said.code();
            // Details of a broken rule quote the row itself.
            let detail =
                said.detail().filter(|_| !code.starts_with("22") && !code.starts_with("23"));
            let why = match detail {
                Some(detail) => format!("{} ({})", said.message(), detail.replace('\n', "; ")),
                None => said.message().to_owned(),
            };
            no(kind_of(code), &why)
        }
        sqlx::Error::Io(why) => Error::io(verb, thing, why).resolved(),
        sqlx::Error::Tls(why) => no(Kind::Tls, &why.to_string()),
        sqlx::Error::Protocol(why) => no(Kind::Reset, why),
        sqlx::Error::Configuration(why) => no(Kind::Local, &why.to_string()),
        other => no(Kind::Rejected, &other.to_string()),
    }
}

/// What a SQLSTATE means for whoever asked.
fn kind_of(code: &str) -> Kind {
    match code {
        // A lock that was not given, and what ran into its limit.
        "55P03" | "57014" => Kind::TimedOut,
        // Somebody else is in the way: the next attempt may pass.
        "40P01" | "40001" | "55006" => Kind::Held,
        "28000" | "28P01" | "42501" => Kind::Denied,
        "3D000" => Kind::NotFound,
        "57P03" => Kind::Refused,
        "57P01" | "57P02" | "XX001" | "XX002" => Kind::Reset,
        "42601" => Kind::Local,
        _ if code.starts_with("08") => Kind::Reset,
        _ => Kind::Rejected,
    }
}

trait Resolved {
    fn resolved(self) -> Self;
}

impl Resolved for Error {
    /// A name that is not found has no kind of its own among errors of input and output.
    fn resolved(self) -> Self {
        let unknown = self.kind == Kind::Local && self.message.contains("lookup address");
        if unknown { Self { kind: Kind::NotResolved, ..self } } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_stay_apart_and_quotes_hold() {
        assert_eq!(fitting("short"), "short");
        let long = |end: &str| fitting(&format!("{}{end}", "ü".repeat(40)));
        let (one, two) = (long("a"), long("b"));
        assert!(one.len() <= LONGEST && two.len() <= LONGEST && one != two, "{one} {two}");
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("a'b\\c"), " E'a''b\\\\c'");
    }
}
