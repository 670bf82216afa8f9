//! `container`: whether a container serves, as its engine says: state, health, restarts, exit code.
//!
//! In a crash loop a container runs whenever it is looked at (`State.Running` is true, its health
//! starts over), so what is judged is that its restart policy had to bring it back, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::adapters::docker::{Container, DockerHost, Stats};
use crate::adapters::{Error, Kind};
use crate::clock::Clock;
use crate::model::ids::Time;
use crate::model::reading::{Finding, Reason, WhyClass};
use crate::text::{SafeText, fit};

use super::seen::{Seen, warn};
use super::threshold::Thresholds;
use super::{Memory, ProbeCx};

/// Settings of this kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Which containers.
    pub which: Which,
    /// The engine's address; without one, the local socket.
    pub engine: Option<String>,
    /// The number that thresholds judge.
    pub measure: Measure,
    /// Thresholds on it.
    pub thresholds: Thresholds,
}

/// Which containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of one Compose service.
    Service {
        /// The project.
        project: String,
        /// The service.
        service: String,
    },
    /// The one of this name.
    Name(String),
}

/// The number that thresholds judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// How often the restart policy started it anew.
    Restarts,
    /// Memory in use, in MiB.
    Memory,
    /// Time on processors, in per cent of one.
    Cpu,
}

/// What earlier looks left: by container, its restarts and its meters.
pub type Past = BTreeMap<String, (i64, Option<Stats>)>;

/// So long after its restart policy started it anew a container has not shown that it stays up.
const SETTLED: Duration = Duration::from_mins(1);
/// Between two readings of the meters, where no earlier look left one.
const BETWEEN: Duration = Duration::from_millis(300);
/// The containers of one service that are looked at.
const MOST: usize = 64;

/// How one container is, the worse the greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Good,
    Warn(String),
    Bad(String),
}

impl Settings {
    /// What it looks at.
    pub fn target(&self) -> String {
        match &self.which {
            Which::Service { project, service } => format!("container {project}/{service}"),
            Which::Name(name) => format!("container {name}"),
        }
    }

    /// Looks once, within `limit`.
    pub async fn probe(&self, limit: Duration, cx: &ProbeCx, memory: &mut Memory) -> Seen {
        let looked = cx.clock.timeout(limit, self.look(&cx.clock, &mut memory.containers)).await;
        looked.unwrap_or_else(|_| {
            let what = format!("ask the container engine for {}", self.target());
            Seen::unknown(Reason::NoData, &Error::timed_out(what, limit).message)
        })
    }

    async fn look(&self, clock: &Clock, past: &mut Past) -> Seen {
        let found = match self.find(clock).await {
            Ok(found) => found,
            Err(error) => return away(&error),
        };
        let (docker, found) = found;
        if found.is_empty() {
            past.clear();
            let text = format!("there is no {}", self.target());
            return Seen::bad(WhyClass::Rejected, "no such container", &text);
        }
        let now = clock.now();
        let seen = judged(&found, past, now);
        let before = std::mem::take(past);
        past.extend(found.iter().map(|one| {
            let meters = before.get(&one.id).and_then(|(_, meters)| meters.clone());
            (one.id.clone(), (one.restart_count, meters))
        }));
        let measured = match self.measure {
            Measure::Restarts => {
                #[expect(clippy::cast_precision_loss, reason = "a count for a threshold")]
                let most = found.iter().map(|one| one.restart_count).max().unwrap_or(0) as f64;
                Ok((most, "restarts"))
            }
            Measure::Memory | Measure::Cpu => self.meters(&docker, &found, clock, past).await,
        };
        self.with_measure(seen, measured)
    }

    /// The containers, and the engine that knows them. That one does not exist is no error.
    async fn find(&self, clock: &Clock) -> Result<(DockerHost, Vec<Container>), Error> {
        let docker = DockerHost::connect(self.engine.as_deref(), clock.clone())?;
        // Asked first: afterwards "not found" is said of the container.
        docker.ping().await?;
        let mut found = match &self.which {
            Which::Service { project, service } => {
                docker.of_project(project, Some(service)).await?
            }
            Which::Name(name) => match docker.container(name).await {
                Ok(one) => vec![one],
                Err(error) if error.kind == Kind::NotFound => Vec::new(),
                Err(error) => return Err(error),
            },
        };
        found.truncate(MOST);
        Ok((docker, found))
    }

    /// The sum over the containers that run.
    async fn meters(
        &self,
        docker: &DockerHost,
        found: &[Container],
        clock: &Clock,
        past: &mut Past,
    ) -> Result<(f64, &'static str), Error> {
        let (mut memory, mut cpu) = (0.0, 0.0);
        for one in found.iter().filter(|one| one.is_up()) {
            let mut now = docker.stats(&one.id).await?;
            #[expect(clippy::cast_precision_loss, reason = "bytes shown in MiB")]
            let bytes = now.memory as f64;
            memory += bytes / 1_048_576.0;
            if self.measure == Measure::Cpu {
                let before = past.get(&one.id).and_then(|(_, meters)| meters.clone());
                let before = before.filter(|before| before.cpu_ns <= now.cpu_ns);
                let before = if let Some(before) = before {
                    before
                } else {
                    clock.sleep(BETWEEN).await;
                    std::mem::replace(&mut now, docker.stats(&one.id).await?)
                };
                cpu += share(&before, &now);
            }
            past.insert(one.id.clone(), (one.restart_count, Some(now)));
        }
        let tenth = |value: f64| (value * 10.0).round() / 10.0;
        Ok(match self.measure {
            Measure::Cpu => (tenth(cpu), "%"),
            Measure::Memory | Measure::Restarts => (tenth(memory), "MiB"),
        })
    }

