//! What the tests of the stack are played on: a folder, stand-ins for the apps, a proxy in this
//! process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::Value;
use tokio::sync::watch;

use crate::clock::Clock;

use super::disk::{write, write_json};
use super::fetch::fetch;
use super::http::{answer, listen, serve};
use super::layout::{Color, DemoFile, Layout, Ports, VERSION};
use super::proxy::Proxy;
use super::{files, proxy_control};

/// No test waits longer for anything.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

/// A stack's folder without processes.
pub(super) struct Stage {
    pub(super) dir: tempfile::TempDir,
    pub(super) layout: Layout,
    pub(super) clock: Clock,
}

impl Stage {
    /// Only what the proxy and the traffic write to.
    pub(super) fn bare() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        for name in
            ["ledger.log", "proxy.log", "traffic.log", "written.jsonl", "deploys.jsonl", "proxy/x"]
        {
            write(&layout.at(name), b"").unwrap();
        }
        Self { dir, layout, clock: Clock::real() }
    }

    /// Everything that `up` writes, with ports that are taken when a process starts.
    pub(super) async fn full() -> Self {
        let stage = Self::bare();
        files::write_all(&stage.layout, None, &stage.clock).await.unwrap();
        let ports = Ports { public: 0, control: 0, blue: 0, green: 0 };
        let demo = DemoFile { layout: VERSION, complete: true, ports, processes: Vec::new() };
        write_json(&stage.layout.at("demo.json"), &demo).unwrap();
        stage
    }

    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.layout.at(name)).unwrap()
    }

    pub(super) async fn get(&self, at: SocketAddr, path: &str) -> (u16, String) {
        let (status, body) =
            fetch(at, Method::GET, path, String::new(), LIMIT, &self.clock).await.unwrap();
        (status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
    }

    pub(super) async fn post(&self, at: SocketAddr, path: &str, text: &str) -> (u16, Value) {
        let (status, body) =
            fetch(at, Method::POST, path, text.to_owned(), LIMIT, &self.clock).await.unwrap();
        (status.as_u16(), serde_json::from_slice(&body).unwrap())
    }
}

/// Waits until `condition` holds.
pub(super) async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let clock = Clock::real();
    let waiting = async {
        while !condition().await {
            clock.sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(clock.timeout(LIMIT, waiting).await.is_ok(), "never came: {what}");
}

/// A stand-in for an app: answers its word while its gate is open.
pub(super) struct StandIn {
    pub(super) at: SocketAddr,
    pub(super) gate: watch::Sender<bool>,
    pub(super) waiting: watch::Receiver<u64>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) task: tokio::task::JoinHandle<()>,
}

impl StandIn {
    pub(super) async fn new(word: &'static str, port: u16) -> Self {
        let (listener, at) = listen(port).await.unwrap();
        let (stop, stopped) = watch::channel(false);
        let (gate, open) = watch::channel(true);
        let (count, waiting) = watch::channel(0);
        let count = Arc::new(count);
        let answerer = move |_| {
            let (mut open, count) = (open.clone(), count.clone());
            async move {
                count.send_modify(|count| *count += 1);
                open.wait_for(|open| *open).await.ok();
                // So that several are always in flight.
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                answer(StatusCode::OK, "text/plain", word)
            }
        };
        let task = tokio::spawn(async move {
            serve(listener, stopped, LIMIT, &Clock::real(), answerer).await;
        });
        Self { at, gate, waiting, stop, task }
    }

    pub(super) async fn end(self) {
        self.gate.send_replace(true);
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }
}

/// A proxy in this process, and where it answers.
pub(super) struct Running {
    pub(super) public: SocketAddr,
    pub(super) control: SocketAddr,
    _stop: watch::Sender<bool>,
}

pub(super) async fn run_proxy(stage: &Stage, blue: SocketAddr, green: SocketAddr) -> Running {
    let (public, control) = (listen(0).await.unwrap(), listen(0).await.unwrap());
    let ports = Ports {
        public: public.1.port(),
        control: control.1.port(),
        blue: blue.port(),
        green: green.port(),
    };
    let proxy = Arc::new(Proxy::new(&stage.layout, ports, &stage.clock));
    let (stop, stopped) = watch::channel(false);
    let told = stopped.clone();
    let forwarding = proxy.clone();
    tokio::spawn(async move {
        serve(public.0, stopped, LIMIT, &Clock::real(), move |request| {
            forwarding.clone().forward(request)
        })
        .await;
    });
    tokio::spawn(async move {
        serve(control.0, told, LIMIT, &Clock::real(), move |request| {
            proxy_control::answer(proxy.clone(), request)
        })
        .await;
    });
    Running { public: public.1, control: control.1, _stop: stop }
}

pub(super) fn other(color: Color) -> Color {
    match color {
        Color::Blue => Color::Green,
        Color::Green => Color::Blue,
    }
}
