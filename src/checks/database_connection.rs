//! `database_connection`: opens a database, asks a query, judges the number that comes back.

use std::path::PathBuf;
use std::time::Duration;

use crate::adapters::secret::Secret;
use crate::adapters::{Error, Kind, sqlite};
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
    /// Thresholds on the number that comes back, or on the number of rows.
    pub thresholds: Thresholds,
}

/// Which database.
#[derive(Clone, Debug)]
pub enum Database {
    /// A file of `SQLite`, absolute.
    Sqlite(PathBuf),
    /// A server of a kind that is not built yet: loads, reads unknown.
    Later(Secret),
}

impl Settings {
    /// What it looks at; passwords are `***`.
    pub fn target(&self) -> String {
        match &self.database {
            Database::Sqlite(path) => format!("sqlite:{}", path.display()),
            Database::Later(url) => url.to_string(),
        }
    }

    /// Looks once, within `limit`.
    pub async fn probe(&self, limit: Duration) -> Seen {
        match &self.database {
            Database::Sqlite(path) => match sqlite::ask(path, &self.query, limit).await {
                Ok(rows) => self.judge(&rows),
                Err(error) => failed(&error),
            },
            Database::Later(_) => Seen::unknown(Reason::Skipped, "PostgreSQL comes later"),
        }
    }

    fn judge(&self, rows: &sqlite::Rows) -> Seen {
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

/// A file that is gone, locked or damaged is a database that does not answer; a query that is not
/// SQL is our own mistake.
fn failed(error: &Error) -> Seen {
    match error.kind {
        Kind::NotFound => Seen::bad(WhyClass::Refused, "no database", &error.message),
        Kind::Reset => Seen::bad(WhyClass::Content, "damaged", &error.message),
        Kind::TimedOut => Seen::bad(WhyClass::TimedOut, "locked or slow", &error.message),
        Kind::Local => Seen::unknown(Reason::BadConfig, &error.message),
        Kind::Refused
        | Kind::NotResolved
        | Kind::Tls
        | Kind::Denied
        | Kind::Held
        | Kind::Rejected => Seen::of_error(error),
    }
}

#[cfg(test)]
mod tests;
