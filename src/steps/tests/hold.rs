//! Holds and the workers' steps on a fake target.

use super::*;
use crate::model::hold::HoldPart;

#[tokio::test]
async fn writers_and_page_are_held_once_and_lifted_once() {
    let stage = Stage::new().await;
    for part in ["writers", "page"] {
        let hold = kind(json!({"hold": {"part": part}}));
        let unhold = kind(json!({"unhold": {"part": part}}));
        assert_eq!(stage.standing(&hold).await, Standing::NotDone);
        assert_eq!(stage.standing(&unhold).await, Standing::Done);
        for _ in 0..2 {
            stage.run(&hold).await.unwrap();
        }
        assert_eq!(stage.standing(&hold).await, Standing::Done);
        assert_eq!(stage.standing(&unhold).await, Standing::NotDone);
        for _ in 0..2 {
            stage.run(&unhold).await.unwrap();
        }
        assert_eq!(stage.standing(&hold).await, Standing::NotDone);
    }
    let key = "142-k7qd-1.step.1";
    let lines = ["hold writers", "unhold writers", "hold page", "unhold page"];
    assert_eq!(stage.ledger(), lines.map(|line| format!("{line} {key}")));
}

#[tokio::test]
async fn an_order_that_was_lost_on_its_way_back_is_found_done() {
    let stage = Stage::new().await;
    stage.fake.order(Order {
        operation: Operation::Hold,
        delay: Duration::ZERO,
        error: Some(Error::new(Kind::TimedOut, "no answer")),
        applies: true,
    });
    stage.run(&kind(json!({"hold": {"part": "writers"}}))).await.unwrap();
    let refused = Error::new(Kind::Rejected, "no");
    stage.fake.fail(Operation::Hold, refused.clone());
    let error = stage.run(&kind(json!({"hold": {"part": "page"}}))).await.unwrap_err();
    assert_eq!(error, refused);
}

#[tokio::test]
async fn consumers_are_held_for_both_colours_and_only_the_named_are_started_again() {
    let stage = Stage::new().await;
    let hold = kind(json!({"hold": {"part": "consumers"}}));
    stage.run(&kind(json!({"stop_workers": {"color": "blue"}}))).await.unwrap();
    assert_eq!(
        stage.standing(&hold).await,
        Standing::Partly("1 of 2 workers still run: green".into())
    );
    stage.run(&hold).await.unwrap();
    assert_eq!(stage.standing(&hold).await, Standing::Done);
    let unhold = kind(json!({"unhold": {"part": "consumers", "workers": ["green"]}}));
    let note = stage.run(&unhold).await.unwrap();
    assert_eq!(note.as_str(), "workers of green run");
    assert_eq!(stage.standing(&unhold).await, Standing::Done);
    let lines: Vec<String> = stage.ledger();
    let lines: Vec<&str> =
        lines.iter().filter_map(|line| line.rsplit_once(' ')).map(|l| l.0).collect();
    assert_eq!(lines, ["stop blue-worker", "stop green-worker", "start green-worker"]);
}

#[tokio::test]
async fn workers_of_a_colour_are_stopped_and_started_without_touching_its_traffic() {
    let stage = Stage::new().await;
    let stop = kind(json!({"stop_workers": {"color": "green"}}));
    let start = kind(json!({"start_workers": {"color": "green"}}));
    let look = stage.cx().look;
    assert_eq!(stop.as_step().preview(&look).await.as_str(), "1 of 1 run -> 0, kept");
    assert_eq!(stage.run(&stop).await.unwrap().as_str(), "ended by itself");
    assert_eq!(stage.run(&stop).await.unwrap().as_str(), StopWorkers::NOTHING);
    assert_eq!(stage.standing(&start).await, Standing::NotDone);
    assert_eq!(stage.run(&start).await.unwrap().as_str(), "1 run");
    assert_eq!(stage.standing(&stop).await, Standing::NotDone);
    assert!(stage.fake.look_running("green"));
}

#[test]
fn a_part_is_typed_as_it_is_named() {
    for part in HoldPart::ALL {
        assert_eq!(part.name().parse::<HoldPart>(), Ok(part));
    }
    assert!("reads".parse::<HoldPart>().unwrap_err().contains("page, writers or consumers"));
}
