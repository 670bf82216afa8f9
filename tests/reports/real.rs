//! What a real run leaves: every document, the history, the checklist, a replay of a copy.

use std::os::unix::fs::PermissionsExt as _;

use backout::model::entry::{Body, Entry, Event};
use backout::model::ids::Time;
use backout::model::watch::Verdict;

use crate::support::Stack;

/// Every entry of the journal in that folder.
fn entries(state: &std::path::Path) -> Vec<Entry> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut reader = backout::journal::Reader::open(state).await.unwrap();
        reader.between(1, None).await.unwrap()
    })
}

fn when(entries: &[Entry], wanted: impl Fn(&Event) -> bool) -> Time {
    let found = entries.iter().find(|entry| match &entry.body {
        Body::Event(event) => wanted(event),
        Body::Command(..) | Body::Newer { .. } => false,
    });
    found.unwrap().at
}

/// The four times, straight from the entries.
fn times(entries: &[Entry]) -> [(Time, &'static str); 4] {
    [
        (when(entries, |event| matches!(event, Event::IncidentOpened { .. })), "Issue detected"),
        (when(entries, |event| matches!(event, Event::RunStarted { .. })), "Rollback initiated"),
        (when(entries, |event| matches!(event, Event::WatchOpened { .. })), "Rollback completed"),
        (
            when(entries, |event| {
                matches!(event, Event::WatchEnded { verdict: Verdict::Stable, .. })
            }),
            "Services verified healthy",
        ),
    ]
}

#[test]
fn a_real_run_leaves_documents_a_history_a_checklist_and_a_replay() {
    let stack = Stack::up(Some("errors:0.3"));
    let nothing = stack.run(&["history", "--report"]);
    assert_eq!((nothing.code, nothing.out.as_str()), (0, "no rollbacks\n"), "{nothing:?}");
    let none = stack.run(&["report", "incident"]);
    assert_eq!(none.code, 3, "{none:?}");
    // Looked at first: an incident that is seen to be bad, whatever the run's engine sees first.
    let assessed = stack.run(&["assess", "--json"]).json();
    assert_eq!(assessed["severity"], "high", "{assessed}");
    let done = stack.run(&["rollback", "--quick", "--reason", "too many errors"]);
    assert_eq!(done.code, 0, "{done:?}\n{}", stack.log());
    documents(&stack);
    history(&stack);
    checklist(&stack);
    copied(&stack);
}

fn documents(stack: &Stack) {
    let report = stack.run(&["report", "incident"]);
    assert_eq!(report.code, 0, "{report:?}");
    for (at, what) in times(&entries(&stack.state())) {
        let line = format!("- **{}:** {what}\n", at.format("%Y-%m-%d %H:%M:%S UTC"));
        assert!(report.out.contains(&line), "{line}: {}", report.out);
    }
    for known in [
        "**Severity:** High",
        "**Rollback Level:** 1",
        "**Data Loss:** None",
        "Rolled back to version v2.4.9 using Level 1 rollback procedure.",
        "Labels: incident, production, rollback",
        "**Users Affected:** [Estimate]",
    ] {
        assert!(report.out.contains(known), "{known}: {}", report.out);
    }
    let page = stack.dir().join("page.html");
    let file = page.to_str().unwrap();
    let written = stack.run(&["report", "incident", "--format", "html", "--out", file]);
    assert_eq!(written.code, 0, "{written:?}");
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.matches("<polyline").count() >= 2, "no curves: {html}");
    assert!(html.contains(">completed<") && html.contains(">validated<"), "{html}");
    assert_eq!(page.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let internal = stack.run(&["report", "internal"]).out;
    for known in ["Target Version: v2.4.9", "Contact: tester", "switch traffic to blue"] {
        assert!(internal.contains(known), "{known}: {internal}");
    }
    assert!(internal.contains("Rollback completed successfully"), "{internal}");
    let postmortem = stack.run(&["report", "postmortem", "--incident", "INC-0001"]).out;
    assert!(postmortem.contains("tester types ROLLBACK: too many errors"), "{postmortem}");
    let customer = stack.run(&["report", "customer"]).out;
    assert!(!customer.contains("[start time]") && !customer.contains("[end time]"), "{customer}");
    let meeting = stack.run(&["report", "meeting"]).out;
    assert!(meeting.contains("(24-48 hours after)"), "{meeting}");
    let health = stack.run(&["report", "health", "--json"]).json();
    for key in ["overall_status", "failed_checks", "warnings", "recommendations"] {
        assert!(!health[key].is_null(), "{key}: {health}");
    }
    let json = stack.run(&["report", "incident", "--json"]).json();
    assert_eq!(json["labels"], serde_json::json!(["incident", "production", "rollback"]));
    let unknown = stack.run(&["report", "incident", "--incident", "99"]);
    assert_eq!(unknown.code, 3, "{unknown:?}");
    assert!(unknown.err.contains("INC-0099") && unknown.err.contains("INC-0001"), "{unknown:?}");
}

fn history(stack: &Stack) {
    let all = stack.run(&["history", "--json"]).json();
    let one = &all["rollbacks"][0]["execution"];
    let name = one["execution_id"].as_str().unwrap();
    assert_eq!(one["trigger"]["triggered_by"], "tester");
    assert_eq!(one["trigger"]["message"], "too many errors");
    let reason = one["trigger"]["reason"].as_str().unwrap();
    assert!(["ERROR_RATE", "MANUAL"].contains(&reason), "what the tree said then: {reason}");
    assert_eq!(one["trigger"]["trigger_id"], format!("trigger-{name}"));
    let deployment = one["trigger"]["deployment_id"].as_str().unwrap();
    assert!(!deployment.is_empty());
    let found = stack.run(&["history", name, "--json"]).json();
    assert_eq!((&found["status"], &found["outcome"]), (&"success".into(), &"done".into()));
    let about = stack.run(&["history", "--deployment-id", deployment, "--json"]).json();
    for key in ["execution_id", "status", "duration_minutes", "services"] {
        assert!(!about[0][key].is_null(), "{key}: {about}");
    }
    assert!(!about[0]["services"].as_array().unwrap().is_empty(), "{about}");
    let other = stack.run(&["history", "--deployment-id", "v0.0.1"]);
    assert_eq!((other.code, other.out.as_str()), (0, "no rollbacks\n"));
    assert_eq!(stack.run(&["history", "7-none-1"]).code, 3);
    let examples = stack.dir().join("examples.log");
    let text = "[2025-12-02 15:30:45] LEVEL=1 FROM=v2.5.0 TO=v2.4.9 DURATION=245 STATUS=success \
                REASON=\"Application crash due to null pointer\"\n[2025-12-01 14:20:15] LEVEL=2 \
                FROM=v2.4.8 TO=v2.4.7 DURATION=780 STATUS=success \
                REASON=\"Database migration failure\"\n";
    std::fs::write(&examples, text).unwrap();
    let report = stack.run(&["history", "--report", "--file", examples.to_str().unwrap()]);
    assert_eq!(
        report.out, "Level 1: 1\nLevel 2: 1\nAverage: 512.5 seconds\nSuccess rate: 100%\n",
        "{report:?}"
    );
}

fn checklist(stack: &Stack) {
    let ran = stack.run(&["checklist", "run", "1"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let told = stack.run(&["checklist", "done", "3", "--note", "told #ops"]);
    assert_eq!(told.code, 0, "{told:?}");
    let lines = stack.run(&["checklist", "--json"]).json();
    let lines = lines.as_array().unwrap();
    assert_eq!(lines.len(), 10);
    assert_eq!(lines[0]["done"]["note"], "backout validate passed");
    assert_eq!(
        (&lines[2]["done"]["by"], &lines[2]["done"]["note"]),
        (&"tester".into(), &"told #ops".into())
    );
    assert!(lines[3]["done"].is_null());
    assert_eq!(stack.run(&["checklist", "reopen", "3"]).code, 0);
    let text = stack.run(&["checklist"]).out;
    assert!(text.contains("[x]  1 Confirm") && text.contains("[ ]  3 Notify"), "{text}");
    assert_eq!(stack.run(&["checklist", "done", "11"]).code, 64);
    assert_eq!(stack.run(&["checklist", "run", "2"]).code, 64);
    assert_eq!(stack.run(&["checklist", "reopen", "4"]).code, 10, "it was never ticked");
}

/// A journal that lies elsewhere tells the same, and stays as it is.
fn copied(stack: &Stack) {
    let elsewhere = tempfile::tempdir().unwrap();
    let journal = elsewhere.path().join("journal.db");
    // With its log, where an engine has not yet written everything into the one file.
    for entry in stack.state().read_dir().unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("journal.") && !name.ends_with("-shm") {
            std::fs::copy(entry.path(), elsewhere.path().join(name)).unwrap();
        }
    }
    let before = std::fs::read(&journal).unwrap();
    let folder = elsewhere.path().to_str().unwrap();
    let here = stack.run(&["report", "incident"]).out;
    let there = stack.run(&["report", "incident", "--state", folder]);
    assert_eq!(there.out, here, "{there:?}");
    let page = stack.run(&["report", "incident", "--state", folder, "--format", "html"]).out;
    assert!(page.contains("No curves"), "the samples were not copied: {page}");
    let told = stack.run(&["replay", "INC-0001", "--state", journal.to_str().unwrap()]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.out.contains("types ROLLBACK: too many errors"), "{told:?}");
    assert_eq!(std::fs::read(&journal).unwrap(), before);
}
