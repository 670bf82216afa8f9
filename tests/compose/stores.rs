//! Level 3 through a real engine where the data is more than a database: files, and keys in Redis.

use std::path::PathBuf;

use super::lab::lab;
use super::levels::all_hold;
use super::site::Site;

/// Takes a point; its name.
fn point(site: &Site<'_>) -> String {
    let said = site.run(&["backup", "now"]);
    assert_eq!(said.code, 0, "{}", said.text);
    let all = std::fs::read_dir(site.stack.dir.join("../backups")).unwrap().flatten();
    let mut points: Vec<PathBuf> = all.map(|entry| entry.path()).collect();
    points.retain(|path| path.join("manifest.json").is_file());
    points.sort();
    points.last().unwrap().file_name().unwrap().to_string_lossy().into_owned()
}

fn volumes(site: &Site<'_>, part: &str) -> usize {
    let begin = format!("{}_", site.stack.project);
    let all = site.stack.docker(&["volume", "ls", "-q"]);
    all.lines().filter(|name| name.starts_with(&begin) && name.contains(part)).count()
}

#[test]
fn level_3_brings_redis_back_with_the_database_and_says_the_moment_of_each() {
    let Some(lab) = lab() else { return };
    let redis = format!(
        "redis: {{url: \"redis://127.0.0.1:{}\", service: redis}}\ncorruption_marker:",
        lab.stack.port + 4
    );
    lab.stack.script("stack-up", &["--fresh"]);
    let site = Site::of(&lab.stack);
    site.change("corruption_marker:", &redis);
    let cli = |words: &[&str]| {
        let id = site.stack.container("redis");
        site.stack.docker(&[&["exec", &id, "redis-cli"], words].concat())
    };
    cli(&["SET", "before", "1"]);
    cli(&["RPUSH", "jobs", "a", "b"]);
    let id = point(&site);
    site.stack.script("break", &["drop-table"]);
    cli(&["SET", "after", "1"]);
    cli(&["DEL", "before"]);
    let said = site.run(&[
        "rollback",
        "--level",
        "3",
        "--target",
        &id,
        "--auto-confirm",
        "--accept-loss",
        "600",
        "--reason",
        "both",
    ]);
    // On a machine that does much else a slow answer may speak against it: everything is back then
    // all the same.
    assert!([0, 13].contains(&said.code), "{}", said.text);
    let mut names = vec!["volumes restored", "DB restored", "all tables present"];
    names.extend(["Redis restored, its keys counted", "total < 30 minutes"]);
    all_hold(&said.text, &names);
    let sentence = said.text.lines().find(|line| line.contains("goes back to database: 20"));
    let sentence = sentence.unwrap_or_else(|| panic!("no moments in {}", said.text));
    for words in ["Potential data loss window: ", ", redis: 20", ", files: 20"] {
        assert!(sentence.contains(words), "{words:?} is not in {sentence}");
    }
    assert_eq!(cli(&["MGET", "before", "after"]).trim_end(), "1");
    assert_eq!(cli(&["LRANGE", "jobs", "0", "-1"]), "a\nb");
    assert_eq!(site.ask("SELECT count(*) FROM game_state"), "500");
    assert_eq!(site.serves(), "blue v2.4.9 104");
    assert_eq!((volumes(&site, "_redis-data._failed_"), volumes(&site, ".restored_")), (1, 0));

    // What is missing for each level knows of it.
    let doctor = site.run(&["doctor"]);
    for words in ["Redis", "a copy can be started beside it and swapped", "data volume"] {
        assert!(doctor.text.contains(words), "{words:?} is not in {}", doctor.text);
    }
}
