//! An invented rollback, to see what a message looks like before it counts.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::entry::Outcome;
use crate::model::ids::{Digest, Time};
use crate::model::incident::Ended;
use crate::model::notice::{Due, Notice, Occasion, Why};
use crate::model::plan::Level;
use crate::model::severity::Severity;
use crate::model::situation::{EngineCard, PastRun, Situation};
use crate::model::trigger::{Trigger, TriggerReason};

/// A situation in which a message about `occasion` is due.
pub fn sample(
    (environment, production): (&str, bool),
    occasion: Occasion,
    receiver: &str,
    now: Time,
) -> (Situation, Due) {
    let run = "0-test-1";
    let failed = occasion == Occasion::Failure;
    let outcome = if failed { Outcome::Failed } else { Outcome::Done };
    let past = PastRun {
        run: run.into(),
        incident: 0,
        level: Level::Switch,
        from: "v2.5.0".into(),
        to: "v2.4.9".into(),
        by: "TEST".into(),
        reason: "this is a test: nothing happened".into(),
        ended: Ended {
            at: now,
            outcome,
            took: Duration::from_secs(12),
            why: "this is a test".into(),
            history: String::new(),
        },
        began: None,
        steps: Vec::new(),
        back: None,
        trigger: Some(Box::new(Trigger {
            reason: TriggerReason::ErrorRate,
            deployment: "ci#4711".into(),
            version: "v2.5.0".into(),
            services: BTreeSet::from(["TEST".to_owned()]),
        })),
        beside: false,
    };
    let engine = EngineCard {
        pid: 0,
        host: "".into(),
        boot: "".into(),
        version: String::new(),
        environment: environment.into(),
        production,
        config: Digest::default(),
        since: now,
        stopped: false,
    };
    let situation = Situation {
        journal: "test".into(),
        engine: Some(engine),
        history: vec![past],
        ..Situation::default()
    };
    // Never the name of a message that counts: a pager would keep it open.
    let key = format!("test-{}-{}", occasion.name(), now.timestamp_millis());
    let thread = if occasion == Occasion::Alert {
        "alert TEST".to_owned()
    } else {
        format!("TEST {}", now.timestamp_millis())
    };
    let notice = Notice {
        key: key.clone(),
        thread: thread.clone(),
        occasion,
        severity: Severity::High,
        at: now,
        incident: 0,
        run: Some(run.into()),
        text: "this is a test: nothing happened".into(),
        done: BTreeSet::new(),
    };
    let due = Due {
        id: key,
        receiver: receiver.to_owned(),
        thread,
        notices: vec![notice],
        why: Why::New,
        until: now,
    };
    (situation, due)
}
