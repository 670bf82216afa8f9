//! The console on a real cluster, by keys: the undo of a rollout, then a procedure of one's own.

use std::time::Duration;

use backout::adapters::kube::Kind;

use crate::terminal::{Terminal, settle};

use super::lab::Site;
use super::one::One;

const REST: &str = "procedures:
  rest:
    title: web rests and comes back
    level: 1
    steps:
      - {id: down, do: {scale: {workloads: [deployment/web], down: true, within_seconds: 90}}, budget: 120s, expect_down: [api]}
      - {id: up, needs: [down], do: {scale: {workloads: [deployment/web], down: false, within_seconds: 90}}, budget: 120s, expect_down: [api]}
";

/// Reads the plan, types the word and waits for the end.
fn approve(terminal: &mut Terminal, plan: &str, limit: Duration) {
    terminal.until("a plan", limit, |text| {
        text.contains("[PLAN]") && text.contains("R Roll") && text.contains(plan)
    });
    settle(terminal);
    terminal.send("R");
    terminal.until("an armed field", limit, |text| text.contains("0/8 typed"));
    settle(terminal);
    terminal.send("ROLLBACK");
    terminal.shows("complete");
    terminal.press("\r", "Enter");
    terminal.until("the run", limit, |text| text.contains("[RUN]") || text.contains("[WATCH]"));
}

#[tokio::test]
async fn a_rollout_is_undone_and_then_a_procedure_runs_by_keys() {
    let Some(site) = Site::fresh().await else { return };
    let one = One::open(site, 1).await;
    one.configure(REST);
    one.deploy_variable("ERRORS", "1", "v2.5.0").await;
    one.site.until("errors", async || !one.answers().await).await;
    let limit = Duration::from_mins(2);
    let mut terminal = Terminal::open(&one.place.command(&[]), (120, 40));
    terminal.until("what is wrong, and a level that is ready", limit, |text| {
        text.contains("[ASSESS]") && text.contains("L1 not proven")
    });
    settle(&mut terminal);
    terminal.press("L", "L");
    terminal.until("the cards", limit, |text| text.contains("L1 quick switch"));
    settle(&mut terminal);
    terminal.send("\r");
    approve(&mut terminal, "undo deployment/web to revision 1", limit);
    terminal.until("STABLE", limit, |text| text.contains("STABLE on v2.4.9"));
    assert!(one.answers().await);
    let web = one.site.kube.must_get(Kind::Deployment, "web").await.unwrap();
    assert_eq!(web.generation(), 3, "made, deployed, undone once");

    terminal.send(":");
    terminal.shows("Palette");
    settle(&mut terminal);
    terminal.send("type rest");
    settle(&mut terminal);
    terminal.send("\r");
    approve(&mut terminal, "web rests and comes back", limit);
    one.site
        .until("it is scaled down and back", async || {
            let web = one.site.kube.must_get(Kind::Deployment, "web").await.unwrap();
            web.generation() == 5 && web.number("/spec/replicas") == Some(1)
        })
        .await;
    terminal.until("the run is over", limit, |text| text.contains("[REPORT]"));
    assert!(one.answers().await);
    terminal.send("\u{3}\u{3}");
    terminal.ended(Duration::from_secs(20));
}
