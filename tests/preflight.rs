//! The six safety checks before a rollback: each fails alone, says why and exits 10 (S-43).

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::people::can_be_others;
use crate::postgres::cluster::Bench;

const NAMES: [&str; 6] = [
    "appropriate user",
    "required tools",
    "platform runs",
    "backup folder",
    "no critical operation",
    "confirmation",
];

/// A configuration by itself, on `database`.
fn place(database: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let open =
        |path: &Path| std::fs::set_permissions(path, PermissionsExt::from_mode(0o777)).unwrap();
    let (app, points) = (dir.path().join("app"), dir.path().join("points"));
    for folder in [&app, &points] {
        std::fs::create_dir(folder).unwrap();
        open(folder);
    }
    open(dir.path());
    let file = dir.path().join("backout.yaml");
    let text = format!(
        "environment: staging\nstate_dir: state\nrestore_points: points\n\
         platform: {{local: {{dir: app}}}}\n\
         traffic: {{proxy: {{control_url: 'http://127.0.0.1:1', public_url: 'http://127.0.0.1:1'}}}}\n\
         colors: {{blue: {{url: 'http://127.0.0.1:1'}}, green: {{url: 'http://127.0.0.1:1'}}}}\n\
         deploys: {{file: deploys.jsonl}}\ndeployment_lock: {{file: lock}}\n{database}\n"
    );
    std::fs::write(&file, text).unwrap();
    (dir, file)
}

fn command(program: &mut Command, file: &Path, arguments: &[&str]) -> Said {
    let asked = program.arg("preflight").args(arguments).arg("--json").env_clear();
    let asked = asked.env("PATH", "/usr/lib/postgresql/15/bin:/usr/bin:/bin");
    ask(asked, file)
}

fn ask(asked: &mut Command, file: &Path) -> Said {
    let folder = file.parent().unwrap();
    let output = asked
        .env("BACKOUT_CONFIG", file)
        .env("HOME", folder)
        .env("XDG_RUNTIME_DIR", folder)
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said: Value = serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{e}: {text} {}", String::from_utf8_lossy(&output.stderr)));
    let checks = said["checks"].as_array().unwrap().clone();
    let names: Vec<&str> = checks.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, NAMES);
    Said { code: output.status.code(), checks }
}

struct Said {
    code: Option<i32>,
    checks: Vec<Value>,
}

impl Said {
    #[track_caller]
    fn holds(&self) {
        assert_eq!(self.code, Some(0), "{:#?}", self.checks);
    }

    /// That check fails and no other, and says that.
    #[track_caller]
    fn only(&self, name: &str, why: &str) {
        let bad = |one: &&Value| !one["ok"].as_bool().unwrap();
        let bad: Vec<&Value> = self.checks.iter().filter(bad).collect();
        assert_eq!(bad.len(), 1, "{:#?}", self.checks);
        assert_eq!(bad[0]["name"], name);
        assert!(bad[0]["text"].as_str().unwrap().contains(why), "{}", bad[0]);
        assert_eq!(self.code, Some(10));
    }
}

fn ours() -> Command {
    Command::new(env!("CARGO_BIN_EXE_backout"))
}

#[test]
fn each_of_the_six_fails_alone_and_blocks() {
    let (dir, file) = place("");
    let auto = ["--auto-confirm"];
    command(&mut ours(), &file, &auto).holds();
    command(&mut ours(), &file, &[]).only("confirmation", "nobody can type ROLLBACK");

    std::fs::rename(dir.path().join("points"), dir.path().join("elsewhere")).unwrap();
    command(&mut ours(), &file, &auto).only("backup folder", "is no folder");
    std::fs::rename(dir.path().join("elsewhere"), dir.path().join("points")).unwrap();

    std::fs::rename(dir.path().join("app"), dir.path().join("gone")).unwrap();
    command(&mut ours(), &file, &auto).only("platform runs", "is no folder");
    std::fs::rename(dir.path().join("gone"), dir.path().join("app")).unwrap();

    std::fs::write(dir.path().join("lock"), "the pipeline of dana\n").unwrap();
    command(&mut ours(), &file, &auto).only("no critical operation", "backout lock check");
    std::fs::remove_file(dir.path().join("lock")).unwrap();

    if can_be_others("the user of preflight") {
        let closed = dir.path().join("closed");
        std::fs::create_dir(&closed).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("state_dir: state", "state_dir: closed/state")).unwrap();
        let program = dir.path().join("program");
        std::fs::copy(env!("CARGO_BIN_EXE_backout"), &program).unwrap();
        let mut other = Command::new("/usr/bin/setpriv");
        other.args(["--reuid=64001", "--regid=64001", "--clear-groups"]).arg(program);
        let said = command(&mut other, &file, &auto);
        said.only("appropriate user", "uid 64001 could not write");
    }
}

/// A real dump that waits for a lock, and a real statement that rewrites a table.
#[tokio::test]
async fn a_dump_or_a_rewrite_in_the_database_blocks_what_touches_data() {
    let Some(bench) = Bench::new().await else { return };
    let name = bench.name.clone();
    bench.run(&name, "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1)").await;
    let url = bench.place().url().reveal().to_owned();
    let (dir, file) = place(&format!("database: {{postgres: {{url: '{url}'}}}}"));
    let auto = ["--auto-confirm"];
    command(&mut ours(), &file, &auto).holds();

    let mut bare = ours();
    let asked = bare.args(["preflight", "--auto-confirm", "--json"]).env_clear();
    ask(asked.env("PATH", dir.path()), &file).only("required tools", "pg_dump");

    let mut holder = bench.open(&name).await;
    sqlx::raw_sql("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        .execute(&mut holder)
        .await
        .unwrap();
    let mut dump = Command::new("/usr/bin/pg_dump")
        .arg(&url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump' \
                 AND wait_event_type = 'Lock'";
    while bench.ask(&name, waits).await != "1" {
        assert!(dump.try_wait().unwrap().is_none(), "pg_dump did not wait for the lock");
        backout::clock::Clock::real().sleep(std::time::Duration::from_millis(50)).await;
    }
    command(&mut ours(), &file, &auto).only("no critical operation", "pg_dump of ");
    command(&mut ours(), &file, &["--auto-confirm", "--level", "1"]).holds();
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    assert!(dump.wait().unwrap().success());
    command(&mut ours(), &file, &auto).holds();

    sqlx::raw_sql("BEGIN; ALTER TABLE users ADD COLUMN age int")
        .execute(&mut holder)
        .await
        .unwrap();
    command(&mut ours(), &file, &auto).only("no critical operation", "ALTER TABLE users");
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    command(&mut ours(), &file, &auto).holds();
}
