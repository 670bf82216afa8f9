//! A canary goes out of the traffic, is proved gone by requests, and can be given its part back.

use backout::adapters::kube::{Kind, Patch, Write};
use serde_json::json;

use super::lab::Site;
use super::one::One;

/// `web` with a canary of the next version beside it, behind one service.
async fn beside(site: Site) -> One {
    let one = One::open(site, 2).await;
    one.site.deployment("web-canary", "green", 1, &[("ERRORS", "1")]).await;
    one.site.until_ready("web-canary", 1).await;
    one
}

async fn replicas(one: &One) -> Option<i64> {
    let found = one.site.kube.must_get(Kind::Deployment, "web-canary").await.unwrap();
    found.number("/spec/replicas")
}

#[tokio::test]
async fn a_canary_behind_the_same_service_gets_none_of_100_requests_and_comes_back() {
    let Some(site) = Site::fresh().await else { return };
    let one = beside(site).await;
    // Both versions behind the one service.
    let both = Patch::Json(vec![json!({"op": "remove", "path": "/spec/selector/version"})]);
    one.site.kube.patch(Kind::Service, "web", &both, Write::default()).await.unwrap();
    one.configure_for("admin", ", canary: {deployment: web-canary}", "");
    let plan = one.run(&["plan", "--level", "1"]);
    assert_eq!(plan.code, 0, "{}", plan.text);
    for words in ["canary of deployment/web out of the traffic (1 replica)", "v2.5.0"] {
        assert!(plan.text.contains(words), "{words}: {}", plan.text);
    }
    let done = one.run(&["rollback", "--quick", "--reason", "the canary fails"]);
    assert_eq!(done.code, 0, "{}", done.text);
    assert!(done.text.contains("no request reaches v2.5.0 any more"), "{}", done.text);
    assert_eq!(replicas(&one).await, Some(0), "it is there, without pods");
    let web = one.site.kube.must_get(Kind::Deployment, "web").await.unwrap();
    assert_eq!((web.generation(), web.number("/spec/replicas")), (1, Some(2)), "not touched");
    // Without a canary in the traffic level 1 is what it is without one.
    let next = one.run(&["plan", "--level", "1"]);
    assert!(next.text.contains("no earlier revision of deployment/web"), "{}", next.text);
    let back = one.run(&["rollback", "--undo", "last", "--dry-run"]);
    assert!(back.text.contains("give deployment web-canary its part"), "{}", back.text);
}

#[tokio::test]
async fn an_ingress_gives_the_canary_nothing_and_its_pods_rest_with_their_number_on_record() {
    let Some(site) = Site::fresh().await else { return };
    let one = beside(site).await;
    let note = |name: &str| format!("nginx.ingress.kubernetes.io/{name}");
    let backend = json!({"service": {"name": "web-canary", "port": {"number": 80}}});
    one.site
        .put(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": "web-canary", "annotations": {
                note("canary"): "true", note("canary-weight"): "20", note("canary-by-cookie"): "beta",
            }},
            "spec": {"rules": [{"host": "shop.example", "http": {"paths": [
                {"path": "/", "pathType": "Prefix", "backend": backend}]}}]},
        }))
        .await;
    one.configure_for("admin", ", canary: {deployment: web-canary, ingress: web-canary}", "");
    let plan = one.run(&["plan", "--level", "1"]);
    assert!(plan.text.contains("20 %, and whoever sends beta"), "{}", plan.text);
    let done = one.run(&["rollback", "--quick", "--reason", "the canary fails"]);
    assert_eq!(done.code, 0, "{}", done.text);
    let ingress = one.site.kube.must_get(Kind::Ingress, "web-canary").await.unwrap();
    assert_eq!(ingress.annotation(&note("canary-weight")), Some("0"));
    assert_eq!(ingress.annotation(&note("canary-by-cookie")), None);
    assert_eq!(ingress.annotation(&note("canary")), Some("true"), "else it takes everything");
    assert_eq!(replicas(&one).await, Some(0));
}
