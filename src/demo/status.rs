//! What a stack looks like now.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::failure::{Exit, Failure};

use super::children::living;
use super::damage::{Data, data};
use super::disk::read_json;
use super::fault::Fault;
use super::fault_switch::fault_of;
use super::fetch::fetch;
use super::layout::{Color, Layout, Release};
use super::proxy_control::Kept;
use super::role::failure;
use super::traffic::Counts;

/// How long one process of the stack may take to answer.
pub const ASK_LIMIT: Duration = Duration::from_secs(1);

/// How a colour is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It answers and calls itself ready.
    Up,
    /// Its process does not live.
    Down,
    /// Its process lives, but it does not answer in a second or does not call itself ready.
    Failing,
}

impl Health {
    /// The word on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Failing => "failing",
        }
    }
}

/// One colour of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Which version lies there.
    pub version: String,
    /// How it is.
    pub state: Health,
    /// Its own address.
    pub address: SocketAddr,
    /// What was made wrong with it on purpose.
    pub fault: Option<Fault>,
}

/// A stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Where the traffic goes.
    pub active: Color,
    /// Blue.
    pub blue: Instance,
    /// Green.
    pub green: Instance,
    /// Where clients ask.
    pub public: SocketAddr,
    /// How many requests the traffic sent and heard of.
    pub requests: u64,
    /// How many of them were not 2xx.
    pub failed: u64,
    /// Rows per table; nothing where the database cannot be read.
    pub tables: BTreeMap<String, i64>,
    /// What is wrong with the data, one line each: healing the stack does not bring it back.
    pub damage: Vec<String>,
}

/// Looks at the stack in `dir`.
pub async fn status(dir: &Path, clock: &Clock) -> Result<Status, Failure> {
    let layout = Layout::new(dir);
    let demo = existing(&layout)?;
    let counts: Counts = read_json(&layout.at("traffic.json")).unwrap_or_default();
    let (blue, green, Data { tables, damage }) = tokio::join!(
        instance(&layout, Color::Blue, demo.ports.blue, clock),
        instance(&layout, Color::Green, demo.ports.green, clock),
        data(&layout),
    );
    Ok(Status {
        active: Kept::load(&layout, clock.now()).active,
        blue: blue?,
        green: green?,
        public: loopback(demo.ports.public),
        requests: counts.requests,
        failed: counts.failed,
        tables,
        damage,
    })
}

/// The stack's own file, or why the folder holds no stack.
pub fn existing(layout: &Layout) -> Result<super::layout::DemoFile, Failure> {
    layout.demo().map_err(|e| {
        let dir = layout.dir().display();
        Failure::new(Exit::Unknown, format!("could not find a demo stack in {dir}: {e}"))
            .hint(format!("start one with `backout demo up --dir {dir}`"))
    })
}

/// The loopback address of a port.
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

async fn instance(
    layout: &Layout,
    color: Color,
    port: u16,
    clock: &Clock,
) -> Result<Instance, Failure> {
    let release: Release = read_json(&layout.of(color, "release.json")).map_err(|e| failure(&e))?;
    let fault = fault_of(&layout.of(color, "fault.json"));
    let state = if living(layout, color.word()).is_none() {
        Health::Down
    } else if ready(loopback(port), clock).await {
        Health::Up
    } else {
        Health::Failing
    };
    Ok(Instance { version: release.version, state, address: loopback(port), fault })
}

async fn ready(address: SocketAddr, clock: &Clock) -> bool {
    let get = Method::GET;
    let asked = fetch(address, get, "/status", String::new(), ASK_LIMIT, clock).await;
    let Ok((StatusCode::OK, body)) = asked else {
        return false;
    };
    let read: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    read.is_some_and(|status| status.get("overall_ready") == Some(&serde_json::Value::Bool(true)))
}
