//! The procedures of the shipped configuration on a real cluster, headless: each from a broken state
//! to a verified one, judged by rows, keys and nodes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use backout::adapters::control;
use backout::adapters::kube::{Kind, Patch, Write};
use backout::clock::Clock;
use serde_json::{Value, json};

use super::lab::Site;
use super::medical::{Medical, WRITERS, deployment};

#[tokio::test]
async fn redis_goes_back_to_the_rdb_file_with_the_log_on() {
    let Some(site) = Site::fresh().await else { return };
    let mut kg = Medical::open(site, WRITERS[0]).await;
    let data = kg.volume("redis-production");
    let backups = kg.volume("redis-backups");
    let line = ["redis-server", "--appendonly", "yes", "--dir", "/data", "--save", ""];
    let container = json!({"image": "redis:7", "command": line,
        "readinessProbe": {"exec": {"command": ["redis-cli", "ping"]}, "periodSeconds": 1}});
    kg.store("redis-production", Some("redis-production"), container).await;
    kg.configure(&[("expect: {keys: 1}", "expect: {keys: 100}")], "");
    let redis = |kg: &Medical, words: &[&str]| {
        kg.exec("redis-production", &[["redis-cli"].as_slice(), words].concat())
    };
    redis(&kg, &["eval", "for i=1,100 do redis.call('set','old:'..i,i) end", "0"]);
    redis(&kg, &["save"]);
    std::fs::copy(data.join("dump.rdb"), backups.join("dump.rdb")).unwrap();
    redis(&kg, &["eval", "for i=1,60 do redis.call('del','old:'..i) end", "0"]);
    redis(&kg, &["set", "later", "1"]);
    let before = kg.writers().await;

    let done = kg.roll_back("redis");
    assert_eq!(done.code, 0, "{}", done.text);
    assert!(done.text.contains("keys 100"), "{}", done.text);
    assert_eq!(redis(&kg, &["get", "old:7"]), "7", "a key of the file is readable");
    assert_eq!(redis(&kg, &["exists", "later"]), "0", "a key set later is gone");
    assert!(redis(&kg, &["config", "get", "appendonly"]).contains("yes"));
    assert_eq!(redis(&kg, &["dbsize"]), "100");
    assert_eq!(kg.writers().await, before, "as many as before");
    let kept = std::fs::read_dir(&data).unwrap().flatten();
    let kept = kept.filter(|one| one.file_name().to_string_lossy().starts_with("failed_"));
    assert_eq!(kept.count(), 1, "what was there is kept");
}

