//! `backout checklist`: what to do after a rollback, ticked off one by one (S-56).

use std::io::Write;

use clap::{Args, Subcommand};

use crate::failure::{Exit, Failure};
use crate::journal::Reader;
use crate::model::entry::Command;
use crate::report::checklist::{self, Doable};
use crate::text::SafeText;

use super::session::{self, Need, Session, journal};
use super::{World, say, validate};

#[derive(Args, Debug)]
pub(crate) struct ChecklistArguments {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand, Debug)]
enum What {
    /// An item is done
    Done {
        /// Its number
        item: u8,
        /// What was done, or found
        #[arg(long, default_value = "")]
        note: String,
    },
    /// An item is not done after all
    Reopen {
        /// Its number
        item: u8,
        /// Why
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Let backout do an item, and tick it when it went well
    Run {
        /// Its number
        item: u8,
    },
}

pub(crate) async fn run(
    world: &World,
    asked: &ChecklistArguments,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match &asked.what {
        None => show(world, out).await,
        Some(What::Done { item, note }) => tick(world, *item, true, note, out).await,
        Some(What::Reopen { item, note }) => tick(world, *item, false, note, out).await,
        Some(What::Run { item }) => do_it(world, *item, out).await,
    }
}

/// The list as the journal has it; starts nothing.
async fn show(world: &World, out: &mut dyn Write) -> Result<Exit, Failure> {
    let place = session::place_to_attach(world)?;
    let mut reader = Reader::open(&place.journal).await.map_err(journal)?;
    let situation = reader.situation().await.map_err(journal)?;
    let now = world.clock.now();
    if world.json {
        session::json(out, &checklist::lines(&situation, now));
    } else {
        say(out, &checklist::text(&situation, now));
    }
    Ok(Exit::Ok)
}

fn known(item: u8) -> Result<checklist::Item, Failure> {
    checklist::item(item).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("the checklist has no item {item}"))
            .hint("look at it: backout checklist")
    })
}

async fn tick(
    world: &World,
    item: u8,
    done: bool,
    note: &str,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let title = known(item)?.title;
    let mut session = Session::open(world, Need::Look).await?;
    let command = Command::Tick { item, done, note: SafeText::new(note) };
    let sent = session.send(command).await;
    session.close().await;
    sent?;
    let word = if done { "done" } else { "open again" };
    say(out, &format!("{item} {title}: {word}\n"));
    Ok(Exit::Ok)
}

/// Runs what an item stands for; what did not go well is not ticked.
async fn do_it(world: &World, item: u8, out: &mut dyn Write) -> Result<Exit, Failure> {
    let found = known(item)?;
    match found.run {
        None => {
            let why = format!("backout cannot do item {item} by itself: {}", found.how);
            let hint = format!("do it, then: backout checklist done {item} --note WHAT");
            Err(Failure::new(Exit::Usage, why).hint(hint))
        }
        Some(Doable::Validate) => {
            let exit = validate::run(world, &validate::Validate::default(), out).await?;
            if exit != Exit::Ok {
                say(
                    out,
                    &format!("{item} {}: not done, the validation did not pass\n", found.title),
                );
                return Ok(exit);
            }
            tick(world, item, true, "backout validate passed", out).await
        }
    }
}
