//! Document 004's alerts on a real Prometheus and a real Alertmanager: they call for a rollback, or
//! are a rule of ours, and the demo stack is rolled back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::notify::PATIENCE;
use super::super::notify::sinks::Http;
use super::super::people::add;
use super::super::rules::Monitor;
use super::super::support::Stack;
use super::super::tools::free_port;
use super::super::tools::{Running, tool};

/// The alerts as the document has them; only what they wait for is shorter, so that a test does not
/// take minutes. `BACKOUT_TEST_LONG` waits as long as the document.
fn alerts() -> String {
    let text = include_str!("../configs/valid/m004-prometheus-rollback-alerts.yaml");
    if std::env::var_os("BACKOUT_TEST_LONG").is_some() {
        return text.to_owned();
    }
    let mut text =
        text.replace("- name: rollback-triggers", "- name: rollback-triggers\n  interval: 1s");
    for long in ["for: 2m", "for: 5m", "for: 1m"] {
        assert!(text.contains(long), "{text}");
        text = text.replace(long, "for: 2s");
    }
    text
}

/// A service that fails five requests at every scrape.
fn failing() -> Http {
    let count = Arc::new(AtomicU64::new(0));
    Http::with(move |_, _| {
        let failed = count.fetch_add(5, Ordering::Relaxed);
        (
            200,
            format!(
                "http_requests_total{{status=\"500\"}} {failed}\nhttp_requests_total{{status=\"200\"}} 9\n"
            ),
        )
    })
}

fn prometheus(target: &Http, manager: Option<u16>) -> Option<Running> {
    let program = tool("prometheus", "prometheus")?;
    Some(Running::start(&program, |dir, own| {
        let tells = manager.map_or_else(String::new, |port| {
            format!("alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]}}\n")
        });
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [alerts.yml]\n{tells}\
             scrape_configs:\n  - job_name: medical-kg-rev\n    static_configs: [{{targets: ['{}']}}]\n",
            target.address
        );
        std::fs::write(dir.join("prometheus.yml"), config).unwrap();
        std::fs::write(dir.join("alerts.yml"), alerts()).unwrap();
        let dir = dir.display();
        vec![
            format!("--config.file={dir}/prometheus.yml"),
            format!("--storage.tsdb.path={dir}/data"),
            format!("--web.listen-address=127.0.0.1:{own}"),
        ]
    }))
}

fn rolled_back_by(stack: &Stack, who: &str) {
    stack.wait("the run ends", PATIENCE, || {
        stack.situation().run.is_some_and(|run| run.ended.is_some())
    });
    let run = stack.situation().run.unwrap();
    assert_eq!(run.by.as_str(), who, "{run:?}");
    assert_eq!(run.ended.unwrap().outcome.words(), "done");
    assert_eq!(stack.status()["active"], "blue");
    stack.assert_data_kept();
}

#[test]
fn an_alert_of_a_real_prometheus_reaches_us_by_a_real_alertmanager_and_rolls_back() {
    let Some(program) = tool("alertmanager", "prometheus-alertmanager") else { return };
    let port = free_port();
    let stack = Stack::up(Some("errors:0.3"));
    add(
        &stack,
        &format!("triggers: {{listen: '127.0.0.1:{port}', token: geheim-4711, start: true}}\n"),
    );
    let _monitor = Monitor::start(&stack, &[]);
    stack.wait("it is known how bad it is", PATIENCE, || {
        stack.situation().incident.is_some() && !stack.situation().levels.is_empty()
    });
    let manager = Running::start(&program, |dir, own| {
        let config = format!(
            "route: {{receiver: backout, group_wait: 0s, group_interval: 1s, group_by: [alertname]}}\n\
             receivers:\n  - name: backout\n    webhook_configs:\n      - url: \
             http://127.0.0.1:{port}/alertmanager\n        http_config: {{authorization: \
             {{credentials: geheim-4711}}}}\n"
        );
        std::fs::write(dir.join("alertmanager.yml"), config).unwrap();
        let dir = dir.display();
        vec![
            format!("--config.file={dir}/alertmanager.yml"),
            format!("--storage.path={dir}/data"),
            format!("--web.listen-address=127.0.0.1:{own}"),
            "--cluster.listen-address=".into(),
        ]
    });
    let target = failing();
    let Some(_prometheus) = prometheus(&target, Some(manager.port)) else { return };
    stack.wait("the alert calls", PATIENCE, || !stack.situation().triggers.is_empty());
    let card = stack.situation().triggers.last().unwrap().clone();
    let called = card.call.name.as_str().starts_with("HighErrorRate") && card.call.rollback;
    assert!(called, "{card:?}");
    assert!(card.call.message.as_str().contains("High error rate detected"), "{card:?}");
    rolled_back_by(&stack, "trigger alertmanager");
}

#[test]
fn a_rule_of_ours_asks_a_real_prometheus_and_rolls_back() {
    let target = failing();
    let Some(prometheus) = prometheus(&target, None) else { return };
    let stack = Stack::up(Some("errors:0.3"));
    std::fs::write(stack.dir().join("alerts.yml"), alerts()).unwrap();
    add(
        &stack,
        &format!(
            "prometheus: {{endpoint_url: 'http://127.0.0.1:{}'}}\nrule_files: [alerts.yml]\n\
             monitoring_rules:\n  - {{rule_id: HighErrorRate, mode: enforce, veto_seconds: 1, \
             wait_for_clock: false}}\n",
            prometheus.port
        ),
    );
    let _monitor = Monitor::start(&stack, &[]);
    rolled_back_by(&stack, "rule HighErrorRate");
    let cards = stack.situation().rules.cards;
    let told = stack.situation().rules.alerts.clone();
    let told = told.iter().find(|alert| alert.rule == "HighErrorRate").unwrap();
    assert!(told.text.as_str().contains("errors per second"), "{told:?}");
    // What has no series is not met, and never acts (`up` is 1, and nobody measures times).
    for quiet in ["HighResponseTime", "ServiceDown"] {
        assert!(cards.get(quiet).is_none_or(|card| card.fired_at.is_none()), "{quiet}: {cards:?}");
    }
}