#[tokio::test]
async fn neo4j_goes_back_to_the_dump_by_its_count_of_nodes() {
    let Some(site) = Site::fresh().await else { return };
    let mut kg = Medical::open(site, WRITERS[0]).await;
    let data = kg.volume("neo4j-production");
    let backups = kg.volume("neo4j-backups");
    kg.site()
        .put(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "neo4j-tools"},
            "data": {"neo4j.py": include_str!("neo4j.py"), "neo4j.sh": include_str!("neo4j.sh")},
        }))
        .await;
    kg.site()
        .put(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "medical-kg-rev-neo4j"},
            "stringData": {"NEO4J_AUTH": "neo4j/lab-only"},
        }))
        .await;
    // There is no image of Neo4j in the lab: its tools and its counting endpoint are stand-ins.
    let tools = "image: python:3.11-slim\n            config_maps: {neo4j-tools: /tools}\n            \
                 variables: {BASH_ENV: /tools/neo4j.sh}";
    kg.configure(&[("image: neo4j:5", tools), ("expect: {nodes: 1}", "expect: {nodes: 250}")], "");
    let store = data.join("databases/neo4j");
    std::fs::create_dir_all(&store).unwrap();
    std::fs::write(store.join("store.json"), r#"{"nodes": 17}"#).unwrap();
    std::fs::write(backups.join("neo4j.dump"), r#"{"nodes": 250}"#).unwrap();
    let container = json!({"image": "python:3.11-slim", "command": ["sleep", "3600"]});
    kg.store("neo4j-production", Some("neo4j-production"), container).await;

    let done = kg.roll_back("neo4j");
    assert_eq!(done.code, 0, "{}", done.text);
    assert!(done.text.contains("nodes 250"), "{}", done.text);
    let live = kg.exec("neo4j-production", &["cat", "/data/databases/neo4j/store.json"]);
    assert!(live.contains("250"), "{live}");
    let kept = std::fs::read_dir(&backups).unwrap().flatten();
    let kept = kept.filter(|one| one.file_name().to_string_lossy().starts_with("failed_"));
    assert_eq!(kept.count(), 1, "the old store is kept");

    // A dump of another time is no success, however well its tool ends.
    std::fs::write(backups.join("neo4j.dump"), r#"{"nodes": 249}"#).unwrap();
    let short = kg.roll_back("neo4j");
    assert_eq!(short.code, 13, "{}", short.text);
    assert!(short.text.contains("nodes is 249, expected 250"), "{}", short.text);
}

/// `PostgreSQL` in a pod with three tables, and their dump among the backups.
async fn database(kg: &mut Medical) -> std::path::PathBuf {
    let backups = kg.volume("postgres-backups");
    let service = kg
        .site()
        .put(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "postgres-production"},
            "spec": {"selector": {"app": "postgres-production"}, "ports": [{"port": 5432, "protocol": "TCP"}]},
        }))
        .await;
    kg.site()
        .put(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "medical-kg-rev-postgres"},
            "stringData": {"PGHOST": service.text("/spec/clusterIP"), "PGUSER": "postgres", "PGPASSWORD": "lab-only"},
        }))
        .await;
    let container = json!({"image": "postgres:15", "env": [{"name": "POSTGRES_PASSWORD", "value": "lab-only"}],
        "readinessProbe": {"tcpSocket": {"port": 5432}, "periodSeconds": 1}});
    kg.store("postgres-production", None, container).await;
    psql(kg, "postgres", "CREATE DATABASE medical_kg_production");
    for (table, rows) in [("users", 40), ("documents", 300), ("chunks", 1200)] {
        let made =
            format!("CREATE TABLE {table} AS SELECT g AS id FROM generate_series(1, {rows}) g");
        psql(kg, LIVE, &made);
    }
    let dump = kg.exec("postgres-production", &["pg_dump", "-U", "postgres", "-d", LIVE]);
    std::fs::write(backups.join("latest.sql"), dump).unwrap();
    gzip(&backups.join("latest.sql"));
    psql(kg, LIVE, "DELETE FROM chunks; DROP TABLE documents");
    let counts = "expect: {users: 40, documents: 300, chunks: 1200}";
    kg.configure(&[("expect: {users: 1, documents: 1, chunks: 1}", counts)], "");
    backups
}

const LIVE: &str = "medical_kg_production";

fn psql(kg: &Medical, database: &str, sql: &str) -> String {
    kg.exec("postgres-production", &["psql", "-U", "postgres", "-Atq", "-d", database, "-c", sql])
}

fn gzip(file: &Path) {
    assert!(
        Command::new("gzip").arg("-f").arg(file).stdin(Stdio::null()).status().unwrap().success()
    );
}

