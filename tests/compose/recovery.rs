//! A real server is brought back to a moment, on a stack of its own: the rows before it are back,
//! those after it are gone, it takes writes and archives again, and can be brought back once more.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use backout::adapters::Error;
use backout::adapters::database::{Database, Recovery};
use backout::adapters::docker::{DockerHost, DockerTools};
use backout::adapters::postgres::cluster::{ClusterPlace, PostgresCluster};
use backout::adapters::postgres::{ContainerTools, PostgresDatabase, PostgresPlace};
use backout::clock::Clock;
use backout::model::ids::Time;
use backout::model::until::Until;

use super::stack::Stack;

/// A stack that only this test has; it is removed when the test ends.
struct Own(Stack);

impl Own {
    fn start() -> Option<Self> {
        Stack::start("backoutpitr").map(Self)
    }

    fn wal(&self) -> PathBuf {
        std::fs::canonicalize(self.0.dir.join("../backups/wal")).unwrap()
    }

    fn volume(&self, name: &str) -> String {
        format!("{}_pg-data{name}", self.0.project)
    }

    fn cluster(&self) -> PostgresCluster {
        let clock = Clock::real();
        let docker = DockerHost::connect(None, clock.clone()).unwrap();
        let url = format!(
            "postgresql://spacetime:lab-only-password@127.0.0.1:{}/spacetime_db",
            self.0.port + 3
        );
        let place = PostgresPlace::parse(&url).unwrap();
        let tools = DockerTools::new(docker.clone(), &self.0.project, "postgres");
        let tools = Arc::new(ContainerTools::new(tools, place.clone()));
        let plain = PostgresDatabase::new(place.clone(), tools, clock.clone());
        let at = ClusterPlace {
            project: self.0.project.clone(),
            service: "postgres".to_owned(),
            wal_archive: self.wal(),
        };
        PostgresCluster::new(docker, at, (place, plain), clock)
    }

    /// The live server's container, running or not.
    fn container(&self) -> String {
        self.0.container("postgres")
    }

