//! Carries out one step: the effect, then the proof. Never decides what comes next.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::adapters::{Fence, FenceTake, Kind};
use crate::bug::Bug;
use crate::model::entry::{Standing, StepEnd};
use crate::model::ids::{RunId, StepId};
use crate::model::plan::{Class, Hazard, StepSpec};
use crate::steps::{LookCx, Progress, StepCx, StepKind, Told};
use crate::text::SafeText;

/// Time a step gets after its budget, or after "now", to end by itself.
const GRACE: Duration = Duration::from_secs(5);
/// The least time that an attempt, and a look at it, may take. A budget says what is expected, and
/// what is shown as late: ending a step of ten seconds at its tenth, while its tool works on, only
/// makes an effect that nobody can vouch for. Its own calls end within this time.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a look at an effect may take that needs no tool.
const LOOK: Duration = Duration::from_secs(20);

/// How a step or a look came out.
#[derive(Debug)]
pub enum Came {
    /// A step ended.
    Ended {
        /// Which.
        step: StepId,
        /// Which attempt.
        attempt: u32,
        /// How.
        end: StepEnd,
        /// How long it took.
        took: Duration,
        /// What it left to know.
        note: SafeText,
    },
    /// A cut-off step was looked at.
    Looked {
        /// Which.
        step: StepId,
        /// Which attempt.
        attempt: u32,
        /// What its effect looks like.
        standing: Standing,
    },
}

/// A step that is being carried out.
#[derive(Debug)]
pub struct Live {
    /// Which attempt.
    pub attempt: u32,
    /// Asks it to end now.
    pub cancel: watch::Sender<bool>,
    /// How far it is.
    pub told: watch::Receiver<Told>,
}

/// One step to carry out.
pub struct Job {
    /// What to do.
    pub spec: StepSpec,
    /// Which attempt.
    pub attempt: u32,
    /// The run.
    pub run: RunId,
    /// What a look may use; `effect` and `slot` are this step's own.
    pub look: LookCx,
    /// Keeps other journals away, and the name it is taken under.
    pub fence: Option<(Arc<dyn Fence>, FenceTake)>,
    /// What the plan was made for; nothing where only a look is asked for.
    pub bound: Option<super::bound::Bound>,
}

/// Begins a step; its end comes through `to`.
pub fn begin(job: Job, to: mpsc::Sender<Came>) -> Live {
    let (cancel, cancelled) = watch::channel(false);
    let (told, progress) = watch::channel(Told::default());
    let attempt = job.attempt;
    tokio::spawn(async move {
        let clock = job.look.clock.clone();
        let started = clock.now();
        let (step, attempt) = (job.spec.id.clone(), job.attempt);
        if Bug::OutcomeBeforeEffect.is_on() {
            let (step, end, note) = (step.clone(), StepEnd::Done, SafeText::default());
            to.send(Came::Ended { step, attempt, end, took: GRACE, note }).await.ok();
            clock.sleep(Duration::from_millis(200)).await;
        }
        let (end, note) = carry_out(job, Progress(told), cancelled).await;
        let took = (clock.now() - started).to_std().unwrap_or_default();
        // The engine is gone when nobody receives: the next one looks.
        to.send(Came::Ended { step, attempt, end, took, note }).await.ok();
    });
    Live { attempt, cancel, told: progress }
}

/// Looks where a cut-off step stands; the answer comes through `to`.
pub fn look(spec: StepSpec, attempt: u32, cx: LookCx, to: mpsc::Sender<Came>) {
    tokio::spawn(async move {
        let standing = standing(&spec, &cx).await;
        to.send(Came::Looked { step: spec.id, attempt, standing }).await.ok();
    });
}

async fn standing(spec: &StepSpec, cx: &LookCx) -> Standing {
    let kind = match StepKind::from_action(&spec.action) {
        Ok(kind) => kind,
        Err(error) => return Standing::CannotTell(SafeText::new(&error.message)),
    };
    // A command that still runs under its shim is waited for: that may take its whole budget.
    let limit = match spec.class {
        Class::Opaque | Class::Probed => spec.budget + GRACE,
        Class::Atomic | Class::Converge => LOOK,
    };
    let looked = cx.clock.timeout(limit, kind.as_step().standing(cx)).await;
    let found = looked.unwrap_or_else(|_| {
        let why = format!("the look did not answer in {} s", limit.as_secs());
        Standing::CannotTell(SafeText::new(&why))
    });
    match found {
        Standing::CannotTell(_) if Bug::ProbeErrorIsDone.is_on() => Standing::Done,
        found => found,
    }
}

