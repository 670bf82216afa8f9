//! What is looked at before a plan may be approved (S-43, S-47), and the schema gate.

use std::path::Path;
use std::time::Duration;

use crate::adapters::sqlite;
use crate::clock::Clock;
use crate::config::{Config, Database};
use crate::model::ids::{Color, JournalId};
use crate::model::plan::{Preflight, PreflightAnswer};
use crate::text::SafeText;

use super::observe;
use super::stack::Stack;

/// The longest the schema's version may take to read.
const LOOK: Duration = Duration::from_secs(2);

fn line(name: &str, answer: PreflightAnswer, text: impl AsRef<str>) -> Preflight {
    Preflight { name: name.into(), answer, text: SafeText::new(text.as_ref()) }
}

/// Looks at everything level 1 needs; changes nothing.
pub async fn level_one(
    config: &Config,
    stack: &Stack,
    to: &Color,
    journal: &JournalId,
    clock: &Clock,
) -> Vec<Preflight> {
    vec![
        user(),
        space(&config.state_dir),
        target(stack, to, clock).await,
        traffic(stack, to).await,
        schema(config, stack, to, clock).await,
        fence(stack, journal).await,
    ]
}

fn user() -> Preflight {
    let uid = rustix::process::geteuid().as_raw();
    line("appropriate user", PreflightAnswer::Ok, format!("uid {uid}"))
}

fn space(state: &Path) -> Preflight {
    let name = "free space for evidence";
    match rustix::fs::statvfs(state) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize) / (1024 * 1024);
            let answer = if free < 64 { PreflightAnswer::Warn } else { PreflightAnswer::Ok };
            line(name, answer, format!("{free} MiB free"))
        }
        Err(errno) => line(name, PreflightAnswer::Warn, format!("could not look: {errno}")),
    }
}

async fn target(stack: &Stack, to: &Color, clock: &Clock) -> Preflight {
    let name = format!("{to} answers at its own address");
    let url = stack.addresses.get(to).map(String::as_str).unwrap_or_default();
    match observe::status(url, clock).await {
        None => line(&name, PreflightAnswer::Block, format!("{url}/status does not answer")),
        Some(said) if said.environment != to.as_str() => line(
            &name,
            PreflightAnswer::Block,
            format!("{url} says it is {}, not {to}", said.environment),
        ),
        Some(said) if !said.ready => {
            line(&name, PreflightAnswer::Block, "overall_ready is not true")
        }
        Some(said) => line(&name, PreflightAnswer::Ok, format!("{} is ready", said.version)),
    }
}

async fn traffic(stack: &Stack, to: &Color) -> Preflight {
    let name = "traffic can be switched";
    match stack.traffic.look().await {
        Ok(state) if &state.active == to => {
            line(name, PreflightAnswer::Block, format!("{to} has the traffic already"))
        }
        Ok(state) => line(name, PreflightAnswer::Ok, format!("{} has it now", state.active)),
        Err(error) => line(name, PreflightAnswer::Unknown, error.message),
    }
}

async fn fence(stack: &Stack, journal: &JournalId) -> Preflight {
    let name = "nobody else works on it";
    let Some(fence) = &stack.fence else {
        return line(
            name,
            PreflightAnswer::Warn,
            "no fence is configured: two journals could meet",
        );
    };
    match fence.holder().await {
        Ok(Some(holder)) if &holder.journal != journal => line(
            name,
            PreflightAnswer::Block,
            format!(
                "held by {} on {} (run {}) since {}",
                holder.name,
                holder.host,
                holder.run,
                holder.since.format("%H:%M:%SZ")
            ),
        ),
        Ok(_) => line(name, PreflightAnswer::Ok, "free"),
        Err(error) => line(name, PreflightAnswer::Unknown, error.message),
    }
}

