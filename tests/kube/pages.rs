//! What the troubleshooting of document 004 types one after the other, in one look (M-24 to M-27), and
//! what is kept of a stateful set before it goes back.

use backout::adapters::kube::{Kind, Patch, Write};
use serde_json::json;

use super::lab::Site;
use super::one::One;

#[tokio::test]
async fn the_pages_show_what_the_document_types_and_a_service_without_endpoints_is_red() {
    let Some(site) = Site::fresh().await else { return };
    let one = One::open(site, 1).await;
    one.site.service("nobody", "purple").await;
    one.site
        .put(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"},
            "stringData": {"password": "hunter2"}}))
        .await;
    // An image of a database; that it only sleeps is no matter to a page.
    one.site
        .put(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "postgres-production"},
            "spec": {"selector": {"matchLabels": {"app": "db"}}, "template": {
                "metadata": {"labels": {"app": "db"}},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [{
                    "name": "db", "image": "postgres:15", "imagePullPolicy": "Never",
                    "command": ["sh", "-c", "echo database is up; sleep 3600"]}]}}},
        }))
        .await;
    one.site.until_ready("postgres-production", 1).await;
    let page = |name: &str| one.run(&["doctor", "--cluster", name]);

    let rollback = page("rollback").text;
    for words in [
        "deployments\n",
        "web  1/1 ready, revision 1",
        "rollout history",
        "revision 1, python:3.11-slim",
        "pods",
        "Running, 1/1 ready, 0 restarts",
        "events, newest last",
        "Scheduled",
    ] {
        assert!(rollback.contains(words), "{words}: {rollback}");
    }
    let database = page("database").text;
    for words in [
        "database pods",
        "database logs",
        "database is up",
        "connecting",
        "exec deployment/postgres-production -- psql",
    ] {
        assert!(database.contains(words), "{words}: {database}");
    }
    let services = page("services");
    assert_eq!(services.code, 1, "{}", services.text);
    assert!(services.text.contains("services  <-- look here"), "{}", services.text);
    assert!(services.text.contains("nobody  NO ENDPOINTS"), "{}", services.text);
    assert!(services.text.contains("web  1 endpoints"), "{}", services.text);
    let all = page("all").text;
    for group in [
        "deployments",
        "rollout history",
        "pods",
        "services",
        "ingresses",
        "logs",
        "events",
        "resource usage",
        "volume claims",
        "secrets",
        "config maps",
    ] {
        assert!(all.lines().any(|line| line.starts_with(group)), "{group}: {all}");
    }
    assert!(all.contains("keys  password"), "{all}");
    assert!(!all.contains("hunter2") && !all.contains("aHVudGVyMg"), "{all}");
}

#[tokio::test]
async fn a_stateful_set_is_kept_before_it_goes_back_to_its_last_revision() {
    let Some(site) = Site::fresh().await else { return };
    let one = One::open(site, 1).await;
    // Its pods run the tests' program, as those of the deployment do.
    let mut template = one.at("/spec/template").await;
    template["metadata"]["labels"] = json!({"app": "set", "app.kubernetes.io/version": "v2.4.9"});
    one.site
        .put(json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "set"},
            "spec": {"replicas": 1, "serviceName": "set", "selector": {"matchLabels": {"app": "set"}},
                "template": template},
        }))
        .await;
    let ready = async |version: &str| {
        let pods = one.site.kube.list(Kind::Pod, "app=set").await.unwrap();
        pods.iter().any(|pod| {
            pod.labels().get("app.kubernetes.io/version") == Some(&version)
                && pod.condition("Ready").is_some_and(|(status, ..)| status == "True")
        })
    };
    one.site.until("its pod is ready", async || ready("v2.4.9").await).await;
    let switch = Patch::Merge(json!({"spec": {"selector": {"app": "set", "version": null}}}));
    one.site.kube.patch(Kind::Service, "web", &switch, Write::default()).await.unwrap();
    let file = one.place.folder().join("backout.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("deployment: web", "stateful_set: set")).unwrap();
    let mut containers = template["spec"]["containers"].clone();
    containers[0]["env"].as_array_mut().unwrap().push(json!({"name": "ERRORS", "value": "1"}));
    let labels = json!({"app.kubernetes.io/version": "v2.5.0"});
    let deploy = json!({"spec": {"template": {"metadata": {"labels": labels}, "spec": {"containers": containers}}}});
    let deploy = Patch::Merge(deploy);
    one.site.kube.patch(Kind::StatefulSet, "set", &deploy, Write::default()).await.unwrap();
    one.site.until("the bad version is ready", async || ready("v2.5.0").await).await;

    let done = one.run(&["rollback", "--quick", "--reason", "errors"]);
    assert_eq!(done.code, 0, "{}", done.text);
    assert!(done.text.contains("+ preserve logs and state"), "{}", done.text);
    assert!(!done.text.contains("not kept"), "{}", done.text);
    let kept = std::process::Command::new("find")
        .arg(one.place.folder())
        .args(["-name", "stateful-set.json"])
        .output();
    assert_eq!(String::from_utf8_lossy(&kept.unwrap().stdout).lines().count(), 1);
    assert!(ready("v2.4.9").await && one.answers().await);
}
