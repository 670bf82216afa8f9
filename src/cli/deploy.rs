//! `backout deploy begin|done|failed`: a pipeline says what it does, and it is on record.

use std::io::Write;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::model::deploys::{ChangeState, DeployReport};
use crate::model::entry::{Change, Command};
use crate::model::ids::{Color, PointId};
use crate::text::SafeText;

use super::session::{self, Need, Session};
use super::{World, say};

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum DeployCommand {
    /// A deploy begins: whoever looks at the console sees it run
    Begin(Told),
    /// It is done: it becomes a change on record and a restore point
    Done(Told),
    /// It failed: what it left is not known
    Failed(Told),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Told {
    /// The version it brings
    #[arg(long)]
    version: String,
    /// The colour it goes to
    #[arg(long)]
    color: Option<String>,
    /// Who deploys [default: you]
    #[arg(long)]
    by: Option<String>,
    /// The job, such as ci#4711
    #[arg(long, default_value = "")]
    reference: String,
    /// An image as name@sha256:…; once per service
    #[arg(long = "image", value_name = "IMAGE")]
    images: Vec<String>,
    /// The schema it brings
    #[arg(long)]
    schema: Option<i64>,
    /// Digest of the configuration it brings
    #[arg(long)]
    config_digest: Option<String>,
}

/// What `deploy --json` says.
#[derive(Debug, Serialize)]
struct Answered {
    /// As it is on record now.
    change: Option<Change>,
    /// The restore point that it left.
    point: Option<PointId>,
}

pub(crate) async fn run(
    world: &World,
    command: DeployCommand,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (state, told) = match command {
        DeployCommand::Begin(told) => (ChangeState::Running, told),
        DeployCommand::Done(told) => (ChangeState::Done, told),
        DeployCommand::Failed(told) => (ChangeState::Failed, told),
    };
    let report = report(state, &told)?;
    let mut session = Session::open(world, Need::Look).await?;
    session.send(Command::Deploy { report: report.clone() }).await?;
    session.refresh().await?;
    let situation = &session.situation;
    let here = |change: &&Change| {
        let color = report.color.is_none() || change.color == report.color;
        change.version == report.version && change.state == state && color
    };
    let change = situation.changes.iter().find(here).cloned();
    let records = situation.deploys.records.iter();
    let point = records
        .filter(|_| state == ChangeState::Done)
        .find(|point| point.version == report.version)
        .map(|point| point.id.clone());
    session.close().await;
    if world.json {
        session::json(out, &Answered { change, point });
        return Ok(Exit::Ok);
    }
    let line = change.map_or_else(
        || "it was on record already".to_owned(),
        |change| format!("on record: {}", change.line()),
    );
    let point = point.map_or_else(String::new, |point| format!("; restore point {point}"));
    say(out, &format!("{line}{point}\n"));
    Ok(Exit::Ok)
}

fn report(state: ChangeState, told: &Told) -> Result<DeployReport, Failure> {
    let images: Vec<SafeText> = told.images.iter().map(|image| SafeText::new(image)).collect();
    if let Some(image) = told.images.iter().find(|image| !is_exact(image)) {
        return Err(Failure::new(
            Exit::Usage,
            format!("could not use image {}: it names no digest", SafeText::new(image)),
        )
        .hint("a tag can be moved; say name@sha256: and 64 hex digits"));
    }
    Ok(DeployReport {
        state,
        version: SafeText::new(&told.version),
        color: told.color.as_deref().map(Color::from),
        by: told.by.as_deref().map(SafeText::new),
        reference: SafeText::new(&told.reference),
        images,
        schema: told.schema,
        config: told.config_digest.as_deref().map(SafeText::new),
    })
}

/// A name with a digest: a tag alone can mean something else tomorrow (W-38).
fn is_exact(image: &str) -> bool {
    image.split_once("@sha256:").is_some_and(|(name, digest)| {
        !name.is_empty() && digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_by_its_digest_and_not_by_a_tag() {
        let digest = "a".repeat(64);
        assert!(is_exact(&format!("registry.example:5000/shop/api@sha256:{digest}")));
        for wrong in ["shop/api:v1", "shop/api", "@sha256:aa", "shop/api@sha256:12"] {
            assert!(!is_exact(wrong), "{wrong}");
        }
    }
}
