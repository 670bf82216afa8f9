//! Looks at what no check looks at: deploys, restore points, and whether going back would help.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::adapters::control;
use crate::clock::Clock;
use crate::config::{Config, HelpSettings};
use crate::evidence::points;
use crate::model::deploys::ChangeState;
use crate::model::entry::Change;
use crate::model::ids::{Color, PointId, Time};
use crate::model::restore_point::{Known, PointHealth, RestorePoint};
use crate::model::tree::{Burst, HelpTest};
use crate::text::SafeText;

use super::stack::Stack;

/// The longest a single request of the help test may take.
const REQUEST: Duration = Duration::from_secs(2);
/// The longest a version may take to say what it is: it asks all it depends on.
const STATUS: Duration = Duration::from_secs(5);
/// The longest one side of the help test may take.
const SIDE: Duration = Duration::from_secs(4);

/// One line of the deploys file.
#[derive(Deserialize)]
struct Deployed {
    at: Time,
    version: String,
    #[serde(default)]
    color: Option<String>,
    #[serde(default)]
    by: String,
    #[serde(default)]
    reference: String,
    #[serde(default)]
    schema: Option<i64>,
    #[serde(default)]
    state: String,
}

/// The ended deploys on record, newest first, at most 8; lines that cannot be read are left
/// out, because half a record proves nothing.
pub fn deploys(file: Option<&Path>) -> Vec<Change> {
    let text = file.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    let mut changes: Vec<Change> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Deployed>(line).ok())
        .filter(|deployed| matches!(deployed.state.as_str(), "" | "done" | "failed"))
        .map(|deployed| Change {
            at: deployed.at,
            version: SafeText::new(&deployed.version),
            color: deployed.color.map(Color),
            by: SafeText::new(&deployed.by),
            reference: SafeText::new(&deployed.reference),
            schema: deployed.schema,
            state: match deployed.state.as_str() {
                "failed" => ChangeState::Failed,
                _ => ChangeState::Done,
            },
            evidence: "read from the deploys file".into(),
            ..Change::default()
        })
        .collect();
    changes.sort_by_key(|change| std::cmp::Reverse(change.at));
    changes.truncate(8);
    changes
}

/// What a version says of itself at its own address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Its version.
    pub version: SafeText,
    /// The colour it says it is.
    pub environment: String,
    /// Whether it says it is ready.
    pub ready: bool,
}

/// Asks `url`/status what runs there.
pub async fn status(url: &str, clock: &Clock) -> Option<Said> {
    let address = format!("{}/status", url.trim_end_matches('/'));
    let answer = control::get(&address, STATUS, clock).await.ok()?;
    let body: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    let text = |key: &str| body.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
    Some(Said {
        version: SafeText::new(text("version")),
        environment: text("environment").to_owned(),
        ready: body.get("overall_ready") == Some(&serde_json::Value::Bool(true)),
    })
}

/// The same bounded burst of reads to the active version and to the other, at their own
/// addresses (design 19). `shared` is a dependency of both that fails by its own check.
pub async fn help_test(
    stack: &Stack,
    settings: &HelpSettings,
    shared: Option<SafeText>,
    clock: &Clock,
) -> Option<HelpTest> {
    if settings.paths.is_empty() || settings.requests == 0 {
        return None;
    }
    let active = stack.traffic.look().await.ok()?.active;
    let other = stack.other(&active).cloned();
    let failing = burst(stack, &active, settings, clock);
    let target = async {
        match &other {
            Some(other) => Some(burst(stack, other, settings, clock).await),
            None => None,
        }
    };
    let (failing, target) = tokio::join!(failing, target);
    let dead = |burst: &Burst| burst.answered < burst.asked;
    let both_fail = dead(&failing) && target.as_ref().is_some_and(dead);
    let shared_failing = shared.filter(|_| both_fail);
    Some(HelpTest { at: clock.now(), failing, target, shared_failing })
}

async fn burst(stack: &Stack, color: &Color, settings: &HelpSettings, clock: &Clock) -> Burst {
    let base = stack.addresses.get(color).map(String::as_str).unwrap_or_default();
    let mut answered = 0;
    let mut took = Vec::new();
    let all = async {
        let paths = settings.paths.iter().cycle().take(settings.requests as usize);
        for path in paths {
            let url = format!("{}{path}", base.trim_end_matches('/'));
            let began = clock.now();
            if let Ok(answer) = control::get(&url, REQUEST, clock).await
                && answer.is_success()
            {
                answered += 1;
                took.push((clock.now() - began).to_std().unwrap_or_default());
            }
        }
    };
    // A hanging version answers nothing in the time: what it has not answered, it has not.
    let bounded = clock.timeout(SIDE, all);
    let (_, said, state) = tokio::join!(bounded, status(base, clock), stack.workload.look(color));
    // One that does not say what it is still is what was released there.
    let released = || state.map(|state| state.version).unwrap_or_default();
    let version = said.map_or_else(released, |said| said.version);
    took.sort_unstable();
    let p95 = took.get((took.len() * 95).div_ceil(100).saturating_sub(1)).copied();
    Burst { color: color.clone(), version, asked: settings.requests, answered, p95 }
}

/// What can be gone back to: the live second colour, then backups in S-80's layout, newest first.
pub async fn points(config: &Config, stack: Option<&Stack>, clock: &Clock) -> Vec<RestorePoint> {
    let deploys = deploys(config.deploys.as_deref());
    let mut points = Vec::new();
    if let Some(stack) = stack
        && let Ok(traffic) = stack.traffic.look().await
    {
        for (color, url) in &stack.addresses {
            let state = stack.workload.look(color).await.ok();
            let said = status(url, clock).await;
            let version = match (&said, &state) {
                (Some(said), _) => said.version.clone(),
                (None, Some(state)) => state.version.clone(),
                (None, None) => SafeText::new("unknown"),
            };
            let deployed = deploys
                .iter()
                .find(|change| change.version == version && change.state == ChangeState::Done);
            let health = match said {
                _ if *color == traffic.active => PointHealth::CurrentFailed,
                Some(said) if said.ready => {
                    PointHealth::Stable { evidence: "says it is ready now".into() }
                }
                Some(_) | None => PointHealth::NotProven,
            };
            points.push(RestorePoint {
                id: PointId(format!("live-{color}")),
                taken_at: deployed.map(|change| change.at),
                version,
                color: Some(color.clone()),
                images: Vec::new(),
                schema: deployed.and_then(|change| change.schema),
                health,
                manifest: None,
                refused: None,
                known: Known {
                    runs: state.as_ref().is_some_and(|state| state.running),
                    ..Known::default()
                },
            });
        }
    }
    let repositories = match stack {
        Some(stack) => stack.workload.repositories().await,
        None => Vec::new(),
    };
    points.extend(backups(config.restore_points.as_deref(), &repositories));
    points
}

/// The backups of a folder in S-80's layout, newest first. A folder that cannot be read shows as
/// one line that says so.
fn backups(folder: Option<&Path>, repositories: &[String]) -> Vec<RestorePoint> {
    let shown = |point: &points::Point| {
        let version = point.version_among(repositories);
        let shown = point.restore_point();
        RestorePoint { version: version.unwrap_or(shown.version.clone()), ..shown }
    };
    match folder.map(points::list) {
        None => Vec::new(),
        Some(Ok(found)) => found.iter().map(shown).collect(),
        Some(Err(error)) => vec![RestorePoint {
            id: "restore-points".into(),
            version: "unknown".into(),
            refused: Some(SafeText::new(&error.message)),
            ..RestorePoint::default()
        }],
    }
}
