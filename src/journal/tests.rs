use std::path::Path;

use chrono::{TimeZone, Utc};
use proptest::prelude::*;

use super::store::Store as _;
use super::*;
use crate::model::entry::{Command, Entry, Event};
use crate::model::ids::Digest;
use crate::model::situation::Situation;

/// Says something to whoever looks at the test's output.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        writeln!(std::io::stderr().lock(), $($words)*).unwrap();
    }};
}

/// Whether the tests run at their whole numbers.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests, in no program")]
fn long() -> bool {
    std::env::var_os("BACKOUT_TEST_LONG").is_some_and(|value| value != "0")
}

mod damage;
mod measure;
mod processes;

fn at(seconds: i64) -> Time {
    Utc.timestamp_opt(1_763_769_600 + seconds, 0).unwrap()
}

fn draft(event: Event) -> Draft {
    Draft {
        incident: Some(142),
        at: at(0),
        author: Author::default(),
        body: Body::Event(Box::new(event)),
    }
}

fn note(text: &str) -> Draft {
    draft(Event::Noted { by: "alice".into(), text: text.into() })
}

fn carried(situation: &Situation) -> Draft {
    draft(Event::Carried { situation: Box::new(situation.clone()) })
}

/// A closed journal of `count` entries; every tenth is a carried situation.
async fn closed_journal(state: &Path, count: u64) -> Vec<Entry> {
    let mut writer = Writer::open(state).await.unwrap();
    let mut situation = Situation::default();
    let mut all = Vec::new();
    for number in 1..=count {
        let next = if number % 10 == 0 {
            carried(&situation)
        } else {
            note(&format!("note {number} {}", "x".repeat(200)))
        };
        let entries = writer.append(vec![next]).await.unwrap();
        for entry in &entries {
            situation.apply(entry);
        }
        all.extend(entries);
    }
    writer.close().await.unwrap();
    all
}

#[tokio::test]
async fn what_was_appended_is_read_back_while_the_writer_lives_and_after() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("a/b");
    let mut writer = Writer::open(&state).await.unwrap();
    assert_eq!(writer.head(), (0, Digest::default()));
    let written = writer.append(vec![note("one"), note("two")]).await.unwrap();
    let mut reader = Reader::open(&state).await.unwrap();
    assert_eq!(reader.after(0, 10).await.unwrap(), written);
    assert_eq!(reader.after(1, 10).await.unwrap(), written[1..]);
    assert_eq!(reader.after(0, 1).await.unwrap(), written[..1]);
    assert_eq!(reader.after(9, 10).await.unwrap(), []);
    assert_eq!(reader.verify().await.unwrap(), 2);
    writer.append(vec![note("three")]).await.unwrap();
    assert_eq!(reader.after(2, 10).await.unwrap().len(), 1);
    drop(reader);
    writer.close().await.unwrap();
    assert!(!state.join("journal.db-wal").exists());
    let mut reader = Reader::open(&state).await.unwrap();
    assert_eq!(reader.verify().await.unwrap(), 3);
    assert_eq!(reader.situation().await.unwrap().seq, 3);
}

#[tokio::test]
async fn the_situation_is_the_same_fold_from_the_last_carried_one_as_from_the_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let all = closed_journal(dir.path(), 37).await;
    let mut folded = Situation::default();
    for entry in &all {
        folded.apply(entry);
    }
    let mut reader = Reader::open(dir.path()).await.unwrap();
    assert_eq!(reader.situation().await.unwrap(), folded);
    assert_eq!(reader.after(37, 5).await.unwrap(), []);
}

