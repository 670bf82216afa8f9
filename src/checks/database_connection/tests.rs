use std::path::Path;
use std::time::Instant;

use sqlx::{ConnectOptions, Connection};

use super::*;
use crate::checks::threshold::Range;
use crate::checks::{CheckKind, fixture, probe};
use crate::model::reading::Reading;

const LIMIT: Duration = Duration::from_millis(700);

/// A database with 412 users.
async fn database(dir: &Path) -> PathBuf {
    let path = dir.join("app.db");
    let mut connection = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .connect()
        .await
        .unwrap();
    sqlx::raw_sql(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, score REAL);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 412)
         INSERT INTO users SELECT i, 'user ' || i, i / 2.0 FROM n;",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    path
}

async fn ask(path: &Path, query: &str, thresholds: Thresholds) -> Reading {
    judged(path, query, thresholds, None).await
}

async fn judged(path: &Path, query: &str, thresholds: Thresholds, expect: Option<&str>) -> Reading {
    let database = Database::Sqlite(path.to_owned());
    let expect = expect.map(str::to_owned);
    let settings = Settings { database, query: query.into(), expect, thresholds };
    let spec = fixture::spec(CheckKind::DatabaseConnection(settings), LIMIT);
    let begun = Instant::now();
    let reading = probe(&spec, &fixture::cx()).await;
    assert!(begun.elapsed() < LIMIT + Duration::from_millis(900), "took {:?}", begun.elapsed());
    reading
}

async fn plain(path: &Path, query: &str) -> Reading {
    ask(path, query, Thresholds::default()).await
}

