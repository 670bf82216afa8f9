//! Saved objects of the namespace (M-14, M-15) on a real API server: tried, brought back exactly, in
//! order, and taken back to what was there before.

use backout::adapters::kube::{Kind, Patch, Write};
use serde_json::{Value, json};

use super::lab::Site;
use super::medical::{Medical, WRITERS};

/// Saves objects as `kubectl get -o yaml` does, a file for each kind.
fn saved(kg: &Medical) {
    let folder = kg.dir().join("saved");
    std::fs::create_dir_all(&folder).unwrap();
    for (file, kinds) in [
        ("configmaps.yaml", "configmap/medical-kg-rev-config"),
        ("secrets.yaml", "secret/medical-kg-rev-secrets"),
        ("services.yaml", "service/medical-kg-rev-gateway"),
        (
            "deployments.yaml",
            "deployment/medical-kg-rev-gateway,deployment/medical-kg-rev-services",
        ),
        ("ingress.yaml", "ingress.v1.networking.k8s.io/medical-kg-rev-gateway-ingress"),
    ] {
        let mut line = vec!["get", "-o", "yaml"];
        line.extend(kinds.split(','));
        std::fs::write(folder.join(file), kg.one.kubectl(&line)).unwrap();
    }
}

async fn world(site: Site) -> Medical {
    let kg = Medical::open(site, WRITERS[0]).await;
    kg.site()
        .put(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "medical-kg-rev-secrets"},
            "stringData": {"password": "old"},
        }))
        .await;
    kg.site().put(ingress("kg.example.org")).await;
    kg
}

fn ingress(host: &str) -> Value {
    let backend = json!({"service": {"name": "medical-kg-rev-gateway", "port": {"number": 80}}});
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": "medical-kg-rev-gateway-ingress"},
        "spec": {"rules": [{"host": host, "http": {"paths": [
            {"path": "/", "pathType": "Prefix", "backend": backend}]}}]},
    })
}

async fn patch(kg: &Medical, kind: Kind, name: &str, fields: Value) {
    kg.site().kube.patch(kind, name, &Patch::Merge(fields), Write::default()).await.unwrap();
}

/// A bad change of everything that was saved.
async fn break_all(kg: &Medical) {
    let map = json!({"data": {"PDF_PROCESSING_BACKEND": "nonsense", "ADDED": "1"}});
    patch(kg, Kind::ConfigMap, "medical-kg-rev-config", map).await;
    patch(
        kg,
        Kind::Secret,
        "medical-kg-rev-secrets",
        json!({"stringData": {"password": "rotated"}}),
    )
    .await;
    let nobody = json!({"spec": {"selector": {"app": "nobody"}}});
    patch(kg, Kind::Service, "medical-kg-rev-gateway", nobody).await;
    let web = kg.site().kube.must_get(Kind::Deployment, WRITERS[0]).await.unwrap();
    let mut containers = web.at("/spec/template/spec/containers").clone();
    containers[0]["env"].as_array_mut().unwrap().push(json!({"name": "ERRORS", "value": "1"}));
    let template = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    patch(kg, Kind::Deployment, WRITERS[0], template).await;
    let fields = json!({"metadata": {"annotations": {"canary-weight": "50"}}, "spec": ingress("bad.example.org")["spec"]});
    patch(kg, Kind::Ingress, "medical-kg-rev-gateway-ingress", fields).await;
}

