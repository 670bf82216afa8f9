//! Undo of a rollout on a real cluster, as its user runs it: from a broken version to a verified
//! one, and never a success where somebody takes it back.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use backout::clock::Clock;
use serde_json::json;

use super::lab::Site;
use super::one::One;
use crate::support::long;

#[tokio::test]
async fn a_broken_image_goes_back_to_the_last_good_revision() {
    let Some(site) = Site::fresh().await else { return };
    let one = One::open(site, 2).await;
    let before = one.at("/spec/template/spec").await;
    one.deploy_image("nowhere/missing:v2.5.0", "v2.5.0").await;
    one.site
        .until("the new image cannot be had", async || {
            one.kubectl(&["get", "pods"]).contains("ErrImageNeverPull")
        })
        .await;
    let plan = one.run(&["plan", "--level", "1"]);
    assert_eq!(plan.code, 0, "{}", plan.text);
    for words in [
        "undo of the rollout of deployment/web to revision 1",
        "ErrImageNeverPull",
        "are ready now",
    ] {
        assert!(plan.text.contains(words), "{words}: {}", plan.text);
    }
    let done = one.run(&["rollback", "--quick", "--reason", "the image is missing"]);
    assert_eq!(done.code, 0, "{}", done.text);
    assert_eq!(one.at("/spec/template/spec").await, before);
    assert_eq!(
        one.at("/metadata/annotations/deployment.kubernetes.io~1revision").await,
        json!("3")
    );
    // What is back cannot be gone back to.
    let again = one.run(&["plan", "--level", "1", "--target", "v2.4.9"]);
    assert!(again.text.contains("is what runs now"), "{}", again.text);
    // And the run itself can be taken back, to the failed version.
    let undo = one.run(&["rollback", "--undo", "last", "--dry-run"]);
    assert!(undo.text.contains("undo deployment/web to revision 2"), "{}", undo.text);
}

#[tokio::test]
async fn a_crash_loop_says_why_and_a_named_revision_is_gone_to() {
    let Some(site) = Site::fresh().await else { return };
    let one = One::open(site, 1).await;
    one.deploy_variable("EXTRA", "1", "v2.4.10").await;
    one.site
        .until("the second revision is through", async || {
            one.kubectl(&["get", "replicasets"]).lines().count() == 3
                && one.at("/status/updatedReplicas").await == json!(1)
                && one.at("/status/replicas").await == json!(1)
                && one.at("/status/readyReplicas").await == json!(1)
        })
        .await;
    one.deploy_variable("CRASH", "1", "v2.5.0").await;
    one.site
        .until("it crashes again and again", async || {
            one.kubectl(&["get", "pods"]).contains("CrashLoopBackOff")
        })
        .await;
    let text = r#"{"data": {"note": "changed since"}}"#;
    one.kubectl(&["patch", "configmap", "app", "--type", "merge", "-p", text]);
    // Between two tries its state is another, and for a moment nobody has the log.
    let says = |text: &str| text.contains("CrashLoopBackOff") && text.contains("FATAL");
    let mut plan = one.run(&["plan", "--level", "1"]);
    for _ in 0..20 {
        if says(&plan.text) {
            break;
        }
        Clock::real().sleep(Duration::from_secs(2)).await;
        plan = one.run(&["plan", "--level", "1"]);
    }
    for words in [
        "CrashLoopBackOff",
        "exit code 3",
        "FATAL no configuration found",
        "config map app was changed",
        "does not move it",
        "revision 2",
    ] {
        assert!(plan.text.contains(words), "{words}: {}", plan.text);
    }
    let missing = one.run(&["plan", "--level", "1", "--target", "revision-9"]);
    assert_ne!(missing.code, 0, "{}", missing.text);
    assert!(missing.text.contains("kept are revision 3"), "{}", missing.text);
    let done =
        one.run(&["rollback", "--quick", "--target", "revision-1", "--reason", "it crashes"]);
    assert_eq!(done.code, 0, "{}", done.text);
    let label = one.at("/spec/template/metadata/labels/app.kubernetes.io~1version").await;
    assert_eq!(label, json!("v2.4.9"));
    assert!(one.answers().await);
}

