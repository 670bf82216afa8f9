//! The deploy of the bad version: migrate, start green, switch, record.

use std::net::SocketAddr;

use chrono::{DateTime, Utc};
use hyper::{Method, StatusCode};

use crate::adapters::process::Program;
use crate::adapters::{Error, Kind};
use crate::clock::Clock;

use super::children::start_ready;
use super::database::{script, writing};
use super::disk::{append, stamp};
use super::fault::Fault;
use super::fetch::fetch;
use super::files::{NEW, settings};
use super::layout::{Color, DeployLine, Layout};
use super::migrations::{PREFERENCES, deployed};
use super::status::ASK_LIMIT;

/// Deploys v2.5.0 to green and sends the traffic there; `fault` is what is wrong with the deploy.
pub async fn deploy(
    layout: &Layout,
    fault: Option<Fault>,
    program: &Program,
    clock: &Clock,
) -> Result<(), Error> {
    let mut database = writing(&layout.database()).await?;
    script(&mut database, PREFERENCES.name, deployed(fault).up()).await?;
    sqlx::Connection::close(database).await.ok();
    settings(layout, NEW)?;
    start_ready(layout, Color::Green.word(), program, clock).await?;
    start_ready(layout, &super::worker::name(Color::Green), program, clock).await?;
    switch(layout, Color::Green, clock).await?;
    record(layout, clock.now(), NEW, Color::Green, PREFERENCES.version)
}

/// Sends the traffic to `to`, as the deploy does it.
async fn switch(layout: &Layout, to: Color, clock: &Clock) -> Result<(), Error> {
    let control = SocketAddr::from(([127, 0, 0, 1], layout.demo()?.ports.control));
    let order = serde_json::json!({ "to": to, "effect": format!("deploy.{NEW}.switch") });
    let post = Method::POST;
    let (status, body) =
        fetch(control, post, "/switch", order.to_string(), ASK_LIMIT, clock).await?;
    if status == StatusCode::OK {
        return Ok(());
    }
    Err(Error::new(
        Kind::Rejected,
        format!("could not switch to {to}: {status} {}", String::from_utf8_lossy(&body).trim()),
    ))
}

/// Appends a deploy to `deploys.jsonl`.
pub fn record(
    layout: &Layout,
    at: DateTime<Utc>,
    version: &str,
    color: Color,
    schema: i64,
) -> Result<(), Error> {
    let line = DeployLine {
        at: stamp(at),
        version: version.to_owned(),
        color,
        by: "dana".to_owned(),
        reference: format!("ci#{}", 4606 + schema),
        schema,
        state: "done".to_owned(),
    };
    let text = serde_json::to_string(&line)
        .map_err(|e| Error::new(Kind::Local, format!("could not record the deploy: {e}")))?;
    append(&layout.at("deploys.jsonl"), &format!("{text}\n"))
}
