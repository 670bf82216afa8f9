//! The adapters that a configuration asks for: built here and nowhere else.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::adapters::fence_file::FenceFile;
use crate::adapters::local::Local;
use crate::adapters::process::Program;
use crate::adapters::proxy::Proxy;
use crate::adapters::{Fence, Traffic, Workload};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::model::ids::{Color, RunId, StepId};
use crate::steps::LookCx;

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
}

impl Stack {
    /// The stack of a configuration, or nothing when it only looks.
    pub fn of(config: &Config, program: &Program, clock: &Clock) -> Option<Self> {
        let config::Platform::Local { dir } = &config.platform else { return None };
        let config::Traffic::Proxy { control_url, public_url } = config.traffic.as_ref()?;
        let fence = config.fence.as_ref().map(|path| {
            let fence: Arc<dyn Fence> = Arc::new(FenceFile::new(path.clone(), clock.clone()));
            fence
        });
        Some(Self {
            workload: Arc::new(Local::new(dir.clone(), program.clone(), clock.clone())),
            traffic: Arc::new(Proxy::new(control_url, clock.clone())),
            fence,
            addresses: config
                .colors
                .iter()
                .map(|(color, address)| (color.clone(), address.url.clone()))
                .collect(),
            public_url: public_url.clone(),
            program: program.clone(),
        })
    }

    /// The colour that does not have traffic.
    pub fn other(&self, active: &Color) -> Option<&Color> {
        self.addresses.keys().find(|color| *color != active)
    }

    /// What a look at a step may use.
    pub fn look_cx(&self, config: &Config, clock: &Clock, step: (&RunId, &StepId, u32)) -> LookCx {
        let (run, id, attempt) = step;
        let runs: &Path = &config.state_dir;
        LookCx {
            workload: Arc::clone(&self.workload),
            traffic: Arc::clone(&self.traffic),
            clock: clock.clone(),
            effect: effect(run, id, attempt),
            slot: super::executor::slot(runs, run, id, attempt),
            addresses: self.addresses.clone(),
            public_url: self.public_url.clone(),
            program: self.program.clone(),
            logs: config
                .log_sources
                .iter()
                .map(|source| (source.source.clone(), source.path.clone()))
                .collect(),
            evidence: config.state_dir.join("evidence").join(run.as_str()),
            since: None,
        }
    }
}

/// The key a target is told with an effect: a new one for every attempt, because each begins only
/// after a look has said that the last one left nothing.
pub fn effect(run: &RunId, step: &StepId, attempt: u32) -> String {
    format!("{run}.{step}.{attempt}")
}
