//! Deploys as the engine takes them: reports that come in, what a look notices, and the list of
//! what can be gone back to with what there is to show for each.

use std::collections::BTreeMap;

use crate::clock::Clock;
use crate::config::Config;
use crate::evidence::points;
use crate::model::deploys::{ChangeState, Deploys, SeenRelease, noticed, reported};
use crate::model::entry::{Change, Command, Event};
use crate::model::ids::{Color, PointId, RunId, Time};
use crate::model::restore_point::{Evidence, PointHealth, RestorePoint};
use crate::model::situation::{PastRun, Situation};
use crate::model::way_back::WayBack;
use crate::text::SafeText;

use super::answer::{Refusal, refuse};
use super::books::Line;
use super::observe;
use super::planner::Facts;
use super::run::{Engine, Seen};
use super::stack::Stack;

/// What is on record of deploys.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The last changes, newest first.
    pub changes: Vec<Change>,
    /// Recorded points, pins, and what lay where.
    pub deploys: Deploys,
}

impl Known {
    /// What the journal knows.
    pub fn of(situation: &Situation) -> Self {
        Self { changes: situation.changes.clone(), deploys: situation.deploys.clone() }
    }

    /// With what the deploys file says beside, for whoever has no journal yet.
    #[must_use]
    pub fn with_file(mut self, config: &Config) -> Self {
        for change in observe::deploys(config.deploys.as_deref()) {
            if !self.changes.iter().any(|known| known.same_deploy(&change)) {
                self.changes.push(change);
            }
        }
        self.changes.sort_by_key(|change| std::cmp::Reverse(change.at));
        self
    }

    /// The deploy whose end was not reported yet.
    pub fn running(&self) -> Option<&Change> {
        self.changes.iter().find(|change| change.state == ChangeState::Running)
    }
}

/// Whether a report, a pin or its end can be taken.
pub fn answer(situation: &Situation, command: &Command) -> Result<(), Refusal> {
    if let Command::Deploy { report } = command {
        if report.version.is_empty() {
            return refuse("the version is missing", "say --version V");
        }
        if report.state == ChangeState::Noticed {
            return refuse("a report is begin, done or failed", "say one of these");
        }
        if report.state == ChangeState::Running {
            super::answer_breach::none(situation)?;
        }
    }
    let known = |point: &PointId| {
        let records = &situation.deploys.records;
        situation.points.iter().chain(records).any(|known| &known.id == point)
    };
    if let Command::Pin { point, reason } = command {
        if !known(point) {
            let ids = situation.points.iter().map(|point| &point.id);
            return refuse(
                points::not_found(point.as_str(), None, ids).join("; "),
                "look at them: backout targets",
            );
        }
        if reason.is_empty() {
            return refuse("a reason is missing", "say why it must be kept: --reason");
        }
    }
    if let Command::Unpin { point } = command
        && !situation.deploys.pins.contains_key(point)
    {
        return refuse(format!("{point} is not pinned"), "nothing needs to be done");
    }
    Ok(())
}

/// What one look around says of deploys.
pub struct Told {
    /// What can be gone back to.
    pub points: Vec<RestorePoint>,
    /// What lies on each colour.
    pub releases: BTreeMap<Color, SeenRelease>,
}

impl Told {
    /// Looks; changes nothing.
    pub async fn look(
        config: &Config,
        stack: Option<&Stack>,
        facts: &Facts,
        clock: &Clock,
    ) -> Self {
        let points = targets(config, stack, &facts.known, clock).await;
        let releases = match stack {
            Some(stack) => releases(stack, clock.now()).await,
            None => BTreeMap::new(),
        };
        Self { points, releases }
    }
}

/// What lies on each colour, as far as that can be told.
async fn releases(stack: &Stack, now: Time) -> BTreeMap<Color, SeenRelease> {
    let mut seen = BTreeMap::new();
    for color in stack.addresses.keys() {
        let Ok(there) = stack.workload.released(color).await else { continue };
        if !there.version.is_empty() {
            let since = there.since.unwrap_or(now);
            let release = SeenRelease { version: there.version, digest: there.digest, since };
            seen.insert(color.clone(), release);
        }
    }
    seen
}

