//! Parts of the cluster stand still or die in the middle of what is done to it: no effect happens
//! twice, and the run ends right or holds with a true word. All of the table with
//! `BACKOUT_TEST_LONG=1`.

use std::time::Duration;

use backout::adapters::kube::{Delete, Kind};
use backout::clock::Clock;
use serde_json::json;

use crate::guarantees::long;

use super::lab::{Blow, Site};
use super::levels::Shop;
use super::one::One;
use super::place::{Place, Said, said};
use super::rights::grant_to;

const QUICK: [&str; 4] = ["rollback", "--quick", "--reason", "errors since 2.5.0"];
/// How long a part is away: longer than a look waits, shorter than people do.
const AWAY: Duration = Duration::from_secs(7);

const PARTS: [&str; 3] = ["apiserver", "kubelet", "etcd"];
const BLOWS: [Blow; 2] = [Blow::Stop, Blow::Kill];

/// What strikes this work: the first ones on every push, all of them in the long run.
fn strikes(first: &[(&'static str, Blow)]) -> Vec<(&'static str, Blow)> {
    if !long() {
        return first.to_vec();
    }
    PARTS.iter().flat_map(|part| BLOWS.map(|blow| (*part, blow))).collect()
}

/// A stretch in which a part is away, from when `begun` says that the work is under way.
async fn struck(
    site: &Site,
    (part, blow): (&'static str, Blow),
    child: std::process::Child,
    mut begun: impl AsyncFnMut() -> bool,
) -> Said {
    // Looked for more often than elsewhere: the work may be over soon.
    let clock = Clock::real();
    for _ in 0..1500 {
        if begun().await {
            break;
        }
        clock.sleep(Duration::from_millis(20)).await;
    }
    let away = site.strike(part, blow);
    clock.sleep(AWAY).await;
    drop(away);
    site.until_whole().await;
    tokio::task::spawn_blocking(move || said(child)).await.unwrap()
}

/// The run is through, or holds because nobody could look: then looking again is all it lacks.
async fn ends_right(site: &Site, place: &Place, what: &str, first: Said) {
    let mut now = first;
    for _ in 0..4 {
        // A part that was away cost time and requests: what was measured then is a true word too.
        let cost = ["a criterion is missed", "NO EFFECT: errors", "WORSE: errors"];
        let late = now.code == 13 && cost.iter().any(|word| now.text.contains(word));
        if now.code == 0 || late {
            return;
        }
        let true_word = ["gave no answer", "took no connection", "no API server listens", "broke"]
            .iter()
            .chain(&["may have happened", "not within", "timed out", "could not", "no answer"])
            .any(|word| now.text.contains(word));
        assert!(now.code == 15 && true_word, "{what}: ended with {}: {}", now.code, now.text);
        let retried = place.run(&["run", "retry", "--reason", "it answers again"]);
        // The engine may have looked again by itself meanwhile.
        let goes_on =
            ["waits for no step", "is done now", "runs now", "at attempt", "no run is open"]
                .iter()
                .any(|word| retried.text.contains(word));
        assert!(retried.code == 0 || goes_on, "{what}: {}\nafter: {}", retried.text, now.text);
        let mut over = 15;
        site.until("the run ends or holds again", async || {
            let said = place.run(&["history"]);
            if said.text.contains("STATUS=success") {
                over = 0;
            }
            over == 0
        })
        .await;
        now = Said { code: over, text: String::new() };
    }
    panic!("{what}: it does not end: {}", now.text);
}

#[tokio::test]
#[ignore = "ends parts of the cluster that other tests need: run alone, as .ci/run does"]
async fn a_switch_in_which_etcd_dies_ends_at_the_one_colour() {
    for (part, blow) in strikes(&[("etcd", Blow::Kill)]) {
        let what = format!("switch, {part} {blow:?}");
        let Some(site) = Site::alone().await else { return };
        let shop = Shop::open(site).await;
        let kube = &shop.site.kube;
        let begun = async || {
            let service = kube.get(Kind::Service, "web-active").await;
            service
                .is_ok_and(|one| one.is_some_and(|one| !one.at("/metadata/annotations").is_null()))
        };
        let child = shop.place.start(&QUICK);
        let said = struck(&shop.site, (part, blow), child, begun).await;
        ends_right(&shop.site, &shop.place, &what, said).await;
        assert_eq!(shop.selector().await, "blue", "{what}");
        let service = kube.must_get(Kind::Service, "web-active").await.unwrap();
        assert_eq!(service.annotation("backout.io/switch"), None, "{what}");
        assert_eq!(shop.serves().await, "blue", "{what}");
    }
}

#[tokio::test]
#[ignore = "ends parts of the cluster that other tests need: run alone, as .ci/run does"]
async fn an_undo_in_which_the_api_server_dies_is_one_undo() {
    for (part, blow) in strikes(&[("apiserver", Blow::Kill)]) {
        let what = format!("undo, {part} {blow:?}");
        let Some(site) = Site::alone().await else { return };
        let one = One::open(site, 1).await;
        one.deploy_image("nowhere/missing:v2.5.0", "v2.5.0").await;
        let kube = &one.site.kube;
        let begun = async || {
            let web = kube.get(Kind::Deployment, "web").await;
            web.is_ok_and(|web| web.is_some_and(|web| web.generation() == 3))
        };
        let child = one.place.start(&QUICK);
        let said = struck(&one.site, (part, blow), child, begun).await;
        ends_right(&one.site, &one.place, &what, said).await;
        let web = kube.must_get(Kind::Deployment, "web").await.unwrap();
        assert_eq!(web.generation(), 3, "{what}: made, deployed, undone once");
        assert!(one.answers().await, "{what}");
    }
}

#[tokio::test]
#[ignore = "ends parts of the cluster that other tests need: run alone, as .ci/run does"]
async fn a_canary_whose_end_etcd_does_not_answer_is_taken_out_once() {
    for (part, blow) in strikes(&[("etcd", Blow::Stop)]) {
        let what = format!("canary, {part} {blow:?}");
        let Some(site) = Site::alone().await else { return };
        let one = One::open(site, 1).await;
        one.site.deployment("web-canary", "green", 1, &[]).await;
        one.site.until_ready("web-canary", 1).await;
        one.configure_for("admin", ", canary: {deployment: web-canary}", "");
        let kube = &one.site.kube;
        let begun = async || {
            let canary = kube.get(Kind::Deployment, "web-canary").await;
            canary.is_ok_and(|one| one.is_some_and(|one| one.generation() == 2))
        };
        let child = one.place.start(&QUICK);
        let said = struck(&one.site, (part, blow), child, begun).await;
        ends_right(&one.site, &one.place, &what, said).await;
        let canary = kube.must_get(Kind::Deployment, "web-canary").await.unwrap();
        assert_eq!((canary.generation(), canary.number("/spec/replicas")), (2, Some(0)), "{what}");
    }
}

const SCALED: &str = "procedures:
  rest:
    title: web rests and comes back
    level: 1
    steps:
      - {id: down, do: {scale: {workloads: [deployment/web], down: true, within_seconds: 90}}, budget: 120s}
      - {id: up, needs: [down], do: {scale: {workloads: [deployment/web], down: false, within_seconds: 90}}, budget: 120s}
";

#[tokio::test]
#[ignore = "ends parts of the cluster that other tests need: run alone, as .ci/run does"]
async fn a_scale_in_which_the_kubelet_dies_comes_back_to_what_was_recorded() {
    for (part, blow) in strikes(&[("kubelet", Blow::Kill)]) {
        let what = format!("scale, {part} {blow:?}");
        let Some(site) = Site::alone().await else { return };
        let one = One::open(site, 2).await;
        one.configure(SCALED);
        let kube = &one.site.kube;
        let begun = async || {
            let web = kube.get(Kind::Deployment, "web").await;
            web.is_ok_and(|web| web.is_some_and(|web| web.generation() >= 2))
        };
        let mut line = QUICK.to_vec();
        line.extend(["--type", "rest"]);
        let child = one.place.start(&line);
        let said = struck(&one.site, (part, blow), child, begun).await;
        ends_right(&one.site, &one.place, &what, said).await;
        let web = kube.must_get(Kind::Deployment, "web").await.unwrap();
        assert_eq!((web.generation(), web.number("/spec/replicas")), (3, Some(2)), "{what}");
        one.site.until("it answers", async || one.answers().await).await;
    }
}

/// A token of a service account, which dies with the secret that holds it.
async fn token(one: &One, secret: &str) -> String {
    one.site
        .put(json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "night"},
        }))
        .await;
    one.site.put(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": secret, "annotations": {"kubernetes.io/service-account.name": "night"}},
    }))
    .await;
    one.site
        .until("the account has a token", async || {
            let made = one.site.kube.must_get(Kind::Secret, secret).await.unwrap();
            !made.text("/data/token").is_empty()
        })
        .await;
    let template = "go-template={{.data.token | base64decode}}";
    one.kubectl(&["get", "secret", secret, "-o", template])
}

