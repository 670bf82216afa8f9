//! `backout validate`: the quick validation of S-48.

use std::io::Write;
use std::time::Duration;

use clap::Args;

use crate::failure::{Exit, Failure};
use crate::report::{self, documents};

use super::session::{self, Need, Session};
use super::{World, check, say};

#[derive(Args, Debug)]
pub(crate) struct Validate {
    /// The environment it is about (M-19)
    #[arg(long)]
    environment: Option<String>,
}

pub(crate) async fn run(
    world: &World,
    asked: &Validate,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut session = Session::open(world, Need::Look).await?;
    let environment = session.place.config.environment.clone();
    if let Some(wanted) = asked.environment.as_ref().filter(|wanted| **wanted != environment) {
        let why = format!("this configuration is {environment}, not {wanted}");
        return Err(Failure::new(Exit::Usage, why).hint("name the right one with --config FILE"));
    }
    check::looked(&mut session, Duration::from_secs(30)).await?;
    let known = |session: &Session| {
        let live = session.live.as_ref();
        live.and_then(|live| live.signals.get("p95")?.value.number()).is_some()
    };
    session.wait_for(Duration::from_secs(5), known).await?;
    let lines =
        report::validate::quick(&session.situation, session.live.as_ref(), &session.readings);
    session.close().await;
    if world.json {
        session::json(out, &documents::validation(&lines));
    } else {
        say(out, &report::text::validate(&lines));
    }
    Ok(if report::validate::all_good(&lines) { Exit::Ok } else { Exit::Warning })
}
