//! Work on a server that changing the database would run into, or that would run into it (S-43).

use sqlx::postgres::PgConnection;

use crate::text::{SafeText, fit};

/// Tools that read or write a whole database; their locks stand until they end.
const TOOLS: &str = "^(pg_dump|pg_dumpall|pg_restore|pg_basebackup|pg_repack|vacuumdb|reindexdb)";
/// Statements that change what tables are, or write them anew.
const STATEMENTS: &str = "(^|;)\\s*(vacuum\\s*(\\([^)]*full|full)|cluster|reindex|alter\\s+table|\
     create\\s+(unique\\s+)?index|drop\\s+(table|index|schema)|truncate)";

/// A session as one row: its number, what it is, what it does, and for how many seconds.
type Row = (i32, String, String, i64);

/// What goes on, each with its session and for how long; the longest first.
pub(super) async fn read(connection: &mut PgConnection) -> Result<Vec<SafeText>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT pid, coalesce(application_name, '') || ' of ' || coalesce(usename, '?'), \
         CASE WHEN application_name ~ $1 THEN '' ELSE btrim(query) END, \
         coalesce(extract(epoch FROM clock_timestamp() - coalesce(xact_start, query_start, \
         backend_start)), 0)::int8 FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
         AND (datname = current_database() OR datname IS NULL) \
         AND (application_name ~ $1 OR state IN ('active', 'idle in transaction') AND query ~* $2) \
         ORDER BY 4 DESC LIMIT 20",
    )
    .bind(TOOLS)
    .bind(STATEMENTS)
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().map(words).collect())
}

fn words((pid, who, statement, open): &Row) -> SafeText {
    let who = who.trim_start_matches(" of ");
    let since = format!("session {pid} ({who}) for {open} s");
    let one_line = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    if one_line.is_empty() {
        return SafeText::new(&since);
    }
    SafeText::new(&format!("{}: {since}", fit(&one_line, 60)))
}
