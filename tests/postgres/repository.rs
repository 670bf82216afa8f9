//! A real server of this host and a real repository of pgBackRest: brought back to a moment, to a
//! name, a place in the log and a transaction, beside the live one; what cannot be is said.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use backout::adapters::database::{Database, REPOSITORY, Recovery};
use backout::adapters::postgres::cluster::{HostPlace, PostgresCluster};
use backout::adapters::postgres::tools::HostTools;
use backout::adapters::postgres::{PostgresDatabase, PostgresPlace};
use backout::adapters::{Error, Kind};
use backout::clock::Clock;
use backout::model::ids::Time;
use backout::model::tables::TableFacts;
use backout::model::until::{Until, stamp};

use super::cluster::{command, programs, user};
use crate::tools::tool;

/// A server with a repository, in a folder of its own; ended when dropped.
struct Site {
    bin: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
}

impl Site {
    /// Nothing, and said, where there is no server or no pgBackRest to be had.
    fn start() -> Option<Self> {
        let bin = programs()?;
        tool("pgbackrest", "pgbackrest")?;
        // Every file is synced: in memory that takes no time.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let site = Self { bin, folder, port };
        for name in ["data", "repo", "log", "lock"] {
            std::fs::create_dir(site.at(name)).unwrap();
        }
        for name in ["", "data", "repo", "log", "lock"] {
            Self::give(&site.at(name));
        }
        site.tool(
            "initdb",
            &["--no-sync", "-A", "trust", "-U", "postgres", "-D", &site.shown("data")],
        );
        let (at, config) = (site.shown(""), site.shown("pgbackrest.conf"));
        let at = at.trim_end_matches('/');
        let text = format!(
            "[global]\nrepo1-path={at}/repo\nlog-path={at}/log\nlock-path={at}/lock\nstart-fast=y\n\
             repo1-retention-full=9\ncompress-type=none\n[main]\npg1-path={at}/data\n\
             pg1-port={port}\npg1-socket-path={at}\npg1-user=postgres\n"
        );
        std::fs::write(&config, text).unwrap();
        let settings = format!(
            "port={port}\nunix_socket_directories='{at}'\nlisten_addresses='127.0.0.1'\n\
             archive_mode=on\nfsync=off\nshared_buffers=16MB\n\
             archive_command='pgbackrest --config={config} --stanza=main archive-push %p'\n"
        );
        let path = site.at("data/postgresql.conf");
        let own = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, own + &settings).unwrap();
        let [program, rest @ ..] = &site.live("start")[..] else { panic!() };
        site.tool(program, &rest.iter().map(String::as_str).collect::<Vec<_>>());
        Some(site)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn shown(&self, name: &str) -> String {
        self.at(name).display().to_string()
    }

    fn give(path: &Path) {
        if let Some((user, group)) = user() {
            chown(path, Some(user), Some(group)).unwrap();
        }
    }

    fn tool(&self, program: &str, arguments: &[&str]) -> String {
        let own = self.bin.join(program);
        let path = if own.is_file() { own } else { program.into() };
        let said = command(&path).args(arguments).output().unwrap();
        assert!(said.status.success(), "{program} {arguments:?}: {said:?}");
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    }

    fn live(&self, verb: &str) -> Vec<String> {
        let program = self.bin.join("pg_ctl").display().to_string();
        let (data, log) = (self.shown("data"), self.shown("live.log"));
        let words: [&str; 8] = [&program, verb, "-w", "-D", &data, "-l", &log, "-s"];
        let more: &[&str] = if verb == "stop" { &["-m", "fast"] } else { &[] };
        words.iter().chain(more).map(|word| (*word).to_owned()).collect()
    }

    fn sql(&self, sql: &str) -> String {
        let (at, port) = (self.shown(""), self.port.to_string());
        self.tool(
            "psql",
            &[
                "-X",
                "-qAt",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                &at,
                "-p",
                &port,
                "-U",
                "postgres",
                "-c",
                sql,
            ],
        )
    }

    fn backrest(&self, arguments: &[&str]) -> String {
        let config = format!("--config={}", self.shown("pgbackrest.conf"));
        let mut all = vec![config.as_str(), "--stanza=main", "--log-level-console=off"];
        all.extend(arguments);
        self.tool("/usr/bin/pgbackrest", &all)
    }

    fn cluster(&self) -> PostgresCluster {
        let clock = Clock::real();
        let url = format!("postgres://postgres@127.0.0.1:{}/postgres", self.port);
        let place = PostgresPlace::parse(&url).unwrap();
        let tools = HostTools::in_folder(place.clone(), &self.bin, clock.clone());
        let plain = PostgresDatabase::new(place.clone(), Arc::new(tools), clock.clone());
        let host = HostPlace {
            stanza: "main".to_owned(),
            config: Some(self.at("pgbackrest.conf")),
            data: self.at("data"),
            stop: self.live("stop"),
            start: self.live("start"),
        };
        PostgresCluster::on_host(host, (place, plain), clock)
    }