#[tokio::test]
async fn an_owner_that_puts_the_failed_version_back_is_named_and_never_a_success() {
    let Some(site) = Site::fresh().await else { return };
    let one = One::open(site, 1).await;
    one.deploy_variable("ERRORS", "1", "v2.5.0").await;
    one.site
        .until("the bad version serves", async || {
            !one.answers().await && one.at("/status/replicas").await == json!(1)
        })
        .await;
    let bad = one.at("/spec/template").await.to_string();
    let settings = one.site.settings_of("admin");
    // A stand-in of an owner: every 3 s it brings the template to what it holds to be right.
    let line = format!(
        "while sleep 3; do kubectl --kubeconfig {} -n {} patch deployment web --type merge \
         --field-manager argocd-controller -p '{{\"spec\":{{\"template\":{bad}}}}}' >/dev/null; done",
        settings.kubeconfig.unwrap().display(),
        settings.namespace,
    );
    let mut owner = Command::new("sh").args(["-c", &line]).stdin(Stdio::null()).spawn().unwrap();
    let done = one.run(&["rollback", "--quick", "--reason", "errors"]);
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert_eq!(done.code, 13, "{}", done.text);
    assert!(done.text.contains("reverted by argocd-controller"), "{}", done.text);
}

#[tokio::test]
async fn an_api_server_that_hangs_in_the_middle_makes_no_second_undo_and_no_false_end() {
    let Some(site) = Site::alone().await else { return };
    let one = One::open(site, 1).await;
    one.deploy_image("nowhere/missing:v2.5.0", "v2.5.0").await;
    let mut going = one.place.command(&["rollback", "--quick", "--reason", "the image is missing"]);
    let going = going.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    one.site
        .until("the template is back", async || {
            one.at("/spec/template/metadata/labels/app.kubernetes.io~1version").await
                == json!("v2.4.9")
        })
        .await;
    let stopped = one.site.stop("apiserver");
    Clock::real().sleep(Duration::from_secs(7)).await;
    drop(stopped);
    let said = going.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout);
    // It ends, or it holds and says that nobody could look: then the look is all that was missing.
    if said.status.code() == Some(15) {
        assert!(text.contains("gave no answer"), "{text}");
        let retried = one.run(&["run", "retry", "--reason", "it answers again"]);
        assert_eq!(retried.code, 0, "{}", retried.text);
        one.site
            .until("the run is through", async || {
                one.run(&["history"]).text.contains("STATUS=success")
            })
            .await;
    } else {
        assert_eq!(said.status.code(), Some(0), "{text}");
    }
    assert_eq!(
        one.at("/metadata/annotations/deployment.kubernetes.io~1revision").await,
        json!("3")
    );
    assert!(one.answers().await);
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "what was measured is the point of it")]
async fn an_undo_beside_the_tool_that_everybody_types() {
    let Some(site) = Site::fresh().await else { return };
    let one = One::open(site, 1).await;
    let back = async || one.at("/status/replicas").await == json!(1) && one.answers().await;
    // Both undo the same: a deploy that is through, and a broken one after it.
    let broken = async |round: String| {
        one.deploy_variable("ROUND", &round, "v2.4.9").await;
        one.site.until("it is through", back).await;
        one.deploy_image("nowhere/missing:v2.5.0", "v2.5.0").await;
        Clock::real().sleep(Duration::from_secs(2)).await;
    };
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for round in 0..if long() { 9 } else { 1 } {
        broken(format!("{round} theirs")).await;
        let began = Instant::now();
        one.kubectl(&["rollout", "undo", "deployment/web"]);
        one.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]);
        theirs.push(began.elapsed());
        one.site.until("it is back", back).await;
        broken(format!("{round} ours")).await;
        let done = one.run(&["rollback", "--quick", "--reason", "measured"]);
        assert_eq!(done.code, 0, "{}", done.text);
        ours.push(steps_of(&done.text, &["undo deployment/web", "wait until all pods"]));
        one.site.until("it is back", back).await;
    }
    let median = |mut all: Vec<Duration>| {
        all.sort();
        all[all.len() / 2]
    };
    let (theirs, ours) = (median(theirs), median(ours));
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!("undo to verified: kubectl {theirs:?}, backout {ours:?}: {ratio:.2} (goal 1.05)");
}

/// How long the steps with these titles took, by the lines of the run.
fn steps_of(text: &str, titles: &[&str]) -> Duration {
    let took = |title: &&str| {
        let line = text.lines().find(|line| line.starts_with("+ ") && line.contains(*title));
        let line = line.unwrap_or_else(|| panic!("no {title} in {text}"));
        let seconds =
            line.split("  ").find_map(|part| part.trim().strip_suffix(" s")?.parse().ok());
        Duration::from_secs_f64(seconds.unwrap_or_else(|| panic!("no time in {line}")))
    };
    titles.iter().map(took).sum()
}
