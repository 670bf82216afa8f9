//! Worlds in which rules act, wait or are kept from it, people are called, and starting is locked.

use std::sync::Arc;
use std::time::Duration;

use backout::model::entry::{Command, Event};
use backout::model::lock::{Lock, LockKind};
use backout::model::notice::{Notified, Rung};
use backout::model::plan::Level;
use backout::model::reading::Reason;
use backout::model::rule::book::{Fired, RuleFace, RuleState};
use backout::model::rule::{Action, Mode, Shown, Unknown};
use backout::model::verdict;
use backout::tui::settings::Settings;

use super::plans::{plan, preflight};
use super::story::{Story, failing};
use super::worlds::world;
use super::{Sample, at};

const RULE: &str = "api_errors";

fn part(text: &str, value: &str) -> Shown {
    Shown { text: text.into(), value: value.into() }
}

fn evidence() -> Vec<Shown> {
    vec![part("error_rate('checkout', 2)", "14.2"), part("get_failure_count('api-health', 5)", "7")]
}

fn face(id: &str, mode: Mode, action: Action, condition: &str) -> RuleFace {
    let (name, condition) = (id.into(), condition.into());
    RuleFace { id: id.to_owned(), name, action, mode, priority: 1, condition }
}

/// Three rules: one that is met, one that cannot be told, one that is quiet.
fn declared(story: &mut Story) {
    let rules = vec![
        face("disk_full", Mode::Enforce, Action::Alert, "get_latest_metric('disk') > 95"),
        face(
            RULE,
            Mode::Enforce,
            Action::Rollback,
            "error_rate('checkout', 2) > 10 and get_failure_count('api-health', 5) >= 3",
        ),
        face("replica_lag", Mode::DryRun, Action::Escalate, "prometheus('lag') > 30"),
    ];
    let unknown = Unknown { reason: Reason::NoTool, about: "lag".into() };
    let changed =
        |rule: &str, state, evidence| Event::RuleChanged { rule: rule.to_owned(), state, evidence };
    story
        .event(3, Event::RulesDeclared { rules, first: true })
        .event(
            4,
            changed("disk_full", RuleState::Quiet, vec![part("get_latest_metric('disk')", "41")]),
        )
        .event(4, changed("replica_lag", RuleState::Unknown(unknown), Vec::new()))
        .event(40, changed(RULE, RuleState::Met, evidence()));
}

fn fired(mode: Mode, level: Level, starts: Option<i64>) -> Event {
    Event::RuleFired(Box::new(Fired {
        rule: RULE.to_owned(),
        action: Action::Rollback,
        mode,
        level,
        starts_at: starts.map(at),
        severity: None,
        text: "checkout fails more than 10 % of its requests for 2 min".into(),
        less: (mode == Mode::Propose)
            .then(|| "rules start level 1 at most: a person starts this one".into()),
        evidence: evidence(),
    }))
}

fn planned(story: &mut Story) {
    let by = backout::model::rule::author(RULE);
    let plan = Box::new(plan());
    story.event(46, Event::PlanMade { plan, by, preflight: preflight(false) });
}

fn sample(name: &'static str, story: &Story, second: i64) -> Sample {
    let mut world = world(story, second);
    let rung = |minutes: u64, to: &[&str], who: &str, when: &str| Rung {
        after: Duration::from_mins(minutes),
        to: to.iter().map(|name| (*name).to_owned()).collect(),
        who: who.into(),
        when: when.into(),
    };
    let ladder = vec![
        rung(0, &["slack"], "DevOps, #deployment-alerts", "at once"),
        rung(15, &["pagerduty"], "senior on-call", "nobody looks after it"),
        rung(30, &["mail"], "engineering manager", "recovery takes longer than 30 min"),
        rung(60, &[], "CTO", "data may be lost"),
    ];
    world.settings = Arc::new(Settings { ladder, ..Settings::default() });
    let lines = verdict::lines(&world.situation, world.live.as_ref(), &world.readings, at(second));
    Sample { name, world, lines, now: at(second) }
}

pub(super) fn all() -> Vec<Sample> {
    let mut counts = failing();
    declared(&mut counts);
    counts.event(44, fired(Mode::Enforce, Level::Switch, Some(64)));
    let mut with_plan = counts.clone();
    planned(&mut with_plan);
    let mut held = with_plan.clone();
    let why = "the time for a forward fix runs to 23:59:20Z";
    held.event(48, Event::RuleHeld { rule: RULE.to_owned(), why: Some(why.into()) });
    let mut proposes = failing();
    declared(&mut proposes);
    proposes.event(44, fired(Mode::Propose, Level::Full, None));
    let mut frozen = failing();
    declared(&mut frozen);
    let (until, reason) = (Some(at(1_840)), "a schema change by hand".into());
    frozen.command(45, Command::Freeze { until, reason });
    let mut locked = failing();
    let lock = |kind, until: Option<i64>, reason: &str| {
        let (owner, reason) = ("dana".into(), reason.into());
        let until = until.map(at);
        let lock = Lock { kind, owner, uid: 1002, reason, since: at(30), until, run: None };
        Event::LockTaken { lock: Box::new(lock) }
    };
    locked.event(30, lock(LockKind::Person, Some(1_830), "a schema change by hand"));
    let mut stopped = failing();
    stopped.event(30, lock(LockKind::Emergency, None, "two rollbacks at once"));
    let mut escalates = failing();
    declared(&mut escalates);
    let told = |id: &str, receiver: &str, sent, note: &str| {
        Event::Notified(Notified {
            id: id.to_owned(),
            keys: Vec::new(),
            thread: "INC-0142".to_owned(),
            receiver: receiver.to_owned(),
            sent,
            note: note.into(),
        })
    };
    let key = escalates.situation.outbox.threads["INC-0142"].key.clone();
    escalates
        .event(22, told(&format!("{key}-e1"), "slack", true, "ok"))
        .event(930, told(&format!("{key}-e2"), "pagerduty", false, "HTTP 503, 5 times"));
    vec![
        sample("rule-counts", &counts, 50),
        sample("rule-plan", &with_plan, 50),
        sample("rule-held", &held, 66),
        sample("rule-proposes", &proposes, 50),
        sample("frozen", &frozen, 50),
        sample("locked", &locked, 50),
        sample("emergency-stop", &stopped, 50),
        sample("escalates", &escalates, 1_900),
    ]
}
