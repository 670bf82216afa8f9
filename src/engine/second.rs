//! The second of two people: a level that the configuration names in `two_person` starts when
//! another user approves the same plan, not before.

use crate::model::approval::{Asked, LASTS};
use crate::model::entry::Event;
use crate::model::ids::{Digest, Time};
use crate::model::situation::Situation;
use crate::text::SafeText;

use super::answer::{Asker, Refusal, refuse};

/// Whether `asker` is the second person for this plan: they need not lead.
pub(super) fn is_second(situation: &Situation, asker: &Asker, plan: &Digest) -> bool {
    let two = situation.plan.as_ref().is_some_and(|open| open.plan.face.two_person);
    let first = situation.approved_by(plan, asker.at);
    two && first.is_some_and(|first| first.who.uid != asker.author.uid)
}

/// What an approval of a plan for two makes: nothing when it is the second, which starts it; else
/// the word that is kept.
pub(super) fn approve(
    situation: &Situation,
    asker: &Asker,
    plan: &Digest,
    (reason, accept_loss): (&SafeText, Option<u64>),
) -> Result<Vec<Event>, Refusal> {
    let two = situation.plan.as_ref().is_some_and(|open| open.plan.face.two_person);
    if !two || is_second(situation, asker, plan) {
        return Ok(Vec::new());
    }
    if let Some(first) = situation.approved_by(plan, asker.at) {
        let left = (first.at + LASTS - asker.at).num_minutes() + 1;
        return refuse(
            format!("{} has approved it: a second person is missing", first.who.name),
            format!("another user types backout approve within {left} min"),
        );
    }
    let who = asker.author.clone();
    let (plan, reason) = (plan.clone(), reason.clone());
    Ok(vec![Event::ApprovalAsked(Asked { plan, who, reason, accept_loss })])
}

/// Who starts it and with which accepted loss, when this approval starts it: both names, and the
/// word of the first.
pub(super) fn started_by(
    situation: &Situation,
    plan: &Digest,
    now: Time,
    (by, accept_loss): (SafeText, Option<u64>),
) -> (SafeText, Option<u64>) {
    match situation.approved_by(plan, now) {
        Some(first) => {
            let both = format!("{} and {by}", first.who.name);
            (SafeText::new(&both), first.accept_loss)
        }
        None => (by, accept_loss),
    }
}
