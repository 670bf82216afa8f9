use serde_json::json;

use super::*;

fn nowhere() -> Kube {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    let text = "apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]\nusers: []\ncontexts: [{name: a, context: {cluster: a}}]\ncurrent-context: a\n";
    std::fs::write(&file, text).unwrap();
    let settings =
        KubeSettings { kubeconfig: Some(file), context: None, namespace: "shop".to_owned() };
    // The folder must outlive the first call.
    std::mem::forget(folder);
    Kube::new(settings, Clock::real())
}

#[test]
fn a_kind_knows_where_its_objects_lie() {
    assert_eq!(
        Kind::Deployment.path("shop", Some("web")),
        "/apis/apps/v1/namespaces/shop/deployments/web"
    );
    assert_eq!(Kind::Namespace.path("shop", Some("shop")), "/api/v1/namespaces/shop");
    assert_eq!(Kind::Pod.path("shop", None), "/api/v1/namespaces/shop/pods");
    for kind in Kind::ALL {
        let resource = kind.resource();
        assert_eq!(Kind::of_object(&resource.api_version(), resource.kind), Some(kind));
    }
    assert_eq!(Kind::of_object("networking.k8s.io/v1beta1", "Ingress"), Some(Kind::Ingress));
    assert_eq!(Kind::of_object("v1", "Deployment"), None);
}

#[test]
fn a_field_that_is_not_there_reads_as_nothing() {
    let object = Object::new(json!({
        "metadata": {"name": "web", "labels": {"app": "a"}, "creationTimestamp": "2026-11-22T14:00:00Z"},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "a", "version": "blue"}}},
    }));
    assert_eq!(object.number("/spec/replicas"), Some(3));
    assert_eq!(object.number("/spec/paused"), None);
    assert_eq!(object.text("/spec/strategy/type"), "");
    assert_eq!(object.selector("/spec/selector").as_deref(), Some("app=a,version=blue"));
    assert!(object.made_at().is_some());
    let by_expression = Object::new(json!({"spec": {"selector":
        {"matchExpressions": [{"key": "a", "operator": "Exists"}], "matchLabels": {"app": "a"}}}}));
    assert_eq!(by_expression.selector("/spec/selector"), None);
    let service = Object::new(json!({"spec": {"selector": {"app": "a"}}}));
    assert_eq!(service.selector("/spec/selector").as_deref(), Some("app=a"));
}

#[test]
fn a_change_that_the_store_did_not_answer_is_unknown_and_a_late_one_is_a_conflict() {
    let said = |status, words: &str, changes| {
        let body = json!({"message": words, "reason": ""}).to_string();
        words::refused("change service web in shop", status, body.as_bytes(), changes)
    };
    let late = said(500, "etcdserver: request timed out", true);
    assert_eq!(late.kind, No::TimedOut);
    assert!(late.message.contains("may have happened"), "{late}");
    assert_eq!(said(500, "etcdserver: request timed out", false).kind, No::Rejected);
    assert_eq!(said(409, "the object has been modified", true).kind, No::Conflict);
    assert_eq!(said(403, "User \"oncall\" cannot patch", true).kind, No::Denied);
    assert!(said(401, "Unauthorized", true).message.contains("expired"));
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_an_error_of_the_call() {
    let error = nowhere().get(Kind::Pod, "a").await.unwrap_err();
    assert_eq!(error.kind, No::Refused, "{error}");
    assert_eq!(
        error.message,
        "could not get pod a in shop: no API server listens at http://127.0.0.1:1/"
    );
    let error = nowhere().get(Kind::Pod, "../../secrets/a").await.unwrap_err();
    assert_eq!(error.kind, No::Rejected);
    let settings =
        KubeSettings { kubeconfig: Some("/nonexistent/config".into()), ..Default::default() };
    let error = Kube::new(settings, Clock::real()).get(Kind::Pod, "a").await.unwrap_err();
    assert_eq!(error.kind, No::Rejected, "a namespace has a name");
}
