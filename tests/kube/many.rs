//! Five hundred pods on a stand-in of an API server: what looking at them costs.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::place::Place;

const DEPLOYMENTS: usize = 10;
const PODS: usize = 500;
/// The most that the monitor may take, in KiB, as these tests build it: the goal is 80 MB of a release.
const MOST: u64 = 120 * 1024;

/// A pod of the size that real ones have: who wrote which field is half of it.
fn pod(deployment: usize, number: usize, version: usize) -> Value {
    let name = format!("web-{deployment}-7d9c5b8f66-{number:05}");
    let fields: BTreeMap<String, Value> =
        (0..60).map(|at| (format!("f:some-field-of-the-pod-{at}"), json!({}))).collect();
    let env: Vec<Value> = (0..30)
        .map(|at| json!({"name": format!("SETTING_{at}"), "value": "a value of some length, as they are"}))
        .collect();
    json!({
        "metadata": {
            "name": name, "namespace": "shop", "uid": format!("uid-{name}"),
            "resourceVersion": version.to_string(),
            "creationTimestamp": "2026-11-22T12:00:00Z",
            "labels": {"app": format!("web-{deployment}"), "pod-template-hash": "7d9c5b8f66"},
            "ownerReferences": [{"kind": "ReplicaSet", "uid": format!("rs-{deployment}"), "controller": true}],
            "managedFields": [
                {"manager": "kube-controller-manager", "time": "2026-11-22T12:00:00Z", "fieldsV1": fields},
                {"manager": "kubelet", "time": "2026-11-22T12:00:00Z", "fieldsV1": fields},
            ],
        },
        "spec": {
            "nodeName": "node-1",
            "containers": [{"name": "web", "image": "shop/web:v2.4.9", "env": env}],
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}],
        },
        "status": {
            "phase": "Running", "podIP": "10.0.0.1", "startTime": "2026-11-22T12:00:00Z",
            "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-22T12:00:00Z"},
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-22T12:00:00Z"},
            ],
            "containerStatuses": [{
                "name": "web", "ready": true, "restartCount": 0, "image": "shop/web:v2.4.9",
                "imageID": "docker-pullable://shop/web@sha256:0123456789abcdef0123456789abcdef",
                "state": {"running": {"startedAt": "2026-11-22T12:00:00Z"}},
            }],
        },
    })
}

fn deployment(number: usize) -> Value {
    let own = PODS / DEPLOYMENTS;
    json!({
        "metadata": {"name": format!("web-{number}"), "uid": format!("d-{number}"), "generation": 1},
        "spec": {"replicas": own, "selector": {"matchLabels": {"app": format!("web-{number}")}}},
        "status": {"observedGeneration": 1, "replicas": own, "updatedReplicas": own,
            "readyReplicas": own, "availableReplicas": own},
    })
}

/// The server, and how often it was asked for what.
#[derive(Default)]
struct Server {
    over: AtomicBool,
    lists: AtomicUsize,
    watches: AtomicUsize,
    /// One watch is told that it is too old.
    too_old: AtomicBool,
}

