//! What needs a second process: other users, and kills.

use std::os::unix::process::{CommandExt, ExitStatusExt};

use super::*;

/// This test program, running one ignored test in `state`.
#[expect(clippy::disallowed_methods, reason = "a test plays the second process")]
fn child(test: &str, state: &Path) -> std::process::Command {
    let program = std::fs::read_link("/proc/self/exe").unwrap();
    let mut child = std::process::Command::new(program);
    child
        .args(["--ignored", "--exact", "--nocapture"])
        .arg(format!("journal::tests::processes::{test}"))
        .current_dir(state)
        .stdin(std::process::Stdio::null());
    child
}

#[tokio::test]
#[ignore = "the second process of the test below"]
async fn child_reads() {
    let state = std::env::current_dir().unwrap();
    let mut reader = Reader::open(&state).await.unwrap();
    let last = reader.verify().await.unwrap();
    assert_eq!(reader.situation().await.unwrap().seq, last);
    assert_eq!(reader.after(0, 100).await.unwrap().len() as u64, last);
    let mut out = std::io::stdout().lock();
    std::io::Write::write_all(&mut out, format!("READ {last}\n").as_bytes()).unwrap();
}

#[tokio::test]
async fn another_user_can_read_while_the_writer_lives_and_after_it_closed() {
    use std::os::unix::fs::PermissionsExt;
    if !rustix::process::geteuid().is_root() {
        say!("SKIPPED: only root can become another user");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let mut writer = Writer::open(&state).await.unwrap();
    writer.append(vec![note("one"), note("two")]).await.unwrap();
    let let_in = || {
        for folder in [dir.path(), &state] {
            std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
        }
        for file in std::fs::read_dir(&state).unwrap() {
            let file = file.unwrap().path();
            std::fs::set_permissions(file, PermissionsExt::from_mode(0o644)).unwrap();
        }
    };
    let reads = |expected: &str| {
        let mut reader = child("child_reads", &state);
        let output = match reader.uid(65_534).gid(65_534).output() {
            Ok(output) => output,
            Err(e) => {
                say!("SKIPPED: another user cannot run this test program ({e})");
                return;
            }
        };
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains(expected), "{said}");
    };
    let_in();
    reads("READ 2");
    writer.append(vec![note("three")]).await.unwrap();
    reads("READ 3");
    writer.close().await.unwrap();
    let_in();
    reads("READ 3");
    // A kill leaves log and index behind.
    let mut writer = Writer::open(&state).await.unwrap();
    writer.append(vec![note("four")]).await.unwrap();
    let_in();
    std::fs::remove_file(state.join("journal.db-shm")).unwrap();
    drop(writer);
    let_in();
    reads("READ 4");
}

#[tokio::test]
#[ignore = "the second process of the test below"]
async fn child_dies() {
    let state = std::env::current_dir().unwrap();
    let faults = Faults { die_after_seq: Some(7), ..Faults::default() };
    let mut writer = Writer::open_with(&state, faults).await.unwrap();
    for _ in 0..10 {
        writer.append(vec![note("x"), note("y")]).await.unwrap();
    }
}

#[tokio::test]
async fn a_kill_right_after_an_entry_loses_nothing_and_gives_the_lease_back() {
    let dir = tempfile::tempdir().unwrap();
    let output = child("child_dies", dir.path()).output().unwrap();
    assert_eq!(output.status.signal(), Some(9), "{output:?}");
    let mut reader = Reader::open(dir.path()).await.unwrap();
    assert_eq!(reader.verify().await.unwrap(), 8);
    let writer = Writer::open(dir.path()).await.unwrap();
    assert_eq!((writer.head().0, writer.epoch()), (8, 2));
}

#[tokio::test]
#[ignore = "the second process of the test below"]
async fn child_appends() {
    let state = std::env::current_dir().unwrap();
    let mut writer = Writer::open(&state).await.unwrap();
    for _ in 0..100_000 {
        let written = writer.append(vec![note("x"), note("y")]).await.unwrap();
        let line = format!("ACK {}\n", written[1].seq);
        std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).unwrap();
    }
}

#[tokio::test]
async fn kills_at_any_instant_lose_nothing_that_was_acknowledged() {
    use std::io::BufRead;
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 1..=12 {
        let mut process = child("child_appends", dir.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufReader::new(process.stdout.take().unwrap()).lines();
        for _ in 0..round * 3 {
            let Some(Ok(_)) =
                lines.by_ref().find(|line| line.as_ref().is_ok_and(|line| line.contains("ACK ")))
            else {
                panic!("the child ended by itself");
            };
        }
        process.kill().unwrap();
        process.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            if let Some(seq) = line.split("ACK ").nth(1).and_then(|seq| seq.parse().ok()) {
                acknowledged = seq;
            }
        }
        let mut reader = Reader::open(dir.path()).await.unwrap();
        let last = reader.verify().await.unwrap();
        assert!(last >= acknowledged, "{last} < {acknowledged}");
        assert_eq!(last % 2, 0, "a batch is written whole");
    }
    let writer = Writer::open(dir.path()).await.unwrap();
    assert_eq!(writer.epoch(), 13);
}
