//! Stopping the bleeding, headless, on the embedded stack: writers get 503 while reads go on, a
//! crash in the middle converges, and nothing left over is forgotten.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::support::{Said, Stack};

/// The status of one request at the public address.
fn ask(stack: &Stack, method: &str) -> u16 {
    let status = stack.status();
    let mut stream = TcpStream::connect(status["public"].as_str().unwrap()).unwrap();
    let request = format!(
        "{method} /health HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    let lower = said.to_lowercase();
    let status = said.split(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(status == 503, lower.contains("retry-after: 30"), "{said}");
    status
}

fn leftovers(stack: &Stack) -> Vec<Value> {
    let said = stack.run(&["leftovers", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    said.json().as_array().unwrap().clone()
}

fn names(stack: &Stack) -> Vec<String> {
    let name = |left: &Value| left["name"].as_str().unwrap().to_owned();
    leftovers(stack).iter().map(name).collect()
}

fn good(said: &Said, stack: &Stack) {
    assert_eq!(said.code, 0, "{said:?}\n{}", stack.log());
}

/// From the entry that asked to the entry that proved, by the journal's own times.
fn asked_to_proved(stack: &Stack) -> Duration {
    use backout::model::entry::{Body, Command, Event};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let entries = runtime.block_on(async {
        let mut reader = backout::journal::Reader::open(&stack.state()).await.unwrap();
        reader.after(0, 10_000).await.unwrap()
    });
    let asked =
        entries.iter().find(|entry| matches!(&entry.body, Body::Command(_, Command::Hold { .. })));
    let proved = entries.iter().find(|entry| match &entry.body {
        Body::Event(event) => matches!(**event, Event::HoldEnded { .. }),
        Body::Command(..) | Body::Newer { .. } => false,
    });
    (proved.unwrap().at - asked.unwrap().at).to_std().unwrap()
}

#[test]
#[expect(clippy::print_stdout, reason = "how long it took is told, not asserted")]
fn held_writers_get_503_while_reads_go_on_until_they_are_lifted() {
    let stack = Stack::up(Some("errors:0.3"));
    assert_eq!((ask(&stack, "POST"), ask(&stack, "GET")), (405, 200));
    let held = stack.run(&["hold", "writers", "--reason", "orders are charged twice"]);
    good(&held, &stack);
    assert!(held.out.starts_with("+ writers held, proved after "), "{held:?}");
    assert_eq!((ask(&stack, "POST"), ask(&stack, "GET")), (503, 200));
    println!("asked to proved by the journal: {:?}", asked_to_proved(&stack));
    let left = leftovers(&stack);
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0]["name"], "writers held");
    assert_eq!(left[0]["owner"], "tester");
    assert_eq!(left[0]["undo"], "backout unhold writers --reason WHY");
    assert_eq!(left[0]["overdue"], false);
    let status = stack.run(&["status"]);
    assert!(status.out.contains("HELD writes"), "{status:?}");
    // A hold is released by lifting it, not by a word.
    let refused = stack.run(&["leftovers", "release", "writers", "--reason", "x"]);
    assert_eq!(refused.code, 10, "{refused:?}");
    good(&stack.run(&["hold", "writers", "--reason", "again"]), &stack);
    good(&stack.run(&["unhold", "--reason", "it is good"]), &stack);
    assert_eq!((ask(&stack, "POST"), ask(&stack, "GET")), (405, 200));
    assert_eq!(names(&stack), Vec::<String>::new());
    let key = |line: &String| line.rsplit_once(' ').unwrap().0.to_owned();
    let ledger: Vec<String> = stack.ledger().iter().map(key).collect();
    let count = |what: &str| ledger.iter().filter(|line| *line == what).count();
    assert_eq!((count("hold writers"), count("unhold writers")), (1, 1), "{ledger:?}");
}

#[test]
fn an_engine_that_dies_in_the_middle_of_a_hold_leaves_it_to_the_next() {
    for fault in [
        "B1:hold_writers",
        "B2:hold_writers",
        "B4:hold_writers",
        "B5:hold_writers",
        "B6:hold_writers",
        "B8:hold",
    ] {
        let stack = Stack::up(None);
        let fault = format!("die-at:{fault}");
        let held = stack.run_with(&fault, &["hold", "writers", "--reason", "why"]);
        good(&held, &stack);
        assert!(stack.state().join("fault-struck").exists(), "{fault} did not strike");
        assert_eq!((ask(&stack, "POST"), ask(&stack, "GET")), (503, 200), "{fault}");
        assert_eq!(names(&stack), ["writers held"], "{fault}");
        let ledger = stack.ledger();
        let held = ledger.iter().filter(|line| line.starts_with("hold writers")).count();
        assert_eq!(held, 1, "{fault}: {ledger:?}");
        let fence = stack.dir().join("fence.json");
        stack.wait("the fence is given back", Duration::from_secs(5), || !fence.exists());
    }
}

#[test]
fn what_another_journal_works_on_is_not_held_beside_it() {
    let stack = Stack::up(None);
    let fence = stack.dir().join("fence.json");
    let theirs = r#"{"run": "9-zzzz-1", "journal": "zzzz", "epoch": 1, "name": "zoe",
        "host": "elsewhere", "since": "2026-11-22T01:02:03Z"}"#;
    std::fs::write(&fence, theirs).unwrap();
    let refused = stack.run(&["hold", "writers", "--reason", "why"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    let told = stack.situation().timeline.iter().any(|one| one.text.as_str().contains("zoe"));
    assert!(told, "who has it is said: {refused:?} {:?}", stack.situation().timeline);
    assert_eq!((ask(&stack, "POST"), names(&stack)), (405, Vec::new()));
    std::fs::remove_file(&fence).unwrap();
    good(&stack.run(&["hold", "writers", "--reason", "why"]), &stack);
    assert_eq!(ask(&stack, "POST"), 503);
    assert!(!fence.exists(), "held, and the fence given back");
}

#[test]
fn a_hold_outlives_the_run_that_starts_under_it() {
    let stack = Stack::up(Some("errors:0.3"));
    good(&stack.run(&["hold", "writers", "--reason", "charged twice"]), &stack);
    let done = stack.run(&["rollback", "--quick", "--reason", "test"]);
    good(&done, &stack);
    assert!(done.out.contains("writers are held, and stay so"), "{done:?}");
    let run = stack.situation().history[0].run.to_string();
    let sheet = stack.state().join("evidence").join(&run).join("break-glass.txt");
    let sheet = std::fs::read_to_string(sheet).unwrap();
    let (_, held) = sheet.split_once("HELD, and not lifted by any step above:").unwrap();
    assert!(held.contains("tester: charged twice") && held.contains("$ curl"), "{held}");
    let history = stack.run(&["history"]);
    assert!(history.out.contains(&format!("\n  {run}  ")), "{history:?}");
    assert_eq!(stack.run(&["history", "--json"]).json()["rollbacks"][0]["run"], run.as_str());
    assert_eq!((ask(&stack, "POST"), ask(&stack, "GET")), (503, 200));
    let mut left = names(&stack);
    left.sort();
    let all = ["green stopped, kept", "workers of green stopped, kept", "writers held"];
    assert_eq!(left, all);
    assert!(stack.run(&["status"]).out.contains("HELD writes"));
    good(&stack.run(&["unhold", "writers", "--reason", "v2.4.9 is good"]), &stack);
    assert_eq!(ask(&stack, "POST"), 405);
}

#[test]
fn a_worker_that_cannot_be_stopped_holds_no_switch_up_and_is_left_over_by_name() {
    let stack = Stack::up(Some("errors:0.3"));
    let file = stack.dir().join("green-worker/process.json");
    let whole = std::fs::read(&file).unwrap();
    // Nobody can say which process it is: it goes on, and no look can tell.
    std::fs::write(&file, "{").unwrap();
    let done = stack.run(&["rollback", "--quick", "--reason", "test"]);
    std::fs::write(&file, whole).unwrap();
    good(&done, &stack);
    assert_eq!(stack.status()["active"], "blue");
    assert!(done.out.contains("not done: stop_workers"), "{done:?}");
    assert_eq!(names(&stack), ["workers of green not stopped", "green stopped, kept"]);
    let left = leftovers(&stack);
    let undo = left[0]["undo"].as_str().unwrap();
    assert!(undo.contains("kill -TERM") && undo.contains("green-worker"), "{undo}");
    let released = ["leftovers", "release", "workers of green", "--reason", "killed by hand"];
    good(&stack.run(&released), &stack);
    assert_eq!(names(&stack), ["green stopped, kept"]);
}

#[test]
fn a_check_that_is_taken_out_of_the_configuration_keeps_no_card() {
    let stack = Stack::up(None);
    let known = |stack: &Stack, id: &str| {
        stack.run(&["check"]);
        stack.situation().checks.keys().any(|check| check.as_str() == id)
    };
    let limit = Duration::from_secs(30);
    stack.wait("the check is known", limit, || known(&stack, "api_documents"));
    let text = std::fs::read_to_string(stack.config()).unwrap();
    let (before, rest) = text.split_once("  - check_id: api_documents\n").unwrap();
    let (_, after) = rest.split_once("  - check_id: ").unwrap();
    std::fs::write(stack.config(), format!("{before}  - check_id: {after}")).unwrap();
    stack.wait("the check is forgotten", limit, || !known(&stack, "api_documents"));
    assert!(known(&stack, "api_health"), "the others stay");
}

#[test]
fn the_page_is_for_everybody_and_keeps_a_rollback_from_starting() {
    let stack = Stack::up(Some("errors:0.3"));
    good(&stack.run(&["hold", "page", "--reason", "why"]), &stack);
    assert_eq!((ask(&stack, "POST"), ask(&stack, "GET")), (503, 503));
    let refused = stack.run(&["rollback", "--quick", "--reason", "test"]);
    assert_eq!(refused.code, 10, "{refused:?}");
    assert!(refused.err.contains("maintenance page is held"), "{refused:?}");
    good(&stack.run(&["unhold", "page", "--reason", "back"]), &stack);
    assert_eq!(ask(&stack, "GET"), 200);
}

#[test]
fn held_consumers_stop_and_only_those_of_the_good_version_start_again() {
    let stack = Stack::up(Some("errors:0.3"));
    let last = |stack: &Stack, name: &str| {
        let ledger = stack.ledger();
        let line = ledger.iter().rfind(|line| line.contains(&format!(" {name} "))).cloned();
        line.unwrap().split(' ').next().unwrap().to_owned()
    };
    let workers = |stack: &Stack| (last(stack, "blue-worker"), last(stack, "green-worker"));
    assert_eq!(workers(&stack), ("start".into(), "start".into()));
    good(&stack.run(&["hold", "consumers", "--reason", "why"]), &stack);
    assert_eq!(workers(&stack), ("stop".into(), "stop".into()));
    let done = stack.run(&["rollback", "--quick", "--reason", "test"]);
    good(&done, &stack);
    good(&stack.run(&["unhold", "consumers", "--reason", "v2.4.9 is good"]), &stack);
    assert_eq!(workers(&stack), ("start".into(), "stop".into()), "{:?}", stack.ledger());
    assert_eq!(names(&stack), ["green stopped, kept"]);
}

#[test]
fn what_a_run_leaves_is_listed_and_handed_over_and_gone_when_it_runs_again() {
    let stack = Stack::up(Some("errors:0.3"));
    let plan = stack.run(&["plan", "--level", "1"]);
    let workers = "workers and cron: green 1 of 1 stops first, blue 1 of 1 runs on";
    assert!(plan.out.contains(workers), "{plan:?}");
    good(&stack.run(&["rollback", "--quick", "--reason", "test"]), &stack);
    assert_eq!(names(&stack), ["workers of green stopped, kept", "green stopped, kept"]);
    let first = stack.ledger().iter().position(|line| line.starts_with("stop green-worker"));
    let switch = stack.ledger().iter().position(|line| line.starts_with("switch green->blue"));
    assert!(first.unwrap() < switch.unwrap(), "{:?}", stack.ledger());
    let over =
        ["leftovers", "hand-over", "green stopped, kept", "--to", "dana", "--reason", "mends it"];
    good(&stack.run(&over), &stack);
    let handed: Vec<Value> =
        leftovers(&stack).iter().map(|left| left["handed_to"].clone()).collect();
    assert_eq!(handed, [Value::Null, "dana".into()]);
    // The workers run again: the next engine that looks releases them by itself.
    let file = std::fs::read_to_string(stack.dir().join("green-worker/process.json")).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    let words: Vec<&str> =
        file["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let mut worker = stack.start(&words);
    stack.wait("the leftover is released", Duration::from_secs(30), || {
        stack.run(&["check"]);
        names(&stack) == ["green stopped, kept"]
    });
    let released = ["leftovers", "release", "green", "--reason", "it stays stopped"];
    good(&stack.run(&released), &stack);
    assert_eq!(names(&stack), Vec::<String>::new());
    let pid = rustix::process::Pid::from_child(&worker);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    worker.wait().unwrap();
}

#[test]
fn an_undo_starts_the_workers_that_the_run_stopped() {
    let stack = Stack::up(Some("errors:0.3"));
    let count = |what: &str| stack.ledger().iter().filter(|line| line.starts_with(what)).count();
    good(&stack.run(&["rollback", "--quick", "--reason", "test", "--detach"]), &stack);
    stack.wait("the switch", Duration::from_secs(20), || count("switch green->blue") == 1);
    let undone = stack.run(&["abort", "undo"]);
    good(&undone, &stack);
    assert_eq!(stack.status()["active"], "green");
    assert_eq!((count("stop green-worker "), count("start green-worker ")), (1, 2));
    assert_eq!(names(&stack), Vec::<String>::new(), "what was taken back is not left over");
}
