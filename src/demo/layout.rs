//! What lies where in a stack's folder, and the formats of the files that are shared.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::adapters::Error;
use crate::adapters::process::Identity;

use super::disk::{append, read_json, stamp};

/// The version of this layout, raised when a file of it changes its meaning.
pub const VERSION: u32 = 1;

/// One of the two places a version runs in (S-09).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Color {
    /// The version from before the deploy.
    Blue,
    /// The version that the deploy brought.
    Green,
}

impl Color {
    /// Both colours.
    pub const ALL: [Self; 2] = [Self::Blue, Self::Green];

    /// The word used in files, addresses and on screens.
    pub fn word(self) -> &'static str {
        match self {
            Self::Blue => "blue",
            Self::Green => "green",
        }
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Color {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|color| color.word() == word)
            .ok_or_else(|| format!("{word:?} is not a colour, use blue or green"))
    }
}

/// `D/demo.json`: what makes a folder a stack of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemoFile {
    /// The layout's version, see [`VERSION`].
    pub layout: u32,
    /// Whether `up` came to its end; a folder without it is made afresh.
    pub complete: bool,
    /// The loopback ports.
    pub ports: Ports,
    /// Who ran when `up` ended; the living truth is in each `process.json`.
    pub processes: Vec<NamedProcess>,
}

/// The loopback ports of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// Where clients ask.
    pub public: u16,
    /// Where the proxy is told to switch.
    pub control: u16,
    /// Blue's own address.
    pub blue: u16,
    /// Green's own address.
    pub green: u16,
}

impl Ports {
    /// The port of a colour.
    pub fn of(&self, color: Color) -> u16 {
        match color {
            Color::Blue => self.blue,
            Color::Green => self.green,
        }
    }
}

/// A process and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedProcess {
    /// `blue`, `green`, `blue-worker`, `green-worker`, `proxy` or `traffic`.
    pub name: String,
    /// Which process.
    pub identity: Identity,
}

/// `D/<blue|green|blue-worker|green-worker|proxy|traffic>/process.json`: who runs (or ran last), where it answers and how it
/// is started again. It stays when the process ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessFile {
    /// Which process.
    pub identity: Identity,
    /// Where it answers; nothing for the traffic and the workers.
    pub address: Option<SocketAddr>,
    /// The arguments that start it again, without the program.
    pub command: Vec<String>,
}

/// `D/<color>/release.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The version, such as `v2.4.9`.
    pub version: String,
    /// Where it runs.
    pub color: Color,
}

/// One line of `D/deploys.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployLine {
    /// When, RFC 3339.
    pub at: String,
    /// Which version.
    pub version: String,
    /// Where to.
    pub color: Color,
    /// By whom.
    pub by: String,
    /// The pipeline's reference.
    pub reference: String,
    /// The schema after it.
    pub schema: i64,
    /// `done` or `failed`.
    pub state: String,
}

/// The paths of one stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// The stack in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A path inside the folder.
    pub fn at(&self, inside: &str) -> PathBuf {
        self.dir.join(inside)
    }

    /// A path inside a colour's folder.
    pub fn of(&self, color: Color, inside: &str) -> PathBuf {
        self.dir.join(color.word()).join(inside)
    }

    /// The process file of a process by its name.
    pub fn process(&self, name: &str) -> PathBuf {
        self.dir.join(name).join("process.json")
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.at("data/app.db")
    }

    /// The database while the fault `db-down` lasts.
    pub fn database_off(&self) -> PathBuf {
        self.at("data/app.db.off")
    }

    /// Reads `D/demo.json`.
    pub fn demo(&self) -> Result<DemoFile, Error> {
        read_json(&self.at("demo.json"))
    }

    /// Whether the stack is still there; a folder that is being removed loses this file early or late.
    pub fn exists(&self) -> bool {
        self.at("demo.json").exists()
    }

    /// Appends one line for a change of the world that was carried out: the crash tests' oracle.
    pub fn ledger(&self, now: DateTime<Utc>, what: &str, effect: &str) -> Result<(), Error> {
        append(&self.at("ledger.log"), &format!("{} {what} {effect}\n", stamp(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_file_has_the_form_that_is_shared() {
        let file = ProcessFile {
            identity: Identity { pid: 1, started: 2 },
            address: "127.0.0.1:1".parse().ok(),
            command: ["__demo", "app", "--dir", "/d", "--color", "green"]
                .map(str::to_owned)
                .to_vec(),
        };
        assert_eq!(
            serde_json::to_string(&file).unwrap(),
            r#"{"identity":{"pid":1,"started":2},"address":"127.0.0.1:1","command":["__demo","app","--dir","/d","--color","green"]}"#
        );
    }
}
