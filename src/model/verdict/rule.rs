//! A rule is about to act, or asks a person to: what starts by itself comes before every other key.

use crate::model::rule::{Mode, is_author};
use crate::model::situation::Situation;

use super::words::{clock, first_fit, part, span};
use super::{Lines, Seen};

/// Whether a rule has something on the table; where a person has a plan there, that one counts.
pub(super) fn proposes(situation: &Situation) -> bool {
    let own = situation.plan.as_ref().is_some_and(|open| !is_author(&open.by));
    situation.rules.proposal.is_some() && situation.open_run().is_none() && !own
}

/// The next key is about what the rule wants.
pub(super) fn mark(seen: Seen<'_>, lines: Lines) -> Lines {
    let situation = seen.situation;
    let proposal = situation.rules.proposal.as_ref().filter(|_| proposes(situation));
    let Some(proposal) = proposal else { return lines };
    let fired = &proposal.fired;
    let (rule, level) = (part(&fired.rule, 24), fired.level);
    let held = situation.rules.cards.get(&fired.rule).and_then(|card| card.held.as_ref());
    let next = match (fired.mode, held, fired.starts_at) {
        (Mode::Enforce, Some(why), _) => first_fit(&[
            format!("Rule {rule} wants level {level}, held: {}. V vetoes.", part(why.as_str(), 60)),
            format!("Rule {rule} wants level {level} and is held. V vetoes, O takes over."),
        ]),
        (Mode::Enforce, None, Some(at)) if at > seen.now => {
            let left = clock(span(seen.now, at));
            format!("Rule {rule} starts level {level} in {left}. V vetoes, O takes over.")
        }
        (Mode::Enforce, None, _) => {
            format!("Rule {rule} starts level {level} now. V vetoes, O takes over.")
        }
        (Mode::Propose | Mode::DryRun, ..) => first_fit(&[
            format!("Rule {rule} proposes level {level}, starts nothing. O takes over, V vetoes."),
            format!("Rule {rule} proposes level {level}. O takes over, V vetoes."),
        ]),
    };
    Lines { next, ..lines }
}
