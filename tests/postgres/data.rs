//! Dumps, copies beside, and what only the live one has.

use std::io::Read;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;
use std::sync::Mutex;

use backout::adapters::Kind;
use backout::adapters::database::Database;

use super::cluster::{Bench, Cluster, PASSWORD, user};
use super::{filled, quiet, tables};
use crate::tools::SmallDisk;

#[tokio::test]
async fn a_dump_restored_beside_holds_everything_of_one_moment() {
    let Some(bench) = filled().await else { return };
    let (live, name) = (bench.database(), bench.name.clone());
    let user = format!("user_{name}");
    bench
        .root(
            "postgres",
            &format!(
                "ALTER DATABASE {name} SET search_path = side, public; \
         ALTER ROLE {user} IN DATABASE {name} SET work_mem = '5MB'; \
         REVOKE CONNECT ON DATABASE {name} FROM PUBLIC; COMMENT ON DATABASE {name} IS 'the shop'"
            ),
        )
        .await;
    let identity = live.identity().await.unwrap();
    assert!(
        identity.starts_with("postgres:") && identity.ends_with(&format!("/{name}")),
        "{identity}"
    );
    assert!(live.size().await.unwrap() > 1_000_000);
    let dump = bench.at("database.sql.gz");
    let told = Mutex::new(Vec::new());
    let facts =
        live.dump(&dump, &|done, all| told.lock().unwrap().push((done, all))).await.unwrap();
    assert_eq!(facts, tables(&live).await);
    assert_eq!(told.lock().unwrap().last(), Some(&(7, 7)));
    let names: Vec<&str> = facts.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["pairs", "schema_migrations", "side.visits", "users"]);
    let users = facts.last().unwrap();
    assert_eq!((users.rows, users.max_id, users.values["preferences"]), (2, Some(2), 1));
    assert!(!users.values.contains_key("twice"), "what is computed is not counted");

    bench.run(&name, "INSERT INTO public.users (name) VALUES ('after the dump')").await;
    live.restore_beside(&dump, "restored_r1", "r1.restore.1", &quiet).await.unwrap();
    let beside = live.beside("restored_r1");
    assert_eq!(tables(beside.as_ref()).await, facts);
    assert_eq!(beside.problems().await.unwrap(), []);
    assert!(beside.has_effect("r1.restore.1").await.unwrap());
    assert!(!live.has_effect("r1.restore.1").await.unwrap());
    let copy = format!("{name}_restored_r1");
    let like = |database: &str| {
        format!(
            "SELECT string_agg(concat_ws(' ', r.rolname, d.encoding, d.datcollate, \
         (SELECT string_agg(x::text, ' ' ORDER BY x::text) FROM unnest(d.datacl) x), \
         s.setrole, s.setconfig), '; ' ORDER BY s.setrole) FROM pg_database d \
         JOIN pg_roles r ON r.oid = d.datdba LEFT JOIN pg_db_role_setting s \
         ON s.setdatabase = d.oid WHERE d.datname = '{database}'"
        )
    };
    let (one, other) = (like(&name), like(&copy));
    assert_eq!(bench.ask("postgres", &one).await, bench.ask("postgres", &other).await);
    // The attempt after a cut-off one makes it anew.
    live.restore_beside(&dump, "restored_r1", "r1.restore.2", &quiet).await.unwrap();
    assert!(!beside.has_effect("r1.restore.1").await.unwrap());
    live.remove_beside("restored_r1").await.unwrap();
    live.remove_beside("restored_r1").await.unwrap();
    assert!(!beside.exists().await.unwrap());
}

#[tokio::test]
async fn a_database_that_we_did_not_make_is_not_removed_for_a_copy() {
    let Some(bench) = filled().await else { return };
    let live = bench.database();
    let copy = format!("{}_restored_r1", bench.name);
    bench.run("postgres", &format!("CREATE DATABASE {copy}")).await;
    bench.run(&copy, "CREATE TABLE of_somebody (a int)").await;
    let refused = live.remove_beside("restored_r1").await.unwrap_err();
    assert!(refused.message.contains("no copy that was made by backout"), "{refused}");
    let dump = bench.at("database.sql.gz");
    live.dump(&dump, &quiet).await.unwrap();
    live.restore_beside(&dump, "restored_r1", "e", &quiet).await.unwrap_err();
    assert!(live.beside("restored_r1").exists().await.unwrap());
    // What was cut off before it bore the mark is empty.
    bench.run(&copy, "DROP TABLE of_somebody").await;
    live.restore_beside(&dump, "restored_r1", "e", &quiet).await.unwrap();
}

