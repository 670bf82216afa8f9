//! Scripts that take a migration back, in one transaction.

use std::time::{Duration, Instant};

use backout::adapters::Kind;
use backout::adapters::database::{Column, Database, Limits, Script};
use backout::model::ids::Digest;

use super::cluster::Bench;
use super::{filled, tables};
use crate::support::promised;

/// The example of the document, as it is.
const DOWN: &str = "-- Example: Migration 105 -> 104 rollback script
-- File: migrations/rollback/105_add_user_preferences_down.sql

BEGIN;

-- Remove new columns
ALTER TABLE users DROP COLUMN IF EXISTS preferences;

-- Restore old structure
-- (if needed)

-- Update schema version
DELETE FROM schema_migrations WHERE version = 105;

COMMIT;
";

const LIMITS: Limits =
    Limits { lock: Duration::from_millis(1500), statement: Duration::from_secs(30) };

fn script(bench: &Bench, text: &str, rescue: &[(&str, Option<&str>)]) -> Script {
    let path = bench.at("105_down.sql");
    std::fs::write(&path, text).unwrap();
    let rescue = rescue
        .iter()
        .map(|(table, column)| Column {
            table: (*table).to_owned(),
            column: column.map(str::to_owned),
        })
        .collect();
    let (digest, rescue_to) = (Digest::of(text.as_bytes()), "backout_rescue_r1_105".to_owned());
    Script { version: 105, down: true, path, digest, rescue, rescue_to }
}

#[tokio::test]
async fn the_example_of_the_document_runs_as_it_is_or_not_at_all() {
    let Some(bench) = filled().await else { return };
    let live = bench.database();
    let before = tables(&live).await;
    let kept = [("users", Some("preferences"))];
    let broken = DOWN.replace("\nCOMMIT;", "DELETE FROM absent;\nCOMMIT;");
    let silent = DOWN.replace("DELETE FROM", "-- DELETE FROM");
    let split = DOWN.replace("-- Restore", "COMMIT; BEGIN; -- Restore");
    let slow = DOWN.replace("-- Update", "CREATE INDEX CONCURRENTLY i ON users (name); -- Update");
    for (text, why) in [
        (broken, "\"absent\" does not exist"),
        (silent, "still lists 105"),
        (split, "cannot be inside one transaction"),
        (slow, "leave CONCURRENTLY out"),
    ] {
        let refused = live.run_script(&script(&bench, &text, &kept), LIMITS, "r1.migrate.1").await;
        let refused = refused.unwrap_err();
        assert!(refused.message.contains(why), "{refused}");
        assert_eq!(tables(&live).await, before);
        assert_eq!(live.ledger().await.unwrap().last().unwrap().version, 105);
        assert!(!live.has_effect("r1.migrate.1").await.unwrap());
    }
    let good = script(&bench, DOWN, &kept);
    let note = live.run_script(&good, LIMITS, "r1.migrate.2").await.unwrap();
    assert_eq!(note.as_str(), "2 statements in one transaction; 1 saved first");
    assert!(live.has_effect("r1.migrate.2").await.unwrap());
    let users = tables(&live).await.pop().unwrap();
    assert!(users.rows == 2 && !users.values.contains_key("preferences"), "{users:?}");
    let ledger = live.ledger().await.unwrap();
    assert_eq!(ledger.len(), 1);
    let at = ledger[0].at.unwrap().format("%H:%M:%S").to_string();
    assert_eq!((ledger[0].version, at.as_str()), (104, "01:00:00"));
    let saved = "SELECT string_agg(concat(id, preferences), ';' ORDER BY id) \
                 FROM backout_kept.backout_rescue_r1_105_users_preferences";
    assert_eq!(bench.ask(&bench.name, saved).await, "1{\"a\": 1};2");

    std::fs::write(bench.at("105_down.sql"), "DROP TABLE users;").unwrap();
    let refused = live.run_script(&good, LIMITS, "r1.migrate.3").await.unwrap_err();
    assert!(refused.message.contains("not the script that was planned with"), "{refused}");
}

