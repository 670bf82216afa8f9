//! The three levels on real containers, a real `PostgreSQL` and a real nginx, as their user runs them.

use std::path::PathBuf;
use std::process::Command;

use std::time::Duration;

use crate::terminal::{Terminal, settle};
use crate::tools::under_load;

use super::lab::{Lab, lab};
use super::site::Site;

/// Every criterion is printed with what was measured, and holds.
#[expect(clippy::print_stdout, reason = "what was measured is to be seen")]
pub(super) fn all_hold(text: &str, names: &[&str]) {
    for name in names {
        let line = text.lines().find(|line| line.contains(&format!(" {name}: ")));
        let line = line.unwrap_or_else(|| panic!("no line on {name:?} in {text}"));
        assert!(line.starts_with('\u{2713}'), "{line}\n{text}");
        println!("{line}");
    }
}

#[test]
fn level_1_moves_traffic_back_drops_no_request_and_puts_the_tag_back() {
    let Some(lab) = lab() else { return };
    let site = Site::fresh(&lab.stack);
    site.stack.script("break", &["none"]);
    assert_eq!(site.serves(), "green v2.5.0 105");
    assert_eq!(site.stack.variable("IMAGE_TAG").as_deref(), Some("v2.5.0"));
    let rows = site.ask("SELECT count(*), md5(string_agg(u::text, '' ORDER BY id)) FROM users u");
    let mut said = None;
    let (all, failed) = under_load(&site.stack.url("/health"), || {
        said = Some(site.run(&["rollback", "--quick", "--reason", "back to blue"]));
    });
    let said = said.unwrap();
    assert_eq!(said.code, 0, "{}", said.text);
    assert!(all > 200, "{all} requests");
    assert!(failed.is_empty(), "{} of {all} failed: {:?}", failed.len(), failed.first());
    // S-14.
    all_hold(
        &said.text,
        &[
            "traffic switch < 10 s",
            "previous environment healthy",
            "all health checks passing",
            "error rate < 1 %",
            "response time < 20000 ms",
            "total < 5 min",
        ],
    );
    assert!(!said.text.contains(" 0 of them logs"), "{}", said.text);
    assert_eq!(site.serves(), "blue v2.4.9 105");
    assert_eq!(site.state_of("app-green"), "exited");
    assert_eq!(site.stack.variable("IMAGE_TAG").as_deref(), Some("v2.4.9"));
    assert_eq!(site.stack.variable("ACTIVE").as_deref(), Some("blue"));
    let now = site.ask("SELECT count(*), md5(string_agg(u::text, '' ORDER BY id)) FROM users u");
    assert_eq!(now, rows);
    // The next plain start of the tool starts nothing that failed.
    site.stack.script("break", &["heal"]);
}

#[test]
fn level_2_takes_schema_and_configuration_back_and_loses_no_row() {
    let Some(lab) = lab() else { return };
    let site = Site::fresh(&lab.stack);
    site.stack.script("break", &["errors"]);
    site.ask(
        "INSERT INTO users(name, email) SELECT 'late ' || n, 'x' FROM generate_series(1, 7) n",
    );
    let said = site.run(&["rollback", "--level", "2", "--auto-confirm", "--reason", "errors"]);
    assert_eq!(said.code, 0, "{}", said.text);
    // S-26, and what traffic says.
    all_hold(
        &said.text,
        &[
            "DB rollback completed",
            "all containers healthy",
            "HTTP API ok",
            "all health checks passing",
            "error rate < 1 %",
            "DB queries work",
            "no data corruption markers",
            "smoke tests pass",
            "total < 15 minutes",
        ],
    );
    assert_eq!(site.serves(), "blue v2.4.9 104");
    assert_eq!(site.ask("SELECT count(*) FROM users WHERE name LIKE 'late %'"), "7");
    let kept = site.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'backout_kept'");
    assert_ne!(kept, "0", "what the down script dropped is kept");
    assert_eq!(site.stack.variable("PREFERENCES_UI").as_deref(), Some("off"));
    assert_eq!(site.stack.variable("IMAGE_TAG").as_deref(), Some("v2.4.9"));
    // Nobody is held any more: users write.
    site.ask("CREATE TABLE written (n int)");
    assert!(said.text.contains("Data loss: none"), "{}", said.text);
}

