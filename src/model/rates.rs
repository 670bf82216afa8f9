//! Error rate and response time over the window.

use std::collections::BTreeMap;

use crate::text::SafeText;

use super::figures::Reached;
use super::ids::{CheckId, Time};
use super::joined::joined;
use super::reading::{Reason, Track};
use super::signal::{Recent, Requests, Role, Signal, SignalValue, Windows};

/// Why there are no requests to count, should there be none; nothing when no check counts any.
pub(super) fn blind(
    tracks: &BTreeMap<CheckId, Track>,
    roles: &BTreeMap<CheckId, Role>,
) -> Option<Reason> {
    let counting = joined(roles, tracks).filter(|(_, role, _)| role.counts_requests);
    let mut reasons =
        counting.map(|(.., track)| track.map_or(Some(Reason::NeverRan), |track| track.reason));
    let first = reasons.next()?;
    Some(first.or_else(|| reasons.find_map(|reason| reason)).unwrap_or(Reason::TooFewSamples))
}

pub(super) fn error_rate(requests: &Requests, windows: Windows, blind: Reason) -> Signal {
    let value = match requests.error_rate() {
        None => SignalValue::Unknown(blind),
        Some(_) if requests.all < windows.min_samples => {
            SignalValue::Unknown(Reason::TooFewSamples)
        }
        Some(rate) => SignalValue::Number(rate),
    };
    let evidence = format!(
        "{} of {} requests failed in {} s",
        requests.failed,
        requests.all,
        windows.span.as_secs()
    );
    Signal { name: "error_rate".into(), value, evidence: vec![SafeText::new(&evidence)] }
}

/// The p95 that every third of the sustain time reached: a burst that has only begun, or is over,
/// does not count (S-06: sustained). Thirds without an answer are left out.
pub(super) fn held(
    recent: &Recent,
    roles: &BTreeMap<CheckId, Role>,
    windows: Windows,
    now: Time,
) -> Option<f64> {
    let third = windows.sustain / 3;
    (1..=3u32)
        .filter_map(|part| {
            let from = back(now, third * part);
            let requests = if part == 1 {
                Requests::since(recent, roles, from)
            } else {
                Requests::between(recent, roles, from, back(now, third * (part - 1)))
            };
            requests.p95_answered()
        })
        .min_by(f64::total_cmp)
}

pub(super) fn p95(
    requests: &Requests,
    held: Option<f64>,
    windows: Windows,
    blind: Reason,
) -> Signal {
    let whole = requests.p95_answered();
    let value = match (whole, held) {
        (None, _) if requests.all == 0 => SignalValue::Unknown(blind),
        (Some(_) | None, _) if requests.all < windows.min_samples => {
            SignalValue::Unknown(Reason::TooFewSamples)
        }
        // Every one failed: there is no response time, and the error rate says so.
        (None, _) => SignalValue::Unknown(Reason::NoData),
        (Some(whole), held) => SignalValue::Number(held.map_or(whole, |held| whole.min(held))),
    };
    let evidence = match whole {
        Some(whole) => format!(
            "p95 {} of {} answers in {} s, held {} s: {}",
            Reached::Seconds(whole).words(),
            requests.latencies.len(),
            windows.span.as_secs(),
            windows.sustain.as_secs(),
            held.map_or_else(|| "not known".to_owned(), |held| Reached::Seconds(held).words()),
        ),
        None => format!("0 of {} requests answered in {} s", requests.all, windows.span.as_secs()),
    };
    Signal { name: "p95".into(), value, evidence: vec![SafeText::new(&evidence)] }
}

fn back(now: Time, span: std::time::Duration) -> Time {
    now - chrono::Duration::from_std(span).unwrap_or_default()
}
