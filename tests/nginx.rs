//! nginx on this host, without a container: what the one of a Compose service is held to as well.

mod host;

use std::collections::BTreeSet;
use std::time::Duration;

use backout::adapters::nginx::{ColorFile, Nginx};
use backout::adapters::{Kind, Traffic, control};
use backout::clock::Clock;
use backout::model::hold::HoldPart;
use backout::model::ids::Color;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use host::HostNginx;

const LIMIT: Duration = Duration::from_secs(30);

/// An application of one colour, which ends with its test.
async fn app(color: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = vec![0; 4096];
                if stream.read(&mut buffer).await.is_err() {
                    return;
                }
                let body = format!("{{\"environment\": \"{color}\"}}");
                let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all((head + &body).as_bytes()).await.ok();
            });
        }
    });
    port
}

async fn started() -> Option<HostNginx> {
    let colors = [("blue", app("blue").await), ("green", app("green").await)];
    tokio::task::spawn_blocking(move || HostNginx::start(&colors)).await.unwrap()
}

#[tokio::test]
async fn a_switch_on_this_host_loses_no_request_whatever_else_runs_here() {
    // Another nginx beside it, whose workers nobody replaces.
    let (Some(host), Some(other)) = (started().await, started().await) else { return };
    let nginx = Nginx::new(host.settings(), Clock::real());
    assert_eq!(nginx.look().await.unwrap().active, Color::from("blue"));
    let (url, clock) = (host.settings().public_url, Clock::real());
    let mut asked = tokio::task::JoinSet::new();
    let mut every = tokio::time::interval(Duration::from_millis(5));
    let mut switched = None;
    for number in 0..300 {
        every.tick().await;
        let (url, clock) = (url.clone(), clock.clone());
        asked.spawn(async move { control::get(&url, LIMIT, &clock).await });
        if number == 50 {
            let nginx = nginx.clone();
            switched =
                Some(tokio::spawn(async move { nginx.switch(&"green".into(), "e.to.1").await }));
        }
    }
    switched.unwrap().await.unwrap().unwrap();
    let mut failed = Vec::new();
    while let Some(reply) = asked.join_next().await {
        match reply.unwrap() {
            Ok(reply) if reply.status == 200 => {}
            Ok(reply) => failed.push(reply.status.to_string()),
            Err(error) => failed.push(error.message),
        }
    }
    assert_eq!(failed, [""; 0]);
    let state = nginx.look().await.unwrap();
    assert_eq!((state.active, state.effect.as_deref()), ("green".into(), Some("e.to.1")));
    assert_eq!(nginx.drain(&"blue".into(), LIMIT).await.unwrap(), 0);
    let beside = Nginx::new(other.settings(), Clock::real());
    assert_eq!(beside.look().await.unwrap().active, Color::from("blue"));
}

#[tokio::test]
async fn what_the_nginx_of_this_host_refuses_leaves_it_as_it_was() {
    let Some(host) = started().await else { return };
    let mut settings = host.settings();
    let before = std::fs::read(&settings.include).unwrap();
    let broken = "upstream app { server 127.0.0.1:1; no_such_thing on; }\n";
    settings.colors.insert("green".into(), ColorFile::Text(broken.to_owned()));
    let nginx = Nginx::new(settings.clone(), Clock::real());
    let error = nginx.switch(&"green".into(), "e.refused.1").await.unwrap_err();
    assert_eq!(error.kind, Kind::Rejected);
    assert!(error.message.contains("no_such_thing"), "{error}");
    assert_eq!(std::fs::read(&settings.include).unwrap(), before);
    let gone = "upstream app { server no-such-host.invalid:1; }\n";
    settings.colors.insert("green".into(), ColorFile::Text(gone.to_owned()));
    let nginx = Nginx::new(settings, Clock::real());
    let error = nginx.switch(&"green".into(), "e.refused.2").await.unwrap_err();
    assert_eq!(error.kind, Kind::NotResolved, "{error}");
    assert_eq!(nginx.look().await.unwrap().active, Color::from("blue"));
}

#[tokio::test]
async fn the_page_is_held_and_lifted_on_this_host() {
    let Some(host) = started().await else { return };
    let nginx = Nginx::new(host.settings(), Clock::real());
    let clock = Clock::real();
    let get =
        || async { control::get(&host.settings().public_url, LIMIT, &clock).await.unwrap().status };
    nginx.hold(HoldPart::Page, true, "e.hold.1").await.unwrap();
    assert_eq!(get().await, 503);
    let state = nginx.look().await.unwrap();
    assert_eq!(state.active, Color::from("blue"), "it is told although the page is held");
    assert_eq!(state.held, Some(BTreeSet::from([HoldPart::Page])));
    nginx.hold(HoldPart::Page, false, "e.lift.1").await.unwrap();
    assert_eq!(get().await, 200);
    assert_eq!(nginx.look().await.unwrap().held, Some(BTreeSet::new()));
}
