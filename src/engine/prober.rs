//! Asks every check on its schedule: soon after an engine starts, then each in its own phase,
//! bounded side by side. However many there are, they never come as a burst.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::checks::{self, CheckKind, CheckSpec, Memory, ProbeCx};
use crate::model::ids::CheckId;
use crate::model::reading::Reading;

/// Looks that may be under way at once.
const SIDE_BY_SIDE: usize = 16;
/// The same for the first look of each: the first verdict must not wait for a slow one.
const AT_FIRST: usize = 64;
/// Between two first looks, and what a look may come to on the quicker pace while something changes:
/// 200 a second of all checks together.
const APART: Duration = Duration::from_millis(5);
/// Checks of which all look at once when an engine starts.
const AT_ONCE: u32 = 100;
/// Requests of the first look of a check that counts them: as many as a rate needs.
const FIRST_BURST: u32 = 20;

/// What the checks share.
#[derive(Clone)]
struct Shared {
    cx: ProbeCx,
    fast: watch::Receiver<bool>,
    to: mpsc::Sender<Reading>,
    gate: Arc<Semaphore>,
    first: Arc<Semaphore>,
    /// The quickest pace that so many checks can have.
    quickest: Duration,
}

/// Starts the schedule of every live check. A few look once at once, a great many one after the
/// other; later each keeps its own phase, so that a thousand checks of one interval do not fire
/// together. What is sent to a
/// check's sender is how it looks from then on; dropping it ends its looks.
pub fn start(
    checks: &[CheckSpec],
    cx: &ProbeCx,
    fast: &watch::Receiver<bool>,
    to: &mpsc::Sender<Reading>,
) -> BTreeMap<CheckId, watch::Sender<CheckSpec>> {
    let count = checks.iter().filter(|spec| spec.live).count();
    let shared = Shared {
        cx: cx.clone(),
        fast: fast.clone(),
        to: to.clone(),
        gate: Arc::new(Semaphore::new(SIDE_BY_SIDE)),
        first: Arc::new(Semaphore::new(AT_FIRST)),
        quickest: APART * u32::try_from(count).unwrap_or(u32::MAX),
    };
    let live = (0_u32..).zip(checks.iter().filter(|spec| spec.live));
    live.map(|(place, spec)| {
        let (changes, spec_of) = watch::channel(spec.clone());
        let shared = shared.clone();
        let wait = APART * place.saturating_sub(AT_ONCE);
        tokio::spawn(async move { one(spec_of, shared, wait).await });
        (spec.id.clone(), changes)
    })
    .collect()
}

async fn one(mut spec_of: watch::Receiver<CheckSpec>, shared: Shared, wait: Duration) {
    let Shared { cx, mut fast, to, gate, first, quickest } = shared;
    if !wait.is_zero() {
        let spec = spec_of.borrow().clone();
        let tick = until_next(&spec.id, spec.interval, cx.clock.now().timestamp_millis());
        cx.clock.sleep(wait.min(tick)).await;
    }
    let mut memory = Memory::default();
    let mut cold = true;
    loop {
        let spec = spec_of.borrow_and_update().clone();
        let asked = if cold { first_look(&spec) } else { spec.clone() };
        let Ok(permit) = (if cold { &first } else { &gate }).acquire().await else { return };
        let reading = checks::look(&asked, &cx, &mut memory).await;
        drop(permit);
        cold = false;
        if to.send(reading).await.is_err() {
            return;
        }
        loop {
            let quick = *fast.borrow_and_update();
            let quicker = spec.fast_interval.max(quickest).min(spec.interval);
            let interval = if quick { quicker } else { spec.interval };
            let pause = until_next(&spec.id, interval, cx.clock.now().timestamp_millis());
            tokio::select! {
                () = cx.clock.sleep(pause) => break,
                // Another pace: each waits for its own place in it, so that one check that fails
                // does not make all the others look at the same moment.
                changed = fast.changed() => if changed.is_err() { return },
                changed = spec_of.changed() => if changed.is_err() { return } else { break },
            }
        }
    }
}

/// The first look of a check that counts requests sends as many as a rate needs.
fn first_look(spec: &CheckSpec) -> CheckSpec {
    let mut first = spec.clone();
    if let CheckKind::HttpResponse(http) = &mut first.kind
        && spec.role.counts_requests
    {
        http.requests = http.requests.max(FIRST_BURST);
    }
    first
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

    fn http(requests: u32, counts_requests: bool) -> CheckSpec {
        use crate::checks::http_response::Settings;
        let role = crate::model::sample::role("app");
        CheckSpec {
            id: "api".into(),
            name: "api".into(),
            interval: Duration::from_secs(30),
            fast_interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            policy: crate::model::sample::policy(),
            role: crate::model::signal::Role { counts_requests, ..role },
            live: true,
            phases: Vec::new(),
            enabled: true,
            attempts: 1,
            clear: None,
            kind: CheckKind::HttpResponse(Settings {
                requests,
                ..crate::checks::fixture::http("http://h/")
            }),
        }
    }

    #[test]
    fn the_first_look_sends_as_many_requests_as_an_error_rate_needs() {
        let sent = |requests, counts| {
            let CheckKind::HttpResponse(http) = first_look(&http(requests, counts)).kind else {
                panic!("it stays an http check")
            };
            http.requests
        };
        assert_eq!((sent(1, true), sent(10, true), sent(50, true)), (20, 20, 50));
        assert_eq!(sent(1, false), 1, "a check that counts none stays as it is");
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
