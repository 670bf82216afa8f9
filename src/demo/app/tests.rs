use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::super::database::{script, writing};
use super::super::disk::read_json;
use super::super::layout::{Color, ProcessFile};
use super::super::migrations::PREFERENCES;
use super::super::stage::{Stage, eventually};
use super::super::trouble::{apply, clear, stopped};

struct Running {
    stage: Arc<Stage>,
    at: SocketAddr,
    tell: oneshot::Sender<()>,
    task: JoinHandle<u8>,
}

async fn run(stage: Arc<Stage>, color: Color) -> Running {
    let (tell, told) = oneshot::channel::<()>();
    let running = stage.clone();
    let task = tokio::spawn(async move {
        let told = async { drop(told.await) };
        super::run(&running.layout, color, vec![], told, &running.clock).await.unwrap()
    });
    let path = stage.layout.process(color.word());
    eventually("the app says where it answers", || async { path.exists() }).await;
    let file: ProcessFile = read_json(&path).unwrap();
    Running { stage, at: file.address.unwrap(), tell, task }
}

async fn app(color: Color) -> Running {
    run(Arc::new(Stage::full().await), color).await
}

impl Running {
    async fn json(&self, path: &str) -> (u16, Value) {
        let (status, body) = self.stage.get(self.at, path).await;
        (status, serde_json::from_str(&body).unwrap())
    }

    async fn make(&self, color: Color, fault: &str) {
        apply(&self.stage.layout, color, fault.parse().unwrap()).await.unwrap();
    }

    async fn migrate(&self, up: bool) {
        let mut database = writing(&self.stage.layout.database()).await.unwrap();
        let text = if up { PREFERENCES.up() } else { PREFERENCES.down() };
        script(&mut database, "105", text).await.unwrap();
    }
}