#[tokio::test]
async fn the_emergency_of_a_database_is_one_command_and_told_in_the_documents_words() {
    let Some(site) = Site::fresh().await else { return };
    let mut kg = Medical::open(site, WRITERS[0]).await;
    database(&mut kg).await;
    let before = kg.writers().await;
    let pod = |kg: &Medical| {
        kg.one.kubectl(&["get", "pods", "-l", "app=postgres-production", "-o", "name"])
    };
    let was = pod(&kg);
    let done = kg.roll_back("emergency_database");
    assert_eq!(done.code, 0, "{}", done.text);
    for line in [
        "🚨 Starting emergency database rollback from /backups/latest.sql.gz",
        "chunks 1200, documents 300, users 40",
        "Emergency database rollback completed!",
    ] {
        assert!(done.text.contains(line), "{line}: {}", done.text);
    }
    assert_eq!(psql(&kg, LIVE, "SELECT count(*) FROM documents"), "300");
    assert_eq!(kg.writers().await, before, "as many as before, whatever they were");
    assert_eq!(pod(&kg), was, "the database stays up throughout");
    kg.until_told("🚨 Emergency database rollback started").await;
    kg.until_told("🚨 Emergency database rollback completed").await;
}

#[tokio::test]
async fn a_dump_that_is_not_whole_is_refused_before_anything_is_stopped() {
    let Some(site) = Site::fresh().await else { return };
    let mut kg = Medical::open(site, WRITERS[0]).await;
    let backups = database(&mut kg).await;
    let done = kg.roll_back("data_integrity");
    assert_eq!(done.code, 0, "{}", done.text);
    assert!(done.text.contains("Data integrity rollback completed!"), "{}", done.text);
    assert_eq!(psql(&kg, LIVE, "SELECT count(*) FROM chunks"), "1200");
    let kept = std::fs::read_dir(&backups).unwrap().flatten();
    let kept =
        kept.filter(|one| one.file_name().to_string_lossy().starts_with("current_state_backup_"));
    assert_eq!(kept.count(), 1);
    let report = kg.one.run(&["report", "incident"]);
    assert!(report.text.contains("chunks 1200, documents 300, users 40"), "{}", report.text);
    kg.until_told("🚨 Data integrity rollback completed").await;

    // The same dump without its end, packed well.
    let whole =
        Command::new("gzip").arg("-dc").arg(backups.join("latest.sql.gz")).output().unwrap();
    let half = &whole.stdout[..whole.stdout.len() / 2];
    std::fs::write(backups.join("latest.sql"), half).unwrap();
    gzip(&backups.join("latest.sql"));
    let pods = |kg: &Medical| {
        kg.one.kubectl(&["get", "pods", "-l", "app=medical-kg-rev-gateway", "-o", "name"])
    };
    let before = pods(&kg);
    let refused = kg.roll_back("data_integrity");
    assert_eq!(refused.code, 13, "{}", refused.text);
    assert!(refused.text.contains("complete is 0, expected 1"), "{}", refused.text);
    assert_eq!(pods(&kg), before, "nothing was stopped");
    assert_eq!(psql(&kg, LIVE, "SELECT count(*) FROM chunks"), "1200");
    kg.until_told("WAITS FOR A PERSON: could not verify that the dump is whole").await;
}