/// What can be gone back to, each with what there is to show for it: live colours, points that
/// deploys recorded, backups, and kept releases that nothing else stands for.
pub async fn targets(
    config: &Config,
    stack: Option<&Stack>,
    known: &Known,
    clock: &Clock,
) -> Vec<RestorePoint> {
    let mut points = observe::points(config, stack, clock).await;
    let live = points.iter().take_while(|point| point.color.is_some()).count();
    points.splice(live..live, known.deploys.records.iter().cloned());
    let releases = match stack {
        Some(stack) => stack.workload.releases().await.unwrap_or_default(),
        None => Vec::new(),
    };
    for release in &releases {
        for point in points.iter_mut().filter(|point| point.version == release.version) {
            point.schema = point.schema.or(release.schema);
        }
        if !points.iter().any(|point| point.version == release.version) {
            points.push(RestorePoint {
                id: PointId(format!("release-{}", release.version)),
                version: release.version.clone(),
                images: vec![SafeText::new(&format!("sha256:{}", release.digest))],
                schema: release.schema,
                refused: release.broken.clone(),
                ..RestorePoint::default()
            });
        }
    }
    let told = observe::deploys(config.deploys.as_deref());
    for point in &mut points {
        label(point, known, &told);
    }
    let all: Vec<Change> = known.changes.iter().chain(&told).cloned().collect();
    super::recorded::health(&mut points, &all);
    for (id, pin) in &known.deploys.pins {
        match points.iter_mut().find(|point| &point.id == id) {
            Some(point) => point.known.pinned = Some(pin.reason.clone()),
            // Pinned and gone is worth a line: somebody relied on it.
            None => points.push(RestorePoint {
                id: id.clone(),
                version: SafeText::new("unknown"),
                refused: Some("pinned, but it is not there any more".into()),
                known: crate::model::restore_point::Known {
                    pinned: Some(pin.reason.clone()),
                    ..Default::default()
                },
                ..RestorePoint::default()
            }),
        }
    }
    points
}

/// Says what there is to show for a point. Without a record it is never called stable.
fn label(point: &mut RestorePoint, known: &Known, told: &[Change]) {
    let about = |change: &&Change| {
        let here = match (&point.color, &change.color) {
            (Some(color), Some(other)) => color == other,
            (None, _) | (_, None) => true,
        };
        change.version == point.version && here
    };
    let all = || known.changes.iter().chain(told);
    let done = all().find(|change| change.state == ChangeState::Done && about(change));
    let found = all().find(|change| change.state == ChangeState::Noticed && about(change));
    let record = known.deploys.records.iter().find(|record| record.version == point.version);
    match (done, found, record) {
        (Some(change), _, _) => {
            point.known.evidence = Evidence::Recorded;
            point.known.by = change.record().known.by;
            point.schema = point.schema.or(change.schema);
        }
        (None, Some(_), _) => point.known.evidence = Evidence::Noticed,
        (None, None, Some(record)) if point.color.is_none() => {
            point.known.evidence = Evidence::Recorded;
            point.known.by = record.known.by.clone();
        }
        (None, None, _) => {}
    }
    if point.known.evidence != Evidence::Recorded
        && matches!(point.health, PointHealth::Stable { .. })
    {
        point.health = PointHealth::NotProven;
    }
}

/// What a look tells that the journal does not know yet.
pub fn news(
    situation: &Situation,
    told: Vec<Change>,
    seen: BTreeMap<Color, SeenRelease>,
    now: Time,
) -> Vec<Line> {
    let mut lines = Vec::new();
    let found = noticed(situation, &told, &seen, now);
    for change in told.into_iter().rev().chain(found) {
        if situation.learns(&change) {
            lines.push(Line::from(Event::ChangeSeen { change }));
        }
    }
    let known = &situation.deploys.releases;
    let same = |color: &Color, new: &SeenRelease| {
        known.get(color).is_some_and(|old| old.version == new.version && old.digest == new.digest)
    };
    if seen.iter().any(|(color, new)| !same(color, new)) {
        let mut releases = known.clone();
        releases.extend(seen.into_iter().filter(|(color, new)| !same(color, new)));
        lines.push(Line::from(Event::ReleasesSeen { releases }));
    }
    lines
}

impl Engine {
    /// Takes a report: the change and the point it records are written with the command.
    pub(super) fn deploy_reported(
        &self,
        report: &crate::model::deploys::DeployReport,
        client: u64,
        lines: &mut Vec<Line>,
    ) {
        let (who, now) = (self.name_of(client), self.clock.now());
        let Some((change, point)) = reported(&self.books.situation, report, &who, now) else {
            return;
        };
        if change.state == ChangeState::Running {
            self.name_in_logs(&change);
        }
        lines.push(Line::from(Event::ChangeSeen { change }));
        if let Some(point) = point {
            lines.push(Line::from(Event::PointRecorded { point: Box::new(point) }));
        }
    }

    /// Has the database name the moment at which a deploy begins, where it keeps logs: what came
    /// after can be taken back to exactly there (S-35).
    fn name_in_logs(&self, change: &Change) {
        let database = self.stack.as_ref().and_then(|stack| stack.database.clone());
        let Some(database) = database else { return };
        let at = self.clock.now().format("%Y%m%d-%H%M%S");
        let version: String = change.version.as_str().chars().take(40).collect();
        let (name, seen) = (format!("deploy {version} {at}"), self.seen.clone());
        tokio::spawn(async move {
            let text = match database.name_point(&name).await {
                Ok(None) => return,
                Ok(Some(named)) => format!("the logs of the database name the deploy: {named}"),
                Err(error) => format!("the deploy has no name in the database's logs: {error}"),
            };
            seen.send(Seen::Trouble(SafeText::new(&text))).await.ok();
        });
    }

    /// The finished run and its way back.
    pub(super) fn way_back(&self, run: &RunId) -> Result<Box<(PastRun, WayBack)>, SafeText> {
        let (past, back) = self.books.situation.taken_back(run)?;
        Ok(Box::new((past.clone(), back.clone())))
    }
}
