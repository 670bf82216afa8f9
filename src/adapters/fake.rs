//! A two-colour target in memory, for tests: its effects go to a ledger outside, failures and
//! delays can be ordered, and it can be looked at over HTTP like a real one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::model::hold::HoldPart;
use crate::model::ids::Color;
use crate::text::SafeText;

use super::ledger::Ledger;
use super::{
    DeployOrder, Error, Kind, Release, Released, Traffic, TrafficState, Worker, Workload,
    WorkloadState,
};
use crate::model::ids::Digest;

mod orders;
mod serve;

pub use orders::{Operation, Order};
pub use serve::Serving;

#[derive(Debug)]
struct State {
    active: Color,
    effect: Option<String>,
    keys: BTreeSet<String>,
    colors: BTreeMap<Color, Side>,
    orders: Vec<Order>,
    held: BTreeSet<HoldPart>,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one switch of the fake")]
struct Side {
    running: bool,
    kept: bool,
    ready: bool,
    version: SafeText,
    starts: u32,
    in_flight: u32,
    worker: bool,
}

/// The target: green v2.5.0 is active, blue v2.4.9 stands by; both run.
#[derive(Debug)]
pub struct Fake {
    state: Mutex<State>,
    ledger: Ledger,
    clock: Clock,
}

impl Fake {
    /// A fresh target with its ledger in `ledger`.
    pub fn new(ledger: impl Into<PathBuf>, clock: Clock) -> Arc<Self> {
        let side = |version: &str| Side {
            running: true,
            kept: true,
            ready: true,
            version: version.into(),
            starts: 1,
            in_flight: 0,
            worker: true,
        };
        Arc::new(Self {
            state: Mutex::new(State {
                active: "green".into(),
                effect: None,
                keys: BTreeSet::new(),
                colors: [("blue".into(), side("v2.4.9")), ("green".into(), side("v2.5.0"))].into(),
                orders: Vec::new(),
                held: BTreeSet::new(),
            }),
            ledger: Ledger::new(ledger, clock.clone()),
            clock,
        })
    }

    /// Its ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Orders what happens to the next call of an operation.
    pub fn order(&self, order: Order) {
        self.state().orders.push(order);
    }

    /// Orders that the next call of `operation` fails without an effect.
    pub fn fail(&self, operation: Operation, error: Error) {
        self.order(Order { operation, delay: Duration::ZERO, error: Some(error), applies: false });
    }

    /// Orders that the next call of `operation` takes `delay` and then works.
    pub fn delay(&self, operation: Operation, delay: Duration) {
        self.order(Order { operation, delay, error: None, applies: true });
    }

    /// Puts `count` requests in flight on `color`.
    pub fn set_in_flight(&self, color: &str, count: u32) {
        self.change(color, |side| side.in_flight = count);
    }

    /// Makes `color` say that it is ready, or not.
    pub fn set_ready(&self, color: &str, ready: bool) {
        self.change(color, |side| side.ready = ready);
    }

    /// Starts or ends `color` behind everybody's back, without a ledger line.
    pub fn set_running(&self, color: &str, running: bool) {
        self.change(color, |side| side.running = running);
    }

    /// Takes the release of `color` away, or brings it back.
    pub fn set_kept(&self, color: &str, kept: bool) {
        self.change(color, |side| side.kept = kept);
    }

    /// Whether `color` runs.
    pub fn look_running(&self, color: &str) -> bool {
        self.state().colors.get(&color.into()).is_some_and(|side| side.running)
    }