#[tokio::test]
async fn a_reader_opened_after_the_end_follows_the_next_engine() {
    let dir = tempfile::tempdir().unwrap();
    closed_journal(dir.path(), 3).await;
    let mut reader = Reader::open(dir.path()).await.unwrap();
    assert_eq!(reader.verify().await.unwrap(), 3);
    let mut writer = Writer::open(dir.path()).await.unwrap();
    assert_eq!(writer.epoch(), 2);
    writer.append(vec![note("again")]).await.unwrap();
    let new = reader.after(3, 9).await.unwrap();
    assert_eq!((new.len(), new[0].epoch), (1, 2));
    // A reader that stays keeps the writer from leaving its log; that is no error.
    writer.close().await.unwrap();
    assert_eq!(reader.verify().await.unwrap(), 4);
}

#[tokio::test]
async fn everything_is_for_this_user_only() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("new/deep");
    let mut writer = Writer::open(&state).await.unwrap();
    writer.append(vec![note("one")]).await.unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    assert_eq!(mode(&dir.path().join("new")), 0o700);
    let mut files = 0;
    for file in std::fs::read_dir(&state).unwrap() {
        let file = file.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        files += 1;
    }
    assert!(files >= 6, "db, wal, shm, head, lock and ballast, not {files}");
}

#[tokio::test]
async fn a_symlinked_folder_or_one_that_others_may_write_in_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().join("real");
    std::fs::create_dir(&real).unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    for path in [link.clone(), link.join("")] {
        let refused = Writer::open(&path).await.unwrap_err().to_string();
        assert!(refused.contains("symlink"), "{refused}");
    }
    std::fs::set_permissions(&real, PermissionsExt::from_mode(0o770)).unwrap();
    let refused = Writer::open(&real).await.unwrap_err().to_string();
    assert!(refused.contains("others may write"), "{refused}");
    std::fs::set_permissions(&real, PermissionsExt::from_mode(0o700)).unwrap();
    std::os::unix::fs::symlink("/dev/null", real.join("journal.db")).unwrap();
    let refused = Writer::open(&real).await.unwrap_err().to_string();
    assert!(refused.contains("plain file"), "{refused}");
}

#[tokio::test]
async fn a_folder_of_somebody_else_is_refused() {
    if !rustix::process::geteuid().is_root() {
        say!("SKIPPED: only root can give a folder away");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(dir.path(), Some(65_534), None).unwrap();
    let refused = Writer::open(dir.path()).await.unwrap_err().to_string();
    assert!(refused.contains("belongs to uid 65534"), "{refused}");
}

#[tokio::test]
async fn a_second_engine_is_refused_and_told_the_pid_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::open(dir.path()).await.unwrap();
    let refused = Writer::open(dir.path()).await.unwrap_err();
    let Error::Held { pid: Some(pid), .. } = &refused else { panic!("{refused}") };
    assert_eq!(pid, &std::process::id().to_string());
    writer.close().await.unwrap();
    Writer::open(dir.path()).await.unwrap();
}

#[tokio::test]
async fn an_engine_that_was_replaced_while_it_slept_cannot_append() {
    let dir = tempfile::tempdir().unwrap();
    let mut old = Writer::open(dir.path()).await.unwrap();
    old.append(vec![note("mine")]).await.unwrap();
    // What takes the lease away from a living process: its lock file is replaced.
    std::fs::remove_file(dir.path().join("engine.lock")).unwrap();
    let mut new = Writer::open(dir.path()).await.unwrap();
    assert_eq!((old.epoch(), new.epoch()), (1, 2));
    new.append(vec![note("now mine")]).await.unwrap();
    for _ in 0..2 {
        let refused = old.append(vec![note("still mine?")]).await.unwrap_err();
        assert!(matches!(refused, Error::Zombie { epoch: 1 }), "{refused}");
    }
    new.append(vec![note("and this")]).await.unwrap();
    let mut reader = Reader::open(dir.path()).await.unwrap();
    assert_eq!(reader.verify().await.unwrap(), 3);
}

