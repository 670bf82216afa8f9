//! Before, during and now: every check held against what it was before the last deploy.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::text::SafeText;

use super::bearing::Dimension;
use super::entry::Change;
use super::figures::{Figures, Reached};
use super::ids::{CheckId, Time};
use super::reading::Finding;
use super::signal::Recent;

/// How far back before a deploy the baseline looks at most.
pub const BASELINE: chrono::Duration = chrono::Duration::minutes(60);
/// What counts as now.
pub const NOW: chrono::Duration = chrono::Duration::seconds(60);
/// Looks below which a baseline is not believed.
const ENOUGH: u32 = 3;

/// How the checks were before a deploy: journaled once, so that it outlives the samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// When the deploy was.
    pub deploy: Time,
    /// The version it brought.
    pub version: SafeText,
    /// The first reading that is in it.
    pub from: Time,
    /// Per check.
    pub figures: BTreeMap<CheckId, Figures>,
}

/// All checks, before the last deploy, since it, and now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// When it was made.
    pub at: Time,
    /// The deploy that parts before from during; nothing when none is known.
    pub deploy: Option<Deploy>,
    /// When the traffic was switched away from that deploy, if it was: during ends here.
    pub until: Option<Time>,
    /// One row per check, the most changed first.
    pub rows: Vec<Compared>,
}

/// The deploy that is judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deploy {
    /// When.
    pub at: Time,
    /// What it brought.
    pub version: SafeText,
    /// Since when there are readings from before it; nothing when nobody looked then.
    pub baseline_from: Option<Time>,
}

/// One check in three times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The check.
    pub check: CheckId,
    /// Its group (P-86).
    pub dimension: Dimension,
    /// Before the deploy, up to an hour.
    pub before: Option<Figures>,
    /// Since the deploy, until the traffic was switched away.
    pub during: Option<Figures>,
    /// The last minute.
    pub now: Option<Figures>,
    /// The first bad reading since the deploy.
    pub began: Option<Time>,
    /// How it changed.
    pub change: Drift,
    /// The same in words: `p95 1.90 s, was 0.21 s, began 40 s after v2.5.0`.
    pub says: SafeText,
}

/// How a check stands against its own past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// Worse than before the deploy.
    Worse,
    /// It was worse since the deploy and is as before now.
    Back,
    /// Better than before the deploy.
    Better,
    /// As before.
    Same,
    /// Nobody looked before the deploy, or nobody looks now: not known, never "as before".
    NotKnown,
}

impl Drift {
    /// For a table.
    pub fn words(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Back => "back",
            Self::Better => "better",
            Self::Same => "same",
            Self::NotKnown => "not known",
        }
    }
}

/// The baseline of a deploy from the readings before it; nothing when there are none.
pub fn baseline(
    change: &Change,
    checks: impl Iterator<Item = CheckId>,
    recent: &Recent,
) -> Option<Baseline> {
    let (from, deploy) = (change.at - BASELINE, change.at);
    let checks: Vec<CheckId> = checks.collect();
    let first = checks.iter().filter_map(|id| recent.since(id, from).next());
    let first = first.map(|one| one.at).filter(|at| *at < deploy).min()?;
    let figures: BTreeMap<CheckId, Figures> = checks
        .into_iter()
        .filter_map(|id| {
            let before = recent.since(&id, from).filter(|one| one.at < deploy);
            let figures = Figures::of(before).filter(|figures| figures.looks >= ENOUGH)?;
            Some((id, figures))
        })
        .collect();
    (!figures.is_empty()).then_some(Baseline {
        deploy: change.at,
        version: change.version.clone(),
        from: first,
        figures,
    })
}

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The last deploy.
    pub deploy: Option<&'a Change>,
    /// How it was before that; one of another deploy is not used.
    pub baseline: Option<&'a Baseline>,
    /// The readings.
    pub recent: &'a Recent,
    /// The group of each check; these are the checks that are compared.
    pub dimensions: &'a BTreeMap<CheckId, Dimension>,
    /// When the traffic was switched away from the deploy.
    pub switched: Option<Time>,
    /// Now.
    pub now: Time,
}