#[tokio::test]
async fn docling_fails_over_to_mineru_and_half_of_it_is_left_over_out_loud() {
    let Some(site) = Site::fresh().await else { return };
    let kg = Medical::open(site, "gateway").await;
    for name in ["gateway", "pdf-orchestrator", "mineru-parser"] {
        deployment(kg.site(), name, 1, &[]).await;
    }
    for name in ["gateway", "pdf-orchestrator", "mineru-parser"] {
        kg.site().until_ready(name, 1).await;
    }
    // What was archived: the parser asks for more than it has now.
    let archived = kg.dir().join("mineru");
    std::fs::create_dir(&archived).unwrap();
    let parser = kg.site().kube.must_get(Kind::Deployment, "mineru-parser").await.unwrap();
    let mut saved = parser.into_value();
    saved["metadata"]["labels"]["backend"] = json!("mineru");
    std::fs::write(archived.join("manifests.yaml"), saved.to_string()).unwrap();
    // The canary: it asks the gateway which backend reads its document.
    let tests = kg.dir().join("tests/regression");
    std::fs::create_dir_all(&tests).unwrap();
    let script = format!(
        "import sys, urllib.request\nsaid = urllib.request.urlopen('{}/api/v1/documents').read().decode()\n\
         open('canaries', 'a').write(sys.argv[1] + '\\n')\nprint(sys.argv[1], said)\n\
         sys.exit(0 if '\"mineru\"' in said else 1)\n",
        kg.one.url()
    );
    std::fs::write(tests.join("test_mineru_vs_docling_comparison.py"), script).unwrap();
    let here = format!("cwd: {}", kg.dir().display());
    kg.configure(&[("cwd: /srv/medical-kg", &here)], "");
    let get = async |path: &str| {
        let url = format!("{}{path}", kg.one.url());
        control::get(&url, Duration::from_secs(10), &Clock::real()).await.unwrap().status
    };
    assert_eq!((get("/health/docling").await, get("/health/mineru").await), (200, 503));

    let done = kg.roll_back("failover");
    assert_eq!(done.code, 0, "{}", done.text);
    for words in [
        "DoclingModelUnavailable firing",
        "PDF_PROCESSING_BACKEND docling_vlm -> mineru",
        "all pods of deployment/gateway are new",
        "all pods of deployment/pdf-orchestrator are new",
        "all pods of deployment/mineru-parser are new",
        "/health/docling answers 503",
        "/health/mineru answers 200",
    ] {
        assert!(done.text.contains(words), "{words}: {}", done.text);
    }
    let canaries = std::fs::read_to_string(kg.dir().join("canaries")).unwrap();
    assert_eq!(canaries, "canary-1.pdf\ncanary-2.pdf\n");
    let calls: Vec<String> = kg.posted().await.into_iter().map(|(path, _)| path).collect();
    let calls: Vec<&String> = calls.iter().filter(|path| path.contains("orchestration")).collect();
    assert_eq!(calls, ["/v1/orchestration/pause", "/v1/orchestration/resume"]);
    let parser = kg.site().kube.must_get(Kind::Deployment, "mineru-parser").await.unwrap();
    assert_eq!(parser.text("/metadata/labels/backend"), "mineru", "the archived manifest is back");
    assert!(!kg.one.run(&["leftovers"]).text.contains("pause the ingestion"));

    // W-65: the check of Docling is well with the 503, as long as the failover is in force.
    assert!(done.text.contains("503 is right at check docling"), "{}", done.text);
    kg.site()
        .until("503 is right at Docling", async || {
            let said = kg.one.run(&["check"]).text;
            let line = said.lines().find(|line| line.contains("docling")).unwrap_or_default();
            line.contains("ok") && line.contains("503")
        })
        .await;

    // Back to Docling, and a canary that fails: the ingestion stays paused, and that is said.
    let flag = Patch::Merge(json!({"data": {"PDF_PROCESSING_BACKEND": "docling_vlm"}}));
    let map = "medical-kg-rev-config";
    kg.site().kube.patch(Kind::ConfigMap, map, &flag, Write::default()).await.unwrap();
    std::fs::write(tests.join("test_mineru_vs_docling_comparison.py"), "raise SystemExit(1)")
        .unwrap();
    let half = kg.roll_back("failover");
    assert_ne!(half.code, 0, "{}", half.text);
    kg.one.run(&["abort"]);
    kg.site()
        .until("the pause is among the leftovers", async || {
            let left = kg.one.run(&["leftovers"]).text;
            left.contains("pause the ingestion: it stays so")
                && left.contains("curl -sS --fail -X POST")
                && left.contains("/v1/orchestration/resume")
        })
        .await;
}

