//! Brings instances of a service to a version, side by side, and sees that each is well after it
//! (P-05, P-13). A batch of a rolling rollback is one such step, an immediate one has all in it.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use crate::adapters::http::{self, Call, Target};
use crate::adapters::shim::Shim;
use crate::adapters::{Error, Kind, fault};
use crate::clock::Clock;
use crate::model::entry::Standing;
use crate::model::plan::{Class, Hazard};
use crate::text::{SafeText, fit};

use super::{Command, LookCx, Step, StepCx, ended_now, proof};

/// How long one look at an instance may take.
const LOOK: Duration = Duration::from_secs(5);

/// `instances` run version `to`, and each says that it is well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollInstances {
    /// The service.
    pub service: String,
    /// The version; empty where none is gone to, only looked at.
    #[serde(default)]
    pub to: String,
    /// Which batch of how many.
    #[serde(default = "only_one")]
    pub batch: (usize, usize),
    /// The instances, each with the address that says whether it is well.
    pub instances: BTreeMap<String, Option<String>>,
    /// What brings one back; without it they are only looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Command>,
    /// Time between two looks, in seconds.
    pub every_seconds: f64,
    /// How long they may take to be well, in seconds (001: 300).
    pub within_seconds: u64,
    /// How long they are watched before the next batch, in seconds (001: 30).
    #[serde(default)]
    pub pause_seconds: u64,
}

fn only_one() -> (usize, usize) {
    (1, 1)
}

