//! What steps work with: where they look, whom they tell, and when they end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::adapters::cache::Cache;
use crate::adapters::cluster::Cluster;
use crate::adapters::database::Database;
use crate::adapters::objects::{Front, Vault};
use crate::adapters::process::Program;
use crate::adapters::{Error, Fence, Kind, Traffic, Workload};
use crate::clock::Clock;
use crate::evidence::Saved;
use crate::evidence::pace::Pace;
use crate::model::ids::{Color, RunId, StepId};
use crate::text::SafeText;

/// What a look may use.
#[derive(Clone)]
pub struct LookCx {
    /// The platform's processes.
    pub workload: Arc<dyn Workload>,
    /// What moves traffic.
    pub traffic: Arc<dyn Traffic>,
    /// Time.
    pub clock: Clock,
    /// The step's own effect key, when it has been begun.
    pub effect: String,
    /// The step's own folder: `runs/<run>/<step>.<attempt>`.
    pub slot: PathBuf,
    /// Own addresses of the colours, and the public one under no colour.
    pub addresses: std::collections::BTreeMap<Color, String>,
    /// Where users come in.
    pub public_url: String,
    /// The running program, which is its own shim.
    pub program: Program,
    /// Log files to keep, by source.
    pub logs: Vec<(String, PathBuf)>,
    /// Takes secrets out of what is kept.
    pub redactor: Arc<crate::redact::Redactor>,
    /// Where this run's evidence goes.
    pub evidence: PathBuf,
    /// The folder of all runs' evidence when there is no room for it there.
    pub evidence_remote: Option<PathBuf>,
    /// The application's database, where one is configured.
    pub database: Option<Arc<dyn Database>>,
    /// The application's Redis, where one is configured.
    pub cache: Option<Arc<dyn Cache>>,
    /// The folder of restore points, where one is configured.
    pub points: Option<PathBuf>,
    /// What a restore point holds beside the database.
    pub saved: Saved,
    /// The cluster, where the platform is one.
    pub cluster: Option<Arc<dyn Cluster>>,
    /// The site in object storage, where the platform is one.
    pub front: Option<Arc<Front>>,
    /// Where copies of backups go off this host, where that is configured.
    pub vault: Option<Arc<Vault>>,
    /// When the step that this one waits on ended, for steps that keep a time.
    pub since: Option<crate::model::ids::Time>,
}

/// What a running step may use.
#[derive(Clone)]
pub struct StepCx {
    /// All that a look may use.
    pub look: LookCx,
    /// Which run.
    pub run: RunId,
    /// Which step.
    pub step: StepId,
    /// Says how far it is.
    pub progress: Progress,
    /// Turns true when the person asked for "now": end, then be looked at.
    pub cancel: watch::Receiver<bool>,
    /// Keeps other journals away.
    pub fence: Option<Arc<dyn Fence>>,
}

/// Says how far a step is; the last word wins.
#[derive(Clone)]
pub struct Progress(pub watch::Sender<Told>);

/// How far a step is.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Told {
    /// What it is doing.
    pub text: SafeText,
    /// Done of all, in whatever it counts.
    pub part: Option<(u64, u64)>,
    /// Time left, where it can be said.
    pub left: Option<Duration>,
}

impl Progress {
    /// Says how much of `what` is done, how fast, and how long the rest takes, as often as it is
    /// worth it. `now` is monotonic.
    pub fn measure(&self, pace: &Pace, what: &str, (done, all): (u64, u64), now: Duration) {
        let Some(word) = pace.word(what, (done, all), now) else { return };
        self.0.send_replace(Told {
            text: SafeText::new(&word.text),
            part: (all > 0).then_some((done, all)),
            left: word.left,
        });
    }
}

impl StepCx {
    /// Says what the step is doing now.
    pub fn tell(&self, text: &str, part: Option<(u64, u64)>) {
        self.progress.0.send_replace(Told { text: SafeText::new(text), part, left: None });
    }

    /// Waits `span`, or less when the person asked for "now": then it is an error.
    pub async fn wait(&self, span: Duration) -> Result<(), Error> {
        let mut cancel = self.cancel.clone();
        tokio::select! {
            () = self.look.clock.sleep(span) => Ok(()),
            () = cancelled(&mut cancel) => Err(ended_now()),
        }
    }
}

/// What a step says that was told to end.
pub(super) fn ended_now() -> Error {
    Error::new(Kind::Rejected, "ended now on request")
}

/// Resolves when "now" was asked for; never when nobody can ask any more.
pub(super) async fn cancelled(cancel: &mut watch::Receiver<bool>) {
    if cancel.wait_for(|now| *now).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The site that a step works on, or an error that says where it is configured.
pub(super) fn front(cx: &LookCx) -> Result<&Front, Error> {
    cx.front.as_deref().ok_or_else(|| {
        let message = "could not look at a site: none is configured (platform.frontend)";
        Error::new(Kind::Local, message)
    })
}
