//! What goes on in a database server, as lines (P-54).

use std::fmt::Write as _;

use crate::model::activity::Activity;

/// Statements that are listed.
const STATEMENTS: usize = 10;

/// Connections, who blocks whom, followers, archiving and the statements that took most.
pub fn text(activity: &Activity) -> String {
    let mut text = String::new();
    let mut line = |words: String| {
        let _: std::fmt::Result = writeln!(text, "{words}");
    };
    let (used, most) = activity.connections;
    line(format!("PostgreSQL {}: {used} of {most} connections", activity.version));
    for (state, count) in &activity.sessions {
        line(format!("  {count} {state}"));
    }
    for session in &activity.busy {
        let open = session.open.as_secs();
        line(format!("  pid {} {}: {} for {open} s", session.pid, session.who, session.state));
    }
    if activity.waits.is_empty() {
        line("nobody waits for a lock".to_owned());
    }
    for wait in &activity.waits {
        let holders: Vec<String> = wait.holders.iter().map(ToString::to_string).collect();
        let (pid, who) = (wait.session.pid, &wait.session.who);
        line(format!(
            "BLOCKED pid {pid} {who} waits for {}, held by {}",
            wait.lock,
            holders.join(", ")
        ));
    }
    for (mode, count) in &activity.locks {
        line(format!("  {count} locks {mode}"));
    }
    if let Some(follows) = activity.follows {
        let behind = follows.behind.map_or_else(
            || "nothing replayed yet".to_owned(),
            |behind| format!("{} s behind", behind.as_secs()),
        );
        line(format!("follows another server: {behind}"));
    }
    for replica in &activity.replicas {
        let bytes =
            replica.bytes.map_or_else(|| "? bytes".to_owned(), |bytes| format!("{bytes} bytes"));
        line(format!("replica {} {}: {bytes} behind", replica.name, replica.state));
    }
    if let Some(archiver) = &activity.archiver {
        line(format!("archiving: {} put away, {} failed", archiver.archived, archiver.failed));
    }
    match &activity.statements {
        None => line("statements are not counted: pg_stat_statements is not there".to_owned()),
        Some(statements) => {
            for one in statements.iter().take(STATEMENTS) {
                let words = crate::text::fit(one.text.as_str(), 100);
                line(format!("  {} calls, {} ms: {words}", one.calls, one.total.as_millis()));
            }
        }
    }
    text
}
