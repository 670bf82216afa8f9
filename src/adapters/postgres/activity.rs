//! What goes on in a server just now: who is there, who waits for whom, and whether copies of the
//! data keep up (P-54).

use std::time::Duration;

use sqlx::postgres::PgConnection;

use crate::adapters::Error;
use crate::model::activity::{Activity, Archiver, Follows, Replica, Session, Statement, Wait};
use crate::model::ids::Time;

use super::translate;

/// How many sessions are named.
const NAMED: i64 = 20;
/// How many kinds of statements.
const STATEMENTS: i64 = 10;

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

fn time(seconds: Option<i64>) -> Option<Time> {
    Time::from_timestamp(seconds?, 0)
}

/// A session as one row.
const SESSION: &str = "a.pid, format('%s of %s', coalesce(nullif(a.application_name, ''), \
     a.backend_type), coalesce(a.usename, '?')), coalesce(a.state, '?'), \
     coalesce(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.state_change)), 0)\
     ::int8, a.xact_start IS NOT NULL";

type Row = (i32, String, String, i64, bool);

fn session((pid, who, state, open, transaction): Row) -> Session {
    let (who, state) = (who.as_str().into(), state.as_str().into());
    Session { pid, who, state, open: seconds(open), transaction }
}

/// For whom session `pid` waits, in words; nobody when it does not wait.
pub(super) async fn holders(
    connection: &mut PgConnection,
    pid: i32,
) -> Result<Vec<String>, sqlx::Error> {
    let query = format!(
        "SELECT {SESSION} FROM unnest(pg_blocking_pids($1)) b(pid) \
         JOIN pg_stat_activity a ON a.pid = b.pid ORDER BY a.pid"
    );
    let found: Vec<Row> =
        sqlx::query_as(sqlx::AssertSqlSafe(query)).bind(pid).fetch_all(connection).await?;
    let words = |row: Row| {
        let Session { pid, who, state, open, .. } = session(row);
        format!("session {pid} ({who}, {state}, its transaction open for {} s)", open.as_secs())
    };
    Ok(found.into_iter().map(words).collect())
}

/// What goes on in the database of `connection` and its server.
pub(super) async fn read(connection: &mut PgConnection, thing: &str) -> Result<Activity, Error> {
    let looked = async {
        let mut activity = Activity::default();
        let (version, all, limit, follows, behind): (String, i64, i64, bool, Option<i64>) =
            sqlx::query_as(
                "SELECT current_setting('server_version'), \
                 (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), \
                 current_setting('max_connections')::int8, pg_is_in_recovery(), \
                 extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::int8",
            )
            .fetch_one(&mut *connection)
            .await?;
        activity.version = version.as_str().into();
        activity.connections = (all.unsigned_abs(), limit.unsigned_abs());
        activity.follows = follows.then(|| Follows { behind: behind.map(seconds) });
        let states: Vec<(String, i64)> = sqlx::query_as(
            "SELECT coalesce(state, backend_type), count(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid() GROUP BY 1",
        )
        .fetch_all(&mut *connection)
        .await?;
        let state = |(state, count): (String, i64)| (state.as_str().into(), count.unsigned_abs());
        activity.sessions = states.into_iter().map(state).collect();
        activity.waits = waits(connection).await?;
        activity.busy = busy(connection, &activity.blockers()).await?;
        activity.locks = locks(connection).await?;
        activity.replicas = replicas(connection, follows).await?;
        activity.archiver = archiver(connection).await?;
        // The last, for it may be refused: what was seen until then stays.
        activity.statements = statements(connection).await;
        Ok(activity)
    };
    looked.await.map_err(|e: sqlx::Error| translate("look into", thing, &e))
}

/// Those at work or in a transaction; whom others wait for is among them in any case.
async fn busy(
    connection: &mut PgConnection,
    blockers: &[i32],
) -> Result<Vec<Session>, sqlx::Error> {
    let query = format!(
        "SELECT {SESSION} FROM pg_stat_activity a WHERE datname = current_database() \
         AND pid <> pg_backend_pid() AND backend_type = 'client backend' \
         AND (xact_start IS NOT NULL OR state = 'active' OR pid = ANY($2)) \
         ORDER BY pid = ANY($2) DESC, coalesce(a.xact_start, a.state_change) LIMIT $1"
    );
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(query))
        .bind(NAMED)
        .bind(blockers)
        .fetch_all(connection)
        .await?;
    let mut all: Vec<Session> = rows.into_iter().map(session).collect();
    all.sort_by_key(|session| std::cmp::Reverse(session.open));
    Ok(all)
}

