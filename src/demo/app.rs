//! One version of the service, as a process: its life from the first connection to the last.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::adapters::Error;
use crate::clock::Clock;

use super::answers::App;
use super::app_log::Level;
use super::children;
use super::fault::Fault;
use super::fault_switch::FaultSwitch;
use super::http;
use super::layout::{Color, Layout};

/// How long requests in flight may take to finish after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);
/// How much the fault `leak` takes at once, in bytes.
const LEAK: usize = 2 * 1024 * 1024;
/// How often it takes that.
const LEAK_EVERY: Duration = Duration::from_millis(250);
/// How many times at most.
const LEAK_LIMIT: usize = 90;
/// The exit code of the fault `crash`: what a shell shows for an aborted process.
pub const CRASHED: u8 = 134;

/// Runs the app of `color` until `told` ends, and returns the exit code.
pub async fn run(
    layout: &Layout,
    color: Color,
    command: Vec<String>,
    told: impl Future<Output = ()>,
    clock: &Clock,
) -> Result<u8, Error> {
    let port = layout.demo()?.ports.of(color);
    let (switch, faults) = FaultSwitch::new(layout.of(color, "fault.json"));
    let app = Arc::new(App::new(layout, color, faults.clone(), clock)?);
    let (listener, address) = http::listen(port).await?;
    children::announce(layout, color.word(), Some(address), command)?;
    layout.ledger(clock.now(), &format!("start {color}"), "-")?;
    app.log(Level::Info, "-", &format!("{} answers at {address}", app.version()));

    let (stop, stopped) = watch::channel(false);
    let answering = app.clone();
    let serving = http::serve(listener, stopped, GRACE, clock, move |request| {
        let app = answering.clone();
        async move { app.answer(request).await }
    });
    let stopping = async {
        told.await;
        app.log(Level::Info, "-", "told to stop, finishing what is in flight");
        stop.send_replace(true);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        _ended = crash(faults.clone(), &app) => {
            app.log(Level::Error, "-", CRASH);
            return Ok(CRASHED);
        }
        () = switch.follow(clock.clone()) => {}
        () = leak(faults, clock) => {}
        () = stopping => {}
        () = serving => {}
    }
    app.log(Level::Info, "-", "stopped");
    layout.ledger(clock.now(), &format!("stop {color}"), "-")?;
    Ok(0)
}

async fn crash(
    mut faults: watch::Receiver<Option<Fault>>,
    app: &App,
) -> tokio::sync::MutexGuard<'_, ()> {
    if faults.wait_for(|fault| *fault == Some(Fault::Crash)).await.is_err() {
        std::future::pending::<()>().await;
    }
    app.between_writes().await
}

/// Takes memory while the fault lasts and never gives it back.
async fn leak(mut faults: watch::Receiver<Option<Fault>>, clock: &Clock) {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    loop {
        if faults.wait_for(|fault| *fault == Some(Fault::Leak)).await.is_err() {
            std::future::pending::<()>().await;
        }
        if taken.len() < LEAK_LIMIT {
            // Written to, for memory that was only asked for is not resident.
            taken.push(vec![1; LEAK]);
        }
        clock.sleep(LEAK_EVERY).await;
    }
}

const CRASH: &str = "out of memory in the preferences cache, aborting
    at preferences::Cache::grow (src/preferences/cache.rs:142)
    at preferences::Cache::insert (src/preferences/cache.rs:97)
    at users::list (src/users/list.rs:41)
    at http::route (src/http/route.rs:112)
    at worker::main (src/worker.rs:58)";

#[cfg(test)]
mod tests;
