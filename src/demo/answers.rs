//! What the app answers: health, status, metrics and rows of the database (S-81).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde_json::json;
use tokio::sync::watch;

use crate::adapters::Error;
use crate::clock::Clock;
use crate::model::ids::Digest;

use super::app_log::{AppLog, Level};
use super::damage;
use super::database;
use super::disk::read_json;
use super::fault::{Fault, Picker, Share};
use super::files::database_of;
use super::http::{Answer, answer, gather, json, refusal};
use super::layout::{Color, Layout, Release};
use super::writes::{self, Order, Table};

/// How long one look at the database may take.
const DATABASE_LIMIT: Duration = Duration::from_secs(2);
/// The largest order to save something, in bytes.
const ORDER_LIMIT: usize = 64 * 1024;

/// One version of the service.
#[derive(Debug)]
pub struct App {
    layout: Layout,
    release: Release,
    /// Seven characters over the settings that it began with.
    config: Option<String>,
    clock: Clock,
    since: Instant,
    log: AppLog,
    faults: watch::Receiver<Option<Fault>>,
    /// One for each table: a pattern over all of them would always meet the same one.
    pickers: Mutex<HashMap<&'static str, Picker>>,
    /// One write at a time.
    saving: tokio::sync::Mutex<()>,
    good: AtomicU64,
    failed: AtomicU64,
    micros: AtomicU64,
}

impl App {
    /// The version that lies in the folder of `color`.
    pub fn new(
        layout: &Layout,
        color: Color,
        faults: watch::Receiver<Option<Fault>>,
        clock: &Clock,
    ) -> Result<Self, Error> {
        Ok(Self {
            layout: layout.clone(),
            release: read_json(&layout.of(color, "release.json"))?,
            config: std::fs::read(layout.of(color, "app.yaml"))
                .ok()
                .map(|bytes| Digest::of(&bytes).short()),
            clock: clock.clone(),
            since: Instant::now(),
            log: AppLog::open(&layout.of(color, "app.log"))?,
            faults,
            pickers: Mutex::default(),
            saving: tokio::sync::Mutex::default(),
            good: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            micros: AtomicU64::new(0),
        })
    }

    /// Its version.
    pub fn version(&self) -> &str {
        &self.release.version
    }

    /// Writes to its log.
    pub fn log(&self, level: Level, request_id: &str, message: &str) {
        self.log.write(self.clock.now(), level, request_id, message);
    }

