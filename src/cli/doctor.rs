//! `backout doctor`: what is missing before each level could be planned, with what to do about it.

use std::fmt::Write as _;
use std::io::Write;

use clap::Args;
use serde_json::json;

use crate::config::Config;
use crate::engine::planner;
use crate::engine::stack::{self, Stack};
use crate::failure::{Exit, Failure};
use crate::model::plan::{Level, PreflightAnswer};
use crate::text::SafeText;

use super::{World, plan, say, session};

mod cluster;
mod data;
pub(super) mod looks;
mod monitor;
mod pages;
mod summary;

/// Which look.
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// What the cluster says that a person would type one after the other
    #[arg(long, value_name = "PAGE")]
    cluster: Option<pages::Page>,
}

/// What one look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// As it should be.
    Well,
    /// Worth knowing; the level can be planned without it.
    Note,
    /// The level needs it.
    Missing,
}

impl Found {
    fn word(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Note => "note",
            Self::Missing => "missing",
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The first level that needs it; those after it do, too.
    level: u8,
    pub(super) name: String,
    pub(super) found: Found,
    pub(super) text: SafeText,
    /// What to do about it.
    pub(super) help: String,
}

impl Line {
    fn well(level: u8, name: &str, text: &str) -> Self {
        let text = SafeText::new(text);
        Self { level, name: name.to_owned(), found: Found::Well, text, help: String::new() }
    }

    fn missing(level: u8, name: &str, text: &str, help: &str) -> Self {
        Self { found: Found::Missing, help: help.to_owned(), ..Self::well(level, name, text) }
    }

    fn note(level: u8, name: &str, text: &str, help: &str) -> Self {
        Self { found: Found::Note, ..Self::missing(level, name, text, help) }
    }
}

/// Runs `backout doctor`; exit 0 when every level has what it needs, 1 when one lacks something.
pub(crate) async fn run(
    world: &World,
    asked: &Doctor,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let place = session::place(world)?;
    if let Some(page) = asked.cluster {
        return clustered(world, &place.config, page, out).await;
    }
    let stack = Stack::of(&place.config, &world.program, &world.clock);
    let mut lines = vec![monitor::heartbeat(world, &place.config).await];
    lines.extend(looks::all(world, &place.config).await);
    for level in [Level::Switch, Level::Full, Level::PointInTime] {
        lines.extend(planned(world, &place.config, stack.as_ref(), level).await);
    }
    let sections = summary::sections(world, &place.config).await;
    let variables = monitor::variables(world);
    let well = lines.iter().all(|line| line.found != Found::Missing);
    if world.json {
        let said = |line: &Line| {
            json!({
                "level": line.level,
                "name": line.name,
                "found": line.found.word(),
                "text": line.text.as_str(),
                "help": line.help,
            })
        };
        let all: Vec<serde_json::Value> = lines.iter().map(said).collect();
        session::json(
            out,
            &json!({
                "ok": well, "lines": all, "variables": variables,
                "summary": summary::document(&sections),
            }),
        );
    } else {
        let mut text = summary::text(&sections) + &text(&lines);
        text.push_str("variables of the environment\n");
        for (name, is_set) in variables {
            writeln!(text, "  {name} {}", if is_set { "set (***)" } else { "not set" }).ok();
        }
        say(out, &text);
    }
    Ok(if well { Exit::Ok } else { Exit::Warning })
}

/// A page about the cluster; exit 1 when something on it is as it must not be.
async fn clustered(
    world: &World,
    config: &Config,
    page: pages::Page,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let Some(kube) = stack::cluster(config, &world.clock) else {
        return Err(Failure::new(Exit::Usage, "could not look at a cluster: none is configured")
            .hint("add platform: {kubernetes: …}, or leave --cluster out"));
    };
    let (text, document, well) = pages::page(&kube, &world.clock, page).await;
    if world.json {
        session::json(out, &document);
    } else {
        say(out, &text);
    }
    Ok(if well { Exit::Ok } else { Exit::Warning })
}

/// What the planner itself says of a level.
async fn planned(world: &World, config: &Config, stack: Option<&Stack>, level: Level) -> Vec<Line> {
    let number = level.number();
    let facts = plan::facts(world, config, stack, (level, None)).await;
    match Box::pin(planner::plan(config, stack, &facts, &world.clock)).await {
        Err(no) => {
            let help = "see what can be gone back to: backout targets";
            vec![Line::missing(number, "plan", no.why.as_str(), help)]
        }
        Ok((plan, preflight)) => {
            let to = format!("{} steps, to {}", plan.core.steps.len(), plan.core.to);
            let mut lines = vec![Line::well(number, "plan", &to)];
            lines.extend(preflight.iter().filter_map(|one| {
                let name = one.name.as_str();
                let help = format!("backout plan --level {number}");
                match one.answer {
                    PreflightAnswer::Ok => None,
                    PreflightAnswer::Warn => Some(Line::note(number, name, one.text.as_str(), "")),
                    PreflightAnswer::Block | PreflightAnswer::Unknown => {
                        Some(Line::missing(number, name, one.text.as_str(), &help))
                    }
                }
            }));
            lines
        }
    }
}

fn text(lines: &[Line]) -> String {
    let mut text = String::new();
    let names = ["quick switch", "full rollback", "point-in-time recovery"];
    for (level, name) in (1..).zip(names) {
        let lacks = lines.iter().any(|l| l.level <= level && l.found == Found::Missing);
        let word = if lacks { "something is missing" } else { "has what it needs" };
        writeln!(text, "level {level}, {name}: {word}").ok();
        for line in lines.iter().filter(|line| line.level == level) {
            let (word, name, said) = (line.found.word(), &line.name, &line.text);
            write!(text, "  {word:<8} {name}: {said}").ok();
            if !line.help.is_empty() {
                text.extend(["; ", &line.help]);
            }
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_level_lacks_the_levels_after_it_lack_too() {
        let lines = [
            Line::well(1, "engine", "20.10 answers"),
            Line::missing(2, "restore points", "there are none", "take one: backout backup now"),
            Line::note(3, "base backup", "no point holds one", ""),
        ];
        assert_eq!(
            text(&lines),
            "level 1, quick switch: has what it needs\n  ok       engine: 20.10 answers\n\
             level 2, full rollback: something is missing\n  missing  restore points: there are \
             none; take one: backout backup now\nlevel 3, point-in-time recovery: something is \
             missing\n  note     base backup: no point holds one\n"
        );
    }
}
