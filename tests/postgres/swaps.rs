//! One database in the place of another, with sessions open and cut off anywhere.

use backout::adapters::Kind;
use backout::adapters::database::Database;
use sqlx::Connection;

use super::cluster::Bench;
use super::{filled, quiet, tables};

/// A live database with a copy beside it, and one row more than the copy has.
async fn with_copy() -> Option<Bench> {
    let bench = filled().await?;
    let live = bench.database();
    let dump = bench.at("database.sql.gz");
    live.dump(&dump, &quiet).await.unwrap();
    live.restore_beside(&dump, "restored_r1", "r1.restore.1", &quiet).await.unwrap();
    bench.run(&bench.name, "INSERT INTO users (name) VALUES ('after')").await;
    Some(bench)
}

async fn users(bench: &Bench, database: &str) -> String {
    bench.ask(database, "SELECT count(*) FROM users").await
}

#[tokio::test]
async fn an_open_session_does_not_keep_the_databases_from_being_swapped() {
    let Some(bench) = with_copy().await else { return };
    let (live, name) = (bench.database(), bench.name.clone());
    bench.root("postgres", &format!("COMMENT ON DATABASE {name} IS 'the shop'")).await;
    let mut open = bench.open(&name).await;
    sqlx::raw_sql("BEGIN; UPDATE users SET age = 1").execute(&mut open).await.unwrap();
    let identity = live.identity().await.unwrap();
    let note = live.swap("restored_r1", "_failed_r1").await.unwrap();
    assert_eq!(note.as_str(), format!("the one before is kept as {name}_failed_r1"));
    assert!(open.ping().await.is_err(), "the session was ended");
    assert_eq!(bench.databases().await, format!("{name} {name}_failed_r1"));
    assert_eq!(
        (users(&bench, &name).await, users(&bench, &format!("{name}_failed_r1")).await),
        ("2".into(), "3".into())
    );
    assert_eq!(live.identity().await.unwrap(), identity);
    assert!(live.has_effect("r1.restore.1").await.unwrap());
    let comment = format!(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{name}'"
    );
    assert_eq!(bench.ask("postgres", &comment).await, "the shop");
    live.swap("restored_r1", "_failed_r1").await.unwrap();
    assert_eq!(users(&bench, &name).await, "2", "twice is once");
    // What was live is never taken for a copy of ours, on neither side.
    live.remove_beside("_failed_r1").await.unwrap_err();

    live.swap("_failed_r1", "_left_r1").await.unwrap();
    assert_eq!(users(&bench, &name).await, "3");
    assert_eq!(bench.databases().await, format!("{name} {name}_left_r1"));
    assert_eq!(bench.ask("postgres", &comment).await, "the shop");
    live.remove_beside("_left_r1").await.unwrap_err();
    bench.run(&name, "INSERT INTO users (name) VALUES ('goes on')").await;
}

#[tokio::test]
async fn a_swap_that_was_cut_off_anywhere_goes_on_or_comes_back() {
    let Some(bench) = with_copy().await else { return };
    let (live, name) = (bench.database(), bench.name.clone());
    let (copy, kept) = (format!("{name}_restored_r1"), format!("{name}_failed_r1"));
    let close = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false");
    let first = format!("ALTER DATABASE {name} RENAME TO {kept}");

    // Nobody may come to it any more: what was not swapped is opened again.
    bench.root("postgres", &close).await;
    live.swap("_failed_r1", "restored_r1").await.unwrap();
    assert_eq!(users(&bench, &name).await, "3");
    bench.root("postgres", &close).await;
    assert!(live.exists().await.unwrap());
    live.identity().await.unwrap_err();

    // Between the two renames no database has the live name.
    bench.root("postgres", &first).await;
    assert!(!live.exists().await.unwrap());
    assert!(live.identity().await.is_ok(), "it is still the one that was to be restored");
    live.swap("_failed_r1", "_left_r1").await.unwrap();
    let left = format!("{name}_left_r1");
    assert_eq!(bench.databases().await, format!("{name} {left} {copy}"));
    assert_eq!(users(&bench, &name).await, "3");

    bench.root("postgres", &close).await;
    bench.root("postgres", &first).await;
    live.swap("restored_r1", "_failed_r1").await.unwrap();
    assert_eq!(bench.databases().await, format!("{name} {kept} {left}"));
    assert_eq!(users(&bench, &name).await, "2");
    assert_eq!(users(&bench, &kept).await, "3", "the one before is open, too");
}

#[tokio::test]
async fn nothing_of_others_is_replaced_and_a_prepared_transaction_is_said() {
    let Some(bench) = with_copy().await else { return };
    let (live, name) = (bench.database(), bench.name.clone());
    bench
        .run(&name, "BEGIN; INSERT INTO users (name) VALUES ('p'); PREPARE TRANSACTION 'order-7'")
        .await;
    let refused = live.swap("restored_r1", "_failed_r1").await.unwrap_err();
    assert!(refused.message.contains("order-7"), "{refused}");
    assert_eq!(users(&bench, &name).await, "3", "it is open again");
    bench.run(&name, "ROLLBACK PREPARED 'order-7'").await;

    bench.run("postgres", &format!("CREATE DATABASE {name}_failed_r1")).await;
    let before = bench.databases().await;
    let refused = live.swap("restored_r1", "_failed_r1").await.unwrap_err();
    assert!(refused.message.contains("is there already"), "{refused}");
    assert_eq!(bench.databases().await, before);
    let refused = live.swap("absent", "_other").await.unwrap_err();
    assert_eq!(refused.kind, Kind::NotFound, "{refused}");

    let mut other = bench.open("postgres").await;
    sqlx::query("SELECT pg_advisory_lock(hashtextextended('backout ' || $1, 0))")
        .bind(&name)
        .execute(&mut other)
        .await
        .unwrap();
    let refused = live.swap("restored_r1", "_kept_r1").await.unwrap_err();
    assert_eq!(refused.kind, Kind::Held, "{refused}");
}

#[tokio::test]
async fn where_there_was_none_an_empty_one_says_so() {
    let Some(bench) = with_copy().await else { return };
    let (live, name) = (bench.database(), bench.name.clone());
    bench.run("postgres", &format!("DROP DATABASE {name}")).await;
    assert_eq!(live.size().await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(live.copy_cold(bench.folder.path()).await.unwrap(), Vec::<String>::new());
    let note = live.swap("restored_r1", "_failed_r1").await.unwrap();
    assert!(note.as_str().contains("there was none before"), "{note}");
    assert_eq!(tables(&live).await.len(), 4);
    assert_eq!(tables(live.beside("_failed_r1").as_ref()).await, []);
}
