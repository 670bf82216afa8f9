//! One engine for a target (G7), and one that was replaced or put to sleep does nothing (G8).

use std::path::Path;
use std::time::{Duration, SystemTime};

use backout::journal::{Error, Reader, Writer};
use rustix::process::Signal;

use super::super::support::Stack;
use super::{Random, alone, engine_of, long, note, runtime, signal, tell};

/// Each round: twenty at once, one winner, and the others are told who it is.
#[test]
fn of_twenty_engines_one_wins() {
    let rounds = if long() { 200 } else { 5 };
    let dir = tempfile::tempdir().unwrap();
    for round in 1..=rounds {
        let barrier = std::sync::Barrier::new(20);
        let won: usize = std::thread::scope(|scope| {
            let contest = || {
                runtime().block_on(async {
                    barrier.wait();
                    let opened = Writer::open(dir.path()).await;
                    // Nobody gives the lease back before all have tried.
                    barrier.wait();
                    match opened {
                        Ok(mut writer) => {
                            writer.append(vec![note("won")]).await.unwrap();
                            writer.close().await.unwrap();
                            1
                        }
                        Err(Error::Held { pid: Some(_), .. }) => 0,
                        Err(other) => panic!("{other}"),
                    }
                })
            };
            let all: Vec<_> = (0..20).map(|_| scope.spawn(contest)).collect();
            all.into_iter().map(|one| one.join().unwrap_or(100)).sum()
        });
        assert_eq!(won, 1, "round {round}");
    }
    let written = runtime()
        .block_on(async { Reader::open(dir.path()).await.unwrap().verify().await.unwrap() });
    assert_eq!(written, rounds, "one line of history");
}

/// The lease is the kernel's lock: neither a clock that was set nor an engine that wrote nothing
/// for hours gives it away.
#[test]
fn a_lease_does_not_age() {
    let dir = tempfile::tempdir().unwrap();
    let writer = runtime().block_on(Writer::open(dir.path())).unwrap();
    let lease = std::fs::File::options().write(true).open(dir.path().join("engine.lock")).unwrap();
    for hours in [1, 24 * 365] {
        let then = SystemTime::now() - Duration::from_hours(hours);
        lease.set_modified(then).unwrap();
        let refused = runtime().block_on(Writer::open(dir.path()));
        assert!(matches!(refused, Err(Error::Held { .. })), "{refused:?}");
    }
    drop(writer);
}

/// What takes the lease from a living engine is a folder that was put back from a copy. It may
/// try as often as it likes.
#[test]
fn who_was_replaced_never_writes_again() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let mut old = Writer::open(dir.path()).await.unwrap();
        old.append(vec![note("mine")]).await.unwrap();
        std::fs::remove_file(dir.path().join("engine.lock")).unwrap();
        let mut new = Writer::open(dir.path()).await.unwrap();
        new.append(vec![note("now mine")]).await.unwrap();
        for _ in 0..5 {
            let refused = old.append(vec![note("still mine?")]).await;
            assert!(matches!(refused, Err(Error::Zombie { epoch: 1 })), "{refused:?}");
        }
        new.append(vec![note("and this")]).await.unwrap();
        let mut reader = Reader::open(dir.path()).await.unwrap();
        assert_eq!(reader.verify().await.unwrap(), 3);
    });
}

/// Put to sleep at any instant of a run and woken later: nothing is lost or doubled, and nobody
/// took its place meanwhile.
#[test]
fn an_engine_that_slept_goes_on_where_it_was() {
    let rounds = if long() { 50 } else { 3 };
    let mut random = Random(8);
    for round in 0..rounds {
        let stack = Stack::up(Some("errors:0.3"));
        let mut run = stack.start(&["rollback", "--quick", "--reason", "test"]);
        let pid = engine_of(&stack);
        let readable = || runtime().block_on(Reader::open(&stack.state())).is_ok();
        stack.wait("a journal", Duration::from_secs(10), readable);
        std::thread::sleep(Duration::from_millis(random.below(3500)));
        signal(pid, Signal::STOP);
        let written = journal(&stack.state());
        let second = runtime().block_on(Writer::open(&stack.state()));
        assert!(matches!(second, Err(Error::Held { .. })), "round {round}: {second:?}");
        std::thread::sleep(Duration::from_millis(700));
        assert_eq!(journal(&stack.state()), written, "round {round}: a sleeper writes");
        signal(pid, Signal::CONT);
        let ended = run.wait().unwrap();
        assert!(ended.success(), "round {round}: {ended:?}\n{}", stack.log());
        for (what, times) in [("switch green->blue ", 1), ("stop green ", 1)] {
            let ledger = stack.ledger();
            let found = ledger.iter().filter(|line| line.starts_with(what)).count();
            assert_eq!(found, times, "round {round}: {what}: {ledger:?}");
        }
    }
}

fn journal(state: &Path) -> u64 {
    runtime().block_on(async { Reader::open(state).await.unwrap().verify().await.unwrap() })
}

/// Whoever started an engine can close the terminal: no process of ours has it open.
#[test]
fn nothing_of_ours_holds_the_callers_terminal() {
    let stack = Stack::up(Some("errors:0.3"));
    let dir = tempfile::tempdir().unwrap();
    let mine = dir.path().join("terminal");
    let file = std::fs::File::create(&mine).unwrap();
    let mut command = stack.command(&["rollback", "--quick", "--reason", "test", "--detach"]);
    let ended = command.stdout(file.try_clone().unwrap()).stderr(file).status().unwrap();
    assert!(ended.success());
    let engine = engine_of(&stack);
    let keeper = super::super::crash::parent_of(engine);
    let mut seen = 0;
    for pid in [keeper, engine] {
        for fd in std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
            let Ok(open) = std::fs::read_link(fd.path()) else { continue };
            assert!(open != mine && !open.starts_with("/dev/pts"), "{pid}: {}", open.display());
            seen += 1;
        }
    }
    assert!(seen > 6, "{seen} descriptors");
    tell(&format!("{seen} descriptors of keeper and engine: none is the caller's"));
    stack.wait("the run ends", Duration::from_secs(40), || {
        stack.run(&["history"]).out.contains("STATUS=success")
    });
    alone(&stack);
}
