//! `backout export`: what is known of an incident in one archive.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::engine::bundling;
use crate::engine::keepsake::Keepsake;
use crate::evidence::bundle::{
    self, Automatic, Floor, From, Item, Limits, Made, Manifest, Order, Trigger,
};
use crate::failure::{Exit, Failure};
use crate::journal::{Reader, Samples};
use crate::model::bundle::Occasion;
use crate::model::entry::Command;
use crate::model::ids::{IncidentId, RunId};
use crate::redact::Redactor;
use crate::report;
use crate::text::SafeText;

use super::session::{self, Need, Session, journal};
use super::{World, say};

/// What `export` is told.
#[derive(Args, Debug)]
pub(crate) struct ExportArguments {
    /// The incident, as in INC-0142 or 142 [default: the one that is open, else the last]
    #[arg(value_name = "INCIDENT", value_parser = incident)]
    incident: Option<IncidentId>,
    /// The incident of this run, with its plan and outputs
    #[arg(long, value_name = "RUN", conflicts_with = "incident")]
    run: Option<String>,
    /// Write this file instead of one in the state folder
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Only say what it would hold and what would be taken out; nothing is written
    #[arg(long)]
    preview: bool,
    /// The files of this folder instead of an incident; needs no configuration
    #[arg(long, value_name = "DIR", requires = "to", conflicts_with_all = ["incident", "run"])]
    from: Option<PathBuf>,
    /// No bounds: neither 25 MiB of a source nor 512 MiB in all
    #[arg(long)]
    whole: bool,
}

fn incident(text: &str) -> Result<IncidentId, String> {
    let number = text.strip_prefix("INC-").unwrap_or(text);
    number.parse().map_err(|_| format!("{text} is no incident: write INC-0142 or 142"))
}

/// Makes the bundle, by the engine where one runs and the bundle is its own.
pub(crate) async fn run(
    world: &World,
    asked: &ExportArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    if let Some(from) = asked.from.clone() {
        let redactor = super::bundle::known(world);
        let items = folder(&from)?;
        let about = Manifest {
            by: world.environment.user().unwrap_or("somebody").to_owned(),
            ..Manifest::begun(Trigger::Asked, world.clock.now())
        };
        return finish(world, asked, (about, items, PathBuf::new()), redactor, out).await;
    }
    let place = session::place_to_attach(world)?;
    let own = asked.incident.is_none() && asked.run.is_none() && asked.to.is_none();
    if own
        && !asked.whole
        && !asked.preview
        && crate::link::living(&place.config.state_dir).is_some()
    {
        return by_engine(world, out).await;
    }
    let mut reader = Reader::open(&place.journal).await.map_err(|error| {
        Failure::new(Exit::Unknown, error.to_string()).hint("look once: backout check")
    })?;
    let situation = reader.situation().await.map_err(journal)?;
    let now = world.clock.now();
    let mut samples = Samples::read(&place.config.state_dir).await.map_err(journal)?;
    let live = samples.live().await.map_err(journal)?;
    let readings = samples.latest().await.map_err(journal)?;
    let brief = report::brief::brief(&situation, live.as_ref(), &readings, now);
    let mut keepsake = Keepsake::of(&place.config, &situation, brief.join("\n") + "\n");
    keepsake.escalates = true;
    chosen(asked, &mut keepsake)?;
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let by = world.environment.user().unwrap_or("somebody");
    let words = (SafeText::new(host.trim()), SafeText::new(by));
    let about = bundling::about(&keepsake, Occasion::Asked, (&words.0, &words.1), now);
    let redactor = place.config.redactor();
    let folder = place.config.state_dir.join("bundles");
    // The journal is read by a runtime of its own, on a thread where none runs.
    let items = tokio::task::spawn_blocking(move || keepsake.items())
        .await
        .map_err(|error| Failure::new(Exit::Unknown, format!("could not read it: {error}")))?;
    finish(world, asked, (about, items, folder), redactor, out).await
}

