//! `backout approve`: the second word for a level that takes two people.

use std::io::{BufRead as _, IsTerminal as _, Write};
use std::time::Duration;

use clap::Args;

use crate::failure::{Exit, Failure};
use crate::model::entry::Command;
use crate::report;
use crate::text::SafeText;

use super::session::{Need, Session};
use super::{World, say};

#[derive(Args, Debug)]
pub(crate) struct Approve {
    /// Why: it stands in the history
    #[arg(long)]
    reason: Option<String>,
    /// Do not ask for the word
    #[arg(long)]
    auto_confirm: bool,
}

pub(crate) async fn run(
    world: &World,
    asked: &Approve,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    if !asked.auto_confirm && !std::io::stdin().is_terminal() {
        return Err(Failure::new(Exit::NotConfirmed, "nobody can type ROLLBACK: no terminal")
            .hint("add --auto-confirm, or run it in a terminal"));
    }
    let mut session = Session::open(world, Need::Running).await?;
    let now = crate::clock::Clock::real().now();
    let open = session.situation.plan.clone();
    let open = open.and_then(|open| {
        let first = session.situation.approved_by(&open.digest, now)?.clone();
        Some((open, first))
    });
    let Some((open, first)) = open else {
        return Err(Failure::new(Exit::Blocked, "nobody waits for a second person")
            .hint("look at it: backout status"));
    };
    say(out, &report::text::plan(&open, false));
    say(out, &format!("\n{} has approved it: {}\n", first.who.name, first.reason));
    if !asked.auto_confirm {
        say(out, "Type 'ROLLBACK' to approve it too: ");
        let mut typed = String::new();
        let read = std::io::stdin().lock().read_line(&mut typed);
        if read.is_err() || typed.trim_end_matches(['\n', '\r']) != "ROLLBACK" {
            return Err(Failure::new(Exit::NotConfirmed, "not confirmed: nothing was changed"));
        }
    }
    let lead = session.situation.lead.as_ref().map_or(0, |lead| lead.term);
    let reason = asked.reason.as_deref().map_or(first.reason, SafeText::new);
    let plan = open.digest.clone();
    session.send(Command::Approve { plan, lead, reason, accept_loss: None }).await?;
    let started = |session: &Session| {
        session.situation.run.as_ref().is_some_and(|run| run.digest == open.digest)
    };
    session.wait_for(Duration::from_secs(10), started).await?;
    let run = session.situation.run.as_ref().map(|run| run.id.clone());
    session.close().await;
    match run {
        Some(run) => {
            say(out, &format!("run {run} has begun; backout attach shows it\n"));
            Ok(Exit::Ok)
        }
        None => Err(Failure::new(Exit::Unknown, "the run did not start")),
    }
}
