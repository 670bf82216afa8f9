//! nginx: switched under load, refused, cut off, held.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use backout::adapters::nginx::{ColorFile, Nginx};
use backout::adapters::{Kind, Traffic, Workload, control};
use backout::clock::Clock;
use backout::model::hold::HoldPart;
use backout::model::ids::Color;

use super::deploys::order;
use super::lab::{Lab, lab};

const LIMIT: Duration = Duration::from_secs(15);

/// Green runs beside blue, and blue has the traffic.
async fn both(lab: &Lab) -> Nginx {
    let compose = lab.compose();
    compose.start(&"blue".into(), "e").await.unwrap();
    compose.deploy(&order("v2.4.9", "e.both.1").await).await.unwrap();
    let (clock, green) = (Clock::real(), format!("http://127.0.0.1:{}/health", lab.port + 2));
    for _ in 0..300 {
        let said = control::get(&green, LIMIT, &clock).await;
        if said.is_ok_and(|reply| reply.is_success()) {
            break;
        }
        clock.sleep(Duration::from_millis(100)).await;
    }
    let nginx = lab.nginx();
    nginx.switch(&"blue".into(), "e.begin.1").await.unwrap();
    nginx
}

#[tokio::test]
async fn a_switch_under_load_loses_no_request() {
    let Some(lab) = lab() else { return };
    let nginx = both(&lab).await;
    let url = lab.url("/health");
    // The next one is asked when one is answered, and no more at a time than the application's own
    // queue holds: what a slow machine loses there is no loss of the switch.
    let (answered, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let (url, answered, over) = (url.clone(), Arc::clone(&answered), Arc::clone(&over));
        asking.spawn(async move {
            let (clock, mut all) = (Clock::real(), Vec::new());
            while !over.load(Ordering::SeqCst) {
                all.push(control::get(&url, LIMIT, &clock).await);
                answered.fetch_add(1, Ordering::SeqCst);
            }
            all
        });
    }
    let until = async |count: usize| {
        while answered.load(Ordering::SeqCst) < count {
            Clock::real().sleep(Duration::from_millis(5)).await;
        }
    };
    until(300).await;
    nginx.switch(&"green".into(), "7-k7qd-1.switch.1").await.unwrap();
    until(answered.load(Ordering::SeqCst) + 500).await;
    over.store(true, Ordering::SeqCst);
    let (mut failed, mut colors) = (Vec::new(), BTreeSet::new());
    while let Some(all) = asking.join_next().await {
        for reply in all.unwrap() {
            match reply {
                Ok(reply) if reply.status == 200 => {
                    let color = reply.json().unwrap()["environment"].as_str().unwrap().to_owned();
                    colors.insert(color);
                }
                Ok(reply) => failed.push(reply.status.to_string()),
                Err(error) => failed.push(error.message),
            }
        }
    }
    assert_eq!(failed, [""; 0]);
    assert_eq!(colors, BTreeSet::from(["blue".to_owned(), "green".to_owned()]));
    let state = nginx.look().await.unwrap();
    assert_eq!(state.active, Color::from("green"));
    assert_eq!(state.effect.as_deref(), Some("7-k7qd-1.switch.1"));
    assert_eq!(state.held, Some(BTreeSet::new()));
    assert_eq!(lab.variable("ACTIVE").as_deref(), Some("green"));
    assert_eq!(nginx.drain(&"blue".into(), LIMIT).await.unwrap(), 0);
    assert_eq!(nginx.look().await.unwrap().in_flight[&"blue".into()], 0);
    nginx.switch(&"blue".into(), "e.back.1").await.unwrap();
}

#[tokio::test]
async fn what_nginx_refuses_leaves_the_old_one_and_its_words() {
    let Some(lab) = lab() else { return };
    both(&lab).await;
    let mut settings = lab.nginx_settings();
    let before = std::fs::read(&settings.include).unwrap();
    let broken = "upstream app { server app-green:8080; no_such_thing on; }\n";
    settings.colors.insert("green".into(), ColorFile::Text(broken.to_owned()));
    let nginx = Nginx::new(settings.clone(), Clock::real());
    let error = nginx.switch(&"green".into(), "e.refused.1").await.unwrap_err();
    assert_eq!(error.kind, Kind::Rejected);
    assert!(error.message.contains("no_such_thing"), "{error}");
    assert_eq!(std::fs::read(&settings.include).unwrap(), before);
    let state = nginx.look().await.unwrap();
    assert_eq!((state.active, state.effect.as_deref()), ("blue".into(), Some("e.begin.1")));
    let names: Vec<_> = std::fs::read_dir(lab.upstreams()).unwrap().flatten().collect();
    assert!(names.iter().all(|name| !name.file_name().to_string_lossy().ends_with(".new")));
}

