//! The edge type: what a person or a script sees when a command cannot do what was asked.

use std::fmt;

/// Exit codes of every command. Documented in the README; stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or everything is well.
    Ok = 0,
    /// `check`, `status`: a warning.
    Warning = 1,
    /// `check`, `status`: something is critical.
    Critical = 2,
    /// `check`, `status`: not known; any command: it could not do its work.
    Unknown = 3,
    /// The rollback was blocked before anything changed.
    Blocked = 10,
    /// Not confirmed, or the data loss was not accepted.
    NotConfirmed = 11,
    /// The lock or the fence at the target is held by someone else.
    Held = 12,
    /// A step failed.
    StepFailed = 13,
    /// Aborted by a person.
    Aborted = 14,
    /// What happened is not known.
    OutcomeUnknown = 15,
    /// The command line is wrong.
    Usage = 64,
    /// The configuration is wrong.
    Config = 78,
}

/// What went wrong, on what, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code this failure ends the program with.
    pub exit: Exit,
    /// `could not VERB THING: why`, lower-case, no full stop.
    pub message: String,
    /// Each starts with a verb and names an exact command where there is one.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure without hints.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hints: Vec::new() }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        for hint in &self.hints {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
