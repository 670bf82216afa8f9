//! The check of kind `database_connection` on a real server.

use backout::clock::Clock;
use backout::model::reading::{Finding, Reading, Reason, WhyClass};

use super::cluster::{Bench, Cluster};
use super::filled;
use crate::tools::look;

async fn ask(url: &str, rest: &str) -> Reading {
    let limit = if rest.contains("pg_sleep") { "1s" } else { "20s" };
    let entry =
        format!("check_type: database_connection, endpoint_url: '{url}', timeout: {limit}{rest}");
    look(&entry, &Clock::real()).await
}

fn class(reading: &Reading) -> WhyClass {
    match &reading.finding {
        Finding::Bad { why } => why.class,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_answer_of_a_server_is_told_apart() {
    let Some(bench) = filled().await else { return };
    let (place, name) = (bench.place(), bench.name.clone());
    let url = place.url().reveal().to_owned();
    assert_eq!(ask(&url, "").await.finding, Finding::Good);
    let count = ask(&url, ", query: 'SELECT count(*) FROM users', threshold_critical: 2").await;
    assert_eq!((count.value, class(&count)), (Some(2.0), WhyClass::Threshold));
    let rows = ask(&url, ", query: 'SELECT name, id FROM users'").await;
    assert_eq!((rows.value, rows.unit.as_str()), (Some(2.0), "rows"));
    let many = ask(&url, ", query: 'SELECT generate_series(1, 50000)'").await;
    assert_eq!(many.value, Some(1000.0));
    let ratio = ask(&url, ", query: 'SELECT 41.5::numeric'").await;
    assert_eq!(ratio.value, Some(41.5));

    let slow = ask(&url, ", query: 'SELECT pg_sleep(60)'").await;
    assert_eq!(class(&slow), WhyClass::TimedOut, "{slow:?}");
    let unknown = |reading: &Reading| match reading.finding {
        Finding::Unknown { reason } => Some(reason),
        Finding::Good | Finding::Warn { .. } | Finding::Bad { .. } => None,
    };
    let denied = ask(&url.replace("geheim%2Fwort", "wrong"), "").await;
    assert_eq!(unknown(&denied), Some(Reason::NoPermission), "{denied:?}");
    let broken = ask(&url, ", query: 'SELEC 1'").await;
    assert_eq!(unknown(&broken), Some(Reason::BadConfig), "{broken:?}");
    let write = ask(&url, ", query: 'DELETE FROM users'").await;
    assert_eq!(class(&write), WhyClass::Rejected, "{write:?}");
    assert_eq!(bench.ask(&name, "SELECT count(*) FROM users").await, "2");
    let absent = ask(&url.replace(&format!("/{name}"), "/absent"), "").await;
    assert_eq!((class(&absent), absent.note.as_str()), (WhyClass::Refused, "no database"));
    let socket = bench.cluster.socket().display().to_string().replace('/', "%2F");
    let port = bench.cluster.port;
    let user = format!("postgres://user_{name}@{socket}");
    assert_eq!(ask(&format!("{user}:{port}/{name}"), "").await.finding, Finding::Good);
    let gone = ask(&format!("{user}:{}/{name}", port - 1), "").await;
    assert_eq!(class(&gone), WhyClass::Refused, "{gone:?}");
    assert!(!format!("{denied:?}{absent:?}{gone:?}{slow:?}").contains("geheim"));
}

/// A standby is not behind while nothing is written; it is when it does not replay, or receives
/// nothing any more. Where nobody follows, or one may not look, nothing is known.
#[tokio::test]
async fn a_standby_that_is_behind_is_seen_from_both_sides_and_one_that_is_not_there_is_unknown() {
    let Some(server) = Cluster::own().await else { return };
    let bench = Bench::on(server).await;
    let cluster = &bench.cluster;
    let socket = |cluster: &Cluster| cluster.socket().display().to_string().replace('/', "%2F");
    let at = |cluster: &Cluster, user: &str| {
        format!("postgres://{user}@{}:{}/postgres", socket(cluster), cluster.port)
    };
    let lag = async |url: String| {
        let entry = "check_type: replication_lag, threshold_critical: 1, timeout: 10s";
        look(&format!("{entry}, endpoint_url: '{url}'"), &Clock::real()).await
    };
    let unknown = Finding::Unknown { reason: Reason::NoData };
    let alone = lag(at(cluster, "postgres")).await;
    assert_eq!(alone.finding, unknown, "{alone:?}");

    let standby = cluster.standby().await;
    let clock = Clock::real();
    let until = async |cluster: &Cluster, good: bool| {
        for _ in 0..200 {
            let seen = lag(at(cluster, "postgres")).await;
            let is = seen.finding == Finding::Good;
            let told = matches!(seen.finding, Finding::Bad { .. });
            if if good { is } else { told } {
                return;
            }
            clock.sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{:?}", lag(at(cluster, "postgres")).await);
    };
    until(cluster, true).await;
    until(&standby, true).await;
    let blind = lag(at(cluster, &format!("user_{}", bench.name))).await;
    assert_eq!(blind.finding, unknown, "{blind:?}");

    let follower = Bench::of(standby);
    bench.root("postgres", "CREATE TABLE first (id int)").await;
    let replayed = "SELECT pg_last_xact_replay_timestamp() IS NOT NULL";
    while follower.ask("postgres", replayed).await != "t" {
        clock.sleep(std::time::Duration::from_millis(100)).await;
    }
    follower.root("postgres", "SELECT pg_wal_replay_pause()").await;
    bench.root("postgres", "CREATE TABLE kept (id int); SELECT pg_switch_wal()").await;
    until(&follower.cluster, false).await;
    until(cluster, false).await;
    follower.root("postgres", "SELECT pg_wal_replay_resume()").await;
    until(&follower.cluster, true).await;
    // All it received is replayed, and it receives nothing more.
    cluster.stop(true);
    until(&follower.cluster, false).await;
}

/// P-19: what is configured without its address is where the documents' variables say, and no secret
/// of them is shown.
#[tokio::test]
async fn the_documents_variables_say_where_things_are() {
    let Some(bench) = filled().await else { return };
    let Some(redis) = crate::redis::start() else { return };
    let slack = crate::notify::sinks::Http::new();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("backout.yaml");
    let text = "environment: variables\nstate_dir: state\ndatabase: {postgres: {}}\nredis: {}\n\
                notification_channels: [slack]\nhealth_checks: [{check_id: a, check_type: tcp, \
                endpoint_url: 'tcp://127.0.0.1:9', interval: 10s, timeout: 5s}]\n";
    std::fs::write(&config, text).unwrap();
    let redis_url = format!("redis://:geheim@127.0.0.1:{}", redis.port);
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_backout"));
        command.env_clear().envs([("PATH", "/usr/bin:/bin"), ("LANG", "C.UTF-8")]);
        command.env("HOME", folder.path()).env("XDG_RUNTIME_DIR", folder.path());
        command.env("DATABASE_URL", bench.place().url().reveal()).env("REDIS_URL", &redis_url);
        command.env("SLACK_WEBHOOK_URL", slack.url("/services/T0"));
        command.arg("--config").arg(&config).args(arguments);
        crate::support::said(command)
    };
    let doctor = run(&["doctor"]);
    assert!(doctor.out.contains("Redis: it answers"), "{doctor:?}");
    let activity = run(&["db", "activity"]);
    assert_eq!(activity.code, 0, "{activity:?}");
    assert!(activity.out.contains(" of 60 connections"), "{activity:?}");
    let told = run(&["notify", "test"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(slack.got().len(), 1);
    let shown = run(&["config", "show"]);
    for said in [doctor, activity, told, shown] {
        assert!(!said.out.contains("geheim") && !said.err.contains("geheim"), "{said:?}");
    }
}
