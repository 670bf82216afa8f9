//! Who did what, when and why stands in the journal for every command, overrides among them (P-11).

use std::time::Duration;

use backout::journal::Reader;
use backout::model::entry::{Body, Entry};

use crate::support::Stack;

fn journal(stack: &Stack) -> Vec<Entry> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut reader = Reader::open(&stack.state()).await.unwrap();
        reader.after(0, 100_000).await.unwrap()
    })
}

#[test]
fn every_command_and_override_is_on_record_with_who_and_when() {
    let stack = Stack::up(Some("errors:0.3"));
    let why = ["--reason", "because of the audit"];
    // What is typed, and the name of what the journal holds of it.
    let asked: [(&[&str], &str); 11] = [
        (&["mute", "api_health", "--for", "30m"], "mute"),
        (&["severity", "critical"], "overrule"),
        (&["check", "set", "api", "timeout=4s", "--for", "30m"], "override"),
        (&["unmute", "api_health"], "unmute"),
        (&["lock", "acquire", "--for", "5m"], "lock"),
        (&["lock", "release"], "unlock"),
        (&["hold", "writers"], "hold"),
        (&["unhold", "writers"], "unhold"),
        (&["deploy", "begin", "--version", "v9"], "deploy"),
        (&["deploy", "failed", "--version", "v9"], "deploy"),
        (&["rollback", "--quick", "--auto-confirm"], "approve"),
    ];
    let mut seen = 0;
    for (typed, name) in asked {
        let takes_no_reason = matches!(typed[0], "deploy" | "unmute");
        let line: Vec<&str> = if takes_no_reason { typed.to_vec() } else { [typed, &why].concat() };
        let said = stack.run(&line);
        assert_eq!(said.code, 0, "{line:?}: {said:?}");
        let all = journal(&stack);
        let commands = all.iter().skip(seen).filter_map(|entry| match &entry.body {
            Body::Command(_, command) => Some((entry, serde_json::to_value(command).unwrap())),
            Body::Event(_) | Body::Newer { .. } => None,
        });
        let word = |value: &serde_json::Value| match value {
            serde_json::Value::String(word) => word.clone(),
            other => other.as_object().unwrap().keys().next().unwrap().clone(),
        };
        let found: Vec<_> = commands.filter(|(_, command)| word(command) == name).collect();
        let [(entry, command)] = found.as_slice() else {
            let all: Vec<_> = all.iter().skip(seen).map(|entry| &entry.body).collect();
            panic!("{line:?} is not once on record as {name}: {all:#?}");
        };
        let author = (&entry.author.uid, entry.author.name.as_str(), entry.author.engine);
        assert_eq!(author, (&rustix::process::geteuid().as_raw(), "tester", false), "{line:?}");
        let age = chrono::Utc::now() - entry.at;
        assert!(age.to_std().unwrap() < said.took + Duration::from_mins(1), "{line:?}: {age}");
        if !takes_no_reason {
            assert!(command.to_string().contains("because of the audit"), "{command}");
        }
        seen = all.len();
    }
    let report = stack.run(&["report", "incident"]);
    assert!(report.out.contains("because of the audit"), "{report:?}");
}
