//! `backout rules`: what is watched for, what it would have done, and why.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use crate::config::{Config, did_you_mean};
use crate::failure::{Exit, Failure};
use crate::journal::{Reader, Samples};
use crate::model::entry::Command;
use crate::model::reading::Reading;
use crate::model::rule::book::{RuleCard, RuleState};
use crate::model::rule::rehearse::{Rehearsal, Stage, judge_now, rehearse};
use crate::model::rule::{Rule, Shown, Verdict};
use crate::model::situation::Situation;
use crate::model::times;
use crate::text::SafeText;

use super::session::{self, Need, Session};
use super::{World, say};

#[derive(Subcommand, Debug)]
pub(crate) enum RulesCommand {
    /// Every rule, and where it stands
    List,
    /// Hold the rules against what was recorded: when each would have acted; changes nothing
    Test {
        /// How far back, as far as readings are kept
        #[arg(long, default_value = "24h")]
        since: String,
        /// Rules of this configuration instead
        #[arg(long, value_name = "FILE")]
        rules: Option<PathBuf>,
    },
    /// Each part of a rule's condition with its value now
    Explain {
        /// The rule
        rule: String,
    },
    /// Nothing starts by rules for a while
    Freeze {
        /// How long: 30m, 2h
        #[arg(long = "for", value_name = "SPAN")]
        span: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Let rules act again
    Thaw {
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Keep a rule from what it is about to do
    Veto {
        /// The rule; without one, the one that is about to act
        rule: Option<String>,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

pub(crate) async fn run(
    world: &World,
    what: Option<&RulesCommand>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match what {
        None | Some(RulesCommand::List) => list(world, out).await,
        Some(RulesCommand::Test { since, rules }) => {
            test(world, since, rules.as_deref(), out).await
        }
        Some(RulesCommand::Explain { rule }) => explain(world, rule, out).await,
        Some(RulesCommand::Freeze { span, reason }) => {
            let until = times::after(span, world.clock.now()).ok_or_else(|| {
                Failure::new(Exit::Usage, format!("{span:?} is not a span of time"))
                    .hint("write it as 30m or 2h")
            })?;
            let said = format!("nothing starts by rules until {}", until.format("%H:%M:%SZ"));
            let reason = SafeText::new(reason);
            send(world, Command::Freeze { until: Some(until), reason }, &said, out).await
        }
        Some(RulesCommand::Thaw { reason }) => {
            let reason = SafeText::new(reason);
            send(world, Command::Freeze { until: None, reason }, "rules may act again", out).await
        }
        Some(RulesCommand::Veto { rule, reason }) => {
            veto(world, rule.as_deref(), reason, out).await
        }
    }
}

async fn send(
    world: &World,
    command: Command,
    said: &str,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut session = Session::open(world, Need::Running).await?;
    session.send(command).await?;
    session.close().await;
    say(out, &format!("+ {said}\n"));
    Ok(Exit::Ok)
}

async fn veto(
    world: &World,
    rule: Option<&str>,
    reason: &str,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut session = Session::open(world, Need::Running).await?;
    session.refresh().await?;
    let open = session.situation.rules.proposal.as_ref();
    let rule = rule.map(str::to_owned).or_else(|| open.map(|open| open.fired.rule.clone()));
    let Some(rule) = rule else {
        return Err(Failure::new(Exit::Blocked, "no rule is about to act"));
    };
    let command =
        Command::Veto { rule: SafeText::new(&rule), reason: SafeText::new(reason.trim()) };
    session.send(command).await?;
    session.close().await;
    say(out, &format!("+ rule {rule} does not act\n"));
    Ok(Exit::Ok)
}

/// What the journal says, where there is one.
async fn situation(config: &Config) -> Situation {
    let Ok(mut reader) = Reader::open(&config.state_dir).await else { return Situation::default() };
    reader.situation().await.unwrap_or_default()
}

#[derive(Serialize)]
struct Row<'a> {
    rule_id: &'a str,
    name: &'a str,
    condition: &'a str,
    action: &'static str,
    mode: &'static str,
    level: u8,
    priority: u32,
    cooldown_seconds: u64,
    state: &'static str,
    held: Option<String>,
    fired_at: Option<String>,
}

fn row<'a>(rule: &'a Rule, card: Option<&RuleCard>) -> Row<'a> {
    Row {
        rule_id: &rule.id,
        name: &rule.name,
        condition: &rule.condition.source,
        action: rule.action.name(),
        mode: rule.mode.name(),
        level: rule.level.number(),
        priority: rule.priority,
        cooldown_seconds: rule.cooldown.as_secs(),
        state: card.map_or("not judged", |card| card.state.word()),
        held: card.and_then(|card| card.held.as_ref()).map(ToString::to_string),
        fired_at: card.and_then(|card| card.fired_at).map(|at| at.to_rfc3339()),
    }
}

async fn list(world: &World, out: &mut dyn Write) -> Result<Exit, Failure> {
    let config = session::place_to_attach(world)?.config;
    let situation = situation(&config).await;
    let cards = &situation.rules.cards;
    let mut rules: Vec<&Rule> = config.rules.list.iter().collect();
    rules.sort_by_key(|rule| rule.priority);
    let rows: Vec<Row<'_>> = rules.iter().map(|rule| row(rule, cards.get(&rule.id))).collect();
    if world.json {
        session::json(out, &rows);
        return Ok(Exit::Ok);
    }
    say(out, &listed(&situation, &rows));
    Ok(Exit::Ok)
}

fn listed(situation: &Situation, rows: &[Row<'_>]) -> String {
    let mut text = String::new();
    if let Some(freeze) = situation.frozen() {
        let until = freeze.until.format("%H:%M:%SZ");
        text = format!("FROZEN until {until} by {}: {}\n", freeze.by, freeze.reason);
    }
    for row in rows {
        let does = format!("{} {}", row.mode, row.action);
        let fired = row.fired_at.as_deref().map_or_else(String::new, |at| format!(", acted {at}"));
        let held = row.held.as_deref().map_or_else(String::new, |why| format!("; held: {why}"));
        let (priority, state, id) = (row.priority, row.state, row.rule_id);
        writeln!(text, "{priority} {state:<8} {does:<22} {id}{fired}{held}").ok();
        writeln!(text, "    {}", SafeText::new(row.condition)).ok();
    }
    if rows.is_empty() {
        text.push_str("no rules: write monitoring_rules into the configuration\n");
    }
    text
}

/// The checks of a configuration, as rules see them.
fn stage(config: &Config, situation: &Situation) -> Stage {
    let live = || config.checks.iter().filter(|spec| spec.live);
    let mut deploys: Vec<_> =
        situation.changes.iter().map(|change| change.ended_at.unwrap_or(change.at)).collect();
    deploys.sort_unstable();
    Stage {
        roles: live().map(|spec| (spec.id.clone(), spec.role.clone())).collect(),
        kinds: live().map(|spec| (spec.id.clone(), spec.kind.name().to_owned())).collect(),
        policies: live().map(|spec| (spec.id.clone(), spec.policy.clone())).collect(),
        objectives: config.judging.objectives.clone(),
        min_samples: config.windows.min_samples,
        deploys,
    }
}

async fn readings(config: &Config, from: crate::model::ids::Time) -> Result<Vec<Reading>, Failure> {
    let mut samples = Samples::read(&config.state_dir).await.map_err(|error| {
        Failure::new(Exit::Unknown, error.to_string()).hint("readings are kept by: backout monitor")
    })?;
    let mut readings = samples.since(from).await.map_err(session::journal)?;
    readings.sort_by_key(|reading| reading.at);
    Ok(readings)
}

async fn test(
    world: &World,
    since: &str,
    file: Option<&std::path::Path>,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let span = times::span(since).and_then(|span| chrono::Duration::from_std(span).ok());
    let span = span.ok_or_else(|| {
        Failure::new(Exit::Usage, format!("{since:?} is not a span of time"))
            .hint("write it as 30m or 24h")
    })?;
    let config = session::place_to_attach(world)?.config;
    let rules = match file {
        Some(file) => session::load(world, file)?.rules.list,
        None => config.rules.list.clone(),
    };
    let now = world.clock.now();
    let readings = readings(&config, now - span).await?;
    let stage = stage(&config, &situation(&config).await);
    let shown = rehearse(&rules, &stage, &readings);
    let began = readings.first().map(|first| first.at);
    if world.json {
        let would: Vec<_> = shown
            .would
            .iter()
            .filter_map(|would| Some((would, rules.get(would.rule)?)))
            .map(|(would, rule)| {
                let evidence: Vec<String> = would.evidence.iter().map(Shown::words).collect();
                json!({"at": would.at, "rule_id": rule.id, "action": rule.action.name(),
                       "evidence": evidence})
            })
            .collect();
        session::json(out, &json!({"from": began, "readings": readings.len(), "would": would}));
        return Ok(Exit::Ok);
    }
    say(out, &rehearsed(&rules, &shown, &readings));
    Ok(Exit::Ok)
}

fn rehearsed(rules: &[Rule], shown: &Rehearsal, readings: &[Reading]) -> String {
    let began = readings.first().map(|first| first.at);
    let from = began.map_or_else(|| "never".to_owned(), |at| at.format("%F %TZ").to_string());
    let mut text = format!("{} readings, the first of {from}\n", readings.len());
    for (rule, [met, not, unknown, broken]) in rules.iter().zip(&shown.moments) {
        let times = shown.would.iter().filter(|would| rules.get(would.rule) == Some(rule)).count();
        let id = &rule.id;
        writeln!(
            text,
            "{id}: would have acted {times} times ({}); met {met}, not met {not}, unknown \
             {unknown}, broken {broken} moments",
            rule.action.name()
        )
        .ok();
        for would in shown.would.iter().filter(|would| rules.get(would.rule) == Some(rule)) {
            writeln!(text, "  {}", would.at.format("%F %TZ")).ok();
            for line in would.evidence.iter().take(6) {
                writeln!(text, "    {}", line.words()).ok();
            }
        }
    }
    text
}

async fn explain(world: &World, name: &str, out: &mut dyn Write) -> Result<Exit, Failure> {
    let config = session::place_to_attach(world)?.config;
    let rules = &config.rules.list;
    let Some(at) = rules.iter().position(|rule| rule.id == name) else {
        let meant = did_you_mean(name, rules.iter().map(|rule| rule.id.as_str()));
        let hint = meant.map_or_else(
            || "backout rules list names them".to_owned(),
            |meant| format!("did you mean {meant}?"),
        );
        return Err(Failure::new(Exit::Usage, format!("there is no rule {name}")).hint(hint));
    };
    let now = world.clock.now();
    let readings = readings(&config, now - chrono::Duration::hours(2)).await.unwrap_or_default();
    let situation = situation(&config).await;
    let judged = judge_now(rules, &stage(&config, &situation), &readings, now);
    let (Some(rule), Some(judged)) = (rules.get(at), judged.get(at)) else {
        return Ok(Exit::Unknown);
    };
    let card = situation.rules.cards.get(name);
    let (word, why, exit) = match &judged.verdict {
        Verdict::Met => ("met", String::new(), Exit::Critical),
        Verdict::NotMet => ("not met", String::new(), Exit::Ok),
        Verdict::Unknown(why) => ("unknown", format!(" ({why})"), Exit::Unknown),
        Verdict::Broken(why) => ("broken", format!(" ({why})"), Exit::Unknown),
    };
    let evidence: Vec<String> = judged.evidence.iter().map(Shown::words).collect();
    if world.json {
        session::json(
            out,
            &json!({"rule": row(rule, card), "now": word, "why": why.trim(), "evidence": evidence,
                    "newest": judged.newest, "steps": judged.steps}),
        );
        return Ok(exit);
    }
    say(out, &explained(rule, card, &format!("{word}{why}"), &evidence));
    Ok(exit)
}

fn explained(rule: &Rule, card: Option<&RuleCard>, now: &str, evidence: &[String]) -> String {
    let mut text = format!("{}: {}\n", rule.id, rule.name);
    writeln!(text, "  {}", SafeText::new(&rule.condition.source)).ok();
    writeln!(text, "now {now}").ok();
    for line in evidence {
        writeln!(text, "  {line}").ok();
    }
    if let Some(card) = card {
        let since = card.since.format("%F %TZ");
        writeln!(text, "the journal says {} since {since}", card.state.word()).ok();
        if card.state != RuleState::Quiet {
            for line in card.evidence.iter().take(6) {
                writeln!(text, "  {}", line.words()).ok();
            }
        }
        if let Some(at) = card.fired_at {
            let free = at + chrono::Duration::from_std(rule.cooldown).unwrap_or_default();
            let (at, free) = (at.format("%F %TZ"), free.format("%TZ"));
            writeln!(text, "acted {at}; not again before {free}").ok();
        }
        if let Some(held) = &card.held {
            writeln!(text, "held: {held}").ok();
        }
    }
    text
}
