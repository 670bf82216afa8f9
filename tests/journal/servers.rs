//! What a journal on a server has to stand.

use std::time::Instant;

use super::*;
use crate::support::{long, promised};

#[test]
fn of_two_hosts_that_begin_at_once_one_wins_and_history_is_one_line() {
    run(async {
        let Some(home) = Home::on_server().await else { return };
        let mut wins = [0; 2];
        for round in 0..50 {
            let begin = |host: &'static str| {
                let place = home.place(host);
                tokio::spawn(async move {
                    let mut writer = match Writer::open(&place).await {
                        Ok(writer) => writer,
                        Err(Error::HeldElsewhere { .. }) => return None,
                        Err(other) => panic!("{other}"),
                    };
                    let begun = note(&format!("run {round} begins on {host}"));
                    let written = writer.append(vec![begun, note("its first step")]).await;
                    Some((writer, written))
                })
            };
            let (a, b) = (begin("a"), begin("b"));
            let came = [a.await.unwrap(), b.await.unwrap()];
            for (at, one) in came.into_iter().enumerate() {
                let Some((writer, written)) = one else { continue };
                wins[at] += 1;
                assert_eq!(written.unwrap().len(), 2);
                writer.close().await.unwrap();
            }
            assert_eq!(wins[0] + wins[1], round + 1, "one winner each round");
        }
        let all = chain(&home.place("a")).await;
        assert_eq!(all.len(), 100, "nothing beside the winners: {wins:?}");
        for round in 0..50 {
            let begun = format!("run {round} begins");
            assert_eq!(all.iter().filter(|entry| text(entry).starts_with(&begun)).count(), 1);
        }
    });
}

#[test]
fn a_lease_runs_out_by_the_clock_of_the_server_and_not_while_its_holder_speaks() {
    run(async {
        let Some(home) = Home::on_server().await else { return };
        let bench = home.bench.as_ref().unwrap();
        let mut writer = Writer::open(home.place("a")).await.unwrap();
        let left =
            "SELECT round(extract(epoch FROM expires - clock_timestamp())) FROM backout.lease";
        let seconds = async || bench.ask(&bench.name, left).await.parse::<f64>().unwrap();
        let fresh = seconds().await;
        assert!((if long() { 28.0 } else { 20.0 }..=30.0).contains(&fresh), "{fresh}");
        let soon = "UPDATE backout.lease SET expires = clock_timestamp() + interval '10 s'";
        bench.root(&bench.name, soon).await;
        assert!(Writer::open(home.place("b")).await.is_err());
        writer.append(vec![note("a word")]).await.unwrap();
        assert!(seconds().await > 12.0, "an append is a word");
        bench.root(&bench.name, soon).await;
        writer.renew().await.unwrap();
        assert!(seconds().await > 12.0);
        // Nobody has taken it: one that comes late goes on.
        home.depose().await;
        writer.append(vec![note("late, and nobody was there")]).await.unwrap();
        // Killed, and started again in the same folder: the kernel says that the first is gone.
        drop(writer);
        let mut again = Writer::open(home.place("a")).await.unwrap();
        assert_eq!(again.epoch(), 2);
        again.append(vec![note("again")]).await.unwrap();
        drop(again);
        let held = Writer::open(home.place("b")).await.unwrap_err();
        assert!(matches!(held, Error::HeldElsewhere { epoch: 2, .. }), "{held}");
        home.depose().await;
        assert_eq!(Writer::open(home.place("b")).await.unwrap().epoch(), 3);
    });
}

/// Appends numbered notes until `many` are acknowledged, and gives what was refused meanwhile.
async fn numbered(place: &Place, many: usize) -> Vec<String> {
    let mut refused = Vec::new();
    let mut writer = Writer::open(place).await.unwrap();
    for number in 0..many {
        loop {
            match writer.append(vec![note(&format!("n{number}"))]).await {
                Ok(_) => break,
                Err(error) => refused.push(error.to_string()),
            }
        }
    }
    writer.close().await.unwrap();
    refused
}

/// Every number is there once, in order.
async fn none_lost(home: &Home, many: usize) {
    let all = chain(&home.place("c")).await;
    let numbers: Vec<String> = all.iter().map(text).collect();
    let wanted: Vec<String> = (0..many).map(|number| format!("n{number}")).collect();
    assert_eq!(numbers, wanted, "none lost, none doubled");
}

