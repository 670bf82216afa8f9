//! The worker of one version: takes jobs from a queue and, as its own cron, puts new ones in. The
//! queue is a database of its own, so that what a rollback protects is not written behind it.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::sqlite::SqliteConnection;

use crate::adapters::Error;
use crate::clock::Clock;

use super::app_log::{AppLog, Level};
use super::children;
use super::database::{failed, script, writing};
use super::disk::read_json;
use super::layout::{Color, Layout, Release};

/// Between two jobs.
const EVERY: Duration = Duration::from_secs(1);
/// After how many turns cron puts a job in.
const CRON: u64 = 3;
/// How long one turn at the queue may take.
const LIMIT: Duration = Duration::from_secs(2);

/// Jobs that are done are forgotten but for the last hundred.
const QUEUE: &str = "
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',
    taken_by TEXT
);
";
const PUT: &str = "INSERT INTO jobs (kind) VALUES ('digest')";
const TAKE: &str = "UPDATE jobs SET state = 'done', taken_by = ? \
    WHERE id = (SELECT min(id) FROM jobs WHERE state = 'waiting') RETURNING id, kind";
const FORGET: &str =
    "DELETE FROM jobs WHERE state = 'done' AND id < (SELECT max(id) - 100 FROM jobs)";

/// What the worker of `color` is called: `green-worker`.
pub fn name(color: Color) -> String {
    format!("{color}-worker")
}

/// Where the jobs wait.
pub fn queue(layout: &Layout) -> PathBuf {
    layout.at("data/queue.db")
}

/// Opens the queue, and makes it where there is none.
async fn open(layout: &Layout) -> Result<SqliteConnection, Error> {
    let mut queue = writing(&queue(layout)).await?;
    script(&mut queue, "the queue", QUEUE.to_owned()).await?;
    Ok(queue)
}

/// Runs the worker of `color` until `told` ends, and returns the exit code.
pub async fn run(
    layout: &Layout,
    color: Color,
    command: Vec<String>,
    told: impl Future<Output = ()>,
    clock: &Clock,
) -> Result<u8, Error> {
    let name = name(color);
    let release: Release = read_json(&layout.of(color, "release.json"))?;
    let log = AppLog::open(&layout.at(&name).join("worker.log"))?;
    let mut queue = open(layout).await?;
    children::announce(layout, &name, None, command)?;
    layout.ledger(clock.now(), &format!("start {name}"), "-")?;
    let say = |level, text: &str| log.write(clock.now(), level, "-", text);
    say(Level::Info, &format!("worker and cron of {} take jobs", release.version));
    let working = async {
        for turn in 0_u64.. {
            let done = clock.timeout(LIMIT, work(layout, &mut queue, &name, turn)).await;
            match done {
                Ok(Ok(Some(job))) => say(Level::Info, &job),
                Ok(Ok(None)) => {}
                Ok(Err(error)) => say(Level::Warn, &error.message),
                Err(_) => say(Level::Warn, "the queue gave no answer in 2 s"),
            }
            clock.sleep(EVERY).await;
        }
    };
    tokio::select! {
        biased;
        () = told => {}
        () = working => {}
    }
    say(Level::Info, "told to stop, no job is open");
    layout.ledger(clock.now(), &format!("stop {name}"), "-")?;
    Ok(0)
}

/// One turn: cron now and then, then one job; what was done.
async fn work(
    layout: &Layout,
    queue: &mut SqliteConnection,
    name: &str,
    turn: u64,
) -> Result<Option<String>, Error> {
    let path = self::queue(layout);
    let no = |e: sqlx::Error| failed("work on", &path, &e);
    if turn.is_multiple_of(CRON) {
        sqlx::query(PUT).execute(&mut *queue).await.map_err(no)?;
    }
    let taken: Option<(i64, String)> =
        sqlx::query_as(TAKE).bind(name).fetch_optional(&mut *queue).await.map_err(no)?;
    sqlx::query(FORGET).execute(&mut *queue).await.map_err(no)?;
    Ok(taken.map(|(id, kind)| format!("job {id} {kind} done")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::oneshot;

    use super::super::stage::{Stage, eventually};
    use super::super::trouble::stopped;
    use super::*;

    #[tokio::test]
    async fn a_worker_takes_jobs_until_it_is_told_to_stop() {
        let stage = Arc::new(Stage::full().await);
        let (tell, told) = oneshot::channel::<()>();
        let running = stage.clone();
        let task = tokio::spawn(async move {
            let told = async { drop(told.await) };
            run(&running.layout, Color::Green, vec![], told, &running.clock).await.unwrap()
        });
        let log = stage.layout.at("green-worker/worker.log");
        let read = || std::fs::read_to_string(&log).unwrap_or_default();
        eventually("a job is done", || async { read().contains("job 1 digest done") }).await;
        assert!(!stopped(&stage.layout, "green-worker"));
        tell.send(()).unwrap();
        assert_eq!(task.await.unwrap(), 0);
        assert!(stopped(&stage.layout, "green-worker"));
        assert!(!stopped(&stage.layout, "green"), "a worker is not its version");
    }
}