#[test]
fn level_3_brings_data_and_database_back_and_keeps_what_was_live() {
    let Some(lab) = lab() else { return };
    let site = Site::fresh(&lab.stack);
    site.stack.script("break", &["drop-table"]);
    site.stack.script("break", &["corruption", "--no-deploy"]);
    site.ask("INSERT INTO users(name, email) VALUES ('after the point', 'x')");
    let volumes = || Lab::client(&["volume", "ls", "--format", "{{.Name}}"]);
    let volumes_before = volumes();
    let refused = site.run(&["rollback", "--level", "3", "--auto-confirm", "--reason", "corrupt"]);
    assert_eq!(refused.code, 11, "{}", refused.text);
    let said = site.run(&[
        "rollback",
        "--level",
        "3",
        "--auto-confirm",
        "--accept-loss",
        "600",
        "--reason",
        "corrupt",
    ]);
    assert_eq!(said.code, 0, "{}", said.text);
    // S-40, and what traffic says.
    all_hold(
        &said.text,
        &[
            "volumes restored",
            "DB restored",
            "transaction logs replayed, if available",
            "no corruption",
            "all tables present",
            "critical data verified",
            "all containers healthy",
            "HTTP API ok",
            "all health checks passing",
            "error rate < 1 %",
            "smoke tests pass",
            "total < 30 minutes",
        ],
    );
    assert_eq!(site.serves(), "blue v2.4.9 104");
    // S-36: the files of the point, too.
    assert_eq!(site.stack.variable("PREFERENCES_UI").as_deref(), Some("off"));
    assert_eq!(site.stack.variable("IMAGE_TAG").as_deref(), Some("v2.4.9"));
    assert_eq!(site.ask("SELECT count(*) FROM users WHERE name = 'after the point'"), "0");
    assert_eq!(site.ask("SELECT count(*) FROM game_state"), "500");
    let databases = site.databases();
    assert!(databases.contains("spacetime_db_failed_"), "{databases}");
    let volumes = volumes();
    // S-32: what went away did so before anything was swapped, and no volume with it (W-01).
    let own = |name: &&str| name.starts_with(&site.stack.project);
    for name in volumes_before.lines().filter(own) {
        assert!(volumes.lines().any(|now| now == name), "{name} is gone: {volumes}");
    }
    let run = site.situation().unwrap().run.unwrap();
    let ended = |id: &str| {
        let step = run.steps.iter().find(|step| step.id.as_str() == id).unwrap();
        assert_eq!(step.phase, backout::model::incident::StepPhase::Done, "{step:?}");
        (step.note.to_string(), step.ended_at.unwrap())
    };
    let swapped = ended("swap_files").1;
    for id in ["stop", "stop_other"] {
        let (note, at) = ended(id);
        assert!(at <= swapped && !note.is_empty(), "{id}: {note} at {at}, swapped at {swapped}");
    }
    // S-38: tables by size, with their rows then and now.
    let (checked, _) = ended("check_data");
    let sizes = checked.split_once("by size: ").unwrap().1;
    for (table, rows) in [("users", "rows ("), ("game_state", "500 rows (500 at the point)")] {
        let one = sizes.split(", ").find(|one| one.starts_with(&format!("{table} ")));
        assert!(one.is_some_and(|one| one.contains(" kB ") && one.contains(rows)), "{checked}");
    }
    assert!(said.text.contains("by size: "), "it is in the report: {}", said.text);
    let begin = format!("{}_godot-data._failed_", site.stack.project);
    let kept = volumes.lines().find(|name| name.starts_with(&begin)).expect("no kept volume");
    let kept = PathBuf::from(format!("/var/lib/docker/volumes/{kept}/_data"));
    assert!(kept.join("corruption_detected").is_file(), "the damaged data is kept whole");
    let live = site.stack.volume("godot-data");
    assert!(!live.join("corruption_detected").exists());
    let mut sums = Command::new("sha256sum");
    let sums = sums.args(["--quiet", "-c", "manifest.sha256"]).current_dir(&live).output().unwrap();
    assert!(sums.status.success(), "{sums:?}");
}

/// S-10, and level 2 on containers by keys: the screen of Assess says which containers there are, who
/// serves, what was logged as an error, and asks; then it goes on to the end.
#[test]
fn assess_shows_containers_and_errors_and_level_2_runs_by_keys() {
    let Some(lab) = lab() else { return };
    let site = Site::fresh(&lab.stack);
    site.change(
        "health_checks:\n",
        "log_sources:\n  - {source: green, container: app-green}\nhealth_checks:\n  \
         - {check_id: green_container, service: app, check_type: container, container: app-green, \
         interval: 2s, timeout: 20s, critical: false}\n  - {check_id: blue_container, service: app, \
         check_type: container, container: app-blue, interval: 2s, timeout: 20s, critical: false}\n",
    );
    site.stack.script("break", &["errors"]);
    let limit = Duration::from_mins(2);
    let mut terminal = Terminal::open(&site.command(&[]), (120, 40));
    terminal.until("Assess", limit, |text| {
        text.contains("[ASSESS]")
            && ["green_contain", "blue_container"].iter().all(|one| text.contains(one))
            && text.contains("Would it help? yes: blue v2.4.9")
            && text.contains("v2.5.0 answers")
    });
    // Only errors, of the last lines.
    terminal.until("an error in the logs", limit, |text| {
        text.lines().any(|line| line.contains(" E green v2.5.0 GET /api/users 500"))
    });
    terminal.press("a", "a");
    terminal.shows("Breach?");
    settle(&mut terminal);
    terminal.send("n");
    terminal
        .until("the answer", limit, |text| text.lines().any(|line| line.contains("0 Breach? no")));
    let said = site.run(&["assess"]);
    for line in ["Serving: green v2.5.0", "  app-green runs", "  app-blue runs", "  postgres runs"]
    {
        assert!(said.text.lines().any(|one| one.starts_with(line)), "no {line:?}: {}", said.text);
    }
    let errors = said.text.split_once("Errors in the last 100 lines of ").unwrap().1;
    assert!(!errors.lines().next().unwrap().ends_with(": 0"), "{}", said.text);

    terminal.press("L", "L");
    terminal.until("the cards", limit, |text| text.contains("L2 full rollback"));
    settle(&mut terminal);
    terminal.send("j");
    settle(&mut terminal);
    terminal.send("\r");
    terminal.until("a plan of level 2", limit, |text| {
        text.contains("[PLAN]") && text.contains("R Roll") && text.contains("L2")
    });
    settle(&mut terminal);
    terminal.send("R");
    terminal.shows("Type ROLLBACK");
    terminal.until("an armed field", limit, |text| text.contains("0/8 typed"));
    settle(&mut terminal);
    terminal.send("ROLLBACK");
    terminal.shows("complete");
    terminal.press("\r", "Enter");
    terminal.until("STABLE", Duration::from_mins(4), |text| text.contains("STABLE on v2.4.9"));
    assert_eq!(site.serves(), "blue v2.4.9 104");
    terminal.send("\u{3}\u{3}");
    terminal.ended(Duration::from_secs(20));
}