    /// Answers one request, as well as its fault lets it.
    pub async fn answer(&self, request: Request<Incoming>) -> Answer {
        let began = Instant::now();
        let fault = *self.faults.borrow();
        match fault {
            Some(Fault::Latency(by)) => self.clock.sleep(by).await,
            Some(Fault::Hang) => self.hang().await,
            Some(
                Fault::Crash
                | Fault::Errors(_)
                | Fault::DbDown
                | Fault::BadConfig
                | Fault::Leak
                | Fault::TableDropped
                | Fault::Corruption
                | Fault::BadMigration(_)
                | Fault::DestructiveUp,
            )
            | None => {}
        }
        let id = request_id(&request);
        let (request, body) = request.into_parts();
        let path = request.uri.path();
        let mut answer = match (&request.method, Table::of_path(path)) {
            (&Method::GET | &Method::HEAD, _) => self.route(path, &id, fault).await,
            (&Method::POST, Some(table)) => self.save(table, body, &id).await,
            _ => refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET is answered, and POST of sessions and documents",
            ),
        };
        let took = began.elapsed();
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        let status = answer.status();
        let count = if status.is_server_error() { &self.failed } else { &self.good };
        count.fetch_add(1, Ordering::Relaxed);
        let level = if status.is_server_error() { Level::Warn } else { Level::Info };
        let ms = took.as_secs_f64() * 1000.0;
        let message = format!("{} {path} {} {ms:.1} ms", request.method, status.as_u16());
        self.log(level, &id, &message);
        if let Ok(id) = id.parse() {
            answer.headers_mut().insert("x-request-id", id);
        }
        answer
    }

    async fn route(&self, path: &str, id: &str, fault: Option<Fault>) -> Answer {
        match path {
            "/health" => self.health().await,
            "/status" => self.status(fault).await,
            "/metrics" => self.metrics(),
            "/api/v1/users" => self.rows("users", id, fault).await,
            "/api/v1/documents" => self.rows("documents", id, fault).await,
            "/api/v1/sessions" => self.rows("sessions", id, fault).await,
            _ => refusal(StatusCode::NOT_FOUND, "there is nothing at this path"),
        }
    }

    async fn health(&self) -> Answer {
        let (code, word) = match self.schema().await {
            Ok(_) => (StatusCode::OK, "ok"),
            Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "failing"),
        };
        let Release { version, color } = &self.release;
        json(code, &json!({"status": word, "environment": color, "version": version}))
    }

    async fn status(&self, fault: Option<Fault>) -> Answer {
        let schema = self.schema().await;
        let damaged = damage::marked(&self.layout);
        let many_errors = matches!(fault, Some(Fault::Errors(share)) if share >= Share::HALF);
        let Release { version, color } = &self.release;
        json(
            StatusCode::OK,
            &json!({
                "overall_ready": schema.is_ok() && !many_errors && damaged.is_none(),
                "reason": damaged,
                "environment": color,
                "version": version,
                "config": self.config,
                "schema": schema.as_ref().ok(),
                "database": schema.as_ref().map_or_else(String::as_str, |_| "ok"),
                "uptime_seconds": self.since.elapsed().as_secs(),
            }),
        )
    }

    fn metrics(&self) -> Answer {
        let Release { version, color } = &self.release;
        let (good, failed) =
            (self.good.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed));
        let seconds = Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64();
        let uptime = self.since.elapsed().as_secs_f64();
        let text = format!(
            "# TYPE app_info gauge\napp_info{{version=\"{version}\",color=\"{color}\"}} 1\n\
             # TYPE app_uptime_seconds gauge\napp_uptime_seconds {uptime:.3}\n\
             # TYPE http_requests_total counter\n\
             http_requests_total{{code=\"2xx\"}} {good}\nhttp_requests_total{{code=\"5xx\"}} {failed}\n\
             # TYPE http_request_duration_seconds summary\n\
             http_request_duration_seconds_sum {seconds:.6}\n\
             http_request_duration_seconds_count {}\n",
            good + failed
        );
        answer(StatusCode::OK, "text/plain; version=0.0.4", text)
    }

    async fn rows(&self, table: &'static str, id: &str, fault: Option<Fault>) -> Answer {
        if let Some(Fault::Errors(share)) = fault
            && self.picks(table, share)
        {
            let user = self.failed.load(Ordering::Relaxed) % 400 + 1;
            return self.broke(
                id,
                &format!("could not show {table}: preferences of user {user} are not a map"),
                "preferences::parse (src/preferences/parse.rs:88)",
            );
        }
        let path = database_of(&self.layout, self.release.color);
        let reading = database::rows(&path, table, &self.release.version);
        match self.clock.timeout(DATABASE_LIMIT, reading).await {
            Ok(Ok(rows)) => {
                let color = self.release.color;
                let text =
                    format!("{{\"environment\":\"{color}\",\"{table}\":[{}]}}\n", rows.join(","));
                answer(StatusCode::OK, "application/json", text)
            }
            Ok(Err(e)) => self.broke(id, &e, "database::rows (src/database.rs:61)"),
            Err(_) => self.broke(
                id,
                &format!("could not read {table}: the database gave no answer in 2.0 s"),
                "database::rows (src/database.rs:61)",
            ),
        }
    }

    async fn save(&self, table: Table, body: Incoming, id: &str) -> Answer {
        let gathered = gather(body, ORDER_LIMIT).await;
        let read = gathered
            .and_then(|body| serde_json::from_slice::<Order>(&body).map_err(|e| e.to_string()));
        let order = match read {
            Ok(order) => order,
            Err(e) => {
                let why = format!("could not read what to save in {}: {e}", table.word());
                return refusal(StatusCode::BAD_REQUEST, &why);
            }
        };
        let path = database_of(&self.layout, self.release.color);
        let now = self.clock.now();
        let saving = async {
            let _alone = self.saving.lock().await;
            writes::save(&path, &self.release.version, table, &order, now).await
        };
        let place = "database::save (src/database.rs:94)";
        match self.clock.timeout(DATABASE_LIMIT, saving).await {
            Ok(Ok(row)) => {
                let color = self.release.color;
                json(StatusCode::CREATED, &json!({"environment": color, "id": row}))
            }
            Ok(Err(e)) => self.broke(id, &e, place),
            Err(_) => {
                let table = table.word();
                let why =
                    format!("could not save in {table}: the database gave no answer in 2.0 s");
                self.broke(id, &why, place)
            }
        }
    }

    /// Waits for the write in hand and lets no other begin: an app that ends in the middle of one
    /// would leave a journal that readers cannot roll back.
    pub async fn between_writes(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.saving.lock().await
    }

    fn broke(&self, id: &str, why: &str, place: &str) -> Answer {
        let trace = format!(
            "{why}\n    at {place}\n    at users::list (src/users/list.rs:41)\n    \
             at http::route (src/http/route.rs:112)\n    at worker::main (src/worker.rs:58)"
        );
        self.log(Level::Error, id, &trace);
        refusal(StatusCode::INTERNAL_SERVER_ERROR, why)
    }

    async fn schema(&self) -> Result<i64, String> {
        let path = database_of(&self.layout, self.release.color);
        let reading = database::schema(&path);
        match self.clock.timeout(DATABASE_LIMIT, reading).await {
            Ok(read) => read,
            Err(_) => Err("the database gave no answer in 2.0 s".to_owned()),
        }
    }

    fn picks(&self, table: &'static str, share: Share) -> bool {
        let mut pickers = self.pickers.lock().unwrap_or_else(PoisonError::into_inner);
        pickers.entry(table).or_default().picks(share)
    }

    async fn hang(&self) {
        let mut faults = self.faults.clone();
        faults.wait_for(|fault| *fault != Some(Fault::Hang)).await.ok();
    }
}

/// The caller's request id if it is a plain word, else a fresh one.
fn request_id(request: &Request<Incoming>) -> String {
    let given = request.headers().get("x-request-id");
    let plain =
        |id: &&str| id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    match given.and_then(|id| id.to_str().ok()).filter(plain) {
        Some(id) if !id.is_empty() => id.to_owned(),
        Some(_) | None => fresh_id(),
    }
}

/// A random request id of eight digits.
pub fn fresh_id() -> String {
    let random = getrandom::u32().unwrap_or_default();
    format!("{random:08x}")
}
