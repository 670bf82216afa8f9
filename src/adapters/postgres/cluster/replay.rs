//! A server that replays its logs: how far it is, and whether it came to its target.

use crate::adapters::{Error, Kind};
use crate::model::ids::Time;
use crate::model::until::{Lsn, Until, stamp};

use super::place::Reached;
use super::{EVERY, PostgresCluster};

/// How long nothing may happen before a replay is given up.
const SILENCE: chrono::Duration = chrono::Duration::minutes(10);

/// A server that replays, as it was last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Whether it still replays.
    pub(super) replays: bool,
    /// Whether it waits at its target.
    pub(super) paused: bool,
    /// How far it is.
    pub(super) lsn: Option<Lsn>,
    /// When the last transaction that it replayed was committed.
    pub(super) at: Option<Time>,
}

impl PostgresCluster {
    /// Waits until it has replayed up to its target, or ended.
    pub(super) async fn replayed(
        &self,
        id: &str,
        until: &Until,
        tell: &(dyn Fn(Lsn) + Send + Sync),
    ) -> Result<Seen, Error> {
        let (mut last, mut since) = (Seen::default(), self.clock.now());
        loop {
            if !self.server(id).await?.running {
                let message = format!(
                    "could not recover {}: the server ended: {}",
                    until.words(None),
                    self.last_words(id).await
                );
                return Err(Error::new(Kind::Rejected, message));
            }
            if let Ok(seen) = self.seen(id).await {
                tell(seen.lsn.unwrap_or_default());
                if seen.paused || !seen.replays {
                    return Ok(seen);
                }
                if seen != last {
                    (last, since) = (seen, self.clock.now());
                }
            }
            if self.clock.now() - since > SILENCE {
                let message = format!(
                    "could not recover {}: nothing was replayed in {} minutes; {}",
                    until.words(None),
                    SILENCE.num_minutes(),
                    self.last_words(id).await
                );
                return Err(Error::new(Kind::TimedOut, message));
            }
            self.clock.sleep(EVERY).await;
        }
    }

    /// Whether a transaction that was under way at the target keeps tables closed: a server that
    /// waits there cannot end it.
    pub(super) async fn is_locked(&self, container: &str) -> Result<bool, Error> {
        let sql = "SELECT pg_is_in_recovery() AND EXISTS (SELECT FROM pg_locks WHERE granted AND \
                   locktype = 'relation' AND mode = 'AccessExclusiveLock')";
        Ok(self.ask(container, sql).await? == "t")
    }

    /// How far a server is with its replay.
    pub(super) async fn seen(&self, container: &str) -> Result<Seen, Error> {
        let sql = "SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() THEN \
                   pg_is_wal_replay_paused() ELSE false END, \
                   coalesce(pg_last_wal_replay_lsn()::text, ''), \
                   coalesce(to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', \
                   'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), '')";
        let rows = self.psql(container, sql).await?;
        let row = rows.into_iter().next().unwrap_or_default();
        let column = |at: usize| row.get(at).map(String::as_str).unwrap_or_default();
        Ok(Seen {
            replays: column(0) != "f",
            paused: column(1) == "t",
            lsn: column(2).parse().ok(),
            at: column(3).parse().ok(),
        })
    }
}

/// What it reached, held against what was asked for.
pub(super) fn proven(until: &Until, seen: &Seen) -> Result<Reached, Error> {
    let no = |why: String| {
        let message = format!("could not recover {}: {why}", until.words(None));
        Error::new(Kind::Rejected, message)
    };
    let lsn = seen.lsn.ok_or_else(|| no("how far it came cannot be told".to_owned()))?;
    let at = seen.at;
    match until {
        Until::Time(wanted) if at.is_some_and(|at| at > *wanted) => {
            let at = at.map(stamp).unwrap_or_default();
            Err(no(format!("it holds a transaction of {at}")))
        }
        Until::Lsn(wanted) if lsn < *wanted => Err(no(format!("it only came to {lsn}"))),
        Until::Time(_) | Until::Lsn(_) | Until::Name(_) | Until::Xid(_) if !seen.paused => {
            Err(no(format!("it did not stop there but at {lsn}, where the logs end")))
        }
        Until::Time(_) | Until::Lsn(_) | Until::Name(_) | Until::Xid(_) | Until::Latest => {
            Ok(Reached { lsn, at })
        }
    }
}

/// How far it came, for people.
pub(super) fn reached_words(until: &Until, reached: &Reached) -> String {
    let at = reached.at.map_or_else(
        || "no transaction was replayed".to_owned(),
        |at| format!("the last transaction in it is of {}", stamp(at)),
    );
    format!("replayed {}: reached {}, {at}", until.words(None), reached.lsn)
}