/// Holds every check against its own past.
pub fn compare(sources: Sources<'_>) -> Comparison {
    let deploy = sources.deploy;
    let baseline = sources
        .baseline
        .filter(|baseline| deploy.is_some_and(|deploy| deploy.at == baseline.deploy));
    let until = sources.switched.filter(|at| deploy.is_some_and(|deploy| deploy.at < *at));
    let mut rows: Vec<Compared> =
        sources.dimensions.keys().map(|id| row(id, baseline, until, sources)).collect();
    rows.sort_by(|a, b| (a.change, &a.check).cmp(&(b.change, &b.check)));
    Comparison {
        at: sources.now,
        deploy: deploy.map(|deploy| Deploy {
            at: deploy.at,
            version: deploy.version.clone(),
            baseline_from: baseline.map(|baseline| baseline.from),
        }),
        until,
        rows,
    }
}

fn row(
    id: &CheckId,
    baseline: Option<&Baseline>,
    until: Option<Time>,
    sources: Sources<'_>,
) -> Compared {
    let Sources { deploy, recent, now, .. } = sources;
    let before = baseline.and_then(|baseline| baseline.figures.get(id).cloned());
    let end = until.unwrap_or(now);
    let since = |from: Time| recent.since(id, from);
    let during =
        deploy.and_then(|deploy| Figures::of(since(deploy.at).filter(|one| one.at <= end)));
    // What was read before the switch says nothing about what serves now.
    let from = until.map_or(now - NOW, |switched| switched.max(now - NOW));
    let current = Figures::of(since(from));
    let bad = |finding: &Finding| match finding {
        Finding::Bad { .. } => true,
        Finding::Good | Finding::Warn { .. } | Finding::Unknown { .. } => false,
    };
    let began = deploy.and_then(|deploy| {
        since(deploy.at).find(|one| bad(&one.finding) || one.failed_of.0 > 0).map(|one| one.at)
    });
    let change = drift(before.as_ref(), during.as_ref(), current.as_ref());
    let after = began.zip(deploy).map(|(began, deploy)| {
        let seconds = (began - deploy.at).num_seconds();
        format!(", began {} after {}", span(seconds), deploy.version)
    });
    let after = after.unwrap_or_default();
    let says = match (change, &during, &deploy) {
        (Drift::Back, Some(during), Some(deploy)) => {
            let was = says(before.as_ref(), Some(during), change, &after);
            format!("since {}: {was}; as before now", deploy.version)
        }
        (_, _, _) => says(before.as_ref(), current.as_ref(), change, &after),
    };
    Compared {
        check: id.clone(),
        dimension: sources.dimensions.get(id).copied().unwrap_or_default(),
        before,
        during,
        now: current,
        began,
        change,
        says: SafeText::new(&says),
    }
}

