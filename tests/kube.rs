//! A real cluster: the lab's node, its API server and pods.

mod adapter;
mod canary;
mod checks;
mod crash;
mod foreign;
mod interrupts;
mod keys;
mod lab;
mod levels;
mod many;
mod medical;
mod one;
mod owners;
mod pages;
pub(crate) mod place;
mod procedures;
mod rights;
mod sets;
mod silence;
mod steps;
mod types;
mod undo;