#[tokio::test]
async fn a_lock_that_somebody_holds_ends_the_wait_and_its_holder_is_named() {
    let Some(bench) = filled().await else { return };
    let live = bench.database();
    let before = tables(&live).await;
    let mut holder = bench.open(&bench.name).await;
    sqlx::raw_sql("BEGIN; SELECT * FROM users").execute(&mut holder).await.unwrap();
    let pid: i32 =
        sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut holder).await.unwrap();
    let begun = Instant::now();
    let refused = live.run_script(&script(&bench, DOWN, &[]), LIMITS, "r1.migrate.1").await;
    let refused = refused.unwrap_err();
    assert!(begun.elapsed() < promised(Duration::from_secs(15)), "{:?}", begun.elapsed());
    assert_eq!(refused.kind, Kind::TimedOut, "{refused}");
    for words in [format!("session {pid} (web of user_{}", bench.name), "lock timeout".into()] {
        assert!(refused.message.contains(&words), "{refused}");
    }
    assert!(refused.message.contains("idle in transaction"), "{refused}");
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    assert_eq!(tables(&live).await, before);
    live.run_script(&script(&bench, DOWN, &[]), LIMITS, "r1.migrate.2").await.unwrap();

    let endless = "SELECT pg_sleep(60); DELETE FROM schema_migrations WHERE version = 104;";
    let short = Limits { statement: Duration::from_millis(300), ..LIMITS };
    let late = live.run_script(&script(&bench, endless, &[]), short, "r1.migrate.3").await;
    assert_eq!(late.unwrap_err().kind, Kind::TimedOut);
}

#[tokio::test]
async fn rows_and_values_that_a_down_script_removes_come_back_with_the_up_script() {
    let Some(bench) = filled().await else { return };
    let live = bench.database();
    bench
        .run(&bench.name, "CREATE TABLE loose (a int, b text); INSERT INTO loose VALUES (1, 'x')")
        .await;
    let before = tables(&live).await;
    let kept = [
        ("side.visits", None),
        ("users", Some("preferences")),
        ("pairs", None),
        ("loose", Some("b")),
        // Not there, and the script knows that it may not be.
        ("absent", None),
        ("users", Some("absent")),
    ];
    let down = "DROP TABLE side.visits; ALTER TABLE users DROP COLUMN preferences; \
        DELETE FROM pairs; ALTER TABLE loose DROP COLUMN b; DROP TABLE IF EXISTS absent; \
        DELETE FROM schema_migrations WHERE version = 105;";
    live.run_script(&script(&bench, down, &kept), LIMITS, "r1.migrate.1").await.unwrap();
    assert_eq!(tables(&live).await.iter().map(|table| table.rows).sum::<u64>(), 2 + 1 + 1);

    let up = "CREATE TABLE side.visits (user_id int, at date); ALTER TABLE users ADD preferences jsonb; \
        ALTER TABLE loose ADD COLUMN b text; INSERT INTO schema_migrations VALUES (105, 'b', now());";
    let up = Script { down: false, ..script(&bench, up, &kept) };
    let note = live.run_script(&up, LIMITS, "r1.undo.1").await.unwrap();
    assert!(
        note.as_str().contains("loose is kept in backout_kept.backout_rescue_r1_105_loose_b"),
        "{note}"
    );
    let facts = |tables: Vec<backout::model::tables::TableFacts>| {
        tables.into_iter().filter(|table| table.name != "loose").collect::<Vec<_>>()
    };
    assert_eq!(facts(tables(&live).await), facts(before));
    let left = "SELECT string_agg(relname, ' ') FROM pg_class WHERE relname ~ '^backout_rescue'";
    assert_eq!(bench.ask(&bench.name, left).await, "backout_rescue_r1_105_loose_b");
}

#[tokio::test]
async fn a_table_that_comes_back_goes_on_counting_after_its_rows() {
    let Some(bench) = filled().await else { return };
    let live = bench.database();
    bench.run(&bench.name, "CREATE TABLE notes (id serial PRIMARY KEY, a text); INSERT INTO notes (a) VALUES ('x'), ('y')").await;
    let kept = [("notes", None)];
    let down = "DROP TABLE notes; DELETE FROM schema_migrations WHERE version = 105;";
    live.run_script(&script(&bench, down, &kept), LIMITS, "r1.migrate.1").await.unwrap();
    let up = "CREATE TABLE notes (id serial PRIMARY KEY, a text); \
              INSERT INTO schema_migrations VALUES (105, 'b', now());";
    let up = Script { down: false, ..script(&bench, up, &kept) };
    live.run_script(&up, LIMITS, "r1.undo.1").await.unwrap();
    bench.run(&bench.name, "INSERT INTO notes (a) VALUES ('z')").await;
    let ids = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM notes";
    assert_eq!(bench.ask(&bench.name, ids).await, "1 2 3");
}