fn span(seconds: i64) -> String {
    match seconds {
        ..100 => format!("{seconds} s"),
        100..6000 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

fn drift(before: Option<&Figures>, during: Option<&Figures>, now: Option<&Figures>) -> Drift {
    let (Some(before), Some(now)) = (before, now) else {
        return Drift::NotKnown;
    };
    if worse(before, now) {
        Drift::Worse
    } else if worse(now, before) {
        Drift::Better
    } else if during.is_some_and(|during| worse(before, during)) {
        Drift::Back
    } else {
        Drift::Same
    }
}

/// Whether `b` is worse than `a`: more than one point more errors or bad looks, or half as slow
/// again and 50 ms at least (the documents' "minor degradation" begins at 1.5 times).
fn worse(a: &Figures, b: &Figures) -> bool {
    let errors = |figures: &Figures| figures.error_percent().unwrap_or_default();
    let bad = |figures: &Figures| f64::from(figures.bad) * 100.0 / f64::from(figures.looks.max(1));
    let slower = match (a.p95_answered, b.p95_answered) {
        (Some(a), Some(b)) => b > a * 1.5 && b - a > 0.05,
        (Some(_) | None, _) => false,
    };
    errors(b) > errors(a) + 1.0 || bad(b) > bad(a) + 1.0 || slower
}

/// The number that moved, now and before.
fn says(before: Option<&Figures>, now: Option<&Figures>, change: Drift, after: &str) -> String {
    let Some(now) = now else {
        return "no look in the last minute".to_owned();
    };
    let Some(before) = before else {
        return format!("{}; nobody looked before the deploy", headline(now));
    };
    let errors = (now.error_percent(), before.error_percent());
    let moved = match errors {
        (Some(is), Some(was)) if (is - was).abs() > 1.0 => {
            format!("errors {is:.1} %, were {was:.1} %")
        }
        (Some(_) | None, _) => match (now.p95_answered, before.p95_answered) {
            (Some(is), Some(was)) => {
                let (is, was) = (Reached::Seconds(is).words(), Reached::Seconds(was).words());
                format!("p95 {is}, was {was}")
            }
            (Some(_) | None, _) => match (now.value, before.value) {
                (Some(is), Some(was)) => {
                    let is = format!("{is:.1} {}", now.unit);
                    format!("{}, was {was:.1}", is.trim_end())
                }
                (Some(_) | None, _) => headline(now),
            },
        },
    };
    match change {
        Drift::Worse | Drift::Back => format!("{moved}{after}"),
        Drift::Better | Drift::Same | Drift::NotKnown => moved,
    }
}

fn headline(figures: &Figures) -> String {
    match (figures.p95, figures.value) {
        (Some(p95), _) => {
            format!("{:.1} % errors, p95 {}", figures.error_percent().unwrap_or(0.0), p95.words())
        }
        (None, Some(value)) => format!("{value:.1} {}", figures.unit).trim_end().to_owned(),
        (None, None) => format!("{} of {} looks bad", figures.bad, figures.looks),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use super::*;

    fn looks(recent: &mut Recent, seconds: std::ops::Range<i64>, failed: u32, ms: u64) {
        for second in seconds {
            recent.push(burst("api", second, (failed, 10), ms));
        }
    }

    fn compared(recent: &Recent, switched: Option<i64>, now: i64) -> Compared {
        let deploy = change(300);
        let baseline = baseline(&deploy, ["api".into()].into_iter(), recent);
        let comparison = compare(Sources {
            deploy: Some(&deploy),
            baseline: baseline.as_ref(),
            recent,
            dimensions: &BTreeMap::from([("api".into(), Dimension::Api)]),
            switched: switched.map(at),
            now: at(now),
        });
        comparison.rows[0].clone()
    }

    #[test]
    fn a_slow_version_is_named_with_its_past_and_its_beginning() {
        let mut recent = Recent::default();
        looks(&mut recent, 0..300, 0, 210);
        looks(&mut recent, 300..340, 0, 210);
        looks(&mut recent, 340..341, 1, 1900);
        looks(&mut recent, 341..400, 0, 1900);
        let row = compared(&recent, None, 402);
        assert_eq!(row.change, Drift::Worse);
        assert_eq!(row.says.as_str(), "p95 1.90 s, was 0.21 s, began 40 s after v2.5.0");
        assert_eq!(row.began, Some(at(340)));
    }

    #[test]
    fn after_the_switch_now_is_only_what_serves_now() {
        let mut recent = Recent::default();
        looks(&mut recent, 0..300, 0, 40);
        looks(&mut recent, 300..390, 3, 40);
        looks(&mut recent, 390..400, 0, 40);
        let row = compared(&recent, Some(390), 400);
        assert_eq!(row.change, Drift::Back);
        let rate = |figures: &Option<Figures>| figures.as_ref().unwrap().error_percent().unwrap();
        assert!(rate(&row.before) < 0.1 && rate(&row.now) < 0.1, "{row:?}");
        assert!(rate(&row.during) > 29.0, "{row:?}");
    }

    #[test]
    fn without_looks_before_the_deploy_nothing_is_said_to_be_as_before() {
        let mut recent = Recent::default();
        looks(&mut recent, 310..400, 0, 40);
        let row = compared(&recent, None, 400);
        assert_eq!((row.change, row.before), (Drift::NotKnown, None));
        assert!(row.says.as_str().ends_with("nobody looked before the deploy"), "{}", row.says);
    }
}
