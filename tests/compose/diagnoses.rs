//! What people meet when a rollback does not go well, each made for real: the words say what it is,
//! and the next command (S-68 to S-72).

use backout::adapters::Workload as _;

use crate::guarantees::tell;

use super::lab::lab;
use super::site::Site;

const LEVEL_2: [&str; 6] = ["rollback", "--level", "2", "--auto-confirm", "--reason", "test"];

/// Says what was said of a case, which has to hold all of `words`.
fn says(case: &str, text: &str, words: &[&str]) {
    let line = text.lines().find(|line| line.contains(words[0]));
    let line = line.unwrap_or_else(|| panic!("{case}: no {:?} in {text}", words[0]));
    tell(&format!("{case}: {}", line.trim()));
    for word in words {
        assert!(text.contains(word), "{case}: no {word:?} in {text}");
    }
}

/// Takes back what the run has begun, so that the next case finds the stack as it was.
fn undone(site: &Site<'_>) {
    let said = site.run(&["run", "abort", "UNDO", "--reason", "the next case"]);
    assert_eq!(said.code, 0, "{}", said.text);
    let until = std::time::Instant::now() + std::time::Duration::from_mins(3);
    while site.situation().is_none_or(|known| known.open_run().is_some()) {
        assert!(std::time::Instant::now() < until, "{}", site.run(&["run"]).text);
        std::thread::park_timeout(std::time::Duration::from_millis(200));
    }
}

#[test]
fn a_missing_tool_and_an_unknown_target_are_said_before_anything_is_done() {
    let Some(lab) = lab() else { return };
    let site = Site::fresh(&lab.stack);
    site.stack.script("break", &["errors"]);
    // S-69: before anything is done. Nothing of the host's tools is there in a world of its own.
    let hide = "for dir in /usr/local/bin /usr/bin; do for tool in docker docker-compose; do \
                if [ -e $dir/$tool ]; then mount --bind /dev/null $dir/$tool; fi; done; done; exec \"$@\"";
    let plan = site.command(&["plan", "--level", "2"]);
    let mut without = site.stack.place.command("unshare");
    without.args(["-m", "sh", "-c", hide, "sh"]).arg(plan.get_program()).args(plan.get_args());
    let said = without.current_dir(site.dir.path()).output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout) + String::from_utf8_lossy(&said.stderr);
    says(
        "S-69",
        &text,
        &["[ERROR] Required tool not found: docker", "x BLOCK the tools that deploy"],
    );
    assert_eq!(site.serves(), "green v2.5.0 105", "nothing was changed");

    // S-68: the line, where was searched, what there is.
    let backups = site.stack.dir.join("../backups");
    std::fs::create_dir_all(backups.join("wal")).unwrap();
    let unknown = [&LEVEL_2[..], &["--target", "20200101-000000"]].concat();
    let said = site.run(&unknown);
    assert_eq!(said.code, 10, "{}", said.text);
    let searched = format!("searched {}", backups.display());
    says(
        "S-68",
        &said.text,
        &["[ERROR] Backup not found: 20200101-000000", &searched, "available: 20"],
    );
    let line = said.text.lines().find(|line| line.contains("available: ")).unwrap();
    assert!(
        !line.contains("wal,") && !line.ends_with("wal"),
        "the archive of logs is no point: {line}"
    );
}

#[test]
fn each_diagnosis_names_what_it_is_and_the_next_command() {
    let Some(lab) = lab() else { return };
    let site = Site::fresh(&lab.stack);
    site.stack.script("break", &["errors"]);
    // S-71: no script leads to the restore, before anything is done.
    let down = site.stack.dir.join("migrations/rollback");
    let script = std::fs::read_dir(&down).unwrap().flatten().map(|one| one.path());
    let script = script.into_iter().find(|path| path.to_string_lossy().contains("105")).unwrap();
    let text = std::fs::read_to_string(&script).unwrap();
    std::fs::remove_file(&script).unwrap();
    let said = site.run(&LEVEL_2);
    assert_eq!(said.code, 10, "{}", said.text);
    let words = ["no down script for 105", "backout rollback --level 3 --target 20"];
    says("S-71, no script", &said.text, &words);
    // Another schema is for a person, data that does not allow it for level 3.
    let cases = [
        ("ALTER TABLE nobodys DROP COLUMN x;", "mend it by hand, then retry"),
        (
            "ALTER TABLE users ADD CONSTRAINT c CHECK (id < 0);",
            "the data does not allow it: level 3",
        ),
    ];
    for (statement, offer) in cases {
        std::fs::write(&script, text.replace("COMMIT;", &format!("{statement}\nCOMMIT;"))).unwrap();
        let said = site.run(&LEVEL_2);
        assert_ne!(said.code, 0, "{}", said.text);
        let failed = "[DB-ROLLBACK] ERROR: Rollback script failed: ";
        says("S-71", &said.text, &[failed, offer, "it was taken back whole", "--level 3 --target"]);
        says("S-71", &site.run(&["run"]).text, &["backout run retry|skip|done --step migrate_105"]);
        undone(&site);
        assert_eq!(site.serves(), "green v2.5.0 105");
    }
    std::fs::write(&script, &text).unwrap();

    // S-70 and S-72: the old version does not come up, or does not answer in time.
    site.change("health_wait: 90s", "health_wait: 4s");
    let blue = site.stack.dir.join("faults/blue.json");
    let cases = [
        ("S-70", r#"{"strict_schema": true, "crash": true}"#, "app-blue"),
        ("S-72", r#"{"scope": "all", "latency_ms": 14000}"#, "[ERROR] Health check timeout"),
    ];
    for (case, fault, shows) in cases {
        // The fault is let loose when the run is past what would refuse such a version.
        std::fs::write(&blue, "{}").unwrap();
        let started = site.start(&LEVEL_2);
        let until = std::time::Instant::now() + std::time::Duration::from_mins(3);
        let switched = |site: &Site<'_>| {
            let run = site.situation().and_then(|known| known.run);
            run.is_some_and(|run| {
                run.ended.is_none()
                    && run.steps.iter().any(|step| step.id.as_str() == "switch" && step.attempt > 0)
            })
        };
        while !switched(&site) {
            assert!(std::time::Instant::now() < until, "{}", site.run(&["run"]).text);
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
        std::fs::write(&blue, fault).unwrap();
        let said = started.ended();
        assert_ne!(said.code, 0, "{}", said.text);
        let words = [
            "[ERROR] Services did not become healthy in time: 4 s",
            shows,
            "the compose files are read without a mistake",
            "postgres:5432 is reached from",
            "the database spacetime_db",
        ];
        says(case, &said.text, &words);
        std::fs::write(&blue, "{}").unwrap();
        if site.situation().is_some_and(|known| known.open_run().is_some()) {
            undone(&site);
        }
        site.stack.script("break", &["errors"]);
    }
}

#[test]
fn a_version_outside_the_network_of_its_database_is_told_so() {
    let Some(lab) = lab() else { return };
    let network = format!("{}_default", lab.stack.project);
    let blue = lab.stack.container("app-blue");
    lab.stack.docker(&["network", "disconnect", &network, &blue]);
    let compose = lab.compose();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let said = runtime.block_on(compose.diagnose(&"blue".into()));
    lab.stack.docker(&["network", "connect", "--alias", "app-blue", &network, &blue]);
    let said: Vec<&str> = said.iter().map(backout::text::SafeText::as_str).collect();
    let wanted =
        format!("app-blue and postgres share no network: docker network connect {network}");
    assert!(said.iter().any(|line| line.starts_with(&wanted)), "{said:?}");
}
