//! What a person sees when the journal's server is away: at the start, in the middle, and when the
//! engine is told to end meanwhile.

use std::process::Stdio;

use super::engines::{begin, configured, ended, logs, starts, until_it_runs};
use super::*;
use crate::people::Console;
use crate::support::Stack;

fn away(stack: &Stack, config: &str, arguments: &[&str]) {
    let mut all = vec!["--config", config];
    all.extend(arguments);
    let said = stack.run(&all);
    let text = format!("{}{}", said.out, said.err);
    assert!(said.code != 0 && said.took < Duration::from_secs(40), "{said:?}");
    for words in ["could not", "nothing starts without its journal", "look at that server first"] {
        assert!(text.contains(words), "{arguments:?} lacks {words:?}: {text}");
    }
    assert!(!text.contains("geheim"), "{text}");
}

/// The bytes of all log lines that were kept on this host.
fn kept(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => kept(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

#[test]
fn a_server_that_is_away_is_said_with_what_to_do_and_a_run_waits_for_it() {
    run(async {
        let Some(home) = Home::on_own_server().await else { return };
        let stack = Stack::up(Some("errors:0.3"));
        stack.set("keep_failed_up_seconds", "8");
        let config = configured(&stack, &home, "a");
        let path = config.to_str().unwrap();
        home.cluster().stop(false);
        for arguments in [&["rollback", "--quick", "--reason", "x"][..], &["check"], &["attach"]] {
            away(&stack, path, arguments);
        }
        assert!(!stack.dir().join("state-a/engine.log").exists(), "nothing was started");
        home.cluster().go_on();
        home.cluster().answers().await;
        // In the middle of a run.
        let child = begin(&stack, &config, "a");
        let mut watching = stack.command(&["--config", path, "attach"]);
        let place = home.place("c");
        until_it_runs(&stack, &home).await;
        let console = Console::of(watching.env("USER", "alice"));
        console.shows(&stack, "LEAD");
        home.cluster().stop(true);
        console.shows(&stack, "JOURNAL LOST");
        console.shows(&stack, "nothing is begun");
        let spool = stack.dir().join("state-a/spool");
        let before = kept(&spool);
        stack.wait("log lines are kept on", Duration::from_mins(1), || kept(&spool) > before);
        // Long enough to be said.
        Clock::real().sleep(Duration::from_secs(5)).await;
        home.cluster().go_on();
        home.cluster().answers().await;
        let (code, said) = ended(child);
        assert_eq!(code, 0, "{said}\n{}", logs(&stack, &["a"]));
        stack.wait("it is back on the screen", Duration::from_mins(1), || {
            !console.text().contains("JOURNAL LOST")
        });
        let all = chain(&place).await;
        assert_eq!(starts(&all), 1);
        let told =
            |entry: &Entry| format!("{:?}", entry.body).contains("nothing was begun meanwhile");
        assert!(all.iter().any(told), "it is on record how long it was away");
    });
}

#[test]
fn an_engine_that_is_told_to_end_while_the_server_is_away_ends() {
    run(async {
        let Some(home) = Home::on_own_server().await else { return };
        let stack = Stack::up(None);
        let config = configured(&stack, &home, "a");
        let mut monitor = stack.command(&["--config", config.to_str().unwrap(), "monitor"]);
        let monitor = monitor.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let place = home.place("c");
        let until = std::time::Instant::now() + Duration::from_mins(1);
        loop {
            if let Ok(mut reader) = Reader::open(&place).await
                && reader.situation().await.is_ok_and(|known| known.engine.is_some())
            {
                break;
            }
            assert!(std::time::Instant::now() < until, "{}", logs(&stack, &["a"]));
            Clock::real().sleep(Duration::from_millis(100)).await;
        }
        home.cluster().stop(false);
        Clock::real().sleep(Duration::from_secs(2)).await;
        let pid = rustix::process::Pid::from_raw(i32::try_from(monitor.id()).unwrap()).unwrap();
        let began = std::time::Instant::now();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let (code, said) = ended(monitor);
        assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
        assert!(code != 0 && said.contains("journal"), "{code} {said}");
        home.cluster().go_on();
        home.cluster().answers().await;
        chain(&place).await;
    });
}