/// Does the old program run on today's schema? Judged by the up scripts since its schema; what
/// they took away is named (design 15 and 24).
async fn schema(config: &Config, stack: &Stack, to: &Color, clock: &Clock) -> Preflight {
    let name = "schema gate";
    let Some(Database::Sqlite { path, migrations }) = &config.database else {
        return line(name, PreflightAnswer::Warn, "no database is configured: not judged");
    };
    let query = "SELECT max(version) FROM schema_migrations";
    let now = match sqlite::ask(path, query, LOOK).await.map(|rows| rows.number) {
        Ok(Some(version)) => version,
        Ok(None) => return line(name, PreflightAnswer::Unknown, "schema_migrations is empty"),
        Err(error) => return line(name, PreflightAnswer::Unknown, error.message),
    };
    #[expect(clippy::cast_possible_truncation, reason = "schema versions are small whole numbers")]
    let now = now as i64;
    let version = match stack.addresses.get(to) {
        Some(url) => observe::status(url, clock).await.map(|said| said.version),
        None => None,
    };
    let known = observe::points(config, None, clock).await;
    let recorded = known
        .iter()
        .find(|point| version.as_ref() == Some(&point.version))
        .and_then(|point| point.schema);
    let Some(then) = recorded else {
        let text = format!("schema is {now}; none is recorded for the version on {to}");
        return line(name, PreflightAnswer::Warn, text);
    };
    if then >= now {
        return line(name, PreflightAnswer::Ok, format!("schema {now}, as it was"));
    }
    let taken = migrations.as_deref().map(|folder| taken_away(folder, then, now));
    match taken {
        None => {
            line(name, PreflightAnswer::Warn, format!("{then} to {now} without scripts to read"))
        }
        Some(Err(why)) => line(name, PreflightAnswer::Unknown, why),
        Some(Ok(taken)) if taken.is_empty() => line(
            name,
            PreflightAnswer::Ok,
            format!("{now} only adds to {then}: the old version runs on it"),
        ),
        Some(Ok(taken)) => line(
            name,
            PreflightAnswer::Block,
            format!("{then} to {now} took away: {}", taken.join("; ")),
        ),
    }
}

/// Statements of the up scripts after `then` up to `now` that are not purely additive.
fn taken_away(folder: &Path, then: i64, now: i64) -> Result<Vec<String>, String> {
    let mut taken = Vec::new();
    for version in (then + 1)..=now {
        let prefix = format!("{version}_");
        let script = std::fs::read_dir(folder)
            .map_err(|error| format!("could not read {}: {error}", folder.display()))?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                name.starts_with(&prefix) && name.ends_with("_up.sql")
            })
            .ok_or_else(|| format!("the up script of {version} is missing"))?;
        let text = std::fs::read_to_string(&script)
            .map_err(|error| format!("could not read {}: {error}", script.display()))?;
        taken.extend(
            statements(&text)
                .filter(|statement| !is_additive(statement))
                .map(|statement| crate::text::fit(&statement, 60)),
        );
    }
    Ok(taken)
}

fn statements(script: &str) -> impl Iterator<Item = String> {
    let code: String = script
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join(" ");
    code.split(';')
        .map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|statement| !statement.is_empty())
        .collect::<Vec<_>>()
        .into_iter()
}

/// What an old program does not notice: new tables, indexes and columns that may stay empty.
/// Everything that is not known to be so counts as taking away.
fn is_additive(statement: &str) -> bool {
    let upper = statement.to_uppercase();
    let adds_column = upper.starts_with("ALTER TABLE")
        && upper.contains(" ADD ")
        && (!upper.contains("NOT NULL") || upper.contains("DEFAULT"))
        && !upper.contains(" DROP ");
    let harmless = ["BEGIN", "COMMIT", "END", "CREATE TABLE", "CREATE INDEX", "PRAGMA"];
    adds_column
        || harmless.iter().any(|start| upper.starts_with(start))
        || upper.starts_with("INSERT INTO SCHEMA_MIGRATIONS")
        || upper.starts_with("CREATE UNIQUE INDEX IF NOT EXISTS SCHEMA_MIGRATIONS")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_column_with_a_default_is_additive() {
        assert!(is_additive("ALTER TABLE users ADD COLUMN preferences TEXT DEFAULT '{}'"));
        assert!(is_additive("CREATE TABLE audit (id INTEGER)"));
    }

    #[test]
    fn what_an_old_program_would_miss_is_not_additive() {
        for statement in [
            "ALTER TABLE users DROP COLUMN email",
            "ALTER TABLE users RENAME TO people",
            "ALTER TABLE users ADD COLUMN age INTEGER NOT NULL",
            "DROP TABLE sessions",
            "UPDATE users SET email = NULL",
            "CREATE UNIQUE INDEX one_name ON users (name)",
        ] {
            assert!(!is_additive(statement), "{statement}");
        }
    }

    #[test]
    fn comments_do_not_hide_or_make_statements() {
        let script = "-- DROP TABLE users;\nBEGIN;\nALTER TABLE a\n ADD COLUMN b TEXT; COMMIT;";
        let found: Vec<String> = statements(script).collect();
        assert_eq!(found, ["BEGIN", "ALTER TABLE a ADD COLUMN b TEXT", "COMMIT"]);
    }
}
