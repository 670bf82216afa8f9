//! What is said on the socket. The form of the open commands is frozen as protocol 1: a console
//! of any version can stop a run of any other.

use serde::{Deserialize, Serialize};

use crate::model::entry::Command;
use crate::model::ids::{CommandId, Epoch, Seq};

/// The protocol that this program speaks.
pub const PROTOCOL: u32 = 1;

/// This program's version; sides of different versions do not exchange starting commands.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a client says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToEngine {
    /// Who is there: the first frame.
    Hello(Hello),
    /// A command.
    Send {
        /// Made by the client; a repeated one gets the first answer.
        id: CommandId,
        /// The command.
        command: Command,
    },
}

/// Who a client says it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol it speaks.
    pub protocol: u32,
    /// Its version.
    pub version: String,
    /// What it is.
    pub kind: ClientKind,
    /// The person's user name, as claimed.
    pub name: String,
    /// `SSH_CONNECTION`, as claimed.
    pub ssh: Option<String>,
}

impl Hello {
    /// The greeting of a client of this program.
    pub fn new(kind: ClientKind, name: impl Into<String>, ssh: Option<String>) -> Self {
        Self { protocol: PROTOCOL, version: VERSION.to_owned(), kind, name: name.into(), ssh }
    }
}

/// What a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// A full-screen console.
    Console,
    /// A command that follows.
    Cli,
    /// One that watches; it may stop, note and leave, never start.
    Observer,
}

/// What the engine says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromEngine {
    /// The first frame.
    Welcome(Welcome),
    /// The answer to a command, after it is durable.
    Answer {
        /// The command's id.
        id: CommandId,
        /// The answer.
        answer: Answer,
    },
    /// The journal or the samples moved on. Only the newest of these is kept for a client.
    Changed {
        /// The journal's last entry.
        seq: Seq,
        /// Counts up with each write of samples.
        samples: u64,
    },
    /// The engine closes this connection.
    Bye {
        /// Why.
        why: String,
    },
}

/// Who the engine is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The protocol it speaks.
    pub protocol: u32,
    /// Its version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Its lease.
    pub epoch: Epoch,
    /// The journal's last entry.
    pub seq: Seq,
    /// The client's number on this engine.
    pub client: u64,
    /// The versions differ: only the open commands and taking the lead are accepted.
    pub read_only: bool,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is in the journal.
    Accepted {
        /// There.
        seq: Seq,
    },
    /// It is not.
    Refused {
        /// Which fact it rested on that no longer holds, or what else speaks against it.
        why: String,
        /// What to do next.
        hint: String,
    },
}

