use std::sync::Mutex;

use super::*;
use crate::adapters::database::Column;
use crate::model::ids::Digest;

async fn database(folder: &Path) -> SqliteDatabase {
    let path = folder.join("app.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    let script = "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, applied_at TEXT);
        INSERT INTO schema_migrations VALUES (104, 'a'), (105, 'b');
        CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, phone TEXT, age INT);
        INSERT INTO users VALUES (1, 'A''s\n-- name; ü', '1', NULL), (7, 'B', NULL, 3);
        CREATE TABLE pairs (a TEXT, b BLOB, PRIMARY KEY (a, b)) WITHOUT ROWID;
        INSERT INTO pairs VALUES ('x', x'00ff27');
        CREATE VIEW named AS SELECT name FROM users;
        CREATE TRIGGER grown AFTER INSERT ON users BEGIN UPDATE users SET age = 1; END;
        CREATE INDEX by_name ON users (name);";
    sqlx::raw_sql(script).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    SqliteDatabase::new(path)
}

fn quiet(_: u64, _: u64) {}

fn script(folder: &Path, text: &str, rescue: Vec<Column>) -> Script {
    let path = folder.join("105_down.sql");
    fs::write(&path, text).unwrap();
    let digest = Digest::of(text.as_bytes());
    let rescue_to = "backout_rescue_r1".to_owned();
    Script { version: 105, down: true, path, digest, rescue, rescue_to }
}

const LIMITS: Limits =
    Limits { lock: Duration::from_millis(200), statement: Duration::from_secs(5) };

#[tokio::test]
async fn a_dump_restored_beside_holds_everything_and_takes_the_place_when_swapped() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    let dump = folder.path().join("database.sql.gz");
    let told = Mutex::new(Vec::new());
    let facts =
        database.dump(&dump, &|done, all| told.lock().unwrap().push((done, all))).await.unwrap();
    assert_eq!(facts, database.tables().await.unwrap());
    assert_eq!(told.lock().unwrap().last(), Some(&(5, 5)));
    let users = facts.iter().find(|table| table.name == "users").unwrap();
    assert_eq!((users.rows, users.max_id, users.values["phone"]), (2, Some(7), 1));

    database.restore_beside(&dump, "beside_r1", "r1.restore.1", &quiet).await.unwrap();
    let beside = database.beside("beside_r1");
    assert_eq!(beside.tables().await.unwrap(), facts);
    assert_eq!(beside.problems().await.unwrap(), []);
    assert!(beside.has_effect("r1.restore.1").await.unwrap());
    let again = folder.path().join("again.sql.gz");
    beside.dump(&again, &quiet).await.unwrap();
    assert_eq!(fs::read(&again).unwrap(), fs::read(&dump).unwrap(), "nothing was lost on the way");

    assert!(!database.has_effect("r1.restore.1").await.unwrap());
    database.swap("beside_r1", "_failed_r1").await.unwrap();
    assert!(database.has_effect("r1.restore.1").await.unwrap());
    assert!(database.beside("_failed_r1").exists().await.unwrap());
    assert!(!beside.exists().await.unwrap());
}

#[tokio::test]
async fn a_script_its_rescue_and_its_record_happen_together_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    let phone = || vec![Column { table: "users".into(), column: Some("phone".into()) }];
    let broken = "BEGIN;\nALTER TABLE users DROP COLUMN phone;\nDELETE FROM absent;\nCOMMIT;\n";
    let before = database.tables().await.unwrap();
    let refused = database
        .run_script(&script(folder.path(), broken, phone()), LIMITS, "r1.migrate.1")
        .await
        .unwrap_err();
    assert!(refused.message.contains("no such table: absent"), "{refused}");
    assert_eq!(database.tables().await.unwrap(), before);
    assert!(!database.has_effect("r1.migrate.1").await.unwrap());

    let silent = "ALTER TABLE users DROP COLUMN phone;";
    let refused = database
        .run_script(&script(folder.path(), silent, phone()), LIMITS, "r1.migrate.2")
        .await
        .unwrap_err();
    assert!(refused.message.contains("still lists 105"), "{refused}");
    assert_eq!(database.tables().await.unwrap(), before);

    let good = "BEGIN;\n\n-- Remove\nALTER TABLE users DROP COLUMN phone;\n\
                DELETE FROM schema_migrations WHERE version = 105;\n\nCOMMIT;\n";
    let good = script(folder.path(), good, phone());
    database.run_script(&good, LIMITS, "r1.migrate.3").await.unwrap();
    assert!(database.has_effect("r1.migrate.3").await.unwrap());
    assert_eq!(database.ledger().await.unwrap().last().unwrap().version, 104);
    let users = database.tables().await.unwrap().into_iter().find(|t| t.name == "users").unwrap();
    assert!(!users.values.contains_key("phone"));
    let mut connection = database.reading().await.unwrap();
    let saved: Vec<(i64, Option<String>)> =
        sqlx::query_as("SELECT id, phone FROM backout_rescue_r1_users_phone ORDER BY id")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    assert_eq!(saved, [(1, Some("1".to_owned())), (7, None)]);

    fs::write(folder.path().join("105_down.sql"), "DROP TABLE users;").unwrap();
    let refused = database.run_script(&good, LIMITS, "r1.migrate.4").await.unwrap_err();
    assert!(refused.message.contains("not the script that was planned with"), "{refused}");
}