/// The incident and run that were named.
fn chosen(asked: &ExportArguments, keepsake: &mut Keepsake) -> Result<(), Failure> {
    if let Some(run) = &asked.run {
        let number = run.split('-').next().and_then(|number| number.parse().ok());
        keepsake.incident = Some(number.ok_or_else(|| {
            Failure::new(Exit::Usage, format!("{run} is no run: they read like 142-k7qd-1"))
        })?);
        keepsake.run = Some(RunId(run.clone()));
    }
    if let Some(incident) = asked.incident {
        if incident == 0 || incident > keepsake.situation.last_incident {
            let message = format!("could not export incident {incident}: the journal has none");
            return Err(
                Failure::new(Exit::Unknown, message).hint("see the past ones: backout history")
            );
        }
        keepsake.incident = Some(incident);
        let own = format!("{incident}-");
        let runs = keepsake.situation.history.iter().map(|past| past.run.clone());
        let runs = runs.chain(keepsake.run.clone());
        let runs: Vec<RunId> = runs.filter(|run| run.as_str().starts_with(&own)).collect();
        keepsake.run = runs.into_iter().max();
    }
    Ok(())
}

/// Every file below a folder.
fn folder(from: &Path) -> Result<Vec<Item>, Failure> {
    if !from.is_dir() {
        let message = format!("could not export {}: it is not a folder", from.display());
        return Err(Failure::new(Exit::Unknown, message));
    }
    let item = |file: PathBuf| {
        let inside = file.strip_prefix(from).unwrap_or(&file).display().to_string();
        Item { path: format!("logs/{inside}"), kind: "log", from: From::File(file) }
    };
    Ok(crate::engine::keepsake::files(from).into_iter().map(item).collect())
}

async fn finish(
    world: &World,
    asked: &ExportArguments,
    (about, items, folder): (Manifest, Vec<Item>, PathBuf),
    redactor: Redactor,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let limits = if asked.whole { Limits::none() } else { Limits::default() };
    let (clock, to, preview) = (world.clock.clone(), asked.to.clone(), asked.preview);
    let work = move || {
        let now = || clock.now();
        if preview {
            let counted = bundle::preview(items, &redactor, (limits, &now, &|| false));
            return Ok((
                Manifest {
                    sources: counted.sources,
                    redactions: counted.redactions,
                    partial: counted.partial,
                    why_partial: counted.why_partial,
                    ..about
                },
                None,
            ));
        }
        let order = Order {
            folder: &folder,
            file: to.as_deref(),
            about,
            limits,
            floor: Floor::default(),
            automatic: Automatic::No,
            now: &now,
            cancel: &|| false,
        };
        bundle::make(order, items, &redactor).map(|made| (made.manifest.clone(), Some(made)))
    };
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| {
        Failure::new(Exit::Unknown, format!("could not make the bundle: {error}"))
    })?;
    let (manifest, made) = done.map_err(super::bundle::failure)?;
    said(world, (&manifest, made.as_ref()), out);
    Ok(super::bundle::exit(&manifest))
}

fn said(world: &World, (manifest, made): (&Manifest, Option<&Made>), out: &mut dyn Write) {
    if world.json {
        let file = made.map(|made| (&made.path, &made.sha256, made.bytes));
        session::json(
            out,
            &serde_json::json!({
                "file": file.map(|file| file.0), "sha256": file.map(|file| file.1),
                "bytes": file.map(|file| file.2), "manifest": manifest,
            }),
        );
        return;
    }
    say(out, &super::bundle::summary(manifest));
    match made {
        Some(made) => {
            let (path, bytes) = (made.path.display(), made.bytes);
            say(out, &format!("{path}\n{bytes} bytes, sha256 {}\n", made.sha256.0));
        }
        None => say(out, "nothing was written\n"),
    }
}

/// Asks the engine, which writes it down in the journal too.
async fn by_engine(world: &World, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut session = Session::open(world, Need::Running).await?;
    let newest = |session: &Session| session.situation.bundles.iter().rfind(asked_for).cloned();
    let before = newest(&session);
    session.send(Command::Export { write: true }).await?;
    let done =
        session.wait_for(Duration::from_mins(5), |session| newest(session) != before).await?;
    let card = newest(&session);
    session.close().await;
    let Some(card) = card.filter(|_| done) else {
        return Err(Failure::new(Exit::Unknown, "the engine did not finish the bundle in 5 min")
            .hint("look at it again: backout status; a retry is safe"));
    };
    if world.json {
        session::json(out, &card);
    } else if card.made {
        let text = format!("{}\n{}\nsha256 {}\n", card.words(), card.path, card.sha256.0);
        say(out, &text);
    }
    if !card.made {
        return Err(Failure::new(Exit::Unknown, card.why.to_string())
            .hint("nothing was changed; a retry is safe"));
    }
    Ok(if card.partial { Exit::Warning } else { Exit::Ok })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "it is what a filter gives")]
fn asked_for(card: &&crate::model::bundle::BundleCard) -> bool {
    card.occasion == Occasion::Asked
}
