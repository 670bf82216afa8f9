//! Numbers, printed beside a limit of the machine taken in the same run; never a pass or a fail.
//!
//! `cargo bench` runs all; `cargo bench -- journal` the one with that name.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    dead_code,
    reason = "a benchmark prints, measures and may stop at the first surprise"
)]

#[path = "../postgres/cluster.rs"]
mod cluster;
mod console;
mod containers;
mod database;
#[path = "../nginx/host.rs"]
mod host_nginx;
mod incident;
mod journal;
mod probes;
mod restore;
mod resume;
mod rules;
#[path = "../support.rs"]
mod support;
mod switch;
#[path = "../tools.rs"]
mod tools;

use std::time::Duration;

fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let run = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted));
    if run("journal") {
        journal::run();
    }
    if run("console") {
        console::run();
    }
    if run("containers") {
        containers::run();
    }
    if run("incident") {
        incident::run();
    }
    if run("probes") {
        probes::run();
    }
    if run("database") {
        database::run();
    }
    if run("switch") {
        switch::run();
    }
    if run("restore") {
        restore::run();
    }
    if run("rules") {
        rules::run();
    }
    if run("resume") {
        resume::run();
    }
}

/// The value below which `part` of all lie; the list is sorted in place.
fn quantile(times: &mut [Duration], part: f64) -> Duration {
    times.sort_unstable();
    let rank = (times.len() as f64 * part).ceil() as usize;
    times[rank.clamp(1, times.len()) - 1]
}

fn line(what: &str, times: &mut [Duration]) -> (Duration, Duration) {
    let (half, most) = (quantile(times, 0.5), quantile(times, 0.99));
    println!("{what:<44} p50 {half:>10.1?}  p99 {most:>10.1?}  n {}", times.len());
    (half, most)
}

fn ratio(what: &str, ours: Duration, limit: Duration) {
    println!("{what:<44} {:.2}", ours.as_secs_f64() / limit.as_secs_f64());
}
