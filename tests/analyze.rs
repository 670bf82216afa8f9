//! `backout analyze`: errors grouped, configurations and risky sources compared.

use std::path::Path;
use std::process::Command;

use super::support::Stack;

#[test]
fn errors_are_counted_by_what_they_say_and_the_configurations_of_two_points_compared() {
    let stack = Stack::up(Some("errors:0.5"));
    let none = stack.run(&["analyze"]);
    assert!(none.out.starts_with("0 errors in the logs of the last 1h\n"), "{none:?}");
    let said = stack.run(&["rollback", "--quick", "--auto-confirm", "--reason", "test"]);
    assert_eq!(said.code, 0, "{said:?}");
    let said = stack.run(&["analyze"]);
    assert_eq!(said.code, 0, "{said:?}");
    let group = said.out.lines().find(|line| line.contains("preferences of user # are not a map"));
    assert!(group.is_some_and(|line| line.contains("  green  ")), "{said:?}");
    assert!(said.out.contains("what changed: backout analyze --from POINT"), "{said:?}");
    let document = stack.run(&["--json", "analyze"]).json();
    let total = document["errors"].as_u64().unwrap();
    let groups = document["groups"].as_array().unwrap();
    let counts: Vec<u64> = groups.iter().map(|one| one["count"].as_u64().unwrap()).collect();
    assert!(total > 0 && counts.iter().sum::<u64>() == total, "{document}");
    assert!(counts.is_sorted_by(|a, b| a >= b), "{counts:?}");

    let take = || {
        let said = stack.run(&["--json", "backup", "now"]);
        assert_eq!(said.code, 0, "{said:?}");
        said.json()["id"].as_str().unwrap().to_owned()
    };
    let first = take();
    let file = stack.dir().join("config/app.yaml");
    let before = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{before}worker_limit: 7\ndb_password: hunter2\n")).unwrap();
    let same = stack.run(&["analyze", "--from", &first, "--to", &first]);
    assert!(same.out.contains("the configuration is the same"), "{same:?}");
    let now = stack.run(&["analyze", "--from", &first]);
    assert!(now.out.contains("+worker_limit: 7\n") && now.out.contains("(now)"), "{now:?}");
    let second = take();
    let said = stack.run(&["analyze", "--from", &first, "--to", &second]);
    assert!(said.out.contains(&format!("--- config/app.yaml ({first})")), "{said:?}");
    assert!(said.out.contains("+worker_limit: 7\n+db_password: ***\n"), "{said:?}");
    let back = stack.run(&["analyze", "--from", &second, "--to", &first]);
    assert!(back.out.contains("-worker_limit: 7\n"), "{back:?}");
    let wrong = stack.run(&["analyze", "--from", "20010101-000000"]);
    assert!(
        wrong.code != 0 && wrong.err.contains("Backup not found: 20010101-000000"),
        "{wrong:?}"
    );
    let wrong = stack.run(&["analyze", "--since", "soon"]);
    assert_eq!(wrong.code, 64, "{wrong:?}");
}

fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=dana", "-c", "user.email=dana@example.com"];
    let done = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(identity)
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(done.status.success(), "{arguments:?}: {done:?}");
}

#[test]
fn the_risky_files_of_two_versions_are_shown_and_no_value_of_an_env_file() {
    let stack = Stack::up(None);
    let sources = tempfile::tempdir().unwrap();
    let at = |name: &str| sources.path().join(name);
    for folder in ["db/migrations", "deploy"] {
        std::fs::create_dir_all(at(folder)).unwrap();
    }
    let write = |name: &str, text: &str| std::fs::write(at(name), text).unwrap();
    write("db/schema.sql", "CREATE TABLE users (id bigint);\n");
    write("deploy/docker-compose.yml", "services:\n  app:\n    image: app:v2.4.9\n");
    write(".env.production", "WORKERS=4\n");
    write("main.rs", "fn main() {}\n");
    git(sources.path(), &["init", "--quiet"]);
    git(sources.path(), &["add", "--all"]);
    git(sources.path(), &["commit", "--quiet", "--message", "stable"]);
    git(sources.path(), &["tag", "v2.4.9"]);
    write("db/schema.sql", "CREATE TABLE users (id bigint, phone text);\n");
    write("db/migrations/11_phone.py", "add_column('users', 'phone')\n");
    write("deploy/docker-compose.yml", "services:\n  app:\n    image: app:v2.5.0\n");
    write(".env.production", "WORKERS=16\nSTRIPE=sk_live_4711\n");
    write("main.rs", "fn main() { todo!() }\n");
    git(sources.path(), &["add", "--all"]);
    git(sources.path(), &["commit", "--quiet", "--message", "failed"]);
    let folder = sources.path().to_str().unwrap();
    let ask = |more: &[&str]| {
        let all = [["analyze", "--risky", "--repository", folder].as_slice(), more].concat();
        stack.run(&all)
    };

    let said = ask(&["--from", "v2.4.9"]);
    assert_eq!(said.code, 0, "{said:?}");
    for line in [
        "--- db/schema.sql (v2.4.9)",
        "+++ db/schema.sql (HEAD)",
        "+CREATE TABLE users (id bigint, phone text);",
        "+add_column('users', 'phone')",
        "-    image: app:v2.4.9",
        "-WORKERS= ***",
        "+WORKERS= ***",
        "+STRIPE= ***",
    ] {
        assert!(said.out.lines().any(|found| found == line), "{line}: {said:?}");
    }
    for hidden in ["main.rs", "sk_live", "WORKERS=16"] {
        assert!(!said.out.contains(hidden), "{hidden}: {said:?}");
    }
    let same = ask(&["--from", "v2.4.9", "--to", "v2.4.9"]);
    assert_eq!((same.code, same.out.as_str()), (0, "no risky file differs\n"), "{same:?}");
    let wrong = ask(&["--from", "v9.9.9"]);
    assert_eq!(wrong.code, 64, "{wrong:?}");
    assert!(wrong.err.contains("could not find \"v9.9.9\" in "), "{wrong:?}");
    let wrong = ask(&["--from=--output=/etc/passwd"]);
    assert_eq!(wrong.code, 64, "{wrong:?}");
    let none = tempfile::tempdir().unwrap();
    let none = none.path().to_str().unwrap();
    let wrong = stack.run(&["analyze", "--risky", "--from", "v1", "--repository", none]);
    assert!(wrong.code != 0 && wrong.err.contains("--repository DIR"), "{wrong:?}");
}
