//! Guided procedures on the embedded stack: looked at, run step by step, journaled.

use std::time::Duration;

use super::support::Stack;

mod pages;

const OWN: &str = r#"---
title: Our own
rows: [S-51]
words: [own]
version: "2.1"
reviewed: 2020-01-31
review_days: 30
---
Only here.

## Look

```sh look
echo "$BACKOUT_ENVIRONMENT of $BACKOUT_INCIDENT"; backout leftovers
```

- Expect: the name
- Matches: `demo of`

## Touch

```sh change
echo once >> touched
```

- Expect: a file
- Danger: it is there twice

## A tool that is not here

```sh look
no-such-tool --version
```

- Expect: a version

## Long

```sh change
echo begun >> begun; sleep 90
```

- Expect: nothing
- Danger: it lasts

## Tell #ops
"#;

fn with_own() -> Stack {
    let stack = Stack::up(None);
    std::fs::create_dir(stack.dir().join("ours")).unwrap();
    std::fs::write(stack.dir().join("ours/own.md"), OWN).unwrap();
    let text = std::fs::read_to_string(stack.config()).unwrap();
    std::fs::write(stack.config(), format!("{text}\nprocedures_dir: ours\n")).unwrap();
    stack
}

#[test]
fn row_s_79_p_74_a_step_is_run_journaled_and_never_called_good_unseen() {
    let stack = with_own();
    let said = stack.run(&["guide", "list", "own"]);
    assert!(said.out.contains("Our own  REVIEW OVERDUE"), "{said:?}");
    let said = stack.run(&["guide", "run", "own"]);
    assert_eq!(said.code, 3, "the worst of both: {said:?}");
    assert!(said.out.contains("1 Look: ok\n    demo of "), "{said:?}");
    assert!(said.out.contains("3 A tool that is not here: unknown: a tool is missing"), "{said:?}");
    let said = stack.run(&["guide", "run", "own", "2"]);
    assert_eq!(said.code, 64, "{said:?}");
    assert!(said.err.contains("changes something: echo once"), "{said:?}");
    assert!(!stack.state().join("touched").exists());
    let said = stack.run(&["guide", "run", "own", "2", "--change"]);
    assert_eq!((said.code, said.out.as_str()), (0, "2 Touch: ok\n"), "{said:?}");
    let touched = std::fs::read_to_string(stack.state().join("touched")).unwrap();
    assert_eq!(touched, "once\n");
    let said = stack.run(&["guide", "done", "own", "5", "--note", "told them"]);
    assert_eq!(said.code, 0, "{said:?}");
    let said = stack.run(&["guide", "run", "own", "5"]);
    assert!(said.err.contains("is done by a person"), "{said:?}");
    let said = stack.run(&["guide", "show", "own"]);
    for line in
        ["version 2.1, reviewed 2020-01-31, REVIEW OVERDUE", "-> ok (tester, ", "-> done (tester, "]
    {
        assert!(said.out.contains(line), "{line}: {said:?}");
    }
    let timeline = stack.situation().timeline;
    let has = |words: &str| timeline.iter().any(|moment| moment.text.as_str().contains(words));
    assert!(has("runs step 2 of own, which changes something") && has("step 2 of own: ok"));
    std::fs::write(stack.dir().join("ours/own.md"), OWN.replace("## Look", "# Look")).unwrap();
    let said = stack.run(&["guide"]);
    assert_eq!(said.code, 0, "the built-in ones are there all the same: {said:?}");
    assert!(said.out.contains("only the built-in ones: "), "{said:?}");
    let said = stack.run(&["check"]);
    assert!(said.code == 78 && said.err.contains("own.md: line 11"), "{said:?}");
}

#[test]
fn a_step_that_an_engine_left_behind_is_not_known_and_not_repeated() {
    let stack = with_own();
    let mut asks = stack.command(&["guide", "run", "own", "4", "--change"]).spawn().unwrap();
    let begun = || std::fs::read_to_string(stack.state().join("begun")).ok();
    stack.wait("the step begins", Duration::from_mins(1), || begun().is_some());
    asks.kill().unwrap();
    asks.wait().unwrap();
    stack.kill_engine();
    // The keeper starts another one.
    stack.wait("the next engine says so", Duration::from_mins(1), || {
        let situation = stack.situation();
        let mark = situation.guided("own", 4).unwrap();
        mark.end.as_ref().is_some_and(|end| end.why().contains("the engine ended while it ran"))
    });
    assert_eq!(begun().unwrap(), "begun\n");
}

