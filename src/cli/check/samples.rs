//! `backout check --samples N`: a check looks again and again, and what it saw stands beside its
//! thresholds (P-35, P-48): whether an alarm is true is seen in a minute of own samples.

use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::checks::threshold::{Range, Thresholds};
use crate::checks::{CheckSpec, Memory, ProbeCx, look};
use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::model::ids::CheckId;
use crate::model::reading::{Finding, Reading};

use super::super::{World, say, session};

/// From one look to the next.
const EVERY: Duration = Duration::from_secs(1);

/// What the looks of one check come to.
#[derive(Debug, Serialize)]
struct Summary {
    check: CheckId,
    looks: usize,
    /// Looks that gave no value: bad answers, or none.
    without: usize,
    unit: String,
    lowest: Option<f64>,
    middle: Option<f64>,
    p95: Option<f64>,
    highest: Option<f64>,
    /// `80 or more`; nothing where there is no such threshold.
    warning: Option<String>,
    over_warning: usize,
    critical: Option<String>,
    over_critical: usize,
    good: usize,
}

/// Looks `count` times, a second apart, with each of the checks `of`, by default with those that have
/// thresholds.
pub(super) async fn run(
    world: &World,
    (count, of): (u32, &[String]),
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let place = session::place(world)?;
    let specs = chosen(&place.config, of)?;
    let dir = place.config.file.parent().map(std::path::Path::to_owned).unwrap_or_default();
    let (send, mut seen) = mpsc::channel(64);
    let mut looks = JoinSet::new();
    for spec in specs.clone() {
        let (send, cx) = (send.clone(), ProbeCx { clock: world.clock.clone(), dir: dir.clone() });
        looks.spawn(async move {
            let mut memory = Memory::default();
            for number in 0..count {
                let began = cx.clock.ticks();
                let reading = look(&spec, &cx, &mut memory).await;
                if send.send(reading).await.is_err() {
                    return;
                }
                if number + 1 < count {
                    cx.clock
                        .sleep(EVERY.saturating_sub(cx.clock.ticks().saturating_sub(began)))
                        .await;
                }
            }
        });
    }
    drop(send);
    let mut all: Vec<Reading> = Vec::new();
    while let Some(reading) = seen.recv().await {
        if !world.json {
            let at = reading.at.format("%H:%M:%S");
            say(out, &format!("{at} {}  {}\n", reading.check, shown(&reading)));
        }
        all.push(reading);
    }
    let summaries: Vec<Summary> = specs.iter().map(|spec| summary(spec, &all)).collect();
    if world.json {
        session::json(out, &serde_json::json!({"checks": summaries, "readings": all}));
    } else {
        let text: String = summaries.iter().map(words).collect();
        say(out, &format!("\n{text}"));
    }
    let bad = all.iter().any(|reading| matches!(reading.finding, Finding::Bad { .. }));
    let unknown = all.iter().any(|reading| matches!(reading.finding, Finding::Unknown { .. }));
    Ok(match (bad, unknown) {
        (true, _) => Exit::Critical,
        (false, true) => Exit::Unknown,
        (false, false) => Exit::Ok,
    })
}

fn chosen(config: &Config, of: &[String]) -> Result<Vec<CheckSpec>, Failure> {
    let judged = |spec: &&CheckSpec| spec.kind.thresholds().is_some_and(Thresholds::any);
    let specs: Vec<CheckSpec> = if of.is_empty() {
        config.checks.iter().filter(judged).cloned().collect()
    } else {
        let find = |name: &String| {
            let found = config.checks.iter().find(|spec| spec.id.as_str() == name);
            found.cloned().ok_or_else(|| {
                let names = config.checks.iter().map(|spec| spec.id.as_str());
                let hint = crate::config::did_you_mean(name, names).map_or_else(
                    || "list them: backout check".to_owned(),
                    |meant| format!("did you mean {meant}?"),
                );
                Failure::new(Exit::Usage, format!("there is no check {name}")).hint(hint)
            })
        };
        of.iter().map(find).collect::<Result<_, _>>()?
    };
    if specs.is_empty() {
        return Err(Failure::new(Exit::Usage, "no check has a threshold here")
            .hint("name a check: backout check --samples 10 --of NAME"));
    }
    Ok(specs)
}

/// The value, or what was seen instead of one.
fn shown(reading: &Reading) -> String {
    match (&reading.finding, reading.value) {
        (Finding::Unknown { reason }, _) => format!("unknown: {}", reason.words()),
        (_, Some(value)) => format!("{}  {}", number(value, &reading.unit), reading.note),
        (_, None) => reading.note.to_string(),
    }
}

fn number(value: f64, unit: &str) -> String {
    let text = format!("{value:.1} {unit}");
    text.trim_end().to_owned()
}

fn summary(spec: &CheckSpec, all: &[Reading]) -> Summary {
    let own: Vec<&Reading> = all.iter().filter(|reading| reading.check == spec.id).collect();
    let mut values: Vec<f64> = own.iter().filter_map(|reading| reading.value).collect();
    values.sort_by(f64::total_cmp);
    let rank = |share: usize| {
        let place = (values.len() * share).div_ceil(100).saturating_sub(1);
        values.get(place).copied()
    };
    let thresholds = spec.kind.thresholds().copied().unwrap_or_default();
    let over = |range: Option<Range>| {
        range.map_or(0, |range| values.iter().filter(|value| range.hit(**value)).count())
    };
    Summary {
        check: spec.id.clone(),
        looks: own.len(),
        without: own.len() - values.len(),
        unit: own.first().map_or_else(String::new, |reading| reading.unit.clone()),
        lowest: values.first().copied(),
        middle: rank(50),
        p95: rank(95),
        highest: values.last().copied(),
        warning: thresholds.warning.map(|range| range.to_string()),
        over_warning: over(thresholds.warning),
        critical: thresholds.critical.map(|range| range.to_string()),
        over_critical: over(thresholds.critical),
        good: own.iter().filter(|reading| reading.finding == Finding::Good).count(),
    }
}

fn words(one: &Summary) -> String {
    let mut text = format!("{}: {} of {} looks good", one.check, one.good, one.looks);
    if let (Some(lowest), Some(middle), Some(p95), Some(highest)) =
        (one.lowest, one.middle, one.p95, one.highest)
    {
        let show = |value: f64| number(value, &one.unit);
        write!(
            text,
            "; lowest {}, middle {}, 95 of 100 up to {}, highest {}",
            show(lowest),
            show(middle),
            show(p95),
            show(highest)
        )
        .ok();
    }
    if one.without > 0 {
        write!(text, "; {} without a value", one.without).ok();
    }
    for (word, threshold, over) in [
        ("warning", &one.warning, one.over_warning),
        ("critical", &one.critical, one.over_critical),
    ] {
        if let Some(range) = threshold {
            write!(text, "; {word} at {range}: {over} of {}", one.looks).ok();
        }
    }
    text.push('\n');
    text
}