#[tokio::test]
async fn a_damaged_dump_is_refused_before_anything_is_made_of_it() {
    let Some(bench) = filled().await else { return };
    let live = bench.database();
    let good = bench.at("database.sql.gz");
    live.dump(&good, &quiet).await.unwrap();
    let bytes = std::fs::read(&good).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 0x10;
    let shell = text.replacen("SET ", "\\! touch /tmp/never\nSET ", 1);
    let program = text.replacen("SET ", "COPY users FROM PROGRAM 'id';\nSET ", 1);
    let cut = text[..text.len() * 2 / 3].to_owned();
    for (name, held) in [
        ("cut.gz", bytes[..bytes.len() / 2].to_vec()),
        ("flipped.gz", flipped),
        ("cut.sql", cut.into_bytes()),
        ("shell.sql", shell.into_bytes()),
        ("program.sql", program.into_bytes()),
    ] {
        let dump = bench.at(name);
        std::fs::write(&dump, held).unwrap();
        let refused = live.restore_beside(&dump, "restored_r1", "e", &quiet).await.unwrap_err();
        assert!(refused.message.contains("nothing was restored"), "{name}: {refused}");
        assert_eq!(refused.kind, Kind::Rejected, "{name}: {refused}");
        assert_eq!(bench.databases().await, bench.name, "{name}");
    }
    // One that fails half-way leaves no record of its effect.
    let broken = text.replacen("CREATE VIEW", "SELECT absent; CREATE VIEW", 1);
    let dump = bench.at("broken.sql");
    std::fs::write(&dump, broken).unwrap();
    let refused = live.restore_beside(&dump, "restored_r1", "e", &quiet).await.unwrap_err();
    assert!(refused.message.contains("absent"), "{refused}");
    let beside = live.beside("restored_r1");
    assert!(beside.exists().await.unwrap() && !beside.has_effect("e").await.unwrap());
    live.restore_beside(&good, "restored_r1", "e", &quiet).await.unwrap();
    assert_eq!(tables(beside.as_ref()).await, tables(&live).await);
}

#[tokio::test]
async fn dumps_in_the_formats_of_one_file_and_of_a_folder_are_restored_too() {
    let Some(bench) = filled().await else { return };
    let live = bench.database();
    for (name, format) in [("custom.dump", "-Fc"), ("folder", "-Fd")] {
        let dump = bench.at(name);
        let made = Command::new(bench.cluster.bin.join("pg_dump"))
            .args([format, "-f"])
            .arg(&dump)
            .envs(bench.place().environment(&bench.name))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        live.restore_beside(&dump, "restored_r1", "e", &quiet).await.unwrap();
        let beside = live.beside("restored_r1");
        assert_eq!(tables(beside.as_ref()).await, tables(&live).await);
        assert!(beside.has_effect("e").await.unwrap());
    }
    let dump = bench.at("custom.dump");
    let bytes = std::fs::read(&dump).unwrap();
    std::fs::write(&dump, &bytes[..bytes.len() / 2]).unwrap();
    live.remove_beside("restored_r1").await.unwrap();
    let refused = live.restore_beside(&dump, "restored_r1", "e", &quiet).await.unwrap_err();
    assert!(refused.message.contains("nothing was restored"), "{refused}");
    assert_eq!(bench.databases().await, bench.name);
}

