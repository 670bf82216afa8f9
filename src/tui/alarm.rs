//! What is drawn at once, even for a terminal that gets few frames: a change for the worse.

use crate::model::incident::{Run, RunState};
use crate::model::reading::Status;
use crate::model::situation::Situation;

/// Whether a check began to fail, an incident opened, or a run went into another state.
pub(super) fn got_worse(old: &Situation, new: &Situation) -> bool {
    if old.seq == new.seq {
        return false;
    }
    let opened = |situation: &Situation| situation.incident.as_ref().map(|incident| incident.id);
    let run =
        |situation: &Situation| -> Option<RunState> { situation.run.as_ref().map(Run::state) };
    let begins = new.checks.iter().any(|(check, card)| {
        card.status == Status::Fail
            && old.checks.get(check).is_none_or(|before| before.status != Status::Fail)
    });
    begins || run(old) != run(new) || (opened(new).is_some() && opened(old) != opened(new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::Time;
    use crate::model::situation::CheckCard;

    fn with(seq: u64, status: Status) -> Situation {
        let card = CheckCard {
            status,
            reason: None,
            since: Time::UNIX_EPOCH,
            note: "".into(),
            critical: true,
        };
        let mut situation = Situation { seq, ..Situation::default() };
        situation.checks.insert("api".into(), card);
        situation
    }

    #[test]
    fn a_check_that_begins_to_fail_is_worse_and_one_that_still_fails_is_not() {
        let (well, fails) = (with(1, Status::Ok), with(2, Status::Fail));
        assert!(got_worse(&well, &fails));
        assert!(got_worse(&Situation::default(), &fails));
        assert!(!got_worse(&fails, &with(3, Status::Fail)));
        assert!(!got_worse(&fails, &with(3, Status::Ok)));
    }
}