fn class(reading: &Reading) -> WhyClass {
    match &reading.finding {
        Finding::Bad { why } => why.class,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_version_of_a_schema_is_the_expected_one_or_another() {
    let dir = tempfile::tempdir().unwrap();
    let path = database(dir.path()).await;
    let at = async |query: &str| judged(&path, query, Thresholds::default(), Some("105")).await;
    let good = at("SELECT max(id) - 307 FROM users").await;
    assert_eq!((good.finding, good.note.as_str()), (Finding::Good, "105"));
    let text = |reading: Reading| match reading.finding {
        Finding::Bad { why } => why.text.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(text(at("SELECT 104").await), "is 104, expected 105");
    assert_eq!(text(at("SELECT NULL").await), "is nothing, expected 105");
    assert_eq!(text(at("SELECT id FROM users LIMIT 0").await), "is 0 rows, expected 105");
    assert_eq!(text(at("SELECT 105 UNION SELECT 106").await), "is 2 rows, expected 105");
    let gone = dir.path().join("no.db");
    let gone = judged(&gone, "SELECT 105", Thresholds::default(), Some("105")).await;
    assert_eq!(class(&gone), WhyClass::Refused);
}

#[tokio::test]
async fn a_count_is_rows_and_any_number_can_be_judged() {
    let dir = tempfile::tempdir().unwrap();
    let path = database(dir.path()).await;
    let reading = plain(&path, "SELECT count(*) FROM users").await;
    assert_eq!((reading.finding, reading.note.as_str()), (Finding::Good, "412 rows"));
    assert_eq!((reading.value, reading.unit.as_str()), (Some(412.0), "rows"));
    for query in ["SELECT 1; -- up;", "SELECT 1 -- up", "SELECT 1;"] {
        assert_eq!(plain(&path, query).await.note.as_str(), "1", "{query}");
    }
    assert_eq!(plain(&path, "SELECT a.id FROM users a, users b").await.note.as_str(), "1000 rows");
    assert_eq!(plain(&path, "SELECT name FROM users WHERE id < 4").await.note.as_str(), "3 rows");
    assert_eq!(plain(&path, "SELECT max(score) FROM users").await.value, Some(206.0));
    assert_eq!(plain(&path, "PRAGMA user_version").await.value, Some(0.0));
    let few = Thresholds { warning: None, critical: Some(Range::UpTo(500.0)) };
    let reading = ask(&path, "SELECT count(*) FROM users", few).await;
    assert_eq!(class(&reading), WhyClass::Threshold);
}

#[tokio::test]
async fn fault_2_no_rows_is_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let path = database(dir.path()).await;
    let reading = plain(&path, "SELECT count(*) FROM users WHERE id = 0").await;
    assert_eq!((reading.finding, reading.value), (Finding::Good, Some(0.0)));
}

#[tokio::test]
async fn a_check_cannot_write() {
    let dir = tempfile::tempdir().unwrap();
    let path = database(dir.path()).await;
    for query in ["DELETE FROM users", "CREATE TABLE x (y)", "PRAGMA user_version = 7"] {
        assert!(matches!(plain(&path, query).await.finding, Finding::Bad { .. }), "{query}");
    }
    assert_eq!(plain(&path, "SELECT count(*) FROM users").await.value, Some(412.0));
    assert_eq!(plain(&path, "PRAGMA user_version").await.value, Some(0.0));
}

#[tokio::test]
async fn a_database_that_is_gone_or_damaged_is_bad_and_not_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gone.db");
    let reading = plain(&path, "SELECT 1").await;
    assert_eq!((class(&reading), reading.note.as_str()), (WhyClass::Refused, "no database"));
    assert!(!path.exists());
    assert_eq!(class(&plain(dir.path(), "SELECT 1").await), WhyClass::Rejected);
    std::fs::write(&path, "this is not a database, but it is long enough to look like one")
        .unwrap();
    assert_eq!(class(&plain(&path, "SELECT count(*) FROM users").await), WhyClass::Content);
}

#[tokio::test]
async fn our_own_mistake_in_a_query_is_not_the_databases_fault() {
    let dir = tempfile::tempdir().unwrap();
    let path = database(dir.path()).await;
    let reading = plain(&path, "SELEKT 1").await;
    assert_eq!(reading.finding, Finding::Unknown { reason: Reason::BadConfig });
    assert_eq!(class(&plain(&path, "SELECT * FROM missing").await), WhyClass::Rejected);
}

#[tokio::test]
async fn fault_5_the_limit_of_a_database_check_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = database(dir.path()).await;
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
                   SELECT count(*) FROM n";
    assert_eq!(class(&plain(&path, endless).await), WhyClass::TimedOut);
    let mut other =
        sqlx::sqlite::SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    assert_eq!(class(&plain(&path, "SELECT count(*) FROM users").await), WhyClass::TimedOut);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(plain(&path, "SELECT count(*) FROM users").await.finding, Finding::Good);
}

#[tokio::test]
async fn a_server_that_does_not_listen_is_refused_and_its_password_is_not_shown() {
    let of = |url: &str| Settings {
        database: Database::Postgres(Secret::plain(url)),
        query: "SELECT 1".into(),
        expect: None,
        thresholds: Thresholds::default(),
    };
    let settings = of("postgresql://user:geheim@127.0.0.1:1/db");
    assert_eq!(settings.target(), "postgresql://user:***@127.0.0.1:1/db");
    let spec = fixture::spec(CheckKind::DatabaseConnection(settings), LIMIT);
    let reading = probe(&spec, &fixture::cx()).await;
    assert_eq!(class(&reading), WhyClass::Refused);
    assert!(!format!("{reading:?}").contains("geheim"), "{reading:?}");
    let settings = of("postgresql://user:geheim@127.0.0.1:1/db?sslmode=maybe");
    let spec = fixture::spec(CheckKind::DatabaseConnection(settings), LIMIT);
    let reading = probe(&spec, &fixture::cx()).await;
    assert_eq!(reading.finding, Finding::Unknown { reason: Reason::BadConfig });
    assert!(!format!("{reading:?}").contains("geheim"), "{reading:?}");
}
