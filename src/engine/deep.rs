//! Plans of level 2 and 3: what goes back, what stays, what cannot, and what would be lost.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::adapters::migrations::Migration;
use crate::adapters::{Error, Release, Released};
use crate::clock::Clock;
use crate::config::Config;
use crate::evidence::manifest::Manifest;
use crate::model::hold::HoldPart;
use crate::model::ids::{Color, Digest};
use crate::model::loss::Loss;
use crate::model::plan::{Level, Plan, PlanCore, PlanFace, Preflight};
use crate::model::restore_point::RestorePoint;
use crate::model::tables::TableFacts;
use crate::text::SafeText;

use self::ground::ground;
use self::logs::Logs;
use self::named::named;
use self::parts::{differences, moves};
use super::gone::{self, Gone};
use super::migration_tool;
use super::planner::{self, Facts, NoPlan};
use super::playbook::{Filled, Playbook};
use super::preflight;
use super::stack::Stack;

mod ground;
mod logs;
mod named;
mod parts;

/// What a deep plan is made from.
struct Ground<'a> {
    config: &'a Config,
    stack: &'a Stack,
    facts: &'a Facts,
    from: Color,
    to: Color,
    point: RestorePoint,
    folder: PathBuf,
    manifest: Option<(Manifest, Digest)>,
    release: Release,
    before: Released,
    /// Newest first; level 3 brings the schema with the data.
    migrations: Vec<Migration>,
    /// What level 2 does not bring back.
    gone: Vec<Gone>,
    /// What level 3 would lose instead, by counts.
    restore_loss: String,
    /// What Alembic or Django is asked to take back.
    tools: Vec<Value>,
    /// The digests of dump and archive of a point without a manifest.
    by_hand: BTreeMap<String, Digest>,
    /// What its dump brings.
    dumped: Vec<TableFacts>,
    /// Up to where the server's logs are replayed, and what can be reached.
    logs: Logs,
}

/// Makes the plan of level 2 or 3. Looks, changes nothing.
pub(super) async fn plan(
    config: &Config,
    stack: &Stack,
    facts: &Facts,
    clock: &Clock,
) -> Result<(Plan, Vec<Preflight>), NoPlan> {
    let no = async |error: Error| {
        let offer = if facts.level == Level::Full {
            planner::offered(stack, Level::PointInTime).await
        } else {
            None
        };
        NoPlan { why: SafeText::new(&error.message), offer }
    };
    let ground = match ground(config, stack, facts, clock).await {
        Ok(ground) => ground,
        Err(error) => return Err(no(error).await),
    };
    let plan = match make(&ground, clock).await {
        Ok(plan) => plan,
        Err(error) => return Err(no(error).await),
    };
    let about = preflight::Deep {
        point: &ground.point,
        folder: &ground.folder,
        release: &ground.release,
        migrations: &ground.migrations,
        gone: &ground.gone,
        restore_loss: &ground.restore_loss,
    };
    let mut lines = preflight::deep(config, stack, facts, &about, clock).await;
    lines.extend(migration_tool::line(&ground.tools));
    lines.extend(super::credentials::line(config, facts.level, clock.now()));
    Ok((plan, lines))
}

async fn make(ground: &Ground<'_>, clock: &Clock) -> Result<Plan, Error> {
    let Ground { config, stack, facts, from, to, point, .. } = ground;
    let playbook = match facts.level {
        Level::Full => Playbook::full()?,
        Level::Switch | Level::PointInTime => Playbook::point_in_time()?,
    };
    let mut filled = playbook.fill(&named(ground)?)?;
    keep_what_lies_there(ground, &mut filled);
    let mut identities = BTreeMap::new();
    identities.insert("platform".to_owned(), stack.workload.identity().await?);
    identities.insert("traffic".to_owned(), stack.public_url.clone());
    if let Some(database) = &stack.database {
        identities.insert("database".to_owned(), database.identity().await?);
    }
    if let Some(cache) = &stack.cache {
        identities.insert("redis".to_owned(), cache.identity().await?);
    }
    let old = stack.workload.look(from).await?;
    let core = PlanCore {
        level: facts.level,
        environment: config.environment.clone(),
        point: point.id.clone(),
        manifest: ground.manifest.as_ref().map(|(_, digest)| digest.clone()),
        identities,
        config: config.digest.clone(),
        from: old.version.clone(),
        to: point.version.clone(),
        steps: filled.steps.iter().map(|(spec, _)| spec.clone()).collect(),
        undo: filled.undo.iter().map(|(spec, _)| spec.clone()).collect(),
        watch: config.rollback.watch_window,
    };
    let mut plan = Plan { core, face: PlanFace::default(), made_at: clock.now() };
    let colors = Some((from, to));
    plan.face = planner::face(config, stack, (&plan, &filled), colors, &facts.history, clock).await;
    plan.face.form = SafeText::new(&playbook.form);
    plan.face.moves = moves(ground, &old.version);
    if !stack.traffic.can_hold(HoldPart::Page) {
        let text = "users get errors while both sides are stopped: no maintenance page is \
                    configured";
        plan.face.not_undone.push(text.into());
    }
    plan.face.diff = differences(ground);
    match facts.level {
        Level::Full => {
            plan.face.data = SafeText::new(&gone::data_words(&ground.gone));
        }
        Level::Switch | Level::PointInTime => {
            let logs = ground.logs.until.is_some();
            let from = ground.logs.from(clock.now()).or(point.taken_at);
            let loss = from.map(|from| Loss { from, logs, ..Loss::default() });
            plan.face.data = SafeText::new(&loss.as_ref().map_or_else(
                || "how old the point is, is not known".to_owned(),
                |loss| format!("SWAP loses about {}", loss.words(clock.now())),
            ));
            plan.face.loss = loss;
            plan.face.window = ground.logs.window().cloned();
            plan.face.zone.clone_from(&ground.logs.zone);
        }
    }
    Ok(plan)
}

/// Without a release that can be named on the colour there is no way back to it.
fn keep_what_lies_there(ground: &Ground<'_>, filled: &mut Filled) {
    if ground.before.digest.is_some() {
        return;
    }
    filled.undo.retain(|(spec, _)| spec.id.as_str() != "undo_deploy");
    for (spec, _) in &mut filled.steps {
        spec.undo.take_if(|undo| undo.as_str() == "undo_deploy");
    }
}
