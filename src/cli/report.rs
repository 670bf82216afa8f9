//! `backout report`: documents about an incident from the journal; starts nothing, changes nothing.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::journal::{Place, Reader, Samples};
use crate::model::ids::incident_name;
use crate::report::chronicle::Chronicle;
use crate::report::health::HealthReport;
use crate::report::page::{self, Beside};
use crate::report::paper::{Kind, Paper};
use crate::report::series::Series;

use super::session::{self, journal};
use super::{World, past, say};

#[derive(Args, Debug)]
pub(crate) struct ReportArguments {
    /// Which document
    #[arg(value_enum)]
    kind: Which,
    /// The incident, as 142 or INC-0142; without it, the last one
    #[arg(long, value_name = "N")]
    incident: Option<String>,
    /// As Markdown (or the template's plain text), or as one HTML page
    #[arg(long, value_enum, default_value = "markdown")]
    format: Format,
    /// Write it to a file that only this user can read, instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The state folder of a journal, also one that was copied: with all its files journal.*
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    /// For the tracker: four times, impact, resolution
    Incident,
    /// The post-mortem, with everything that is known filled in
    Postmortem,
    /// The notification of colleagues
    Internal,
    /// What customers are told
    Customer,
    /// The invitation to the post-mortem meeting
    Meeting,
    /// How it is now: overall status, failed checks, warnings, recommendations
    Health,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Markdown,
    Html,
}

/// `report --json`: what a tracker's API takes.
#[derive(Serialize)]
struct Document<'a> {
    kind: &'static str,
    incident: String,
    title: &'a str,
    labels: &'a [&'static str],
    body: &'a str,
}

pub(crate) async fn run(
    world: &World,
    asked: &ReportArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let at = past::folder(world, asked.state.as_deref())?;
    let text = match asked.kind {
        Which::Incident => of_incident(world, asked, at, Kind::Incident).await?,
        Which::Postmortem => of_incident(world, asked, at, Kind::Postmortem).await?,
        Which::Internal => of_incident(world, asked, at, Kind::Internal).await?,
        Which::Customer => of_incident(world, asked, at, Kind::Customer).await?,
        Which::Meeting => of_incident(world, asked, at, Kind::Meeting).await?,
        Which::Health => health(world, asked, &at).await?,
    };
    match &asked.out {
        Some(file) => {
            write(file, &text)?;
            say(out, &format!("{}\n", file.display()));
        }
        None => say(out, &text),
    }
    Ok(Exit::Ok)
}

async fn of_incident(
    world: &World,
    asked: &ReportArguments,
    at: Place,
    kind: Kind,
) -> Result<String, Failure> {
    let wanted = asked.incident.as_deref().map(past::number).transpose()?;
    let past = past::read(at, wanted).await?;
    let chronicle = Chronicle::of(past.incident, &past.entries).ok_or_else(|| {
        let name = incident_name(past.incident);
        Failure::new(Exit::Unknown, format!("could not read {name}: its opening is not its own"))
    })?;
    // A journal that lies elsewhere can be read without a configuration.
    let config = session::place_to_attach(world).ok().map(|place| place.config);
    let own = config.as_ref().and_then(|config| config.templates.get(kind.words()));
    let paper = Paper::by(own.map(String::as_str), kind, &chronicle);
    if world.json {
        return Ok(json(&Document {
            kind: kind.words(),
            incident: incident_name(past.incident),
            title: &paper.title,
            labels: &paper.labels,
            body: &paper.body,
        }));
    }
    if asked.format == Format::Markdown {
        return Ok(paper.text());
    }
    let series = series(&past.state, &chronicle).await;
    let beside =
        Beside { chronicle: &chronicle, series: series.as_ref(), timeline: kind == Kind::Incident };
    let made = (world.clock.now(), env!("CARGO_PKG_VERSION"));
    Ok(page::page(&paper, kind.is_inside().then_some(beside), made))
}

/// The curves; nothing where the samples are gone, which are disposable.
async fn series(state: &std::path::Path, chronicle: &Chronicle) -> Option<Series> {
    let mut samples = Samples::read(state).await.ok()?;
    let counting = samples.live().await.ok()??.counting;
    let (from, to) = chronicle.span();
    let readings = samples.since(from).await.ok()?;
    let series = Series::of(&readings, &counting, (from, to));
    Some(series.blind(chronicle.blind.clone()))
}

async fn health(world: &World, asked: &ReportArguments, at: &Place) -> Result<String, Failure> {
    let mut reader = Reader::open(at).await.map_err(|error| {
        Failure::new(Exit::Unknown, error.to_string()).hint("look once: backout check")
    })?;
    let situation = reader.situation().await.map_err(journal)?;
    let mut live = None;
    if let Ok(mut samples) = Samples::read(at.state()).await {
        live = samples.live().await.unwrap_or_default();
    }
    let report = HealthReport::of(&situation, live.as_ref());
    if world.json {
        return Ok(json(&report));
    }
    let paper = report.paper();
    Ok(match asked.format {
        Format::Markdown => paper.text(),
        Format::Html => page::page(&paper, None, (world.clock.now(), env!("CARGO_PKG_VERSION"))),
    })
}

fn json(document: &impl Serialize) -> String {
    let mut text = Vec::new();
    session::json(&mut text, document);
    String::from_utf8_lossy(&text).into_owned()
}

/// Writes a whole file or none: what was there stays until the new one is complete.
fn write(file: &std::path::Path, text: &str) -> Result<(), Failure> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut beside = file.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut part| {
            part.write_all(text.as_bytes())?;
            part.sync_all()
        })
        .and_then(|()| std::fs::rename(&beside, file));
    written.map_err(|why| {
        std::fs::remove_file(&beside).ok();
        Failure::new(Exit::Unknown, format!("could not write {}: {why}", file.display()))
            .hint("choose another file with --out, or leave it out")
    })
}
