//! The check kind `kubernetes` on real pods.

use std::sync::Arc;

use backout::checks::ProbeCx;
use backout::clock::Clock;
use backout::config::{Environment, PodLogs, PodSource, load};
use backout::engine::tail::Tail;
use backout::model::reading::{Finding, Reading, Reason};
use backout::text::SafeText;

use super::lab::Site;

/// What checks of these entries read, one look each, with one memory from look to look.
struct Looks {
    spec: backout::checks::CheckSpec,
    memory: backout::checks::Memory,
    cx: ProbeCx,
}

impl Looks {
    fn at(site: &Site, entry: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backout.yaml");
        let settings = site.settings_of("admin");
        let text = format!(
            "platform: {{kubernetes: {{kubeconfig: {}, namespace: {}}}}}\nhealth_checks:\n  \
             - {{check_id: it, check_type: kubernetes, {entry}}}\n",
            settings.kubeconfig.unwrap().display(),
            settings.namespace,
        );
        std::fs::write(&path, text).unwrap();
        let environment = Environment::of([("HOME", "/srv/dana")]);
        let config = load(&path, &environment).unwrap_or_else(|problems| panic!("{problems:?}"));
        let cx = ProbeCx { clock: Clock::real(), dir: dir.path().to_owned() };
        let memory = backout::checks::Memory::default();
        Self { spec: config.checks[0].clone(), memory, cx }
    }

    async fn look(&mut self) -> Reading {
        backout::checks::look(&self.spec, &self.cx, &mut self.memory).await
    }
}

fn facts(reading: &Reading) -> String {
    reading.facts.iter().map(SafeText::as_str).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn pods_that_serve_are_good_a_crash_loop_says_why_and_silence_is_unknown() {
    let Some(site) = Site::alone().await else { return };
    site.deployment("web-blue", "blue", 2, &[]).await;
    site.deployment("web-green", "green", 1, &[("CRASH", "1")]).await;
    site.service("web", "blue").await;
    site.service("nobody", "purple").await;
    site.until_ready("web-blue", 2).await;
    let mut good = Looks::at(&site, "deployment: web-blue");
    let reading = good.look().await;
    assert!(matches!(reading.finding, Finding::Good), "{reading:?}");
    assert_eq!(reading.note.as_str(), "2 of 2 available, v2.4.9");
    assert_eq!(reading.value, Some(2.0));

    let mut broken = Looks::at(&site, "deployment: web-green");
    site.until("a crash loop with its last lines", async || {
        let reading = broken.look().await;
        let all = facts(&reading);
        matches!(reading.finding, Finding::Bad { .. })
            && reading.note.as_str().contains("exit code 3")
            && all.contains("restart")
            && all.contains("FATAL no configuration found")
    })
    .await;
    let gone = Looks::at(&site, "deployment: nothing").look().await;
    assert!(matches!(gone.finding, Finding::Bad { .. }), "{gone:?}");
    let behind = Looks::at(&site, "endpoints: web").look().await;
    assert!(matches!(behind.finding, Finding::Good), "{behind:?}");
    let nobody = Looks::at(&site, "endpoints: nobody").look().await;
    assert!(matches!(nobody.finding, Finding::Bad { .. }), "{nobody:?}");

    let stopped = site.stop("apiserver");
    let silent = good.look().await;
    assert!(
        matches!(silent.finding, Finding::Unknown { reason: Reason::NoData }),
        "the silence of the server says nothing of the pods: {silent:?}"
    );
    let note = silent.note.as_str();
    assert!(note.contains(" s ago: 2 of 2 available, v2.4.9"), "old is shown as old: {note}");
    drop(stopped);
    site.until("an answer", async || matches!(good.look().await.finding, Finding::Good)).await;
}

#[tokio::test]
async fn what_pods_write_reaches_the_spool_and_so_does_the_container_before() {
    let Some(site) = Site::fresh().await else { return };
    site.deployment("web-blue", "blue", 2, &[]).await;
    site.deployment("web-green", "green", 1, &[("CRASH", "1")]).await;
    site.until_ready("web-blue", 2).await;
    let spool = tempfile::tempdir().unwrap();
    let source = PodSource { source: "new".to_owned(), deployment: "web-green".to_owned() };
    let cluster = site.settings_of("admin");
    let logs = PodLogs { cluster, sources: vec![source], all: true };
    let short = tokio::sync::watch::channel(false).1;
    let sources = (Vec::new(), None, Some(logs));
    let tail = Tail::start(spool.path().to_owned(), sources, Arc::default(), short, Clock::real());
    let text = |name: &str| -> String {
        let mut all = String::new();
        for entry in walk(spool.path()) {
            if entry.to_string_lossy().contains(name) {
                all += &String::from_utf8_lossy(&std::fs::read(&entry).unwrap_or_default());
            }
        }
        all
    };
    site.until("both pods of blue, and green's end", async || {
        text("web-blue").matches("starting blue v2.4.9").count() == 2
            && text("new").contains("FATAL no configuration found")
    })
    .await;
    let blue = text("web-blue");
    assert!(blue.contains("] starting blue"), "each line says which pod wrote it: {blue}");
    drop(tail);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}
