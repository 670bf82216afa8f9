//! Level 2 on the embedded stack: what goes back, what stays, and what cannot.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use backout::adapters::database::Database as _;
use backout::adapters::sqlite::SqliteDatabase;
use backout::model::entry::Outcome;
use backout::model::ids::Digest;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use super::support::{Said, Stack};
use super::tools::tool;

const LEVEL_2: [&str; 6] = ["rollback", "--level", "2", "--auto-confirm", "--reason", "test"];

fn waiting<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(work)
}

/// Every value of the first column.
fn ask(stack: &Stack, query: &str) -> Vec<String> {
    waiting(async {
        let path = stack.dir().join("data/app.db");
        let url = format!("sqlite:{}?mode=ro", path.display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let query = AssertSqlSafe(query.to_owned());
        let rows = sqlx::query_scalar(query).fetch_all(&mut connection).await;
        let rows: Vec<Option<String>> = rows.unwrap();
        rows.into_iter().map(Option::unwrap_or_default).collect()
    })
}

fn change(stack: &Stack, script: &str) {
    waiting(async {
        let url = format!("sqlite:{}", stack.dir().join("data/app.db").display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let script = AssertSqlSafe(format!("PRAGMA busy_timeout = 5000; {script}"));
        sqlx::raw_sql(script).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

/// Every row of the tables, as far as both schemas have its columns.
fn rows(stack: &Stack, table: &str) -> BTreeSet<String> {
    let columns = match table {
        "users" => "id, name, email, created_at, phone",
        "sessions" => "id, user_id, started_at",
        "documents" => "id, user_id, title, body",
        _ => "id, user_id, state",
    };
    ask(stack, &format!("SELECT json_array({columns}) FROM {table}")).into_iter().collect()
}

const TABLES: [&str; 4] = ["users", "sessions", "documents", "game_state"];

/// The digest of every row that a client was told is saved is that of a row that is there.
fn all_that_was_saved_is_there(stack: &Stack) {
    // What is written while it is compared is looked at the next time.
    let text = std::fs::read_to_string(stack.dir().join("written.jsonl")).unwrap();
    let held: BTreeSet<String> = ["sessions", "documents"]
        .iter()
        .flat_map(|table| rows(stack, table))
        .map(|row| Digest::of(row.as_bytes()).0)
        .collect();
    let mut lines = 0;
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(held.contains(line["digest"].as_str().unwrap()), "{line} is lost");
        lines += 1;
    }
    assert!(lines > 0, "nobody wrote anything");
}

/// The point of the version from before the deploy.
fn point(stack: &Stack) -> PathBuf {
    let entries = std::fs::read_dir(stack.dir().join("backups")).unwrap();
    let mut points: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            !path.to_str().unwrap().contains("safety") && path.join("manifest.json").exists()
        })
        .collect();
    points.sort();
    points.pop().unwrap()
}

fn id(point: &Path) -> String {
    point.file_name().unwrap().to_str().unwrap().to_owned()
}

fn history(stack: &Stack) -> String {
    let text = std::fs::read_to_string(stack.state().join("rollback_history.log"));
    text.unwrap_or_default().lines().last().unwrap_or_default().to_owned()
}

fn all_of(said: &Said) -> String {
    format!("{}{}", said.out, said.err)
}

#[test]
fn a_bad_migration_is_backed_out_at_level_2_and_no_row_is_lost() {
    let stack = Stack::up(Some("bad-migration"));
    let before: Vec<BTreeSet<String>> = TABLES.iter().map(|table| rows(&stack, table)).collect();
    let preferences = "SELECT json_array(id, preferences) FROM users ORDER BY id";
    let preferred = ask(&stack, preferences);
    std::fs::write(stack.dir().join("config/app.yaml"), "broken: true\n").unwrap();
    assert_eq!(ask(&stack, "SELECT CAST(max(version) AS TEXT) FROM schema_migrations"), ["105"]);

    let done = stack.run(&LEVEL_2);
    assert_eq!(done.code, 0, "{done:?}\n{}", stack.log());

    let ledger = ask(&stack, "SELECT CAST(version AS TEXT) FROM schema_migrations ORDER BY 1");
    assert_eq!(ledger, ["101", "102", "103", "104"]);
    let columns = ask(&stack, "SELECT name FROM pragma_table_info('users')");
    assert!(!columns.contains(&"preferences".to_owned()), "{columns:?}");
    let rescue = ask(
        &stack,
        "SELECT name FROM sqlite_master WHERE name LIKE 'backout_rescue_%_105_users_preferences'",
    );
    let kept = format!("SELECT json_array(id, preferences) FROM \"{}\" ORDER BY id", rescue[0]);
    assert_eq!(ask(&stack, &kept), preferred, "the rescue table does not hold what was dropped");
    let situation = stack.situation();
    let left = situation.leftovers.iter().find(|left| left.name.as_str().contains(&rescue[0]));
    let left = left.unwrap_or_else(|| panic!("{:?}", situation.leftovers));
    assert!(left.name.as_str().starts_with("users.preferences as it was"), "{left:?}");
    assert!(left.undo.as_str().contains(&format!("DROP TABLE IF EXISTS \"{}\"", rescue[0])));
    assert!(left.due.is_some() && left.is_open(), "{left:?}");
    for file in ["config/app.yaml", ".env"] {
        let read = |path: PathBuf| Digest::of(&std::fs::read(path).unwrap());
        assert_eq!(read(stack.dir().join(file)), read(point(&stack).join(file)), "{file}");
    }
    for (table, before) in TABLES.iter().zip(before) {
        let lost: Vec<_> = before.difference(&rows(&stack, table)).cloned().collect();
        assert!(lost.is_empty(), "{table} lost {lost:?}");
    }
    all_that_was_saved_is_there(&stack);
    // S-18: saved before anything stops. S-19: the parts in their order, each with its budget.
    let run = situation.run.as_ref().unwrap();
    let step = |id: &str| run.step(&id.into()).unwrap();
    assert!(step("backup").ended_at <= step("stop").started_at, "{run:?}");
    let pointer = std::fs::read_to_string(stack.state().join("last_safety_backup")).unwrap();
    assert!(pointer.contains("rollback-safety-20"), "{pointer}");
    saved_whole(&stack, Path::new(pointer.trim_end()));
    let order = ["stop", "migrate_105", "config", "deploy", "healthy"];
    assert!(order.is_sorted_by_key(|id| step(id).started_at), "{run:?}");
    let minutes = |id: &&str| run.plan.step(&(**id).into()).unwrap().budget.as_secs() / 60;
    assert_eq!(order[..4].iter().map(minutes).collect::<Vec<_>>(), [1, 3, 1, 2]);
    let status = stack.status();
    assert_eq!(status["active"], "blue", "{status}");
    let line = history(&stack);
    assert!(line.contains("LEVEL=2") && line.contains("STATUS=success"), "{line}");
}

/// S-44: states, configuration, images, data and the schema of the version that failed; and it can
/// be gone back to.
fn saved_whole(stack: &Stack, safety: &Path) {
    let name = safety.file_name().unwrap().to_str().unwrap();
    let time = name.strip_prefix("rollback-safety-").unwrap();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let parts = time.split_once('-').unwrap();
    assert!(
        parts.0.len() == 8 && parts.1.len() == 6 && digits(parts.0) && digits(parts.1),
        "{name}"
    );
    let read = |name: &str| std::fs::read_to_string(safety.join(name)).unwrap();
    let states: Value = serde_json::from_str(&read("containers.json")).unwrap();
    assert_eq!(states["traffic"]["active"], "green", "{states}");
    assert_eq!(states["colors"]["green"]["running"], true, "{states}");
    assert!(read("images.txt").contains("v2.5.0"));
    assert_eq!(read("config/app.yaml"), "broken: true\n", "as it was, good or not");
    assert_eq!(read("schema.txt").trim(), "105");
    for packed in ["data.tar.gz", "database.sql.gz", ".env"] {
        assert!(safety.join(packed).metadata().unwrap().len() > 0, "{packed}");
    }
    let said = stack.run(&["backup", "verify", name]);
    assert_eq!(said.code, 0, "{said:?}");
    let said = stack.run(&["plan", "--level", "3", "--target", name]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn a_plan_shows_its_parts_and_a_failing_smoke_command_ends_level_2_failed() {
    let stack = Stack::up(Some("bad-migration"));
    let text = std::fs::read_to_string(stack.config()).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("smoke_command")).collect();
    let smoke = "smoke_command: [sh, -c, 'echo no login page >&2; exit 1']";
    std::fs::write(stack.config(), format!("{}\n{smoke}\n", kept.join("\n"))).unwrap();
    // S-16 and S-30: each part from what to what, and what the logs can do.
    let rows = |level: &str| stack.run(&["plan", "--level", level]).out;
    let (two, three) = (rows("2"), rows("3"));
    let parts = ["application", "schema", "configuration files", "environment variables"];
    for part in parts {
        assert!(two.contains(part) && three.contains(part), "{part}: {two}\n{three}");
    }
    assert!(two.contains("v2.5.0") && two.contains("v2.4.9") && two.contains("105 ("), "{two}");
    assert!(three.contains("transaction logs") && three.contains("as at 20"), "{three}");
    // S-25.
    let done = stack.run(&LEVEL_2);
    assert_eq!(done.code, 13, "{done:?}");
    let text = all_of(&done);
    assert!(text.contains("smoke tests pass") && text.contains("no login page"), "{text}");
    assert!(text.contains("--level 3"), "{text}");
    assert!(history(&stack).contains("STATUS=failed"), "{text}");
}

#[test]
fn a_target_that_is_never_healthy_ends_level_2_failed_and_nobody_is_waited_for() {
    let stack = Stack::up(Some("bad-migration"));
    stack.set("health_wait_seconds", "5");
    // Every answer of the version gone to says that it is not ready.
    let fault = stack.dir().join("blue/fault.json");
    std::fs::write(&fault, "{\"fault\": \"errors:0.6\"}").unwrap();
    // It is later than the release that is laid there again, so it does not end with it.
    let later = std::time::SystemTime::now() + std::time::Duration::from_hours(1);
    std::fs::File::options().write(true).open(&fault).unwrap().set_modified(later).unwrap();
    let done = stack.run(&LEVEL_2);
    assert_eq!(done.code, 13, "{done:?}\n{}", stack.log());
    assert!(all_of(&done).contains("Services did not become healthy in time: 5 s"), "{done:?}");
    let situation = stack.situation();
    assert!(situation.open_run().is_none(), "{situation:?}");
    assert_eq!(situation.run.unwrap().ended.unwrap().outcome, Outcome::Failed);
    let line = history(&stack);
    assert!(line.contains("LEVEL=2") && line.contains("STATUS=failed"), "{line}");
}

#[test]
fn the_database_says_its_head_and_is_copied_by_a_name() {
    let stack = Stack::up(None);
    let state = stack.run(&["db", "state"]);
    assert_eq!(state.code, 0, "{state:?}");
    assert!(state.out.contains("[X] 104") && state.out.contains("\nhead: sql 10"), "{state:?}");
    let made = stack.run(&["db", "snapshot", "test-snapshot"]);
    assert_eq!(made.code, 0, "{made:?}");
    let id = made.out.lines().next().unwrap();
    assert!(id.starts_with("test-snapshot_20"), "{made:?}");
    let path = stack.state().join("snapshots").join(format!("{id}.sql.gz"));
    let database = SqliteDatabase::new(stack.dir().join("data/app.db"));
    let again = waiting(async {
        database.restore_beside(&path, "again", "e", &|_, _| {}).await.unwrap();
        database.beside("again").tables().await.unwrap()
    });
    assert!(again.iter().any(|table| table.name == "users" && table.rows > 0), "{again:?}");
    let refused = stack.run(&["db", "snapshot", "../x"]);
    assert_eq!(refused.code, 64, "{refused:?}");
}

#[test]
fn what_the_deploy_dropped_is_said_before_and_ends_level_2_failed() {
    let stack = Stack::up(Some("destructive-up"));
    let plan = stack.run(&["plan", "--level", "2"]);
    let sentence = regex::Regex::new(
        r"users\.phone \(400 values, dropped \d\d:\d\d:\d\d\) does NOT come back",
    )
    .unwrap();
    assert!(sentence.is_match(&plan.out), "{plan:?}");
    let beside = format!(
        "backout restore beside --point {} --table users --column phone --yes",
        id(&point(&stack))
    );
    assert!(plan.out.contains(&beside), "{plan:?}");
    assert!(plan.out.contains("105 destructive"), "{plan:?}");

    let done = stack.run(&LEVEL_2);
    assert_eq!(done.code, 13, "{done:?}\n{}", stack.log());
    assert!(sentence.is_match(&all_of(&done)), "{done:?}");
    assert!(all_of(&done).contains(&beside), "{done:?}");
    assert!(history(&stack).contains("STATUS=failed"), "{}", history(&stack));

    let beside: Vec<&str> = beside.split(' ').skip(1).collect();
    let restored = stack.run(&[&beside[..], &["--json"]].concat());
    assert_eq!(restored.code, 0, "{restored:?}");
    let empty = "SELECT CAST(count(*) AS TEXT) FROM users WHERE phone IS NULL";
    assert_eq!(ask(&stack, empty), ["400"], "restoring beside changed the live data");
    let sql = restored.json()["sql"].as_array().unwrap().clone();
    let sql: Vec<&str> = sql.iter().map(|line| line.as_str().unwrap()).collect();
    change(&stack, &sql.join("\n"));
    assert_eq!(ask(&stack, empty), ["0"], "{sql:?}");

    let copy = restored.json()["copy"].as_str().unwrap().to_owned();
    assert!(Path::new(&copy).exists());
    let point = id(&point(&stack));
    let removed = stack.run(&["restore", "beside", "--point", &point, "--remove", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert!(!Path::new(&copy).exists());
    let noted = stack.run(&["brief"]);
    assert_eq!(noted.code, 0, "{noted:?}");
}

#[test]
fn a_table_that_is_gone_ends_level_2_failed_with_the_ways_to_bring_it_back() {
    let stack = Stack::up(Some("table-dropped"));
    let done = stack.run(&LEVEL_2);
    assert_eq!(done.code, 13, "{done:?}\n{}", stack.log());
    let text = all_of(&done);
    let named = regex::Regex::new(r"table sessions is missing \(\d+ rows\)").unwrap();
    assert!(named.is_match(&text), "{text}");
    assert!(text.contains("--level 3 --target"), "{text}");
    let beside =
        format!("backout restore beside --point {} --table sessions --yes", id(&point(&stack)));
    assert!(text.contains(&beside), "{text}");
    assert!(!text.contains("+ check the data"), "{text}");
    assert!(text.contains("Outcome: failed"), "{text}");
    let line = history(&stack);
    assert!(line.contains("LEVEL=2") && line.contains("STATUS=failed"), "{line}");

    let beside: Vec<&str> = beside.split(' ').skip(1).collect();
    let restored = stack.run(&[&beside[..], &["--json"]].concat());
    assert_eq!(restored.code, 0, "{restored:?}");
    let sql = restored.json()["sql"].as_array().unwrap().clone();
    let sql: Vec<&str> = sql.iter().map(|line| line.as_str().unwrap()).collect();
    change(&stack, &sql.join("\n"));
    assert!(rows(&stack, "sessions").len() >= 600);
}

#[test]
fn a_down_script_that_is_broken_or_missing_blocks_before_anything_stops_and_says_the_loss() {
    let stack = Stack::up(Some("bad-migration:broken-down"));
    let loss = regex::Regex::new(
        r"--level 3 --target \S+\), which loses \d+ minutes? of data, about [\d,]+ rows?",
    )
    .unwrap();
    let ledger = stack.ledger();
    let refused = stack.run(&LEVEL_2);
    assert_eq!(refused.code, 10, "{refused:?}");
    let text = all_of(&refused);
    assert!(text.contains("TRIGER") && loss.is_match(&text), "{text}");

    std::fs::remove_dir_all(stack.dir().join("migrations/rollback")).unwrap();
    let refused = stack.run(&LEVEL_2);
    assert_eq!(refused.code, 10, "{refused:?}");
    let text = all_of(&refused);
    assert!(text.contains("no down script for 105") && loss.is_match(&text), "{text}");
    assert_eq!(stack.ledger(), ledger, "something was stopped");
    assert_eq!(stack.status()["active"], "green");
}

#[test]
fn a_down_script_that_fails_while_it_runs_holds_and_an_undo_brings_everything_back() {
    let stack = Stack::up(Some("bad-migration"));
    let preferences = "SELECT json_array(id, preferences) FROM users ORDER BY id";
    let before = ask(&stack, preferences);
    let folder = stack.dir().join("migrations/rollback");
    let script = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let script = script.into_iter().find(|path| path.to_str().unwrap().contains("/105_")).unwrap();
    // Sound to read, and refused by the data: only the run can tell.
    let text = std::fs::read_to_string(&script).unwrap();
    let clash = "INSERT INTO users SELECT * FROM users LIMIT 1;\nDELETE FROM schema_migrations";
    std::fs::write(&script, text.replace("DELETE FROM schema_migrations", clash)).unwrap();

    let held = stack.run(&LEVEL_2);
    assert_eq!(held.code, 13, "{held:?}\n{}", stack.log());
    let text = all_of(&held);
    assert!(text.contains("constraint failed"), "{text}");
    let loss =
        regex::Regex::new(r"--level 3 --target \S+\) loses \d+ minutes? of data, about").unwrap();
    assert!(loss.is_match(&text), "{text}");
    let situation = stack.situation();
    assert!(situation.open_run().is_some_and(|run| run.waiting.is_some()), "it does not hold");
    assert_eq!(ask(&stack, preferences), before, "the failed script left something");

    let undone = stack.run(&["abort", "undo"]);
    assert_eq!(undone.code, 0, "{undone:?}");
    assert_eq!(ask(&stack, preferences), before);
    assert_eq!(ask(&stack, "SELECT CAST(max(version) AS TEXT) FROM schema_migrations"), ["105"]);
}

#[test]
fn an_undo_after_the_migration_brings_its_values_back() {
    let stack = Stack::up(Some("bad-migration"));
    let preferences = "SELECT json_array(id, preferences) FROM users ORDER BY id";
    let before = ask(&stack, preferences);
    // An app that says so is not ready: the run waits for it, after the migration.
    std::fs::write(stack.dir().join("data/corruption_detected"), "for this test\n").unwrap();
    let mut child = stack.start(&LEVEL_2);
    stack.wait("the migration is taken back", std::time::Duration::from_mins(1), || {
        if !stack.state().join("journal.db").exists() {
            return false;
        }
        let situation = stack.situation();
        let past = situation.open_run().is_some_and(|run| {
            run.steps
                .iter()
                .any(|step| step.id.as_str() == "migrate_105" && step.phase.is_through())
        });
        past || child.try_wait().unwrap().is_some()
    });
    assert!(child.try_wait().unwrap().is_none(), "it ended before it could be taken back");
    let undone = stack.run(&["abort", "undo"]);
    child.wait().unwrap();
    assert_eq!(undone.code, 0, "{undone:?}\n{}", stack.log());
    assert_eq!(ask(&stack, preferences), before);
    assert_eq!(ask(&stack, "SELECT CAST(max(version) AS TEXT) FROM schema_migrations"), ["105"]);
    assert_eq!(stack.status()["active"], "green");
}

#[test]
fn a_script_that_cannot_be_one_transaction_is_refused_before_anything_stops() {
    let stack = Stack::up(None);
    let folder = stack.dir().join("migrations/rollback");
    let script = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let script = script.into_iter().find(|path| path.to_str().unwrap().contains("/105_")).unwrap();
    let text = std::fs::read_to_string(&script).unwrap();
    let ledger = stack.ledger();
    for (bad, why) in [
        ("COMMIT;\nBEGIN;\nDELETE", "in the middle"),
        ("ATTACH '/tmp/x' AS x;\nDELETE", "reaches into another database"),
        ("VACUUM;\nDELETE", "cannot be inside a transaction"),
        ("\\! touch canary\n;DELETE", "a client program"),
    ] {
        std::fs::write(&script, text.replace("DELETE", bad)).unwrap();
        let refused = stack.run(&LEVEL_2);
        assert_eq!(refused.code, 10, "{bad}: {refused:?}");
        assert!(all_of(&refused).contains(why), "{bad}: {refused:?}");
    }
    assert_eq!(stack.ledger(), ledger, "something was stopped");
    assert!(!stack.dir().join("canary").exists());
}

#[test]
fn a_thorough_validation_prints_fourteen_lines_and_runs_the_smoke_command() {
    let stack = Stack::up(None);
    let with = |smoke: &str| {
        let text = std::fs::read_to_string(stack.config()).unwrap();
        let kept: Vec<&str> =
            text.lines().filter(|line| !line.starts_with("smoke_command")).collect();
        std::fs::write(stack.config(), format!("{}\n{smoke}\n", kept.join("\n"))).unwrap();
    };
    let signs = ['✓', '✗', '?', '-', '+', 'x'];
    let lines = |said: &Said| {
        said.out
            .lines()
            .filter(|line| line.starts_with(signs))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    with("smoke_command: [sh, -c, 'exit 0']");
    let said = stack.run(&["validate", "--thorough"]);
    assert_eq!(lines(&said).len(), 14, "{said:?}");
    assert!(said.out.contains("Full smoke tests: sh -c exit 0 ended with 0"), "{said:?}");
    assert!(said.out.contains("Debug services (DAP, LSP): left out"), "{said:?}");

    with("smoke_command: [sh, -c, 'echo no login page >&2; exit 1']");
    let said = stack.run(&["validate", "--thorough"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("ended with 1 no login page"), "{said:?}");
    let quick = stack.run(&["validate"]);
    assert_eq!(lines(&quick).len(), 10, "{quick:?}");
}

#[test]
fn alembic_is_asked_by_its_command_and_its_own_ledger_says_whether_it_happened() {
    // The tool of this test changes the database by it.
    if tool("sqlite3", "sqlite3").is_none() {
        return;
    }
    let stack = Stack::up(None);
    change(
        &stack,
        "CREATE TABLE alembic_version (version_num TEXT); INSERT INTO alembic_version VALUES ('bbb')",
    );
    let manifest = point(&stack).join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let mut known: Value = serde_json::from_str(&text).unwrap();
    known["revisions"] = serde_json::json!({"alembic": "aaa"});
    std::fs::write(&manifest, known.to_string()).unwrap();
    let tool = "echo \"$@\" >> asked.log\n[ -f elsewhere ] && exit 0\n\
        sqlite3 \"${DATABASE_URL#sqlite:///}\" \".timeout 5000\" \"UPDATE alembic_version SET version_num = '$2'\"\n";
    std::fs::write(stack.dir().join("tool.sh"), tool).unwrap();
    let config = std::fs::read_to_string(stack.config()).unwrap();
    let section = "migrations: {tool: alembic, dir: ., command: [sh, tool.sh]}";
    std::fs::write(stack.config(), format!("{config}\n{section}\n")).unwrap();
    let revision = || ask(&stack, "SELECT version_num FROM alembic_version");

    // A tool that works on another database ends well, and nothing has happened.
    std::fs::write(stack.dir().join("elsewhere"), "").unwrap();
    let held = stack.run(&LEVEL_2);
    assert_eq!(held.code, 13, "{held:?}\n{}", stack.log());
    assert!(all_of(&held).contains("the ledger says bbb"), "{held:?}");
    assert_eq!(revision(), ["bbb"]);
    let undone = stack.run(&["abort", "undo"]);
    assert_eq!(revision(), ["bbb"], "{undone:?}");

    std::fs::remove_file(stack.dir().join("elsewhere")).unwrap();
    let done = stack.run(&LEVEL_2);
    assert_eq!(done.code, 0, "{done:?}\n{}", stack.log());
    assert_eq!(revision(), ["aaa"]);
    let asked = std::fs::read_to_string(stack.dir().join("asked.log")).unwrap();
    assert!(asked.lines().all(|line| !line.contains("app.db")), "{asked}");
    assert_eq!(asked.lines().last(), Some("downgrade aaa"), "{asked}");
}
