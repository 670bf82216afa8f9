//! The container engine, compose and nginx, on a real stack of its own.

mod breach;
mod deploys;
mod diagnoses;
mod discovery;
mod elsewhere;
mod engine;
mod engine_dies;
mod faults;
mod hosts;
mod keys;
mod lab;
mod levels;
mod others;
mod private;
mod recovery;
mod shapes;
mod site;
mod stack;
mod stores;
mod traffic;
