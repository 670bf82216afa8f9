//! The clients of the stack: 50 requests a second, whatever the answers are. Every tenth saves
//! something; what they were told is saved stands in `written.jsonl`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::adapters::Error;
use crate::clock::Clock;

use super::children;
use super::disk::{append, read_json, stamp, write_json};
use super::http::{gather, request};
use super::layout::Layout;
use super::pool::Pool;
use super::writes::{Order, Table, Written};

/// One request each.
const EVERY: Duration = Duration::from_millis(20);
/// How many requests may be without an answer; more are skipped and counted. So few that those who
/// ask between them are answered in seconds on a machine that is many times too slow for all.
const OUTSTANDING: usize = 40;
/// How long a client waits.
const LIMIT: Duration = Duration::from_secs(10);
/// From when on an answer counts as slow.
const SLOW: Duration = Duration::from_secs(2);
/// How often the counts are written.
const WRITE_EVERY: Duration = Duration::from_millis(200);
/// The largest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// Every how manyth request saves something.
const SAVE_EVERY: u64 = 10;

const PATHS: [&str; 4] = ["/api/v1/users", "/api/v1/documents", "/api/v1/sessions", "/health"];

/// `D/traffic.json`, written every 200 ms: what the clients saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Answered or given up.
    pub requests: u64,
    /// Of these, not 2xx.
    pub failed: u64,
    /// Of these, slower than 2 s.
    pub slow: u64,
    /// Not sent because 40 were without an answer.
    pub skipped: u64,
    /// When the newest failed one began, RFC 3339.
    pub last_failed_at: Option<String>,
}

/// The clients of one stack.
#[derive(Debug)]
pub struct Traffic {
    layout: Layout,
    clock: Clock,
    pool: Pool,
    counts: Mutex<Counts>,
    next: AtomicU64,
}

impl Traffic {
    /// Clients that ask at `address`, and go on counting where the last ones ended.
    pub fn new(layout: &Layout, address: SocketAddr, clock: &Clock) -> Self {
        Self {
            layout: layout.clone(),
            clock: clock.clone(),
            pool: Pool::new(address, clock),
            counts: Mutex::new(read_json(&layout.at("traffic.json")).unwrap_or_default()),
            next: AtomicU64::new(0),
        }
    }

    /// What was seen so far.
    pub fn counts(&self) -> Counts {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.clone()
    }

    /// Sends one request and counts what became of it.
    pub async fn send(&self) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let (at, began) = (self.clock.now(), Instant::now());
        let saving = saving(turn);
        let path = saving.map_or_else(|| path(turn), Table::path);
        let order = saving.map(|table| (table, Order::of_turn(table, turn, at)));
        let address = self.pool.address();
        let asking = async {
            let request = match &order {
                Some((_, order)) => {
                    let text = serde_json::to_string(order).unwrap_or_default();
                    request(Method::POST, address, path, text)
                }
                None => request(Method::GET, address, path, String::new()),
            };
            match self.pool.ask(request).await {
                Ok(response) => {
                    let status = response.status();
                    match gather(response.into_body(), ANSWER_LIMIT).await {
                        Ok(body) => {
                            if let Some((table, order)) = &order
                                && status == StatusCode::CREATED
                            {
                                self.note(*table, order, &body, stamp(at));
                            }
                            (status.is_success(), status.as_str().to_owned())
                        }
                        Err(_) => (false, "reset".to_owned()),
                    }
                }
                Err(broken) => (false, broken.word().to_owned()),
            }
        };
        let (good, word) = match self.clock.timeout(LIMIT, asking).await {
            Ok(seen) => seen,
            Err(_) => (false, "timeout".to_owned()),
        };
        let took = began.elapsed();
        let at = stamp(at);
        if !good || took > SLOW {
            let line = format!("{at} {word} {} {path}\n", took.as_millis());
            append(&self.layout.at("traffic.log"), &line).ok();
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.requests += 1;
        counts.slow += u64::from(took > SLOW);
        if !good {
            counts.failed += 1;
            if counts.last_failed_at.as_ref() < Some(&at) {
                counts.last_failed_at = Some(at);
            }
        }
    }

