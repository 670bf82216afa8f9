//! What a rollback works on, and what its steps and its sheet are given of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::adapters::cache::Cache;
use crate::adapters::cluster::Cluster;
use crate::adapters::database::Database;
use crate::adapters::objects::{Front, Vault};
use crate::adapters::process::Program;
use crate::adapters::{Fence, Traffic, Workload};
use crate::clock::Clock;
use crate::config::{Config, Platform};
use crate::evidence::{Saved, Scene};
use crate::model::hold::{self, HoldCard, HoldPart};
use crate::model::ids::{Color, RunId, StepId};
use crate::model::plan::Plan;
use crate::model::situation::Situation;
use crate::steps::{LookCx, Step as _, StepKind, Unhold};
use crate::text::SafeText;

mod build;

pub use build::{cache, cluster, database, front, place_volume, project, vault};

/// What a rollback works on.
#[derive(Clone)]
pub struct Stack {
    /// Processes.
    pub workload: Arc<dyn Workload>,
    /// Traffic.
    pub traffic: Arc<dyn Traffic>,
    /// The fence, where one is configured.
    pub fence: Option<Arc<dyn Fence>>,
    /// Own addresses of the colours.
    pub addresses: BTreeMap<Color, String>,
    /// Where users come in.
    pub public_url: String,
    /// Our own program, which is its own shim.
    pub program: Program,
    /// The application's database, where one is configured.
    pub database: Option<Arc<dyn Database>>,
    /// The cluster, where the platform is one.
    pub cluster: Option<Arc<dyn Cluster>>,
    /// The site in object storage, where the platform is one.
    pub front: Option<Arc<Front>>,
    /// The application's Redis, where one is configured.
    pub cache: Option<Arc<dyn Cache>>,
    /// Where copies of backups go off this host, where that is configured.
    pub vault: Option<Arc<Vault>>,
    /// Takes secrets out of what is kept.
    pub redactor: Arc<crate::redact::Redactor>,
}

impl Stack {
    /// The colour that does not have traffic.
    pub fn other(&self, active: &Color) -> Option<&Color> {
        self.addresses.keys().find(|color| *color != active)
    }

    /// What a look at a step may use.
    pub fn look_cx(&self, config: &Config, clock: &Clock, step: (&RunId, &StepId, u32)) -> LookCx {
        let (run, id, attempt) = step;
        let runs: &Path = &config.state_dir;
        let effect = effect(run, id, attempt);
        // What a step does in the database is known there by the step's name.
        let named = self.database.as_ref().and_then(|database| database.called(&effect));
        LookCx {
            workload: Arc::clone(&self.workload),
            traffic: Arc::clone(&self.traffic),
            clock: clock.clone(),
            effect,
            slot: super::executor::slot(runs, run, id, attempt),
            addresses: self.addresses.clone(),
            public_url: self.public_url.clone(),
            program: self.program.clone(),
            logs: config
                .log_sources
                .iter()
                .map(|source| (source.source.clone(), source.path.clone()))
                .collect(),
            redactor: Arc::clone(&self.redactor),
            evidence: config.state_dir.join("evidence").join(run.as_str()),
            evidence_remote: config.evidence_remote.clone(),
            database: named.or_else(|| self.database.clone()),
            cache: self.cache.clone(),
            points: config.restore_points.clone(),
            saved: saved(config),
            cluster: self.cluster.clone(),
            front: self.front.clone(),
            vault: self.vault.clone(),
            since: None,
        }
    }
}

/// What a restore point of a configuration holds beside the database.
pub fn saved(config: &Config) -> Saved {
    let base = match &config.platform {
        Platform::Local { dir } => Some(dir.clone()),
        Platform::Compose(compose) => Some(compose.dir.clone()),
        Platform::None | Platform::Kubernetes(_) | Platform::Frontend(_) => {
            config.file.parent().map(Path::to_owned)
        }
    };
    Saved {
        base: base.unwrap_or_default(),
        files: config.backup.files.clone(),
        data: config.backup.data.clone(),
        key: config.restore_points_key.clone(),
        state: config.state_dir.clone(),
    }
}

/// What the break-glass sheet of `plan` says besides it; who works on it is not in it yet.
pub fn scene(
    config: &Config,
    stack: Option<&Stack>,
    plan: &Plan,
    known: Option<&Situation>,
    clock: &Clock,
) -> Scene {
    let none = (RunId::default(), StepId::default());
    let cx = stack.map(|stack| stack.look_cx(config, clock, (&none.0, &none.1, 0)));
    let undo = plan.core.undo.iter().map(|spec| {
        let kind = StepKind::from_action(&spec.action).ok();
        let commands = kind.zip(cx.as_ref()).map(|(kind, cx)| kind.as_step().by_hand(cx));
        (spec.id.clone(), commands.unwrap_or_default())
    });
    let held = known.map_or_else(Vec::new, |known| {
        let cards = known.holds.iter().filter(|(_, card)| card.held || card.doubtful());
        let line = |(part, card): (&HoldPart, &HoldCard)| {
            let lift = Unhold { part: *part, workers: hold::workers_to_start(known) };
            let since = card.since.map_or_else(
                || "not proved".to_owned(),
                |since| format!("since {}", since.format("%Y-%m-%d %H:%M:%S UTC")),
            );
            let words = format!("{} ({since}, {}: {})", part.words(), card.by, card.reason);
            let commands = cx.as_ref().map(|cx| lift.by_hand(cx)).unwrap_or_default();
            (SafeText::new(&words), commands)
        };
        cards.map(line).collect()
    });
    Scene {
        held,
        processes: Vec::new(),
        host: SafeText::default(),
        state: config.state_dir.clone(),
        fence: config.fence.clone(),
        public: stack.map(|stack| stack.public_url.clone()),
        sides: config.colors.iter().map(|(color, at)| (color.clone(), at.url.clone())).collect(),
        undo: undo.collect(),
    }
}

/// The key a target is told with an effect: a new one for every attempt, because each begins only
/// after a look has said that the last one left nothing.
pub fn effect(run: &RunId, step: &StepId, attempt: u32) -> String {
    format!("{run}.{step}.{attempt}")
}
