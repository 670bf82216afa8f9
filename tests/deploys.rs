//! Deploys on record, what is noticed, level 1 without a live second version, and the way back
//! from a finished run: all on the real embedded stack.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::support::Stack;

/// Ends the process of a colour as an operator would, and waits until it is gone.
fn stop(stack: &Stack, color: &str) {
    signal(stack, color, rustix::process::Signal::TERM);
    stack.wait("it stops", Duration::from_secs(10), || stack.status()[color]["state"] == "down");
}

fn signal(stack: &Stack, color: &str, signal: rustix::process::Signal) {
    let path = stack.dir().join(color).join("process.json");
    let process: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let pid = i32::try_from(process["identity"]["pid"].as_i64().unwrap()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// How often the stack's own processes wrote down that this happened.
fn count(stack: &Stack, what: &str) -> usize {
    stack.ledger().iter().filter(|line| line.starts_with(what)).count()
}

fn quick(stack: &Stack, more: &[&str]) -> super::support::Said {
    let mut arguments = vec!["rollback", "--auto-confirm", "--reason", "test", "--json"];
    arguments.extend(more);
    stack.run(&arguments)
}

/// The settings that a colour's process says it began with.
fn settings_of(stack: &Stack, color: &str) -> String {
    let file = std::fs::read(stack.dir().join(color).join("app.yaml")).unwrap();
    let address = stack.status()[color]["address"].as_str().unwrap().to_owned();
    let said = get(&address, "/status");
    let digest = backout::model::ids::Digest::of(&file).short();
    assert_eq!(said["config"], digest.as_str(), "it runs with other settings than lie there");
    String::from_utf8(file).unwrap()
}

fn get(address: &str, path: &str) -> Value {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn a_stopped_version_is_started_again_and_serves_without_a_gap() {
    let stack = Stack::up(Some("errors:0.3"));
    stop(&stack, "blue");
    let starts = count(&stack, "start blue");
    let shown = stack.run(&["plan"]);
    assert!(shown.out.contains("Form: redeploy of v2.4.9 on free blue, gap 0:00"), "{shown:?}");
    assert!(shown.out.contains("no switch: blue does not run"), "{shown:?}");
    let done = quick(&stack, &[]);
    assert_eq!(done.code, 0, "{done:?}\n{}", stack.log());
    let status = stack.status();
    assert_eq!((&status["active"], &status["blue"]["version"]), (&"blue".into(), &"v2.4.9".into()));
    assert_eq!(status["green"]["state"], "down");
    assert_eq!(count(&stack, "start blue"), starts + 1, "{:?}", stack.ledger());
    assert_eq!(count(&stack, "switch green->blue"), 1, "{:?}", stack.ledger());
    stack.assert_data_kept();
}

#[test]
fn an_older_release_replaces_the_live_second_version_with_its_own_configuration() {
    let stack = Stack::up(Some("errors:0.3"));
    let done = quick(&stack, &["--target", "v2.4.8"]);
    assert_eq!(done.code, 0, "{done:?}\n{}", stack.log());
    assert_eq!(done.json()["to"], "v2.4.8");
    assert_eq!(stack.status()["blue"]["version"], "v2.4.8");
    assert!(settings_of(&stack, "blue").contains("version: v2.4.8"));
    assert_eq!(count(&stack, "stop blue"), 1, "{:?}", stack.ledger());

    // The way back: the newer version serves again, and blue holds what it held before.
    let dir = stack.dir().to_str().unwrap().to_owned();
    assert_eq!(stack.run(&["demo", "heal", "--dir", &dir]).code, 0);
    let undone = quick(&stack, &["--undo", "last"]);
    assert_eq!(undone.code, 0, "{undone:?}\n{}", stack.log());
    let status = stack.status();
    assert_eq!(
        (&status["active"], &status["green"]["version"]),
        (&"green".into(), &"v2.5.0".into())
    );
    assert_eq!(
        (&status["blue"]["version"], &status["blue"]["state"]),
        (&"v2.4.9".into(), &"up".into())
    );
    assert!(settings_of(&stack, "blue").contains("version: v2.4.9"));
    let history = stack.run(&["history"]).out;
    assert!(history.contains("FROM=v2.5.0 TO=v2.4.8"), "{history}");
    assert!(history.contains("FROM=v2.4.8 TO=v2.5.0"), "{history}");
    let left = stack.run(&["status", "--json"]).json();
    assert_eq!(left["leftovers"], serde_json::json!([]), "green runs again");

    // The run before it cannot be taken back any more: the later one changed the same target.
    let refused = quick(&stack, &["--undo", done.json()["run"].as_str().unwrap()]);
    assert_eq!(refused.code, 10, "{refused:?}");
    assert!(refused.err.contains("came later"), "{refused:?}");
}

#[test]
fn without_a_second_colour_the_release_is_replaced_in_place_and_the_gap_is_said() {
    let stack = Stack::up(Some("errors:0.3"));
    let text = std::fs::read_to_string(stack.config()).unwrap();
    let blue = text.find("blue: {url").unwrap();
    let end = blue + text[blue..].find("green:").unwrap();
    std::fs::write(stack.config(), format!("{}{}", &text[..blue], &text[end..])).unwrap();
    let shown = stack.run(&["plan"]);
    assert!(shown.out.contains("in place on green, gap 0:08"), "{shown:?}");
    assert!(shown.out.contains("users get no answer for about 0:08"), "{shown:?}");
    let done = quick(&stack, &[]);
    assert_eq!(done.code, 0, "{done:?}\n{}", stack.log());
    let status = stack.status();
    assert_eq!(
        (&status["active"], &status["green"]["version"]),
        (&"green".into(), &"v2.4.9".into())
    );
    let criteria = done.json()["criteria"].to_string();
    assert!(criteria.contains("replaced in place, gap < 1 min"), "{criteria}");
    assert_eq!(count(&stack, "stop green "), 1, "{:?}", stack.ledger());
    let undone = quick(&stack, &["--undo", "last"]);
    assert_eq!(undone.code, 0, "{undone:?}\n{}", stack.log());
    assert_eq!(stack.status()["green"]["version"], "v2.5.0");
}

#[test]
fn a_tampered_release_blocks_before_anything_changes() {
    let stack = Stack::up(Some("errors:0.3"));
    std::fs::write(stack.dir().join("releases/v2.4.8/files/app.yaml"), "version: evil\n").unwrap();
    let ledger = stack.ledger();
    let said = quick(&stack, &["--target", "v2.4.8"]);
    assert_eq!(said.code, 10, "{said:?}");
    assert!(said.err.contains("not those that were recorded"), "{said:?}");
    assert_eq!(stack.ledger(), ledger);
}

#[test]
fn a_switch_can_be_taken_back_unless_the_newer_version_is_gone() {
    let stack = Stack::up(Some("errors:0.3"));
    assert_eq!(quick(&stack, &[]).code, 0);
    let release = stack.dir().join("green/release.json");
    let text = std::fs::read_to_string(&release).unwrap();
    std::fs::write(&release, text.replace("v2.5.0", "v2.5.9")).unwrap();
    let refused = quick(&stack, &["--undo", "last"]);
    assert_eq!(refused.code, 10, "{refused:?}");
    assert!(refused.err.contains("cannot take"), "{refused:?}");
    std::fs::write(&release, text).unwrap();
    assert_eq!(stack.status()["active"], "blue");
}

#[test]
fn a_deploy_is_on_record_from_its_begin_and_leaves_a_point() {
    let stack = Stack::up(Some("errors:0.3"));
    let about = ["--version", "v2.5.1", "--color", "blue", "--by", "ci", "--reference", "ci#4712"];
    let tell = |word: &str, more: &[&str]| {
        let mut command = stack.command(&[&["deploy", word], &about[..], more].concat());
        let said = command.env("USER", "ci").output().unwrap();
        assert!(said.status.success(), "{said:?}");
        String::from_utf8(said.stdout).unwrap()
    };
    assert_eq!(
        tell("begin", &["--schema", "105"]),
        "on record: deploy v2.5.1 by ci (ci#4712) begins\n"
    );
    let status = stack.run(&["status"]).out;
    assert!(status.contains("DEPLOY v2.5.1 by ci running "), "{status}");
    let plan = stack.run(&["plan"]).out;
    assert!(plan.contains("! WARN  no deploy runs: deploy v2.5.1 by ci runs since "), "{plan}");
    let image = format!("shop/api@sha256:{}", "a".repeat(64));
    let done = tell("done", &["--image", &image]);
    assert!(done.contains("; restore point deploy-"), "{done}");
    let targets = stack.run(&["targets", "--json"]).json();
    let targets = targets.as_array().unwrap();
    let point = targets.iter().find(|one| one["version"] == "v2.5.1").unwrap();
    assert_eq!((&point["known"], &point["schema"]), (&"recorded".into(), &105.into()));
    assert_eq!(point["by"], "deployed by ci, ci#4712");
    let changes = stack.run(&["status", "--json"]).json()["changes"].clone();
    assert_eq!((&changes[0]["version"], &changes[0]["state"]), (&"v2.5.1".into(), &"done".into()));
    // Who reports does not lead: a person may act at once.
    let plan = stack.run(&["rollback", "--dry-run"]);
    assert_eq!(plan.code, 0, "{plan:?}");
    let moved = stack.run(&["deploy", "done", "--version", "v9", "--image", "shop/api:latest"]);
    assert_eq!(moved.code, 64, "{moved:?}");
}

#[test]
fn a_version_that_nobody_reported_is_noticed_and_never_called_good() {
    let stack = Stack::up(None);
    // The first look only learns what lies there.
    let known = stack.run(&["targets"]);
    assert!(known.out.contains("← Target"), "{known:?}");
    stop(&stack, "blue");
    let release = stack.dir().join("blue/release.json");
    let text = std::fs::read_to_string(&release).unwrap();
    std::fs::write(&release, text.replace("v2.4.9", "v2.4.7-hotfix")).unwrap();
    assert!(
        backout::demo::start_app(
            stack.dir(),
            backout::demo::Color::Blue,
            &backout::adapters::process::Program::at(env!("CARGO_BIN_EXE_backout")),
        )
        .is_ok()
    );
    stack.wait("blue is up", Duration::from_secs(10), || stack.status()["blue"]["state"] == "up");
    let noticed = || {
        let changes = stack.run(&["status", "--json"]).json()["changes"].clone();
        let noticed = |change: &&Value| change["state"] == "noticed";
        changes.as_array().unwrap().iter().filter(noticed).cloned().collect::<Vec<_>>()
    };
    stack.wait("it is noticed", Duration::from_secs(30), || {
        stack.run(&["targets"]);
        !noticed().is_empty()
    });
    let found = noticed();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["version"], "v2.4.7-hotfix");
    assert_eq!(found[0]["evidence"], "blue had v2.4.9 before, nobody reported it");
    let targets = stack.run(&["targets", "--json"]).json();
    let live = targets.as_array().unwrap().iter().find(|one| one["id"] == "live-blue").unwrap();
    assert_eq!((&live["known"], &live["health"]), (&"noticed".into(), &"not_proven".into()));
    stack.run(&["targets"]);
    assert_eq!(noticed().len(), 1, "it was noticed twice");
}

#[test]
fn a_pinned_point_is_marked_and_missed_when_it_is_gone() {
    let stack = Stack::up(None);
    let targets = stack.run(&["targets", "--json"]).json();
    let backup = targets.as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
    let pinned = stack.run(&["targets", "pin", &backup, "--reason", "audit of May"]);
    assert_eq!(pinned.code, 0, "{pinned:?}");
    assert!(stack.run(&["targets"]).out.contains("PINNED: audit of May"));
    std::fs::remove_dir_all(stack.dir().join("backups").join(&backup)).unwrap();
    stack.wait("it is missed", Duration::from_secs(20), || {
        stack.run(&["targets"]).out.contains("(refused: pinned, but it is not there any more)")
    });
    assert_eq!(stack.run(&["targets", "unpin", &backup]).code, 0);
    let unknown = stack.run(&["targets", "pin", "nope", "--reason", "x"]);
    assert_eq!(unknown.code, 10, "{unknown:?}");
}

/// A copy of `point` that says it was taken years ago.
fn aged(point: &Path, id: &str) {
    let old = point.with_file_name(id);
    std::fs::create_dir(&old).unwrap();
    for entry in std::fs::read_dir(point).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            std::fs::copy(entry.path(), old.join(entry.file_name())).unwrap();
        }
    }
    let path = old.join("manifest.json");
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    manifest["id"] = id.into();
    manifest["taken_at"] = "2020-01-01T00:00:00Z".into();
    std::fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
}

