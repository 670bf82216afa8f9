use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::super::http::{gather, request};
use super::super::layout::Color;
use super::super::pool::Pool;
use super::super::stage::{LIMIT, Running, Stage, StandIn, eventually, other, run_proxy};

mod hold;

struct Scene {
    stage: Stage,
    blue: StandIn,
    green: StandIn,
    proxy: Running,
}

async fn scene() -> Scene {
    let stage = Stage::bare();
    let blue = StandIn::new("blue", 0).await;
    let green = StandIn::new("green", 0).await;
    let proxy = run_proxy(&stage, blue.at, green.at).await;
    Scene { stage, blue, green, proxy }
}

impl Scene {
    async fn switch(&self, to: Color, key: &str) -> serde_json::Value {
        let order = format!(r#"{{"to":"{to}","effect":"{key}"}}"#);
        let (status, state) = self.stage.post(self.proxy.control, "/switch", &order).await;
        assert_eq!(status, 200);
        state
    }

    async fn drain(&self, color: Color, deadline_ms: u64) -> serde_json::Value {
        let order = format!(r#"{{"color":"{color}","deadline_ms":{deadline_ms}}}"#);
        let (status, drained) = self.stage.post(self.proxy.control, "/drain", &order).await;
        assert_eq!(status, 200);
        drained
    }

    async fn state(&self) -> serde_json::Value {
        let (status, state) = self.stage.get(self.proxy.control, "/state").await;
        assert_eq!(status, 200);
        serde_json::from_str(&state).unwrap()
    }

    fn ledger(&self) -> Vec<String> {
        let lines = self.stage.read("ledger.log");
        lines.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }
}

#[tokio::test]
async fn a_hundred_switches_with_draining_under_load_drop_no_request() {
    let scene = Arc::new(scene().await);
    let over = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let (scene, over) = (scene.clone(), over.clone());
        clients.spawn(async move {
            let pool = Pool::new(scene.proxy.public, &scene.stage.clock);
            let mut seen = [0u64; 2];
            while !over.load(Ordering::Relaxed) {
                let asked = request(Method::GET, pool.address(), "/api/v1/users", String::new());
                let answer = pool.ask(asked).await.expect("no request is dropped");
                assert_eq!(answer.status(), 200);
                let body = gather(answer.into_body(), 100).await.expect("no answer is cut");
                seen[usize::from(body.as_ref() == b"green")] += 1;
            }
            seen
        });
    }
    let mut active = Color::Blue;
    for turn in 0..100 {
        active = other(active);
        scene.switch(active, &format!("turn.{turn}")).await;
        assert_eq!(
            scene.stage.get(scene.proxy.public, "/").await,
            (200, active.word().to_owned()),
            "what begins after the switch goes to the new colour"
        );
        let drained = scene.drain(other(active), 10_000).await;
        assert_eq!(drained, serde_json::json!({"left": 0, "cut": 0}));
    }
    over.store(true, Ordering::Relaxed);
    let mut seen = [0, 0];
    while let Some(client) = clients.join_next().await {
        let client = client.unwrap();
        seen = [seen[0] + client[0], seen[1] + client[1]];
    }
    assert!(seen[0] > 100 && seen[1] > 100, "both colours were under load: {seen:?}");
    assert_eq!(scene.state().await["failed"], 0);
    assert_eq!(scene.ledger().len(), 100);
}

#[tokio::test]
async fn a_request_in_flight_finishes_on_the_old_colour() {
    let scene = Arc::new(scene().await);
    scene.blue.gate.send_replace(false);
    let asking = tokio::spawn({
        let scene = scene.clone();
        async move { scene.stage.get(scene.proxy.public, "/slow").await }
    });
    scene.blue.waiting.clone().wait_for(|count| *count == 1).await.unwrap();
    scene.switch(Color::Green, "run-1.switch.1").await;
    assert_eq!(scene.stage.get(scene.proxy.public, "/").await.1, "green");
    assert_eq!(scene.state().await["colors"]["blue"]["in_flight"], 1);

    let draining = tokio::spawn({
        let scene = scene.clone();
        async move { scene.drain(Color::Blue, 20_000).await }
    });
    tokio::task::yield_now().await;
    assert!(!draining.is_finished());
    scene.blue.gate.send_replace(true);
    assert_eq!(asking.await.unwrap(), (200, "blue".to_owned()));
    assert_eq!(draining.await.unwrap(), serde_json::json!({"left": 0, "cut": 0}));
}

#[tokio::test]
async fn draining_cuts_what_is_left_at_its_deadline() {
    let scene = Arc::new(scene().await);
    scene.blue.gate.send_replace(false);
    let asking = tokio::spawn({
        let scene = scene.clone();
        async move { scene.stage.get(scene.proxy.public, "/hangs").await }
    });
    scene.blue.waiting.clone().wait_for(|count| *count == 1).await.unwrap();
    scene.switch(Color::Green, "k").await;
    assert_eq!(scene.drain(Color::Blue, 30).await, serde_json::json!({"left": 0, "cut": 1}));
    assert_eq!(asking.await.unwrap().0, 502);
    assert_eq!(scene.state().await["colors"]["blue"]["in_flight"], 0);
    assert!(scene.stage.read("proxy.log").contains("blue GET /hangs 502 reset"));
}

#[tokio::test]
async fn a_repeated_order_changes_nothing_and_leaves_no_line() {
    let scene = scene().await;
    assert_eq!(scene.state().await["effect"], serde_json::Value::Null);
    scene.switch(Color::Green, "a").await;
    assert_eq!(scene.switch(Color::Green, "a").await["repeated"], true);
    assert_eq!(scene.switch(Color::Green, "b").await["repeated"], true);
    assert_eq!(scene.switch(Color::Blue, "c").await["repeated"], false);
    let late = scene.switch(Color::Green, "a").await;
    assert_eq!((&late["active"], &late["effect"]), (&"blue".into(), &"c".into()));
    assert_eq!(scene.ledger(), ["switch blue->green a", "switch green->blue c"]);
}

#[tokio::test]
async fn a_restarted_proxy_knows_its_colour_and_its_keys() {
    let scene = scene().await;
    scene.switch(Color::Green, "a").await;
    scene.switch(Color::Blue, "b").await;
    scene.switch(Color::Green, "c").await;
    let again = run_proxy(&scene.stage, scene.blue.at, scene.green.at).await;
    assert_eq!(scene.stage.get(again.public, "/").await.1, "green");
    let order = r#"{"to":"blue","effect":"b"}"#;
    let (_, state) = scene.stage.post(again.control, "/switch", order).await;
    assert_eq!((&state["active"], &state["effect"]), (&"green".into(), &"c".into()));
    assert_eq!(scene.ledger().len(), 3);
}

#[tokio::test]
async fn an_app_that_is_gone_is_a_502_and_one_that_came_back_is_used_again() {
    let scene = scene().await;
    let (stage, public) = (&scene.stage, scene.proxy.public);
    assert_eq!(stage.get(public, "/").await.0, 200);
    let port = scene.blue.at.port();
    scene.blue.end().await;
    assert_eq!(stage.get(public, "/gone").await.0, 502);
    assert!(stage.read("proxy.log").contains("blue GET /gone 502 refused"));
    let _back = StandIn::new("blue", port).await;
    assert_eq!(stage.get(public, "/").await, (200, "blue".to_owned()));
}

#[tokio::test]
async fn a_kept_connection_that_the_app_closed_loses_no_request() {
    let scene = scene().await;
    let (stage, public) = (&scene.stage, scene.proxy.public);
    let mut blue = scene.blue;
    for _ in 0..20 {
        assert_eq!(stage.get(public, "/").await, (200, "blue".to_owned()));
        let port = blue.at.port();
        blue.end().await;
        blue = StandIn::new("blue", port).await;
    }
    assert_eq!(stage.get(public, "/").await, (200, "blue".to_owned()));
}

#[tokio::test]
async fn orders_that_cannot_be_read_are_refused_and_change_nothing() {
    let scene = scene().await;
    let before = scene.state().await;
    let control = scene.proxy.control;
    for (path, order, expected) in [
        ("/switch", r#"{"to":"red","effect":"k"}"#, 400),
        ("/switch", "{", 400),
        ("/switch", "", 400),
        ("/switch", "\u{0}", 400),
        ("/drain", r#"{"color":"green"}"#, 400),
        ("/drain", r#"{"color":"green","deadline_ms":-1}"#, 400),
        ("/drain", r#"{"color":"blue","deadline_ms":1}"#, 409),
        ("/state", "{}", 405),
        ("/nothing", "{}", 404),
    ] {
        let (status, answer) = scene.stage.post(control, path, order).await;
        assert_eq!(status, expected, "{path} {order}");
        assert!(answer["error"].is_string(), "{path} {order}: {answer}");
    }
    let long = format!(r#"{{"to":"green","effect":"{}"}}"#, "k".repeat(70_000));
    assert_eq!(scene.stage.post(control, "/switch", &long).await.0, 400);
    assert_eq!(scene.state().await, before);
    assert!(scene.ledger().is_empty());
}

#[tokio::test]
async fn what_is_no_http_is_answered_or_closed_and_the_next_request_works() {
    let scene = scene().await;
    let raw: [&[u8]; 6] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: nine\r\n\r\n",
    ];
    for port in [scene.proxy.public, scene.proxy.control] {
        for bytes in raw {
            let mut stream = TcpStream::connect(port).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = Vec::new();
            let reading = stream.read_to_end(&mut answer);
            scene.stage.clock.timeout(LIMIT, reading).await.unwrap().ok();
            assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", bytes.escape_ascii());
        }
    }
    assert_eq!(scene.stage.get(scene.proxy.public, "/").await, (200, "blue".to_owned()));
    eventually("nothing is left in flight", || async {
        scene.state().await["colors"]["blue"]["in_flight"] == 0
    })
    .await;
}