async fn carry_out(
    job: Job,
    progress: Progress,
    cancel: watch::Receiver<bool>,
) -> (StepEnd, SafeText) {
    let kind = match StepKind::from_action(&job.spec.action) {
        Ok(kind) => kind,
        Err(error) => return (StepEnd::Failed(SafeText::new(&error.message)), SafeText::default()),
    };
    if job.spec.hazard != Hazard::Looks
        && let Some(bound) = &job.bound
        && let Err(error) = bound.still().await
    {
        return (StepEnd::Failed(SafeText::new(&error.message)), SafeText::default());
    }
    if job.spec.hazard != Hazard::Looks
        && let Some((fence, take)) = &job.fence
        && let Err(error) = fence.take(take).await
    {
        return (StepEnd::Failed(SafeText::new(&error.message)), SafeText::default());
    }
    let cx = StepCx {
        look: job.look.clone(),
        run: job.run.clone(),
        step: job.spec.id.clone(),
        progress,
        cancel: cancel.clone(),
        fence: job.fence.as_ref().map(|(fence, _)| Arc::clone(fence)),
    };
    let ran = within(kind.as_step().run(&cx), job.spec.budget, cancel, &job.look).await;
    crate::steps::fault::at_step("B6", job.spec.id.as_str());
    match ran {
        Ok(note) if job.spec.hazard == Hazard::Looks => (StepEnd::Done, note),
        Ok(note) if Bug::OkIsVerified.is_on() => (StepEnd::Done, note),
        Ok(note) => match standing(&job.spec, &job.look).await {
            Standing::Done => (StepEnd::Done, note),
            Standing::NotDone => {
                let why = "it said done, but its effect is not there";
                (StepEnd::Failed(why.into()), note)
            }
            Standing::Partly(what) => {
                (StepEnd::Failed(SafeText::new(&format!("only partly: {what}"))), note)
            }
            Standing::CannotTell(why) => (StepEnd::Unknown(why), note),
        },
        // What only looks and keeps must not hold up a rollback because the disk is full.
        Err(error) if job.spec.hazard == Hazard::Looks && error.kind == Kind::NoSpace => {
            let why = format!("no space: {}", error.message);
            (StepEnd::Skipped(SafeText::new(&why)), SafeText::default())
        }
        Err(error) if job.spec.hazard == Hazard::Looks => {
            (StepEnd::Failed(SafeText::new(&error.message)), SafeText::default())
        }
        // Whatever it said, what counts is what its effect looks like now.
        Err(error) => match standing(&job.spec, &job.look).await {
            Standing::Done if error.kind != Kind::Held => {
                (StepEnd::Done, SafeText::new(&error.message))
            }
            Standing::CannotTell(_) => {
                (StepEnd::Unknown(SafeText::new(&error.message)), SafeText::default())
            }
            Standing::Done | Standing::NotDone | Standing::Partly(_) => {
                (StepEnd::Failed(SafeText::new(&error.message)), SafeText::default())
            }
        },
    }
}

/// Waits for the step, but no longer than its budget (a minute at least) and a grace; after "now"
/// no longer than the grace.
async fn within(
    work: impl Future<Output = Result<SafeText, crate::adapters::Error>> + Send,
    budget: Duration,
    mut cancel: watch::Receiver<bool>,
    cx: &LookCx,
) -> Result<SafeText, crate::adapters::Error> {
    let budget = budget.max(PATIENCE);
    let limit = async {
        tokio::select! {
            () = cx.clock.sleep(budget) => {}
            nobody_can_ask = async { cancel.wait_for(|now| *now).await.is_err() } => {
                if nobody_can_ask {
                    cx.clock.sleep(budget).await;
                }
            }
        }
        cx.clock.sleep(GRACE).await;
    };
    tokio::select! {
        biased;
        done = work => done,
        () = limit => Err(crate::adapters::Error::timed_out("end the step", budget)),
    }
}

/// The folder of one attempt of a step.
pub fn slot(state: &std::path::Path, run: &RunId, step: &StepId, attempt: u32) -> PathBuf {
    state.join("runs").join(run.as_str()).join(format!("{step}.{attempt}"))
}