/// Level 3 on containers by keys: the copy is up beside the live data, the rows that would be lost
/// stand on the screen, and only the word and the minutes let it take the place.
#[test]
fn level_3_runs_by_keys_and_asks_for_the_word_and_the_minutes() {
    let Some(lab) = lab() else { return };
    let site = Site::fresh(&lab.stack);
    site.stack.script("break", &["drop-table"]);
    site.ask("INSERT INTO users(name, email) VALUES ('after the point', 'x')");
    let limit = Duration::from_mins(4);
    let mut terminal = Terminal::open(&site.command(&[]), (120, 40));
    terminal.until("Assess", limit, |text| {
        text.contains("[ASSESS]") && text.contains("L2 ready") && !text.contains("L3 blocked")
    });
    settle(&mut terminal);
    terminal.press("L", "L");
    terminal.until("the cards", limit, |text| text.contains("L3 point-in-time"));
    for _ in 0..2 {
        settle(&mut terminal);
        terminal.send("j");
    }
    settle(&mut terminal);
    terminal.send("\r");
    terminal.until("a plan of level 3", limit, |text| {
        text.contains("[PLAN]") && text.contains("R Roll") && text.contains("L3")
    });
    settle(&mut terminal);
    terminal.send("R");
    terminal.until("an armed field", limit, |text| text.contains("0/8 typed"));
    settle(&mut terminal);
    terminal.send("ROLLBACK");
    terminal.shows("complete");
    terminal.press("\r", "Enter");
    terminal.until("the question", limit, |text| text.contains("R chooses SWAP"));
    assert!(site.ask("SELECT count(*) FROM users WHERE name = 'after the point'") == "1");
    settle(&mut terminal);
    terminal.send("R");
    terminal.shows("Type ROLLBACK or BESIDE");
    let text = terminal.text();
    let minutes = text.split_once("SWAP loses ").unwrap().1.split(' ').next().unwrap().to_owned();
    settle(&mut terminal);
    terminal.send("ROLLBACK");
    terminal.shows("Minutes lost:");
    terminal.send("\r");
    settle(&mut terminal);
    terminal.send(&minutes);
    terminal.press("\r", "Enter");
    terminal.until("STABLE", limit, |text| text.contains("STABLE on v2.4.9"));
    assert_eq!(site.ask("SELECT count(*) FROM game_state"), "500");
    assert_eq!(site.ask("SELECT count(*) FROM users WHERE name = 'after the point'"), "0");
    assert!(site.databases().contains("spacetime_db_failed_"), "what was live is kept");
    terminal.send("\u{3}\u{3}");
    terminal.ended(Duration::from_secs(20));
}

/// The shipped configuration through its main path: looked at, doctored, and level 1.
#[test]
fn the_shipped_spacetime_configuration_rolls_back_as_it_stands() {
    let Some(lab) = lab() else { return };
    lab.stack.script("stack-up", &["--fresh"]);
    lab.stack.script("make-backup", &["--base"]);
    let site = Site::shipped(&lab.stack);
    site.stack.script("break", &["errors"]);
    let checked = site.run(&["config", "check"]);
    assert_eq!(checked.code, 0, "{}", checked.text);
    let said = site.run(&["check"]);
    assert_eq!(said.code, 2, "{}", said.text);
    for check in ["green_container", "postgres_container", "game_state", "load_balancer", "disk"] {
        assert!(said.text.contains(check), "{check}: {}", said.text);
    }
    let said = site.run(&["rollback", "--quick", "--reason", "errors"]);
    assert_eq!(said.code, 0, "{}", said.text);
    assert_eq!(site.serves(), "blue v2.4.9 105");
    let history = std::fs::read_to_string(site.dir.path().join("rollback_history.log")).unwrap();
    assert_eq!(history.lines().count(), 1, "{history}");
    let again = site.run(&["status"]);
    assert!(again.text.contains("STABLE on v2.4.9"), "{}", again.text);
}
