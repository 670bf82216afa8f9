//! What is looked at before a rollout is undone.

use crate::adapters::cluster::{self, OwnerKind, Progress};
use crate::clock::Clock;
use crate::config::Config;
use crate::model::plan::{Plan, Preflight, PreflightAnswer};

use super::super::canary::Seen as OnCanary;
use super::super::planner::Facts;
use super::super::rollout::{Evidence, Kept, Seen};
use super::super::stack::Stack;
use super::{deploying, fence, held, line, rights, schema, space, user};

/// Looks at everything an undo needs; changes nothing.
pub async fn rollout(
    config: &Config,
    stack: &Stack,
    facts: &Facts,
    (seen, plan): (&Seen, &Plan),
    clock: &Clock,
) -> Vec<Preflight> {
    let mut lines = vec![user(), space(&config.state_dir), kept(seen, clock)];
    lines.push(needs(stack, seen).await);
    lines.push(paused(stack, seen));
    lines.extend(why(seen));
    lines.extend(settings(seen));
    lines.extend(seen.owners.iter().map(owner));
    let version = Some(&plan.core.to);
    lines.push(schema((config, stack), facts, version, plan.core.to.as_str()).await);
    lines.push(fence(stack, &facts.journal).await);
    lines.push(held(stack).await);
    lines.extend(deploying(facts, clock));
    lines.extend(rights(stack, plan).await);
    lines.extend(super::super::credentials::line(config, facts.level, clock.now()));
    lines
}

/// Looks at everything that taking a canary out of the traffic needs; changes nothing.
pub async fn canary(
    config: &Config,
    stack: &Stack,
    facts: &Facts,
    (seen, plan): (&OnCanary, &Plan),
    clock: &Clock,
) -> Vec<Preflight> {
    let (gets, canary) = (&seen.part.words, &seen.canary);
    let gets = line("what the canary gets", PreflightAnswer::Ok, format!("{canary}: {gets}"));
    let mut lines = vec![user(), space(&config.state_dir), gets];
    let name = format!("{} can take all of it", seen.stable);
    lines.extend(seen.serves.as_ref().map(|stands| match stands {
        Progress::Done(why) => line(&name, PreflightAnswer::Ok, why),
        Progress::Going(why) | Progress::Failed(why) => line(&name, PreflightAnswer::Warn, why),
    }));
    lines.extend(seen.owners.iter().map(owner));
    lines.push(schema((config, stack), facts, Some(&seen.stable), seen.stable.as_str()).await);
    lines.push(fence(stack, &facts.journal).await);
    lines.push(held(stack).await);
    lines.extend(deploying(facts, clock));
    lines.extend(rights(stack, plan).await);
    lines.extend(super::super::credentials::line(config, facts.level, clock.now()));
    lines
}

/// Looks at what every procedure needs, whatever its steps are; changes nothing.
pub async fn procedure(
    config: &Config,
    stack: &Stack,
    (facts, plan): (&Facts, &Plan),
    clock: &Clock,
) -> Vec<Preflight> {
    let mut lines = vec![user(), space(&config.state_dir), fence(stack, &facts.journal).await];
    lines.extend(deploying(facts, clock));
    lines.extend(rights(stack, plan).await);
    lines.extend(super::super::credentials::line(config, facts.level, clock.now()));
    lines
}

fn kept(seen: &Seen, clock: &Clock) -> Preflight {
    let answer = match seen.evidence {
        Evidence::Recorded(_) => PreflightAnswer::Ok,
        Evidence::Ready(_) | Evidence::Exists => PreflightAnswer::Warn,
    };
    let text = format!("{}: {}", seen.to.words(clock.now()), seen.evidence.words());
    line("the revision to go to", answer, text)
}

/// A kept template may name what was removed since: its pods would never start.
async fn needs(stack: &Stack, seen: &Seen) -> Preflight {
    let name = "what it needs is there";
    let Some(cluster) = stack.cluster.as_deref() else {
        return line(name, PreflightAnswer::Unknown, "no cluster is configured");
    };
    match cluster::missing(cluster, &seen.to.template).await {
        Err(error) => line(name, PreflightAnswer::Unknown, error.message),
        Ok((gone, _)) if !gone.is_empty() => {
            let gone: Vec<String> = gone.iter().map(ToString::to_string).collect();
            let text =
                format!("gone: {}; make it again, or name another revision", gone.join(", "));
            line(name, PreflightAnswer::Block, text)
        }
        Ok((_, hidden)) => match hidden.first() {
            None => line(name, PreflightAnswer::Ok, "settings, secrets, volumes and account"),
            Some(why) => line(name, PreflightAnswer::Warn, format!("not all can be seen: {why}")),
        },
    }
}

fn paused(stack: &Stack, seen: &Seen) -> Preflight {
    let name = "its rollouts run";
    if !seen.rollout.is_paused() {
        return line(name, PreflightAnswer::Ok, "not paused");
    }
    let kubectl = stack.cluster.as_ref().map_or_else(|| "kubectl".to_owned(), |at| at.kubectl());
    let resume = seen.rollout.name.rollout_by_hand(&kubectl, "resume");
    let text = format!("paused, no pod would change: resume it ({resume})");
    line(name, PreflightAnswer::Block, text)
}

/// Why its pods do not run, in their own last words.
fn why(seen: &Seen) -> Option<Preflight> {
    let first = seen.troubles.first()?;
    let more = seen.troubles.len() - 1;
    let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    Some(line("why it fails", PreflightAnswer::Warn, format!("{}{more}", first.words())))
}

/// Settings are shared by all revisions: an undo leaves them as they are.
fn settings(seen: &Seen) -> Option<Preflight> {
    if seen.changed.is_empty() {
        return None;
    }
    let changed: Vec<String> = seen.changed.iter().map(ToString::to_string).collect();
    let text = format!(
        "{}; an undo does not move it, and it may be the cause: look at it first",
        changed.join("; ")
    );
    Some(line("settings since the last good pod", PreflightAnswer::Warn, text))
}

fn owner(kept: &Kept) -> Preflight {
    let words = kept.owner.words();
    let name = "nobody takes it back";
    let by_hand = kept.owner.by_hand(true, &kept.was).unwrap_or_default();
    match (&kept.acts, &kept.locked) {
        (Some(false), _) if kept.owner.kind == OwnerKind::Helm => {
            let text = format!("{words}: its next upgrade begins from what Helm recorded");
            line(name, PreflightAnswer::Warn, text)
        }
        (Some(false), _) => {
            line(name, PreflightAnswer::Ok, format!("{words} does not act by itself"))
        }
        (Some(true), None) => {
            let text = format!("{words} acts by itself: it is frozen first");
            line(name, PreflightAnswer::Ok, text)
        }
        (Some(true), Some(why)) => {
            let text = format!(
                "{words} will undo it, and we cannot freeze it ({why}); have somebody type: {by_hand}"
            );
            line(name, PreflightAnswer::Warn, text)
        }
        (None, why) => {
            let why = why.clone().unwrap_or_default();
            let text =
                format!("{words} may undo it, nobody can tell: {why}; to freeze it: {by_hand}");
            line(name, PreflightAnswer::Warn, text)
        }
    }
}
