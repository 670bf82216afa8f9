//! Rollbacks by type on a real cluster, headless: a database in a pod whose writers are taken away
//! and brought back, and saved objects of the namespace.

use std::time::Duration;

use backout::adapters::cluster::{Scaled, WorkloadName};
use backout::adapters::kube::Kind;
use backout::clock::Clock;
use serde_json::json;

use super::lab::Site;
use super::one::One;

/// `PostgreSQL` in a pod behind a service, with 400 users, and their dump in a config map.
async fn database(site: &Site) {
    site.put(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"},
        "spec": {"selector": {"app": "db"}, "ports": [{"port": 5432, "protocol": "TCP"}]},
    }))
    .await;
    site.put(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "db"},
        "spec": {
            "selector": {"matchLabels": {"app": "db"}},
            "template": {
                "metadata": {"labels": {"app": "db"}},
                "spec": {"terminationGracePeriodSeconds": 2, "containers": [{
                    "name": "db", "image": "postgres:15", "imagePullPolicy": "Never",
                    "env": [{"name": "POSTGRES_PASSWORD", "value": "lab-only"}],
                    "readinessProbe": {"tcpSocket": {"port": 5432}, "periodSeconds": 1},
                }]},
            },
        },
    }))
    .await;
    site.put(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"},
        "stringData": {"PGPASSWORD": "lab-only", "PGUSER": "postgres"},
    }))
    .await;
    site.until_ready("db", 1).await;
}

fn psql(one: &One, database: &str, sql: &str) -> String {
    let line = ["exec", "deploy/db", "--", "psql", "-U", "postgres", "-Atq", "-d", database, "-c"];
    let mut line = line.to_vec();
    line.push(sql);
    one.kubectl(&line)
}

const PROCEDURE: &str = r#"
procedures:
  database:
    title: PostgreSQL goes back to the dump
    level: 3
    taken_at: "2026-11-22T00:00:00Z"
    steps:
      - id: stop
        do: &stop {scale: {workloads: [deployment/web], down: true, within_seconds: 60}}
        budget: 90s
        undo: {id: start_again, do: &start {scale: {workloads: [deployment/web], down: false, within_seconds: 60}}, budget: 90s}
      - id: restore
        needs: [stop]
        do:
          run_job:
            name: load the dump beside and swap
            image: postgres:15
            local_image: true
            secrets: [db]
            config_maps: {dump: /dump}
            argv:
              - bash
              - -ec
              - |
                export PGHOST=$DB_SERVICE_HOST
                dropdb --if-exists shop_restored && createdb shop_restored
                psql -q -v ON_ERROR_STOP=1 --single-transaction -d shop_restored -f /dump/dump.sql
                psql -q -v ON_ERROR_STOP=1 -d postgres --single-transaction \
                  -c "ALTER DATABASE shop RENAME TO shop_failed_$(date +%s)" -c "ALTER DATABASE shop_restored RENAME TO shop"
            proof_argv: [bash, -ec, 'export PGHOST=$DB_SERVICE_HOST; echo "users=$(psql -Atq -d shop -c "SELECT count(*) FROM users")"']
            expect: {users: 400}
            loses_data: true
            within_seconds: 60
        budget: 90s
      - id: start
        needs: [restore]
        do: *start
        budget: 90s
"#;

#[tokio::test]
async fn a_database_goes_back_without_its_writers_and_an_empty_one_is_no_success() {
    let Some(site) = Site::fresh().await else { return };
    database(&site).await;
    let one = One::open(site, 2).await;
    one.configure(PROCEDURE);
    psql(&one, "postgres", "CREATE DATABASE shop");
    psql(&one, "shop", "CREATE TABLE users AS SELECT g AS id FROM generate_series(1, 400) g");
    let dump = one.kubectl(&["exec", "deploy/db", "--", "pg_dump", "-U", "postgres", "-d", "shop"]);
    let map = |text: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "dump"},
               "data": {"dump.sql": text}})
    };
    one.site.put(map(&dump)).await;
    psql(&one, "shop", "DELETE FROM users WHERE id > 100");
    let web = WorkloadName::Deployment("web".to_owned());
    let before = Scaled::look(&one.site.kube, &web).await.unwrap();
    let run = |more: &str| {
        one.run(&[
            "rollback",
            "--type",
            "database",
            "--auto-confirm",
            "--reason",
            "rows are gone",
            "--accept-loss",
            more,
        ])
    };
    let refused = run("1");
    assert_eq!(refused.code, 11, "{}", refused.text);
    let done = run("10000000");
    assert_eq!(done.code, 0, "{}", done.text);
    assert!(done.text.contains("users 400"), "{}", done.text);
    assert_eq!(psql(&one, "shop", "SELECT count(*) FROM users"), "400");
    let kept = psql(
        &one,
        "postgres",
        "SELECT count(*) FROM pg_database WHERE datname LIKE 'shop_failed%'",
    );
    assert_eq!(kept, "1", "what was live is kept");
    assert_eq!(Scaled::look(&one.site.kube, &web).await.unwrap(), before);
    let db = one.site.kube.must_get(Kind::Deployment, "db").await.unwrap();
    assert_eq!(db.number("/status/readyReplicas"), Some(1), "the database stays up");

    // A dump that loads well and holds nothing: the tool ends with 0, and it is a failure.
    one.site.put(map("CREATE TABLE users (id int);\n")).await;
    Clock::real().sleep(Duration::from_secs(1)).await;
    let empty = run("10000000");
    assert_eq!(empty.code, 13, "{}", empty.text);
    assert!(empty.text.contains("users is 0, expected 400"), "{}", empty.text);
}
