//! What is looked at before a plan may be approved (S-43, S-47), and the schema gate.

use std::path::Path;
use std::time::Duration;

use crate::adapters::migrations;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::hold::HoldPart;
use crate::model::ids::{Color, JournalId};
use crate::model::plan::{Plan, Preflight, PreflightAnswer};
use crate::model::verdict::clock as clock_words;
use crate::text::SafeText;

use super::forms::{Form, Redeploy};
use super::observe;
use super::planner::Facts;
use super::stack::Stack;

mod deep;
mod operations;
mod rollout;

pub use deep::{Deep, deep};
pub use operations::operations;
pub use rollout::{canary, procedure, rollout};

fn line(name: &str, answer: PreflightAnswer, text: impl AsRef<str>) -> Preflight {
    Preflight { name: name.into(), answer, text: SafeText::new(text.as_ref()) }
}

/// Looks at everything level 1 needs in this form; changes nothing.
pub async fn level_one(
    config: &Config,
    stack: &Stack,
    (facts, plan): (&Facts, &Plan),
    form: &Form,
    clock: &Clock,
) -> Vec<Preflight> {
    let to = form.to();
    let mut lines = vec![user(), space(&config.state_dir)];
    let version = match form {
        Form::Switch { .. } => {
            lines.push(target(stack, to, clock).await);
            lines.push(traffic(stack, to).await);
            match stack.addresses.get(to) {
                Some(url) => observe::status(url, clock).await.map(|said| said.version),
                None => None,
            }
        }
        Form::Redeploy(redeploy) => {
            lines.push(artefacts(redeploy));
            lines.extend(tool(stack, facts).await);
            if redeploy.in_place {
                lines.push(gap(form, facts));
            } else {
                lines.push(traffic(stack, to).await);
            }
            Some(redeploy.release.version.clone())
        }
    };
    lines.push(
        schema((config, stack), facts, version.as_ref(), &format!("the version on {to}")).await,
    );
    lines.extend(rights(stack, plan).await);
    lines.push(fence(stack, &facts.journal).await);
    lines.push(held(stack).await);
    lines.extend(deploying(facts, clock));
    lines
}

/// The same for the plan that takes a run back.
pub async fn back(config: &Config, stack: &Stack, facts: &Facts, plan: &Plan) -> Vec<Preflight> {
    let active = stack.traffic.look().await.map(|state| state.active);
    let mut lines = vec![user(), space(&config.state_dir)];
    lines.extend(super::undo::traffic_line(plan, active));
    lines.push(schema((config, stack), facts, Some(&plan.core.to), plan.core.to.as_str()).await);
    lines.extend(rights(stack, plan).await);
    lines.push(fence(stack, &facts.journal).await);
    lines.push(held(stack).await);
    lines
}

fn artefacts(redeploy: &Redeploy) -> Preflight {
    let release = &redeploy.release;
    let name = format!("{} can be started again", release.version);
    match &release.broken {
        None => {
            let digest = release.digest.short();
            line(&name, PreflightAnswer::Ok, format!("artefacts and configuration are {digest}"))
        }
        Some(why) => line(&name, PreflightAnswer::Block, why.as_str()),
    }
}

fn gap(form: &Form, facts: &Facts) -> Preflight {
    let gap = clock_words(form.gap(&facts.history));
    let text = format!("there is no second colour: users get no answer for about {gap}");
    line("in place", PreflightAnswer::Warn, text)
}

/// A rollback beside a running deploy is possible, and said: the deploy may undo it.
fn deploying(facts: &Facts, clock: &Clock) -> Option<Preflight> {
    let running = facts.known.running()?;
    let (version, by) = (&running.version, &running.by);
    let since = (clock.now() - running.at).to_std().unwrap_or_default();
    let text = format!(
        "deploy {version} by {by} runs since {}: it may take this back; stop it first if you can",
        clock_words(Duration::from_secs(since.as_secs()))
    );
    Some(line("no deploy runs", PreflightAnswer::Warn, text))
}

/// What deploys is there before anything begins (S-69); asked only where a plan is made.
async fn tool(stack: &Stack, facts: &Facts) -> Option<Preflight> {
    if !facts.thorough {
        return None;
    }
    let missing = stack.workload.missing_tool().await?;
    Some(line("the tools that deploy are there", PreflightAnswer::Block, missing.as_str()))
}

fn user() -> Preflight {
    let uid = rustix::process::geteuid().as_raw();
    line("appropriate user", PreflightAnswer::Ok, format!("uid {uid}"))
}

/// What we may not do on the platform and the steps of a plan would have to, where it decides that.
async fn rights(stack: &Stack, plan: &Plan) -> Option<Preflight> {
    let name = "rights on the platform";
    let missing = match &stack.cluster {
        Some(cluster) => {
            let steps = plan.core.steps.iter().chain(&plan.core.undo);
            let needed = crate::steps::rights(steps.map(|spec| &spec.action));
            cluster.missing_rights(&needed).await
        }
        None => stack.workload.missing_rights().await,
    };
    match missing {
        Ok(missing) if missing.is_empty() => None,
        Ok(missing) => Some(line(name, PreflightAnswer::Block, missing_words(&missing))),
        Err(error) => Some(line(name, PreflightAnswer::Unknown, error.message)),
    }
}

