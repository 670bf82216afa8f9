//! The keys of a real Redis in a container of this test's own: dumped, restored beside, swapped and
//! swapped back, with and without appends (W-52, M-13).

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use backout::adapters::cache::Cache;
use backout::adapters::docker::DockerHost;
use backout::adapters::fake::Fake;
use backout::adapters::process::Program;
use backout::adapters::redis::{RedisService, RedisStore, Server};
use backout::clock::Clock;
use backout::model::entry::Standing;
use backout::model::ids::Digest;
use backout::model::keys::{KeyFacts, Keys};
use backout::steps::{LookCx, Progress, StepCx, StepKind, Told, hash};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::tools::{free_port, required};

const IMAGE: &str = "redis:7";

/// A Redis in a container, with a volume of its own; all of it is removed when this is dropped.
struct Keeper {
    project: String,
    name: String,
    port: u16,
    store: Arc<RedisStore>,
    dir: tempfile::TempDir,
}

fn docker(arguments: &[&str]) -> String {
    let said = Command::new("docker").args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(said.status.success(), "{arguments:?}: {said:?}");
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

#[expect(clippy::print_stdout, reason = "a test that did not run has to say so")]
fn there() -> bool {
    let found = Command::new("docker").args(["image", "inspect", IMAGE]).output();
    let there = found.is_ok_and(|said| said.status.success());
    assert!(there || !required("docker"), "docker is required, and there is no image {IMAGE}");
    if !there {
        println!("SKIPPED: no docker (no image {IMAGE})");
    }
    there
}

impl Keeper {
    fn start(word: &str, arguments: &[&str]) -> Option<Self> {
        if !there() {
            return None;
        }
        let project = format!("backoutkeys{}{word}", std::process::id());
        let name = format!("{project}-redis-1");
        let port = free_port();
        let label = |key: &str, value: &str| format!("com.docker.compose.{key}={value}");
        let (one, two) = (label("project", &project), label("service", "redis"));
        let (volume, publish) = (format!("{project}_data:/data"), format!("127.0.0.1:{port}:6379"));
        let run = ["run", "-d", "--name", &name, "-l", &one, "-l", &two, "-v", &volume, "-p"];
        let server =
            [&publish, IMAGE, "redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"];
        docker(&[&run[..], &server[..], arguments].concat());
        let at = RedisService {
            docker: DockerHost::connect(None, Clock::real()).unwrap(),
            project: project.clone(),
            service: "redis".to_owned(),
        };
        let server = Server {
            host: "127.0.0.1".to_owned(),
            port,
            trust: None,
            user: None,
            password: None,
            database: 0,
        };
        let store = Arc::new(RedisStore::new(server, Some(at), Clock::real()));
        let dir = tempfile::tempdir().unwrap();
        Some(Self { project, name, port, store, dir })
    }

    fn cli(&self, words: &[&str]) -> String {
        docker(&[&["exec", &self.name, "redis-cli"], words].concat())
    }

    async fn answers(&self) {
        for _ in 0..600 {
            if self.store.keys().await.is_ok() {
                return;
            }
            Clock::real().sleep(Duration::from_millis(100)).await;
        }
        panic!("redis at {} does not answer", self.port);
    }

    fn cx(&self, step: &str) -> StepCx {
        let fake = Fake::new(self.dir.path().join("fake-ledger"), Clock::real());
        let at = |name: &str| self.dir.path().join(name);
        let cx = LookCx {
            workload: fake.clone(),
            traffic: fake,
            clock: Clock::real(),
            effect: format!("142-k7qd-1.{step}.1"),
            slot: at(&format!("{step}.1")),
            addresses: [].into(),
            public_url: String::new(),
            program: Program::at(env!("CARGO_BIN_EXE_backout")),
            logs: Vec::new(),
            redactor: Arc::default(),
            evidence: at("evidence"),
            evidence_remote: None,
            cluster: None,
            front: None,
            vault: None,
            database: None,
            cache: Some(self.store.clone()),
            points: Some(at("points")),
            saved: backout::evidence::Saved::default(),
            since: None,
        };
        StepCx {
            look: cx,
            run: "142-k7qd-1".into(),
            step: step.into(),
            progress: Progress(watch::channel(Told::default()).0),
            cancel: watch::channel(false).1,
            fence: None,
        }
    }

    /// Carries a step out; where it stood before and stands after, and what it said.
    async fn run(&self, step: &str, action: Value) -> (Standing, Result<String, String>, Standing) {
        let kind = StepKind::from_action(&action).unwrap();
        let cx = self.cx(step);
        let before = kind.as_step().standing(&cx.look).await;
        let ran = kind.as_step().run(&cx).await;
        let after = kind.as_step().standing(&cx.look).await;
        (before, ran.map(|note| note.to_string()).map_err(|error| error.message), after)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let quiet = |arguments: &[&str]| Command::new("docker").args(arguments).output();
        let of = |kind: &[&str], what: &str| -> Vec<String> {
            let filter = format!("{what}={}", self.project);
            let said = quiet(&[kind, &["-q", "--filter", &filter]].concat())
                .map(|said| said.stdout)
                .unwrap_or_default();
            String::from_utf8_lossy(&said).split_whitespace().map(str::to_owned).collect()
        };
        for id in of(&["ps", "-a"], "name") {
            quiet(&["rm", "-f", &id]).ok();
        }
        for volume in of(&["volume", "ls"], "name") {
            quiet(&["volume", "rm", &volume]).ok();
        }
    }
}

/// The dump of a point with what its manifest would say.
async fn point(keeper: &Keeper) -> (Keys, Digest) {
    let folder = keeper.dir.path().join("points/20261122-010203");
    std::fs::create_dir_all(&folder).unwrap();
    let dump = folder.join("dump.rdb");
    let keys = keeper.store.dump(&dump, &|_, _| {}).await.unwrap();
    (keys, hash(&dump).unwrap())
}

fn restore(keys: &Keys, sha256: &Digest) -> Value {
    json!({"restore_cache": {"point": "20261122-010203", "sha256": sha256, "keys": keys}})
}

/// Goes to the point and back again; what is set before it is there then, what is set later is not.
async fn there_and_back(keeper: &Keeper) {
    keeper.answers().await;
    let appends = keeper.cli(&["CONFIG", "GET", "appendonly"]);
    keeper.cli(&["SET", "before", "1"]);
    keeper.cli(&["-n", "3", "RPUSH", "jobs", "a", "b"]);
    keeper.cli(&["SET", "short", "1", "EX", "3600"]);
    let many: Vec<String> = (0..500).flat_map(|n| [format!("k{n}"), n.to_string()]).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    keeper.cli(&[&["MSET"], &many[..]].concat());
    let (keys, sha) = point(keeper).await;
    let facts = |database, keys, expiring| KeyFacts { database, keys, expiring };
    assert_eq!(keys, Keys::exactly(&[facts(0, 502, 1), facts(3, 1, 0)]));
    keeper.cli(&["SET", "later", "1"]);
    keeper.cli(&["DEL", "before"]);

    let (before, ran, after) = keeper.run("restore_cache", restore(&keys, &sha)).await;
    assert_eq!((before, after), (Standing::NotDone, Standing::Done), "{ran:?}");
    let note = ran.unwrap();
    assert!(note.starts_with("503 keys in 2 databases, 1 of them expire beside"), "{note}");
    assert_eq!(keeper.cli(&["EXISTS", "later"]), "1", "the live one stays up");

    let (before, ran, after) = keeper.run("swap_cache", json!({"swap_cache": {}})).await;
    assert_eq!((before, after), (Standing::NotDone, Standing::Done), "{ran:?}");
    assert!(ran.as_ref().unwrap().contains("holds 503 keys"), "{ran:?}");
    let seen = |name: &str| keeper.cli(&["EXISTS", name]);
    assert_eq!((seen("before"), seen("later")), ("1".into(), "0".into()));
    assert_eq!(keeper.cli(&["-n", "3", "LRANGE", "jobs", "0", "-1"]), "a\nb");
    assert_eq!(keeper.cli(&["CONFIG", "GET", "appendonly"]), appends);
    // What is written now survives the next start, and so does what was restored.
    keeper.cli(&["SET", "since", "1"]);
    docker(&["restart", &keeper.name]);
    keeper.answers().await;
    assert_eq!(
        (seen("before"), seen("since"), seen("later")),
        ("1".into(), "1".into(), "0".into())
    );

    let back = json!({"swap_cache": {"undo": true}});
    let (before, ran, after) = keeper.run("undo_swap_cache", back).await;
    assert_eq!((before, after), (Standing::NotDone, Standing::Done), "{ran:?}");
    assert_eq!(
        (seen("before"), seen("since"), seen("later")),
        ("0".into(), "0".into(), "1".into())
    );
    // And once more: the undo is undone, with what was written since.
    let (_, ran, after) = keeper.run("swap_cache", json!({"swap_cache": {}})).await;
    assert_eq!(after, Standing::Done, "{ran:?}");
    assert_eq!(
        (seen("before"), seen("since"), seen("later")),
        ("1".into(), "1".into(), "0".into())
    );
    let left = docker(&["volume", "ls", "-q", "--filter", &format!("name={}", keeper.project)]);
    assert_eq!(left.lines().count(), 2, "the live one and the one before: {left}");
    let up = docker(&["ps", "-q", "--filter", &format!("name={}", keeper.project)]);
    assert_eq!(up.lines().count(), 1, "no copy runs on");
}

#[tokio::test]
async fn keys_go_back_where_no_appends_are_kept() {
    let Some(keeper) = Keeper::start("plain", &["--appendonly", "no"]) else { return };
    there_and_back(&keeper).await;
}

#[tokio::test]
async fn keys_go_back_where_appends_are_kept_which_a_dump_alone_would_not_change() {
    let Some(keeper) = Keeper::start("append", &["--appendonly", "yes"]) else { return };
    there_and_back(&keeper).await;
    let files = docker(&["exec", &keeper.name, "ls", "/data"]);
    assert!(files.contains("appendonlydir"), "{files}");
}

#[tokio::test]
async fn a_dump_that_is_damaged_or_holds_other_keys_never_takes_the_place_of_the_live_one() {
    let Some(keeper) = Keeper::start("bad", &["--appendonly", "yes"]) else { return };
    keeper.answers().await;
    keeper.cli(&["MSET", "a", "1", "b", "2"]);
    let (keys, sha) = point(&keeper).await;
    // Half a dump, with the digest of half a dump: the manifest alone would not tell.
    let dump = keeper.dir.path().join("points/20261122-010203/dump.rdb");
    let whole = std::fs::read(&dump).unwrap();
    for damaged in [&whole[..whole.len() / 2], &flipped(&whole)] {
        std::fs::write(&dump, damaged).unwrap();
        let (_, ran, after) =
            keeper.run("restore_cache", restore(&keys, &hash(&dump).unwrap())).await;
        assert!(ran.as_ref().unwrap_err().contains("could not use"), "{ran:?}");
        assert_eq!(after, Standing::NotDone, "nothing was begun");
    }
    std::fs::write(&dump, &whole).unwrap();
    let more = Keys::exactly(&[KeyFacts { database: 0, keys: 3, expiring: 0 }]);
    let (_, ran, _) = keeper.run("restore_cache", restore(&more, &sha)).await;
    assert!(
        ran.as_ref().unwrap_err().contains("holds 2 keys that do not expire, not 3"),
        "{ran:?}"
    );
    let remove = json!({"remove_copy": {"cache": true}});
    let (before, ran, after) = keeper.run("undo_restore_cache", remove).await;
    assert_eq!((before, after), (Standing::NotDone, Standing::Done), "{ran:?}");
    assert_eq!(keeper.cli(&["MGET", "a", "b"]), "1\n2");
    let left = docker(&["volume", "ls", "-q", "--filter", &format!("name={}", keeper.project)]);
    assert_eq!(left.lines().count(), 1, "only the live one: {left}");
}

fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes
}

