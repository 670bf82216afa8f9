//! The check of kind `prometheus` on a real one.

use std::time::{Duration, Instant};

use backout::clock::Clock;
use backout::model::reading::{Finding, Reading, Reason};

use crate::tools::{Running, look, tool};

fn start() -> Option<Running> {
    let program = tool("prometheus", "prometheus")?;
    Some(Running::start(&program, |dir, port| {
        let config = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n  - job_name: own\n    \
             static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
        );
        std::fs::write(dir.join("prometheus.yml"), config).unwrap();
        let dir = dir.display();
        vec![
            format!("--config.file={dir}/prometheus.yml"),
            format!("--storage.tsdb.path={dir}/data"),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--log.level=warn".into(),
        ]
    }))
}

fn reason(reading: &Reading) -> Option<Reason> {
    match reading.finding {
        Finding::Unknown { reason } => Some(reason),
        Finding::Good | Finding::Warn { .. } | Finding::Bad { .. } => None,
    }
}

#[tokio::test]
async fn a_real_prometheus_answers_every_form_of_the_check() {
    let Some(mut prometheus) = start() else { return };
    let (port, clock) = (prometheus.port, Clock::real());
    let ask = |query: &str, rest: &str, clock: Clock| {
        let entry = format!(
            "check_type: prometheus, endpoint_url: 'http://127.0.0.1:{port}', timeout: 5s, \
             query: '{query}', {rest}"
        );
        async move { look(&entry, &clock).await }
    };
    let until = Instant::now() + Duration::from_mins(3);
    let up = loop {
        let up = ask("up{job=\"own\"}", "unit: count", clock.clone()).await;
        if up.finding == Finding::Good {
            break up;
        }
        assert!(Instant::now() < until, "{up:?}\n{}", prometheus.log());
        clock.sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(up.value, Some(1.0));
    assert_eq!(up.facts[0].as_str(), "query: up{job=\"own\"}");

    let judged = "unit: percent, threshold_critical: 5 percent";
    let bad = ask("vector(5)", judged, clock.clone()).await;
    assert!(matches!(bad.finding, Finding::Bad { .. }), "{bad:?}");
    let two = "vector(1) or label_replace(vector(2), \"a\", \"b\", \"\", \"\")";
    let many = ask(two, "unit: count", clock.clone()).await;
    assert_eq!(reason(&many), Some(Reason::Ambiguous));
    assert_eq!(ask(two, "unit: count, reduce: sum", clock.clone()).await.value, Some(3.0));
    let none = ask("up{job=\"none\"}", "unit: count", clock.clone()).await;
    assert_eq!(reason(&none), Some(Reason::NoData));
    assert_eq!(reason(&ask("0/0", "unit: ratio", clock.clone()).await), Some(Reason::NoData));
    let wrong = ask("sum(", "unit: ratio", clock.clone()).await;
    assert_eq!(reason(&wrong), Some(Reason::BadConfig));
    assert!(wrong.note.as_str().contains("parse error"), "{}", wrong.note);
    assert_eq!(reason(&ask("up[5m]", "unit: count", clock.clone()).await), Some(Reason::BadConfig));
    let little = "unit: count, min_volume: {query: vector(3), at_least: 10}";
    assert_eq!(reason(&ask("up", little, clock.clone()).await), Some(Reason::TooFewSamples));

    let aged = "unit: count, max_age: 30s, age_of: up";
    assert_eq!(ask("up", aged, clock.clone()).await.finding, Finding::Good);
    let later = Clock::manual(clock.now() + chrono::Duration::seconds(120));
    let entry = format!(
        "check_type: prometheus, endpoint_url: 'http://127.0.0.1:{port}', query: up, {aged}"
    );
    let stale = tokio::select! {
        stale = look(&entry, &later) => stale,
        // A clock that is moved by hand ends no wait.
        () = clock.sleep(Duration::from_mins(2)) => panic!("no answer"),
    };
    assert_eq!(reason(&stale), Some(Reason::Stale), "{stale:?}");

    prometheus.stop();
    let gone = ask("up", "unit: count", clock).await;
    assert_eq!(reason(&gone), Some(Reason::NoData));
}
