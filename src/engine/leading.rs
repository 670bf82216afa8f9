//! Who may start things: asked for, handed over, taken over. Pure.

use crate::model::entry::Event;
use crate::model::situation::Situation;
use crate::text::SafeText;

use super::answer::{Asker, Refusal, refuse};

/// What comes of a person wanting the lead: a living lead is asked, a silent one keeps it for a
/// while, nobody's is taken.
pub(super) fn take(
    situation: &Situation,
    asker: &Asker,
    reason: &SafeText,
) -> Result<Vec<Event>, Refusal> {
    if asker.leads {
        return refuse("you lead already", "go on");
    }
    let term = situation.lead.as_ref().map_or(0, |lead| lead.term);
    let Some(lead) = situation.lead.as_ref().filter(|_| asker.lead_alive) else {
        return Ok(vec![Event::LeadTaken { who: asker.author.clone(), term: term + 1 }]);
    };
    if let Some(left) = asker.silent_for {
        return refuse(
            format!(
                "{}'s line is gone since a moment: the lead can be taken in {left} s",
                lead.who.name
            ),
            "stop the run at once if it must be (abort is open to everyone), and try again then",
        );
    }
    let mine = |ask: &&crate::model::situation::LeadAsk| {
        (ask.who.uid, &ask.who.name) == (asker.author.uid, &asker.author.name)
    };
    if let Some(ask) = situation.lead_asked.iter().find(mine) {
        return refuse(
            format!("{} was asked at {} and leads", lead.who.name, ask.at.format("%H:%M:%SZ")),
            "wait for them; stopping is open to everyone",
        );
    }
    Ok(vec![Event::LeadAsked { who: asker.author.clone(), reason: reason.clone() }])
}

/// What comes of the lead giving it to the one who asked.
pub(super) fn hand(
    situation: &Situation,
    asker: &Asker,
    (uid, name): (u32, &SafeText),
    note: &SafeText,
) -> Result<Vec<Event>, Refusal> {
    if !asker.leads {
        return refuse("you do not lead", "only the lead hands the lead over");
    }
    let asked = situation.lead_asked.iter();
    let Some(to) = asked.rev().find(|ask| ask.who.uid == uid && &ask.who.name == name) else {
        return refuse(format!("{name} does not ask for the lead"), "look who asks now");
    };
    let term = situation.lead.as_ref().map_or(0, |lead| lead.term);
    let taken = Event::LeadTaken { who: to.who.clone(), term: term + 1 };
    if note.is_empty() {
        return Ok(vec![taken]);
    }
    Ok(vec![Event::Noted { by: asker.author.name.clone(), text: note.clone() }, taken])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::Author;
    use crate::model::situation::{Lead, LeadAsk};

    fn person(uid: u32, name: &str) -> Author {
        Author { uid, name: name.into(), ..Author::default() }
    }

    fn led_by_alice() -> Situation {
        let lead = Lead { who: person(1, "alice"), term: 4, lost_at: None };
        Situation { lead: Some(lead), ..Situation::default() }
    }

    fn asker(uid: u32, name: &str) -> Asker {
        Asker {
            author: person(uid, name),
            read_only: false,
            leads: name == "alice",
            lead_alive: true,
            silent_for: None,
            at: crate::model::sample::at(0),
        }
    }

    #[test]
    fn a_living_lead_is_asked_and_not_twice() {
        let mut situation = led_by_alice();
        let bob = asker(2, "bob");
        let events = take(&situation, &bob, &"train".into()).unwrap();
        let expected = Event::LeadAsked { who: person(2, "bob"), reason: "train".into() };
        assert_eq!(events, [expected]);
        let at = chrono::DateTime::UNIX_EPOCH;
        let ask = LeadAsk { at, who: person(2, "bob"), reason: "train".into() };
        situation.lead_asked.push(ask);
        assert!(take(&situation, &bob, &"train".into()).unwrap_err().why.contains("was asked"));
    }

    #[test]
    fn a_lead_whose_line_has_just_gone_keeps_it_and_one_long_gone_does_not() {
        let situation = led_by_alice();
        let soon = Asker { silent_for: Some(12), ..asker(2, "bob") };
        assert!(take(&situation, &soon, &"x".into()).unwrap_err().why.contains("in 12 s"));
        let late = Asker { lead_alive: false, ..asker(2, "bob") };
        let events = take(&situation, &late, &"x".into()).unwrap();
        assert_eq!(events, [Event::LeadTaken { who: person(2, "bob"), term: 5 }]);
    }

    #[test]
    fn only_the_lead_hands_over_and_only_to_one_who_asks() {
        let mut situation = led_by_alice();
        let (alice, bob) = (asker(1, "alice"), asker(2, "bob"));
        let to = (2, &SafeText::from("bob"));
        assert!(hand(&situation, &alice, to, &"".into()).is_err());
        let at = chrono::DateTime::UNIX_EPOCH;
        situation.lead_asked.push(LeadAsk { at, who: person(2, "bob"), reason: "x".into() });
        assert!(hand(&situation, &bob, to, &"".into()).is_err());
        let events = hand(&situation, &alice, to, &"green hangs".into()).unwrap();
        assert!(matches!(&events[0], Event::Noted { text, .. } if text.as_str() == "green hangs"));
        assert_eq!(events[1], Event::LeadTaken { who: person(2, "bob"), term: 5 });
        assert!(hand(&situation, &alice, (3, &"bob".into()), &"".into()).is_err(), "another uid");
    }
}