#[test]
fn a_line_that_breaks_at_any_moment_loses_nothing_and_doubles_nothing() {
    run(async {
        let Some(home) = Home::on_server().await else { return };
        let bench = home.bench.as_ref().unwrap();
        let many = if long() { 3_000 } else { 400 };
        let place = home.place("a");
        let work = tokio::spawn(async move { numbered(&place, many).await });
        let cut = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE usename = 'user_{}'",
            bench.name
        );
        let mut cuts = 0;
        while !work.is_finished() {
            cuts += bench.ask(&bench.name, &cut).await.parse::<usize>().unwrap();
            Clock::real().sleep(Duration::from_millis(20 + cuts as u64 % 37)).await;
        }
        assert_eq!(work.await.unwrap(), Vec::<String>::new(), "all of it was come back over");
        assert!(cuts > 3, "{cuts}");
        none_lost(&home, many).await;
    });
}

#[test]
fn a_server_that_is_restarted_at_random_loses_nothing_that_was_acknowledged() {
    run(async {
        let Some(home) = Home::on_own_server().await else { return };
        let (many, restarts) = if long() { (4_000, 25) } else { (300, 4) };
        let place = home.place("a");
        let cluster = home.cluster();
        let breaker = std::thread::spawn(move || {
            for round in 0..restarts {
                std::thread::sleep(Duration::from_millis(150 + (round * 271) % 700));
                cluster.stop(round % 2 == 0);
                std::thread::sleep(Duration::from_millis((round * 397) % 1500));
                cluster.go_on();
            }
        });
        let mut refused = Vec::new();
        let mut done = 0;
        // Slow enough to be under way at each restart.
        let mut writer = Writer::open(&place).await.unwrap();
        while done < many {
            match writer.append(vec![note(&format!("n{done}"))]).await {
                Ok(_) => done += 1,
                Err(error) => refused.push(error.to_string()),
            }
            if !breaker.is_finished() {
                Clock::real().sleep(Duration::from_millis(5)).await;
            }
        }
        breaker.join().unwrap();
        home.cluster().answers().await;
        writer.close().await.unwrap();
        assert_eq!(refused, Vec::<String>::new());
        none_lost(&home, many).await;
    });
}

#[test]
fn a_server_that_stays_away_is_said_and_what_it_did_not_take_is_not_in_it() {
    run(async {
        let Some(home) = Home::on_own_server().await else { return };
        let mut writer = Writer::open(home.place("a")).await.unwrap();
        writer.append(vec![note("n0")]).await.unwrap();
        let mut reader = Reader::open(home.place("b")).await.unwrap();
        home.cluster().stop(false);
        let began = Instant::now();
        let lost = reader.after(0, 9).await.unwrap_err();
        assert!(lost.is_lost() && began.elapsed() < promised(Duration::from_secs(8)), "{lost}");
        assert!(lost.to_string().contains("on the journal of the test"), "{lost}");
        let (refused, waited) = {
            let began = Instant::now();
            (writer.append(vec![note("n1")]).await.unwrap_err(), began.elapsed())
        };
        assert!(refused.is_lost(), "{refused}");
        assert!(waited.as_secs() >= 25 && waited < promised(Duration::from_secs(50)), "{waited:?}");
        home.cluster().go_on();
        home.cluster().answers().await;
        assert_eq!(reader.after(0, 9).await.unwrap().len(), 1, "a reader comes back by itself");
        writer.append(vec![note("n1")]).await.unwrap();
        writer.close().await.unwrap();
        none_lost(&home, 2).await;
    });
}

#[test]
fn a_database_without_the_tables_or_of_a_newer_format_is_refused_untouched() {
    run(async {
        let Some(bench) = Bench::new().await else { return };
        let bare = Home { dir: tempfile::tempdir().unwrap(), bench: Some(bench) };
        let refused = Writer::open(bare.place("a")).await.unwrap_err();
        assert!(matches!(refused, Error::NoTables { .. }), "{refused}");
        assert!(refused.to_string().contains("journal-postgres.sql"), "{refused}");
        let Some(home) = Home::on_server().await else { return };
        let bench = home.bench.as_ref().unwrap();
        bench.root(&bench.name, "UPDATE backout.journal SET format = 2").await;
        for refused in [
            Writer::open(home.place("a")).await.map(drop).unwrap_err(),
            Reader::open(home.place("a")).await.map(drop).unwrap_err(),
        ] {
            assert!(matches!(refused, Error::Newer { found: 2, known: 1, .. }), "{refused}");
        }
        assert_eq!(bench.ask(&bench.name, "SELECT holder FROM backout.lease").await, "");
    });
}