#[tokio::test]
async fn without_an_alert_that_fires_nothing_fails_over() {
    let Some(site) = Site::fresh().await else { return };
    let kg = Medical::open(site, WRITERS[0]).await;
    let archived = kg.dir().join("mineru");
    std::fs::create_dir(&archived).unwrap();
    let map = kg.site().kube.must_get(Kind::ConfigMap, "stand-ins").await.unwrap();
    std::fs::write(archived.join("manifests.yaml"), map.value().to_string()).unwrap();
    let other = "alerts: [DoclingVLMProcessingSlow, DoclingVLMSuccessRateDrop]\n            until_seconds: 2";
    let names = "alerts: [DoclingVLMProcessingSlow, DoclingVLMSuccessRateDrop, DoclingModelUnavailable]\n            until_seconds: 15";
    kg.configure(&[(names, other)], "");
    let refused = kg.roll_back("failover");
    assert_eq!(refused.code, 13, "{}", refused.text);
    assert!(refused.text.contains("none of DoclingVLMProcessingSlow"), "{}", refused.text);
    let map = kg.site().kube.must_get(Kind::ConfigMap, "medical-kg-rev-config").await.unwrap();
    assert_eq!(map.text("/data/PDF_PROCESSING_BACKEND"), "docling_vlm");
    assert!(kg.posted().await.iter().all(|(path, _)| !path.contains("orchestration")));

    // A procedure that changes something before the server has tried is no plan at all.
    let late = "  failover:\n    title: Docling VLM fails over to MinerU\n    level: 2\n    steps:\n      \
                - {id: early, do: {set_config: {map: medical-kg-rev-config, key: X, to: y}}, budget: 10s}";
    let from = "  failover:\n    title: Docling VLM fails over to MinerU\n    level: 2\n    steps:";
    kg.configure(&[(from, late)], "");
    let refused = kg.one.run(&["plan", "--type", "failover"]);
    assert_ne!(refused.code, 0, "{}", refused.text);
    assert!(refused.text.contains("before the server has tried"), "{}", refused.text);
}

#[tokio::test]
async fn the_emergency_of_an_application_is_one_command_to_the_last_revision_on_record() {
    let Some(site) = Site::fresh().await else { return };
    let kg = Medical::open(site, WRITERS[0]).await;
    kg.configure(&[], "");
    for words in [["deploy", "begin"], ["deploy", "done"]] {
        let said = kg.one.run(&[words.as_slice(), &["--version", "v2.4.9"]].concat());
        assert_eq!(said.code, 0, "{}", said.text);
    }
    let (name, front) = (WRITERS[0], async || {
        let url = format!("{}/api/v1/users", kg.one.url());
        control::get(&url, Duration::from_secs(10), &Clock::real())
            .await
            .is_ok_and(|said| said.status == 200)
    });
    let broken: Value =
        json!([{"name": "ERRORS", "value": "1"}, {"name": "APP_VERSION", "value": "v2.5.0"}]);
    let labels = json!({"app.kubernetes.io/version": "v2.5.0"});
    let deploy = Patch::Json(vec![
        json!({"op": "replace", "path": "/spec/template/spec/containers/0/env", "value": broken}),
        json!({"op": "replace", "path": "/spec/template/metadata/labels/app.kubernetes.io~1version",
            "value": labels["app.kubernetes.io/version"]}),
    ]);
    kg.site().kube.patch(Kind::Deployment, name, &deploy, Write::default()).await.unwrap();
    kg.site().until("the bad version serves", async || !front().await).await;
    let line =
        ["rollback", "--type", "emergency_application", "--auto-confirm", "--reason", "errors"];
    let done = kg.one.run(&line);
    assert_eq!(done.code, 0, "{}", done.text);
    for line in [
        "🚨 Starting emergency rollback for medical-kg-rev-gateway",
        "Rolling back to last successful deployment: revision 1 (v2.4.9)",
        "Emergency rollback completed!",
    ] {
        assert!(done.text.contains(line), "{line}: {}", done.text);
    }
    assert!(front().await);
    kg.until_told("🚨 Emergency rollback started for medical-kg-rev-gateway").await;
    kg.until_told("🚨 Emergency rollback completed for medical-kg-rev-gateway").await;
}
