//! `backout monitor` on the embedded stack: a rule rolls back with the logs preserved first, a
//! restart in between doubles nothing, and people keep the upper hand.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::time::Duration;

use backout::model::entry::{Body, Entry, Event};
use backout::model::outcome::Outcome;
use backout::model::rule::{Action, Mode};
use serde_json::Value;

use super::support::Stack;

/// A monitor as a service manager would run it; ended with the test.
pub(crate) struct Monitor(Child);

impl Monitor {
    pub(crate) fn start(stack: &Stack, extra: &[(&str, &str)]) -> Self {
        Self::spawn(stack, &[], extra)
    }

    /// With arguments of its own.
    pub(crate) fn with(stack: &Stack, arguments: &[&str]) -> Self {
        Self::spawn(stack, arguments, &[])
    }

    fn spawn(stack: &Stack, arguments: &[&str], extra: &[(&str, &str)]) -> Self {
        let path = stack.dir().join("monitor.log");
        let log = std::fs::File::options().create(true).append(true).open(path).unwrap();
        let mut command = stack.command(&["monitor"]);
        command.args(arguments);
        command.envs(extra.iter().copied()).stdout(Stdio::null()).stderr(log);
        Self(command.spawn().unwrap())
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn with_rules(fault: &str, rules: &str) -> Stack {
    let stack = Stack::up(Some(fault));
    let text = std::fs::read_to_string(stack.config()).unwrap();
    std::fs::write(stack.config(), format!("{text}\nmonitoring_rules:\n{rules}")).unwrap();
    stack
}

fn entries(stack: &Stack) -> Vec<Entry> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut reader = backout::journal::Reader::open(&stack.state()).await.unwrap();
        reader.after(0, 10_000).await.unwrap()
    })
}

fn events(entries: &[Entry]) -> impl Iterator<Item = &Event> {
    entries.iter().filter_map(|entry| match &entry.body {
        Body::Event(event) => Some(&**event),
        Body::Command(..) | Body::Newer { .. } => None,
    })
}

fn monitor_log(stack: &Stack) -> String {
    std::fs::read_to_string(stack.dir().join("monitor.log")).unwrap_or_default()
}

const ACTS: &str = r#"
  - rule_id: critical_failures
    condition: "get_failure_count('app', 5) >= 3"
    action: rollback
    mode: enforce
    priority: 1
    cooldown_minutes: 30
    veto_seconds: 3
    wait_for_clock: false
  - rule_id: told
    condition: "error_rate('*', 5) > 0.05"
    action: alert
    cooldown_minutes: 15
  - rule_id: rehearsed
    condition: "get_failure_count('app') >= 3"
    action: rollback
    mode: dry_run
    priority: 3
"#;

/// S-06: the five minutes of HIGH, whole.
#[test]
fn high_has_five_minutes_and_then_it_is_on_record_and_the_rule_acts() {
    let rule = ACTS.split("  - rule_id: told").next().unwrap();
    let rule = rule.replace("    wait_for_clock: false\n", "");
    let stack = with_rules(
        "errors:0.3",
        &rule.replace("get_failure_count('app', 5) >= 3", "error_rate('*', 5) > 0.1"),
    );
    let _monitor = Monitor::start(&stack, &[]);
    stack.wait("it is HIGH", Duration::from_mins(1), || {
        let assessment = stack.situation().assessment;
        assessment.is_some_and(|one| one.severity == backout::model::severity::Severity::High)
    });
    let status = stack.run(&["status"]);
    assert!(status.out.contains("Severity HIGH, time for a fix 4:"), "{status:?}");
    stack.wait("the rollback ends", Duration::from_mins(6), || {
        stack.situation().history.iter().any(|past| past.ended.outcome == Outcome::Done)
    });
    let entries = entries(&stack);
    let at = |is: &dyn Fn(&Event) -> bool| {
        let found =
            entries.iter().find(|entry| matches!(&entry.body, Body::Event(event) if is(event)));
        found.unwrap().at
    };
    let high = at(&|event| {
        matches!(event, Event::Assessed { assessment } if assessment.deadline.is_some()
            && assessment.severity == backout::model::severity::Severity::High)
    });
    let over = at(&|event| matches!(event, Event::SeverityDeadline));
    let began = at(&|event| matches!(event, Event::RunStarted { .. }));
    let five = chrono::Duration::minutes(5);
    let late = over - high - five;
    assert!((0..30).contains(&late.num_seconds()), "{late}");
    assert!(began - high >= five, "it began {} after HIGH", began - high);
    let timeline = stack.situation().timeline;
    let said =
        timeline.iter().any(|one| one.text.as_str().contains("the time for a forward fix is over"));
    assert!(said, "{timeline:?}");
}