/// Whether a client of this kind may give `command`; `read_only` says that its version differs.
///
/// Stopping is open to everyone attached. A console of another version may also take the lead,
/// so that a person is never locked out by an upgrade; an observer of another version may only
/// leave.
pub fn may(kind: ClientKind, read_only: bool, command: &Command) -> bool {
    match (kind, read_only) {
        (ClientKind::Console | ClientKind::Cli, false) => true,
        (ClientKind::Console | ClientKind::Cli, true) => {
            command.is_open() || matches!(command, Command::TakeLead { .. })
        }
        (ClientKind::Observer, false) => command.is_open(),
        (ClientKind::Observer, true) => matches!(command, Command::Detach),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::Abort;
    use crate::model::hold::HoldPart;

    fn send(id: &str, command: Command) -> ToEngine {
        ToEngine::Send { id: id.into(), command }
    }

    fn take_lead() -> Command {
        Command::TakeLead { reason: "ssh dropped".into() }
    }

    #[test]
    fn everything_a_client_says_reads_back_as_it_was() {
        let hello = |kind, ssh| ToEngine::Hello(Hello::new(kind, "sam", ssh));
        for said in [
            hello(ClientKind::Console, Some("10.0.0.5 5022 10.0.0.9 22".to_owned())),
            hello(ClientKind::Cli, None),
            hello(ClientKind::Observer, None),
            send("c-1", Command::Close),
            send("c-2", take_lead()),
        ] {
            let text = serde_json::to_string(&said).unwrap();
            assert_eq!(serde_json::from_str::<ToEngine>(&text).unwrap(), said);
        }
    }

    #[test]
    fn everything_the_engine_says_reads_back_as_it_was() {
        for said in [
            FromEngine::Welcome(Welcome {
                protocol: PROTOCOL,
                version: VERSION.to_owned(),
                pid: 4711,
                epoch: 3,
                seq: 42,
                client: 7,
                read_only: false,
            }),
            FromEngine::Answer { id: "c-1".into(), answer: Answer::Accepted { seq: 43 } },
            FromEngine::Answer {
                id: "c-2".into(),
                answer: Answer::Refused {
                    why: "the plan changed\nmeanwhile".to_owned(),
                    hint: "read it again".to_owned(),
                },
            },
            FromEngine::Changed { seq: 44, samples: 9 },
            FromEngine::Bye { why: "the engine ends".to_owned() },
        ] {
            let text = serde_json::to_string(&said).unwrap();
            assert!(!text.contains('\n'), "a frame is one line");
            assert_eq!(serde_json::from_str::<FromEngine>(&text).unwrap(), said);
        }
    }

    /// Never change a line here: consoles and engines of other versions speak it.
    #[test]
    fn the_open_commands_have_the_form_of_protocol_1() {
        let frames = [
            (
                ToEngine::Hello(Hello {
                    protocol: 1,
                    version: "0.1.0".to_owned(),
                    kind: ClientKind::Console,
                    name: "sam".to_owned(),
                    ssh: None,
                }),
                r#"{"hello":{"protocol":1,"version":"0.1.0","kind":"console","name":"sam","ssh":null}}"#,
            ),
            (
                send("c", Command::Abort { verb: Abort::Stop }),
                r#"{"send":{"id":"c","command":{"abort":{"verb":"stop"}}}}"#,
            ),
            (
                send("c", Command::Abort { verb: Abort::Now }),
                r#"{"send":{"id":"c","command":{"abort":{"verb":"now"}}}}"#,
            ),
            (
                send("c", Command::Abort { verb: Abort::Undo }),
                r#"{"send":{"id":"c","command":{"abort":{"verb":"undo"}}}}"#,
            ),
            (send("c", Command::Pause), r#"{"send":{"id":"c","command":"pause"}}"#),
            (
                send("c", take_lead()),
                r#"{"send":{"id":"c","command":{"take_lead":{"reason":"ssh dropped"}}}}"#,
            ),
            (send("c", Command::Detach), r#"{"send":{"id":"c","command":"detach"}}"#),
            (
                send("c", Command::Hold { parts: HoldPart::ALL.to_vec(), reason: "why".into() }),
                r#"{"send":{"id":"c","command":{"hold":{"parts":["writers","consumers","page"],"reason":"why"}}}}"#,
            ),
            (
                send("c", Command::Unhold { parts: vec![HoldPart::Page], reason: "why".into() }),
                r#"{"send":{"id":"c","command":{"unhold":{"parts":["page"],"reason":"why"}}}}"#,
            ),
        ];
        assert_eq!(PROTOCOL, 1);
        for (said, frozen) in frames {
            assert_eq!(serde_json::to_string(&said).unwrap(), frozen);
            assert_eq!(serde_json::from_str::<ToEngine>(frozen).unwrap(), said);
        }
        let answers = [
            (
                FromEngine::Answer { id: "c".into(), answer: Answer::Accepted { seq: 5 } },
                r#"{"answer":{"id":"c","answer":{"accepted":{"seq":5}}}}"#,
            ),
            (
                FromEngine::Answer {
                    id: "c".into(),
                    answer: Answer::Refused { why: "w".to_owned(), hint: "h".to_owned() },
                },
                r#"{"answer":{"id":"c","answer":{"refused":{"why":"w","hint":"h"}}}}"#,
            ),
        ];
        for (said, frozen) in answers {
            assert_eq!(serde_json::to_string(&said).unwrap(), frozen);
        }
    }

    #[test]
    fn an_unknown_field_of_a_newer_client_is_passed_over() {
        let newer = r#"{"hello":{"protocol":2,"version":"9.9.9","kind":"cli","name":"sam","ssh":null,"badge":"x"}}"#;
        assert!(matches!(
            serde_json::from_str::<ToEngine>(newer),
            Ok(ToEngine::Hello(Hello { protocol: 2, .. }))
        ));
    }

    #[test]
    fn everyone_attached_may_stop_and_only_equals_may_start() {
        use ClientKind::{Cli, Console, Observer};
        let abort = Command::Abort { verb: Abort::Now };
        for (kind, read_only, command, expected) in [
            (Console, false, &Command::Close, true),
            (Cli, true, &Command::Close, false),
            (Console, true, &abort, true),
            (Console, true, &take_lead(), true),
            (Console, true, &Command::Pause, true),
            (Observer, false, &abort, true),
            (Observer, false, &take_lead(), false),
            (Observer, false, &Command::Close, false),
            (Observer, true, &abort, false),
            (Observer, true, &Command::Detach, true),
        ] {
            assert_eq!(may(kind, read_only, command), expected, "{kind:?} {command:?}");
        }
    }
}
