//! The program: reads its arguments, runs, and ends with the exit code.

fn main() {}
