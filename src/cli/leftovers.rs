//! `backout leftovers`: what is temporarily changed, and who answers for it.

use std::io::Write;

use clap::{Args, Subcommand};

use crate::failure::{Exit, Failure};
use crate::journal::{Place, Reader};
use crate::model::entry::Command;
use crate::model::leftover;
use crate::model::situation::Situation;
use crate::report::leftovers;
use crate::text::SafeText;

use super::session::{self, Need, Session, journal};
use super::{World, say};

#[derive(Args, Debug)]
pub(crate) struct LeftoversArguments {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Say that it is gone, or stays for good
    Release {
        /// Its name, or a part of it that only one has
        name: String,
        /// Why: it stands in the timeline
        #[arg(long)]
        reason: String,
    },
    /// Give it to somebody who looks after it beyond this incident
    HandOver {
        /// Its name, or a part of it that only one has
        name: String,
        /// Who
        #[arg(long)]
        to: String,
        /// Why: it stands in the timeline
        #[arg(long)]
        reason: String,
    },
}

pub(crate) async fn run(
    world: &World,
    arguments: &LeftoversArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let place = session::place(world)?;
    let situation = read(&place.journal).await?;
    let meant = |name: &str| {
        leftover::named(&situation, name)
            .map(|found| found.name.clone())
            .map_err(|why| Failure::new(Exit::Usage, why).hint("see the names: backout leftovers"))
    };
    let command = match &arguments.what {
        None => {
            let now = world.clock.now();
            if world.json {
                session::json(out, &leftovers::document(&situation.leftovers, now));
            } else {
                say(out, &leftovers::table(&situation.leftovers, now));
            }
            return Ok(Exit::Ok);
        }
        Some(What::Release { name, reason }) => {
            Command::Release { name: meant(name)?, reason: SafeText::new(reason) }
        }
        Some(What::HandOver { name, to, reason }) => Command::HandOver {
            name: meant(name)?,
            to: SafeText::new(to),
            reason: SafeText::new(reason),
        },
    };
    let mut session = Session::open(world, Need::Change).await?;
    session.send(command).await?;
    session.refresh().await?;
    if world.json {
        let now = session.now();
        session::json(out, &leftovers::document(&session.situation.leftovers, now));
    } else {
        say(out, &leftovers::table(&session.situation.leftovers, session.now()));
    }
    session.close().await;
    Ok(Exit::Ok)
}

async fn read(journal_at: &Place) -> Result<Situation, Failure> {
    let mut reader = Reader::open(journal_at).await.map_err(|error| {
        Failure::new(Exit::Unknown, error.to_string()).hint("look once: backout check")
    })?;
    reader.situation().await.map_err(journal)
}
