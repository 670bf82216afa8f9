//! Answers what is said about notices, who was told, and calls for a rollback. Pure.

use crate::model::entry::Event;
use crate::model::situation::Situation;
use crate::model::trigger_call::TriggerCall;
use crate::text::SafeText;

use super::answer::{Refusal, refuse};

/// Whether somebody may say that they look after `thread`; all that is open when it is empty.
pub(super) fn acknowledge(situation: &Situation, thread: &SafeText) -> Result<Vec<Event>, Refusal> {
    let waiting = situation.outbox.unacknowledged();
    let named = |name: &str| thread.is_empty() || name == thread.as_str();
    if waiting.iter().any(|(name, _)| named(name)) {
        return Ok(Vec::new());
    }
    if let Some((_, known)) =
        situation.outbox.open().into_iter().find(|(name, _)| named(name.as_str()))
        && let Some((who, at)) = &known.acknowledged
    {
        let since = at.format("%H:%M:%SZ");
        return refuse(format!("{who} looks after it since {since}"), "nothing needs to be done");
    }
    let names: Vec<&str> = waiting.iter().map(|(name, _)| name.as_str()).collect();
    match (thread.as_str(), names.as_slice()) {
        (_, []) => refuse("nothing was announced that is open", "nothing needs to be done"),
        (named, _) => refuse(
            format!("{named} was not announced, or is over"),
            format!("name one of: {}", names.join(", ")),
        ),
    }
}

/// Whether a call can be taken: what it starts is decided by what stands then.
pub(super) fn trigger(call: &TriggerCall) -> Result<Vec<Event>, Refusal> {
    if call.name.is_empty() {
        return refuse(
            "the call names nothing",
            "say what it is about: a service, an alert, a job",
        );
    }
    if call.message.is_empty() && !call.over {
        return refuse("a message is missing", "say why: it stands in the timeline");
    }
    Ok(Vec::new())
}

/// Whether there is an incident of which somebody can have been told.
pub(super) fn informed(situation: &Situation, nobody: bool) -> Result<Vec<Event>, Refusal> {
    if situation.incident.is_none() {
        return refuse("no incident is open", "nobody needs to be told yet");
    }
    if nobody {
        return refuse("it is not said who was told", "say who, and what they were told");
    }
    Ok(Vec::new())
}