#[tokio::test]
async fn what_only_the_live_one_has_is_counted_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    let dump = folder.path().join("database.sql.gz");
    database.dump(&dump, &quiet).await.unwrap();
    database.restore_beside(&dump, "copy", "e", &quiet).await.unwrap();
    let mut connection = database.writing(LOOK).await.unwrap();
    let later = "UPDATE users SET name = 'C' WHERE id = 7;
        INSERT INTO users (name) VALUES ('D');
        ALTER TABLE users ADD COLUMN extra TEXT; DROP TABLE pairs;
        CREATE TABLE fresh (a BLOB); INSERT INTO fresh VALUES (x'00ff'), (NULL);";
    sqlx::raw_sql(later).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let found = database.only_here("copy", Some(folder.path())).await.unwrap();
    let of = |table: &str| found.iter().find(|(name, _)| name == table).map(|(_, rows)| *rows);
    assert_eq!((of("users"), of("fresh"), of("pairs")), (Some(2 + 1), Some(2), None));
    let mut text = String::new();
    let file = fs::File::open(folder.path().join("fresh.jsonl.gz")).unwrap();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file), &mut text).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["{\"a\":\"00FF\"}", "{\"a\":null}"]);
}

#[tokio::test]
async fn a_lock_that_somebody_holds_is_said_and_not_waited_for_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    let mut other = database.writing(LOOK).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let text = "DELETE FROM schema_migrations WHERE version = 105;";
    let script = script(folder.path(), text, Vec::new());
    let refused = database.run_script(&script, LIMITS, "r1.migrate.1").await.unwrap_err();
    assert_eq!(refused.kind, Kind::TimedOut, "{refused}");
    assert!(refused.message.contains("locked"), "{refused}");
}

#[tokio::test]
async fn a_cut_dump_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    let dump = folder.path().join("database.sql.gz");
    database.dump(&dump, &quiet).await.unwrap();
    let bytes = fs::read(&dump).unwrap();
    fs::write(&dump, &bytes[..bytes.len() / 2]).unwrap();
    let refused = database.restore_beside(&dump, "beside_r1", "e", &quiet).await;
    assert!(refused.is_err());
    assert!(!database.beside("beside_r1").has_effect("e").await.unwrap_or(false));
}

#[tokio::test]
async fn rows_and_values_that_a_down_script_removes_come_back_with_the_up_script() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    let before = database.tables().await.unwrap();
    let column = |table: &str, column: Option<&str>| Column {
        table: table.into(),
        column: column.map(str::to_owned),
    };
    let kept = [
        column("users", None),
        column("users", Some("phone")),
        // Not there, and the script knows that it may not be.
        column("absent", None),
        column("users", Some("absent")),
    ];
    let down = "DELETE FROM users WHERE id = 7; UPDATE users SET phone = NULL; \
                DROP TABLE IF EXISTS absent; DELETE FROM schema_migrations WHERE version = 105;";
    let down = script(folder.path(), down, kept.to_vec());
    database.run_script(&down, LIMITS, "r1.migrate.1").await.unwrap();
    let rows = |tables: &[TableFacts]| {
        let users = tables.iter().find(|table| table.name == "users").unwrap();
        (users.rows, users.values["phone"])
    };
    assert_eq!(rows(&database.tables().await.unwrap()), (1, 0));

    let up = "INSERT INTO schema_migrations VALUES (105, 'c');";
    let up = Script { down: false, ..script(folder.path(), up, kept.to_vec()) };
    database.run_script(&up, LIMITS, "r1.undo.1").await.unwrap();
    assert_eq!(rows(&database.tables().await.unwrap()), rows(&before));
    let mut connection = database.reading().await.unwrap();
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_master WHERE name LIKE 'backout_rescue%'")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert_eq!(left, 0, "what is back is kept nowhere else");
}

