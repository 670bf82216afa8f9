//! A folder with a configuration, and our program in it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What the program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) text: String,
}

/// The folder.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder().join("backout.yaml")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let runtime = self.folder().join("runtime");
        std::fs::create_dir_all(&runtime).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_backout"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.folder())
            .env("USER", "tester")
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .env("XDG_RUNTIME_DIR", &runtime)
            .env("BACKOUT_CONFIG", self.config())
            .current_dir(self.folder())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        let mut said = said(self.start(arguments));
        // An engine that went away has its reason in its own log.
        if said.text.contains("engine.log") {
            let log = self.folder().join("state/engine.log");
            said.text.push_str(&std::fs::read_to_string(log).unwrap_or_default());
        }
        said
    }

    /// Begins; what it says is had with [`said`].
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// Waits for the end.
pub(crate) fn said(child: Child) -> Said {
    let said = child.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&said.stdout);
    let text = format!("{out}{}", String::from_utf8_lossy(&said.stderr));
    Said { code: said.status.code().unwrap_or(-1), text }
}
