//! The checks `s3_object`, on a real server, and `cdn_asset`.

use std::sync::Arc;

use backout::adapters::objects::{Folder, Objects};
use backout::clock::Clock;
use backout::model::reading::{Finding, Reading, WhyClass};

use super::edge::Edge;
use super::{BUCKET, lay, runtime, s3, server};
use crate::tools::look;

fn asked(entry: &str) -> Reading {
    runtime().block_on(look(entry, &Clock::real()))
}

fn bad(reading: &Reading) -> (WhyClass, &str) {
    match &reading.finding {
        Finding::Bad { why } => (why.class, why.text.as_str()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_object_is_there_old_enough_and_large_enough_or_it_is_told_which_not() {
    let Some((_server, url)) = server() else { return };
    let objects = s3(&url);
    runtime().block_on(objects.write("backups/newest.dump", vec![7; 4000])).unwrap();
    let object = |bucket: &str, rest: &str| {
        asked(&format!(
            "check_type: s3_object, bucket: {bucket}, endpoint: '{url}', access_key: AKIA, \
             secret_key: geheim, timeout: 10s, {rest}"
        ))
    };
    let there = object(BUCKET, "key: backups/newest.dump, max_age: 1h, min_bytes: 4000");
    assert_eq!((there.finding, there.value), (Finding::Good, Some(4000.0)));
    let small = object(BUCKET, "key: backups/newest.dump, min_bytes: 4001");
    assert_eq!(bad(&small), (WhyClass::Threshold, "4000 bytes, at least 4001"));
    let gone = object(BUCKET, "key: backups/other.dump");
    assert_eq!(bad(&gone).0, WhyClass::Content);
    assert!(bad(&gone).1.contains(&format!("s3://{BUCKET}/backups/other.dump is not there")));
    let marker = object(BUCKET, "key: corrupt, expect: absent");
    assert_eq!(marker.finding, Finding::Good);
    let left = object(BUCKET, "key: backups/newest.dump, expect: absent");
    assert_eq!(bad(&left).0, WhyClass::Content);
    // That there is no such bucket does not mean that the object is absent.
    let nowhere = object("no-such-bucket", "key: corrupt, expect: absent");
    assert_eq!(bad(&nowhere).0, WhyClass::Rejected);
    assert!(bad(&nowhere).1.contains("NoSuchBucket"), "{nowhere:?}");
    let mut old = "unknown".to_owned();
    for _ in 0..50 {
        let aged = object(BUCKET, "key: backups/newest.dump, max_age: 1s");
        if let Finding::Bad { why } = &aged.finding {
            old = why.text.to_string();
            break;
        }
        runtime().block_on(Clock::real().sleep(std::time::Duration::from_millis(100)));
    }
    assert!(old.ends_with("s old, at most 1 s"), "{old}");
}

#[test]
fn a_service_that_is_gone_or_refuses_is_told_apart() {
    let gone = asked(
        "check_type: s3_object, bucket: b, endpoint: 'http://127.0.0.1:1', access_key: AKIA, \
         secret_key: geheim, key: k, timeout: 5s",
    );
    assert_eq!(bad(&gone).0, WhyClass::Refused);
    assert!(!format!("{gone:?}").contains("geheim"));
}

/// P-55: the version that a manifest names as users get it.
#[test]
fn the_version_of_a_manifest_is_held_against_the_expected_one() {
    let dir = tempfile::tempdir().unwrap();
    let objects: Arc<dyn Objects> = Arc::new(Folder::new(dir.path().to_owned()));
    lay(&*objects, "current/", "2.0.5", 1);
    let edge = Edge::start(objects);
    let manifest = |rest: &str| {
        let at = format!("{}/manifest.json", edge.url);
        asked(&format!("check_type: cdn_asset, endpoint_url: '{at}', timeout: 10s, {rest}"))
    };
    assert_eq!(manifest("version: 2.0.5").finding, Finding::Good);
    let other = manifest("version: 2.0.6");
    assert_eq!(bad(&other).0, WhyClass::Content);
    assert!(bad(&other).1.contains("2.0.5"), "{other:?}");
    assert_eq!(bad(&manifest("version: 2.0.5, field: build.version")).0, WhyClass::Content);
}