#[tokio::test]
async fn ledgers_of_tools_and_times_of_migrations_are_read_from_their_own_tables() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    assert_eq!(database.revisions().await.unwrap(), [("sql".into(), "105".into())].into());
    let mut connection = database.writing(LOOK).await.unwrap();
    let more = "CREATE TABLE alembic_version (version_num TEXT);
        CREATE TABLE django_migrations (id INTEGER PRIMARY KEY, app TEXT, name TEXT);
        INSERT INTO django_migrations (app, name) VALUES ('shop', '0001'), ('auth', '0001'),
            ('shop', '0002_more');
        UPDATE schema_migrations SET applied_at = '2026-11-22T02:50:58Z' WHERE version = 105;
        UPDATE schema_migrations SET applied_at = '2026-11-22 01:00:00' WHERE version = 104;";
    sqlx::raw_sql(more).execute(&mut connection).await.unwrap();
    let found = database.revisions().await.unwrap();
    let of = |key: &str| found.get(key).map(String::as_str);
    assert_eq!((of("alembic"), of("django.shop")), (Some("base"), Some("0002_more")));
    let more = "INSERT INTO alembic_version VALUES ('ae1'), ('bd2')";
    sqlx::raw_sql(more).execute(&mut connection).await.unwrap();
    assert_eq!(database.revisions().await.unwrap()["alembic"], "ae1,bd2");
    let ledger = database.ledger().await.unwrap();
    let at = |at: Option<Time>| at.map(|at| at.format("%H:%M:%S").to_string()).unwrap();
    assert_eq!((at(ledger[0].at), at(ledger[1].at)), ("01:00:00".into(), "02:50:58".into()));
}

#[tokio::test]
async fn a_column_or_a_table_comes_back_from_a_copy_by_the_statements_that_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    let dump = folder.path().join("database.sql.gz");
    database.dump(&dump, &quiet).await.unwrap();
    database.restore_beside(&dump, "copy", "e", &quiet).await.unwrap();
    let before = database.tables().await.unwrap();
    let mut connection = database.writing(LOOK).await.unwrap();
    let harm =
        "ALTER TABLE users DROP COLUMN phone; DROP TABLE pairs; DELETE FROM schema_migrations;";
    sqlx::raw_sql(harm).execute(&mut connection).await.unwrap();
    for (table, column) in [("users", Some("phone")), ("pairs", None), ("schema_migrations", None)]
    {
        let sql = database.copy_back("copy", table, column).await.unwrap().join("\n");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }
    let now = database.tables().await.unwrap();
    let facts = |tables: &[TableFacts]| {
        let one = |table: &TableFacts| {
            (table.name.clone(), table.rows, table.values.get("phone").copied())
        };
        tables.iter().map(one).collect::<Vec<_>>()
    };
    assert_eq!(facts(&now), facts(&before));
    for (table, column, why) in
        [("absent", None, "no table absent"), ("users", Some("absent"), "no column users.absent")]
    {
        let refused = database.copy_back("copy", table, column).await.unwrap_err();
        assert!(refused.message.contains(why), "{refused}");
    }
}

/// A copy of the database as a process leaves it that is killed while it commits: pages of the change
/// are in the file, and what was there before is in a journal that nobody holds.
async fn killed_while_committing(folder: &Path) -> SqliteDatabase {
    let live = database(folder).await;
    let mut connection = live.writing(LOOK).await.unwrap();
    let change = "PRAGMA cache_size = 1; BEGIN IMMEDIATE;
        DELETE FROM schema_migrations WHERE version = 105;
        WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
        INSERT INTO users (id, name) SELECT i, hex(randomblob(200)) FROM n;";
    sqlx::raw_sql(change).execute(&mut connection).await.unwrap();
    let left = folder.join("left.db");
    fs::copy(folder.join("app.db-journal"), folder.join("left.db-journal")).unwrap();
    fs::copy(folder.join("app.db"), &left).unwrap();
    SqliteDatabase::new(left)
}

#[tokio::test]
async fn what_a_killed_process_left_half_done_is_seen_as_not_done() {
    let folder = tempfile::tempdir().unwrap();
    let left = killed_while_committing(folder.path()).await;
    let asked = super::super::ask(&left.path, "SELECT 1 FROM users", LOOK).await;
    assert!(asked.unwrap_err().message.contains("left a change half done"), "a check only reads");
    assert!(!left.has_effect("r1.migrate.1").await.unwrap());
    let ledger: Vec<i64> = left.ledger().await.unwrap().iter().map(|one| one.version).collect();
    assert_eq!(ledger, [104, 105]);
}
