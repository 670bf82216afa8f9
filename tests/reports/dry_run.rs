//! A rehearsal changes nothing (P-39): everything of the stack is hashed before and after.

use std::collections::BTreeMap;
use std::path::Path;

use backout::model::ids::Digest;
use sqlx::{Column as _, ConnectOptions as _, Row as _};

use crate::support::Stack;

/// One rehearsal. A level that can be planned on the stack is a line more.
struct Rehearsal {
    level: &'static str,
    fault: &'static str,
    /// What its plan must show: a step and a command for doing it by hand.
    shows: [&'static str; 2],
}

const REHEARSALS: [Rehearsal; 3] = [
    Rehearsal { level: "1", fault: "errors:0.3", shows: ["switch traffic to blue", "curl"] },
    Rehearsal { level: "2", fault: "bad-migration", shows: ["take migration 105 back", "sqlite3"] },
    Rehearsal { level: "3", fault: "corruption", shows: ["swap the databases", "gunzip"] },
];

/// What the stack's own processes write all the time, whatever anyone does.
fn is_alive(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let log = path.extension().is_some_and(|kind| kind == "log")
        && name != "ledger.log"
        && name != "rollback_history.log";
    // The database is compared table by table: its files change with each look at them.
    log || name.ends_with(".log.1") || name.contains(".db") || name == "traffic.json"
}

/// Digests of every file below the folder, the state folder too.
fn files(root: &Path) -> BTreeMap<String, Digest> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if entry.file_type().unwrap().is_dir() {
                found.insert(format!("{name}/"), Digest::default());
                folders.push(path);
            } else if entry.file_type().unwrap().is_file() && !is_alive(&path) {
                found.insert(name, Digest::of(&std::fs::read(&path).unwrap()));
            }
        }
    }
    found
}

/// Digests of every table, by its rows.
fn tables(database: &Path) -> BTreeMap<String, Digest> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database).read_only(true);
        let mut connection = options.connect().await.unwrap();
        let list = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
        let names: Vec<String> = sqlx::query(list)
            .fetch_all(&mut connection)
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        let mut found = BTreeMap::new();
        for name in names {
            let query = format!("SELECT * FROM \"{name}\"");
            let rows = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(&mut connection).await;
            let mut text = String::new();
            for row in rows.unwrap() {
                for column in row.columns() {
                    let value: Option<String> =
                        row.try_get_unchecked::<Option<String>, _>(column.ordinal()).unwrap();
                    text.extend([format!("{}={value:?};", column.name())]);
                }
                text.push('\n');
            }
            found.insert(name, Digest::of(text.as_bytes()));
        }
        found
    })
}

/// Everything that a rollback could change.
fn state(stack: &Stack) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (name, digest) in files(stack.dir()) {
        all.insert(format!("file {name}"), digest.0);
    }
    for (name, digest) in tables(&stack.dir().join("data/app.db")) {
        all.insert(format!("table {name}"), digest.0);
    }
    let mut proxy = stack.status();
    // What is counted goes on being counted.
    for counted in ["requests", "failed", "in_flight"] {
        proxy.as_object_mut().unwrap().remove(counted);
    }
    all.insert("status".to_owned(), proxy.to_string());
    all
}

#[test]
fn a_rehearsal_prints_the_whole_plan_and_changes_nothing_anywhere() {
    for Rehearsal { level, fault, shows } in REHEARSALS {
        let stack = Stack::up(Some(fault));
        // Once looked at, so that there is a journal which could change.
        stack.run(&["check"]);
        stack.end_traffic();
        let before = state(&stack);
        assert!(before.keys().any(|name| name.starts_with("table ")), "{before:?}");
        assert!(before.contains_key("file ledger.log"), "{before:?}");
        let journal = std::fs::read(stack.state().join("journal.db")).unwrap();
        let said = stack.run(&[
            "rollback",
            "--deployment-id",
            "test",
            "--dry-run",
            "--service",
            "backend",
            "--reason",
            "test simulation",
            "--level",
            level,
        ]);
        assert_eq!(said.code, 0, "level {level}: {said:?}");
        for shown in shows {
            assert!(said.out.contains(shown), "level {level}: {shown}: {}", said.out);
        }
        for told in ["nothing was changed", "no deploy test is on record", "test simulation"] {
            assert!(said.out.contains(told), "level {level}: {told}: {}", said.out);
        }
        let after = state(&stack);
        let changed: Vec<&String> = before
            .keys()
            .chain(after.keys())
            .filter(|name| before.get(*name) != after.get(*name))
            .collect();
        assert!(changed.is_empty(), "level {level}: {changed:?}");
        assert_eq!(std::fs::read(stack.state().join("journal.db")).unwrap(), journal);
        assert!(!stack.state().join("runs").exists(), "level {level}: a run was made");
    }
}

#[test]
fn a_deploy_or_a_service_that_does_not_fit_refuses_the_real_thing() {
    let stack = Stack::up(Some("errors:0.3"));
    for (flag, name, why) in [
        ("--deployment-id", "test", "no deploy test is on record"),
        ("--service", "backend", "no check looks at a service backend"),
    ] {
        let said = stack.run(&["rollback", "--quick", "--reason", "test", flag, name]);
        assert_eq!(said.code, 10, "{said:?}");
        assert!(said.err.contains(why), "{said:?}");
    }
    assert_eq!(stack.status()["active"], "green");
}
