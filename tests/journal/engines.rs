//! Engines of several hosts on one journal, and runs while its server is restarted.

use std::path::PathBuf;
use std::process::{Child, Stdio};

use backout::model::entry::Outcome;

use super::hosts::Host;
use super::*;
use crate::support::Stack;

fn rounds(short: u64) -> u64 {
    let long = std::env::var_os("BACKOUT_TEST_LONG").is_some_and(|value| value != "0");
    if long { 50 } else { short }
}

/// The stack's configuration with a state folder of this host, and the journal at `url`.
pub(super) fn shared(stack: &Stack, home: &Home, host: &str, url: &str) -> String {
    let text = std::fs::read_to_string(stack.config()).unwrap();
    let url = if url.is_empty() { home.url() } else { url.to_owned() };
    let text =
        text.replace("state_dir: state\n", &format!("state_dir: state-{host}\njournal: {url}\n"));
    assert!(text.contains("journal: "), "{text}");
    text
}

pub(super) fn configured(stack: &Stack, home: &Home, host: &str) -> PathBuf {
    let path = stack.dir().join(format!("{host}.yaml"));
    std::fs::write(&path, shared(stack, home, host, "")).unwrap();
    path
}

/// A rollback, as its words begin.
fn rollback(by: &str) -> [String; 4] {
    ["rollback", "--quick", "--reason", by].map(str::to_owned)
}

/// Begins a rollback on that host.
pub(super) fn begin(stack: &Stack, config: &std::path::Path, host: &str) -> Child {
    let config = config.to_str().unwrap();
    let words = rollback(host);
    let mut all = vec!["--config", config];
    all.extend(words.iter().map(String::as_str));
    stack.start(&all)
}

pub(super) fn ended(child: Child) -> (i32, String) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
}

/// Waits until a step of a run is under way.
pub(super) async fn until_it_runs(stack: &Stack, home: &Home) {
    let until = std::time::Instant::now() + Duration::from_mins(2);
    loop {
        let known = match Reader::open(home.place("c")).await {
            Ok(mut reader) => reader.situation().await.unwrap(),
            Err(_) => Situation::default(),
        };
        if known.open_run().is_some_and(|run| run.running().count() > 0) {
            return;
        }
        assert!(std::time::Instant::now() < until, "{known:?}\n{}", logs(stack, &["a"]));
        Clock::real().sleep(Duration::from_millis(100)).await;
    }
}

/// What the engines of these hosts wrote about themselves.
pub(super) fn logs(stack: &Stack, hosts: &[&str]) -> String {
    let log = |host: &&str| {
        let path = stack.dir().join(format!("state-{host}/engine.log"));
        format!("--- {host}\n{}", std::fs::read_to_string(path).unwrap_or_default())
    };
    hosts.iter().map(log).collect()
}

pub(super) fn starts(all: &[Entry]) -> usize {
    let start = |entry: &&Entry| match &entry.body {
        Body::Event(event) => matches!(event.as_ref(), Event::RunStarted { .. }),
        Body::Command(..) | Body::Newer { .. } => false,
    };
    all.iter().filter(start).count()
}

#[test]
fn of_two_hosts_that_start_a_run_at_once_one_does_and_the_other_is_told_who() {
    let Some(hosts) = Host::two() else { return };
    for round in 0..rounds(2) {
        run(async {
            let Some(home) = Home::on_server().await else { return };
            home.both_roles().await;
            let stack = Stack::up(Some("errors:0.3"));
            let children = hosts.each_ref().map(|host| {
                let config = host.configure(&stack, &home, "");
                let words = rollback(&host.name);
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let mut command = host.command(&stack, &config, &words);
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            });
            let mut came = children.map(ended);
            came.sort_by_key(|(code, _)| *code);
            let [(won, said), (lost, told)] = came;
            // It finds the lease taken, or the lead, or the run.
            let logs = logs(&stack, &["bastion-a", "bastion-b"]);
            let both = format!("round {round}: {won} {said}\n{lost} {told}\n{logs}");
            assert!(won == 0 && (lost == 12 || lost == 10), "{both}");
            let all = chain(&home.place("c")).await;
            assert_eq!(starts(&all), 1, "{both}");
            let switches =
                stack.ledger().iter().filter(|line| line.starts_with("switch green")).count();
            assert_eq!(switches, 1, "{:?}", stack.ledger());
        });
    }
}

