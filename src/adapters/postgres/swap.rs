//! One database under the name of another: both names change in one transaction of the server, so
//! that at every moment one whole database has the live name, and the one before is kept.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use crate::adapters::{Error, Kind};
use crate::clock::Clock;

use super::restore::MARK;
use super::{identifier, literal, translate};

/// How long sessions that were told to end may take.
const END: Duration = Duration::from_secs(10);

/// The three names of a swap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    /// The live one.
    pub(super) live: &'a str,
    /// What comes in its place.
    pub(super) new: &'a str,
    /// What the live one becomes.
    pub(super) kept: &'a str,
}

async fn run(
    connection: &mut PgConnection,
    thing: &str,
    statements: &[String],
) -> Result<(), Error> {
    let done = sqlx::raw_sql(AssertSqlSafe(statements.join("; "))).execute(connection).await;
    done.map(drop).map_err(|e| translate("swap", thing, &e))
}

/// Whether there is a database of this name.
pub(super) async fn exists(connection: &mut PgConnection, name: &str) -> Result<bool, Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(connection)
        .await
        .map_err(|e| translate("look for", name, &e))
}

/// Puts `new` in the place of `live` and keeps what was there as `kept`; says whether anything was
/// there. What a cut-off swap left half-way is gone on with. Taking back is the same with `new` and
/// `kept` the other way round. `connection` is to another database of the server.
pub(super) async fn swap(
    connection: &mut PgConnection,
    clock: &Clock,
    names: Names<'_>,
) -> Result<bool, Error> {
    let Names { live, new, kept } = names;
    let no = |kind, why: String| Err(Error::new(kind, format!("could not swap {live}: {why}")));
    guard(connection, live).await?;
    let limits = "SET lock_timeout = '10s'; SET statement_timeout = '60s'";
    run(connection, live, &[limits.to_owned()]).await?;
    let there = (
        exists(connection, live).await?,
        exists(connection, new).await?,
        exists(connection, kept).await?,
    );
    match there {
        (true, true, false) => {
            let done = exchange(connection, clock, names).await;
            if done.is_err() {
                // Whoever comes after finds what was there, and may come to it.
                let open = [opened(live, true), opened(new, true)];
                run(connection, live, &open).await.ok();
            }
            done.map(|()| true)
        }
        // Cut off between two changes that somebody made one by one.
        (false, true, true) => {
            take_place(connection, clock, names).await?;
            Ok(true)
        }
        // The proof that the swap was made, and what taking it back needs.
        (false, true, false) => {
            let make = format!("CREATE DATABASE {} TEMPLATE template0", identifier(kept));
            run(connection, live, &[make]).await?;
            take_place(connection, clock, names).await?;
            Ok(false)
        }
        // It was made already; or nothing was, and a cut-off one left the live one closed.
        (true, false, true) => {
            run(connection, live, &[opened(live, true), opened(kept, true)]).await?;
            Ok(true)
        }
        (true, true, true) => no(Kind::Rejected, format!("{kept} is there already")),
        (true | false, false, true | false) => no(Kind::NotFound, format!("{new} is gone")),
    }
}

/// One swap of one database at a time.
async fn guard(connection: &mut PgConnection, live: &str) -> Result<(), Error> {
    let free: bool =
        sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended('backout ' || $1, 0))")
            .bind(live)
            .fetch_one(connection)
            .await
            .map_err(|e| translate("swap", live, &e))?;
    if free {
        return Ok(());
    }
    let why = format!("could not swap {live}: another session of ours is at it");
    Err(Error::new(Kind::Held, why))
}

fn opened(name: &str, open: bool) -> String {
    format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {open}", identifier(name))
}

fn renamed(from: &str, to: &str) -> String {
    format!("ALTER DATABASE {} RENAME TO {}", identifier(from), identifier(to))
}

