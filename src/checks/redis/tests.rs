use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::adapters::secret::Secret;
use crate::checks::fixture::{self, Server as Raw, free_port};
use crate::checks::threshold::Range;
use crate::checks::{CheckKind, probe};
use crate::model::reading::Reading;

fn settings(port: u16, ask: Ask) -> Settings {
    let server = Server {
        host: "127.0.0.1".into(),
        port,
        trust: None,
        user: None,
        password: None,
        database: 0,
    };
    Settings { server, ask, thresholds: Thresholds::default() }
}

async fn see(settings: Settings) -> Reading {
    let spec = fixture::spec(CheckKind::Redis(settings), Duration::from_millis(600));
    let reading = probe(&spec, &fixture::cx()).await;
    assert!(!format!("{reading:?}").contains('\x1b'));
    reading
}

/// A server that answers the commands in turn with `replies`, in pieces, then closes.
async fn server(replies: &'static [&'static str]) -> u16 {
    let server = Raw::start(move |mut stream| async move {
        stream.set_nodelay(true).unwrap();
        for reply in replies {
            let mut command = [0; 256];
            if !matches!(stream.read(&mut command).await, Ok(1..)) {
                return;
            }
            for piece in reply.as_bytes().chunks(3) {
                stream.write_all(piece).await.ok();
                tokio::task::yield_now().await;
            }
        }
    })
    .await;
    server.port
}

fn unknown(reading: &Reading) -> Option<Reason> {
    match reading.finding {
        Finding::Unknown { reason } => Some(reason),
        Finding::Good | Finding::Warn { .. } | Finding::Bad { .. } => None,
    }
}

fn class(reading: &Reading) -> WhyClass {
    match &reading.finding {
        Finding::Bad { why } => why.class,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn ping_and_numbers_are_read_in_pieces() {
    let pong = see(settings(server(&["+PONG\r\n"]).await, Ask::Ping)).await;
    assert_eq!((pong.finding, pong.unit.as_str()), (Finding::Good, "ms"));
    let port = server(&["+PONG\r\n", ":412\r\n"]).await;
    let thresholds = Thresholds { warning: None, critical: Some(Range::From(400.0)) };
    let queue = Settings { thresholds, ..settings(port, Ask::Length("jobs".into())) };
    let queue = see(queue).await;
    assert_eq!((class(&queue), queue.value), (WhyClass::Threshold, Some(412.0)));
    let replies = &["+PONG\r\n", "$39\r\n# Clients\r\nconnected_clients:17\r\nx:1\r\n\r\n\r\n"];
    let port = server(replies).await;
    let info = see(settings(port, Ask::Info("connected_clients".into()))).await;
    assert_eq!((info.value, info.note.as_str()), (Some(17.0), "17"), "{info:?}");
}

#[tokio::test]
async fn every_no_has_its_meaning() {
    for (replies, reason) in [
        (&["-NOAUTH Authentication required.\r\n"][..], Reason::NoPermission),
        (&["-DENIED Redis is running in protected mode\r\n"], Reason::NoPermission),
        (&["+PONG\r\n", "-WRONGTYPE Operation against a key\r\n"], Reason::BadConfig),
        (&["+PONG\r\n", "$-1\r\n"], Reason::NoData),
        (&["+PONG\r\n", "$7\r\n\x1b[2Jabc\r\n"], Reason::Parse),
    ] {
        let reading = see(settings(server(replies).await, Ask::Value("n".into()))).await;
        assert_eq!(unknown(&reading), Some(reason), "{replies:?}: {reading:?}");
    }
    let loading = see(settings(server(&["-LOADING Redis is loading\r\n"]).await, Ask::Ping)).await;
    assert_eq!((class(&loading), loading.note.as_str()), (WhyClass::Rejected, "LOADING"));
    let odd = see(settings(server(&["+what?\r\n"]).await, Ask::Ping)).await;
    assert_eq!(class(&odd), WhyClass::Content);
}

#[tokio::test]
async fn silence_and_rubbish_of_the_target_are_bad() {
    assert_eq!(class(&see(settings(free_port().await, Ask::Ping)).await), WhyClass::Refused);
    let silent = Raw::says("").await;
    assert_eq!(class(&see(settings(silent.port, Ask::Ping)).await), WhyClass::TimedOut);
    for rubbish in [
        &["HTTP/1.1 400 Bad Request\r\n\r\n"][..],
        &["*1\r\n*1\r\n*1\r\n"],
        &["$99999999999999999999\r\n"],
        &["$-5\r\n"],
        &["+PO"],
    ] {
        let reading = see(settings(server(rubbish).await, Ask::Ping)).await;
        assert!(matches!(class(&reading), WhyClass::Reset | WhyClass::TimedOut), "{rubbish:?}");
    }
    let endless = Raw::start(|mut stream| async move {
        let piece = vec![b'x'; 64 * 1024];
        stream.write_all(b"+").await.ok();
        while stream.write_all(&piece).await.is_ok() {}
    })
    .await;
    assert_eq!(class(&see(settings(endless.port, Ask::Ping)).await), WhyClass::Reset);
}

#[tokio::test]
async fn the_password_is_sent_first_and_never_shown() {
    let port = server(&["-WRONGPASS invalid username-password pair\r\n"]).await;
    let mut settings = settings(port, Ask::Ping);
    settings.server.password = Some(Secret::new("geheim"));
    settings.server.user = Some("ops".into());
    let shown = format!("{settings:?} {}", settings.target());
    assert!(!shown.contains("geheim"), "{shown}");
    let reading = see(settings).await;
    assert_eq!(unknown(&reading), Some(Reason::NoPermission));
    assert!(!format!("{reading:?}").contains("geheim"));
}
