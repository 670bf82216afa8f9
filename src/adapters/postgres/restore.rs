//! A dump in a new database beside the live one: like it in all that a dump does not hold.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use crate::adapters::database::Told;
use crate::adapters::{Error, Kind};
use crate::clock::Clock;

use super::dump::{LONG, fine, telling};
use super::scan::{self, Format};
use super::tools::{Moved, PgTools, Tool, ToolCall};
use super::{identifier, literal, read_only, translate};

/// What is said of a database that we made, as its comment; without it none is removed.
pub(super) const MARK: &str = "backout: a copy";

/// What makes a database like another one: owner, encoding, collation, character type, provider of
/// the locale and its name there, tablespace.
type Kindred = (String, String, String, String, String, Option<String>, String);

/// Reads the dump through to its end; nothing is made of one that is not whole.
pub(super) async fn verified(
    tools: &dyn PgTools,
    dump: &Path,
    database: &str,
) -> Result<Format, Error> {
    let path = dump.to_owned();
    let read = move || {
        let format = scan::format(&path)?;
        if format == Format::Plain {
            scan::read(&path)?;
        }
        Ok(format)
    };
    let format = tokio::task::spawn_blocking(read).await.unwrap_or_else(|e| {
        Err(Error::new(Kind::Local, format!("could not read {}: {e}", dump.display())))
    })?;
    match format {
        Format::Plain => {}
        Format::Custom | Format::Folder => {
            // As SQL that goes nowhere: every block of it is unpacked.
            let by_path = format == Format::Folder;
            let call = call(dump, (format, by_path), database, vec!["--file=-".to_owned()])?;
            let ended = tools.run(call).await?;
            let shown = format!("{}, of which nothing was restored", dump.display());
            fine("read", &shown, &ended)?;
        }
    }
    Ok(format)
}

/// Sessions that fill a database at once: no more than this machine can feed.
fn sessions() -> usize {
    std::thread::available_parallelism().map_or(2, |count| count.get().clamp(2, 8))
}

fn call(
    dump: &Path,
    (format, by_path): (Format, bool),
    database: &str,
    args: Vec<String>,
) -> Result<ToolCall, Error> {
    let dump = std::path::absolute(dump).map_err(|e| Error::io("read", dump.display(), &e))?;
    Ok(ToolCall {
        tool: if format == Format::Plain { Tool::Psql } else { Tool::Restore },
        args,
        database: database.to_owned(),
        stdin: (!by_path).then(|| dump.clone()),
        folder: by_path.then_some(dump),
        stdout: None,
        limit: LONG,
        moved: Arc::new(Moved::default()),
    })
}

/// Fills the empty database `name` from the dump: in one transaction, or, where the tool can read
/// the dump at several places, by several sessions. Only the record of the effect, which comes
/// later, makes it a whole copy.
pub(super) async fn fill(
    (tools, clock): (&dyn PgTools, &Clock),
    dump: &Path,
    format: Format,
    name: &str,
    told: Told<'_>,
) -> Result<(), Error> {
    let by_path = match format {
        Format::Plain => false,
        Format::Custom => tools.opens_paths(),
        Format::Folder => true,
    };
    let args: &[&str] = match format {
        Format::Plain => &[
            "--no-psqlrc",
            "--quiet",
            "--no-password",
            "--set=ON_ERROR_STOP=1",
            "--single-transaction",
            "--file=-",
        ],
        Format::Custom | Format::Folder if by_path => &["--no-password", "--exit-on-error"],
        Format::Custom | Format::Folder => {
            &["--no-password", "--exit-on-error", "--single-transaction"]
        }
    };
    let mut args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    if format != Format::Plain {
        args.push(format!("--dbname={name}"));
    }
    if by_path {
        args.push(format!("--jobs={}", sessions()));
    }
    let call = call(dump, (format, by_path), name, args)?;
    let all = std::fs::metadata(dump).map_or(0, |found| found.len());
    let moved = Arc::clone(&call.moved);
    let tell = || told(moved.read.load(Ordering::Relaxed).min(all), all);
    let ended = telling(clock, tools.run(call), tell).await?;
    fine("restore", &dump.display().to_string(), &ended)?;
    told(all, all);
    Ok(())
}