/// Locks that are held, by their mode.
async fn locks(
    connection: &mut PgConnection,
) -> Result<std::collections::BTreeMap<crate::text::SafeText, u64>, sqlx::Error> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT l.mode, count(*) FROM pg_locks l WHERE l.granted AND l.pid <> pg_backend_pid() \
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         GROUP BY 1",
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().map(|(mode, count)| (mode.as_str().into(), count.unsigned_abs())).collect())
}

/// What took the most time, where the server counts that in this database; only kinds whose values
/// it leaves out. Nothing where it does not, or where we may not know.
async fn statements(connection: &mut PgConnection) -> Option<Vec<Statement>> {
    let there: Option<(String,)> = sqlx::query_as(
        "SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace \
         WHERE e.extname = 'pg_stat_statements' AND pg_has_role('pg_read_all_stats', 'USAGE')",
    )
    .fetch_optional(&mut *connection)
    .await
    .ok()?;
    let (schema,) = there?;
    let schema = schema.replace('"', "\"\"");
    let query = format!(
        "SELECT calls, (total_exec_time)::int8, left(regexp_replace(query, '\\s+', ' ', 'g'), 200) \
         FROM \"{schema}\".pg_stat_statements \
         WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         AND query ~* '^\\s*(select|insert|update|delete|merge|with)\\M' \
         ORDER BY total_exec_time DESC LIMIT $1"
    );
    let rows: Vec<(i64, i64, String)> = sqlx::query_as(sqlx::AssertSqlSafe(query))
        .bind(STATEMENTS)
        .fetch_all(connection)
        .await
        .ok()?;
    let one = |(calls, millis, text): (i64, i64, String)| Statement {
        calls: calls.unsigned_abs(),
        total: Duration::from_millis(millis.unsigned_abs()),
        text: text.as_str().into(),
    };
    Some(rows.into_iter().map(one).collect())
}

type Waiting = (i32, String, String, i64, bool, String, Vec<i32>);

async fn waits(connection: &mut PgConnection) -> Result<Vec<Wait>, sqlx::Error> {
    let query = format!(
        "SELECT {SESSION}, coalesce((SELECT coalesce(l.relation::regclass::text, l.locktype) \
         FROM pg_locks l WHERE l.pid = a.pid AND NOT l.granted LIMIT 1), a.wait_event, '?'), \
         pg_blocking_pids(a.pid) FROM pg_stat_activity a WHERE datname = current_database() \
         AND wait_event_type = 'Lock' ORDER BY a.xact_start LIMIT $1"
    );
    let all: Vec<Waiting> =
        sqlx::query_as(sqlx::AssertSqlSafe(query)).bind(NAMED).fetch_all(connection).await?;
    let wait = |(pid, who, state, open, transaction, lock, holders): Waiting| Wait {
        session: session((pid, who, state, open, transaction)),
        lock: lock.as_str().into(),
        holders,
    };
    Ok(all.into_iter().map(wait).collect())
}

async fn replicas(
    connection: &mut PgConnection,
    follows: bool,
) -> Result<Vec<Replica>, sqlx::Error> {
    // A server that follows has another name for the end of its log.
    let end = if follows { "pg_last_wal_receive_lsn()" } else { "pg_current_wal_lsn()" };
    let query = format!(
        "SELECT application_name, coalesce(state, '?'), \
         pg_wal_lsn_diff({end}, replay_lsn)::int8, extract(epoch FROM replay_lag)::int8 \
         FROM pg_stat_replication ORDER BY 1"
    );
    let all: Vec<(String, String, Option<i64>, Option<i64>)> =
        sqlx::query_as(sqlx::AssertSqlSafe(query)).fetch_all(connection).await?;
    let replica =
        |(name, state, bytes, behind): (String, String, Option<i64>, Option<i64>)| Replica {
            name: name.as_str().into(),
            state: state.as_str().into(),
            bytes: bytes.map(|bytes| u64::try_from(bytes).unwrap_or_default()),
            behind: behind.map(seconds),
        };
    Ok(all.into_iter().map(replica).collect())
}

async fn archiver(connection: &mut PgConnection) -> Result<Option<Archiver>, sqlx::Error> {
    let found: Option<(i64, i64, Option<i64>, Option<i64>)> = sqlx::query_as(
        "SELECT archived_count, failed_count, extract(epoch FROM last_archived_time)::int8, \
         extract(epoch FROM last_failed_time)::int8 FROM pg_stat_archiver \
         WHERE current_setting('archive_mode') <> 'off'",
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.map(|(archived, failed, last, last_failed)| Archiver {
        archived: archived.unsigned_abs(),
        failed: failed.unsigned_abs(),
        last: time(last),
        last_failed: time(last_failed),
    }))
}