#[tokio::test]
async fn a_colour_that_is_not_there_is_refused_before_anything() {
    let Some(lab) = lab() else { return };
    let nginx = both(&lab).await;
    let (compose, green) = (lab.compose(), Color::from("green"));
    compose.stop(&green, Duration::from_secs(3), "e").await.unwrap();
    let error = nginx.switch(&green, "e.away.1").await.unwrap_err();
    assert_eq!(error.kind, Kind::NotResolved, "{error}");
    assert!(error.message.contains("start it first"), "{error}");
    assert_eq!(nginx.look().await.unwrap().active, Color::from("blue"));
    compose.start(&green, "e").await.unwrap();
}

#[tokio::test]
async fn what_is_served_counts_and_not_what_the_file_says() {
    let Some(lab) = lab() else { return };
    let nginx = both(&lab).await;
    // Cut off between the file and the reload.
    std::fs::copy(lab.upstreams().join("green.upstream"), lab.upstreams().join("active.conf"))
        .unwrap();
    assert_eq!(nginx.look().await.unwrap().active, Color::from("blue"));
    nginx.switch(&"green".into(), "e.again.1").await.unwrap();
    assert_eq!(nginx.look().await.unwrap().active, Color::from("green"));
    // Its application is down: nobody says a colour, and it is still green's turn.
    let compose = lab.compose();
    compose.stop(&"green".into(), Duration::from_secs(3), "e").await.unwrap();
    assert_eq!(nginx.look().await.unwrap().active, Color::from("green"));
    nginx.switch(&"blue".into(), "e.back.1").await.unwrap();
    assert_eq!(nginx.look().await.unwrap().active, Color::from("blue"));
}

#[tokio::test]
async fn the_page_and_the_writers_are_held_and_lifted() {
    let Some(lab) = lab() else { return };
    both(&lab).await;
    let conf = lab.dir.join("nginx/conf.d/default.conf");
    let text = std::fs::read_to_string(&conf).unwrap();
    let mut settings = lab.nginx_settings();
    let (page, writers) = (lab.upstreams().join("page.inc"), lab.upstreams().join("writers.inc"));
    std::fs::write(&page, "").unwrap();
    std::fs::write(&writers, "").unwrap();
    let includes = "location / {\n    include /etc/nginx/upstreams/page.inc;\n    include /etc/nginx/upstreams/writers.inc;\n";
    std::fs::write(&conf, text.replace("location / {\n", includes)).unwrap();
    settings.hold_include = Some(page);
    settings.writers_include = Some(writers);
    let nginx = Nginx::new(settings, Clock::real());
    let clock = Clock::real();
    let get = || async { control::get(&lab.url("/health"), LIMIT, &clock).await.unwrap().status };
    let post = || async {
        let nothing = serde_json::json!({});
        control::post(&lab.url("/health"), &nothing, LIMIT, &clock).await.unwrap().status
    };
    // Without files of their own: the page stands in the file that names the upstream.
    let plain = lab.nginx();
    assert_eq!(plain.hold(HoldPart::Writers, true, "e").await.unwrap_err().kind, Kind::Rejected);
    plain.hold(HoldPart::Page, true, "e.hold.0").await.unwrap();
    assert_eq!(get().await, 503);
    let state = plain.look().await.unwrap();
    assert_eq!(state.active, Color::from("blue"), "it is told although the page is held");
    assert_eq!(state.held, Some(BTreeSet::from([HoldPart::Page])));
    plain.switch(&"green".into(), "e.behind.1").await.unwrap();
    assert_eq!((get().await, plain.look().await.unwrap().active), (503, Color::from("green")));
    plain.hold(HoldPart::Page, false, "e.lift.0").await.unwrap();
    assert_eq!(get().await, 200);
    assert_eq!(plain.look().await.unwrap().active, Color::from("green"));
    plain.switch(&"blue".into(), "e.behind.2").await.unwrap();
    nginx.hold(HoldPart::Writers, true, "e.hold.1").await.unwrap();
    assert_eq!((get().await, post().await), (200, 503));
    assert_eq!(nginx.look().await.unwrap().held, Some(BTreeSet::from([HoldPart::Writers])));
    nginx.hold(HoldPart::Page, true, "e.hold.2").await.unwrap();
    assert_eq!(get().await, 503);
    let state = nginx.look().await.unwrap();
    assert_eq!(state.active, Color::from("blue"), "it is told although the page is held");
    assert_eq!(state.held.unwrap().len(), 2);
    nginx.hold(HoldPart::Page, false, "e.lift.1").await.unwrap();
    nginx.hold(HoldPart::Writers, false, "e.lift.2").await.unwrap();
    assert_eq!(get().await, 200);
    assert_ne!(post().await, 503);
    assert_eq!(nginx.look().await.unwrap().held, Some(BTreeSet::new()));
    std::fs::write(&conf, text).unwrap();
}