#[tokio::test]
async fn a_token_that_expires_in_the_middle_holds_with_its_name_and_goes_on_with_a_fresh_one() {
    let Some(site) = Site::fresh().await else { return };
    let one = One::open(site, 1).await;
    let account = format!("system:serviceaccount:{}:night", one.site.kube.namespace());
    let granted = grant_to(&one.site, &account).await;
    let file = one.place.folder().join("kubeconfig");
    let admin = std::fs::read_to_string(one.site.settings_of("admin").kubeconfig.unwrap()).unwrap();
    let at = admin.find("token: ").unwrap() + "token: ".len();
    let end = at + admin[at..].find('}').unwrap();
    let write = |token: &str| {
        std::fs::write(&file, format!("{}{token}{}", &admin[..at], &admin[end..])).unwrap();
    };
    write(&token(&one, "first").await);
    let config = std::fs::read_to_string(one.place.config()).unwrap();
    let theirs = one.site.settings_of("admin").kubeconfig.unwrap();
    let config = config.replace(theirs.to_str().unwrap(), file.to_str().unwrap());
    std::fs::write(one.place.config(), config).unwrap();
    one.deploy_image("nowhere/missing:v2.5.0", "v2.5.0").await;
    let child = one.place.start(&QUICK);
    one.site
        .until("the undo is under way", async || {
            let web = one.site.kube.must_get(Kind::Deployment, "web").await.unwrap();
            web.generation() == 3
        })
        .await;
    one.site.kube.delete(Kind::Secret, "first", Delete::default()).await.unwrap();
    let first = tokio::task::spawn_blocking(move || said(child)).await.unwrap();
    // It may have been through by then; else it says what to renew, and never that it is done.
    if first.code == 15 {
        assert!(first.text.contains("has expired; renew it"), "{}", first.text);
    } else {
        assert!(first.code == 0 || first.code == 13, "{}: {}", first.code, first.text);
    }
    write(&token(&one, "second").await);
    if first.code == 15 {
        ends_right(&one.site, &one.place, "token", first).await;
    }
    let web = one.site.kube.must_get(Kind::Deployment, "web").await.unwrap();
    assert_eq!(web.generation(), 3, "made, deployed, undone once");
    granted.take_back(&one.site).await;
}
