//! `/bin/sh` stands in for the program: `sh __engine …` runs the file of that name in the state
//! folder.

use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

use super::*;
use crate::adapters::process::{Identity, Program};
use crate::link::pair::Linger;

struct Stage {
    state: tempfile::TempDir,
    pair: Pair,
}

impl Stage {
    /// A pair whose engine is this script; it counts its starts in the file `starts`.
    fn with(script: &str) -> Self {
        let state = tempfile::tempdir().unwrap();
        let script = format!("echo \"$*\" >>starts\n{script}\n");
        std::fs::write(state.path().join("__engine"), script).unwrap();
        let pair = pair_of(state.path());
        Self { state, pair }
    }

    fn lines(&self, file: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.state.path().join(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    async fn keep(&self) -> u8 {
        let clock = Clock::real();
        soon(watch_over(&self.pair, std::future::pending(), &clock)).await
    }

    async fn first_line_of(&self, file: &str) -> String {
        soon(async {
            loop {
                if let Some(line) = self.lines(file).into_iter().next() {
                    return line;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }
}

fn pair_of(state: &Path) -> Pair {
    Pair {
        program: Program::at("/bin/sh"),
        config: "/etc/backout.yaml".into(),
        state: state.to_owned(),
        socket: "/run/e.sock".into(),
        linger: Linger::Cli,
    }
}

async fn soon<F: Future>(work: F) -> F::Output {
    let limit = Duration::from_secs(20);
    Clock::real().timeout(limit, work).await.expect("within 20 s")
}

#[tokio::test]
async fn an_end_that_is_meant_ends_both() {
    for code in MEANT {
        let stage = Stage::with(&format!("exit {code}"));
        assert_eq!(stage.keep().await, code);
        assert_eq!(stage.lines("starts").len(), 1);
        assert_eq!(Down::read(stage.state.path()), None);
    }
}

#[tokio::test]
async fn the_engine_is_told_what_the_pair_was_started_with_and_who_keeps_it() {
    let stage = Stage::with("pwd >here");
    stage.keep().await;
    let state = stage.state.path().display();
    let told = format!(
        "--config /etc/backout.yaml --state {state} --socket /run/e.sock --linger cli --keeper {}",
        std::process::id()
    );
    assert_eq!(stage.lines("starts"), [told]);
    assert_eq!(stage.lines("here"), [state.to_string()]);
}

#[tokio::test]
async fn an_engine_that_was_killed_is_started_again_until_it_ends_well() {
    let stage = Stage::with("[ $(wc -l <starts) -lt 4 ] && kill -9 $$\nexit 0");
    assert_eq!(stage.keep().await, 0);
    assert_eq!(stage.lines("starts").len(), 4);
}

#[tokio::test]
async fn an_engine_that_keeps_dying_is_started_5_times_more_and_then_given_up_with_its_last_words()
{
    let stage = Stage::with("echo \"boom $(wc -l <starts)\" >>engine.log\nexit 101");
    std::fs::write(stage.state.path().join("engine-down.json"), "{}").unwrap();
    assert_eq!(stage.keep().await, 1);
    assert_eq!(stage.lines("starts").len(), 6);
    let down = Down::read(stage.state.path()).unwrap();
    assert_eq!(down.last_exit.as_str(), "exit code 101");
    assert_eq!(down.command.as_str(), "backout attach");
    assert_eq!(down.log_tail.last().unwrap().as_str(), "boom 6");
}

#[test]
fn only_the_restarts_of_the_last_10_minutes_count() {
    let mut restarts = VecDeque::new();
    let start = Instant::now();
    let at = |minutes| start + Duration::from_mins(minutes);
    for minute in 0..5 {
        assert!(may_restart(&mut restarts, at(minute)));
    }
    assert!(!may_restart(&mut restarts, at(9)));
    assert!(may_restart(&mut restarts, at(10)), "the first is 10 min old");
    assert!(!may_restart(&mut restarts, at(10)));
    assert!(restarts.len() <= RESTARTS);
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_not_tried_without_end() {
    let mut stage = Stage::with("");
    stage.pair.program = Program::at(stage.state.path().join("gone"));
    let clock = Clock::manual(chrono::DateTime::UNIX_EPOCH);
    let kept = watch_over(&stage.pair, std::future::pending(), &clock);
    let turning = async {
        loop {
            clock.advance(Duration::from_millis(100));
            tokio::task::yield_now().await;
        }
    };
    let code = soon(async {
        tokio::select! {
            code = kept => code,
            () = turning => unreachable!(),
        }
    });
    assert_eq!(code.await, 1);
    assert!((clock.now() - chrono::DateTime::UNIX_EPOCH).num_seconds() >= 5);
    let down = Down::read(stage.state.path()).unwrap();
    assert!(down.last_exit.as_str().starts_with("could not start"), "{down:?}");
}

#[tokio::test]
async fn being_told_to_end_is_passed_to_the_engine() {
    let stage = Stage::with(
        "trap 'echo told >told; exit 0' TERM\necho up >up\nwhile :; do read -r _ <pipe; done",
    );
    rustix::fs::mknodat(
        rustix::fs::CWD,
        stage.state.path().join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let told = async {
        stage.first_line_of("up").await;
    };
    assert_eq!(soon(watch_over(&stage.pair, told, &Clock::real())).await, 0);
    assert_eq!(stage.lines("told"), ["told"]);
    assert_eq!(stage.lines("starts").len(), 1);
}

#[tokio::test]
async fn an_engine_that_does_not_end_when_told_is_killed_after_10_seconds() {
    let stage = Stage::with("trap '' TERM\necho $$ >up\nread -r _ <pipe");
    let pipe = stage.state.path().join("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let clock = Clock::manual(chrono::DateTime::UNIX_EPOCH);
    let told = async {
        stage.first_line_of("up").await;
    };
    let turning = async {
        stage.first_line_of("up").await;
        loop {
            clock.advance(Duration::from_millis(100));
            tokio::task::yield_now().await;
        }
    };
    let code = soon(async {
        tokio::select! {
            code = watch_over(&stage.pair, told, &clock) => code,
            () = turning => unreachable!(),
        }
    });
    assert_eq!(code.await, 1);
    let pid = stage.first_line_of("up").await.parse().unwrap();
    soon(async {
        while Identity::of(pid).is_some() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Runs `keep` itself, in the process that the test below starts.
#[test]
#[ignore = "it is the process that another test starts"]
fn as_a_process() {
    let state = std::env::current_dir().unwrap();
    if state.join("__engine").exists() {
        let code = keep(&pair_of(&state), &Clock::real());
        std::fs::write("code", format!("{}\n", code == ExitCode::SUCCESS)).unwrap();
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the keeper runs as a process")]
async fn a_keeper_leads_its_own_session_survives_a_hang_up_and_ends_both_when_told() {
    let stage = Stage::with("trap 'exit 0' TERM\necho $$ >>up\nread -r _ <pipe\nread -r _ <pipe");
    let pipe = stage.state.path().join("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let mut keeper = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "link::keeper::tests::as_a_process", "--ignored"])
        .current_dir(stage.state.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(keeper.id().unwrap()).unwrap()).unwrap();
    let first = stage.first_line_of("up").await;
    assert_eq!(rustix::process::getsid(Some(pid)), Ok(pid), "leads its session");

    for signal in [Signal::HUP, Signal::INT] {
        kill_process(pid, signal).unwrap();
    }
    let engine = Pid::from_raw(first.parse().unwrap()).unwrap();
    kill_process(engine, Signal::KILL).unwrap();
    soon(async {
        while stage.lines("up").len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(keeper.try_wait().unwrap().is_none(), "still keeps");

    kill_process(pid, Signal::TERM).unwrap();
    assert!(soon(keeper.wait()).await.unwrap().success());
    assert_eq!(stage.lines("code"), ["true"]);
    let second = stage.lines("up")[1].parse().unwrap();
    assert_eq!(Identity::of(second), None, "the engine ended too");
}

#[tokio::test]
async fn after_a_death_the_next_engine_runs_at_once() {
    // Two stamps a life: begun, and about to die. The shell and `date` are part of what is
    // measured, so the bar is looser than the keeper's own 5 ms.
    let stage = Stage::with("date +%s%N >>stamps\ndate +%s%N >>stamps\nkill -9 $$");
    assert_eq!(stage.keep().await, 1);
    let stamps: Vec<u64> = stage.lines("stamps").iter().map(|line| line.parse().unwrap()).collect();
    let mut gaps: Vec<u64> =
        stamps[1..stamps.len() - 1].chunks(2).map(|pair| (pair[1] - pair[0]) / 1_000).collect();
    gaps.sort_unstable();
    assert_eq!(gaps.len(), RESTARTS);
    assert!(gaps[RESTARTS / 2] < 50_000, "µs from death to the next start: {gaps:?}");
}
