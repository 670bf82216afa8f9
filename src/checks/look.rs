//! One look: its limit, its attempts, and what a check remembers from look to look.

use std::time::{Duration, Instant};

use crate::model::reading::{Finding, Reading, WhyClass};
use crate::text::SafeText;

use super::seen::bad;
use super::{
    CheckKind, CheckSpec, ProbeCx, Reason, Seen, container, kubernetes, log_pattern,
    system_resource, threshold,
};

/// What one check remembers from look to look. Lost with the engine: the next one begins anew.
#[derive(Debug, Default)]
pub struct Memory {
    /// A threshold was crossed and the value has not come back behind `clear_below` yet.
    alarmed: bool,
    /// The counters of the processors at the last look.
    pub(super) cpu: Option<system_resource::Counters>,
    /// How far a log was read.
    pub(super) log: Option<log_pattern::Place>,
    /// Restarts and meters of the containers.
    pub(super) containers: container::Past,
    /// The client of a cluster, and the restarts of its pods.
    pub(super) kubernetes: kubernetes::Past,
}

/// Looks once, without a past. Never fails: what goes wrong is the finding.
pub async fn probe(spec: &CheckSpec, cx: &ProbeCx) -> Reading {
    look(spec, cx, &mut Memory::default()).await
}

/// Looks once, with what earlier looks left in `memory`. Never fails: what goes wrong is the
/// finding.
///
/// A bad answer is asked again up to `attempts` times while a quarter of the timeout is left: the
/// timeout is that of all attempts together. The last one decides; the others are in the facts.
pub async fn look(spec: &CheckSpec, cx: &ProbeCx, memory: &mut Memory) -> Reading {
    let mut at = cx.clock.now();
    let begun = Instant::now();
    let mut tried: Vec<SafeText> = Vec::new();
    loop {
        let attempt = Instant::now();
        let left = spec.timeout.saturating_sub(begun.elapsed());
        let seen = once(spec, cx, left, memory).await;
        let took = attempt.elapsed();
        let number = tried.len() + 1;
        let again = fails(&seen.finding)
            && number < spec.attempts as usize
            && begun.elapsed() * 4 < spec.timeout * 3;
        if again {
            let (of, note) = (spec.attempts, &seen.note);
            tried.push(SafeText::new(&format!(
                "attempt {number} of {of}: {note} ({:.3} s)",
                took.as_secs_f64()
            )));
            at = cx.clock.now();
            continue;
        }
        let mut seen = memory.hold(spec, seen);
        seen.facts.splice(0..0, tried);
        return seen.reading(spec.id.clone(), at, took);
    }
}

/// Whether asking again may help: a value beyond its threshold was a good answer.
fn fails(finding: &Finding) -> bool {
    match finding {
        Finding::Bad { why } => why.class != WhyClass::Threshold,
        Finding::Good | Finding::Warn { .. } | Finding::Unknown { .. } => false,
    }
}

async fn once(spec: &CheckSpec, cx: &ProbeCx, limit: Duration, memory: &mut Memory) -> Seen {
    let look = async {
        match &spec.kind {
            CheckKind::HttpResponse(settings) => settings.probe(limit, &cx.clock).await,
            CheckKind::Tcp(settings) => settings.probe(limit, &cx.clock).await,
            CheckKind::File(settings) => settings.probe(cx).await,
            CheckKind::Custom(settings) => settings.probe(limit, cx).await,
            CheckKind::DatabaseConnection(settings) => {
                Box::pin(settings.probe(limit, &cx.clock)).await
            }
            CheckKind::SystemResource(settings) => settings.probe(limit, cx, memory).await,
            CheckKind::Process(settings) => settings.probe().await,
            CheckKind::SystemdUnit(settings) => settings.probe(limit, cx).await,
            CheckKind::LogPattern(settings) => settings.probe(cx, memory).await,
            // Three queries side by side: too large to lie on the stack of every look.
            CheckKind::Prometheus(settings) => Box::pin(settings.probe(limit, &cx.clock)).await,
            CheckKind::Dns(settings) => settings.probe(limit, &cx.clock).await,
            CheckKind::TlsCert(settings) => settings.probe(limit, &cx.clock).await,
            CheckKind::Redis(settings) => settings.probe(limit, &cx.clock).await,
            CheckKind::Push(settings) => settings.probe(&spec.id, cx).await,
            CheckKind::S3Object(settings) => Box::pin(settings.probe(limit, &cx.clock)).await,
            CheckKind::Container(settings) => Box::pin(settings.probe(limit, cx, memory)).await,
            CheckKind::Kubernetes(settings) => Box::pin(settings.probe(limit, cx, memory)).await,
            CheckKind::Unaddressed { kind } => {
                let text = format!("{kind}: where to ask is not configured");
                Seen::unknown(Reason::BadConfig, &text)
            }
        }
    };
    // Each kind keeps the limit itself and says what it was doing; this one is for a file system
    // or a library that does not come back.
    let seen = cx.clock.timeout(limit + SLACK, look).await;
    seen.unwrap_or_else(|_| Seen::timed_out(limit))
}

/// How much later than its own limit a look is given up.
const SLACK: Duration = Duration::from_millis(500);

impl Memory {
    /// Hysteresis: an alarm of the thresholds ends when the value is behind `clear`, not when it
    /// is a hair below the threshold. Until then it is as bad as the milder threshold says.
    fn hold(&mut self, spec: &CheckSpec, seen: Seen) -> Seen {
        let (Some(clear), Some(thresholds)) = (spec.clear, spec.kind.thresholds()) else {
            return seen;
        };
        match &seen.finding {
            Finding::Warn { why } | Finding::Bad { why } if why.class == WhyClass::Threshold => {
                self.alarmed = true;
                seen
            }
            // Not a judgement of the value: says nothing about the alarm.
            Finding::Warn { .. } | Finding::Bad { .. } | Finding::Unknown { .. } => seen,
            Finding::Good => match seen.value {
                Some(value) if self.alarmed && !clear.done(value) => held(seen, thresholds, clear),
                _ => {
                    self.alarmed = false;
                    seen
                }
            },
        }
    }
}

fn held(seen: Seen, thresholds: &threshold::Thresholds, clear: threshold::Clear) -> Seen {
    let text = format!("{}: the alarm stays until {clear}", seen.note);
    let finding = if thresholds.warning.is_some() {
        super::seen::warn(WhyClass::Threshold, &text)
    } else {
        bad(WhyClass::Threshold, &text)
    };
    let failed = u32::from(matches!(finding, Finding::Bad { .. }));
    Seen { finding, failed_of: (failed, 1), ..seen }
}

#[cfg(test)]
mod tests;