impl RollInstances {
    fn names(&self) -> String {
        self.instances.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// What brings one instance back.
    fn command(&self, name: &str) -> Option<Command> {
        let fill = |word: &String| word.replace("$instance", name).replace("$version", &self.to);
        self.command.as_ref().map(|command| Command {
            argv: command.argv.iter().map(fill).collect(),
            probe_argv: command.probe_argv.as_ref().map(|argv| argv.iter().map(fill).collect()),
            env: command.env.iter().map(|(key, value)| (key.clone(), fill(value))).collect(),
            ..command.clone()
        })
    }

    /// Each instance has a folder and an effect of its own: what was begun for one is found again.
    fn own(cx: &LookCx, name: &str) -> LookCx {
        let (slot, effect) = (cx.slot.join(name), format!("{}.{name}", cx.effect));
        LookCx { effect, slot, ..cx.clone() }
    }

    async fn standing_of(&self, cx: &LookCx, name: &str, url: Option<&str>) -> Standing {
        let Some(command) = self.command(name) else { return Standing::NotDone };
        let said = command.standing(&Self::own(cx, name)).await;
        let Some(url) = url else { return said };
        let runs = Shim::at(&Self::own(cx, name).slot).is_held().unwrap_or(true);
        match (see(url, &cx.clock).await, said) {
            // The version that answers is the proof, unless what still runs may change it yet.
            (Ok(Some(version)), said) if version == self.to && !(runs && cannot_tell(&said)) => {
                Standing::Done
            }
            (Ok(Some(_)), Standing::Done) => Standing::NotDone,
            (Err(error), Standing::Done) => Standing::Partly(SafeText::new(&error.message)),
            (Ok(_) | Err(_), said) => said,
        }
    }

    /// Those that are not well, each with why.
    async fn bad(&self, clock: &Clock) -> Vec<String> {
        let looks = self.instances.iter().filter_map(|(name, url)| {
            let url = url.as_deref()?;
            Some(async move {
                match see(url, clock).await {
                    Ok(Some(version)) if !self.to.is_empty() && version != self.to => {
                        let found = fit(&version, 40);
                        Some(format!("{name} runs {found}, wanted {}", self.to))
                    }
                    Ok(_) => None,
                    Err(error) => Some(format!("{name}: {}", error.message)),
                }
            })
        });
        join_all(looks).await.into_iter().flatten().collect()
    }

    /// Runs what brings each back, all at once; waits for all of them, whatever one says.
    async fn run_all(&self, cx: &StepCx) -> Result<(), Error> {
        let runs = self.instances.iter().filter_map(|(name, url)| {
            let command = self.command(name)?;
            let own = StepCx { look: Self::own(&cx.look, name), ..cx.clone() };
            Some(async move {
                // In a second attempt some are there already.
                if let Some(url) = url
                    && see(url, &own.look.clock).await.ok().flatten().as_ref() == Some(&self.to)
                {
                    return Ok(SafeText::default());
                }
                command.run(&own).await.map_err(|error| (name, error))
            })
        });
        let ended = join_all(runs).await;
        let failed: Vec<(&String, Error)> = ended.into_iter().filter_map(Result::err).collect();
        let Some((_, first)) = failed.first() else { return Ok(()) };
        let each: Vec<String> =
            failed.iter().map(|(name, error)| format!("{name}: {}", error.message)).collect();
        Err(Error::new(first.kind, each.join("; ")))
    }

    async fn until_well(&self, cx: &StepCx, every: Duration) -> Result<(), Error> {
        let limit = Duration::from_secs(self.within_seconds);
        let mut last = Vec::new();
        let waits = async {
            loop {
                last = self.bad(&cx.look.clock).await;
                fault::at_step("B5", cx.step.as_str());
                if last.is_empty() {
                    return Ok(());
                }
                cx.tell(&last.join("; "), None);
                cx.wait(every).await?;
            }
        };
        match cx.look.clock.timeout(limit, waits).await {
            Ok(ended) => ended,
            Err(_) => Err(self.unhealthy(&last, &format!("not well within {} s", limit.as_secs()))),
        }
    }

    /// Looks on before the next batch begins: two bad looks in a row are no slip.
    async fn watch(&self, cx: &StepCx, every: Duration) -> Result<(), Error> {
        let mut left = Duration::from_secs(self.pause_seconds);
        let mut before = false;
        while !left.is_zero() {
            let text = format!("the next batch begins in {} s", left.as_secs());
            cx.tell(&text, None);
            let part = left.min(every);
            cx.wait(part).await?;
            left -= part;
            let bad = self.bad(&cx.look.clock).await;
            if !bad.is_empty() && before {
                return Err(self.unhealthy(&bad, "no longer well"));
            }
            before = !bad.is_empty();
        }
        match (before, self.bad(&cx.look.clock).await) {
            (true, bad) if !bad.is_empty() => Err(self.unhealthy(&bad, "no longer well")),
            _ => Ok(()),
        }
    }

    fn unhealthy(&self, bad: &[String], how: &str) -> Error {
        let (now, all) = self.batch;
        let rest = match all.saturating_sub(now) {
            0 => String::new(),
            rest => format!("; {rest} more batches are not touched"),
        };
        let message =
            format!("could not bring {} back: {how}: {}{rest}", self.service, bad.join("; "));
        Error::new(Kind::Rejected, message)
    }
}

fn cannot_tell(standing: &Standing) -> bool {
    matches!(standing, Standing::CannotTell(_))
}

/// The version that an instance says it is, where it says one; an answer outside 200 to 299 is bad.
pub async fn see(url: &str, clock: &Clock) -> Result<Option<String>, Error> {
    let target = Target::parse(url).map_err(|why| Error::new(Kind::Local, why))?;
    let (answer, _) = http::once(&target, &Call::get(), LOOK, clock).await;
    let answer = answer?;
    if !(200..300).contains(&answer.status) {
        let message = format!("could not see {url} well: HTTP {}", answer.status);
        return Err(Error::new(Kind::Rejected, message));
    }
    let said: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
    let version = said.as_ref().and_then(|said| said.get("version")?.as_str());
    Ok(version.map(str::to_owned))
}

#[async_trait]
impl Step for RollInstances {
    fn title(&self) -> SafeText {
        let names = self.names();
        let (now, all) = self.batch;
        SafeText::new(&match (&self.command, all) {
            (None, _) => format!("wait until {names} is well"),
            (Some(_), 1) => format!("{}: all instances to {}: {names}", self.service, self.to),
            (Some(_), _) => {
                format!("{}: batch {now} of {all} to {}: {names}", self.service, self.to)
            }
        })
    }

