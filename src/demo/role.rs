//! Starting the processes of a stack, and being one of them.

use std::path::Path;

use crate::adapters::Error;
use crate::adapters::process::Program;
use crate::clock::Clock;
use crate::failure::{Exit, Failure};

use super::layout::{Color, Layout};
use super::{app, children, proxy, traffic, worker};

/// The first argument of a process of a stack.
pub const MARK: &str = "__demo";

/// Starts the app of `color` in the background and returns its pid; it answers soon after.
pub fn start_app(dir: &Path, color: Color, program: &Program) -> Result<u32, Failure> {
    start(&Layout::new(dir), color.word(), program).map_err(|e| failure(&e))
}

/// Starts `blue`, `green`, their `-worker`s, `proxy` or `traffic` in the background; its pid.
pub fn start(layout: &Layout, name: &str, program: &Program) -> Result<u32, Error> {
    let dir = layout.dir().display().to_string();
    let worker = name.strip_suffix("-worker");
    let command: &[&str] = match (name, worker) {
        (_, Some(color)) => &[MARK, "worker", "--dir", &dir, "--color", color],
        ("blue" | "green", None) => &[MARK, "app", "--dir", &dir, "--color", name],
        (_, None) => &[MARK, name, "--dir", &dir],
    };
    let log = layout.at(name).join("output.log");
    program.detached(command, layout.dir(), &log)
}

/// Runs as the process `role` (`app`, `worker`, `proxy`, `traffic`) of a stack until it is told to end;
/// returns the exit code.
pub async fn role(role: &str, args: &[String], clock: &Clock) -> Result<u8, Failure> {
    let usage = || {
        Failure::new(
            Exit::Usage,
            format!(
                "could not run as {role:?}: use app, worker, proxy or traffic with --dir DIR, and --color for app and worker"
            ),
        )
    };
    let mut dir = None;
    let mut color = None;
    let mut rest = args.iter();
    while let Some(flag) = rest.next() {
        match (flag.as_str(), rest.next()) {
            ("--dir", Some(value)) => dir = Some(Layout::new(value)),
            ("--color", Some(value)) => color = value.parse::<Color>().ok(),
            _ => return Err(usage()),
        }
    }
    let layout = dir.ok_or_else(usage)?;
    children::lead_session();
    let mut command = vec![MARK.to_owned(), role.to_owned()];
    command.extend_from_slice(args);
    let told = children::told_to_end(&layout, clock).map_err(|e| failure(&e))?;
    let ended = match (role, color) {
        ("app", Some(color)) => app::run(&layout, color, command, told, clock).await,
        ("worker", Some(color)) => worker::run(&layout, color, command, told, clock).await,
        ("proxy", None) => proxy::run(&layout, command, told, clock).await,
        ("traffic", None) => traffic::run(&layout, command, told, clock).await,
        _ => return Err(usage()),
    };
    ended.map_err(|e| failure(&e))
}

/// An error of the stack as what a person sees.
pub fn failure(error: &Error) -> Failure {
    Failure::new(Exit::Unknown, &error.message)
}