/// The rights that are missing, and where they are given.
pub fn missing_words(missing: &[SafeText]) -> String {
    let missing: Vec<&str> = missing.iter().map(SafeText::as_str).collect();
    format!("missing: {}; config/kubernetes-role.yaml gives them", missing.join(", "))
}

fn space(state: &Path) -> Preflight {
    let name = "free space for evidence";
    match rustix::fs::statvfs(state) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize) / (1024 * 1024);
            let answer = if free < 64 { PreflightAnswer::Warn } else { PreflightAnswer::Ok };
            line(name, answer, format!("{free} MiB free"))
        }
        Err(errno) => line(name, PreflightAnswer::Warn, format!("could not look: {errno}")),
    }
}

async fn target(stack: &Stack, to: &Color, clock: &Clock) -> Preflight {
    let name = format!("{to} answers at its own address");
    let url = stack.addresses.get(to).map(String::as_str).unwrap_or_default();
    match observe::status(url, clock).await {
        None => line(&name, PreflightAnswer::Block, format!("{url}/status does not answer")),
        Some(said) if said.environment != to.as_str() => line(
            &name,
            PreflightAnswer::Block,
            format!("{url} says it is {}, not {to}", said.environment),
        ),
        Some(said) if !said.ready => {
            line(&name, PreflightAnswer::Block, "overall_ready is not true")
        }
        Some(said) => line(&name, PreflightAnswer::Ok, format!("{} is ready", said.version)),
    }
}

async fn traffic(stack: &Stack, to: &Color) -> Preflight {
    let name = "traffic can be switched";
    match stack.traffic.look().await {
        Ok(state) if &state.active == to => {
            line(name, PreflightAnswer::Block, format!("{to} has the traffic already"))
        }
        Ok(state) => line(name, PreflightAnswer::Ok, format!("{} has it now", state.active)),
        Err(error) => line(name, PreflightAnswer::Unknown, error.message),
    }
}

/// The gate and the checks come in where users do: behind a maintenance page they see nothing.
async fn held(stack: &Stack) -> Preflight {
    let name = "users get through";
    let parts = stack.traffic.look().await.ok().and_then(|state| state.held).unwrap_or_default();
    if parts.contains(&HoldPart::Page) {
        let text = "the maintenance page is held: lift it (backout unhold page --reason WHY)";
        return line(name, PreflightAnswer::Block, text);
    }
    if parts.contains(&HoldPart::Writers) {
        let text = "writers are held, and stay so: lift them once the version is good";
        return line(name, PreflightAnswer::Warn, text);
    }
    line(name, PreflightAnswer::Ok, "neither page nor writers are held")
}

async fn fence(stack: &Stack, journal: &JournalId) -> Preflight {
    let name = "nobody else works on it";
    let Some(fence) = &stack.fence else {
        return line(
            name,
            PreflightAnswer::Warn,
            "no fence is configured: two journals could meet",
        );
    };
    match fence.holder().await {
        Ok(Some(holder)) if &holder.journal != journal => line(
            name,
            PreflightAnswer::Block,
            format!(
                "held by {} on {} (run {}) since {}",
                holder.name,
                holder.host,
                holder.run,
                holder.since.format("%H:%M:%SZ")
            ),
        ),
        Ok(_) => line(name, PreflightAnswer::Ok, "free"),
        Err(error) => line(name, PreflightAnswer::Unknown, error.message),
    }
}

/// Does the old program run on today's schema? Judged by the up scripts since its schema; what
/// they took away is named (design 15 and 24).
async fn schema(
    (config, stack): (&Config, &Stack),
    facts: &Facts,
    version: Option<&SafeText>,
    what: &str,
) -> Preflight {
    let name = "schema gate";
    let (Some(settings), Some(database)) = (&config.database, &stack.database) else {
        return line(name, PreflightAnswer::Warn, "no database is configured: not judged");
    };
    let ledger = match database.ledger().await {
        Ok(ledger) => ledger,
        Err(error) => return line(name, PreflightAnswer::Unknown, error.message),
    };
    let Some(now) = ledger.last().map(|last| last.version) else {
        return line(name, PreflightAnswer::Unknown, "its ledger of migrations is empty");
    };
    let recorded = facts
        .points
        .iter()
        .filter(|point| version == Some(&point.version))
        .find_map(|point| point.schema);
    let Some(then) = recorded else {
        let text = format!("schema is {now}; none is recorded for {what}");
        return line(name, PreflightAnswer::Warn, text);
    };
    if then > now {
        return line(
            name,
            PreflightAnswer::Block,
            format!("{what} was deployed with schema {then}, it is {now}: migrate up first"),
        );
    }
    if then >= now {
        return line(name, PreflightAnswer::Ok, format!("schema {now}, as it was"));
    }
    let taken = settings.migrations().map(|folder| migrations::noticed(folder, &ledger, then));
    match taken {
        None => {
            line(name, PreflightAnswer::Warn, format!("{then} to {now} without scripts to read"))
        }
        Some(Err(error)) => line(name, PreflightAnswer::Unknown, error.message),
        Some(Ok(taken)) if taken.is_empty() => line(
            name,
            PreflightAnswer::Ok,
            format!("{now} only adds to {then}: the old version runs on it"),
        ),
        Some(Ok(taken)) => line(
            name,
            PreflightAnswer::Block,
            format!("{then} to {now} took away: {}", taken.join("; ")),
        ),
    }
}
