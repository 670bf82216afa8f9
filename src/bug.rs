//! Twelve bugs that can be put in on purpose, so that the suite can be seen to catch them: what
//! could go wrong in a program like this one, each at the place where it would. Only with the
//! feature `faults`, which tests have; otherwise [`Bug::is_on`] is `false` when it is compiled, and
//! nothing of them is left. `BACKOUT_BUG=<name>` switches one on. `tests/guarantees/bugs.rs` names
//! the test that catches each, and fails when one is not caught.

/// A bug that tests switch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The journal says "written" before the disk does: `journal/store/sqlite.rs`.
    NoIntentSync,
    /// A step is recorded as done, then carried out: `engine/executor.rs`.
    OutcomeBeforeEffect,
    /// An engine that was replaced goes on after its successor's entries: `journal/writer.rs`.
    NoEpochCheck,
    /// A look that could not be had counts as "it is there": `engine/executor.rs`.
    ProbeErrorIsDone,
    /// A lease that looks old by the wall clock is taken from a living engine: `journal/folder.rs`.
    WallClockLease,
    /// A tool dies with the engine that started it: `adapters/shim/tool.rs`.
    DeathSignal,
    /// What an adapter answered counts as proof (the documents' `Ok` of `tar`):
    /// `engine/executor.rs`. Whatever unpacks an archive or restores a table is a step with a
    /// `standing` of its own, so this one place is theirs too.
    OkIsVerified,
    /// A tool's exit code counts as proof (the documents' `psql`): `steps/command.rs`. A dump or
    /// restore that runs as a tool is judged there.
    ExitCodeIsVerified,
    /// A file's name is not on disk when the tool it speaks of begins: `adapters/shim.rs`.
    NoFolderSync,
    /// A step that nobody can look at is begun again: `engine/turn.rs`.
    OpaqueAgain,
    /// The engine writes to the terminal of whoever started it: `adapters/process.rs`.
    LogToTerminal,
    /// A second engine goes on with the run beside the first: `journal/folder.rs`.
    UnlockedResume,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::NoIntentSync,
        Self::OutcomeBeforeEffect,
        Self::NoEpochCheck,
        Self::ProbeErrorIsDone,
        Self::WallClockLease,
        Self::DeathSignal,
        Self::OkIsVerified,
        Self::ExitCodeIsVerified,
        Self::NoFolderSync,
        Self::OpaqueAgain,
        Self::LogToTerminal,
        Self::UnlockedResume,
    ];

    /// What `BACKOUT_BUG` calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoIntentSync => "no-intent-sync",
            Self::OutcomeBeforeEffect => "outcome-before-effect",
            Self::NoEpochCheck => "no-epoch-check",
            Self::ProbeErrorIsDone => "probe-error-is-done",
            Self::WallClockLease => "wall-clock-lease",
            Self::DeathSignal => "death-signal",
            Self::OkIsVerified => "ok-is-verified",
            Self::ExitCodeIsVerified => "exit-code-is-verified",
            Self::NoFolderSync => "no-folder-sync",
            Self::OpaqueAgain => "opaque-again",
            Self::LogToTerminal => "log-to-terminal",
            Self::UnlockedResume => "unlocked-resume",
        }
    }

    /// Whether it is put in.
    #[cfg(feature = "faults")]
    pub fn is_on(self) -> bool {
        switched_on() == Some(self.name())
    }

    /// No: this program was built without faults.
    #[cfg(not(feature = "faults"))]
    #[inline(always)]
    pub const fn is_on(self) -> bool {
        false
    }
}

#[cfg(feature = "faults")]
#[expect(clippy::disallowed_methods, reason = "a test's own switch, in no program that is used")]
fn switched_on() -> Option<&'static str> {
    static ON: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    ON.get_or_init(|| std::env::var("BACKOUT_BUG").ok()).as_deref()
}

/// What a process of ours that gets no environment must be given to have the same bug.
#[cfg(feature = "faults")]
pub fn passed_on() -> impl Iterator<Item = (&'static str, &'static str)> {
    switched_on().into_iter().map(|name| ("BACKOUT_BUG", name))
}

/// Nothing: this program was built without faults.
#[cfg(not(feature = "faults"))]
pub fn passed_on() -> std::iter::Empty<(&'static str, &'static str)> {
    std::iter::empty()
}
