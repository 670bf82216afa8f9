//! The check of kind `database_connection` on a real server.

use backout::clock::Clock;
use backout::model::reading::{Finding, Reading, Reason, WhyClass};

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