#[tokio::test]
async fn an_engine_that_was_replaced_by_a_silent_one_keeps_the_history_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut old = Writer::open(dir.path()).await.unwrap();
    std::fs::remove_file(dir.path().join("engine.lock")).unwrap();
    let mut new = Writer::open(dir.path()).await.unwrap();
    old.append(vec![note("first")]).await.unwrap();
    let refused = new.append(vec![note("second")]).await.unwrap_err();
    assert!(matches!(refused, Error::Zombie { .. }), "{refused}");
}

#[tokio::test]
async fn a_newer_format_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    closed_journal(dir.path(), 3).await;
    let file = dir.path().join("journal.db");
    let mut store = Box::new(store::sqlite::SqliteStore::open_write(&file).await.unwrap());
    store.run_test("PRAGMA user_version = 2").await;
    store.settle().await.unwrap();
    let before = std::fs::read(&file).unwrap();
    let refused = Writer::open(dir.path()).await.unwrap_err();
    assert!(matches!(refused, Error::Newer { found: 2, known: 1, .. }), "{refused}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn what_a_newer_program_wrote_is_read_as_such_and_never_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path()).await.unwrap();
    let raw = serde_json::json!({"event": {"teleported": {"to": "mars"}}});
    let mut newer = note("");
    newer.body = Body::Newer { kind: "teleported".to_owned(), raw };
    writer.append(vec![newer.clone(), note("known")]).await.unwrap();
    let mut reader = Reader::open(dir.path()).await.unwrap();
    assert_eq!(reader.verify().await.unwrap(), 2);
    assert_eq!(reader.after(0, 9).await.unwrap()[0].body, newer.body);
    assert!(reader.situation().await.unwrap().newer);
}

#[tokio::test]
async fn an_entry_that_is_too_large_is_named_and_nothing_of_its_batch_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path()).await.unwrap();
    let command = Draft {
        body: Body::Command(
            "c1".into(),
            Command::Plan {
                level: crate::model::plan::Level::Switch,
                target: Some("x".repeat(ENTRY_LIMIT).as_str().into()),
            },
        ),
        ..note("")
    };
    let refused = writer.append(vec![note("small"), command]).await.unwrap_err();
    assert!(
        matches!(&refused, Error::TooLarge { kind, limit: ENTRY_LIMIT, .. } if kind == "plan"),
        "{refused}"
    );
    let refused = writer.append(vec![note(""); BATCH_LIMIT + 1]).await.unwrap_err();
    assert!(matches!(refused, Error::TooMany { .. }), "{refused}");
    let mut large = Situation::default();
    for number in 0..40 {
        large.timeline.push(crate::model::situation::Moment {
            at: at(number),
            text: "y".repeat(16_000).as_str().into(),
        });
    }
    let written = writer.append(vec![carried(&large)]).await.unwrap();
    assert_eq!(written[0].seq, 1);
    let mut reader = Reader::open(dir.path()).await.unwrap();
    assert_eq!(reader.situation().await.unwrap().timeline, large.timeline);
    for _ in 0..240 {
        large.timeline.push(large.timeline[0].clone());
    }
    let refused = writer.append(vec![carried(&large)]).await.unwrap_err();
    assert!(
        matches!(&refused, Error::TooLarge { kind, limit: CARRIED_LIMIT, .. } if kind == "carried"),
        "{refused}"
    );
}

#[tokio::test]
async fn an_append_that_nobody_waited_for_neither_breaks_nor_forks_the_chain() {
    use std::future::Future;
    use std::task::{Context, Waker};
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path()).await.unwrap();
    for round in 0..50 {
        {
            let mut append = std::pin::pin!(writer.append(vec![note("dropped")]));
            let mut context = Context::from_waker(Waker::noop());
            let _begun = append.as_mut().poll(&mut context);
        }
        let written = writer.append(vec![note(&format!("kept {round}"))]).await.unwrap();
        assert_eq!(written[0].seq, writer.head().0);
    }
    let mut reader = Reader::open(dir.path()).await.unwrap();
    let last = reader.verify().await.unwrap();
    assert!((50..=100).contains(&last), "{last}");
    let all = reader.after(0, 200).await.unwrap();
    let kept =
        all.iter().filter(|entry| serde_json::to_string(&entry.body).unwrap().contains("kept"));
    assert_eq!(kept.count(), 50);
}

