use super::*;
use crate::model::reading::{Finding, Phases};
use chrono::{TimeZone, Utc};

fn at(seconds: i64) -> Time {
    Utc.timestamp_opt(1_763_769_600 + seconds, 0).unwrap()
}

fn reading(check: &str, seconds: i64) -> Reading {
    Reading {
        check: check.into(),
        at: at(seconds),
        took: Duration::from_millis(38),
        phases: Phases::default(),
        finding: Finding::Good,
        value: Some(38.0),
        unit: "ms".to_owned(),
        note: "200".into(),
        failed_of: (0, 1),
        latencies: Vec::new(),
        facts: Vec::new(),
    }
}

#[tokio::test]
async fn readings_and_the_last_word_are_read_back_and_trimmed() {
    let dir = tempfile::tempdir().unwrap();
    let mut samples = Samples::open(dir.path()).await.unwrap();
    let all: Vec<Reading> = (0..600_u16)
        .map(|i| reading(["api", "pg"][usize::from(i % 2)], 600 - i64::from(i)))
        .collect();
    let live = Live { at: at(9), ..Live::default() };
    samples.write(&all, Some(&live)).await.unwrap();
    let mut reader = Samples::read(dir.path()).await.unwrap();
    assert_eq!(reader.live().await.unwrap(), Some(live));
    let latest = reader.latest().await.unwrap();
    assert_eq!(latest[&"api".into()].at, at(600));
    assert_eq!(latest[&"pg".into()].at, at(599));
    let since = reader.since(at(591)).await.unwrap();
    assert_eq!(since.len(), 10);
    assert!(since.is_sorted_by_key(|reading| reading.at));
    // Written order, not that of the clock: a slow look that ends late is not missed.
    let News { row: last, readings: first, .. } = reader.news(0, at(0), 400).await.unwrap();
    assert_eq!((first.len(), first[0].at), (400, at(600)));
    let rest = reader.news(last, at(0), 400).await.unwrap().readings;
    assert_eq!((rest.len(), rest[199].at), (200, at(1)));
    samples.trim(at(600)).await.unwrap();
    assert_eq!(reader.since(at(0)).await.unwrap().len(), 1);
    assert_eq!(reader.latest().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_counted_for_objectives_outlives_the_readings() {
    use crate::model::slo::{Objective, Tally};
    let dir = tempfile::tempdir().unwrap();
    let window = Duration::from_hours(24 * 30);
    let objective = Objective { percent: 99.9, window, min_volume: 10 };
    let mut tally = Tally::default();
    let readings: Vec<Reading> = (0..50).map(|second| reading("api", second)).collect();
    for reading in &readings {
        tally.take(reading, &objective);
    }
    let mut samples = Samples::open(dir.path()).await.unwrap();
    samples.write(&readings, None).await.unwrap();
    samples.keep(&[("api".into(), (objective, tally.clone()))].into()).await.unwrap();
    samples.trim(at(100)).await.unwrap();
    samples.write(&[reading("api", 101), reading("pg", 102)], None).await.unwrap();
    samples.close().await.unwrap();
    let mut samples = Samples::open(dir.path()).await.unwrap();
    assert_eq!(samples.tallies().await.unwrap(), [("api".into(), tally.clone())].into());
    // What came after it is read back from the readings, of this check alone.
    let later = samples.of(&"api".into(), tally.until.unwrap()).await.unwrap();
    assert_eq!(later.len(), 1);
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("samples.db");
    std::fs::write(&file, vec![7; 9000]).unwrap();
    let mut samples = Samples::open(dir.path()).await.unwrap();
    samples.write(&[reading("api", 1)], None).await.unwrap();
    assert_eq!(samples.latest().await.unwrap().len(), 1);
    let aside = std::fs::read(dir.path().join("samples.db.damaged")).unwrap();
    assert_eq!(aside, vec![7; 9000]);
}

#[tokio::test]
async fn a_file_that_is_damaged_between_two_starts_never_stops_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("samples.db");
    let all: Vec<Reading> = (0..200).map(|i| reading("api", i)).collect();
    for byte in (0..8192).step_by(97) {
        let mut samples = Samples::open(dir.path()).await.unwrap();
        samples.write(&all, Some(&Live::default())).await.unwrap();
        samples.close().await.unwrap();
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[byte] ^= 0x55;
        std::fs::write(&file, bytes).unwrap();
    }
    let mut samples = Samples::open(dir.path()).await.unwrap();
    samples.write(&all, None).await.unwrap();
}

#[tokio::test]
async fn where_nothing_was_written_there_is_nothing_to_read() {
    let dir = tempfile::tempdir().unwrap();
    let none = Samples::read(dir.path()).await;
    assert!(matches!(none, Err(Error::Missing { .. })));
}