#[test]
fn what_the_documents_only_tell_is_a_procedure_too() {
    let stack = Stack::up(None);
    let shown = |id: &str| stack.run(&["guide", "show", id]).out;
    let failover = shown("docling-failover-alert");
    for words in ["#doc-processing", "PagerDuty", "docs/security/docling_security_assessment.md"] {
        assert!(failover.contains(words), "{words}: {failover}");
    }
    let practice = shown("rollback-practice");
    for part in ["Preparation: ", "Execution: ", "After: "] {
        assert_eq!(practice.matches(part).count(), 5, "{part}: {practice}");
    }
}

#[test]
fn built_in_procedures_look_at_the_demo() {
    let stack = Stack::up(None);
    let all = backout::config::guides::load(None).unwrap();
    let long = std::env::var_os("BACKOUT_TEST_LONG").is_some();
    for guide in all {
        let said = stack.run(&["guide", "show", &guide.id]);
        assert!(said.out.starts_with(guide.title.as_str()), "{said:?}");
        let always =
            ["escalation-info", "rollback-does-not-start", "quick-checklist", "network-timeout"];
        if !long && !always.contains(&guide.id.as_str()) {
            continue;
        }
        let said = stack.run(&["guide", "run", &guide.id]);
        for (number, step) in (1..).zip(&guide.steps) {
            if let backout::model::guide::Act::Look(_) = step.act {
                let head = format!("{number} {}: ", step.title);
                assert!(said.out.contains(&head), "{}: {head}: {said:?}", guide.id);
            }
        }
        // P-48: ten looks, each with where its time went.
        if guide.id == "network-timeout" {
            let marks = stack.situation();
            let tail = &marks.guided("network-timeout", 2).unwrap().tail;
            let whole = |line: &backout::text::SafeText| {
                let line = line.as_str();
                ["DNS ", " connect ", " first byte ", " total ", " HTTP "]
                    .iter()
                    .all(|part| line.contains(part))
            };
            assert!(tail.len() >= 8 && tail.iter().all(whole), "{tail:?}");
        }
    }
    // P-60, P-75: five sections, and a mistake in the file with its line and column.
    let said = stack.run(&["doctor"]);
    for line in [
        "System Resources\n  CPU Usage: ",
        "  Memory Usage: ",
        "  Disk Usage: ",
        "  Inode Usage: ",
        "Service Status\n  Memory of green, MiB: OK",
        "Network Connectivity\n",
        "  Health through the proxy: OK",
        "Database Status\n  ",
        ": OK (a file, no connections)",
        "Recent Errors\n",
    ] {
        assert!(said.out.contains(line), "{line}: {said:?}");
    }
    // P-73: one command has all of it in one archive, with no secret in it.
    let log = stack.state().join("engine.log");
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    std::fs::write(&log, text + "ERROR login failed, password=geheim-4711\n").unwrap();
    let said = stack.run(&["--json", "export"]);
    assert!(said.code <= 1, "{said:?}");
    let made = said.json();
    let path = made["file"].as_str().or(made["path"].as_str()).unwrap().to_owned();
    let names = [
        "1-host",
        "2-room-and-memory",
        "3-the-service",
        "4-the-last-100-lines",
        "5-its-last-errors",
        "6-the-version-that-answers",
    ];
    for name in names {
        let said = stack.run(&["bundle", "show", &path, &format!("escalation/{name}.txt")]);
        assert!(said.code == 0 && said.out.starts_with("$ "), "{name}: {said:?}");
        assert!(!said.out.contains("geheim"), "{said:?}");
        assert!(name != "5-its-last-errors" || said.out.contains("login failed"), "{said:?}");
    }
    let good = std::fs::read_to_string(stack.config()).unwrap();
    std::fs::write(stack.config(), format!("{good}\n  - broken: [\n")).unwrap();
    let said = stack.run(&["doctor"]);
    assert_eq!(said.code, 78, "{said:?}");
    assert!(said.err.contains("backout.yaml:"), "{said:?}");
}

