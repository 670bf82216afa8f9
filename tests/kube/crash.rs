//! The engine is killed at the boundaries of what it does to a cluster: the run ends the same, and
//! no effect happens twice. All boundaries with `BACKOUT_TEST_LONG=1`.

use std::path::Path;

use backout::adapters::kube::Kind;
use serde_json::json;

use crate::guarantees::long;

use super::lab::Site;
use super::levels::Shop;
use super::one::One;
use super::place::{Place, Said, said};

const REASON: [&str; 4] = ["rollback", "--quick", "--reason", "errors since 2.5.0"];

/// Those of every push, and the rest.
fn faults(quick: &[&str], step: &[&str]) -> Vec<String> {
    if !long() {
        return quick.iter().map(ToString::to_string).collect();
    }
    let points = ["B4", "B5", "B6", "B7"];
    let of = |step: &&str| points.map(|point| format!("{point}:{step}"));
    step.iter().flat_map(of).collect()
}

/// Runs with an engine that dies once at `fault`; whether it did.
fn died(place: &Place, fault: &str) -> (Said, bool) {
    let mut command = place.command(&REASON);
    command.env("BACKOUT_FAULT", format!("die-at:{fault}"));
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let said = said(command.spawn().unwrap());
    (said, struck(&place.folder().join("state")))
}

fn struck(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| {
        path.file_name().is_some_and(|name| name == "fault-struck")
            || (path.is_dir() && struck(&path))
    })
}

/// A switch that took longer than it may says so, and is a switch all the same.
fn good(said: &Said) -> bool {
    said.code == 0 || said.code == 13 && said.text.contains("a criterion is missed")
}

#[tokio::test]
async fn an_engine_that_dies_in_an_undo_undoes_once() {
    for fault in faults(&["B4:undo", "B6:undo"], &["undo", "gate"]) {
        let Some(site) = Site::fresh().await else { return };
        let one = One::open(site, 1).await;
        one.deploy_image("nowhere/missing:v2.5.0", "v2.5.0").await;
        one.site
            .until("the second revision is known", async || {
                one.at("/metadata/annotations/deployment.kubernetes.io~1revision").await
                    == json!("2")
            })
            .await;
        let (said, struck) = died(&one.place, &fault);
        // B7 is a boundary of steps that have a part after their effect.
        assert!(struck || long(), "{fault} did not strike: {}", said.text);
        assert!(good(&said), "{fault}: {}", said.text);
        let web = one.site.kube.must_get(Kind::Deployment, "web").await.unwrap();
        assert_eq!(web.generation(), 3, "{fault}: made, deployed, undone once");
        assert!(one.answers().await, "{fault}");
    }
}

#[tokio::test]
async fn an_engine_that_dies_in_a_switch_switches_once_and_leaves_no_overlap() {
    for fault in faults(&["B5:switch"], &["switch", "stop"]) {
        let Some(site) = Site::fresh().await else { return };
        let shop = Shop::open(site).await;
        let (said, struck) = died(&shop.place, &fault);
        assert!(struck || long(), "{fault} did not strike: {}", said.text);
        assert!(good(&said), "{fault}: {}", said.text);
        assert_eq!(shop.selector().await, "blue", "{fault}");
        assert_eq!(shop.serves().await, "blue", "{fault}");
        let service = shop.site.kube.must_get(Kind::Service, "web-active").await.unwrap();
        assert_eq!(service.annotation("backout.io/switch"), None, "{fault}");
        let green = shop.site.kube.must_get(Kind::Deployment, "web-green").await.unwrap();
        assert_eq!((green.generation(), green.number("/spec/replicas")), (2, Some(0)), "{fault}");
    }
}
