//! The database's page: what goes on in it, at every size, and that it is drawn from what is known.

use std::time::Duration;

use backout::model::activity::{
    Activity, Archiver, DatabaseNow, Follows, Replica, Session, Statement, Wait,
};

use super::samples::at;
use super::{Bench, ascii, text};

fn session(pid: i32, who: &str, state: &str, open: u64) -> Session {
    let transaction = state != "idle";
    let open = Duration::from_secs(open);
    Session { pid, who: who.into(), state: state.into(), open, transaction }
}

/// One session that forgot to commit, and what stands behind it.
fn blocked() -> Activity {
    let wait = |pid, who: &str, open, holders: &[i32]| Wait {
        session: session(pid, who, "active", open),
        lock: "users".into(),
        holders: holders.to_vec(),
    };
    let statement = |calls, total, text: &str| Statement {
        calls,
        total: Duration::from_secs(total),
        text: text.into(),
    };
    Activity {
        version: "15.18".into(),
        sessions: [("active".into(), 5), ("idle in transaction".into(), 1), ("idle".into(), 82)]
            .into(),
        connections: (88, 100),
        busy: vec![
            session(4711, "psql of dana", "idle in transaction", 1_262),
            session(5120, "web of app", "active", 312),
            session(5121, "web of app", "active", 41),
            session(5200, "worker of app", "active", 3),
        ],
        waits: vec![
            wait(5120, "web of app", 312, &[4711]),
            wait(5121, "web of app", 41, &[5120, 4711]),
        ],
        locks: [("AccessShareLock".into(), 1_204), ("AccessExclusiveLock".into(), 1)].into(),
        follows: None,
        replicas: vec![
            Replica {
                name: "standby-a".into(),
                state: "streaming".into(),
                bytes: Some(0),
                behind: Some(Duration::ZERO),
            },
            Replica {
                name: "standby-b".into(),
                state: "catchup".into(),
                bytes: Some(88_000_000),
                behind: Some(Duration::from_secs(94)),
            },
        ],
        archiver: Some(Archiver {
            archived: 4_120,
            failed: 31,
            last: Some(at(-600)),
            last_failed: Some(at(20)),
        }),
        statements: Some(vec![
            statement(1_204_113, 8_411, "SELECT * FROM documents WHERE owner = $1 ORDER BY at"),
            statement(88, 60, "UPDATE users SET seen = now() WHERE id = $1"),
        ]),
    }
}

fn bench(size: (u16, u16), now: DatabaseNow) -> Bench {
    let mut bench = Bench::at("assess", size);
    if let Some(live) = &mut bench.world().live {
        live.database = Some(Box::new(now));
    }
    bench
}

fn seen(activity: Option<Activity>, error: Option<&str>) -> DatabaseNow {
    DatabaseNow {
        at: at(48),
        name: "spacetime_db at 127.0.0.1:5432".into(),
        activity,
        error: error.map(Into::into),
    }
}

fn page(size: (u16, u16), now: DatabaseNow) -> String {
    let mut bench = bench(size, now);
    bench.keys("F7");
    text(&bench.frame(&ascii()))
}

#[test]
fn the_database_s_page_looks_as_it_did() {
    let standby = Activity {
        version: "16.2".into(),
        connections: (3, 100),
        follows: Some(Follows { behind: Some(Duration::from_secs(3)) }),
        ..Activity::default()
    };
    let no = "could not look into spacetime_db at 127.0.0.1:5432: connection refused; is it up?";
    let states = [
        ("database-blocked", seen(Some(blocked()), None)),
        ("database-standby", seen(Some(standby), None)),
        ("database-away", seen(Some(blocked()), Some(no))),
    ];
    for (name, now) in states {
        let mut pictures = String::new();
        for size in [(60, 15), (80, 24), (120, 40), (200, 60)] {
            pictures.extend([format!("--- {}x{} ---\n", size.0, size.1).as_str()]);
            pictures.push_str(&page(size, now.clone()));
        }
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(format!("console-{name}"), pictures);
        });
    }
}

#[test]
fn it_opens_only_where_there_is_something_to_see_and_says_why_not() {
    let mut none = Bench::at("assess", (80, 24));
    none.keys("F7");
    assert!(none.ui.dialog.is_none());
    let shown = text(&none.frame(&ascii()));
    assert!(shown.contains("is database.postgres configured?"), "{shown}");
    let mut some = bench((80, 24), seen(Some(blocked()), None));
    some.keys("P");
    assert!(some.ui.dialog.is_some());
    some.keys("F7");
    assert!(some.ui.dialog.is_none(), "the same key closes it");
}

#[test]
fn who_holds_others_up_stands_above_everything_that_can_wait() {
    let shown = page((80, 24), seen(Some(blocked()), None));
    let at = |words: &str| shown.lines().position(|line| line.contains(words)).unwrap();
    assert!(at("4711 holds up 2") < at("5120 waits for users"));
    assert!(shown.contains("SELECT pg_terminate_backend(4711);"));
    assert!(shown.contains("WARN 88 of 100 (88 %)"), "{shown}");
}
