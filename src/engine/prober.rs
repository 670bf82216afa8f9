//! Asks every check on its schedule: a stable phase each, bounded side by side, never a burst.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::checks::{self, CheckSpec, ProbeCx};
use crate::model::ids::CheckId;
use crate::model::reading::Reading;

/// Looks that may be under way at once.
const SIDE_BY_SIDE: usize = 16;

/// Starts the schedule of every live check. All look once at once; later each keeps its own
/// phase, so that a thousand checks of one interval do not fire together.
pub fn start(
    checks: &[CheckSpec],
    cx: &ProbeCx,
    fast: &watch::Receiver<bool>,
    to: &mpsc::Sender<Reading>,
) {
    let gate = Arc::new(Semaphore::new(SIDE_BY_SIDE));
    for spec in checks.iter().filter(|spec| spec.live) {
        let (spec, cx) = (spec.clone(), cx.clone());
        let (fast, to, gate) = (fast.clone(), to.clone(), Arc::clone(&gate));
        tokio::spawn(async move { one(spec, cx, fast, to, gate).await });
    }
}

async fn one(
    spec: CheckSpec,
    cx: ProbeCx,
    mut fast: watch::Receiver<bool>,
    to: mpsc::Sender<Reading>,
    gate: Arc<Semaphore>,
) {
    loop {
        let Ok(permit) = gate.acquire().await else { return };
        let reading = checks::probe(&spec, &cx).await;
        drop(permit);
        if to.send(reading).await.is_err() {
            return;
        }
        let quick = *fast.borrow_and_update();
        let interval = if quick { spec.fast_interval } else { spec.interval };
        let pause = until_next(&spec.id, interval, cx.clock.now().timestamp_millis());
        tokio::select! {
            () = cx.clock.sleep(pause) => {}
            // A quicker pace begins at once; a slower one after the look that is due.
            changed = fast.changed() => if changed.is_err() { return },
        }
    }
}

/// Time from `now` to the next tick of a check: multiples of the interval, moved by a phase that
/// depends on the name alone. Ticks that were missed are left out.
pub fn until_next(id: &CheckId, interval: Duration, now_ms: i64) -> Duration {
    let every = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
    let hash = Sha256::digest(id.as_str().as_bytes());
    let seed = hash.iter().take(6).fold(0_i64, |sum, byte| sum * 256 + i64::from(*byte));
    let wait = every - (now_ms - seed % every).rem_euclid(every);
    Duration::from_millis(wait.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_stable_and_never_waits_longer_than_the_interval() {
        let id = CheckId::from("api");
        let second = Duration::from_secs(5);
        let first = until_next(&id, second, 1_000_000);
        assert!(first <= second && first > Duration::ZERO);
        let tick = 1_000_000 + i64::try_from(first.as_millis()).unwrap();
        assert_eq!(until_next(&id, second, tick), second);
    }

    #[test]
    fn checks_of_one_interval_do_not_fire_together() {
        let second = Duration::from_secs(30);
        let mut waits: Vec<_> = (0..300)
            .map(|n| until_next(&CheckId(format!("check-{n}")), second, 0).as_millis() / 1000)
            .collect();
        waits.sort_unstable();
        waits.dedup();
        assert!(waits.len() > 25, "{waits:?}");
    }
}
