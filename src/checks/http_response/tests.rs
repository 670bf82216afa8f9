use std::sync::atomic::Ordering;

use tokio::io::AsyncWriteExt;

use super::*;
use crate::checks::fixture::{self, Server, answer, request};
use crate::checks::threshold::Range;
use crate::checks::{CheckKind, probe};
use crate::model::reading::{Reading, Reason};

const LIMIT: Duration = Duration::from_millis(600);

fn settings(url: &str) -> Settings {
    fixture::http(url)
}

fn expecting(url: &str, line: &str) -> Settings {
    Settings { expect: vec![Expectation::parse(line).unwrap()], ..settings(url) }
}

/// Looks once and asserts that it ended within its limit.
async fn look(settings: Settings) -> Reading {
    let spec = fixture::spec(CheckKind::HttpResponse(settings), LIMIT);
    let begun = Instant::now();
    let reading = probe(&spec, &fixture::cx()).await;
    assert!(begun.elapsed() < LIMIT + Duration::from_millis(900), "took {:?}", begun.elapsed());
    assert!(!reading.note.as_str().contains('\x1b'));
    reading
}

/// The class and the words of a bad finding.
fn why(reading: &Reading) -> (WhyClass, &str) {
    match &reading.finding {
        Finding::Bad { why } => (why.class, why.text.as_str()),
        other => panic!("{other:?}"),
    }
}

async fn says(bytes: &str) -> Reading {
    look(settings(&Server::says(bytes).await.url("/"))).await
}

#[tokio::test]
async fn an_expected_answer_is_good_and_its_phases_are_known() {
    let server = Server::answers(|_| answer(200, "ok")).await;
    let reading = look(settings(&server.url("/health"))).await;
    assert_eq!(reading.finding, Finding::Good);
    assert_eq!((reading.note.as_str(), reading.unit.as_str()), ("200", "ms"));
    assert_eq!((reading.failed_of, reading.latencies.len()), ((0, 1), 1));
    assert!(reading.value.is_some_and(|ms| ms > 0.0 && ms < 600.0));
    let phases = reading.phases;
    assert!(phases.resolve.is_some() && phases.connect.is_some() && phases.first_byte.is_some());
    assert_eq!(phases.tls, None);
}

#[tokio::test]
async fn fault_1_a_result_belongs_to_its_own_check() {
    let server = Server::answers(|_| answer(200, "ok")).await;
    assert_eq!(look(settings(&server.url("/"))).await.check.as_str(), "under_test");
}

#[tokio::test]
async fn fault_2_http_500_is_a_failure() {
    for status in [404, 500, 503] {
        let server = Server::answers(move |_| answer(status, "")).await;
        let reading = look(settings(&server.url("/"))).await;
        assert_eq!(why(&reading), (WhyClass::Status, &*format!("{status}, expected 200")));
        assert_eq!(reading.failed_of, (1, 1));
    }
}

