//! The adapter against the lab's API server: conditions, rights, silence.

use std::time::{Duration, Instant};

use backout::adapters::Kind as No;
use backout::adapters::kube::{Delete, Kind, Kube, KubeSettings, LogAsk, Patch, Write};
use backout::clock::Clock;
use serde_json::json;

use super::lab::Site;
use crate::support::promised;

#[tokio::test]
async fn an_object_is_made_listed_changed_only_as_it_was_read_and_deleted_only_by_its_uid() {
    let Some(site) = Site::fresh().await else { return };
    let kube = &site.kube;
    let identity = kube.identity().await.unwrap();
    assert_eq!(identity.uid.len(), 36, "{identity:?}");
    assert!(identity.server.as_str().starts_with("https://127.0.0.1:"), "{identity:?}");

    assert_eq!(kube.get(Kind::ConfigMap, "flags").await.unwrap(), None);
    let body = json!({"metadata": {"name": "flags", "labels": {"a": "b"}}, "data": {"x": "1"}});
    let tried = kube.create(Kind::ConfigMap, &body, true).await.unwrap();
    assert_eq!(tried.text("/data/x"), "1");
    assert_eq!(kube.get(Kind::ConfigMap, "flags").await.unwrap(), None, "only tried");
    let made = kube.create(Kind::ConfigMap, &body, false).await.unwrap();
    let again = kube.create(Kind::ConfigMap, &body, false).await.unwrap_err();
    assert_eq!(again.kind, No::Conflict, "{again}");
    assert_eq!(kube.list(Kind::ConfigMap, "a=b").await.unwrap().len(), 1);
    assert_eq!(kube.list(Kind::ConfigMap, "a=c").await.unwrap().len(), 0);

    let to = |x: &str| Patch::Merge(json!({"data": {"x": x}}));
    let unchanged = Write::unchanged(&made);
    let tried = kube.patch(Kind::ConfigMap, "flags", &to("2"), unchanged.dry_run()).await.unwrap();
    assert_eq!(tried.text("/data/x"), "2");
    let changed = kube.patch(Kind::ConfigMap, "flags", &to("2"), unchanged).await.unwrap();
    assert_eq!(changed.text("/data/x"), "2");
    let late = kube.patch(Kind::ConfigMap, "flags", &to("3"), unchanged).await.unwrap_err();
    assert_eq!(late.kind, No::Conflict, "{late}");
    let json = Patch::Json(vec![json!({"op": "replace", "path": "/data/x", "value": "4"})]);
    let late = kube.patch(Kind::ConfigMap, "flags", &json, unchanged).await.unwrap_err();
    assert_eq!(late.kind, No::Conflict, "{late}");
    let now = Write::unchanged(&changed);
    let changed = kube.patch(Kind::ConfigMap, "flags", &json, now).await.unwrap();
    assert_eq!(changed.text("/data/x"), "4");
    let none = kube.patch(Kind::ConfigMap, "nothing", &to("1"), Write::default()).await;
    assert_eq!(none.unwrap_err().kind, No::NotFound);

    let other = Delete { uid: Some("00000000-0000-0000-0000-000000000000"), ..Delete::default() };
    let refused = kube.delete(Kind::ConfigMap, "flags", other).await.unwrap_err();
    assert_eq!(refused.kind, No::Conflict, "{refused}");
    let it = Delete { uid: Some(made.uid()), ..Delete::default() };
    assert!(kube.delete(Kind::ConfigMap, "flags", it).await.unwrap());
    assert!(!kube.delete(Kind::ConfigMap, "flags", it).await.unwrap());

    // A kind that this cluster does not have.
    assert_eq!(kube.get(Kind::FluxHelmRelease, "web").await.unwrap(), None);
    assert_eq!(kube.list(Kind::FluxHelmRelease, "").await.unwrap_err().kind, No::NotFound);
}

