//! # backout
//!
//! An incident console for the engineer who is over SSH, at night, with a bad deploy in production.
//!
//! **The journal is the program; everything else either writes it or shows it.** Three pure
//! functions carry the weight: [`model::situation::Situation::apply`] folds entries into state,
//! [`model::tree::assess`] turns signals into a verdict, and [`model::next::next`] says what the
//! engine does now. Everything with a socket is around them.
//!
//! ```text
//!  checks ─┐                                  ┌─ console (TUI)      reads, sends commands
//!          ├→ ENGINE ──append──► JOURNAL ──►──┼─ CLI / JSON         same fold, same words
//!  steps  ─┘   ▲  one per environment,        └─ a second engineer  attaches
//!    kept by   │  the only writer
//!    a keeper  └── commands (Unix socket, kernel-attested uid)
//! ```
//!
//! | folder | what lives there | must not know |
//! | --- | --- | --- |
//! | [`model`] | data, fold, decisions; pure | everything else |
//! | [`journal`] | storage: entries, samples, spool | what entries mean |
//! | [`link`] | the socket between clients and the engine | journal, engine, adapters |
//! | [`redact`] | takes secrets out of text before it reaches a disk | everything else |
//! | [`evidence`] | what is kept of an incident | journal, engine |
//! | [`adapters`] | one file per outside system | policy, retries |
//! | [`checks`] | one file per check kind; looks | steps, journal |
//! | [`steps`] | one file per step kind; changes the world | journal, engine |
//! | [`config`] | people's files, read once, every problem reported | engine, journal, screen |
//! | [`engine`] | schedules, executes, writes | screen, CLI |
//! | [`report`] | outgoing documents | everything but the model |
//! | [`tui`] | the console | engine, adapters, checks, steps |
//! | [`cli`] | one file per subcommand | – |
//! | [`demo`] | the embedded stack | engine, screen |
//!
//! `tests/layers.rs` holds this table against every `crate::` path.
//!
//! **Words.** An *incident* is what is journaled from the first alarm to the closing. A *check* is
//! a probe with a schedule, a *reading* one result, a *finding* good, warn, bad or unknown. A
//! *signal* is a named fact over a window; an *assessment* is severity and tree verdict. A
//! *level* is 1 switch, 2 full, 3 point-in-time. A *restore point* is where to go back to, a
//! *plan* a frozen graph of steps, a *run* one execution of it, a step's *standing* what its
//! effect looks like now. A *hold* stops the bleeding, a *leftover* is something temporary that
//! must be released or handed over. The *watch window* is the monitored time after a rollback. The *lead* is
//! the one client that may start things; everyone attached may stop them.

pub mod adapters;
pub mod bug;
pub mod checks;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod engine;
pub mod evidence;
pub mod failure;
pub mod journal;
pub mod link;
pub mod logging;
pub mod model;
pub mod redact;
pub mod report;
pub mod steps;
pub mod text;
pub mod tui;
pub mod yaml;
