//! `backout monitor` as the documents run it: its flags, its status, its log files, the numbers that
//! a real Prometheus scrapes, and the objectives.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use backout::report::metrics;
use serde_json::Value;

use super::notify::PATIENCE;
use super::people::add;
use super::rules::Monitor;
use super::support::Stack;
use super::tools::free_port;
use super::tools::{Running, tool};

mod alerts;

const DASHBOARD: &str = include_str!("../assets/grafana.json");

/// Every query of the dashboard.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if matches!(key.as_str(), "expr" | "query") => {
                        found.push(text.clone());
                    }
                    _ => queries(value, found),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

fn names_in(query: &str) -> impl Iterator<Item = &str> {
    let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    query.split(word).filter(|word| word.starts_with("backout_") || word.starts_with("process_"))
}

#[test]
fn every_query_of_the_dashboard_names_a_metric_that_exists() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut all = Vec::new();
    queries(&dashboard, &mut all);
    assert!(all.len() > 20, "{all:?}");
    let known: BTreeSet<&str> = metrics::names().collect();
    let mut used = BTreeSet::new();
    for query in &all {
        for name in names_in(query) {
            assert!(known.contains(name), "{name} in {query} is no metric");
            used.insert(name);
        }
    }
    let unused: Vec<_> = known.difference(&used).collect();
    assert_eq!(unused, [&"process_start_time_seconds"]);
    let ids: BTreeSet<_> =
        dashboard["panels"].as_array().unwrap().iter().map(|panel| panel["id"].as_i64()).collect();
    assert_eq!(ids.len(), dashboard["panels"].as_array().unwrap().len());
}

