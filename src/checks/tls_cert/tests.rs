use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;
use crate::adapters::http::Target;
use crate::adapters::secret::Secret;
use crate::checks::expect::Expectation;
use crate::checks::fixture::{Server, free_port};
use crate::checks::http_response::{self, Statuses};
use crate::checks::threshold::Range;
use crate::checks::{CheckKind, ProbeCx, fixture, probe};
use crate::model::ids::Time;
use crate::model::reading::{Finding, Reading};

/// Good for a hundred years from November 2026, for localhost and 127.0.0.1.
const CHAIN: &[u8] = include_bytes!("../../../tests/tls/server.pem");
const KEY: &[u8] = include_bytes!("../../../tests/tls/server.key");
const AUTHORITY: &[u8] = include_bytes!("../../../tests/tls/ca.pem");

/// A server that shakes hands and answers any HTTP request.
async fn server() -> u16 {
    let chain = vec![CertificateDer::from_pem_slice(CHAIN).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                stream.write_all(fixture::answer(200, "ok").as_bytes()).await.ok();
                stream.shutdown().await.ok();
            });
        }
    });
    port
}

fn settings(port: u16, name: &str) -> Settings {
    Settings {
        host: "127.0.0.1".into(),
        port,
        name: name.into(),
        trust: Some(Trust::of_pem(AUTHORITY).unwrap()),
        thresholds: Thresholds {
            warning: Some(Range::UpTo(21.0)),
            critical: Some(Range::UpTo(7.0)),
        },
    }
}

fn time(text: &str) -> Time {
    text.parse().unwrap()
}

async fn at(settings: Settings, now: Time) -> Reading {
    let spec = fixture::spec(CheckKind::TlsCert(settings), Duration::from_secs(5));
    probe(&spec, &ProbeCx { clock: Clock::manual(now), ..fixture::cx() }).await
}

fn why(reading: &Reading) -> (WhyClass, &str) {
    match &reading.finding {
        Finding::Bad { why } | Finding::Warn { why } => (why.class, reading.note.as_str()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_days_that_are_left_are_judged() {
    let port = server().await;
    let now = Clock::real().now();
    let good = at(settings(port, "localhost"), now).await;
    assert_eq!((&good.finding, good.unit.as_str()), (&Finding::Good, "days"), "{good:?}");
    assert!(good.value.is_some_and(|days| days > 1000.0) && good.phases.tls.is_some());
    assert!(good.facts.iter().any(|fact| fact.as_str().contains("backout test authority")));
    let until = good.facts.iter().find_map(|fact| fact.as_str().split(" to ").nth(1)).unwrap();
    let before = |days: i64| time(until) - chrono::Duration::days(days);
    let soon = at(settings(port, "localhost"), before(20)).await;
    assert_eq!(why(&soon), (WhyClass::Threshold, "20 days left"));
    assert!(matches!(soon.finding, Finding::Warn { .. }));
    let close = at(settings(port, "localhost"), before(2)).await;
    assert!(matches!(close.finding, Finding::Bad { .. }));
    let over = at(settings(port, "localhost"), before(-1)).await;
    assert_eq!((why(&over), over.value), ((WhyClass::Tls, "expired"), Some(-1.0)));
    let early = at(settings(port, "localhost"), time("2001-01-01T00:00:00Z")).await;
    assert_eq!(why(&early), (WhyClass::Tls, "not valid yet"));
}

#[tokio::test]
async fn name_and_chain_have_to_be_good() {
    let port = server().await;
    let now = Clock::real().now();
    let other = at(settings(port, "other.example"), now).await;
    assert_eq!(why(&other), (WhyClass::Tls, "wrong name"));
    assert!(other.value.is_some(), "the days are said even so");
    let strangers = Settings { trust: None, ..settings(port, "localhost") };
    assert_eq!(why(&at(strangers, now).await), (WhyClass::Tls, "not trusted"));
}

#[tokio::test]
async fn what_is_no_tls_is_told_from_what_keeps_silent() {
    let now = Clock::real().now();
    let look = |port| at(settings(port, "localhost"), now);
    assert_eq!(why(&look(free_port().await).await).0, WhyClass::Refused);
    let plain = Server::start(|mut stream| async move {
        stream.write_all(b"220 mail.example ESMTP\r\n").await.ok();
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(why(&look(plain.port).await).0, WhyClass::Tls);
    let silent = Server::says("").await;
    let spec = fixture::spec(CheckKind::TlsCert(settings(silent.port, "localhost")), LIMIT);
    let reading = probe(&spec, &fixture::cx()).await;
    assert_eq!(why(&reading).0, WhyClass::TimedOut);
}

const LIMIT: Duration = Duration::from_millis(300);

#[test]
fn a_file_without_certificates_is_refused() {
    assert_eq!(Trust::of_pem(b"").unwrap_err(), "holds no certificate");
    assert_eq!(Trust::of_pem(KEY).unwrap_err(), "holds no certificate");
    assert!(Trust::of_pem(b"-----BEGIN CERTIFICATE-----\nnonsense!\n").is_err());
}

#[tokio::test]
async fn http_trusts_its_own_authority_and_counts_the_days() {
    let url = format!("https://localhost:{}/", server().await);
    let look = |line: &str, own: bool| {
        let target = Target::parse(&url).unwrap();
        let trust = Trust::of_pem(AUTHORITY).unwrap();
        let kind = CheckKind::HttpResponse(http_response::Settings {
            url: Secret::plain(url.clone()),
            target: if own { target.trusting(trust) } else { target },
            headers: Vec::new(),
            method: hyper::Method::GET,
            body: hyper::body::Bytes::new(),
            expected: Statuses(vec![(200, 200)]),
            thresholds: Thresholds::default(),
            expect: vec![Expectation::parse(line).unwrap()],
            requests: 1,
        });
        async move { probe(&fixture::spec(kind, Duration::from_secs(5)), &fixture::cx()).await }
    };
    let good = look("cert_days > 7", true).await;
    assert_eq!(good.finding, Finding::Good, "{}", good.note);
    let short = look("cert_days > 99999", true).await;
    assert_eq!(why(&short).0, WhyClass::Content);
    assert_eq!(why(&look("cert_days > 7", false).await).0, WhyClass::Tls);
}
