use serde_json::{Value, json};

use super::*;

fn deployment(name: &str, labels: &Value) -> Object {
    Object::new(json!({
        "metadata": {"name": name, "uid": name},
        "spec": {"template": {"metadata": {"labels": labels}, "spec": {"containers": [{
            "image": "shop/web:v1", "env": [{"name": "PASSWORD", "value": "hunter2"}],
            "readinessProbe": {"httpGet": {"path": "/ready"}}}]}}},
    }))
}

fn service(name: &str, selector: &Value, port: Option<u16>) -> Object {
    Object::new(json!({
        "metadata": {"name": name, "uid": format!("s-{name}")},
        "spec": {"selector": selector, "ports": [{"port": 80, "nodePort": port}]},
    }))
}

fn two_colors() -> Facts {
    let namespace = "shop".to_owned();
    Facts {
        settings: KubeSettings { kubeconfig: Some("/etc/kube".into()), context: None, namespace },
        host: "10.0.0.7".to_owned(),
        deployments: vec![
            deployment("web-blue", &json!({"app": "web", "version": "blue"})),
            deployment("web-green", &json!({"app": "web", "version": "green"})),
            deployment("mail", &json!({"app": "mail"})),
        ],
        services: vec![
            service("web-blue", &json!({"app": "web", "version": "blue"}), Some(30001)),
            service("web-green", &json!({"app": "web", "version": "green"}), None),
            service("web-active", &json!({"app": "web", "version": "green"}), Some(30000)),
        ],
        ..Facts::default()
    }
}

fn loaded(text: &str) -> crate::config::Config {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backout.yaml");
    std::fs::write(&file, text).unwrap();
    let environment = crate::config::Environment::of([("HOME", "/srv/dana")]);
    crate::config::load(&file, &environment).unwrap_or_else(|e| panic!("{e:?}\n{text}"))
}

#[test]
fn a_service_that_selects_one_of_two_deployments_becomes_the_traffic() {
    let text = page::text(&two_colors());
    let config = loaded(&text);
    let Some(crate::config::Traffic::Service(found)) = &config.traffic else { panic!("{text}") };
    assert_eq!((found.name.as_str(), found.selector_key.as_str()), ("web-active", "version"));
    assert_eq!(found.public_url, "http://10.0.0.7:30000");
    let blue = &config.colors[&"blue".into()];
    assert_eq!(blue.deployment.as_deref(), Some("web-blue"));
    assert_eq!(blue.url, "http://10.0.0.7:30001");
    assert_eq!(config.colors[&"green".into()].url, "http://web-green.shop.svc:80");
    assert!(text.contains("endpoint_url: \"http://10.0.0.7:30000/ready\""), "{text}");
    assert!(!text.contains("hunter2") && !text.contains("PASSWORD"), "{text}");
    assert_eq!(config.checks.len(), 5, "{text}");
}

#[test]
fn an_ingress_is_where_users_come_in() {
    let mut facts = two_colors();
    facts.ingresses = vec![Object::new(json!({"spec": {"tls": [{}], "rules": [{
        "host": "shop.example", "http": {"paths": [{"backend": {"service": {"name": "web-active"}}}]},
    }]}}))];
    let text = page::text(&facts);
    assert!(
        text.contains("public_url: \"https://shop.example\"  # guessed from its ingress"),
        "{text}"
    );
}

#[test]
fn without_two_versions_level_1_is_an_undo_of_what_users_reach() {
    let mut facts = two_colors();
    facts.deployments.truncate(1);
    facts.deployments.push(deployment("cache", &json!({"app": "cache"})));
    facts.services.push(service("cache", &json!({"app": "cache"}), None));
    let text = page::text(&facts);
    let config = loaded(&text);
    let crate::config::Platform::Kubernetes(at) = &config.platform else { panic!("{text}") };
    let one = at.workload.as_ref().unwrap();
    assert_eq!(one.name.to_string(), "deployment/web-blue", "{text}");
    assert_eq!(one.public_url, "http://10.0.0.7:30001");
    assert!(text.contains("beside it run cache"), "{text}");
}

#[test]
fn a_leader_and_its_followers_are_no_two_colours() {
    let mut facts = two_colors();
    let redis = |role: &str| json!({"app": "redis", "role": role});
    facts.deployments =
        vec![deployment("leader", &redis("leader")), deployment("follower", &redis("follower"))];
    facts.services = vec![service("leader", &redis("leader"), None)];
    let text = page::text(&facts);
    assert!(loaded(&text).colors.contains_key(&"leader".into()), "{text}");
    assert!(text.contains("deployment: leader") && !text.contains("selector_key"), "{text}");
}

#[test]
fn a_database_alone_in_its_namespace_is_what_an_undo_is_about() {
    let mut facts = two_colors();
    facts.deployments.clear();
    facts.stateful_sets = vec![deployment("db", &json!({"app": "db"}))];
    facts.services = vec![service("db", &json!({"app": "db"}), None)];
    let text = page::text(&facts);
    let config = loaded(&text);
    let crate::config::Platform::Kubernetes(at) = &config.platform else { panic!("{text}") };
    assert_eq!(at.workload.as_ref().unwrap().name.to_string(), "statefulset/db");
}

#[test]
fn where_no_service_leads_to_anything_it_says_why_there_is_no_switch_and_still_loads() {
    let mut facts = two_colors();
    facts.services.clear();
    let text = page::text(&facts);
    let config = loaded(&text);
    assert!(config.traffic.is_none() && config.colors.is_empty(), "{text}");
    assert!(text.contains("there is no switch"), "{text}");
}
