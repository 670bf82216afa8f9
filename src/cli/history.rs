//! `backout history`: past rollbacks (P-08, P-30, S-74, S-75).

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::failure::{Exit, Failure};
use crate::model::ids::RunId;
use crate::model::situation::PastRun;
use crate::report::documents;
use crate::report::execution::{self, Execution};
use crate::report::history::{self, History};

use super::session;
use super::{World, say};

#[derive(Args, Debug)]
pub(crate) struct HistoryArguments {
    /// Only this run, by its name
    execution_id: Option<String>,
    /// Only the report: rollbacks by level, their average, the success rate
    #[arg(long)]
    report: bool,
    /// Read this history file instead of the configured one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["execution_id", "deployment_id"])]
    file: Option<PathBuf>,
    /// Only the runs that took this deploy back: its job or its version
    #[arg(long, value_name = "NAME")]
    deployment_id: Option<String>,
}

pub(crate) async fn run(
    world: &World,
    asked: &HistoryArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (text, known) = if let Some(file) = &asked.file {
        (read(file)?, Vec::new())
    } else {
        let place = session::place_to_attach(world)?;
        let file = &place.config.history_log;
        // Before the first rollback there is no file.
        let text = if file.exists() { read(file)? } else { String::new() };
        let known = super::plan::past(&place.journal).await;
        (text, known.map(|known| known.history).unwrap_or_default())
    };
    if asked.execution_id.is_some() || asked.deployment_id.is_some() {
        return runs(world, asked, &known, out);
    }
    let history = History::parse(&text);
    if world.json {
        session::json(out, &documents::history(&history, &known));
    } else if asked.report {
        say(out, &history.report());
    } else {
        say(out, &text);
        say(out, &history.report());
        say(out, &history::names(&history, &known));
    }
    Ok(Exit::Ok)
}

fn read(file: &std::path::Path) -> Result<String, Failure> {
    let bytes = std::fs::read(file).map_err(|error| {
        Failure::new(Exit::Unknown, format!("could not read {}: {error}", file.display()))
            .hint("name a readable one with --file FILE")
    })?;
    // One line that is no text must not hide all others: it is counted as not read.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The runs that were asked for, from the journal: the file knows neither names nor deploys.
fn runs(
    world: &World,
    asked: &HistoryArguments,
    known: &[PastRun],
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let named = asked.execution_id.as_deref().map(RunId::from);
    let about = |past: &PastRun, deployment: &str| {
        past.trigger.as_ref().is_some_and(|trigger| trigger.is_about(deployment))
    };
    let runs: Vec<&PastRun> = known
        .iter()
        .filter(|past| named.as_ref().is_none_or(|named| &past.run == named))
        .filter(|past| asked.deployment_id.as_deref().is_none_or(|one| about(past, one)))
        .collect();
    if let (Some(named), []) = (&named, runs.as_slice()) {
        let why = format!("could not find run {named}: the journal has no such one among its last");
        return Err(Failure::new(Exit::Unknown, why).hint("list them: backout history"));
    }
    let documents: Vec<Execution> = runs.iter().map(|past| Execution::of(past)).collect();
    match (documents.as_slice(), &named) {
        ([one], Some(_)) if world.json => session::json(out, one),
        (all, _) if world.json => session::json(out, &all),
        ([], _) => say(out, "no rollbacks\n"),
        _ => say(out, &execution::text(&runs)),
    }
    Ok(Exit::Ok)
}
