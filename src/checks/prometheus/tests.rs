use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::adapters::http::Target;
use crate::checks::fixture::{self, Server as Raw, free_port};
use crate::checks::threshold::Range;
use crate::checks::{CheckKind, probe};
use crate::model::reading::Reading;
use crate::text::SafeText;

fn settings(url: &str) -> Settings {
    let headers = vec![(hyper::header::AUTHORIZATION, Secret::new("Bearer geheim"))];
    let target = Target::parse(url).unwrap();
    Settings {
        server: Server { url: Secret::plain(url), target, headers },
        query: Secret::plain("sum(rate(http_requests_total{status=~\"5..\"}[5m])) + 1"),
        unit: Unit::Percent,
        reduce: None,
        empty: Empty::Unknown,
        max_age: None,
        min_volume: None,
        thresholds: Thresholds { warning: None, critical: Some(Range::From(10.0)) },
    }
}

async fn see(settings: Settings) -> Reading {
    let spec = fixture::spec(CheckKind::Prometheus(settings), Duration::from_millis(800));
    probe(&spec, &fixture::cx()).await
}

fn vector(values: &[&str]) -> String {
    let samples: Vec<String> = values
        .iter()
        .enumerate()
        .map(|(at, value)| format!(r#"{{"metric":{{"n":"{at}"}},"value":[1,"{value}"]}}"#))
        .collect();
    let result = samples.join(",");
    format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{result}]}}}}"#)
}

async fn says(values: &[&str], change: impl Fn(&mut Settings)) -> Reading {
    let body = vector(values);
    let server = Raw::answers(move |_| fixture::answer(200, &body)).await;
    let mut settings = settings(&server.url("/"));
    change(&mut settings);
    see(settings).await
}

fn unknown(reading: &Reading) -> Option<Reason> {
    match reading.finding {
        Finding::Unknown { reason } => Some(reason),
        Finding::Good | Finding::Warn { .. } | Finding::Bad { .. } => None,
    }
}

#[tokio::test]
async fn the_value_is_judged_and_the_query_is_kept() {
    let reading = says(&["12.3456"], |_| {}).await;
    assert!(matches!(&reading.finding, Finding::Bad { why } if why.class == WhyClass::Threshold));
    assert_eq!((reading.note.as_str(), reading.unit.as_str()), ("12.346 percent", "percent"));
    assert_eq!(reading.value, Some(12.3456));
    let facts: Vec<&str> = reading.facts.iter().map(SafeText::as_str).collect();
    assert_eq!(facts[0], "query: sum(rate(http_requests_total{status=~\"5..\"}[5m])) + 1");
    assert!(facts.contains(&"{n=\"0\"} 12.3456"), "{facts:?}");
}