#[tokio::test]
async fn the_app_shows_its_colour_version_schema_and_rows() {
    let app = app(Color::Blue).await;
    assert_eq!(
        app.json("/health").await,
        (200, json!({"status": "ok", "environment": "blue", "version": "v2.4.9"}))
    );
    let (_, status) = app.json("/status").await;
    assert_eq!((&status["overall_ready"], &status["schema"]), (&json!(true), &json!(104)));
    for table in ["users", "documents", "sessions"] {
        let (code, body) = app.json(&format!("/api/v1/{table}")).await;
        assert_eq!((code, body[table].as_array().unwrap().len()), (200, 20), "{table}");
    }
    assert_eq!(app.json("/api/v1/secrets").await.0, 404);
    assert_eq!(app.stage.post(app.at, "/api/v1/users", "{}").await.0, 405);
    assert_eq!(app.stage.post(app.at, "/api/v1/sessions", "{}").await.0, 400);
    let (code, saved) = app.stage.post(app.at, "/api/v1/sessions", r#"{"user": 7}"#).await;
    assert_eq!((code, &saved["id"]), (201, &json!(601)));
    let (_, metrics) = app.stage.get(app.at, "/metrics").await;
    assert!(metrics.contains(r#"app_info{version="v2.4.9",color="blue"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"http_requests_total{code="2xx"} 9"#), "{metrics}");
}

#[tokio::test]
async fn the_old_version_runs_on_the_new_schema_but_the_new_one_not_on_the_old() {
    let green = app(Color::Green).await;
    let blue = run(green.stage.clone(), Color::Blue).await;
    let users = "/api/v1/users";
    assert_eq!((green.json(users).await.0, blue.json(users).await.0), (500, 200));
    green.migrate(true).await;
    let (code, body) = green.json(users).await;
    assert_eq!((code, &body["users"][0]["preferences"]), (200, &json!({})));
    assert_eq!(blue.json(users).await.0, 200);
    green.migrate(false).await;
    assert_eq!((green.json(users).await.0, blue.json(users).await.0), (500, 200));
}

#[tokio::test]
async fn a_share_of_api_requests_fails_exactly_and_health_stays_good() {
    let app = app(Color::Blue).await;
    app.make(Color::Blue, "errors:0.3").await;
    eventually("the first error", || async { app.json("/api/v1/sessions").await.0 == 500 }).await;
    for path in ["/api/v1/users", "/api/v1/documents"] {
        let mut failed = 0;
        for _ in 0..100 {
            failed += u32::from(app.json(path).await.0 == 500);
            assert_eq!(app.json("/health").await.0, 200);
        }
        assert_eq!(failed, 30, "{path}");
    }
    assert_eq!(app.json("/status").await.1["overall_ready"], true);
    app.make(Color::Blue, "errors:0.5").await;
    eventually("half is too much to be ready", || async {
        app.json("/status").await.1["overall_ready"] == false
    })
    .await;
    let log = app.stage.read("blue/app.log");
    let trace = log.split_once(" ERROR request_id=").unwrap().1;
    let lines: Vec<&str> = trace.lines().collect();
    assert!(lines[0].contains("could not show sessions"), "{}", lines[0]);
    assert!(lines[1].starts_with("    at preferences::parse ("), "{}", lines[1]);
}

#[tokio::test]
async fn a_database_that_is_away_is_noticed_and_its_return_too() {
    let app = app(Color::Blue).await;
    app.make(Color::Blue, "db-down").await;
    let (code, health) = app.json("/health").await;
    assert_eq!((code, &health["status"]), (503, &json!("failing")));
    assert_eq!(app.json("/status").await.1["overall_ready"], false);
    assert_eq!(app.json("/api/v1/users").await.0, 500);
    assert!(!app.stage.layout.database().exists(), "nobody makes an empty one");
    clear(&app.stage.layout).unwrap();
    assert_eq!(app.json("/health").await.0, 200);
    assert_eq!(app.json("/api/v1/users").await.0, 200);
}

#[tokio::test]
async fn a_hanging_app_answers_again_when_it_is_healed() {
    let app = app(Color::Blue).await;
    app.make(Color::Blue, "hang").await;
    let limit = std::time::Duration::from_millis(200);
    eventually("it hangs", || async {
        let asking = app.stage.get(app.at, "/health");
        app.stage.clock.timeout(limit, Box::pin(asking)).await.is_err()
    })
    .await;
    let waiting = app.stage.get(app.at, "/health");
    let healing = async { clear(&app.stage.layout).unwrap() };
    let ((code, _), ()) = tokio::join!(waiting, healing);
    assert_eq!(code, 200);
}

#[tokio::test]
async fn latency_delays_every_answer() {
    let app = app(Color::Blue).await;
    app.make(Color::Blue, "latency:120").await;
    for path in ["/health", "/metrics", "/api/v1/users"] {
        eventually("it is slow", || async {
            let began = Instant::now();
            app.stage.get(app.at, path).await;
            began.elapsed().as_millis() >= 120
        })
        .await;
    }
}

#[tokio::test]
async fn a_crash_leaves_a_stack_trace_and_no_stop_in_the_ledger() {
    let app = app(Color::Green).await;
    app.make(Color::Green, "crash").await;
    assert_eq!(app.task.await.unwrap(), super::CRASHED);
    let log = app.stage.read("green/app.log");
    let trace = log.split_once("ERROR request_id=- out of memory").unwrap().1;
    assert!(trace.contains("\n    at worker::main"), "{trace}");
    assert!(!stopped(&app.stage.layout, "green"));
}

#[tokio::test]
async fn an_app_that_is_told_to_stop_takes_no_more_and_says_so_in_the_ledger() {
    let app = app(Color::Green).await;
    app.tell.send(()).unwrap();
    assert_eq!(app.task.await.unwrap(), 0);
    assert!(tokio::net::TcpStream::connect(app.at).await.is_err());
    assert!(stopped(&app.stage.layout, "green"));
    let ledger = app.stage.read("ledger.log");
    let lines: Vec<&str> = ledger.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(lines, ["start green -", "stop green -"]);
    assert!(app.stage.read("green/app.log").ends_with("stopped\n"));
}