async fn exchange(
    connection: &mut PgConnection,
    clock: &Clock,
    names: Names<'_>,
) -> Result<(), Error> {
    let Names { live, new, kept } = names;
    for name in [new, live] {
        close(connection, clock, name).await?;
    }
    let comment: Option<String> = sqlx::query_scalar(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1",
    )
    .bind(live)
    .fetch_one(&mut *connection)
    .await
    .map_err(|e| translate("swap", live, &e))?;
    // The mark of a copy stays with copies: what is live is never removed by us.
    let comment = comment.map_or_else(|| "NULL".to_owned(), |text| literal(&text));
    let all = [
        "BEGIN".to_owned(),
        renamed(live, kept),
        renamed(new, live),
        format!("COMMENT ON DATABASE {} IS {comment}", identifier(live)),
        opened(live, true),
        opened(kept, true),
        "COMMIT".to_owned(),
    ];
    let done = run(connection, live, &all).await;
    if done.is_err() {
        run(connection, live, &["ROLLBACK".to_owned()]).await.ok();
    }
    done
}

async fn take_place(
    connection: &mut PgConnection,
    clock: &Clock,
    Names { live, new, kept }: Names<'_>,
) -> Result<(), Error> {
    close(connection, clock, new).await?;
    let all = [
        "BEGIN".to_owned(),
        renamed(new, live),
        format!("COMMENT ON DATABASE {} IS NULL", identifier(live)),
        opened(live, true),
        opened(kept, true),
        "COMMIT".to_owned(),
    ];
    let done = run(connection, live, &all).await;
    if done.is_err() {
        run(connection, live, &["ROLLBACK".to_owned(), opened(new, true)]).await.ok();
    }
    done
}

/// Lets nobody come to a database any more, and ends who is there (W-13).
async fn close(connection: &mut PgConnection, clock: &Clock, name: &str) -> Result<(), Error> {
    let sql = |e: sqlx::Error| translate("close", name, &e);
    let prepared: Vec<String> =
        sqlx::query_scalar("SELECT gid FROM pg_prepared_xacts WHERE database = $1")
            .bind(name)
            .fetch_all(&mut *connection)
            .await
            .map_err(sql)?;
    if let Some(first) = prepared.first() {
        let why =
            format!("could not close {name}: transaction {first:?} is prepared in it; end it");
        return Err(Error::new(Kind::Held, why));
    }
    run(connection, name, &[opened(name, false)]).await?;
    let until = clock.ticks() + END;
    loop {
        let left: Vec<i32> = sqlx::query_scalar(
            // The server's own workers have no user, and give way by themselves.
            "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND usesysid IS NOT NULL",
        )
        .bind(name)
        .fetch_all(&mut *connection)
        .await
        .map_err(sql)?;
        let Some(first) = left.first() else { return Ok(()) };
        if clock.ticks() > until {
            let why = format!("could not close {name}: session {first} does not end");
            return Err(Error::new(Kind::Held, why));
        }
        for pid in left {
            sqlx::query("SELECT pg_terminate_backend($1)")
                .bind(pid)
                .execute(&mut *connection)
                .await
                .map_err(|e| {
                    let error = translate("end", &format!("session {pid} of {name}"), &e);
                    let message = format!("{}; end it as a superuser", error.message);
                    Error { message, ..error }
                })?;
        }
        clock.sleep(Duration::from_millis(50)).await;
    }
}

/// Removes the database `name`, where we made it: one that holds tables and does not bear our
/// mark is somebody's. `tables` is how many it holds, where that is known.
pub(super) async fn remove(
    connection: &mut PgConnection,
    name: &str,
    tables: Option<usize>,
) -> Result<(), Error> {
    let sql = |e: sqlx::Error| translate("remove", name, &e);
    let comment: Option<Option<String>> = sqlx::query_scalar(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1",
    )
    .bind(name)
    .fetch_optional(&mut *connection)
    .await
    .map_err(sql)?;
    let Some(comment) = comment else { return Ok(()) };
    let ours = comment.is_some_and(|text| text.starts_with(MARK)) || tables == Some(0);
    if !ours {
        let why = format!("could not remove {name}: it is no copy that was made by backout");
        return Err(Error::new(Kind::Rejected, why));
    }
    let drop_it = format!("DROP DATABASE {} WITH (FORCE)", identifier(name));
    sqlx::raw_sql(AssertSqlSafe(drop_it)).execute(connection).await.map(drop).map_err(sql)
}