#[tokio::test]
async fn on_a_full_disk_the_ballast_is_given_back_and_the_entry_is_written() {
    let dir = tempfile::tempdir().unwrap();
    // Each of the first 40 writes always, each of the first 500 in the long run (G5).
    let most = if long() { 500 } else { 40 };
    for nth in 1..=most {
        let faults = Faults { enospc_at: Some(nth), ..Faults::default() };
        let state = dir.path().join(nth.to_string());
        let mut writer = Writer::open_with(&state, faults).await.unwrap();
        let ballast = state.join("ballast");
        for number in 1..=most.max(nth + 1) {
            let whole = ballast.metadata().unwrap().len() == folder::BALLAST;
            assert_eq!(whole, number <= nth);
            writer.append(vec![note("x")]).await.unwrap();
        }
        let left = writer.ballast_left();
        assert!(left > 0 && left < folder::BALLAST, "the last part is kept, not {left}");
        assert!(writer.mend_ballast());
        writer.close().await.unwrap();
        let last = Reader::open(&state).await.unwrap().verify().await.unwrap();
        assert_eq!(last, most.max(nth + 1));
        assert_eq!(Writer::open(&state).await.unwrap().ballast_left(), folder::BALLAST);
        std::fs::remove_dir_all(&state).unwrap();
    }
}

#[tokio::test]
async fn when_the_ballast_is_spent_the_error_says_so_and_space_heals_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path()).await.unwrap();
    writer.append(vec![note("before")]).await.unwrap();
    // SQLite's own limit gives the same answer as a full disk.
    writer.limit_pages("PRAGMA max_page_count = 5").await;
    let mut written = 1;
    let refused = loop {
        match writer.append(vec![note(&"x".repeat(3_000))]).await {
            Ok(_) => written += 1,
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, Error::Full { .. }), "{refused}");
    assert_eq!(writer.ballast_left(), 0);
    let again = writer.append(vec![note(&"x".repeat(3_000))]).await.unwrap_err();
    assert!(matches!(again, Error::Full { .. }), "{again}");
    writer.limit_pages("PRAGMA max_page_count = 1000000").await;
    writer.append(vec![note("after")]).await.unwrap();
    let mut reader = Reader::open(dir.path()).await.unwrap();
    assert_eq!(reader.verify().await.unwrap(), written + 1);
}

#[test]
fn an_older_sqlite_is_told_from_a_good_one() {
    use store::sqlite::new_enough;
    for old in ["3.40.1", "3.51.2", "3.50.9", "2.99.99", "3.51", "", "x", "3.x.9"] {
        assert!(!new_enough(old), "{old}");
    }
    for good in ["3.51.3", "3.51.10", "3.52.0", "4.0", "4.0.0"] {
        assert!(new_enough(good), "{good}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_is_appended_in_whatever_batches_comes_back_in_order(
        batches in proptest::collection::vec(
            proptest::collection::vec(".{0,40}", 0..6), 1..8),
        reopen: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let mut writer = Writer::open(dir.path()).await.unwrap();
            let mut all = Vec::new();
            for batch in &batches {
                let drafts = batch.iter().map(|text| note(text)).collect();
                all.extend(writer.append(drafts).await.unwrap());
                if reopen {
                    drop(writer);
                    writer = Writer::open(dir.path()).await.unwrap();
                }
            }
            let mut reader = Reader::open(dir.path()).await.unwrap();
            assert_eq!(reader.verify().await.unwrap(), all.len() as Seq);
            assert_eq!(reader.after(0, 1000).await.unwrap(), all);
            let seqs = all.iter().map(|entry| entry.seq);
            assert!(seqs.eq(1..=all.len() as Seq));
        });
    }
}
