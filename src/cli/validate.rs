//! `backout validate`: the quick validation of S-48, and the thorough one of S-49.

use std::io::Write;
use std::time::Duration;

use clap::Args;

use crate::adapters::process;
use crate::failure::{Exit, Failure};
use crate::model::criteria::Passed;
use crate::report::{self, documents};
use crate::text::SafeText;

use super::session::{self, Need, Session};
use super::validate_at::At;
use super::{World, say};

#[derive(Args, Debug, Default)]
pub(crate) struct Validate {
    /// The environment it is about (M-19)
    #[arg(long)]
    environment: Option<String>,
    /// Four lines more: debug services, the smoke command, every check
    #[arg(long)]
    thorough: bool,
    #[command(flatten)]
    at: At,
}

impl Validate {
    /// Whether it needs no configuration.
    pub(crate) fn is_bare(&self) -> bool {
        self.at.asked()
    }
}

/// How long the smoke command may take.
const SMOKE_LIMIT: Duration = Duration::from_mins(3);

/// Runs the smoke command, where one is configured, and says how it ended.
async fn smoke(world: &World, session: &Session) -> Option<(Passed, String)> {
    let config = &session.place.config;
    let argv = config.proofs.smoke.as_slice();
    let dir = config.file.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or_else(|| std::path::Path::new("."));
    let run = process::Bounded { argv, env: None, dir, limit: SMOKE_LIMIT, bytes: 4096 };
    if argv.is_empty() {
        return None;
    }
    let name = SafeText::new(&argv.join(" "));
    Some(match run.run(&world.clock).await {
        Ok(finished) if finished.code == Some(0) => (Passed::Yes, format!("{name} ended with 0")),
        Ok(finished) => {
            let code = finished.code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
            let said = String::from_utf8_lossy(&finished.stderr).into_owned();
            let last = said.lines().last().unwrap_or_default().to_owned();
            (Passed::No, format!("{name} ended with {code} {last}").trim_end().to_owned())
        }
        Err(error) => (Passed::Unknown, error.message),
    })
}

pub(crate) async fn run(
    world: &World,
    asked: &Validate,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    if let Some(ended) = asked.at.run(world, out).await {
        return ended;
    }
    let mut session = Session::open(world, Need::Look).await?;
    let environment = session.place.config.environment.clone();
    if let Some(wanted) = asked.environment.as_ref().filter(|wanted| **wanted != environment) {
        let why = format!("this configuration is {environment}, not {wanted}");
        return Err(Failure::new(Exit::Usage, why).hint("name the right one with --config FILE"));
    }
    session.looked(Duration::from_secs(30)).await?;
    let known = |session: &Session| {
        let live = session.live.as_ref();
        live.and_then(|live| live.signals.get("p95")?.value.number()).is_some()
    };
    session.wait_for(Duration::from_secs(5), known).await?;
    let mut lines =
        report::validate::quick(&session.situation, session.live.as_ref(), &session.readings);
    if asked.thorough {
        let smoke = smoke(world, &session).await;
        lines.extend(report::validate::thorough(&session.situation, &session.readings, smoke));
    }
    session.close().await;
    if world.json {
        session::json(out, &documents::validation(&lines));
    } else {
        say(out, &report::text::validate(&lines));
    }
    Ok(if report::validate::all_good(&lines) { Exit::Ok } else { Exit::Warning })
}
