//! One binary for all integration tests: it links once.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may stop at the first surprise, and starts the program as its user would"
)]

mod configs;
mod console;
mod crash;
mod demo;
mod layers;
mod pty;
mod scenarios;
mod shim;
mod support;
