//! Answers steps of guided procedures: pure. A step that looks needs no lead, one that changes
//! something does.

use crate::model::entry::Event;
use crate::model::guide::Deed;
use crate::model::situation::Situation;

use super::answer::{Asker, Refusal, lead, refuse};
use super::answer_lock;

/// Steps that run at once, at most.
const AT_ONCE: usize = 4;

/// Whether a step can be done now.
pub(super) fn step(
    situation: &Situation,
    asker: &Asker,
    (guide, step): (&str, u8),
    deed: &Deed,
) -> Result<Vec<Event>, Refusal> {
    match deed {
        Deed::Done { .. } => return Ok(Vec::new()),
        Deed::Look => {}
        Deed::Change => {
            lead(situation, asker)?;
            answer_lock::not_stopped(situation, asker)?;
            super::answer_breach::may_change(situation, guide)?;
        }
    }
    let runs = |mark: &&_| {
        let mark: &crate::model::guide::GuideMark = mark;
        mark.guide.as_str() == guide && mark.step == step
    };
    if situation.guides_running().any(|mark| runs(&mark)) {
        return refuse(format!("step {step} of {guide} runs already"), "wait for its end");
    }
    if situation.guides_running().count() >= AT_ONCE {
        return refuse(format!("{AT_ONCE} steps run already"), "wait until one has ended");
    }
    Ok(Vec::new())
}
