//! Names of things. A name never changes its meaning; names that reach a target carry the
//! journal's id so that two journals cannot mistake each other's work for their own.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A moment in UTC. Stored as RFC 3339; shown as people ask.
pub type Time = DateTime<Utc>;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    )+};
}

names! {
    /// A check, as the configuration calls it.
    CheckId,
    /// A node of the decision tree.
    NodeId,
    /// A step within its plan.
    StepId,
    /// One execution of a plan: `<incident>-<journal>-<count>`, as in `142-k7qd-1`.
    RunId,
    /// A restore point, usually `YYYYMMDD-HHMMSS`.
    PointId,
    /// A command, made by the client; a repeated one gets the first answer.
    CommandId,
    /// This journal, four characters, made once.
    JournalId,
    /// One side of a two-colour deployment.
    Color,
}

/// The place of an entry in the journal; the only order there is.
pub type Seq = u64;
/// Raised each time an engine takes the lease; an append under an old epoch fails.
pub type Epoch = u64;
/// The number of an incident, shown as `INC-0142`.
pub type IncidentId = u32;

/// How an incident's number is shown.
pub fn incident_name(id: IncidentId) -> String {
    format!("INC-{id:04}")
}

/// SHA-256 of exact bytes, as lower-case hex.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub String);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_hash(&Sha256::digest(bytes))
    }

    /// A finished hash, of bytes that were too many to hold at once.
    pub fn of_hash(hash: &[u8]) -> Self {
        let mut hex = String::with_capacity(64);
        for byte in hash {
            hex.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            hex.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        }
        Self(hex)
    }

    /// Seven characters, enough to tell plans of one night apart: `8f3a-c12`.
    pub fn short(&self) -> String {
        let head: String = self.0.chars().take(4).collect();
        let tail: String = self.0.chars().skip(4).take(2).collect();
        format!("{head}-{tail}")
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