#[tokio::test]
async fn the_log_of_the_container_before_says_why_it_ended() {
    let Some(site) = Site::fresh().await else { return };
    site.deployment("web", "green", 1, &[("CRASH", "1")]).await;
    let pod = async || {
        let pods = site.kube.list(Kind::Pod, "app=web").await.unwrap();
        pods.into_iter()
            .find(|pod| pod.number("/status/containerStatuses/0/restartCount") > Some(0))
    };
    site.until("a container that was started anew", async || pod().await.is_some()).await;
    let ask = LogAsk { container: Some("web"), previous: true, ..LogAsk::default() };
    // The engine may be cleaning up the one before the one before.
    site.until("the last line of the container before", async || {
        let Some(pod) = pod().await else { return false };
        let text = site.kube.logs(pod.name(), ask).await.unwrap_or_default();
        let text = String::from_utf8(text).unwrap();
        text.lines().any(|line| line.ends_with(" FATAL no configuration found"))
    })
    .await;
    let pod = pod().await.unwrap();
    let last = LogAsk { tail: Some(1), ..ask };
    let last = site.kube.logs(pod.name(), last).await.unwrap();
    assert!(String::from_utf8(last).unwrap().lines().count() <= 1);
    let none = site.kube.logs("nothing", LogAsk::default()).await.unwrap_err();
    assert_eq!(none.kind, No::NotFound, "{none}");
}

#[tokio::test]
async fn a_user_without_rights_is_told_the_verb_and_the_resource() {
    let Some(site) = Site::fresh().await else { return };
    let oncall = site.oncall();
    let error = oncall.list(Kind::Deployment, "").await.unwrap_err();
    assert_eq!(error.kind, No::Denied);
    assert!(error.message.contains("list resource \"deployments\""), "{error}");
    assert!(error.message.contains(site.kube.namespace()), "{error}");
    let patch = Patch::Merge(json!({}));
    let error = oncall.patch(Kind::Service, "web", &patch, Write::default()).await.unwrap_err();
    assert!(error.message.contains("patch resource \"services\""), "{error}");
}

#[tokio::test]
async fn silence_of_the_api_server_ends_a_look_and_leaves_a_change_unknown() {
    let Some(site) = Site::alone().await else { return };
    let body = json!({"metadata": {"name": "flags"}, "data": {"x": "1"}});
    let made = site.kube.create(Kind::ConfigMap, &body, false).await.unwrap();
    let stopped = site.stop("apiserver");
    // It was sent on a connection that stood: nobody knows.
    let patch = Patch::Merge(json!({"data": {"x": "2"}}));
    let write = Write::unchanged(&made);
    let error = site.kube.patch(Kind::ConfigMap, "flags", &patch, write).await.unwrap_err();
    assert_eq!(error.kind, No::TimedOut, "{error}");
    assert!(error.message.contains("may have happened"), "{error}");
    let began = Instant::now();
    let error = site.kube.get(Kind::ConfigMap, "flags").await.unwrap_err();
    assert_eq!(error.kind, No::TimedOut, "{error}");
    assert!(began.elapsed() < promised(Duration::from_secs(6)), "{:?}", began.elapsed());
    // On a fresh one it is known that nothing was sent.
    let error = site.kube.patch(Kind::ConfigMap, "flags", &patch, write).await.unwrap_err();
    assert!(error.message.contains("nothing was sent"), "{error}");
    drop(stopped);
    // Whether or not it came through: what was read before is not what is there twice.
    site.until("an answer", async || site.kube.get(Kind::ConfigMap, "flags").await.is_ok()).await;
    let now = site.kube.must_get(Kind::ConfigMap, "flags").await.unwrap();
    let again = site.kube.patch(Kind::ConfigMap, "flags", &patch, write).await;
    match now.text("/data/x") {
        "2" => assert_eq!(again.unwrap_err().kind, No::Conflict),
        _ => assert_eq!(again.unwrap().text("/data/x"), "2"),
    }
}

#[tokio::test]
async fn a_token_that_expired_is_said_and_a_fresh_one_is_read_from_the_file() {
    let Some(site) = Site::fresh().await else { return };
    let settings = site.settings_of("admin");
    let good = std::fs::read_to_string(settings.kubeconfig.as_ref().unwrap()).unwrap();
    let at = good.find("token: ").unwrap() + "token: ".len();
    let end = at + good[at..].find('}').unwrap();
    let expired = format!("{}expired{}", &good[..at], &good[end..]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kubeconfig");
    std::fs::write(&file, expired).unwrap();
    let kube =
        Kube::new(KubeSettings { kubeconfig: Some(file.clone()), ..settings }, Clock::real());
    let error = kube.get(Kind::Pod, "a").await.unwrap_err();
    assert_eq!(error.kind, No::Denied, "{error}");
    assert!(error.message.contains("has expired; renew it"), "{error}");
    std::fs::write(&file, good).unwrap();
    assert_eq!(kube.get(Kind::Pod, "a").await.unwrap(), None);
}
