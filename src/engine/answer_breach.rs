//! Answers what is said of a security breach: pure. Preserve, isolate, wait: while one stands nothing
//! starts, and only another person ends it (S-53, W-05).

use crate::model::entry::Event;
use crate::model::guide::BREACH_GUIDE;
use crate::model::ids::NodeId;
use crate::model::situation::Situation;
use crate::model::tree::{Answer, BREACH, TreeVerdict};

use super::answer::{Asker, Refusal, refuse};

/// Whether no breach stands: whatever starts, goes on, or closes over it asks first.
pub(super) fn none(situation: &Situation) -> Result<(), Refusal> {
    let verdict = situation.assessment.as_ref().map(|assessment| assessment.verdict);
    if situation.breach().is_some() || verdict == Some(TreeVerdict::Isolate) {
        return refuse(
            "node 0 says breach: a rollback would destroy evidence",
            "preserve and isolate (backout guide show security-breach); another person gives the \
             security_release: backout breach release --reason WHY",
        );
    }
    Ok(())
}

/// Whether a step of a procedure may change something: only those of the breach itself.
pub(super) fn may_change(situation: &Situation, guide: &str) -> Result<(), Refusal> {
    if guide == BREACH_GUIDE { Ok(()) } else { none(situation) }
}

/// An answer to a question of the tree. A reported breach pauses the open run; it is released by
/// another person only, whatever the one who said it thinks now, and never by not knowing.
pub(super) fn answered(
    situation: &Situation,
    asker: &Asker,
    node: &NodeId,
    answer: Answer,
) -> Result<Vec<Event>, Refusal> {
    if node.as_str() != BREACH {
        return Ok(Vec::new());
    }
    match (answer, situation.breach()) {
        (Answer::Yes, None) => {
            let runs = situation.open_run().is_some_and(|run| !run.paused);
            Ok(if runs { vec![Event::Paused] } else { Vec::new() })
        }
        (Answer::Unknown, Some(_)) => refuse(
            "a breach stands: not knowing does not release it",
            "say no once the security team has released it",
        ),
        (Answer::No, Some(said)) if said.uid == asker.author.uid => refuse(
            format!("{} said breach: another person must release it", said.by),
            "ask the security team; under their own user: backout breach release --reason WHY",
        ),
        (Answer::Yes | Answer::No, Some(_)) | (Answer::No | Answer::Unknown, None) => {
            Ok(Vec::new())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::{Author, Command};
    use crate::model::sample::{Tape, level_one};

    fn asker(uid: u32) -> Asker {
        Asker {
            author: Author { uid, name: format!("u{uid}").as_str().into(), ..Author::default() },
            read_only: false,
            leads: true,
            lead_alive: true,
            silent_for: None,
            at: crate::model::sample::at(5),
        }
    }

    #[test]
    fn a_breach_pauses_the_run_holds_everything_and_only_another_uid_ends_it() {
        let node = NodeId::from(BREACH);
        let mut tape = Tape::new();
        tape.started(level_one());
        let says = |tape: &Tape, uid, what| answered(&tape.situation, &asker(uid), &node, what);
        assert_eq!(says(&tape, 1000, Answer::Yes), Ok(vec![Event::Paused]));
        tape.command(Command::Answer { node: node.clone(), assessment: 0, answer: Answer::Yes });
        assert!(none(&tape.situation).is_err());
        assert!(may_change(&tape.situation, "complete-outage").is_err());
        assert_eq!(may_change(&tape.situation, BREACH_GUIDE), Ok(()));
        let own = says(&tape, 1000, Answer::No).unwrap_err();
        assert!(own.why.contains("another person must release it"), "{own:?}");
        assert!(says(&tape, 1001, Answer::Unknown).is_err());
        assert_eq!(says(&tape, 1001, Answer::No), Ok(Vec::new()));
    }

    #[test]
    fn the_end_of_an_incident_is_no_release() {
        let mut tape = Tape::new();
        tape.command(Command::Answer { node: BREACH.into(), assessment: 0, answer: Answer::Yes });
        tape.event(Event::IncidentClosed { why: "by itself".into() });
        assert!(none(&tape.situation).is_err());
    }
}
