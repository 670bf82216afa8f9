use super::*;

#[test]
fn what_was_added_since_goes_and_what_the_server_keeps_stays() {
    let live = Seen::new(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "a", "resourceVersion": "7", "annotations": {"x": "1", "backout.io/effect": "e"}},
        "data": {"kept": "1", "added": "2", "changed": "3"}, "status": {"seen": 1},
    }));
    let saved = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},
        "data": {"kept": "1", "changed": "0"},
    });
    let Change::Merge(fields) = change(&saved, Object::ConfigMap, Some(&live)) else {
        panic!("they differ")
    };
    assert_eq!(
        fields,
        json!({"metadata": {"annotations": null}, "data": {"added": null, "changed": "0"}})
    );
}

#[test]
fn addresses_ports_and_replicas_are_nobodys_configuration() {
    let live = Seen::new(json!({
        "metadata": {"name": "web"},
        "spec": {"clusterIP": "10.0.0.7", "type": "NodePort", "selector": {"app": "bad"},
            "ports": [{"port": 80, "targetPort": 8080, "nodePort": 31000}]},
    }));
    let saved = json!({
        "metadata": {"name": "web"},
        "spec": {"clusterIP": "10.0.0.9", "type": "NodePort", "selector": {"app": "web"},
            "ports": [{"port": 80, "targetPort": 8080}]},
    });
    let Change::Merge(fields) = change(&saved, Object::Service, Some(&live)) else {
        panic!("they differ")
    };
    assert_eq!(fields, json!({"spec": {"selector": {"app": "web"}}}));
    let live = Seen::new(json!({"metadata": {"name": "web"}, "spec": {"replicas": 5}}));
    let saved = json!({"metadata": {"name": "web"}, "spec": {"replicas": 1}});
    assert!(matches!(change(&saved, Object::Deployment, Some(&live)), Change::Nothing));
}