    fn change(&self, color: &str, change: impl FnOnce(&mut Side)) {
        if let Some(side) = self.state().colors.get_mut(&color.into()) {
            change(side);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits as ordered, runs `effect` if it is to happen, and answers as ordered.
    async fn carry_out<T>(
        &self,
        operation: Operation,
        effect: impl FnOnce(&mut State, &Ledger) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        let order = {
            let mut state = self.state();
            let at = state.orders.iter().position(|o| o.operation == operation);
            at.map(|at| state.orders.remove(at))
        };
        let Some(order) = order else {
            return effect(&mut self.state(), &self.ledger);
        };
        if !order.delay.is_zero() {
            self.clock.sleep(order.delay).await;
        }
        match order.error {
            None => effect(&mut self.state(), &self.ledger),
            Some(error) => {
                if order.applies {
                    effect(&mut self.state(), &self.ledger)?;
                }
                Err(error)
            }
        }
    }
}

impl State {
    fn side(&mut self, color: &Color) -> Result<&mut Side, Error> {
        self.colors.get_mut(color).ok_or_else(|| {
            Error::new(Kind::NotFound, format!("could not find {color}: no such colour"))
        })
    }

    fn switch(&mut self, to: &Color, effect: &str, ledger: &Ledger) -> Result<(), Error> {
        self.side(to)?;
        if !self.keys.insert(effect.to_owned()) || self.active == *to {
            return Ok(());
        }
        ledger.append(&format!("switch {}->{to}", self.active), effect)?;
        self.active = to.clone();
        self.effect = Some(effect.to_owned());
        Ok(())
    }

    fn traffic(&self) -> TrafficState {
        TrafficState {
            active: self.active.clone(),
            in_flight: self
                .colors
                .iter()
                .map(|(color, side)| (color.clone(), side.in_flight))
                .collect(),
            effect: self.effect.clone(),
            held: Some(self.held.clone()),
        }
    }

    fn hold(&mut self, what: (HoldPart, bool), key: &str, ledger: &Ledger) -> Result<(), Error> {
        let (part, held) = what;
        if self.held.contains(&part) == held {
            return Ok(());
        }
        ledger.append(&format!("{} {part}", if held { "hold" } else { "unhold" }), key)?;
        if held {
            self.held.insert(part)
        } else {
            self.held.remove(&part)
        };
        Ok(())
    }

    fn worker(&mut self, color: &Color, run: bool, key: &str, l: &Ledger) -> Result<(), Error> {
        let side = self.side(color)?;
        if side.worker != run {
            l.append(&format!("{} {color}-worker", if run { "start" } else { "stop" }), key)?;
            side.worker = run;
        }
        Ok(())
    }
}

#[async_trait]
impl Traffic for Fake {
    async fn look(&self) -> Result<TrafficState, Error> {
        self.carry_out(Operation::Traffic, |state, _| Ok(state.traffic())).await
    }

    async fn switch(&self, to: &Color, effect: &str) -> Result<(), Error> {
        self.carry_out(Operation::Switch, |state, ledger| state.switch(to, effect, ledger)).await
    }

    async fn drain(&self, color: &Color, _deadline: Duration) -> Result<u32, Error> {
        self.carry_out(Operation::Drain, |state, _| {
            Ok(std::mem::take(&mut state.side(color)?.in_flight))
        })
        .await
    }

    fn by_hand(&self, to: &Color) -> String {
        format!("fake switch {to}")
    }

    async fn hold(&self, part: HoldPart, held: bool, effect: &str) -> Result<(), Error> {
        self.carry_out(Operation::Hold, |state, l| state.hold((part, held), effect, l)).await
    }
}

#[async_trait]
impl Workload for Fake {
    async fn identity(&self) -> Result<String, Error> {
        Ok("fake:target".to_owned())
    }

    async fn look(&self, color: &Color) -> Result<WorkloadState, Error> {
        self.carry_out(Operation::Workload, |state, _| {
            let side = state.side(color)?;
            Ok(WorkloadState {
                running: side.running,
                kept: side.kept,
                version: side.version.clone(),
                identity: format!("{color}.{}", side.starts),
            })
        })
        .await
    }

    async fn stop(&self, color: &Color, _grace: Duration, effect: &str) -> Result<SafeText, Error> {
        self.carry_out(Operation::Stop, |state, ledger| {
            let side = state.side(color)?;
            if !side.running {
                return Ok("was not running".into());
            }
            ledger.append(&format!("stop {color}"), effect)?;
            side.running = false;
            Ok("ended by itself".into())
        })
        .await
    }

    async fn start(&self, color: &Color, effect: &str) -> Result<(), Error> {
        self.carry_out(Operation::Start, |state, ledger| {
            let side = state.side(color)?;
            if !side.kept {
                let why = format!("could not start {color}: its release is gone");
                return Err(Error::new(Kind::NotFound, why));
            }
            if !side.running {
                ledger.append(&format!("start {color}"), effect)?;
                side.running = true;
                side.starts += 1;
            }
            Ok(())
        })
        .await
    }

    async fn preserve(&self, color: &Color, dir: &Path) -> Result<Vec<String>, Error> {
        let text = self
            .carry_out(Operation::Preserve, |state, _| Ok(format!("{:?}\n", state.side(color)?)))
            .await?;
        let path = dir.join("state.txt");
        std::fs::write(&path, text).map_err(|e| Error::io("write", path.display(), &e))?;
        Ok(vec!["state.txt".to_owned()])
    }

    fn by_hand(&self, color: &Color, start: bool) -> String {
        format!("fake {} {color}", if start { "start" } else { "stop" })
    }

    async fn workers(&self, color: &Color) -> Result<Vec<Worker>, Error> {
        self.carry_out(Operation::Workload, |state, _| {
            let running = state.side(color)?.worker;
            Ok(vec![Worker { name: format!("{color}-worker"), running }])
        })
        .await
    }

    async fn stop_workers(
        &self,
        color: &Color,
        _grace: Duration,
        effect: &str,
    ) -> Result<SafeText, Error> {
        self.carry_out(Operation::Workers, |state, l| state.worker(color, false, effect, l))
            .await
            .map(|()| "ended by itself".into())
    }

    async fn start_workers(&self, color: &Color, effect: &str) -> Result<(), Error> {
        self.carry_out(Operation::Workers, |state, l| state.worker(color, true, effect, l)).await
    }
    /// Every version is kept, under the digest of its name.
    async fn releases(&self) -> Result<Vec<Release>, Error> {
        let release = |version: &str| Release {
            version: version.into(),
            digest: Digest::of(version.as_bytes()),
            schema: None,
            broken: None,
        };
        Ok(["v2.4.8", "v2.4.9", "v2.5.0"].map(release).to_vec())
    }

    async fn released(&self, color: &Color) -> Result<Released, Error> {
        let version = self.state().side(color)?.version.clone();
        let digest = Some(Digest::of(version.as_str().as_bytes()));
        Ok(Released { version, digest, since: None })
    }

    async fn deploy(&self, order: &DeployOrder) -> Result<SafeText, Error> {
        self.carry_out(Operation::Deploy, |state, ledger| {
            let side = state.side(&order.color)?;
            if side.version == order.version && side.running == order.runs {
                return Ok("lay there already".into());
            }
            ledger.append(&format!("deploy {} {}", order.color, order.version), &order.effect)?;
            side.version = order.version.clone();
            side.running = order.runs;
            side.starts += 1;
            Ok(order.version.clone())
        })
        .await
    }
}

#[cfg(test)]
mod tests;