/// Gets a page from a server on loopback; its status and body.
pub(crate) fn get(port: u16, path: &str) -> (u16, String) {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return (0, String::new()) };
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).ok();
    let said = String::from_utf8_lossy(&said).into_owned();
    let status = said.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    (status, said.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

fn asked(port: u16, query: &str) -> Option<Value> {
    let encoded: String =
        query.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    let (status, body) = get(port, &format!("/api/v1/query?query={encoded}"));
    if status == 0 {
        return None;
    }
    let answer: Value = serde_json::from_str(&body).ok()?;
    assert_eq!(answer["status"], "success", "{query}: {answer}");
    Some(answer["data"]["result"].clone())
}

#[test]
fn a_real_prometheus_scrapes_the_monitor_and_answers_the_whole_dashboard() {
    let Some(program) = tool("prometheus", "prometheus") else { return };
    let port = free_port();
    let stack = Stack::up(None);
    let objective = "check_id: api\n    slo: {objective: 99.9, window: 30d}\n";
    let text = std::fs::read_to_string(stack.config()).unwrap();
    std::fs::write(stack.config(), text.replacen("check_id: api\n", objective, 1)).unwrap();
    add(
        &stack,
        &format!(
            "triggers: {{listen: '127.0.0.1:{port}', token: geheim-4711}}\nmonitoring_rules:\n  - \
             {{rule_id: burns, action: alert, condition: \"burn_rate('api', 60) > 14.4 and \
             burn_rate('api', 5) > 14.4\"}}\n"
        ),
    );
    let _monitor = Monitor::start(&stack, &[]);
    stack.wait("it has looked", PATIENCE, || {
        get(port, "/metrics").1.contains("backout_check_status{check=\"api\",service=\"app\"} 0")
    });
    if let Some(promtool) = tool("prometheus", "promtool") {
        let mut child = std::process::Command::new(promtool)
            .args(["check", "metrics"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(get(port, "/metrics").1.as_bytes()).unwrap();
        let said = child.wait_with_output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
    let prometheus = Running::start(&program, |dir, own| {
        let config = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n  - job_name: backout\n    \
             static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
        );
        std::fs::write(dir.join("prometheus.yml"), config).unwrap();
        let dir = dir.display();
        vec![
            format!("--config.file={dir}/prometheus.yml"),
            format!("--storage.tsdb.path={dir}/data"),
            format!("--web.listen-address=127.0.0.1:{own}"),
        ]
    });
    let has = |query: &str| {
        asked(prometheus.port, query)
            .is_some_and(|found| found.as_array().is_some_and(|all| !all.is_empty()))
    };
    stack.wait("it is scraped", PATIENCE, || has("backout_check_status{job=\"backout\"}"));
    // Two scrapes make a rate.
    stack.wait("rates are known", PATIENCE, || {
        has("rate(process_cpu_seconds_total{job=\"backout\"}[5m])")
    });
    let mut all = Vec::new();
    queries(&serde_json::from_str(DASHBOARD).unwrap(), &mut all);
    for query in all.iter().filter(|query| names_in(query).next().is_some()) {
        if query.starts_with("label_values") {
            continue;
        }
        let query = query.replace("$job", "backout");
        let found = asked(prometheus.port, &query).expect(&query);
        // No rule has acted; every other panel shows something.
        let empty = found.as_array().unwrap().is_empty();
        assert!(!empty || query.contains("rule_fired"), "{query} shows nothing");
    }
    stack.wait("the objective is judged", PATIENCE, || {
        stack.run(&["slo"]).out.contains("100.0 % of the budget left")
    });
    let said = stack.run(&["slo", "--json"]).json();
    assert_eq!(said[0]["burns"].as_array().unwrap().len(), 4);
    assert_eq!(said[0]["check"], "api");
    stack.wait("the rule on it is judged", PATIENCE, || {
        stack.run(&["rules", "explain", "burns"]).out.contains("now not met")
    });
}

/// P-28 as the document shows it.
const STATUS: &str = r#"{
  "integration_running": true, "deployment_id": "deploy-prod-20240115",
  "environment": "production", "health_status": "healthy", "active_rollbacks": 0,
  "total_rollbacks": 3, "auto_rollback_enabled": true, "last_report_time": "2024-01-15T14:30:22Z"
}"#;

#[test]
fn the_flags_of_the_documents_the_status_and_the_log_files() {
    let stack = Stack::up(Some("errors:0.3"));
    let system = UnixDatagram::bind(stack.dir().join("syslog")).unwrap();
    system.set_read_timeout(Some(PATIENCE)).unwrap();
    add(
        &stack,
        "log_files: {directory: log, integration: log/integration.log, performance: \
         log/performance.log, performance_interval: 1s, performance_alert: 0, syslog: syslog}\n",
    );
    let said = stack.run(&["monitor", "--services", "app", "databse"]);
    assert_eq!(said.code, 78, "{said:?}");
    let id = "deploy-prod-20240115";
    let monitor = Monitor::with(&stack, &["--deployment-id", id, "--services", "app"]);
    let status = || stack.run(&["monitor", "--status", "--deployment-id", id]);
    stack.wait("it is known how things stand", PATIENCE, || {
        let said = status();
        said.out.starts_with('{') && said.json()["health_status"] == "critical"
    });
    let expected: Value = serde_json::from_str(STATUS).unwrap();
    let said = status().json();
    for (key, value) in expected.as_object().unwrap() {
        let same = std::mem::discriminant(value) == std::mem::discriminant(&said[key]);
        assert!(same, "{key}: {} is not like {value}", said[key]);
    }
    assert_eq!(said.as_object().unwrap().len(), expected.as_object().unwrap().len());
    let at = said["last_report_time"].as_str().unwrap();
    assert!(at.ends_with('Z') && at.parse::<chrono::DateTime<chrono::Utc>>().is_ok(), "{at}");
    // P-01: a console that is killed stops nothing.
    let mut console = stack.start(&["attach", "--plain"]);
    console.kill().unwrap();
    console.wait().unwrap();
    // P-04: by hand, with a reason.
    let reason = "API response time degradation detected";
    let said = stack.run(&["monitor", "--manual-rollback", reason]);
    assert_eq!(said.code, 0, "{said:?}");
    let log = |name: &str| {
        std::fs::read_to_string(stack.dir().join("log").join(name)).unwrap_or_default()
    };
    stack.wait("the log says so", PATIENCE, || log("integration.log").contains("completed"));
    let text = log("integration.log");
    let history = stack.state().join("rollback_history.log");
    stack.wait("the history says so", PATIENCE, || {
        std::fs::read_to_string(&history).is_ok_and(|text| text.contains(reason))
    });
    let said = stack.run(&["history", "--json"]).json();
    let trigger = &said["rollbacks"][0]["execution"]["trigger"];
    assert_eq!((&trigger["message"], &trigger["triggered_by"]), (&reason.into(), &"tester".into()));
    let line = text.lines().find(|line| line.contains("initiated")).unwrap();
    assert!(line.contains(reason) && line.contains(" INFO rollback "), "{text}");
    let ended = text.lines().find(|line| line.contains("completed")).unwrap();
    assert_eq!(ended.split_whitespace().last(), Some("SUCCESS"), "{text}");
    assert!(log("rollback_execution.log").contains(" took "), "{}", log("rollback_execution.log"));
    assert!(log("health_monitor.log").contains("CRITICAL check api is FAIL"));
    assert!(log("system.log").contains("watches demo"));
    // P-63: what the documents look for with grep.
    let file = stack.dir().join("log/integration.log");
    let said = stack.run(&["logs", "--analyze", file.to_str().unwrap()]);
    assert!(said.out.contains("Rollbacks initiated: 1\n"), "{said:?}");
    assert!(said.out.contains("Success rate: 100 %"), "{said:?}");
    // P-61: a line a minute, and an alert where something is too high.
    let line = log("performance.log");
    let line = line.lines().find(|line| line.contains(",CPU:")).unwrap();
    assert!(line.contains("%,Memory:") && line.ends_with('%'), "{line}");
    let mut heard = [0; 200];
    let length = system.recv(&mut heard).unwrap();
    let heard = String::from_utf8_lossy(&heard[..length]).into_owned();
    assert!(heard.starts_with("<12>pratiko-monitor: ALERT: High "), "{heard}");
    // P-64: rotated, and told to go on.
    let path = stack.dir().join("log/system.log");
    std::fs::rename(&path, path.with_extension("log.1")).unwrap();
    monitor.signal(rustix::process::Signal::HUP);
    stack.wait("the new file goes on", PATIENCE, || log("system.log").contains("was read again"));
    let said = stack.run(&["status", "--deployment-id", id]).json();
    assert_eq!((&said["total_rollbacks"], &said["integration_running"]), (&1.into(), &true.into()));
}

/// P-03: the flags of document 001 and its three services.
#[test]
fn three_services_are_watched_by_the_flags_of_the_document() {
    let place = crate::kube::place::Place::new();
    let check = |service: &str| {
        format!(
            "  - {{check_id: {service}_health, service: {service}, check_type: tcp, endpoint_url: \
             'tcp://127.0.0.1:1', interval: 1s, timeout: 1s}}\n"
        )
    };
    let checks = ["backend", "frontend", "database"].map(check).concat();
    let text = format!("environment: production\nstate_dir: state\nhealth_checks:\n{checks}");
    std::fs::write(place.config(), text).unwrap();
    let said = place.run(&[
        "monitor",
        "--deployment-id",
        "deploy-prod-20240115",
        "--environment",
        "production",
        "--services",
        "backend",
        "frontend",
        "database",
        "--duration",
        "2",
    ]);
    assert!(said.text.contains("services: backend, frontend, database"), "{said:?}");
    assert!(said.text.contains("monitoring production"), "{said:?}");
}

#[test]
fn a_monitor_ends_when_its_time_is_over_and_watches_only_here() {
    let stack = Stack::up(None);
    let said =
        stack.run(&["daemon", "--duration", "2", "--services", "app", "--host", "localhost"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("services: app"), "{said:?}");
    let dir = stack.dir().to_str().unwrap();
    stack.run(&["demo", "break", "errors:0.9", "--dir", dir]);
    let said = stack.run(&["monitor", "--duration", "8"]);
    assert_eq!(said.code, 2, "a watch with an alert is not well: {said:?}");
    stack.run(&["demo", "heal", "--dir", dir]);
    let said = stack.run(&["monitor", "--host", "db.example.org"]);
    assert_eq!(said.code, 64, "{said:?}");
    // P-36: what does not answer any more is told with its age and what to do.
    let said = stack.run(&["doctor"]);
    assert!(said.out.contains("monitor: it ended"), "{said:?}");
    // P-19: set or not, and never what.
    let mut command = stack.command(&["doctor"]);
    command.env("DATABASE_URL", "postgresql://app:geheim-4711@db/app").env("GITHUB_REPO", "a/b");
    let said = command.output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(text.contains("DATABASE_URL set"), "{text}");
    assert!(text.contains("REDIS_URL not set"), "{text}");
    assert!(!text.contains("geheim"), "{text}");
}

/// Posts a body to a server on loopback, with a token; its status and answer.
fn post(port: u16, path: &str, token: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.0\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    let status = said.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    (status, said)
}

#[test]
fn what_a_job_says_of_itself_counts_whether_posted_or_typed() {
    let port = free_port();
    let stack = Stack::up(None);
    let text = std::fs::read_to_string(stack.config()).unwrap();
    let job = "health_checks:\n  - {check_id: nightly, service: app, check_type: push, \
               max_age: 1h, interval: 1s, fail_after: 1, ok_after: 1, threshold_critical: 500}\n";
    std::fs::write(stack.config(), text.replacen("health_checks:\n", job, 1)).unwrap();
    add(&stack, &format!("triggers: {{listen: '127.0.0.1:{port}', token: geheim-4711}}\n"));
    let _monitor = Monitor::start(&stack, &[]);
    let status = |number: u8| {
        let line = format!("backout_check_status{{check=\"nightly\",service=\"app\"}} {number}");
        stack.wait(&line, PATIENCE, || get(port, "/metrics").1.contains(&line));
    };
    status(3);
    let path = "/checks/nightly";
    assert_eq!(post(port, path, "wrong", "{\"status\": \"ok\"}").0, 401);
    assert_eq!(post(port, "/checks/other", "geheim-4711", "{\"status\": \"ok\"}").0, 404);
    let (code, said) = post(port, path, "geheim-4711", "{\"status\": \"fine\"}");
    assert!(code == 400 && said.contains("or warn, fail, unknown"), "{said}");
    let (code, said) = post(port, path, "geheim-4711", "{\"status\": \"ok\", \"value\": 412}");
    assert_eq!(code, 202, "{said}");
    status(0);
    let typed = stack.run(&["check", "post", "nightly", "ok", "--value", "512"]);
    assert_eq!(typed.code, 0, "{typed:?}");
    status(2);
    let unknown = stack.run(&["check", "post", "daily", "ok"]);
    assert_eq!(unknown.code, 64, "{unknown:?}");
    assert!(unknown.err.contains("those are nightly"), "{unknown:?}");
}

/// More checks than one append of the journal takes, all of which change at the same time.
#[test]
fn a_thousand_checks_are_watched_and_fall_and_rise_together() {
    let port = free_port();
    let (scrape, stack) = (free_port(), Stack::up(None));
    let text = std::fs::read_to_string(stack.config()).unwrap();
    let mut many = "health_checks:\n".to_owned();
    for number in 0..1000 {
        writeln!(
            many,
            "  - {{check_id: many{number}, service: many, check_type: tcp, critical: false, \
             endpoint_url: 'tcp://127.0.0.1:{port}', interval: 1s, timeout: 900ms, fail_after: 1, \
             ok_after: 1}}"
        )
        .unwrap();
    }
    std::fs::write(stack.config(), text.replacen("health_checks:\n", &many, 1)).unwrap();
    add(&stack, &format!("triggers: {{listen: '127.0.0.1:{scrape}', token: geheim-4711}}\n"));
    let _monitor = Monitor::start(&stack, &[]);
    let all = |number: u8| {
        let what = format!("all are {number}");
        stack.wait(&what, PATIENCE, || {
            let page = get(scrape, "/metrics").1;
            let many = page.lines().filter(|line| line.contains("service=\"many\""));
            let many = many.filter(|line| line.starts_with("backout_check_status"));
            many.filter(|line| line.ends_with(&format!(" {number}"))).count() == 1000
        });
    };
    all(2);
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    all(0);
}
