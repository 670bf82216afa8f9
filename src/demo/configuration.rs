//! The `backout.yaml` of a stack: a normal configuration, with nothing in it that a real one could
//! not have.

use super::disk::write;
use super::layout::{Layout, Ports};
use crate::adapters::Error;

/// Writes `D/backout.yaml`.
pub fn write_configuration(layout: &Layout, ports: Ports) -> Result<(), Error> {
    write(&layout.at("backout.yaml"), text(ports).as_bytes())
}

/// The text for a stack on these ports.
pub fn text(ports: Ports) -> String {
    TEMPLATE
        .replace("{PUBLIC}", &ports.public.to_string())
        .replace("{CONTROL}", &ports.control.to_string())
        .replace("{BLUE}", &ports.blue.to_string())
        .replace("{GREEN}", &ports.green.to_string())
}

const TEMPLATE: &str = r#"# Paths are relative to this file.
environment: demo
production: false
state_dir: state
restore_points: backups
backup: {files: [.env, config/app.yaml], data: data/files}
corruption_marker: data/corruption_detected
deploys: {file: deploys.jsonl}
platform: {local: {dir: .}}
traffic: {proxy: {control_url: "http://127.0.0.1:{CONTROL}", public_url: "http://127.0.0.1:{PUBLIC}"}}
colors: {blue: {url: "http://127.0.0.1:{BLUE}"}, green: {url: "http://127.0.0.1:{GREEN}"}}
help_test: {paths: [/api/v1/users, /api/v1/documents, /api/v1/sessions], requests: 20}
fence: {file: fence.json}
deployment_lock: {file: deployment-emergency-stop}
database: {sqlite: {path: data/app.db, migrations: migrations}}
log_sources: [{source: green, path: green/app.log}, {source: blue, path: blue/app.log}, {source: proxy, path: proxy.log}, {source: green-worker, path: green-worker/worker.log}, {source: blue-worker, path: blue-worker/worker.log}]
rollback: {keep_failed_up_seconds: 5, drain_seconds: 5, gate_probes: 3, gate_every_seconds: 1, watch_window_seconds: 20, watch_every_seconds: 1, health_wait_seconds: 60, health_every_seconds: 1}

health_checks:
  - check_id: api
    service: app
    name: API answers through the proxy
    check_type: http_response
    endpoint_url: "http://127.0.0.1:{PUBLIC}/api/v1/users"
    expected_status: 200
    samples_per_run: 10
    interval_seconds: 1
    timeout_seconds: 2
  - check_id: api_documents
    service: app
    name: Documents through the proxy
    check_type: http_response
    endpoint_url: "http://127.0.0.1:{PUBLIC}/api/v1/documents"
    expected_status: 200
    samples_per_run: 5
    interval_seconds: 2
    timeout_seconds: 2
  # Writes for real. 503: writers are held, which is nobody's failure.
  - check_id: api_write
    service: app
    name: Sessions are saved through the proxy
    check_type: http_response
    method: POST
    endpoint_url: "http://127.0.0.1:{PUBLIC}/api/v1/sessions"
    headers: {content-type: application/json}
    body: '{"user": 1}'
    expected_status: [201, 503]
    counts_requests: false
    interval_seconds: 2
    timeout_seconds: 3
  - check_id: api_health
    service: app
    name: Health through the proxy
    check_type: http_response
    endpoint_url: "http://127.0.0.1:{PUBLIC}/health"
    expected_status: 200
    interval_seconds: 1
    timeout_seconds: 2
  - check_id: api_status
    service: app
    name: Ready through the proxy
    check_type: http_response
    endpoint_url: "http://127.0.0.1:{PUBLIC}/status"
    expected_status: 200
    expect: ["json .overall_ready == true"]
    interval_seconds: 2
    timeout_seconds: 2
  - check_id: green_direct
    service: green
    name: Green at its own address
    check_type: http_response
    endpoint_url: "http://127.0.0.1:{GREEN}/status"
    expected_status: 200
    expect: ["json .environment == \"green\""]
    interval_seconds: 2
    timeout_seconds: 2
    critical: false
    role: [preflight]
  - check_id: blue_direct
    service: blue
    name: Blue at its own address
    check_type: http_response
    endpoint_url: "http://127.0.0.1:{BLUE}/status"
    expected_status: 200
    expect: ["json .environment == \"blue\"", "json .overall_ready == true"]
    interval_seconds: 2
    timeout_seconds: 2
    critical: false
    role: [preflight]
  - check_id: database
    service: database
    name: Database can be read
    check_type: database_connection
    endpoint_url: "sqlite:data/app.db"
    query: "SELECT count(*) FROM users"
    interval_seconds: 2
    timeout_seconds: 2
  - check_id: database_sessions
    service: database
    name: Sessions can be read
    check_type: database_connection
    endpoint_url: "sqlite:data/app.db"
    query: "SELECT count(*) FROM sessions"
    interval_seconds: 2
    timeout_seconds: 2
  - check_id: proxy_port
    service: proxy
    name: Proxy accepts connections
    check_type: tcp
    endpoint_url: "tcp://127.0.0.1:{PUBLIC}"
    interval_seconds: 1
    timeout_seconds: 2
  - check_id: corruption_marker
    service: database
    name: No corruption marker
    check_type: file
    path: data/corruption_detected
    expect: ["absent"]
    interval_seconds: 2
    timeout_seconds: 2
  - check_id: green_memory
    service: green
    name: Memory of green, MiB
    check_type: process
    pid_file: green/pid
    min_count: 0
    value: memory
    threshold_warning: 120
    interval_seconds: 2
    timeout_seconds: 2
    critical: false
  - check_id: disk
    service: host
    name: Disk used, per cent
    check_type: custom
    command: "df -P . | awk 'NR == 2 {sub(\"%\", \"\", $5); print $5}'"
    threshold_warning: 90
    threshold_critical: 98
    interval_seconds: 2
    timeout_seconds: 2
    critical: false
"#;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_configuration_is_yaml_with_the_ports_of_the_stack_in_it() {
        let ports = Ports { public: 10_001, control: 10_002, blue: 10_003, green: 10_004 };
        let text = text(ports);
        let read: Value = crate::yaml::one(&text).unwrap();
        assert_eq!(read["colors"]["green"]["url"], "http://127.0.0.1:10004");
        assert_eq!(read["traffic"]["proxy"]["control_url"], "http://127.0.0.1:10002");
        for placeholder in ["{PUBLIC}", "{CONTROL}", "{BLUE}", "{GREEN}"] {
            assert!(!text.contains(placeholder));
        }
        let checks = read["health_checks"].as_array().unwrap();
        let mut ids = HashSet::new();
        for check in checks {
            let id = check["check_id"].as_str().unwrap();
            assert!(ids.insert(id), "{id} is there twice");
            let seconds = |key: &str| check[key].as_u64().unwrap();
            assert!(seconds("timeout_seconds") <= 2 * seconds("interval_seconds"), "{id}");
        }
        assert_eq!(ids.len(), 13);
    }
}