    /// A container that does not serve is bad whatever is measured; one that does is judged by
    /// the measure, and unknown where that could not be had.
    fn with_measure(&self, seen: Seen, measured: Result<(f64, &'static str), Error>) -> Seen {
        match measured {
            Ok((value, unit)) => {
                let by_value = if self.thresholds.any() {
                    self.thresholds.judge(value, unit)
                } else {
                    Finding::Good
                };
                let note = match self.measure {
                    Measure::Restarts => seen.note.clone(),
                    Measure::Memory | Measure::Cpu => {
                        SafeText::new(&format!("{}, {value} {unit}", seen.note))
                    }
                };
                let worse = matches!(
                    (&seen.finding, &by_value),
                    (Finding::Good, _) | (Finding::Warn { .. }, Finding::Bad { .. })
                );
                let finding = if worse { by_value } else { seen.finding.clone() };
                let facts = seen.facts;
                Seen { facts, ..Seen::new(finding, note.as_str()) }.with_value(value, unit)
            }
            Err(_) if !matches!(seen.finding, Finding::Good) => seen,
            Err(error) => away(&error),
        }
    }
}

/// That the engine cannot be asked says nothing about the container.
fn away(error: &Error) -> Seen {
    let reason = match error.kind {
        Kind::Denied => Reason::NoPermission,
        Kind::TimedOut | Kind::Refused | Kind::Reset | Kind::NotResolved | Kind::Tls => {
            Reason::NoData
        }
        Kind::NotFound
        | Kind::Held
        | Kind::Conflict
        | Kind::Rejected
        | Kind::NoSpace
        | Kind::Local => Reason::NoTool,
    };
    Seen::unknown(reason, &error.message)
}

/// The worst of them decides; a line on each is in the facts.
fn judged(found: &[Container], past: &Past, now: Time) -> Seen {
    let mut all: Vec<(Standing, &Container)> =
        found.iter().map(|one| (standing(one, past, now), one)).collect();
    all.sort_by(|(a, _), (b, _)| b.cmp(a));
    let note = match all.as_slice() {
        [(_, one)] => words(one),
        [(worst, one), ..] => {
            let good = all.iter().filter(|(standing, _)| *standing == Standing::Good).count();
            match worst {
                Standing::Good => format!("{good} of {good} {}", words(one)),
                Standing::Warn(_) | Standing::Bad(_) => {
                    format!("{good} of {} well; {} {}", all.len(), one.name, words(one))
                }
            }
        }
        [] => String::new(),
    };
    let note = fit(&note, 200);
    let seen = match all.into_iter().next() {
        Some((Standing::Bad(why), _)) => Seen::bad(WhyClass::Rejected, &note, &why),
        Some((Standing::Warn(why), _)) => Seen::new(warn(WhyClass::Rejected, &why), &note),
        Some((Standing::Good, _)) | None => Seen::good(&note),
    };
    found.iter().fold(seen, |seen, one| {
        let id: String = one.id.chars().take(12).collect();
        seen.with_fact(&format!("{} ({id}) of {}: {}", one.name, one.image, words(one)))
    })
}

/// Its state, health, restarts and exit code in a few words.
fn words(one: &Container) -> String {
    let mut text = one.state.clone();
    if let Some(health) = &one.health
        && one.running
    {
        text.extend([", ", health]);
    }
    if let Some(code) = one.exit_code.filter(|_| !one.is_up()) {
        text.extend([", exit code ", &code.to_string()]);
    }
    if one.oom_killed {
        text.push_str(", killed for lack of memory");
    }
    match one.restart_count {
        0 => {}
        1 => text.push_str(", 1 restart"),
        more => text.extend([", ", &more.to_string(), " restarts"]),
    }
    text
}

fn standing(one: &Container, past: &Past, now: Time) -> Standing {
    let said = words(one);
    let bad = |what: &str| Standing::Bad(format!("container {} {what} ({said})", one.name));
    if one.restarting {
        return bad("ended and is started over and over");
    }
    if !one.running {
        return bad(match one.state.as_str() {
            "created" => "was made and never started",
            "dead" | "removing" => "is being removed",
            _ => "does not run",
        });
    }
    if one.state == "paused" {
        return bad("is paused");
    }
    let rose = past.get(&one.id).is_some_and(|(before, _)| one.restart_count > *before);
    let up = one.started_at.map(|at| (now - at).to_std().unwrap_or_default());
    if rose || (one.restart_count > 0 && up.is_none_or(|up| up < SETTLED)) {
        let ago = up.map(|up| format!(" {} s ago", up.as_secs())).unwrap_or_default();
        return bad(&format!("ended by itself and was started anew{ago}"));
    }
    match one.health.as_deref() {
        Some("unhealthy") => bad("is unhealthy"),
        Some("starting") => Standing::Warn(format!("container {} is starting ({said})", one.name)),
        Some("healthy") | None if one.oom_killed => Standing::Warn(format!(
            "a process of container {} was killed for lack of memory",
            one.name
        )),
        Some("healthy") | None => Standing::Good,
        Some(other) => Standing::Warn(format!("container {} says {other}", one.name)),
    }
}

/// Per cent of one processor between two readings.
fn share(before: &Stats, now: &Stats) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds shown as per cent")]
    let part = |now: u64, before: u64| now.saturating_sub(before) as f64;
    let host = part(now.host_cpu_ns, before.host_cpu_ns);
    if host <= 0.0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of processors")]
    let cpus = now.cpus as f64;
    part(now.cpu_ns, before.cpu_ns) / host * cpus * 100.0
}

#[cfg(test)]
mod tests;