#[tokio::test]
async fn five_kinds_come_back_in_order_exactly_and_secrets_only_where_asked() {
    let Some(site) = Site::fresh().await else { return };
    let kg = world(site).await;
    kg.configure(&[], "");
    let none = kg.roll_back("infrastructure");
    assert_ne!(none.code, 0, "{}", none.text);
    assert!(
        none.text.contains("could not read") && none.text.contains("configmaps.yaml"),
        "{}",
        none.text
    );
    saved(&kg);
    break_all(&kg).await;
    let kube = &kg.site().kube;
    let plan = kg.one.run(&["plan", "--type", "infrastructure"]);
    for words in
        ["data.PDF_PROCESSING_BACKEND: nonsense -> docling_vlm", "data.ADDED: 1 -> nothing"]
    {
        assert!(plan.text.contains(words), "{words}: {}", plan.text);
    }
    // Three types, three plans (M-29).
    for (kind, words) in [
        ("application", "undo deployment/medical-kg-rev-gateway"),
        ("database", "job: load the dump"),
        ("infrastructure", "bring back the saved"),
    ] {
        let plan = kg.one.run(&["plan", "--type", kind]);
        assert_eq!(plan.code, 0, "{}", plan.text);
        let all = ["undo deployment/", "job: load the dump", "bring back the saved"];
        let found = all.iter().filter(|one| plan.text.contains(**one)).count();
        assert!(plan.text.contains(words) && found == 1, "{kind}: {}", plan.text);
    }
    let done = kg.roll_back("infrastructure");
    assert_eq!(done.code, 0, "{}", done.text);
    let map = kube.must_get(Kind::ConfigMap, "medical-kg-rev-config").await.unwrap();
    assert_eq!(
        map.at("/data"),
        &json!({"PDF_PROCESSING_BACKEND": "docling_vlm"}),
        "no more and no less"
    );
    let web = kube.must_get(Kind::Deployment, WRITERS[0]).await.unwrap();
    assert!(!web.value().to_string().contains("ERRORS"), "what was added since is gone");
    let secret = kube.must_get(Kind::Secret, "medical-kg-rev-secrets").await.unwrap();
    assert_eq!(secret.text("/data/password"), "cm90YXRlZA==", "a rotated password stays");
    let front = kube.must_get(Kind::Ingress, "medical-kg-rev-gateway-ingress").await.unwrap();
    assert_eq!(front.text("/spec/rules/0/host"), "kg.example.org");
    assert_eq!(front.annotation("canary-weight"), None);

    // With secrets, where somebody says so; and the order is the one of the document.
    break_all(&kg).await;
    let files = "/configmaps.yaml, ";
    let with = format!("/configmaps.yaml, {}/secrets.yaml, ", kg.dir().join("saved").display());
    let apply = "do: {apply_set: {files: *set}}";
    let asked = "do: {apply_set: {files: *set, secrets: true}}";
    kg.configure(&[(files, &with), (apply, asked)], "");
    let done = kg.roll_back("infrastructure");
    assert_eq!(done.code, 0, "{}", done.text);
    assert!(!done.text.contains("cm90"), "no value of a secret is shown: {}", done.text);
    let at = async |kind: Kind, name: &str| {
        let found = kube.must_get(kind, name).await.unwrap();
        (found.version().parse::<u64>().unwrap(), found)
    };
    let (map, _) = at(Kind::ConfigMap, "medical-kg-rev-config").await;
    let (key, secret) = at(Kind::Secret, "medical-kg-rev-secrets").await;
    let (service, _) = at(Kind::Service, "medical-kg-rev-gateway").await;
    let (front, _) = at(Kind::Ingress, "medical-kg-rev-gateway-ingress").await;
    assert_eq!(secret.text("/data/password"), "b2xk");
    assert!(map < key && key < service && service < front, "{map} {key} {service} {front}");
}

#[tokio::test]
async fn an_ingress_comes_back_and_is_taken_back_to_what_was_there() {
    let Some(site) = Site::fresh().await else { return };
    let kg = world(site).await;
    kg.configure(&[], "");
    let kube = &kg.site().kube;
    let name = "medical-kg-rev-gateway-ingress";
    // The saved set holds a second object, which somebody has deleted since.
    kg.site()
        .put(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ingress-notes"}, "data": {"a": "1"}}))
        .await;
    saved(&kg);
    let file = kg.dir().join("saved/ingress.yaml");
    let both = format!(
        "{}\n---\n{}",
        std::fs::read_to_string(&file).unwrap(),
        kg.one.kubectl(&["get", "-o", "yaml", "configmap/ingress-notes"])
    );
    std::fs::write(&file, both).unwrap();
    kg.one.kubectl(&["delete", "configmap", "ingress-notes"]);
    let fields = json!({"metadata": {"annotations": {"canary-weight": "50"}}, "spec": ingress("bad.example.org")["spec"]});
    patch(&kg, Kind::Ingress, name, fields).await;
    let before = kube.must_get(Kind::Ingress, name).await.unwrap();

    let done = kg.roll_back("ingress");
    assert_eq!(done.code, 0, "{}", done.text);
    assert!(done.text.contains("bad.example.org -> kg.example.org"), "{}", done.text);
    let now = kube.must_get(Kind::Ingress, name).await.unwrap();
    assert_eq!(now.text("/spec/rules/0/host"), "kg.example.org");
    assert!(kube.get(Kind::ConfigMap, "ingress-notes").await.unwrap().is_some());

    let undone =
        kg.one.run(&["rollback", "--undo", "last", "--auto-confirm", "--reason", "it was right"]);
    assert_eq!(undone.code, 0, "{}", undone.text);
    let now = kube.must_get(Kind::Ingress, name).await.unwrap();
    assert_eq!(now.at("/spec"), before.at("/spec"));
    assert_eq!(now.annotation("canary-weight"), Some("50"));
    assert_eq!(kube.get(Kind::ConfigMap, "ingress-notes").await.unwrap(), None, "it was not there");
}