#[tokio::test]
async fn one_that_is_down_is_brought_back_all_the_same() {
    let Some(keeper) = Keeper::start("down", &["--appendonly", "yes"]) else { return };
    keeper.answers().await;
    keeper.cli(&["MSET", "a", "1", "b", "2"]);
    let (keys, sha) = point(&keeper).await;
    docker(&["kill", &keeper.name]);
    let files = docker(&[
        "volume",
        "inspect",
        "-f",
        "{{.Mountpoint}}",
        &format!("{}_data", keeper.project),
    ]);
    let appends = Path::new(&files).join("appendonlydir");
    for file in std::fs::read_dir(&appends).unwrap().flatten() {
        std::fs::write(file.path(), "no appends at all").unwrap();
    }
    let (_, ran, after) = keeper.run("restore_cache", restore(&keys, &sha)).await;
    assert_eq!(after, Standing::Done, "{ran:?}");
    assert!(ran.as_ref().unwrap().contains("the live one cannot be counted"), "{ran:?}");
    let (_, ran, after) = keeper.run("swap_cache", json!({"swap_cache": {}})).await;
    assert_eq!(after, Standing::Done, "{ran:?}");
    assert_eq!(keeper.cli(&["MGET", "a", "b"]), "1\n2");
    assert_eq!(keeper.cli(&["CONFIG", "GET", "appendonly"]), "appendonly\nyes");
}