    fn class(&self) -> Class {
        let proved = |command: &Command| command.probe_argv.is_some();
        let answers = self.instances.values().all(Option::is_some);
        match &self.command {
            None => Class::Converge,
            Some(command) if proved(command) || answers => Class::Probed,
            Some(_) => Class::Opaque,
        }
    }

    fn hazard(&self) -> Hazard {
        self.command.as_ref().map_or(Hazard::Looks, |command| command.hazard)
    }

    fn by_hand(&self, cx: &LookCx) -> Vec<SafeText> {
        let each = self.instances.iter().flat_map(|(name, url)| {
            let looks = url.iter().map(|url| SafeText::new(&format!("curl -sS --fail {url}")));
            let runs = self.command(name).map(|command| command.by_hand(cx)).unwrap_or_default();
            runs.into_iter().chain(looks)
        });
        each.collect()
    }

    async fn preview(&self, cx: &LookCx) -> SafeText {
        let looks = self.instances.iter().map(|(name, url)| async move {
            match url {
                None => format!("{name} has no address to look at"),
                Some(url) => match see(url, &cx.clock).await {
                    Ok(Some(version)) => format!("{name} runs {}", fit(&version, 40)),
                    Ok(None) => format!("{name} answers"),
                    Err(error) => format!("{name}: {}", error.message),
                },
            }
        });
        SafeText::new(&join_all(looks).await.join(", "))
    }

    async fn standing(&self, cx: &LookCx) -> Standing {
        if self.command.is_none() {
            let there = proof::is_there(&cx.slot);
            return if there { Standing::Done } else { Standing::NotDone };
        }
        let looks = self.instances.iter().map(|(name, url)| async move {
            (name, self.standing_of(cx, name, url.as_deref()).await)
        });
        let each = join_all(looks).await;
        let unknown: Vec<String> = each
            .iter()
            .filter_map(|(name, standing)| match standing {
                Standing::CannotTell(why) => Some(format!("{name}: {why}")),
                Standing::Done | Standing::NotDone | Standing::Partly(_) => None,
            })
            .collect();
        let open: Vec<String> = each
            .iter()
            .filter_map(|(name, standing)| match standing {
                Standing::Done => None,
                Standing::NotDone => Some((*name).clone()),
                Standing::Partly(why) | Standing::CannotTell(why) => Some(format!("{name}: {why}")),
            })
            .collect();
        if !unknown.is_empty() {
            return Standing::CannotTell(SafeText::new(&unknown.join("; ")));
        }
        match open.len() {
            0 => Standing::Done,
            all if all == each.len()
                && each.iter().all(|(_, standing)| *standing == Standing::NotDone) =>
            {
                Standing::NotDone
            }
            _ => Standing::Partly(SafeText::new(&format!("not yet: {}", open.join("; ")))),
        }
    }

    async fn kill(&self, cx: &LookCx) -> Result<Vec<SafeText>, Error> {
        for name in self.instances.keys() {
            Shim::at(&Self::own(cx, name).slot).kill(&cx.clock).await?;
        }
        Ok(Vec::new())
    }

    async fn run(&self, cx: &StepCx) -> Result<SafeText, Error> {
        if *cx.cancel.borrow() {
            return Err(ended_now());
        }
        let every = Duration::try_from_secs_f64(self.every_seconds).unwrap_or_default();
        self.run_all(cx).await?;
        fault::at_step("B6", cx.step.as_str());
        self.until_well(cx, every).await?;
        self.watch(cx, every).await?;
        if self.command.is_none() {
            proof::leave(&cx.look.slot)?;
        }
        fault::at_step("B7", cx.step.as_str());
        Ok(SafeText::new(&format!("{} of {} are well", self.names(), self.service)))
    }
}
