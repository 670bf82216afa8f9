use super::*;

#[tokio::test]
async fn an_order_can_fail_before_or_after_the_effect() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new(dir.path().join("ledger.log"), Clock::real());
    let lost = Error::new(Kind::TimedOut, "could not switch: no answer in 5.0 s");
    fake.fail(Operation::Switch, lost.clone());
    assert!(fake.switch(&"blue".into(), "k.1").await.is_err());
    assert_eq!(Traffic::look(&*fake).await.unwrap().active, "green".into());
    fake.order(Order {
        operation: Operation::Switch,
        delay: Duration::ZERO,
        error: Some(lost),
        applies: true,
    });
    assert!(fake.switch(&"blue".into(), "k.2").await.is_err());
    assert_eq!(Traffic::look(&*fake).await.unwrap().active, "blue".into());
    fake.switch(&"blue".into(), "k.3").await.unwrap();
    assert_eq!(fake.ledger().lines().unwrap(), ["switch green->blue k.2"]);
}

#[tokio::test]
async fn a_delay_is_waited_by_the_clock_that_the_test_moves() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Clock::real().now());
    let fake = Fake::new(dir.path().join("ledger.log"), clock.clone());
    fake.delay(Operation::Stop, Duration::from_mins(1));
    let stop = {
        let fake = fake.clone();
        tokio::spawn(async move { fake.stop(&"green".into(), Duration::ZERO, "k").await })
    };
    while !stop.is_finished() {
        clock.advance(Duration::from_secs(10));
        tokio::task::yield_now().await;
    }
    assert_eq!(stop.await.unwrap().unwrap().as_str(), "ended by itself");
}