#[tokio::test]
async fn ledgers_of_tools_are_read_from_their_own_tables() {
    let Some(bench) = filled().await else { return };
    let live = bench.database();
    assert_eq!(live.revisions().await.unwrap(), [("sql".into(), "105".into())].into());
    let more = "CREATE TABLE alembic_version (version_num varchar(32));
        CREATE TABLE django_migrations (id bigserial PRIMARY KEY, app varchar(255), name varchar(255));
        INSERT INTO django_migrations (app, name) VALUES ('shop', '0001'), ('auth', '0001'),
            ('shop', '0002_more');";
    bench.run(&bench.name, more).await;
    let found = live.revisions().await.unwrap();
    let of = |key: &str| found.get(key).map(String::as_str);
    assert_eq!((of("alembic"), of("django.shop")), (Some("base"), Some("0002_more")));
    bench.run(&bench.name, "INSERT INTO alembic_version VALUES ('bd2'), ('ae1')").await;
    assert_eq!(live.revisions().await.unwrap()["alembic"], "ae1,bd2");
    let text = "DROP TABLE schema_migrations; CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, \
        installed_on timestamptz, checksum bytea); \
        INSERT INTO _sqlx_migrations VALUES (9, '2026-11-22 02:50:58.5Z', '\\x00ff'), (10, now(), '')";
    bench.run(&bench.name, text).await;
    let ledger = live.ledger().await.unwrap();
    assert_eq!(ledger.iter().map(|one| one.version).collect::<Vec<_>>(), [9, 10]);
    assert_eq!(ledger[0].checksum.as_ref().unwrap().as_str(), "00ff");
    assert_eq!(ledger[0].at.unwrap().format("%S").to_string(), "58");
}

#[tokio::test]
async fn an_emergency_stop_ends_the_sessions_of_its_step_and_no_others() {
    let Some(bench) = filled().await else { return };
    let live = bench.database();
    let step = live.called("142-k7qd-1.migrate.1").unwrap();
    let slow = script(&bench, "SELECT pg_sleep(60); DELETE FROM schema_migrations", &[]);
    let working = tokio::spawn({
        let step = live.called("142-k7qd-1.migrate.1").unwrap();
        let limits = Limits { statement: Duration::from_mins(1), ..LIMITS };
        async move { step.run_script(&slow, limits, "142-k7qd-1.migrate.1").await }
    });
    // Another step's, and the application's, are none of it.
    let others = [live.called("142-k7qd-1.other.1").unwrap(), step.clone()];
    let mut other = bench.open(&bench.name).await;
    let count = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'user_{}' AND state = 'active'",
        bench.name
    );
    let until = Instant::now() + Duration::from_secs(30);
    while bench.ask(&bench.name, &count).await == "0" {
        assert!(Instant::now() < until, "the script does not begin");
        tokio::task::yield_now().await;
    }
    assert_eq!(others[0].end_sessions().await.unwrap(), Vec::<backout::text::SafeText>::new());
    let ended = others[1].end_sessions().await.unwrap();
    assert!(!ended.is_empty() && ended[0].as_str().contains("begun 20"), "{ended:?}");
    let broken = working.await.unwrap().unwrap_err();
    assert_eq!(broken.kind, Kind::Reset, "{broken:?}");
    sqlx::raw_sql("SELECT 1").execute(&mut other).await.unwrap();
    let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'backout 142%'";
    while bench.ask(&bench.name, left).await != "0" {
        assert!(Instant::now() < until, "a session is left");
        tokio::task::yield_now().await;
    }
    let ledger = "SELECT count(*) > 0 FROM schema_migrations";
    assert_eq!(bench.ask(&bench.name, ledger).await, "t", "nothing of it happened");
}
