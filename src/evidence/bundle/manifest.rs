//! What a bundle says about itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::ids::{Digest, Time};

/// `MANIFEST.json`, the last file of a bundle: one that has it was finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format's version.
    pub format: u32,
    /// The program and its version.
    pub tool: String,
    /// `INC-0142`, or `none`.
    pub incident: String,
    /// The run it was made for.
    pub run: Option<String>,
    /// Why it was made.
    pub trigger: Trigger,
    /// The environment's name.
    pub environment: String,
    /// The host it was made on.
    pub host: String,
    /// Who asked for it; the engine's own are its.
    pub by: String,
    /// When it was begun.
    pub at: Time,
    /// From when on it reaches, where that is known.
    pub from: Option<Time>,
    /// Digest of the configuration's file.
    pub config: Option<Digest>,
    /// The bundle before this one in the same folder.
    pub previous: Option<Previous>,
    /// Whether something is missing: a source failed or was cut, or the disk was full.
    pub partial: bool,
    /// Why, in words.
    pub why_partial: Vec<String>,
    /// What it was made of.
    pub sources: Vec<SourceRecord>,
    /// The files before this one, in their order.
    pub files: Vec<FileRecord>,
    /// How much was taken out, by rule.
    pub redactions: BTreeMap<String, u64>,
}

/// Why a bundle was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A person asked.
    Asked,
    /// Before the first step that destroys.
    BeforeDestroying,
    /// A run ended.
    RunEnded,
    /// A bundle that was cut off, closed afterwards.
    Recovered,
}

/// The bundle before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Its file name.
    pub name: String,
    /// Its SHA-256.
    pub sha256: Digest,
}

/// One file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Below the bundle's own folder: `logs/green.log.000`.
    pub path: String,
    /// In bytes.
    pub bytes: u64,
    /// Of these bytes.
    pub sha256: Digest,
}

/// One source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// Its path in the bundle, without the number of a part: `logs/green.log`.
    pub path: String,
    /// What kind of thing it is: `log`, `spool`, `state`, …
    pub kind: String,
    /// Where it was read.
    pub origin: String,
    /// How it went.
    pub state: SourceState,
    /// Why not, where it did not.
    pub error: Option<String>,
    /// Its own size, in bytes.
    pub raw_bytes: u64,
    /// What is kept of it, after redaction.
    pub bytes: u64,
    /// Lines kept.
    pub lines: u64,
    /// How many files it is.
    pub parts: u32,
    /// What was left out of its middle.
    pub truncated: Option<Truncated>,
    /// What was taken out, by rule.
    pub redactions: BTreeMap<String, u64>,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// How a source went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// All of it is there, or its head and tail as bounded.
    #[default]
    Ok,
    /// Reading it failed on the way.
    Partial,
    /// Nothing of it is there.
    Error,
    /// It is not there to be read; that is no error.
    Absent,
    /// There was no room left for it.
    Skipped,
}

impl SourceState {
    /// As people read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::Error => "error",
            Self::Absent => "absent",
            Self::Skipped => "skipped",
        }
    }
}

/// What was left out of the middle of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truncated {
    /// Kept of its beginning, in bytes.
    pub head: u64,
    /// Kept of its end, in bytes.
    pub tail: u64,
    /// Left out, in bytes.
    pub dropped_bytes: u64,
    /// Left out, in lines.
    pub dropped_lines: u64,
}