#[tokio::test]
async fn fault_5_the_expected_status_of_each_check_is_used() {
    // M-04: 503 is right while switched off, and 200 is wrong; M-19: a refused login is alive.
    for (expected, status, good) in [
        ("503", 503, true),
        ("503", 200, false),
        ("200,401,403", 401, true),
        ("2xx", 204, true),
        ("200-202", 204, false),
    ] {
        let server =
            Server::answers(move |_| format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n"))
                .await;
        let reading = look(Settings {
            expected: Statuses::parse(expected).unwrap(),
            thresholds: Thresholds { warning: None, critical: Some(Range::From(500.0)) },
            ..settings(&server.url("/"))
        })
        .await;
        assert_eq!(reading.finding == Finding::Good, good, "{status} for {expected}");
    }
}

#[tokio::test]
async fn the_threshold_of_a_warning_is_on_the_status() {
    let thresholds =
        Thresholds { warning: Some(Range::From(400.0)), critical: Some(Range::From(500.0)) };
    for (status, bad) in [(404, false), (503, true)] {
        let server = Server::answers(move |_| answer(status, "")).await;
        let reading = look(Settings { thresholds, ..settings(&server.url("/")) }).await;
        assert_eq!(matches!(reading.finding, Finding::Bad { .. }), bad, "{:?}", reading.finding);
        assert_eq!(matches!(reading.finding, Finding::Warn { .. }), !bad, "{:?}", reading.finding);
    }
}

#[tokio::test]
async fn silence_of_the_target_is_bad_each_in_its_own_class() {
    let refused = format!("http://127.0.0.1:{}/", fixture::free_port().await);
    assert_eq!(why(&look(settings(&refused)).await).0, WhyClass::Refused);
    let reading = look(settings("http://no..name/")).await;
    assert_eq!(why(&reading).0, WhyClass::NotResolved);
    let hanging = Server::start(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let reading = look(settings(&hanging.url("/"))).await;
    assert_eq!(why(&reading).0, WhyClass::TimedOut);
    assert!(why(&reading).1.ends_with("no answer in 0.6 s while waiting for the answer"));
    let closing = Server::start(|mut stream| async move {
        request(&mut stream).await;
    })
    .await;
    assert_eq!(why(&look(settings(&closing.url("/"))).await).0, WhyClass::Reset);
}

#[tokio::test]
async fn a_server_without_tls_is_a_tls_failure() {
    let server = Server::says("HTTP/1.1 400 x\r\n\r\n").await;
    let plain = Server::start(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 400 this is not TLS\r\n\r\n").await.ok();
        std::future::pending::<()>().await;
    })
    .await;
    let reading = look(settings(&format!("https://127.0.0.1:{}/", plain.port))).await;
    assert_eq!(why(&reading).0, WhyClass::Tls);
    let reading = look(settings(&format!("https://127.0.0.1:{}/", server.port))).await;
    assert_eq!(why(&reading).0, WhyClass::TimedOut);
    assert!(why(&reading).1.contains("while the TLS handshake"), "{:?}", why(&reading));
}

#[tokio::test]
async fn endless_chunks_end() {
    let server = Server::start(|mut stream| async move {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n").await.ok();
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
        while stream.write_all(chunk.as_bytes()).await.is_ok() {}
    })
    .await;
    assert_eq!(look(settings(&server.url("/"))).await.finding, Finding::Good);
    let reading = look(expecting(&server.url("/"), "json .ready == true")).await;
    assert_eq!(why(&reading), (WhyClass::Content, "the answer is longer than 64 KiB"));
}

#[tokio::test]
async fn one_byte_at_a_time_runs_into_the_limit() {
    let server = Server::start(|mut stream| async move {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 x\r\ncontent-length: 1000\r\n\r\n").await.ok();
        while stream.write_all(b"x").await.is_ok() {
            Clock::real().sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let reading = look(settings(&server.url("/"))).await;
    assert_eq!(why(&reading).0, WhyClass::TimedOut);
    assert!(why(&reading).1.ends_with("200, but no end of it in 0.6 s"), "{:?}", why(&reading));
}

#[tokio::test]
async fn ten_gibibytes_are_promised_and_not_waited_for() {
    let server = Server::start(|mut stream| async move {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 x\r\ncontent-length: 10737418240\r\n\r\n").await.ok();
        let block = vec![b'x'; 16 * 1024];
        while stream.write_all(&block).await.is_ok() {}
    })
    .await;
    assert_eq!(look(settings(&server.url("/"))).await.finding, Finding::Good);
    let silent = says("HTTP/1.1 200 x\r\ncontent-length: 10737418240\r\n\r\nabc").await;
    assert_eq!(why(&silent).0, WhyClass::TimedOut);
}

#[tokio::test]
async fn a_thousand_headers_are_not_an_answer() {
    let headers = (0..1000).map(|n| format!("x-{n}: y\r\n")).collect::<Vec<_>>().concat();
    let reading = says(&format!("HTTP/1.1 200 x\r\n{headers}content-length: 0\r\n\r\n")).await;
    assert_eq!(why(&reading).0, WhyClass::Reset);
    assert!(why(&reading).1.contains("more than 100 headers"), "{:?}", why(&reading));
}

#[tokio::test]
async fn an_endless_head_is_not_an_answer() {
    let server = Server::start(|mut stream| async move {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 x\r\nx: ").await.ok();
        while stream.write_all(&[b'x'; 1024]).await.is_ok() {}
    })
    .await;
    assert_eq!(why(&look(settings(&server.url("/"))).await).0, WhyClass::Reset);
}

#[tokio::test]
async fn an_answer_without_content_is_judged_by_its_status() {
    let reading = says("HTTP/1.1 204 x\r\n\r\n").await;
    assert_eq!(why(&reading), (WhyClass::Status, "204, expected 200"));
}

#[tokio::test]
async fn html_with_200_is_not_ready() {
    let server = Server::answers(|_| answer(200, "<html>login</html>")).await;
    let reading = look(expecting(&server.url("/"), "json .overall_ready == true")).await;
    assert_eq!(why(&reading).0, WhyClass::Content);
    assert!(why(&reading).1.starts_with("the answer is not JSON"));
    assert_eq!(reading.note.as_str(), "200, content");
}

#[tokio::test]
async fn numbers_that_do_not_exist_are_not_ready() {
    for body in [r#"{"ready":1e999}"#, r#"{"ready":NaN}"#, r#"{"ready":"true"}"#, "", "[]"] {
        let server = Server::answers(move |_| answer(200, body)).await;
        let reading = look(expecting(&server.url("/"), "json .ready == true")).await;
        assert_eq!(why(&reading).0, WhyClass::Content, "{body}");
    }
}

#[tokio::test]
async fn a_redirect_is_a_status_and_not_followed() {
    let reading =
        says("HTTP/1.1 302 x\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(
        why(&reading),
        (WhyClass::Status, "302, expected 200; redirects to file:///etc/passwd are not followed")
    );
}

#[tokio::test]
async fn what_is_not_http_is_told() {
    for junk in [
        "SSH-2.0-OpenSSH_9.9\r\n\r\n",
        "HTTP/1.0 junk\r\n\r\n",
        "HTTP/9.9 200 x\r\n\r\n",
        "\0\0\0\0\0",
    ] {
        let reading = says(junk).await;
        let (class, text) = why(&reading);
        assert!(matches!(class, WhyClass::Reset | WhyClass::TimedOut), "{class:?} on {junk:?}");
        assert!(!text.is_empty());
    }
    assert!(why(&says("SSH-2.0-OpenSSH_9.9\r\n\r\n").await).1.contains("is not HTTP"));
}

#[tokio::test]
async fn an_old_server_that_closes_after_its_answer_is_fine() {
    let server = Server::start(|mut stream| async move {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nfine").await.ok();
    })
    .await;
    let reading = look(expecting(&server.url("/"), "body contains fine")).await;
    assert_eq!(reading.finding, Finding::Good);
}

#[tokio::test]
async fn a_header_with_an_escape_reaches_no_terminal() {
    let reading = says("HTTP/1.1 302 x\r\nlocation: \x1b[2J\r\ncontent-length: 0\r\n\r\n").await;
    assert!(!why(&reading).1.contains('\x1b'), "{:?}", why(&reading));
    let raw = "HTTP/1.1 302 x\r\nlocation: \u{9b}2J\r\ncontent-length: 0\r\n\r\n";
    assert!(!why(&says(raw).await).1.contains('\u{9b}'));
}

#[tokio::test]
async fn compressed_content_is_not_guessed_at() {
    let server = Server::answers(|_| {
        "HTTP/1.1 200 x\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x0b".to_owned()
    })
    .await;
    let reading = look(expecting(&server.url("/"), "body contains x")).await;
    assert!(why(&reading).1.contains("although not asked for"));
}

#[tokio::test]
async fn a_burst_shares_one_connection() {
    let server = Server::answers(|_| answer(200, "ok")).await;
    let reading = look(Settings { requests: 10, ..settings(&server.url("/")) }).await;
    assert_eq!(reading.finding, Finding::Good);
    assert_eq!((reading.failed_of, reading.latencies.len()), ((0, 10), 10));
    assert_eq!(server.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_burst_on_a_server_that_closes_each_time_opens_new_connections() {
    let server = Server::start(|mut stream| async move {
        request(&mut stream).await;
        let text = "HTTP/1.1 200 x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(text.as_bytes()).await.ok();
    })
    .await;
    let reading = look(Settings { requests: 5, ..settings(&server.url("/")) }).await;
    assert_eq!((reading.failed_of, reading.latencies.len()), ((0, 5), 5), "{:?}", reading.finding);
    assert_eq!(server.connections.load(Ordering::Relaxed), 5);
}

#[tokio::test]
async fn some_failures_of_a_burst_are_a_warning_and_half_of_them_are_bad() {
    let every = |n: usize| {
        Server::answers(move |at| answer(if at.is_multiple_of(n) { 500 } else { 200 }, ""))
    };
    let server = every(4).await;
    let reading = look(Settings { requests: 10, ..settings(&server.url("/")) }).await;
    assert!(matches!(reading.finding, Finding::Warn { .. }), "{:?}", reading.finding);
    assert_eq!((reading.failed_of, reading.note.as_str()), ((3, 10), "3 of 10: 500"));
    assert_eq!((reading.latencies.len(), reading.value), (7, None));
    let server = every(2).await;
    let reading = look(Settings { requests: 10, ..settings(&server.url("/")) }).await;
    assert_eq!(why(&reading), (WhyClass::Status, "5 of 10: 500, expected 200"));
}

#[tokio::test]
async fn requests_behind_one_that_hangs_count_as_failed() {
    let server = Server::says("").await;
    let reading = look(Settings { requests: 10, ..settings(&server.url("/")) }).await;
    assert_eq!((why(&reading).0, reading.failed_of), (WhyClass::TimedOut, (10, 10)));
    let refused = format!("http://127.0.0.1:{}/", fixture::free_port().await);
    let reading = look(Settings { requests: 10, ..settings(&refused) }).await;
    assert_eq!((why(&reading).0, reading.failed_of), (WhyClass::Refused, (10, 10)));
}

#[tokio::test]
async fn slow_answers_that_do_not_all_fit_the_limit_are_not_failures() {
    let server = Server::start(|mut stream| async move {
        while request(&mut stream).await {
            Clock::real().sleep(Duration::from_millis(160)).await;
            if stream.write_all(answer(200, "ok").as_bytes()).await.is_err() {
                return;
            }
        }
    })
    .await;
    let reading = look(Settings { requests: 10, ..settings(&server.url("/")) }).await;
    assert_eq!(reading.finding, Finding::Good);
    let (failed, asked) = reading.failed_of;
    assert!(failed == 0 && (1..=4).contains(&asked), "{failed} of {asked}");
    assert!(reading.value.is_some_and(|ms| ms >= 160.0));
}

#[tokio::test]
async fn a_header_that_is_secret_is_sent_and_a_missing_right_is_not_bad() {
    let server = Server::start(|mut stream| async move {
        let mut head = vec![0; 4096];
        let read = tokio::io::AsyncReadExt::read(&mut stream, &mut head).await.unwrap_or(0);
        let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
        let fine = head.contains("authorization: bearer hunter2")
            && head.contains("user-agent: backout/")
            && !head.contains("accept-encoding");
        stream.write_all(answer(if fine { 200 } else { 401 }, "").as_bytes()).await.ok();
    })
    .await;
    let headers = vec![(HeaderName::from_static("authorization"), Secret::new("Bearer hunter2"))];
    let reading = look(Settings { headers, ..settings(&server.url("/")) }).await;
    assert_eq!(reading.finding, Finding::Good);
    let headers = vec![(HeaderName::from_static("x"), Secret::new("a\nb"))];
    let reading = look(Settings { headers, ..settings(&server.url("/")) }).await;
    assert_eq!(reading.finding, Finding::Unknown { reason: Reason::NoTool });
    assert_eq!(reading.failed_of, (0, 0));
}
