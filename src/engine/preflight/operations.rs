//! Work that a rollback of data would run into (S-43): dumps, statements that rewrite tables, deploys.

use crate::adapters::Error;
use crate::adapters::database::Database;
use crate::clock::Clock;
use crate::model::plan::{Preflight, PreflightAnswer};

use super::super::planner::Facts;
use super::{deploying, line};

/// Longer than this nobody waits for the look.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(10);

/// Whether something critical goes on. In the database it blocks: a migration would wait for a dump's
/// locks until it fails, and a swap would end the dump. A running deploy is a warning, as at level 1.
pub async fn operations(
    database: Option<&dyn Database>,
    facts: &Facts,
    clock: &Clock,
) -> Preflight {
    let name = "no critical operation runs";
    let in_database = match database {
        Some(database) => {
            let looked = clock.timeout(LIMIT, database.operations()).await;
            looked.unwrap_or_else(|_| Err(Error::timed_out("look for running operations", LIMIT)))
        }
        None => Ok(Vec::new()),
    };
    match in_database {
        Ok(found) if found.is_empty() => {}
        Ok(found) => {
            let found: Vec<&str> = found.iter().map(crate::text::SafeText::as_str).collect();
            let text = format!(
                "{}: wait for it, or end it: SELECT pg_terminate_backend(NUMBER)",
                found.join("; ")
            );
            return line(name, PreflightAnswer::Block, text);
        }
        // A damaged database is a reason to go back, not one to stay.
        Err(error) => return line(name, PreflightAnswer::Warn, error.message),
    }
    match deploying(facts, clock) {
        Some(deploy) => line(name, deploy.answer, deploy.text.as_str()),
        None => line(name, PreflightAnswer::Ok, "no deploy, no dump, no statement that rewrites"),
    }
}