#[tokio::test]
async fn a_disk_that_is_full_in_the_middle_of_a_restore_is_named_and_the_next_try_goes_through() {
    let folder = tempfile::tempdir().unwrap();
    let (at, name) = (folder.path().join("small"), "a_disk_that_is_full_in_the_middle");
    let Some(disk) = SmallDisk::mount(&at, 96, name) else { return };
    let Some(cluster) = Cluster::own().await else { return };
    for open in [folder.path(), &at] {
        std::fs::set_permissions(open, PermissionsExt::from_mode(0o755)).unwrap();
    }
    if let Some((user, group)) = user() {
        chown(&at, Some(user), Some(group)).unwrap();
    }
    let bench = Bench::on(cluster).await;
    let name = bench.name.clone();
    let place = format!("CREATE TABLESPACE small LOCATION '{}'", at.display());
    bench.root("postgres", &place).await;
    bench.root("postgres", &format!("GRANT CREATE ON TABLESPACE small TO user_{name}")).await;
    bench.root("postgres", &format!("ALTER DATABASE {name} SET TABLESPACE small")).await;
    bench.run(&name, "CREATE TABLE much AS SELECT n, repeat(md5(n::text), 60) AS text FROM generate_series(1, 12000) n").await;
    let live = bench.database();
    // As people make them: the folder's tables are filled by several sessions.
    let (plain, many) = (bench.at("plain.sql.gz"), bench.at("folder"));
    live.dump(&plain, &quiet).await.unwrap();
    let made = Command::new(bench.cluster.bin.join("pg_dump"))
        .args(["-Fd".as_ref(), "-f".as_ref(), many.as_os_str()])
        .envs(bench.place().environment(&name))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let before = tables(&live).await;
    disk.fill();
    // Enough for an empty database, not for what comes into it.
    disk.give_back(12 << 20);
    for dump in [&plain, &many] {
        let failed = live.restore_beside(dump, "restored_r1", "e", &quiet).await.unwrap_err();
        for words in ["No space left on device", "make room where the database lies, then retry"] {
            assert!(failed.message.contains(words), "{failed}");
        }
        assert!(!live.beside("restored_r1").has_effect("e").await.unwrap(), "no copy is whole");
        assert_eq!(tables(&live).await, before, "the live one is as it was");
    }
    disk.give_back(u64::MAX);
    live.restore_beside(&plain, "restored_r1", "e", &quiet).await.unwrap();
    assert_eq!(tables(live.beside("restored_r1").as_ref()).await, before);
}

