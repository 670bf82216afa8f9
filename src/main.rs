//! The program: reads its arguments, runs, and ends with the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    backout::cli::run(std::env::args_os())
}
