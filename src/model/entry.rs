//! What the journal holds: commands that people gave and events that happened.

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

pub use super::command::{Abort, Command};
pub use super::event::Event;
pub use super::outcome::{Change, Leftover, Outcome, Standing, StepEnd};

use super::ids::{CommandId, Digest, Epoch, IncidentId, Seq, Time};

/// The format's version; an older program refuses to write a journal that holds a newer one.
pub const FORMAT: u32 = 1;

/// One line of the journal. Order is `seq`, never `at`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place.
    pub seq: Seq,
    /// Format version of the body.
    pub v: u32,
    /// The incident it belongs to.
    pub incident: Option<IncidentId>,
    /// Wall time in UTC, for people.
    pub at: Time,
    /// Who.
    pub author: Author,
    /// Under which lease it was written.
    pub epoch: Epoch,
    /// Hash of the entry before it.
    pub prev: Digest,
    /// What.
    pub body: Body,
}

/// Who wrote: the kernel's word (attested) apart from the person's own (claimed).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// Uid by the socket's peer credentials.
    pub uid: u32,
    /// The audit login uid, where the kernel keeps one.
    pub login_uid: Option<u32>,
    /// User name as claimed.
    pub name: SafeText,
    /// `SSH_CONNECTION` as claimed.
    pub ssh: Option<SafeText>,
    /// Whether the engine itself wrote.
    pub engine: bool,
}

/// A command, an event, or something a newer program wrote.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// What a person asked.
    Command(CommandId, Command),
    /// What happened.
    Event(Box<Event>),
    /// What this program does not know: shown, never dropped.
    Newer {
        /// Its kind, as far as it can be read.
        kind: String,
        /// The whole of it.
        raw: serde_json::Value,
    },
}

impl Serialize for Body {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        if let Self::Newer { raw, .. } = self {
            // What cannot be read is written as it was read.
            return raw.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Command(id, command) => {
                map.serialize_entry("id", id)?;
                map.serialize_entry("command", command)?;
            }
            Self::Event(event) => map.serialize_entry("event", event)?,
            Self::Newer { .. } => {}
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = serde_json::Value::deserialize(deserializer)?;
        let known = if let Some(event) = raw.get("event") {
            Event::deserialize(event).ok().map(|event| Self::Event(Box::new(event)))
        } else {
            raw.get("command").and_then(|command| {
                let id = CommandId::deserialize(raw.get("id")?).ok()?;
                Some(Self::Command(id, Command::deserialize(command).ok()?))
            })
        };
        Ok(known.unwrap_or_else(|| {
            let inner = raw.get("event").or_else(|| raw.get("command"));
            let kind = match inner {
                Some(serde_json::Value::String(name)) => name.clone(),
                Some(serde_json::Value::Object(map)) => {
                    map.keys().next().cloned().unwrap_or_default()
                }
                _ => "unreadable".to_owned(),
            };
            Self::Newer { kind, raw }
        }))
    }
}
