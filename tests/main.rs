//! One binary for all integration tests: it links once.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may stop at the first surprise, and starts the program as its user would"
)]

mod analyze;
mod assess;
mod audit;
mod breach;
mod bundle;
mod compose;
mod configs;
mod console;
mod crash;
mod damage;
mod demo;
mod deploys;
mod endpoints;
mod engines;
mod frontend;
mod full;
mod guarantees;
mod guides;
mod hold;
mod journal;
mod kube;
mod layers;
mod line;
mod locks;
mod mail;
mod monitor;
mod nginx;
mod notify;
mod people;
mod pipeline;
mod point_in_time;
mod postgres;
mod preflight;
mod prometheus;
mod pty;
mod recorded;
mod redis;
mod reports;
mod rows;
mod rules;
mod scenarios;
mod shim;
mod sshd;
mod strategies;
mod support;
mod terminal;
mod tools;