#[test]
fn a_rule_rolls_back_with_the_logs_preserved_first_and_a_restart_doubles_nothing() {
    let stack = with_rules("errors:0.8", ACTS);
    let mut monitor = Monitor::start(&stack, &[]);
    let fired = |stack: &Stack| {
        let cards = stack.situation().rules.cards;
        cards.get("critical_failures").is_some_and(|card| card.fired_at.is_some())
    };
    stack.wait("the rule fires", Duration::from_mins(1), || fired(&stack));
    monitor.kill();
    let mut monitor = Monitor::start(&stack, &[]);
    stack.wait("the rollback ends", Duration::from_mins(2), || {
        stack.situation().history.iter().any(|past| past.ended.outcome == Outcome::Done)
    });
    let situation = stack.situation();
    let past = situation.history.first().unwrap();
    assert_eq!(past.by.as_str(), "rule critical_failures", "{past:?}");
    assert!(past.reason.as_str().contains("get_failure_count('app', 5) = "), "{past:?}");
    let entries = entries(&stack);
    let mut kept = false;
    let mut runs = 0;
    for event in events(&entries) {
        kept |= matches!(event, Event::BundleMade { .. });
        if let Event::RunStarted { .. } = event {
            assert!(kept, "the logs are preserved before the rollback starts");
            runs += 1;
        }
    }
    assert_eq!(runs, 1);
    for rule in ["critical_failures", "told", "rehearsed"] {
        let count = events(&entries)
            .filter(|event| matches!(event, Event::RuleFired(fired) if fired.rule == rule))
            .count();
        assert!(count <= 1, "{rule} fired {count} times");
    }
    let told = situation.rules.alerts.iter().find(|alert| alert.rule == "told").unwrap();
    assert_eq!((told.action, told.level), (Action::Alert, 1));
    let dry = events(&entries)
        .any(|event| matches!(event, Event::RuleFired(fired) if fired.mode == Mode::DryRun));
    assert!(dry, "a dry run is journaled");
    assert_eq!(stack.status()["active"], "blue", "{}", stack.status());
    stack.assert_data_kept();
    // The service manager stops it: a clean end.
    monitor.signal(rustix::process::Signal::TERM);
    assert!(monitor.0.wait().unwrap().success(), "{}", monitor_log(&stack));
    let said = stack.run(&["rules", "test", "--since", "1h"]);
    assert!(said.out.contains("critical_failures: would have acted 1 times"), "{said:?}");
    let said = stack.run(&["history"]);
    assert!(
        said.out.contains("BY=rule critical_failures") || said.out.contains("LEVEL=1"),
        "{said:?}"
    );
}

const ASKS: &str = r#"
  - rule_id: critical_failures
    condition: "get_failure_count('app', 5) >= 3"
    action: rollback
    mode: enforce
    veto_seconds: 600
    wait_for_clock: false
"#;

#[test]
fn people_veto_and_freeze_and_a_bad_configuration_changes_nothing() {
    let stack = with_rules("errors:0.8", ASKS);
    let socket = stack.dir().join("notify.sock");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let variables = [("NOTIFY_SOCKET", socket.to_str().unwrap()), ("WATCHDOG_USEC", "2000000")];
    let monitor = Monitor::start(&stack, &variables);
    let heard = || {
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    assert_eq!(heard(), "READY=1\nWATCHDOG=1");
    assert_eq!(heard(), "WATCHDOG=1");
    let proposed = || stack.situation().rules.proposal;
    stack.wait("the rule counts down", Duration::from_mins(1), || proposed().is_some());
    stack.wait("its plan is on the table", Duration::from_secs(30), || {
        stack.situation().plan.is_some_and(|open| open.by.as_str() == "rule critical_failures")
    });
    let said = stack.run(&["rules", "explain", "critical_failures"]);
    assert!(said.out.contains("get_failure_count('app', 5) = "), "{said:?}");
    let said = stack.run(&["rules", "veto", "--reason", "a fix is on its way"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(proposed().is_none());
    assert!(stack.situation().plan.is_none(), "its plan is gone with it");
    let said = stack.run(&["rules", "veto", "--reason", "again"]);
    assert_ne!(said.code, 0, "{said:?}");
    let said = stack.run(&["rules", "freeze", "--for", "30m", "--reason", "load test"]);
    assert_eq!(said.code, 0, "{said:?}");
    let said = stack.run(&["rules", "list"]);
    assert!(said.out.starts_with("FROZEN until "), "{said:?}");

    let said = stack.run(&["status", "--deployment-id", "deploy-prod-20240115"]);
    let status = said.json();
    assert_eq!(status["integration_running"], true);
    assert_eq!(status["auto_rollback_enabled"], false, "frozen");
    assert_eq!(status.as_object().unwrap().len(), 8);
    assert_eq!(status["last_report_time"].as_str().map(str::len), Some(20));

    let good = std::fs::read_to_string(stack.config()).unwrap();
    std::fs::write(stack.config(), good.replace("get_failure_count", "get_failure_cuont")).unwrap();
    monitor.signal(rustix::process::Signal::HUP);
    stack.wait("the mistake is told", Duration::from_secs(20), || {
        let troubles = stack.situation().troubles;
        troubles.iter().any(|trouble| trouble.text.as_str().contains("the old one stays"))
    });
    let before = stack.situation().engine.unwrap().config;
    std::fs::write(stack.config(), good.replace("veto_seconds: 600", "veto_seconds: 500")).unwrap();
    monitor.signal(rustix::process::Signal::HUP);
    stack.wait("the new one is in force", Duration::from_secs(30), || {
        let situation = stack.situation();
        situation.engine.is_some_and(|engine| engine.config != before && !engine.stopped)
    });
    let engine = stack.situation().engine.unwrap();
    assert_eq!(engine.pid, monitor.0.id(), "the same process");
    assert!(stack.situation().history.is_empty(), "nothing was rolled back");
    assert!(stack.situation().frozen().is_some(), "a freeze outlives it");
    let rows: Value = stack.run(&["--json", "rules", "list"]).json();
    assert_eq!(rows[0]["rule_id"], "critical_failures");
}
