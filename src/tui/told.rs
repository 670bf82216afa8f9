//! What became of a command, in the words of the message row.

use crate::link::Answer;
use crate::model::entry::Command;

/// What became of a command, for the message row.
pub(super) type Told = Result<String, String>;

/// What the message row says of an answer.
pub(super) fn answered(answer: Result<Answer, crate::link::Error>, what: &str) -> Told {
    match answer {
        Ok(Answer::Accepted { .. }) => Ok(format!("{what}: accepted")),
        Ok(Answer::Refused { why, hint }) => Err(format!("{what} refused: {why}; {hint}")),
        Err(why) => Err(format!("{what}: {why}; look at the timeline before trying again")),
    }
}

/// What a command is called in the message row.
pub(super) fn name(command: &Command) -> &'static str {
    match command {
        Command::Plan { .. } => "plan",
        Command::Approve { .. } => "rollback",
        Command::Choose { .. } => "choice",
        Command::Answer { .. } => "answer",
        Command::Overrule { .. } => "severity",
        Command::Retry { .. } => "retry",
        Command::Skip { .. } => "skip",
        Command::MarkDone { .. } => "done by hand",
        Command::Resume { .. } => "resume",
        Command::Abort { .. } => "abort",
        Command::Pause => "pause",
        Command::Note { .. } => "note",
        Command::TakeLead { .. } => "take the lead",
        Command::HandLead { .. } => "hand the lead over",
        Command::Detach => "detach",
        Command::EndWatch { .. } => "end watch",
        Command::Hold { .. } => "hold",
        Command::Unhold { .. } => "lift",
        Command::Release { .. } => "release",
        Command::HandOver { .. } => "hand over",
        Command::Close => "close",
        Command::Deploy { .. } => "deploy report",
        Command::Pin { .. } => "pin",
        Command::Unpin { .. } => "unpin",
        Command::PlanUndo { .. } => "plan to take back",
        Command::Since { .. } => "since",
        Command::Mute { .. } => "mute",
        Command::Unmute { .. } => "unmute",
        Command::Override { .. } => "change",
        Command::Unset { .. } => "revert",
        Command::Tick { .. } => "checklist",
        Command::Inform { .. } => "word of who was told",
        Command::Guide { .. } => "step of the procedure",
        Command::Acknowledge { .. } => "acknowledge",
        Command::Trigger { .. } => "trigger",
        Command::Lock { .. } => "lock",
        Command::Unlock { .. } => "release of the lock",
        Command::EmergencyStop { .. } => "EMERGENCY STOP",
        Command::Veto { .. } => "veto",
        Command::Freeze { until: Some(_), .. } => "freeze",
        Command::Freeze { until: None, .. } => "end of the freeze",
        Command::Export { write: true } => "bundle",
        Command::Export { write: false } => "preview of the bundle",
    }
}