#[test]
fn upkeep_is_overdue_until_somebody_did_it() {
    let stack = with_own();
    let said = stack.run(&["guide", "list", "upkeep"]);
    for name in ["maintenance-weekly", "maintenance-monthly", "maintenance-quarterly"] {
        assert!(said.out.lines().any(|line| line.starts_with(name)), "{said:?}");
    }
    assert_eq!(said.out.matches("4 of 4 OVERDUE").count(), 3, "{said:?}");
    let done = ["guide", "done", "maintenance-monthly", "3", "--note", "drill of staging, 0:09"];
    assert_eq!(stack.run(&done).code, 0);
    let said = stack.run(&["guide", "show", "maintenance-monthly"]);
    assert!(said.out.contains("-> done (tester, ") && said.out.contains("   next on "), "{said:?}");
    let said = stack.run(&["guide", "list", "monthly"]);
    assert!(said.out.contains("3 of 4 OVERDUE"), "{said:?}");
    // P-50: a point is restored into a place of its own, counted, and that place is gone again.
    assert_eq!(stack.run(&["backup", "now"]).code, 0);
    let said = stack.run(&["backup", "verify", "--restore-test"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("users"), "{said:?}");
    let left = std::fs::read_dir(stack.state()).unwrap();
    let left = left.filter(|entry| {
        entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("trial-")
    });
    assert_eq!(left.count(), 0);
    // P-69: a limit that was widened for a while reverts by itself, and both is on record.
    let mut monitor = stack.start(&["monitor", "--duration", "60"]);
    let set =
        ["check", "set", "api_health", "timeout=30s", "--for", "2s", "--reason", "false alarm"];
    stack.wait("the monitor takes it", Duration::from_secs(30), || stack.run(&set).code == 0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let story = || {
        runtime.block_on(async {
            let mut reader = backout::journal::Reader::open(&stack.state()).await.unwrap();
            let entries = reader.after(0, 10_000).await.unwrap();
            entries.into_iter().map(|entry| format!("{:?}", entry.body)).collect::<Vec<_>>()
        })
    };
    let at = |word: &str| story().iter().position(|body| body.contains(word));
    stack.wait("it reverts", Duration::from_secs(30), || at("OverrideEnded").is_some());
    assert!(at("false alarm") < at("OverrideEnded"));
    monitor.kill().unwrap();
    monitor.wait().unwrap();
}

#[test]
fn a_drill_makes_a_failure_rolls_back_says_its_times_and_is_no_thing_for_production() {
    let stack = Stack::up(None);
    let said = stack.run(&["drill", "--environment", "demo"]);
    assert!(said.code == 0 || !said.err.is_empty(), "{said:?}");
    let said = if said.code == 0 { said } else { stack.run(&["drill"]) };
    assert_eq!(said.code, 0, "{said:?}\n{}", stack.log());
    for line in [
        "drill of demo: errors:0.3",
        "  seen after ",
        "  rolled back in ",
        " of 5:00",
        "tables, none has fewer rows",
        "  users afterwards ",
        "drill passed; forward again: backout rollback --undo last",
    ] {
        assert!(said.out.contains(line), "{line}: {said:?}");
    }
    assert_eq!(stack.status()["active"], "blue");
    let situation = stack.situation();
    let drill = situation.last_drill(backout::model::plan::Level::Switch).unwrap();
    assert_eq!(drill.reason.as_str(), "drill: errors:0.3");
    // Its times are the next estimate's.
    let took = drill.steps.iter().find(|(step, _)| step == "gate").unwrap().1;
    let again = stack.run(&["--json", "plan", "--target", "v2.5.0"]);
    if again.code == 0 {
        let plan = again.json();
        let steps = plan["steps"].as_array().unwrap();
        let gate = steps.iter().find(|step| step["action"].get("gate").is_some());
        let last = gate.and_then(|gate| gate["last_seconds"].as_f64());
        assert!(last.is_none_or(|last| (last - took.as_secs_f64()).abs() < 0.01), "{plan}");
    }
    // A failure of one's own making, where there is no embedded stack to break.
    let text = std::fs::read_to_string(stack.config()).unwrap();
    let own = "drill: {inject: 'false', heal: 'true', detect_within: 1s}\n";
    std::fs::write(stack.config(), format!("{text}\n{own}")).unwrap();
    let said = stack.run(&["drill"]);
    assert!(said.code != 0 && said.err.contains("could not"), "{said:?}");
    let production = text.replace("production: false", "production: true");
    assert_ne!(production, text);
    std::fs::write(stack.config(), production).unwrap();
    let said = stack.run(&["drill"]);
    assert_eq!(said.code, 10, "{said:?}");
    assert!(said.err.contains("demo is production: no drill here"), "{said:?}");
}