#[test]
fn a_run_goes_through_restarts_of_the_journals_server_and_loses_no_outcome() {
    for round in 0..rounds(2) {
        run(async {
            let Some(home) = Home::on_own_server().await else { return };
            let stack = Stack::up(Some("errors:0.3"));
            let config = configured(&stack, &home, "a");
            let child = begin(&stack, &config, "a");
            let cluster = home.cluster();
            until_it_runs(&stack, &home).await;
            let breaker = std::thread::spawn(move || {
                for time in 0..3 {
                    let random = (round * 7 + time * 3) % 10;
                    std::thread::sleep(Duration::from_millis(random * 170));
                    cluster.stop(random % 2 == 0);
                    std::thread::sleep(Duration::from_millis(200 + random * 300));
                    cluster.go_on();
                }
            });
            let (code, said) = ended(child);
            breaker.join().unwrap();
            home.cluster().answers().await;
            assert_eq!(code, 0, "round {round}: {said}\n{}", logs(&stack, &["a"]));
            let all = chain(&home.place("c")).await;
            assert_eq!(starts(&all), 1);
            let mut reader = Reader::open(home.place("c")).await.unwrap();
            let known = reader.situation().await.unwrap();
            assert_eq!(known.history[0].ended.outcome, Outcome::Done, "{said}");
            // What was done, the journal says; what it says, was done once.
            let switches =
                stack.ledger().iter().filter(|line| line.starts_with("switch green")).count();
            assert_eq!(switches, 1, "{:?}", stack.ledger());
        });
    }
}

#[test]
fn a_person_on_another_host_sees_the_run_and_stops_it_under_their_own_name() {
    run(async {
        let Some(home) = Home::on_server().await else { return };
        let bench = home.bench.as_ref().unwrap();
        let (name, port) = (&bench.name, bench.cluster.port);
        let carol = format!("carol_{name}");
        let role = format!("CREATE ROLE {carol} LOGIN PASSWORD 'x' IN ROLE backout_engineer");
        bench.root(name, &role).await;
        let stack = Stack::up(Some("errors:0.3"));
        stack.set("gate_every_seconds", "20");
        let a = configured(&stack, &home, "a");
        let hers = format!("postgres://{carol}:x@127.0.0.1:{port}/{name}");
        let b = stack.dir().join("b.yaml");
        std::fs::write(&b, shared(&stack, &home, "b", &hers)).unwrap();
        let child = begin(&stack, &a, "a");
        let place = home.place("c");
        until_it_runs(&stack, &home).await;
        let b = b.to_str().unwrap();
        let far = |arguments: &[&str]| {
            let mut all = vec!["--config", b];
            all.extend(arguments);
            stack.run(&all)
        };
        let noted = far(&["note", "I see it from here"]);
        assert_eq!(noted.code, 0, "{noted:?}\n{}", logs(&stack, &["a", "b"]));
        let stopped = far(&["abort", "now"]);
        assert_eq!(stopped.code, 0, "{stopped:?}");
        let (code, said) = ended(child);
        assert_eq!(code, 14, "{said}");
        let all = chain(&place).await;
        let hers = all.iter().filter(|entry| entry.author.name.as_str() == carol);
        let hers: Vec<&Entry> = hers.collect();
        assert!(hers.len() >= 2, "{all:?}");
        assert!(hers.iter().all(|entry| entry.author.uid >= 0x8000_0000));
        assert_eq!(starts(&all), 1);
    });
}
