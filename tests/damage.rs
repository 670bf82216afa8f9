//! What can be made wrong with the embedded stack beyond one version's answers: its data, its
//! deploy, its settings, its memory. Each shows where people look, and ends where it can be ended.

use std::time::Duration;

use serde_json::{Value, json};

use super::support::Stack;

const LIMIT: Duration = Duration::from_secs(30);

fn assess(stack: &Stack) -> Value {
    let said = stack.run(&["assess", "--json"]);
    assert!(said.code <= 2, "{said:?}");
    said.json()
}

/// Waits until `check` shows this beginning of a line.
fn shows(stack: &Stack, line: &str) {
    stack.wait(line, LIMIT, || {
        let said = stack.run(&["check"]);
        said.out.lines().any(|found| found.starts_with(line))
    });
}

/// Heals the stack and returns what is still wrong with its data.
fn healed(stack: &Stack) -> Value {
    let dir = stack.dir().to_str().unwrap();
    let said = stack.run(&["demo", "heal", "--dir", dir]);
    assert_eq!(said.code, 0, "{said:?}");
    let damage = stack.status()["damage"].clone();
    let told = said.out.contains("`demo heal` does not mend it");
    assert_eq!(told, damage != json!([]), "{said:?}");
    damage
}

#[test]
fn rows_that_clients_were_told_are_saved_are_there() {
    let stack = Stack::up(None);
    let green =
        |stack: &Stack| stack.ask("SELECT preferences FROM users WHERE preferences <> '{}'");
    stack.wait("rows are written", LIMIT, || {
        stack.written().len() >= 20 && !green(&stack).is_empty()
    });
    stack.assert_data_kept();
    let log = std::fs::read_to_string(stack.dir().join("traffic.log")).unwrap();
    assert_eq!(log, "", "a write failed");
}

#[test]
fn a_bad_migration_fails_every_write_while_reads_go_on() {
    let stack = Stack::up(Some("bad-migration"));
    shows(&stack, "x FAIL api_write");
    let checked = stack.run(&["check"]);
    for fine in ["api ", "api_documents", "database ", "database_sessions"] {
        assert!(checked.out.contains(&format!("+ ok   {fine}")), "{fine}: {checked:?}");
    }
    let document = assess(&stack);
    assert_eq!(document["severity"], "high", "{document}");
    let text = stack.run(&["assess"]);
    assert!(text.out.contains("schema gate: 104 to 105"), "the switch is not the way: {text:?}");
    let log = std::fs::read_to_string(stack.dir().join("green/app.log")).unwrap();
    assert!(log.contains("the user has no locale in their preferences"), "{log}");
    assert_eq!(stack.status()["damage"], json!(["migration 105 refuses every write"]));
    assert_eq!(healed(&stack), json!(["migration 105 refuses every write"]));
}

#[test]
fn a_destructive_migration_takes_the_column_that_both_versions_read() {
    let stack = Stack::up(Some("destructive-up"));
    let document = assess(&stack);
    // By how many looks there were: half of all requests, or more.
    let severity = document["severity"].as_str().unwrap();
    assert!(["high", "critical"].contains(&severity), "{document}");
    shows(&stack, "x FAIL api ");
    let log = std::fs::read_to_string(stack.dir().join("green/app.log")).unwrap();
    assert!(log.contains("no such column: phone"), "{log}");
    assert_eq!(healed(&stack), json!(["column users.phone is gone"]));
}

#[test]
fn a_dropped_table_is_a_failing_database_and_no_healing_brings_it_back() {
    let stack = Stack::up(Some("table-dropped"));
    let document = assess(&stack);
    assert_eq!(document["severity"], "critical", "{document}");
    shows(&stack, "x FAIL database_sessions");
    assert_eq!(healed(&stack), json!(["table sessions is gone"]));
}

#[test]
fn corruption_is_critical_and_asks_for_level_3() {
    let stack = Stack::up(Some("corruption"));
    let document = assess(&stack);
    assert_eq!((&document["severity"], &document["suggests"]), (&json!("critical"), &json!(3)));
    let text = stack.run(&["assess"]).out.to_lowercase();
    assert!(text.contains("4 corrupt data? yes"), "{text}");
    shows(&stack, "x FAIL corruption_marker");
    shows(&stack, "x FAIL api_status");
    let status = stack.status();
    assert_eq!(
        (&status["green"]["state"], &status["blue"]["state"]),
        (&json!("failing"), &json!("failing"))
    );
    assert_eq!(status["tables"]["game_state"], 150);
    assert_eq!(healed(&stack).as_array().unwrap().len(), 2);
}

#[test]
fn a_bad_configuration_fails_the_new_version_until_it_is_healed() {
    let stack = Stack::up(Some("bad-config"));
    let document = assess(&stack);
    assert_eq!((&document["severity"], &document["suggests"]), (&json!("critical"), &json!(1)));
    let status = stack.status();
    assert_eq!(
        (&status["green"]["state"], &status["blue"]["state"]),
        (&json!("failing"), &json!("up"))
    );
    assert_eq!(healed(&stack), json!([]));
    assert_eq!(stack.status()["green"]["state"], "up");
    shows(&stack, "+ ok   api ");
}

#[test]
fn a_leak_is_warned_of_and_gone_after_the_restart_that_heals_it() {
    let stack = Stack::up(Some("leak"));
    shows(&stack, "! WARN green_memory");
    assert_eq!(healed(&stack), json!([]));
    assert_eq!(stack.status()["green"]["fault"], Value::Null);
    shows(&stack, "+ ok   green_memory");
}

#[test]
fn a_fault_of_a_deploy_needs_a_new_stack() {
    let stack = Stack::up(None);
    let dir = stack.dir().to_str().unwrap();
    let refused = stack.run(&["demo", "break", "bad-migration", "--dir", dir]);
    assert_eq!(refused.code, 64, "{refused:?}");
    assert!(refused.err.contains("backout demo up --dir NEW --fault bad-migration"), "{refused:?}");
}