#[tokio::test]
async fn what_only_the_live_one_has_is_counted_and_written() {
    let Some(bench) = filled().await else { return };
    let live = bench.database();
    let dump = bench.at("database.sql.gz");
    live.dump(&dump, &quiet).await.unwrap();
    live.restore_beside(&dump, "copy", "e", &quiet).await.unwrap();
    let none = live.only_here("copy", Some(bench.folder.path())).await.unwrap();
    assert!(none.iter().all(|(_, rows)| *rows == 0), "{none:?}");
    let later = "UPDATE users SET name = 'C' WHERE id = 2; INSERT INTO users (name) VALUES ('D');
        ALTER TABLE users ADD COLUMN extra text; DROP TABLE pairs;
        INSERT INTO side.visits VALUES (1, '2026-02-02');
        CREATE TABLE fresh (a bytea); INSERT INTO fresh VALUES ('\\x00ff'), (NULL), (NULL);";
    bench.run(&bench.name, later).await;
    let found = live.only_here("copy", Some(bench.folder.path())).await.unwrap();
    let of = |table: &str| found.iter().find(|(name, _)| name == table).map(|(_, rows)| *rows);
    assert_eq!((of("users"), of("fresh"), of("pairs")), (Some(2), Some(3), None));
    assert_eq!((of("side.visits"), of("schema_migrations")), (Some(1), Some(0)));
    let read = |table: &str| {
        let mut text = String::new();
        let file = std::fs::File::open(bench.at(&format!("{table}.jsonl.gz"))).unwrap();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    assert_eq!(read("fresh"), ["{\"a\":\"\\\\x00ff\"}", "{\"a\":null}", "{\"a\":null}"]);
    assert!(
        read("users").iter().any(|line| line.contains("\"name\":\"D\"")),
        "{:?}",
        read("users")
    );
    assert!(!bench.at("schema_migrations.jsonl.gz").exists());
    let absent = live.only_here("absent", None).await.unwrap_err();
    assert_eq!(absent.kind, Kind::NotFound);
}

/// Runs a line that is shown to a person, as the person would.
fn shell(line: &str) -> String {
    let ran = Command::new("/bin/bash")
        .args(["-o", "pipefail", "-c", line])
        .env("PGPASSWORD", PASSWORD)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{line}\n{said}");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

#[tokio::test]
async fn the_commands_that_are_shown_do_what_they_say() {
    let Some(bench) = filled().await else { return };
    let live = bench.database();
    let dump = bench.at("database.sql.gz");
    let before = tables(&live).await;
    let by_hand = live.dump_by_hand();
    assert!(!by_hand.contains("geheim"), "{by_hand}");
    shell(&format!("{by_hand} | gzip > {}", dump.display()));
    live.restore_beside(&dump, "copy", "e", &quiet).await.unwrap();
    let harm = "ALTER TABLE users DROP COLUMN preferences; DROP TABLE pairs; \
                DELETE FROM schema_migrations WHERE version = 104; DELETE FROM side.visits";
    bench.run(&bench.name, harm).await;
    for (table, column) in
        [("users", Some("preferences")), ("pairs", None), ("schema_migrations", None)]
    {
        for line in live.copy_back("copy", table, column).await.unwrap() {
            shell(&line);
        }
    }
    shell(&live.copy_command("copy", "side.visits").await);
    let counts = |tables: &[backout::model::tables::TableFacts]| {
        let one = |table: &backout::model::tables::TableFacts| {
            (table.name.clone(), table.rows, table.values.get("preferences").copied())
        };
        tables.iter().map(one).collect::<Vec<_>>()
    };
    assert_eq!(counts(&tables(&live).await), counts(&before));
    for (table, column, why) in
        [("absent", None, "no table absent"), ("users", Some("absent"), "no column users.absent")]
    {
        let refused = live.copy_back("copy", table, column).await.unwrap_err();
        assert!(refused.message.contains(why), "{refused}");
    }
    shell(&live.remove_by_hand("copy"));
    assert_eq!(bench.databases().await, bench.name);
    for line in live.restore_by_hand(&dump, "restored_r1", "_failed_r1") {
        shell(&line);
    }
    assert_eq!(tables(&live).await, before);
    assert!(live.beside("_failed_r1").exists().await.unwrap());
}

#[tokio::test]
async fn what_is_wrong_inside_is_found_and_what_goes_on_is_seen() {
    let Some(bench) = filled().await else { return };
    let live = bench.database();
    assert_eq!(live.problems().await.unwrap(), []);
    bench
        .root(
            &bench.name,
            "SET session_replication_role = replica; \
        INSERT INTO side.visits VALUES (99, '2026-05-05'); RESET session_replication_role; \
        ALTER TABLE users ADD CONSTRAINT old CHECK (id > 100) NOT VALID; \
        UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_name'::regclass",
        )
        .await;
    let found = live.problems().await.unwrap();
    let has = |words: &str| found.iter().any(|line| line.as_str().contains(words));
    assert!(has("index by_name of users is not valid"), "{found:?}");
    assert!(has("old of users was never checked"), "{found:?}");
    assert!(has("1 rows of side.visits name rows that users does not have"), "{found:?}");

    let mut holder = bench.open(&bench.name).await;
    sqlx::raw_sql("BEGIN; LOCK TABLE users").execute(&mut holder).await.unwrap();
    let mut waiter = bench.open(&bench.name).await;
    let waits = tokio::spawn(async move {
        sqlx::raw_sql("SET lock_timeout = '20s'; SELECT count(*) FROM users")
            .execute(&mut waiter)
            .await
            .map(drop)
    });
    let clock = backout::clock::Clock::real();
    let until = std::time::Instant::now() + std::time::Duration::from_mins(2);
    let activity = loop {
        let activity = live.now().await.unwrap();
        if !activity.waits.is_empty() {
            break activity;
        }
        assert!(std::time::Instant::now() < until, "{activity:?}");
        clock.sleep(std::time::Duration::from_millis(50)).await;
    };
    assert!(activity.version.as_str().starts_with(char::is_numeric), "{activity:?}");
    assert_eq!(activity.waits[0].lock.as_str(), "users");
    let oldest = activity.oldest().unwrap().clone();
    assert_eq!(activity.waits[0].holders, [oldest.pid]);
    assert!(oldest.who.as_str().starts_with("web of user_"), "{oldest:?}");
    assert_eq!(activity.sessions.get(&"idle in transaction".into()), Some(&1));
    let text = backout::report::activity::text(&activity);
    assert!(text.contains(" waits for users, held by ") && text.contains("BLOCKED pid "), "{text}");
    assert_eq!((activity.follows, activity.replicas.len(), activity.archiver), (None, 0, None));
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    waits.await.unwrap().unwrap();
}