    /// Now, as the server has it, with a little quiet before and after.
    fn moment(&self) -> Time {
        std::thread::sleep(Duration::from_millis(300));
        let format = "YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"";
        let at =
            self.sql(&format!("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', '{format}')"));
        std::thread::sleep(Duration::from_millis(300));
        at.parse().unwrap()
    }

    fn rows(&self) -> String {
        self.sql("SELECT count(*), count(*) FILTER (WHERE word = 'changed') FROM proof")
    }

    /// The newest whole log in the repository but `before`.
    fn archived(&self, before: usize) -> PathBuf {
        let folder = self.at("repo/archive/main");
        let folder = std::fs::read_dir(folder).unwrap().flatten().find(|one| one.path().is_dir());
        let lines = std::fs::read_dir(folder.unwrap().path()).unwrap().flatten();
        let folders = lines.map(|line| line.path()).filter(|line| line.is_dir());
        let files = folders.flat_map(|line| std::fs::read_dir(line).unwrap().flatten());
        let mut all: Vec<PathBuf> = files.map(|file| file.path()).collect();
        all.retain(|path| path.file_name().unwrap().to_str().unwrap().find('-') == Some(24));
        all.sort();
        all.remove(all.len() - 1 - before)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for entry in std::fs::read_dir(self.folder.path()).into_iter().flatten().flatten() {
            if entry.path().join("postmaster.pid").exists() {
                let program = self.bin.join("pg_ctl");
                let path = entry.path();
                command(&program).args(["stop", "-m", "immediate", "-D"]).arg(path).output().ok();
            }
        }
    }
}

async fn recover(
    cluster: &PostgresCluster,
    point: &Path,
    until: &Until,
    run: &str,
) -> Result<String, Error> {
    let (name, effect) = (format!("restored_{run}"), format!("{run}.restore_database.1"));
    let order = Recovery { base: point, until, name: &name, effect: &effect };
    Ok(cluster.recover_beside(&order, &|_, _| {}).await?.to_string())
}

fn rows_of(tables: &[TableFacts]) -> u64 {
    tables.iter().find(|table| table.name == "proof").unwrap().rows
}

