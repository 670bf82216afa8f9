//! Answers commands about holds and leftovers: pure. A hold rests on no fact and is never stale.

use crate::model::entry::{Author, Event, Leftover};
use crate::model::hold::{DUE, HoldPart};
use crate::model::ids::Time;
use crate::model::leftover::{self, About};
use crate::model::situation::Situation;
use crate::text::SafeText;

use super::answer::{Refusal, refuse};

/// Whether a hold may be asked for, or its end.
pub(super) fn asked(parts: &[HoldPart], reason: &SafeText) -> Result<(), Refusal> {
    if parts.is_empty() {
        return refuse("it names nothing", "name what: page, writers or consumers");
    }
    if reason.is_empty() {
        return refuse("a reason is missing", "say why: it stands in the timeline");
    }
    Ok(())
}

/// A leftover is released by its name; what a look can prove is not released by a word.
pub(super) fn release(
    situation: &Situation,
    author: &Author,
    name: &SafeText,
    reason: &SafeText,
) -> Result<Vec<Event>, Refusal> {
    let leftover = there(situation, name, reason)?;
    if let Some(About::Hold(part)) = &leftover.about {
        return refuse(
            format!("{} still held, as far as is known", part.words()),
            format!("lift it, which releases it: backout unhold {part} --reason WHY"),
        );
    }
    if let Some(About::Lock(kind)) = &leftover.about {
        return Err(super::answer_lock::is_lock(leftover, *kind));
    }
    Ok(vec![Event::LeftoverReleased { name: leftover.name.clone(), by: author.name.clone() }])
}

/// A leftover is handed to a name, and then no longer keeps the incident open.
pub(super) fn hand_over(
    situation: &Situation,
    name: &SafeText,
    to: &SafeText,
    reason: &SafeText,
) -> Result<(), Refusal> {
    there(situation, name, reason)?;
    if to.is_empty() {
        return refuse("a name is missing", "say who looks after it from now on");
    }
    Ok(())
}

fn there<'a>(
    situation: &'a Situation,
    name: &SafeText,
    reason: &SafeText,
) -> Result<&'a Leftover, Refusal> {
    if reason.is_empty() {
        return refuse("a reason is missing", "say why: it stands in the timeline");
    }
    match situation.leftovers.iter().find(|leftover| &leftover.name == name) {
        Some(leftover) => Ok(leftover),
        None => refuse(format!("nothing is left over as {name}"), "look: backout leftovers"),
    }
}

/// An incident is not closed over something that is neither released nor handed over.
pub(super) fn nothing_open(situation: &Situation) -> Result<(), Refusal> {
    let open: Vec<String> = leftover::open(situation)
        .map(|leftover| format!("{} (undo: {})", leftover.name, leftover.undo))
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    refuse(
        format!("left over: {}", open.join("; ")),
        "undo it, or: backout leftovers release NAME --reason WHY, or: backout leftovers \
         hand-over NAME --to WHO --reason WHY",
    )
}

