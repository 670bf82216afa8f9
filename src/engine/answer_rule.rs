//! Answers what people say of rules: pure. A veto needs no lead: whoever is attached may stop what
//! would start by itself.

use crate::model::entry::Event;
use crate::model::situation::Situation;
use crate::text::SafeText;

use super::answer::{Refusal, refuse};

/// Whether a rule can be kept from acting: it has to be about to.
pub(super) fn veto(
    situation: &Situation,
    rule: &SafeText,
    reason: &SafeText,
) -> Result<Vec<Event>, Refusal> {
    if reason.is_empty() {
        return refuse("a reason is missing", "say why: it stands in the timeline");
    }
    match &situation.rules.proposal {
        Some(proposal) if proposal.fired.rule == rule.as_str() => Ok(Vec::new()),
        Some(proposal) => refuse(
            format!("rule {rule} is about to do nothing"),
            format!("look again: it is rule {} now", proposal.fired.rule),
        ),
        None => match situation.open_run() {
            Some(run) => {
                refuse(format!("run {} has begun", run.id), "stop it: backout abort, or x")
            }
            None => refuse("no rule is about to act", "nothing needs to be done"),
        },
    }
}

/// Whether rules can be frozen, or let go on.
pub(super) fn freeze(
    situation: &Situation,
    freezes: bool,
    reason: &SafeText,
) -> Result<Vec<Event>, Refusal> {
    if reason.is_empty() {
        return refuse("a reason is missing", "say why: it stands in the timeline");
    }
    if !freezes && situation.frozen().is_none() {
        return refuse("the rules are not frozen", "nothing needs to be done");
    }
    Ok(Vec::new())
}