    fn sql(&self, sql: &str) -> String {
        self.0.sql(sql)
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

    fn volumes(&self) -> Vec<String> {
        let all = docker(&["volume", "ls", "-q"]);
        let mine = |name: &&str| name.starts_with(&self.volume("."));
        all.lines().filter(mine).map(str::to_owned).collect()
    }
}

fn docker(arguments: &[&str]) -> String {
    let said = Command::new("docker").args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(said.status.success(), "docker {arguments:?}: {said:?}");
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

async fn recover(
    cluster: &PostgresCluster,
    base: &Path,
    until: &Until,
    run: &str,
) -> Result<String, Error> {
    let (name, effect) = (format!("restored_{run}"), format!("{run}.restore_database.1"));
    let order = Recovery { base, until, name: &name, effect: &effect };
    Ok(cluster.recover_beside(&order, &|_, _| {}).await?.to_string())
}

fn rows_of(tables: &[backout::model::tables::TableFacts]) -> u64 {
    tables.iter().find(|table| table.name == "proof").unwrap().rows
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story: each part stands on the one before")]
async fn a_server_goes_back_to_a_moment_and_goes_on_from_there() {
    let Some(own) = Own::start() else { return };
    let cluster = own.cluster();
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("base.tar.gz");
    let said = cluster.base_backup(&base, &|_, _| {}).await.unwrap().unwrap();
    assert!(said.as_str().contains("files are as the manifest says"), "{said}");

    own.sql("CREATE TABLE proof (id int PRIMARY KEY, word text)");
    own.sql("INSERT INTO proof SELECT n, 'before' FROM generate_series(1, 50) n");
    own.sql("SELECT pg_switch_wal()");
    own.sql("INSERT INTO proof SELECT n, 'before' FROM generate_series(51, 100) n");
    own.sql("SELECT pg_switch_wal()");
    let at = own.moment();
    own.sql("INSERT INTO proof SELECT n, 'after' FROM generate_series(101, 150) n");
    own.sql("UPDATE proof SET word = 'changed' WHERE id = 1");

    // What cannot be reached is refused with both ends, and leaves nothing.
    let window = cluster.window(&base).await.unwrap().unwrap();
    assert!(window.from < at && at < window.until, "{window:?}");
    let from = backout::model::until::stamp(window.from);
    for wrong in [window.from - chrono::Duration::seconds(5), at + chrono::Duration::hours(1)] {
        let why = recover(&cluster, &base, &Until::Time(wrong), "r0").await.unwrap_err().message;
        assert!(why.contains("what can be reached is") && why.contains(&from), "{why}");
    }
    let mut archived: Vec<PathBuf> =
        std::fs::read_dir(own.wal()).unwrap().map(|entry| entry.unwrap().path()).collect();
    archived.retain(|path| path.file_name().unwrap().len() == 24);
    archived.sort();
    let (gap, aside) = (&archived[archived.len() - 2], dir.path().join("aside"));
    std::fs::copy(gap, &aside).unwrap();
    std::fs::remove_file(gap).unwrap();
    let why = recover(&cluster, &base, &Until::Time(at), "r0").await.unwrap_err().message;
    let name = gap.file_name().unwrap().to_str().unwrap();
    assert!(why.contains(&format!("missing after that: {name}")), "{why}");
    let shell =
        format!("cp {} {} && chown 999:999 {}", aside.display(), gap.display(), gap.display());
    assert!(Command::new("sh").args(["-c", &shell]).status().unwrap().success());
    assert_eq!(own.volumes(), Vec::<String>::new());

    // Beside: the rows before the moment are there, those after it are not, and nobody can write.
    let said = recover(&cluster, &base, &Until::Time(at), "r1").await.unwrap();
    assert!(said.contains("replayed up to and with"), "{said}");
    let copy = cluster.beside("restored_r1");
    assert!(copy.exists().await.unwrap());
    assert!(copy.has_effect("r1.restore_database.1").await.unwrap());
    assert!(!copy.has_effect("r1.restore_database.2").await.unwrap());
    assert_eq!(copy.reached().await.unwrap(), Some(at));
    assert_eq!(rows_of(&copy.tables().await.unwrap()), 100);
    assert_eq!(copy.problems().await.unwrap(), []);
    assert_eq!(own.rows(), "150|1", "the live one stays as it is");
    let rows = dir.path().join("rows");
    std::fs::create_dir(&rows).unwrap();
    let only = cluster.only_here("restored_r1", Some(&rows)).await.unwrap();
    assert!(only.contains(&("proof".to_owned(), 51)), "{only:?}");
    assert!(rows.join("proof.jsonl.gz").exists());

    // In its place: writes, archiving, a new timeline; the one before is kept.
    let said = cluster.swap("restored_r1", "_failed_r1").await.unwrap();
    assert!(said.as_str().contains("takes writes on timeline 2"), "{said}");
    assert!(said.as_str().contains("archived again"), "{said}");
    assert_eq!(own.rows(), "100|0");
    assert_eq!(own.sql("SELECT pg_is_in_recovery()"), "f");
    assert_eq!(own.volumes(), [own.volume("._failed_r1")]);
    assert!(cluster.beside("_failed_r1").exists().await.unwrap());
    assert!(!cluster.beside("restored_r1").exists().await.unwrap());
    // Whoever was cut off at the end does it again, and nothing changes.
    cluster.swap("restored_r1", "_failed_r1").await.unwrap();
    assert_eq!(own.rows(), "100|0");

    // Once more, along the new timeline, to a place with a name.
    own.sql("INSERT INTO proof SELECT n, 'second' FROM generate_series(201, 220) n");
    let named = cluster.name_point("before-the-deploy").await.unwrap().unwrap();
    assert!(named.as_str().contains("before-the-deploy"), "{named}");
    let lsn = own.sql("SELECT pg_current_wal_insert_lsn()").parse().unwrap();
    let late = "INSERT INTO proof SELECT n, 'late' FROM generate_series(301, 310) n";
    let xid = own.sql(&format!("BEGIN; {late}; SELECT txid_current(); COMMIT"));
    own.sql("INSERT INTO proof VALUES (311, 'too late')");
    for (until, rows) in [(Until::Lsn(lsn), 120), (Until::Xid(xid.parse().unwrap()), 130)] {
        recover(&cluster, &base, &until, "r2").await.unwrap();
        let tables = cluster.beside("restored_r2").tables().await.unwrap();
        assert_eq!(rows_of(&tables), rows, "{until:?}");
    }
    let until = Until::Name("before-the-deploy".to_owned());
    let said = recover(&cluster, &base, &until, "r2").await.unwrap();
    assert!(said.contains("timeline 2 was followed"), "{said}");
    assert_eq!(rows_of(&cluster.beside("restored_r2").tables().await.unwrap()), 120);
    cluster.remove_beside("restored_r2").await.unwrap();
    assert!(!cluster.beside("restored_r2").exists().await.unwrap());
    let until = Until::Name("nobody-named-this".to_owned());
    let why = recover(&cluster, &base, &until, "r2").await.unwrap_err().message;
    assert!(why.contains("ended before configured recovery target"), "{why}");
    cluster.remove_beside("restored_r2").await.unwrap();
    assert_eq!(own.volumes(), [own.volume("._failed_r1")]);

    // The server is killed: what only its own logs hold is not lost.
    own.sql("INSERT INTO proof SELECT n, 'last' FROM generate_series(401, 440) n");
    docker(&["kill", &own.container()]);
    assert!(!cluster.beside("restored_r3").exists().await.unwrap());
    assert!(cluster.identity().await.unwrap().starts_with("postgres:"));
    recover(&cluster, &base, &Until::Latest, "r3").await.unwrap();
    assert_eq!(rows_of(&cluster.beside("restored_r3").tables().await.unwrap()), 171);
    // Cut off between the two moves: the next attempt finds the live folder moved away already.
    let kept = own.volume("._failed_r3");
    docker(&["volume", "create", "--label", "backout.beside=_failed_r3", &kept]);
    let folder = |name: &str| docker(&["volume", "inspect", "-f", "{{.Mountpoint}}", name]);
    std::fs::remove_dir(folder(&kept)).unwrap();
    std::fs::rename(folder(&own.volume("")), folder(&kept)).unwrap();
    assert!(cluster.beside("_failed_r3").exists().await.unwrap());
    let said = cluster.swap("restored_r3", "_failed_r3").await.unwrap();
    assert!(said.as_str().contains("takes writes on timeline 3"), "{said}");
    assert_eq!(own.rows(), "171|0", "no row is lost");

    // And back: the server before is the live one again.
    cluster.swap("_failed_r3", "_left_r3").await.unwrap();
    assert_eq!(own.rows(), "171|0");
    assert_eq!(own.volumes(), [own.volume("._failed_r1"), own.volume("._left_r3")]);
    for volume in own.volumes() {
        docker(&["volume", "rm", &volume]);
    }
}
