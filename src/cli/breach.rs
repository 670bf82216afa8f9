//! `backout breach`: a security breach is reported, and released by another person (S-53, W-05).

use std::io::Write;
use std::time::Duration;

use clap::Subcommand;

use crate::failure::{Exit, Failure};
use crate::model::entry::Command;
use crate::model::guide::BREACH_GUIDE;
use crate::model::tree::{Answer, BREACH};
use crate::text::SafeText;

use super::session::{Need, Session};
use super::{World, say};

#[derive(Subcommand, Debug)]
pub(crate) enum BreachCommand {
    /// There is one: nothing starts any more until another person releases it
    Report {
        /// What was seen: it stands in the timeline
        #[arg(long)]
        reason: String,
    },
    /// The security team says that it is over; refused to whoever reported it
    Release {
        /// Who decided it, and why: it stands in the timeline
        #[arg(long)]
        reason: String,
    },
}

pub(crate) async fn run(
    world: &World,
    what: &BreachCommand,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (answer, word, reason) = match what {
        BreachCommand::Report { reason } => (Answer::Yes, "breach", reason),
        BreachCommand::Release { reason } => (Answer::No, "security_release", reason),
    };
    let mut session = Session::open(world, Need::Change).await?;
    let stands = session.situation.breach().is_some();
    if !stands && answer == Answer::No {
        session.close().await;
        say(out, "no breach is on record\n");
        return Ok(Exit::Ok);
    }
    let assessment = session.situation.assessment.as_ref().map_or(0, |known| known.number);
    session.send(Command::Answer { node: BREACH.into(), assessment, answer }).await?;
    session.send(Command::Note { text: SafeText::new(&format!("{word}: {reason}")) }).await?;
    let wanted = answer == Answer::Yes;
    let there = |session: &Session| session.situation.breach().is_some() == wanted;
    let shown = session.wait_for(Duration::from_secs(5), there).await?;
    session.close().await;
    if !shown {
        return Err(Failure::new(Exit::OutcomeUnknown, format!("the {word} is not on record"))
            .hint("look at the timeline: backout status"));
    }
    say(
        out,
        &if wanted {
            format!(
                "BREACH on record: preserve, isolate, wait. Nothing starts until another person \
                 releases it.\n  next: backout guide show {BREACH_GUIDE}\n  release: backout \
                 breach release --reason WHY (as another user)\n"
            )
        } else {
            "security_release on record: levels can be planned again\n".to_owned()
        },
    );
    Ok(Exit::Ok)
}