/// What a hold leaves from the moment it is asked for: an engine that dies before it is proved
/// must not leave it unlisted.
pub(super) fn leftover_of(part: HoldPart, owner: &SafeText, now: Time) -> Event {
    Event::LeftoverNoted {
        leftover: Leftover {
            name: part.leftover(),
            owner: owner.clone(),
            undo: part.undo(),
            due: Some(now + DUE),
            since: Some(now),
            about: Some(About::Hold(part)),
            handed_to: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::{Asker, answer};
    use super::*;
    use crate::model::entry::Command;
    use crate::model::hold::HoldCard;
    use crate::model::incident::Incident;

    fn asker(leads: bool, read_only: bool) -> Asker {
        let author = Author { uid: 1000, name: "bob".into(), ..Author::default() };
        Asker {
            author,
            read_only,
            leads,
            lead_alive: true,
            silent_for: None,
            at: crate::model::sample::at(0),
        }
    }

    fn hold(parts: &[HoldPart], reason: &str) -> Command {
        Command::Hold { parts: parts.to_vec(), reason: reason.into() }
    }

    fn ask(situation: &Situation, asker: &Asker, command: &Command) -> Result<usize, Refusal> {
        let accepted = answer(situation, asker, &"c-1".into(), command)?;
        Ok(accepted.events.len())
    }

    /// An incident with a stopped version left over, and writers held.
    fn situation() -> Situation {
        let now = Time::default();
        let Event::LeftoverNoted { leftover: held } =
            leftover_of(HoldPart::Writers, &"bob".into(), now)
        else {
            panic!("a hold leaves something");
        };
        let stopped = Leftover {
            name: "green stopped, kept".into(),
            undo: "start it".into(),
            ..Leftover::default()
        };
        let card = HoldCard {
            held: true,
            by: "bob".into(),
            reason: "why".into(),
            asked: 1,
            attempt: 1,
            ended: None,
            since: Some(now),
            changed_at: now,
            workers: Vec::new(),
        };
        Situation {
            incident: Some(Incident {
                informed: None,
                id: 1,
                opened_at: now,
                began: None,
                why: "errors".into(),
                runs: 1,
            }),
            leftovers: vec![stopped, held],
            holds: [(HoldPart::Writers, card)].into(),
            ..Situation::default()
        }
    }

    #[test]
    fn everyone_who_may_command_holds_and_lifts_and_needs_a_reason() {
        let situation = situation();
        let command = hold(&[HoldPart::Page], "why");
        assert!(ask(&situation, &asker(false, false), &command).is_ok(), "without the lead");
        assert!(ask(&situation, &asker(true, true), &command).is_err(), "not who only looks");
        assert!(ask(&situation, &asker(true, false), &hold(&[HoldPart::Page], "")).is_err());
        assert!(ask(&situation, &asker(true, false), &hold(&[], "why")).is_err());
        let again = hold(&[HoldPart::Writers], "again");
        assert!(ask(&situation, &asker(false, false), &again).is_ok(), "never stale");
        let lift = Command::Unhold { parts: vec![HoldPart::Writers], reason: "good".into() };
        assert!(ask(&situation, &asker(false, false), &lift).is_ok());
    }

    #[test]
    fn an_incident_is_closed_only_when_each_leftover_is_released_or_handed_over() {
        let mut situation = situation();
        let lead = asker(true, false);
        let refused = ask(&situation, &lead, &Command::Close).unwrap_err();
        for part in ["green stopped, kept (undo: start it)", "writers held (undo: backout unhold"] {
            assert!(refused.why.contains(part), "{}", refused.why);
        }
        assert!(refused.hint.contains("backout leftovers hand-over NAME --to WHO"));
        for leftover in &mut situation.leftovers {
            leftover.handed_to = Some("dana".into());
        }
        assert_eq!(ask(&situation, &lead, &Command::Close), Ok(1));
        situation.leftovers.clear();
        assert_eq!(ask(&situation, &lead, &Command::Close), Ok(1));
    }

    #[test]
    fn a_hold_is_released_by_lifting_it_and_not_by_a_word() {
        let situation = situation();
        let lead = asker(true, false);
        let release = |name: &str, reason: &str| Command::Release {
            name: name.into(),
            reason: reason.into(),
        };
        let refused = ask(&situation, &lead, &release("writers held", "why")).unwrap_err();
        assert!(refused.hint.contains("backout unhold writers"), "{}", refused.hint);
        assert_eq!(ask(&situation, &lead, &release("green stopped, kept", "why")), Ok(1));
        assert!(ask(&situation, &lead, &release("green stopped, kept", "")).is_err());
        assert!(ask(&situation, &lead, &release("nothing", "why")).is_err());
        let follower = asker(false, false);
        assert!(ask(&situation, &follower, &release("green stopped, kept", "why")).is_err());
        let over = |name: &str, to: &str| Command::HandOver {
            name: name.into(),
            to: to.into(),
            reason: "night".into(),
        };
        assert_eq!(ask(&situation, &lead, &over("writers held", "dana")), Ok(0));
        assert!(ask(&situation, &lead, &over("writers held", "")).is_err());
        assert!(ask(&situation, &lead, &over("nothing", "dana")).is_err());
    }
}