/// Makes the empty database `name`, like `like` where that is there. `connection` is to another
/// database of the server.
pub(super) async fn create(
    connection: &mut PgConnection,
    name: &str,
    like: &str,
) -> Result<(), Error> {
    let sql = |e: sqlx::Error| translate("make", name, &e);
    let kindred: Option<Kindred> = sqlx::query_as(
        "SELECT r.rolname::text, pg_encoding_to_char(d.encoding)::text, \
         d.datcollate::text, d.datctype::text, \
         coalesce(to_jsonb(d)->>'datlocprovider', 'c'), \
         coalesce(to_jsonb(d)->>'daticulocale', to_jsonb(d)->>'datlocale'), \
         t.spcname::text FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba \
         JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = $1",
    )
    .bind(like)
    .fetch_optional(&mut *connection)
    .await
    .map_err(sql)?;
    let mut create = format!("CREATE DATABASE {} TEMPLATE template0", identifier(name));
    if let Some((owner, encoding, collate, ctype, provider, icu, space)) = &kindred {
        let more = [
            format!(" OWNER {}", identifier(owner)),
            format!(" ENCODING {}", literal(encoding)),
            format!(" LC_COLLATE {}", literal(collate)),
            format!(" LC_CTYPE {}", literal(ctype)),
        ];
        create.push_str(&more.concat());
        // Not everybody may name the usual one.
        if space != "pg_default" {
            create.extend([" TABLESPACE ", &identifier(space)]);
        }
        if let (Some(locale), "i") = (icu, provider.as_str()) {
            let icu = format!(" LOCALE_PROVIDER icu ICU_LOCALE {}", literal(locale));
            create.push_str(&icu);
        }
    }
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut *connection).await.map_err(sql)?;
    let comment = format!("COMMENT ON DATABASE {} IS {}", identifier(name), literal(MARK));
    sqlx::raw_sql(AssertSqlSafe(comment)).execute(&mut *connection).await.map_err(sql)?;
    if kindred.is_some() {
        settings(connection, name, like).await.map_err(sql)?;
        rights(connection, name, like).await.map_err(sql)?;
    }
    Ok(())
}

/// `ALTER DATABASE … SET`, for everybody and for roles: no dump of one database holds it.
async fn settings(
    connection: &mut PgConnection,
    name: &str,
    like: &str,
) -> Result<(), sqlx::Error> {
    let all: Vec<(Option<String>, String)> = sqlx::query_as(
        "SELECT r.rolname::text, unnest(s.setconfig) FROM pg_db_role_setting s \
         JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole \
         WHERE d.datname = $1 AND (s.setrole = 0 OR r.oid IS NOT NULL)",
    )
    .bind(like)
    .fetch_all(&mut *connection)
    .await?;
    for (role, setting) in all {
        let Some((key, value)) = setting.split_once('=') else { continue };
        if role.is_none() && key == read_only::SETTING {
            // Writers are held away from the live one meanwhile; the copy has none.
            continue;
        }
        let key_name = key.split('.').map(identifier).collect::<Vec<_>>().join(".");
        let whom = match &role {
            Some(role) => format!("ROLE {} IN DATABASE {}", identifier(role), identifier(name)),
            None => format!("DATABASE {}", identifier(name)),
        };
        // As this session has it, for a list must not be quoted as one text.
        let set = format!(
            "BEGIN; SELECT set_config({}, {}, true); ALTER {whom} SET {key_name} FROM CURRENT; COMMIT",
            literal(key),
            literal(value)
        );
        let done = sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut *connection).await;
        if done.is_err() && role.is_some() {
            // What another role likes for itself is no reason not to restore.
            sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await?;
        } else {
            done?;
        }
    }
    Ok(())
}

/// Who may come to it.
async fn rights(connection: &mut PgConnection, name: &str, like: &str) -> Result<(), sqlx::Error> {
    let granted: Option<Vec<(Option<String>, String, bool)>> = {
        let written: Option<bool> =
            sqlx::query_scalar("SELECT datacl IS NOT NULL FROM pg_database WHERE datname = $1")
                .bind(like)
                .fetch_optional(&mut *connection)
                .await?;
        if written == Some(true) {
            let all = sqlx::query_as(
                "SELECT r.rolname::text, a.privilege_type, a.is_grantable FROM pg_database d, \
                 aclexplode(d.datacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee \
                 WHERE d.datname = $1 AND (a.grantee = 0 OR r.oid IS NOT NULL)",
            );
            Some(all.bind(like).fetch_all(&mut *connection).await?)
        } else {
            None
        }
    };
    let Some(granted) = granted else { return Ok(()) };
    let database = identifier(name);
    let mut all = vec![format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC")];
    for (role, right, pass) in granted {
        let whom = role.map_or_else(|| "PUBLIC".to_owned(), |role| identifier(&role));
        let pass = if pass { " WITH GRANT OPTION" } else { "" };
        all.push(format!("GRANT {right} ON DATABASE {database} TO {whom}{pass}"));
    }
    sqlx::raw_sql(AssertSqlSafe(all.join("; "))).execute(connection).await.map(drop)
}