    /// Notes a row that the app said is saved.
    fn note(&self, table: Table, order: &Order, body: &[u8], at: String) {
        let answer: Option<serde_json::Value> = serde_json::from_slice(body).ok();
        let id = answer.and_then(|answer| answer.get("id")?.as_i64());
        let written = id.map(|id| Written { at, table, id, digest: order.digest(table, id) });
        if let Some(line) = written.and_then(|line| serde_json::to_string(&line).ok()) {
            append(&self.layout.at("written.jsonl"), &format!("{line}\n")).ok();
        }
    }

    /// Sends 50 requests a second until it is dropped.
    pub async fn flow(self: Arc<Self>) {
        let mut outstanding = JoinSet::new();
        let mut due = Instant::now();
        let mut written = Instant::now();
        loop {
            let now = Instant::now();
            // After a pause of the whole machine the missed ones are not sent in a burst.
            due = due.max(now.checked_sub(WRITE_EVERY).unwrap_or(due));
            while due <= now {
                due += EVERY;
                if outstanding.len() < OUTSTANDING {
                    let clients = self.clone();
                    outstanding.spawn(async move { clients.send().await });
                } else {
                    let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
                    counts.skipped += 1;
                }
            }
            while outstanding.try_join_next().is_some() {}
            if written.elapsed() >= WRITE_EVERY && self.layout.exists() {
                written = now;
                write_json(&self.layout.at("traffic.json"), &self.counts()).ok();
            }
            let wait = due.saturating_duration_since(Instant::now());
            self.clock.sleep(wait).await;
        }
    }
}

/// Which table the `turn`th request writes to, when it does.
fn saving(turn: u64) -> Option<Table> {
    if turn % SAVE_EVERY != SAVE_EVERY - 1 {
        return None;
    }
    Some(if (turn / SAVE_EVERY).is_multiple_of(2) { Table::Sessions } else { Table::Documents })
}

/// What the `turn`th request reads.
fn path(turn: u64) -> &'static str {
    let turn = usize::try_from(turn % PATHS.len() as u64);
    turn.ok().and_then(|turn| PATHS.get(turn)).copied().unwrap_or("/health")
}

/// Runs the traffic until `told` ends, and returns the exit code.
pub async fn run(
    layout: &Layout,
    command: Vec<String>,
    told: impl Future<Output = ()>,
    clock: &Clock,
) -> Result<u8, Error> {
    let public = layout.demo()?.ports.public;
    let traffic = Arc::new(Traffic::new(layout, SocketAddr::from(([127, 0, 0, 1], public)), clock));
    children::announce(layout, "traffic", None, command)?;
    tokio::select! {
        () = told => {}
        () = traffic.clone().flow() => {}
    }
    if layout.exists() {
        write_json(&layout.at("traffic.json"), &traffic.counts())?;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::super::stage::{Stage, StandIn};
    use super::*;

    #[tokio::test]
    async fn the_clients_ask_every_path_in_turn_and_note_what_failed() {
        let stage = Stage::bare();
        let app = StandIn::new("ok", 0).await;
        let traffic = Traffic::new(&stage.layout, app.at, &stage.clock);
        for _ in 0..4 {
            traffic.send().await;
        }
        let good = Counts { requests: 4, ..Counts::default() };
        assert_eq!(traffic.counts(), good);
        assert_eq!(stage.read("traffic.log"), "");
        app.end().await;
        for _ in 0..4 {
            traffic.send().await;
        }
        let counts = traffic.counts();
        assert_eq!((counts.requests, counts.failed, counts.slow), (8, 4, 0));
        let log = stage.read("traffic.log");
        let lines: Vec<Vec<&str>> = log.lines().map(|line| line.split(' ').collect()).collect();
        assert_eq!(lines.len(), 4, "{log}");
        for (line, path) in lines.iter().zip(PATHS) {
            assert!(chrono::DateTime::parse_from_rfc3339(line[0]).is_ok(), "{line:?}");
            assert_eq!((line[1], line[3]), ("refused", path));
            line[2].parse::<u32>().unwrap();
        }
        assert_eq!(counts.last_failed_at.as_deref(), Some(lines[3][0]));
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_a_reset() {
        let stage = Stage::bare();
        let (listener, at) = super::super::http::listen(0).await.unwrap();
        let traffic = Traffic::new(&stage.layout, at, &stage.clock);
        let breaking = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let half = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
            tokio::io::AsyncWriteExt::write_all(&mut stream, half).await.unwrap();
        };
        tokio::join!(breaking, traffic.send());
        assert_eq!(traffic.counts().failed, 1);
        assert!(stage.read("traffic.log").contains(" reset "));
    }
}
