//! Reads the statements of a script as `SQLite` would, before any of them runs.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::text::fit;

/// The first statement that is not SQL, with what `SQLite` says of it. Tables and columns are not
/// looked for: those before it may make them.
pub async fn wrong(statements: &[String]) -> Option<String> {
    let options = SqliteConnectOptions::new().in_memory(true).disable_statement_logging();
    let mut connection = options.connect().await.ok()?;
    let mut found = None;
    for statement in statements {
        let explained = AssertSqlSafe(format!("EXPLAIN {statement}"));
        let Err(error) = sqlx::raw_sql(explained).execute(&mut connection).await else { continue };
        let why = error.as_database_error().map(|error| error.message().to_owned());
        let why = why.unwrap_or_else(|| error.to_string());
        let not_sql = ["syntax error", "incomplete input", "unrecognized token"];
        if not_sql.iter().any(|words| why.contains(words)) {
            let shown = statement.split_whitespace().collect::<Vec<_>>().join(" ");
            found = Some(format!("{:?} is broken: {why}", fit(&shown, 60)));
            break;
        }
    }
    connection.close().await.ok();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slip_of_the_pen_is_found_and_a_table_that_is_not_there_yet_is_none() {
        let fine = ["BEGIN", "DROP TRIGGER absent", "ALTER TABLE absent DROP COLUMN a", "COMMIT"];
        assert_eq!(wrong(&fine.map(str::to_owned)).await, None);
        let broken = ["BEGIN".to_owned(), "DROP TRIGER absent".to_owned()];
        let why = wrong(&broken).await.unwrap();
        assert!(why.contains("TRIGER") && why.contains("syntax error"), "{why}");
    }
}
