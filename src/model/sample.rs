//! What tests of the model are made of.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeZone as _;

use crate::text::SafeText;

use super::entry::{Author, Body, Change, Command, Entry, Event, FORMAT};
use super::ids::{CheckId, Digest, Epoch, RunId, StepId, Time};
use super::plan::{
    Class, Hazard, Level, LevelCard, LevelStanding, OnFailure, Plan, PlanCore, PlanFace, StepFace,
    StepSpec,
};
use super::reading::{Finding, Phases, Policy, Reading, Reason, Track, Why, WhyClass};
use super::signal::{Recent, Role, Signal, SignalValue, Windows, signals};
use super::situation::Situation;
use super::tree::{Assessment, Burst, HelpTest, assess, built_in};

/// So many seconds after the beginning, which is 2026-11-21T23:50:00Z.
pub(crate) fn at(seconds: i64) -> Time {
    chrono::Utc.timestamp_opt(1_795_305_000 + seconds, 0).single().unwrap()
}

pub(crate) fn role(service: &str) -> Role {
    Role {
        service: service.into(),
        critical: true,
        counts_requests: true,
        database: false,
        corruption: false,
    }
}

pub(crate) fn good() -> Finding {
    Finding::Good
}

pub(crate) fn bad(class: WhyClass, text: &str) -> Finding {
    Finding::Bad { why: Why { class, text: text.into() } }
}

pub(crate) fn unknown(reason: Reason) -> Finding {
    Finding::Unknown { reason }
}

pub(crate) fn reading(check: &str, second: i64, finding: Finding) -> Reading {
    let failed = u32::from(matches!(finding, Finding::Bad { .. }));
    Reading {
        check: check.into(),
        at: at(second),
        took: Duration::from_millis(40),
        phases: Phases::default(),
        latencies: if failed == 0 { vec![Duration::from_millis(40)] } else { Vec::new() },
        finding,
        value: None,
        unit: String::new(),
        note: "note".into(),
        failed_of: (failed, 1),
        facts: Vec::new(),
    }
}

/// A burst: so many failed of so many, each answered one after `ms`.
pub(crate) fn burst(check: &str, second: i64, failed_of: (u32, u32), ms: u64) -> Reading {
    let finding = if failed_of.0 > 0 { bad(WhyClass::Status, "503") } else { good() };
    Reading {
        failed_of,
        latencies: vec![Duration::from_millis(ms); (failed_of.1 - failed_of.0) as usize],
        ..reading(check, second, finding)
    }
}

pub(crate) fn policy() -> Policy {
    Policy { fail_after: 3, ok_after: 2, fail_window: None, stale_after: Duration::from_secs(30) }
}

/// Checks with their past, as the engine holds them.
#[derive(Default)]
pub(crate) struct Board {
    pub(crate) roles: BTreeMap<CheckId, Role>,
    pub(crate) tracks: BTreeMap<CheckId, Track>,
    pub(crate) recent: Recent,
}

impl Board {
    pub(crate) fn check(mut self, id: &str, role: Role) -> Self {
        self.roles.insert(id.into(), role);
        self.tracks.insert(id.into(), Track::new(at(0)));
        self
    }

    pub(crate) fn take(&mut self, reading: Reading) {
        self.recent.push(reading.clone());
        let track = self.tracks.get_mut(&reading.check).unwrap();
        track.take(reading, &policy());
    }

    pub(crate) fn signals(&self, second: i64) -> BTreeMap<String, Signal> {
        signals(&self.tracks, &self.roles, &self.recent, Windows::default(), at(second))
    }

    pub(crate) fn assess(&self, second: i64) -> Assessment {
        assess(&built_in(), &self.signals(second), &BTreeMap::new(), None, at(second))
    }
}

pub(crate) fn number(name: &str, value: f64) -> Signal {
    Signal {
        name: name.into(),
        value: SignalValue::Number(value),
        evidence: vec!["counted".into()],
    }
}

pub(crate) fn flag(name: &str, value: bool) -> Signal {
    Signal {
        name: name.into(),
        value: SignalValue::Flag(value),
        evidence: vec![format!("{name} seen").into()],
    }
}

pub(crate) fn not_known(name: &str, reason: Reason) -> Signal {
    Signal { name: name.into(), value: SignalValue::Unknown(reason), evidence: Vec::new() }
}

pub(crate) fn map(signals: Vec<Signal>) -> BTreeMap<String, Signal> {
    signals.into_iter().map(|signal| (signal.name.clone(), signal)).collect()
}

/// All known, all well.
pub(crate) fn all_well() -> BTreeMap<String, Signal> {
    map(vec![
        number("outage", 0.0),
        number("error_rate", 0.0),
        number("p95", 0.04),
        flag("corruption", false),
        flag("database_failure", false),
        flag("failed_health_checks", false),
        flag("minor_failure", false),
    ])
}

pub(crate) fn with(
    mut signals: BTreeMap<String, Signal>,
    changed: Vec<Signal>,
) -> BTreeMap<String, Signal> {
    signals.extend(map(changed));
    signals
}

pub(crate) fn step(id: &str, needs: &[&str]) -> StepSpec {
    StepSpec {
        id: id.into(),
        action: serde_json::json!({ id: {} }),
        needs: needs.iter().map(|need| StepId::from(*need)).collect(),
        class: Class::Converge,
        hazard: Hazard::Reversible,
        budget: Duration::from_secs(10),
        on_failure: OnFailure::Wait,
        expect_down: Vec::new(),
        expected_status: BTreeMap::new(),
        undo: None,
        beside_watch: false,
        asks: false,
        only_swap: false,
        only_beside: false,
    }
}