#[tokio::test]
async fn the_query_is_sent_as_a_form_with_its_time_and_the_password() {
    let seen = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&seen);
    let server = Raw::start(move |mut stream| {
        let kept = Arc::clone(&kept);
        async move {
            let mut text = String::new();
            let mut bytes = [0; 4096];
            while !text.contains("timeout=") {
                let read = stream.read(&mut bytes).await.unwrap();
                text.push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
            *kept.lock().unwrap() = text;
            stream.write_all(fixture::answer(200, &vector(&["1"])).as_bytes()).await.ok();
        }
    })
    .await;
    let reading = see(settings(&server.url("/prometheus/"))).await;
    assert_eq!(reading.finding, Finding::Good, "{}", reading.note);
    let sent = seen.lock().unwrap().clone();
    assert!(sent.starts_with("POST /prometheus/api/v1/query HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains("authorization: Bearer geheim"), "{sent}");
    let whole =
        "query=sum%28rate%28http_requests_total%7Bstatus%3D%7E%225..%22%7D%5B5m%5D%29%29+%2B+1";
    assert!(sent.contains(whole), "{sent}");
    assert!(sent.contains("&time=") && sent.contains("&timeout="), "{sent}");
    assert!(!format!("{reading:?}").contains("geheim"));
}

#[tokio::test]
async fn many_series_need_a_way_to_one_value() {
    let many = ["1", "0", "4"];
    assert_eq!(unknown(&says(&many, |_| {}).await), Some(Reason::Ambiguous));
    for (reduce, value) in [
        (Reduce::Max, 4.0),
        (Reduce::Min, 0.0),
        (Reduce::Sum, 5.0),
        (Reduce::Avg, 5.0 / 3.0),
        (Reduce::Any, 1.0),
        (Reduce::All, 0.0),
    ] {
        let reading = says(&many, |settings| settings.reduce = Some(reduce)).await;
        assert_eq!(reading.value, Some(value), "{reduce:?}");
    }
    let odd = says(&["1", "NaN"], |settings| settings.reduce = Some(Reduce::Max)).await;
    assert_eq!(unknown(&odd), Some(Reason::NoData));
    assert_eq!(unknown(&says(&["+Inf"], |_| {}).await), Some(Reason::NoData));
}

#[tokio::test]
async fn no_series_means_what_the_file_says() {
    let empty = |empty| says(&[], move |settings| settings.empty = empty);
    assert_eq!(unknown(&empty(Empty::Unknown).await), Some(Reason::NoData));
    let zero = empty(Empty::Zero).await;
    assert_eq!((zero.finding, zero.value), (Finding::Good, Some(0.0)));
    assert_eq!(empty(Empty::Good).await.finding, Finding::Good);
    assert!(matches!(empty(Empty::Fail).await.finding, Finding::Bad { .. }));
}

#[tokio::test]
async fn old_samples_and_little_traffic_are_not_judged() {
    let aged = |limit: u64| {
        says(&["30"], move |settings| {
            let of = Secret::plain("up");
            settings.max_age = Some(MaxAge { of, limit: Duration::from_secs(limit) });
        })
    };
    assert_eq!(unknown(&aged(29).await), Some(Reason::Stale));
    assert!(matches!(aged(31).await.finding, Finding::Bad { .. }));
    let busy = |at_least: f64| {
        says(&["30"], move |settings| {
            settings.min_volume = Some(MinVolume { query: Secret::plain("up"), at_least });
        })
    };
    assert_eq!(unknown(&busy(31.0).await), Some(Reason::TooFewSamples));
    assert!(matches!(busy(30.0).await.finding, Finding::Bad { .. }));
}

#[tokio::test]
async fn a_prometheus_that_does_not_answer_says_nothing_of_its_target() {
    let closed = see(settings(&format!("http://127.0.0.1:{}/", free_port().await))).await;
    assert_eq!(unknown(&closed), Some(Reason::NoData));
    assert!(closed.note.as_str().contains("refused"), "{}", closed.note);
    let silent = Raw::says("").await;
    assert_eq!(unknown(&see(settings(&silent.url("/"))).await), Some(Reason::NoData));
    for (status, body, reason) in [
        (401, "who?", Reason::NoPermission),
        (429, "slowly", Reason::Throttled),
        (400, r#"{"status":"error","errorType":"bad_data","error":"x"}"#, Reason::BadConfig),
        (422, r#"{"status":"error","errorType":"execution","error":"x"}"#, Reason::NoData),
        (200, "<html>\x1b[2J", Reason::Parse),
        (
            200,
            r#"{"status":"success","warnings":["gone"],"data":{"resultType":"vector","result":[]}}"#,
            Reason::Ambiguous,
        ),
    ] {
        let server = Raw::answers(move |_| fixture::answer(status, body)).await;
        let reading = see(settings(&server.url("/"))).await;
        assert_eq!(unknown(&reading), Some(reason), "{status} {body}");
        assert!(!format!("{reading:?}").contains('\x1b'));
    }
    let long = format!("{}{}", vector(&["1"]), " ".repeat(70_000));
    let server = Raw::answers(move |_| fixture::answer(200, &long)).await;
    assert_eq!(unknown(&see(settings(&server.url("/"))).await), Some(Reason::Ambiguous));
}