impl Server {
    fn serve(self: &Arc<Self>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Arc::clone(self);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = Arc::clone(&server);
                std::thread::spawn(move || server.connection(&stream));
            }
        });
        port
    }

    fn connection(&self, stream: &TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream).lines();
        loop {
            let first = lines.next()?.ok()?;
            while !lines.next()?.ok()?.is_empty() {}
            let target = first.split(' ').nth(1)?.to_owned();
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            let of = query.split("web-").nth(1).and_then(|rest| rest.split('&').next());
            let of = of.and_then(|number| number.parse::<usize>().ok());
            let pods = path.ends_with("/pods");
            if pods && query.contains("watch=true") {
                self.watch(stream, of?).ok()?;
                continue;
            }
            let body = if pods {
                self.lists.fetch_add(1, Ordering::SeqCst);
                let items: Vec<Value> =
                    (0..PODS / DEPLOYMENTS).map(|number| pod(of.unwrap_or(0), number, 1)).collect();
                json!({"metadata": {"resourceVersion": "1"}, "items": items})
            } else if path.contains("/deployments/web-") {
                deployment(path.rsplit('-').next()?.parse().ok()?)
            } else {
                json!({"metadata": {"uid": "u", "resourceVersion": "1"}, "items": []})
            };
            let body = body.to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let mut stream = stream;
            stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(body.as_bytes()))
                .ok()?;
        }
    }

    fn watch(&self, mut stream: &TcpStream, of: usize) -> std::io::Result<()> {
        self.watches.fetch_add(1, Ordering::SeqCst);
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes())?;
        let mut version = 2;
        while !self.over.load(Ordering::SeqCst) {
            let gone = self.too_old.swap(false, Ordering::SeqCst);
            let line = if gone {
                json!({"type": "ERROR", "object": {"code": 410, "message": "too old"}})
            } else {
                let pod = pod(of, version % (PODS / DEPLOYMENTS), version);
                json!({"type": "MODIFIED", "object": pod})
            };
            let line = format!("{line}\n");
            write!(stream, "{:x}\r\n{line}\r\n", line.len())?;
            version += 1;
            std::thread::sleep(Duration::from_millis(200));
        }
        stream.write_all(b"0\r\n\r\n")
    }
}

/// The memory of a process now and at most so far, in KiB.
fn memory(pid: u32) -> (u64, u64) {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let of = |key: &str| -> u64 {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (of("VmRSS:"), of("VmHWM:"))
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_mins(1), "not within 60 s: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "what was measured is the point of it")]
fn five_hundred_pods_are_followed_and_not_listed_again() {
    let server = Arc::new(Server::default());
    let port = server.serve();
    let place = Place::new();
    let file = place.folder().join("kubeconfig");
    std::fs::write(&file, format!(
        "apiVersion: v1\nkind: Config\nclusters: [{{name: a, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\n\
         users: []\ncontexts: [{{name: a, context: {{cluster: a}}}}]\ncurrent-context: a\n"
    )).unwrap();
    let mut text = format!(
        "environment: many\nstate_dir: state\nplatform: {{kubernetes: {{kubeconfig: {}, namespace: shop}}}}\n\
         health_checks:\n",
        file.display()
    );
    for number in 0..DEPLOYMENTS {
        let line =
            format!("check_id: web_{number}, check_type: kubernetes, deployment: web-{number}");
        text.push_str(&["  - {", &line, ", interval: 1s, timeout: 20s}\n"].concat());
    }
    std::fs::write(place.config(), text).unwrap();
    let log = std::fs::File::create(place.folder().join("log")).unwrap();
    let mut monitor = place.command(&["monitor"]);
    let monitor = monitor.stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null());
    let mut child = monitor.spawn().unwrap();
    let said = || std::fs::read_to_string(place.folder().join("log")).unwrap_or_default();
    until(&format!("every pod is followed: {}", said()), || {
        server.watches.load(Ordering::SeqCst) >= DEPLOYMENTS
    });
    // What was under way when the last watch began is through.
    std::thread::sleep(Duration::from_secs(3));
    let (lists, watches) =
        (server.lists.load(Ordering::SeqCst), server.watches.load(Ordering::SeqCst));
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(server.lists.load(Ordering::SeqCst), lists, "a look lists no pods: {}", said());
    server.too_old.store(true, Ordering::SeqCst);
    until("what is too old is listed anew, once", || {
        server.lists.load(Ordering::SeqCst) == lists + 1
            && server.watches.load(Ordering::SeqCst) == watches + 1
    });
    let (now, most) = memory(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    server.over.store(true, Ordering::SeqCst);
    println!("{PODS} pods: {} MiB now, {} MiB at most (goal 80)", now / 1024, most / 1024);
    assert!(now < MOST, "{now} KiB for {PODS} pods");
}