pub(crate) fn plan_of(steps: Vec<StepSpec>, undo: Vec<StepSpec>) -> Plan {
    let face = |spec: &StepSpec| StepFace {
        title: format!("{} it", spec.id).into(),
        preview: SafeText::default(),
        undo: "-".into(),
        estimate: Duration::from_secs(3),
        last: None,
        by_hand: vec![format!("do {}", spec.id).into()],
    };
    Plan {
        face: PlanFace {
            steps: steps.iter().map(face).collect(),
            data: "none changed, none lost".into(),
            estimate: Duration::from_secs(20),
            ..PlanFace::default()
        },
        core: PlanCore {
            level: Level::Switch,
            environment: "demo".into(),
            point: "live-blue".into(),
            manifest: None,
            identities: BTreeMap::new(),
            config: Digest::of(b"config"),
            from: "v2.5.0".into(),
            to: "v2.4.9".into(),
            steps,
            undo,
            watch: Duration::from_secs(30),
        },
        made_at: at(0),
    }
}

/// Level 1 as design 16 orders it.
pub(crate) fn level_one() -> Plan {
    let beside = |id: &str, needs: &[&str]| StepSpec { beside_watch: true, ..step(id, needs) };
    plan_of(
        vec![
            StepSpec { hazard: Hazard::Looks, ..step("verify", &[]) },
            StepSpec {
                undo: Some("switch_back".into()),
                class: Class::Probed,
                ..step("switch", &["verify"])
            },
            step("gate", &["switch"]),
            StepSpec { on_failure: OnFailure::GoOn, ..step("preserve", &["switch"]) },
            step("drain", &["gate"]),
            beside("keep", &["drain", "preserve"]),
            StepSpec { undo: Some("start_again".into()), ..beside("stop", &["keep"]) },
        ],
        vec![step("start_again", &[]), step("switch_back", &[])],
    )
}

pub(crate) fn alice() -> Author {
    Author { uid: 1000, name: "alice".into(), ..Author::default() }
}

/// A journal in memory.
pub(crate) struct Tape {
    pub(crate) situation: Situation,
    pub(crate) entries: Vec<Entry>,
    pub(crate) epoch: Epoch,
    pub(crate) now: i64,
}

impl Tape {
    pub(crate) fn new() -> Self {
        let mut tape =
            Self { situation: Situation::default(), entries: Vec::new(), epoch: 1, now: 0 };
        tape.engine();
        tape
    }

    fn body(&mut self, author: Author, body: Body) -> &mut Self {
        let entry = Entry {
            seq: self.situation.seq + 1,
            v: FORMAT,
            incident: None,
            at: at(self.now),
            author,
            epoch: self.epoch,
            prev: Digest::default(),
            body,
        };
        self.situation.apply(&entry);
        self.entries.push(entry);
        self
    }

    pub(crate) fn event(&mut self, event: Event) -> &mut Self {
        let author = Author { engine: true, ..Author::default() };
        self.body(author, Body::Event(Box::new(event)))
    }

    pub(crate) fn command(&mut self, command: Command) -> &mut Self {
        self.command_of(alice(), command)
    }

    pub(crate) fn command_of(&mut self, author: Author, command: Command) -> &mut Self {
        let id = format!("c{}", self.situation.seq);
        self.body(author, Body::Command(id.as_str().into(), command))
    }

    /// An engine takes the lease.
    pub(crate) fn engine(&mut self) -> &mut Self {
        self.event(Event::EngineStarted {
            journal: "k7qd".into(),
            pid: 4711,
            host: "bastion".into(),
            boot: "b1".into(),
            version: "0.1.0".into(),
            environment: "demo".into(),
            production: false,
            config: Digest::of(b"config"),
        })
    }

    /// An incident with a plan on the table.
    pub(crate) fn planned(&mut self, plan: Plan) -> &mut Self {
        self.event(Event::IncidentOpened { incident: 142, why: "errors".into() });
        self.event(Event::PlanMade {
            plan: Box::new(plan),
            by: "alice".into(),
            preflight: Vec::new(),
        })
    }

    /// The plan approved and begun.
    pub(crate) fn started(&mut self, plan: Plan) -> &mut Self {
        let digest = plan.digest();
        self.planned(plan);
        self.event(Event::RunStarted {
            run: run_id(),
            plan: digest,
            by: "alice".into(),
            reason: "errors".into(),
            accept_loss: None,
        })
    }

    pub(crate) fn deploy(&mut self, second: i64) -> &mut Self {
        self.event(Event::ChangeSeen { change: change(second) })
    }
}

pub(crate) fn run_id() -> RunId {
    "142-k7qd-1".into()
}

pub(crate) fn change(second: i64) -> Change {
    Change {
        at: at(second),
        version: "v2.5.0".into(),
        color: Some("green".into()),
        by: "dana".into(),
        reference: "ci#4711".into(),
        schema: Some(105),
        ..Change::default()
    }
}

pub(crate) fn help_test(failing: u32, target: u32, shared: Option<&str>) -> HelpTest {
    let burst = |color: &str, version: &str, answered| Burst {
        color: color.into(),
        version: version.into(),
        asked: 20,
        answered,
        p95: Some(Duration::from_millis(40)),
    };
    HelpTest {
        at: at(20),
        failing: burst("green", "v2.5.0", failing),
        target: Some(burst("blue", "v2.4.9", target)),
        shared_failing: shared.map(SafeText::from),
    }
}

pub(crate) fn card(level: Level, standing: LevelStanding, why: &str) -> LevelCard {
    LevelCard {
        level,
        standing,
        why: why.into(),
        estimate: Some(Duration::from_secs(20)),
        data: "no data change".into(),
        point: Some("live-blue".into()),
        version: Some("v2.4.9".into()),
    }
}
