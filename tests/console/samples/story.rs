//! Stories: entries folded one after the other, up to a failing deploy.

use std::time::Duration;

use backout::model::entry::{Author, Body, Change, Command, Entry, Event};
use backout::model::ids::Digest;

use backout::model::plan::{Level, LevelCard, LevelStanding};
use backout::model::reading::{Reason, Status};
use backout::model::severity::Severity;
use backout::model::situation::Situation;
use backout::model::tree::{Answer, Answered, Assessment, Burst, HelpTest, TreeVerdict};

use super::at;

/// The person at this console.
pub(crate) fn alice() -> Author {
    Author { uid: 1000, name: "alice".into(), ..Author::default() }
}

pub(super) fn engine() -> Author {
    Author { name: "engine".into(), engine: true, ..Author::default() }
}

/// A journal in memory: every entry is folded as a reader would fold it.
#[derive(Clone, Default)]
pub(crate) struct Story {
    pub(crate) situation: Situation,
    seq: u64,
    /// What was folded: second, author, body.
    pub(crate) entries: Vec<(i64, Author, Body)>,
}

impl Story {
    /// Goes on from a situation.
    pub(crate) fn going_on(situation: &Situation) -> Self {
        Self { situation: situation.clone(), seq: situation.seq, entries: Vec::new() }
    }

    pub(crate) fn event(&mut self, second: i64, event: Event) -> &mut Self {
        self.entry(second, engine(), Body::Event(Box::new(event)))
    }

    pub(crate) fn command(&mut self, second: i64, command: Command) -> &mut Self {
        let id = format!("c{}", self.seq).as_str().into();
        self.entry(second, alice(), Body::Command(id, command))
    }

    fn entry(&mut self, second: i64, author: Author, body: Body) -> &mut Self {
        self.seq += 1;
        self.entries.push((second, author.clone(), body.clone()));
        self.situation.apply(&Entry {
            seq: self.seq,
            v: 1,
            incident: None,
            at: at(second),
            author,
            epoch: 1,
            prev: Digest::default(),
            body,
        });
        self
    }
}

pub(crate) fn check(
    second: i64,
    name: &str,
    status: Status,
    note: &str,
    reason: Option<Reason>,
) -> Event {
    Event::CheckChanged {
        check: name.into(),
        status,
        reason,
        note: note.into(),
        since: at(second),
        critical: name == "api-health",
    }
}

pub(super) fn quiet() -> Story {
    let mut story = Story::default();
    story.event(
        0,
        Event::EngineStarted {
            journal: "k7qd".into(),
            pid: 4711,
            host: "bastion-1".into(),
            boot: "b00t".into(),
            version: "0.1.0".into(),
            environment: "shop/eu1".into(),
            production: true,
            config: Digest::of(b"config"),
        },
    );
    let checks = [
        ("api-health", "200"),
        ("checkout", "200"),
        ("documents", "200"),
        ("db-primary", "412 rows"),
        ("proxy", "connects"),
        ("sessions", "200"),
        ("users", "200"),
        ("web", "200"),
        ("disk", "41 %"),
    ];
    for (name, note) in checks {
        story.event(1, check(1, name, Status::Ok, note, None));
    }
    story.event(
        2,
        Event::ChangeSeen {
            change: Change {
                at: at(-30),
                version: "v2.5.0".into(),
                color: Some("green".into()),
                by: "dana".into(),
                reference: "ci#4711".into(),
                schema: Some(105),
                ..Change::default()
            },
        },
    );
    story
}

pub(super) fn node(id: &str, question: &str, answer: Answer, evidence: &str) -> Answered {
    Answered {
        node: id.into(),
        question: question.to_owned(),
        answer,
        by: None,
        value: None,
        reason: None,
        evidence: vec![evidence.into()],
        on_path: true,
        asks: false,
        against: None,
    }
}

pub(crate) fn assessment(number: u64) -> Assessment {
    let mut breach = node("0", "Breach?", Answer::Unknown, "only a person can say");
    breach.asks = true;
    breach.evidence.clear();
    let mut corrupt = node("4", "Corrupt data?", Answer::Unknown, "");
    corrupt.reason = Some(Reason::NoPermission);
    corrupt.evidence.clear();
    corrupt.asks = true;
    Assessment {
        number,
        severity: Severity::High,
        could_be: Severity::Critical,
        since: at(20),
        deadline: Some(at(320)),
        clock: None,
        because: vec!["error_rate: 14.2 % of 1,450 requests in 30 s".into()],
        verdict: TreeVerdict::RollBack,
        suggests: Some(Level::Switch),
        path: vec![
            breach,
            node("1", "Down?", Answer::No, "0/3 replicas down"),
            node("2", "Errors > 10 %?", Answer::Yes, "14.2 %"),
            node("3", "Slow > 5 s?", Answer::No, "p95 1.9 s"),
            corrupt,
        ],
    }
}

pub(super) fn cards() -> Vec<LevelCard> {
    vec![
        LevelCard {
            level: Level::Switch,
            standing: LevelStanding::Ready,
            why: "switch to blue, which runs v2.4.9 and answers 20/20; the schema gate is passed"
                .into(),
            estimate: Some(Duration::from_secs(70)),
            data: "none changed, none lost".into(),
            point: Some("live-blue".into()),
            version: Some("v2.4.9".into()),
        },
        LevelCard {
            level: Level::Full,
            standing: LevelStanding::NotProven,
            why: "the down scripts 105 -> 104 were never run here".into(),
            estimate: Some(Duration::from_secs(520)),
            data: "users.preferences is dropped".into(),
            point: Some("20251121-091200".into()),
            version: Some("v2.4.9".into()),
        },
        LevelCard {
            level: Level::PointInTime,
            standing: LevelStanding::Blocked,
            why: "no restore was ever tested from the last backup".into(),
            estimate: None,
            data: "the last 11:20 min of writes".into(),
            point: None,
            version: None,
        },
    ]
}

pub(super) fn failing() -> Story {
    let mut story = quiet();
    story
        .event(14, check(14, "api-health", Status::Fail, "503, expected 200", None))
        .event(15, check(15, "checkout", Status::Fail, "502, expected 200", None))
        .event(
            16,
            check(
                16,
                "db-replica",
                Status::Unknown,
                "password rejected",
                Some(Reason::NoPermission),
            ),
        )
        .event(
            20,
            Event::IncidentOpened { incident: 142, why: "severity HIGH: 14.2 % errors".into() },
        )
        .event(20, Event::Assessed { assessment: Box::new(assessment(1)) })
        .event(22, Event::LevelsJudged { cards: cards() })
        .event(
            24,
            Event::HelpTested {
                test: HelpTest {
                    at: at(24),
                    failing: Burst {
                        color: "green".into(),
                        version: "v2.5.0".into(),
                        asked: 20,
                        answered: 17,
                        p95: Some(Duration::from_millis(1_900)),
                    },
                    target: Some(Burst {
                        color: "blue".into(),
                        version: "v2.4.9".into(),
                        asked: 20,
                        answered: 20,
                        p95: Some(Duration::from_millis(38)),
                    }),
                    shared_failing: None,
                },
            },
        )
        .event(25, Event::LeadTaken { who: alice(), term: 1 });
    story
}