#[tokio::test]
async fn what_keeps_a_repository_from_being_used_is_named() {
    let Some(site) = Site::start() else { return };
    let (cluster, point) = (site.cluster(), site.at(REPOSITORY));
    let nothing = |_: u64, _: u64| {};
    let error = cluster.base_backup(&point, &nothing).await.unwrap_err();
    assert!(error.message.contains("could not take a backup with pgBackRest"), "{error}");
    let named = "{\"stanza\":\"main\",\"backup\":\"20261122-185350F\"}";
    std::fs::write(&point, named).unwrap();
    let error = cluster.window(&point).await.unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
    assert!(error.message.contains("pgbackrest stanza-create makes it"), "{error}");
    site.backrest(&["stanza-create"]);
    let error = cluster.window(&point).await.unwrap_err();
    assert!(error.message.contains("it holds no backup"), "{error}");
    let lock = site.at("lock/main-backup.lock");
    let held = std::fs::File::options().create(true).append(true).open(&lock).unwrap();
    Site::give(&lock);
    rustix::fs::flock(&held, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    std::fs::remove_file(&point).unwrap();
    let error = cluster.base_backup(&point, &nothing).await.unwrap_err();
    assert_eq!(error.kind, Kind::Held);
    assert!(error.message.contains("holds the stanza's lock") && !point.exists(), "{error}");
    drop(held);
    cluster.base_backup(&point, &nothing).await.unwrap();
    let other = site.at("other.json");
    std::fs::write(&other, named).unwrap();
    let error = cluster.window(&other).await.unwrap_err();
    assert!(error.message.contains("20261122-185350F is no longer in it"), "{error}");
    for name in ["backup.info", "backup.info.copy"] {
        let path = site.at("repo/backup/main").join(name);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
    }
    let error = cluster.window(&point).await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    assert!(error.message.contains("its repository cannot be read"), "{error}");
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story: each part stands on the one before")]
async fn a_server_of_this_host_goes_back_from_its_repository_and_goes_on_from_there() {
    let Some(site) = Site::start() else { return };
    site.backrest(&["stanza-create"]);
    let (cluster, point) = (site.cluster(), site.at(REPOSITORY));
    let said = cluster.base_backup(&point, &|_, _| {}).await.unwrap().unwrap();
    assert!(said.as_str().contains("has verified it"), "{said}");
    site.sql("CREATE TABLE proof (id int PRIMARY KEY, word text)");
    site.sql("INSERT INTO proof SELECT n, 'before' FROM generate_series(1, 50) n");
    site.sql("SELECT pg_switch_wal()");
    site.sql("INSERT INTO proof SELECT n, 'before' FROM generate_series(51, 100) n");
    let at = site.moment();
    site.sql("INSERT INTO proof SELECT n, 'after' FROM generate_series(101, 150) n");
    site.sql("UPDATE proof SET word = 'changed' WHERE id = 1");

    // What cannot be reached is refused with both ends, and leaves nothing.
    let window = cluster.window(&point).await.unwrap().unwrap();
    assert!(window.from < at && at < window.until && window.grows, "{window:?}");
    for wrong in [window.from - chrono::Duration::seconds(5), at + chrono::Duration::hours(1)] {
        let why = recover(&cluster, &point, &Until::Time(wrong), "r0").await.unwrap_err().message;
        assert!(
            why.contains("what can be reached is") && why.contains(&stamp(window.from)),
            "{why}"
        );
    }
    let (gap, aside) = (site.archived(1), site.at("aside"));
    std::fs::rename(&gap, &aside).unwrap();
    let why = recover(&cluster, &point, &Until::Time(at), "r0").await.unwrap_err().message;
    let name = &gap.file_name().unwrap().to_str().unwrap()[..24];
    assert!(why.contains(&format!("missing after that: {name}")) || why.contains(name), "{why}");
    std::fs::rename(&aside, &gap).unwrap();
    assert!(!site.at("data.restored_r0").exists());

    // Beside: the rows before the moment are there, those after it are not, and nobody can write.
    let said = recover(&cluster, &point, &Until::Time(at), "r1").await.unwrap();
    assert!(said.contains("replayed up to and with") && said.contains("backup 20"), "{said}");
    let copy = cluster.beside("restored_r1");
    assert!(copy.exists().await.unwrap());
    assert!(copy.has_effect("r1.restore_database.1").await.unwrap());
    assert_eq!(copy.reached().await.unwrap(), Some(at));
    assert_eq!(rows_of(&copy.tables().await.unwrap()), 100);
    assert_eq!(site.rows(), "150|1", "the live one stays as it is");
    let rows = site.at("rows");
    std::fs::create_dir(&rows).unwrap();
    let only = cluster.only_here("restored_r1", Some(&rows)).await.unwrap();
    assert!(only.contains(&("proof".to_owned(), 51)), "{only:?}");

    // In its place: writes, archiving, a new timeline; the one before is kept.
    let said = cluster.swap("restored_r1", "_failed_r1").await.unwrap();
    assert!(said.as_str().contains("takes writes on timeline 2"), "{said}");
    assert!(said.as_str().contains("archived again"), "{said}");
    assert_eq!(
        (site.rows(), site.sql("SHOW transaction_read_only")),
        ("100|0".into(), "off".into())
    );
    assert_eq!(site.sql("SELECT pg_is_in_recovery()"), "f");
    assert!(site.at("data._failed_r1/PG_VERSION").exists());
    assert!(!cluster.beside("restored_r1").exists().await.unwrap());
    cluster.swap("restored_r1", "_failed_r1").await.unwrap();
    assert_eq!(site.rows(), "100|0", "whoever was cut off at the end does it again");

    // Once more, along the new timeline.
    site.sql("INSERT INTO proof SELECT n, 'second' FROM generate_series(201, 220) n");
    cluster.name_point("before-the-deploy").await.unwrap().unwrap();
    let lsn = site.sql("SELECT pg_current_wal_insert_lsn()").parse().unwrap();
    let late = "INSERT INTO proof SELECT n, 'late' FROM generate_series(301, 310) n";
    let xid = site.sql(&format!("BEGIN; {late}; SELECT txid_current(); COMMIT"));
    site.sql("INSERT INTO proof VALUES (311, 'too late')");
    let name = |name: &str| Until::Name(name.to_owned());
    for (until, rows) in [
        (Until::Lsn(lsn), 120),
        (Until::Xid(xid.parse().unwrap()), 130),
        (name("before-the-deploy"), 120),
    ] {
        let said = recover(&cluster, &point, &until, "r2").await.unwrap();
        assert!(said.contains("timeline 2 was followed"), "{said}");
        let tables = cluster.beside("restored_r2").tables().await.unwrap();
        assert_eq!(rows_of(&tables), rows, "{until:?}");
    }
    let why =
        recover(&cluster, &point, &name("nobody-named-this"), "r2").await.unwrap_err().message;
    assert!(why.contains("ended before configured recovery target"), "{why}");
    cluster.remove_beside("restored_r2").await.unwrap();
    assert!(!site.at("data.restored_r2").exists());

    // The server is killed: what only its own logs hold is not lost.
    site.sql("INSERT INTO proof SELECT n, 'last' FROM generate_series(401, 440) n");
    site.tool("pg_ctl", &["stop", "-m", "immediate", "-D", &site.shown("data")]);
    assert!(cluster.identity().await.unwrap().starts_with("postgres:"));
    recover(&cluster, &point, &Until::Latest, "r3").await.unwrap();
    let said = cluster.swap("restored_r3", "_failed_r3").await.unwrap();
    assert!(said.as_str().contains("takes writes on timeline 3"), "{said}");
    assert_eq!(site.rows(), "171|0", "no row is lost");
}
