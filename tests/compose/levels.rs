//! The three levels on real containers, a real `PostgreSQL` and a real nginx, as their user runs them.

use std::path::PathBuf;
use std::process::Command;

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
    let volumes = Lab::client(&["volume", "ls", "--format", "{{.Name}}"]);
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
