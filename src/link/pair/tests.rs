//! The program is `/bin/sh`: `sh __keep …` runs the file of that name in the state folder, which
//! becomes this very test program with `as_an_engine`.

use std::time::Instant;

use rustix::process::{Signal, kill_process};

use super::*;
use crate::link::client::Client;
use crate::link::message::{ClientKind, Hello};
use crate::link::server::{Head, Server, Share};

struct Stage {
    dir: tempfile::TempDir,
    pair: Pair,
}

impl Stage {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pair = Pair {
            program: Program::at("/bin/sh"),
            config: "/etc/backout.yaml".into(),
            state: dir.path().join("env/state"),
            socket: dir.path().join("run/e.sock"),
            linger: Linger::Console,
        };
        Self { dir, pair }
    }

    fn with(script: &str) -> Self {
        let stage = Self::new();
        std::fs::create_dir_all(&stage.pair.state).unwrap();
        std::fs::write(stage.pair.state.join("__keep"), script).unwrap();
        stage
    }

    /// A pair that really answers.
    fn answering() -> Self {
        let exe = std::env::current_exe().unwrap();
        Self::with(&format!(
            "echo $$ >>starts\nexec '{}' --exact link::pair::tests::as_an_engine --ignored\n",
            exe.display()
        ))
    }

    fn starts(&self) -> Vec<u32> {
        let text = std::fs::read_to_string(self.pair.state.join("starts")).unwrap();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }
}

async fn soon<F: Future>(work: F) -> F::Output {
    let limit = Duration::from_secs(20);
    Clock::real().timeout(limit, work).await.expect("within 20 s")
}

/// Takes the lease and listens until it is killed, at most 30 s; ends with 12 when it is held.
#[test]
#[ignore = "it is the process that other tests start"]
#[expect(clippy::exit, reason = "a test's own failure has another exit code")]
fn as_an_engine() {
    let state = std::env::current_dir().unwrap();
    if !state.join("__keep").exists() {
        return;
    }
    let lease = std::fs::File::create("engine.lock").unwrap();
    let exclusive = rustix::fs::FlockOperation::NonBlockingLockExclusive;
    if rustix::fs::flock(&lease, exclusive).is_err() {
        std::process::exit(i32::from(HELD));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(async {
        let socket = state.join("../../run/e.sock");
        let head = Head { epoch: 1, seq: 1 };
        let (_server, mut events) =
            Server::bind(&socket, Share::Alone, head, Clock::real()).unwrap();
        let serving = async { while events.recv().await.is_some() {} };
        Clock::real().timeout(Duration::from_secs(30), serving).await.ok();
    });
}

async fn engine_pid(pair: &Pair) -> u32 {
    let hello = Hello::new(ClientKind::Observer, "sam", None);
    let attached = Client::connect(&pair.socket, hello, &Clock::real()).await;
    attached.unwrap().1.pid
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    waitpid(Some(pid), WaitOptions::empty()).ok();
}

#[tokio::test]
async fn an_engine_that_answers_is_left_alone() {
    let stage = Stage::new();
    let head = Head { epoch: 1, seq: 1 };
    let bound = Server::bind(&stage.pair.socket, Share::Alone, head, Clock::real());
    ensure(&stage.pair, &Clock::real()).await.unwrap();
    assert!(!stage.pair.state.exists(), "nothing was started");
    drop((bound, stage.dir));
}

#[tokio::test]
async fn a_pair_is_started_when_none_answers_and_after_it_was_killed_another() {
    let stage = Stage::answering();
    for starts in 1..=2 {
        soon(ensure(&stage.pair, &Clock::real())).await.unwrap();
        let pid = engine_pid(&stage.pair).await;
        assert_eq!(stage.starts().len(), starts);
        assert_eq!(stage.starts().last(), Some(&pid));
        kill(pid);
        assert!(stage.pair.socket.exists(), "a killed engine leaves its socket");
    }
}

/// Our children that work in this folder.
fn children_in(state: &Path) -> Vec<u32> {
    let us = std::process::id().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split(' ').nth(2));
        let cwd = std::fs::read_link(format!("/proc/{pid}/cwd"));
        parent == Some(&us) && cwd.is_ok_and(|cwd| cwd == state)
    })
    .collect()
}

#[tokio::test]
async fn clients_that_start_at_once_all_meet_at_one_engine() {
    let mut started = 0;
    for _ in 0..3 {
        let stage = Stage::answering();
        let clock = Clock::real();
        let all = soon(async {
            tokio::join!(
                ensure(&stage.pair, &clock),
                ensure(&stage.pair, &clock),
                ensure(&stage.pair, &clock)
            )
        })
        .await;
        all.0.unwrap();
        all.1.unwrap();
        all.2.unwrap();
        let pid = engine_pid(&stage.pair).await;
        // The losers end by themselves, and the winner still answers.
        soon(async {
            while children_in(&stage.pair.state) != [pid] {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(engine_pid(&stage.pair).await, pid);
        started += stage.starts().len();
        kill(pid);
    }
    assert!(started > 3, "no two ever raced");
}

#[tokio::test]
async fn a_pair_that_ends_early_is_reported_at_once_with_its_last_words_and_its_log() {
    let stage = Stage::with("echo 'backout.yaml:3:1: unknown key \"chekcs\"' >&2; exit 78");
    std::fs::write(stage.pair.state.join("engine.log"), "old words\n").unwrap();
    let began = Instant::now();
    let error = soon(ensure(&stage.pair, &Clock::real())).await.unwrap_err();
    assert!(began.elapsed() < START_LIMIT);
    let log = stage.pair.state.join("engine.log");
    assert_eq!(
        error.to_string(),
        format!(
            "could not start the engine: it ended early with exit code 78; its last words: \
             backout.yaml:3:1: unknown key \"chekcs\"; its log is {}",
            log.display()
        )
    );
}

#[tokio::test]
async fn a_pair_that_never_answers_is_waited_for_5_seconds() {
    let stage = Stage::with("exit 12");
    let clock = Clock::manual(chrono::DateTime::UNIX_EPOCH);
    let turning = async {
        loop {
            clock.advance(Duration::from_millis(10));
            tokio::task::yield_now().await;
        }
    };
    let error = soon(async {
        tokio::select! {
            ensured = ensure(&stage.pair, &clock) => ensured.unwrap_err(),
            () = turning => unreachable!(),
        }
    })
    .await;
    assert!(error.to_string().contains("nothing answers at"), "{error}");
    assert!((clock.now() - chrono::DateTime::UNIX_EPOCH).num_seconds() >= 5);
}

#[tokio::test]
async fn the_state_folder_is_made_for_us_alone() {
    use std::os::unix::fs::MetadataExt as _;
    let stage = Stage::new();
    // Without a `__keep` to run, the shell ends at once.
    soon(ensure(&stage.pair, &Clock::real())).await.unwrap_err();
    assert_eq!(stage.pair.state.metadata().unwrap().mode() & 0o777, 0o700);
}

#[test]
fn a_long_log_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("engine.log");
    assert_eq!(set_aside(&log), 0);
    std::fs::write(&log, "short").unwrap();
    assert_eq!(set_aside(&log), 5);
    let long = vec![b'x'; usize::try_from(LOG_LIMIT).unwrap() + 1];
    std::fs::write(&log, &long).unwrap();
    assert_eq!(set_aside(&log), 0);
    assert!(!log.exists());
    assert_eq!(std::fs::read(dir.path().join("engine.log.old")).unwrap(), long);
}
