//! `database_connection`: opens a database, asks a query, judges the number that comes back.

use std::path::PathBuf;
use std::time::Duration;

use crate::adapters::postgres::{self, PostgresPlace};
use crate::adapters::secret::Secret;
use crate::adapters::{Error, Kind, sqlite};
use crate::clock::Clock;
use crate::model::reading::{Finding, Reason, WhyClass};

use super::seen::Seen;
use super::threshold::Thresholds;

/// Settings of this kind.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which database.
    pub database: Database,
    /// What to ask.
    pub query: String,
    /// What the one row has to hold, as text: the version of a schema.
    pub expect: Option<String>,
    /// Thresholds on the number that comes back, or on the number of rows.
    pub thresholds: Thresholds,
}

/// Which database.
#[derive(Clone, Debug)]
pub enum Database {
    /// A file of `SQLite`, absolute.
    Sqlite(PathBuf),
    /// A database of a server, by its address: `postgres://…`.
    Postgres(Secret),
}

impl Settings {
    /// What it looks at; passwords are `***`.
    pub fn target(&self) -> String {
        match &self.database {
            Database::Sqlite(path) => format!("sqlite:{}", path.display()),
            Database::Postgres(url) => url.to_string(),
        }
    }

    /// Looks once, within `limit`.
    pub async fn probe(&self, limit: Duration, clock: &Clock) -> Seen {
        let asked = match &self.database {
            Database::Sqlite(path) => sqlite::ask(path, &self.query, limit).await,
            Database::Postgres(url) => match PostgresPlace::parse(url.reveal()) {
                Ok(place) => postgres::ask(&place, &self.query, limit, clock).await,
                Err(why) => {
                    let why = format!("could not read the address {url}: {why}");
                    return Seen::unknown(Reason::BadConfig, &why);
                }
            },
        };
        match asked {
            Ok(rows) => self.judge(&rows),
            // A line to a server breaks; only a file that says so is damaged.
            Err(error) if error.kind == Kind::Reset && self.is_server() => Seen::of_error(&error),
            Err(error) => failed(&error),
        }
    }

    fn is_server(&self) -> bool {
        match self.database {
            Database::Sqlite(_) => false,
            Database::Postgres(_) => true,
        }
    }

    fn judge(&self, rows: &sqlite::Rows) -> Seen {
        if let Some(expected) = &self.expect {
            return judge_text(rows, expected);
        }
        let counts = self.query.to_lowercase().contains("count(");
        #[expect(clippy::cast_precision_loss, reason = "at most a thousand rows")]
        let (value, unit) = match rows.number {
            Some(number) if counts => (number, "rows"),
            Some(number) => (number, ""),
            None => (rows.count as f64, "rows"),
        };
        if !value.is_finite() {
            return Seen::unknown(Reason::NoData, "the query gave no finite number");
        }
        let note = format!("{value} {unit}");
        let finding =
            if self.thresholds.any() { self.thresholds.judge(value, unit) } else { Finding::Good };
        Seen::new(finding, note.trim_end()).with_value(value, unit)
    }
}

/// Whether the only row holds `expected`.
fn judge_text(rows: &sqlite::Rows, expected: &str) -> Seen {
    let found = match (&rows.first, rows.count) {
        (Some(found), 1) if found == expected => return Seen::good(found),
        (Some(found), 1) => found.clone(),
        (_, 1) => "nothing".to_owned(),
        (_, count) => format!("{count} rows"),
    };
    Seen::bad(WhyClass::Content, &found, &format!("is {found}, expected {expected}"))
}

/// A file that is gone, locked or damaged is a database that does not answer; a query that is not
/// SQL is our own mistake.
fn failed(error: &Error) -> Seen {
    match error.kind {
        Kind::NotFound => Seen::bad(WhyClass::Refused, "no database", &error.message),
        Kind::Reset => Seen::bad(WhyClass::Content, "damaged", &error.message),
        Kind::TimedOut => Seen::bad(WhyClass::TimedOut, "locked or slow", &error.message),
        Kind::NoSpace | Kind::Local => Seen::unknown(Reason::BadConfig, &error.message),
        Kind::Refused
        | Kind::NotResolved
        | Kind::Tls
        | Kind::Denied
        | Kind::Held
        | Kind::Conflict
        | Kind::Rejected => Seen::of_error(error),
    }
}

#[cfg(test)]
mod tests;