/// S-73: what would go is listed with its size, and what is needed to go back never is.
#[test]
fn a_preview_of_pruning_lists_what_goes_with_its_size_and_never_what_is_needed() {
    let stack = Stack::up(Some("errors:0.3"));
    let backups = stack.dir().join("backups");
    let points = stack.run(&["--json", "backup", "list"]).json();
    let newest = points[0]["id"].as_str().unwrap().to_owned();
    for id in ["20200101-000000", "20200101-000001", "20200101-000002"] {
        aged(&backups.join(&newest), id);
    }
    let said = stack.run(&["backup", "now", "--safety"]);
    assert_eq!(said.code, 0, "{said:?}");
    let said = stack.run(&["targets", "pin", "20200101-000001", "--reason", "audit"]);
    assert_eq!(said.code, 0, "{said:?}");
    let text = std::fs::read_to_string(stack.config()).unwrap();
    let text = text.replacen("backup: {", "backup_retention_days: 7\nbackup: {keep_count: 1, ", 1);
    std::fs::write(stack.config(), text).unwrap();
    let look = |arguments: &[&str]| {
        let said = stack.run(arguments);
        assert_eq!(said.code, 0, "{said:?}");
        said
    };
    let before = look(&["--json", "backup", "list"]).json();
    let said = look(&["backup", "prune", "--dry-run"]).out;
    let going: Vec<&str> = said.lines().filter(|line| line.contains("would go: ")).collect();
    assert_eq!(going.len(), 2, "{said}");
    for (line, id) in going.iter().zip(["20200101-000002", "20200101-000000"]) {
        assert!(line.starts_with(id) && line.contains(" kB, older than 7 days"), "{said}");
    }
    for kept in ["kept: pinned", "kept: a safety backup"] {
        assert!(said.contains(kept), "{kept}: {said}");
    }
    assert!(
        said.lines().any(|line| line.starts_with(&newest) && line.contains("kept: ")),
        "{said}"
    );
    assert!(said.lines().last().unwrap().starts_with("2 of "), "{said}");
    assert_eq!(look(&["--json", "backup", "list"]).json(), before, "nothing went");
    let refused = stack.run(&["backup", "prune"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    let removed = look(&["--json", "backup", "prune", "--yes"]).json();
    let removed = removed.as_array().unwrap().iter().filter(|row| row["removed"] == true);
    assert!(removed.clone().all(|row| row["bytes"].as_u64().is_some_and(|bytes| bytes > 0)));
    assert_eq!(removed.count(), 2);
    let left = look(&["--json", "backup", "list"]).json();
    assert_eq!(left.as_array().unwrap().len(), before.as_array().unwrap().len() - 2);
}
