use super::*;
use crate::model::entry::{Body, Command, Event};
use crate::model::sample::{alice, at};

fn step(line: &str, matches: Option<&str>) -> GuideStep {
    GuideStep {
        title: "look".into(),
        text: Vec::new(),
        act: Act::Look(line.to_owned()),
        expect: "well".into(),
        danger: SafeText::default(),
        matches: matches.map(str::to_owned),
    }
}

#[test]
fn what_could_not_be_looked_at_is_never_good() {
    let plain = step("nginx -t", None);
    assert_eq!(GuideEnd::of(&plain, Some(0), "ok"), GuideEnd::Good);
    assert_eq!(GuideEnd::of(&plain, Some(1), "a\nbad\n"), GuideEnd::Bad("exit 1: bad".into()));
    for code in [Some(126), Some(127), None] {
        assert!(matches!(GuideEnd::of(&plain, code, "sh: no"), GuideEnd::Unknown(_)));
    }
    let own = step("backout check", None);
    assert!(matches!(GuideEnd::of(&own, Some(3), "not known"), GuideEnd::Unknown(_)));
    assert!(matches!(GuideEnd::of(&own, Some(2), "down"), GuideEnd::Bad(_)));
    let says = step("curl -s x", Some("^ready$"));
    assert_eq!(GuideEnd::of(&says, Some(0), "a\nready\n"), GuideEnd::Good);
    assert!(matches!(GuideEnd::of(&says, Some(0), "not ready"), GuideEnd::Bad(_)));
}

#[test]
fn a_mark_says_who_and_how_it_ended_and_old_ones_go() {
    let mut situation = Situation::default();
    let mut seq = 0;
    let mut apply = |situation: &mut Situation, body: Body| {
        seq += 1;
        situation.apply(&Entry {
            seq,
            v: 1,
            incident: None,
            at: at(90),
            author: alice(),
            epoch: 1,
            prev: Digest::default(),
            body,
        });
    };
    let ask = |step: u8, deed: Deed| {
        let command =
            Command::Guide { guide: "outage".into(), step, digest: Digest::default(), deed };
        Body::Command(format!("c{step}").as_str().into(), command)
    };
    apply(&mut situation, ask(1, Deed::Look));
    assert_eq!(situation.guides_running().count(), 1);
    apply(
        &mut situation,
        Body::Event(Box::new(Event::GuideEnded {
            guide: "outage".into(),
            step: 1,
            end: GuideEnd::Bad("exit 1".into()),
            tail: (1..=20).map(|at| SafeText::new(&format!("line {at}"))).collect(),
        })),
    );
    let mark = situation.guided("outage", 1).unwrap();
    assert_eq!((mark.by.as_str(), mark.end.as_ref().unwrap().word()), ("alice", "FAIL"));
    let ends = (mark.tail[0].as_str(), mark.tail[TAIL - 1].as_str());
    assert_eq!(ends, ("line 13", "line 20"));
    apply(&mut situation, ask(2, Deed::Done { note: "told #ops".into() }));
    assert_eq!(situation.guided("outage", 2).unwrap().end.as_ref().unwrap().word(), "done");
    for number in 3..100 {
        apply(&mut situation, ask(number, Deed::Done { note: SafeText::default() }));
    }
    assert_eq!(situation.guides.len(), REMEMBERED);
    assert!(situation.guided("outage", 1).is_none());
}

#[test]
fn upkeep_is_overdue_until_it_is_done_and_again_after_its_days() {
    let mut situation = Situation::default();
    let guide = Guide {
        id: "maintenance-weekly".to_owned(),
        title: "Every week".into(),
        rows: Vec::new(),
        words: Vec::new(),
        platforms: Vec::new(),
        version: "1.0".into(),
        reviewed: at(0).date_naive(),
        review_days: 90,
        every_days: Some(7),
        intro: Vec::new(),
        steps: vec![step("a", None), step("b", None)],
        digest: Digest::default(),
    };
    assert_eq!(guide.overdue_steps(&situation, at(0)), 2);
    situation.guides.push(GuideMark {
        guide: "maintenance-weekly".into(),
        step: 2,
        by: "alice".into(),
        at: at(0),
        end: Some(GuideEnd::ByHand("looked".into())),
        tail: Vec::new(),
    });
    let due = |days: i64| guide.due(&situation, 2, at(days * 86_400)).unwrap();
    assert!(due(1).starts_with("next on "), "{}", due(1));
    assert_eq!(due(9), "OVERDUE by 2 days");
    assert_eq!(guide.overdue_steps(&situation, at(86_400)), 1);
    let other = Guide { every_days: None, ..guide };
    assert_eq!(other.due(&situation, 1, at(0)), None);
}
